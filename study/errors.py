"""The two ways in which the tool says no, and what somebody else's exception says."""

import re

_LONGEST = 500


class InputError(Exception):
    """The user's input is wrong; nothing was started, nothing was written.

    The message is one sentence with the rule, the value received and the likely fix. The command
    line prints it and exits with 2.
    """


class RunError(Exception):
    """The input was right and the run failed. The command line prints the message and exits with 1."""


def said(error: BaseException) -> str:
    """Return the message of an exception in one line of at most 500 characters.

    Where Keras wraps an exception of the user's own function in a message of its own, the user's is the
    part in bold.
    """
    text = str(error)
    bold = re.search(r"\x1b\[1m(.+?)\x1b\[0m", text, re.DOTALL)
    return in_a_line(bold[1] if bold else text, _LONGEST)


def in_a_line(text: str, limit: int) -> str:
    """Return a text from elsewhere as one printable line of at most `limit` characters."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text[: 2 * limit]).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"
