"""Mistakes in the words of a command line, each as one sentence: rule, value, likely fix."""

import sys

from typer import BadParameter
from typer.exceptions import TyperException

_KINDS = (("integer", "a whole number"), ("number", "a number"))
"""A word of Typer's message to what the option takes."""


def mistake(error: TyperException) -> str:
    """Return what is wrong with a command line as one sentence; empty where it was no mistake.

    Parameters
    ----------
    error : typer.exceptions.TyperException
        What the parser raised; a group without a command has printed its help already.
    """
    context = getattr(error, "ctx", None)
    words = context.command_path.split() if context is not None else []
    root = context.find_root().info_name.split() if context is not None else []
    called = " ".join(["mishstudy", *words[len(root) :]])
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":
        return ""
    return f"{_said(error, kind, called)}; see `{called} --help`."


def _said(error: TyperException, kind: str, called: str) -> str:
    if kind == "NoSuchOption":
        option, near = getattr(error, "option_name", ""), getattr(error, "possibilities", None)
        meant = f": did you mean {' or '.join(sorted(near))}" if near else ""
        return f"`{called}` has no option {option}{meant}"
    if isinstance(error, BadParameter) and error.param is not None:
        names = [name for name in error.param.opts if name.startswith("-")]
        name = names[0] if names else (error.param.metavar or error.param.name or "").strip("{}[]")
        if kind == "MissingParameter":
            return f"`{called}` needs {name}, and it was left out"
        takes = next((takes for word, takes in _KINDS if word in error.message), "")
        if takes and (value := _given(names)) is not None:
            return f"{name} takes {takes}, and {value!r} was given"
    said = error.format_message().strip().rstrip(".?").replace(". Did you", ": did you")
    return said[:1].lower() + said[1:]


def _given(names: list[str]) -> str | None:
    """Return the value of an option on the command line."""
    words = sys.argv[1:]
    for place, word in enumerate(words):
        option, mark, value = word.partition("=")
        if option in names:
            return value if mark else next(iter(words[place + 1 :]), None)
    return None
