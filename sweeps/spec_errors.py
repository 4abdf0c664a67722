"""A mistake in a spec as one sentence: file, key, value, rule, fix.

Pydantic finds the mistakes of shape and type, and this module words them. The rules that pydantic
does not know are in `sweeps.spec_rules`; they arrive here already worded.
"""

import datetime
import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from tomllib import TOMLDecodeError
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

MOST_SHOWN = 5
"""Mistakes that are shown before the rest is only counted."""

Path = tuple[str | int, ...]

_RULE = "spec_rule"
_VALUE_RULE = "spec_value_rule"
_SENTENCE = "spec_sentence"
_KINDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false without quotes",
    "tuple_type": "a list in square brackets",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than {}; raise it above that"),
    "greater_than_equal": ("ge", "must be at least {}; raise it"),
    "less_than": ("lt", "must be less than {}; lower it below that"),
    "less_than_equal": ("le", "must be at most {}; lower it"),
    "too_short": ("min_length", "must hold at least {}; add one"),
    "too_long": ("max_length", "must hold at most {}; remove some"),
    "string_too_short": ("min_length", "must have at least {} character; write it out"),
    "string_too_long": ("max_length", "must have at most {} characters; shorten it"),
}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLACE = re.compile(r" \(at (?P<place>line \d+, column \d+|end of document)\)$")


def broken_rule(path: Path, text: str) -> InitErrorDetails:
    """Return a mistake that is about a key; `text` goes on after the key's name."""
    return InitErrorDetails(type=PydanticCustomError(_RULE, "{text}", {"text": text}), loc=path, input=None)


def wrong_value(path: Path, value: object, rule: str) -> InitErrorDetails:
    """Return a mistake that is about a value; `rule` goes on after "depth is 1, but "."""
    return InitErrorDetails(type=wrong_value_error(rule), loc=path, input=value)


def wrong_value_error(rule: str) -> PydanticCustomError:
    """Return the error that a validator of one value raises; `rule` goes on after "depth is 1, but "."""
    return PydanticCustomError(_VALUE_RULE, "{rule}", {"rule": rule})


def sentence_error(sentence: str) -> PydanticCustomError:
    """Return the error of a value where a whole sentence about it exists already."""
    return PydanticCustomError(_SENTENCE, "{sentence}", {"sentence": sentence})


def sentences(source: str, error: ValidationError, model: type[BaseModel], settings: Collection[str]) -> str:
    """Return the mistakes in `error` as sentences, one per line, the first few of them.

    Parameters
    ----------
    source : str
        Name of the spec's file; every sentence begins with it.
    error : ValidationError
        What pydantic found when it built `model`.
    model : type of BaseModel
        The outermost model; its fields say what a missing key means and which keys are known.
    settings : collection of str
        Keys that belong under `[factors.*]` or `[fixed]`.
    """
    found = [_worded(details, model, settings) for details in error.errors() if not _follows(details)]
    lines = [f"{source}: {sentence}" for sentence in found[:MOST_SHOWN]]
    if rest := len(found) - len(lines):
        mistakes = "1 more mistake is" if rest == 1 else f"{rest} more mistakes are"
        lines.append(f"{source}: {mistakes} not shown; correct these first.")
    return "\n".join(lines)


def toml_sentence(source: str, error: ValueError) -> str:
    """Return what the TOML reader found as a sentence with line and column."""
    if not isinstance(error, TOMLDecodeError):
        return f"{source}: a number is too long to be read; shorten it."
    text = str(error)
    place = _PLACE.search(text)
    where = place["place"].replace("end of document", "the end of the file") if place else "the text"
    reason = text[: place.start()] if place else text
    if reason.startswith(("Cannot overwrite", "Cannot declare")):
        reason = "a key or table is given twice; keep one of them"
    elif reason == "Invalid value":
        reason = "invalid value; text needs quotes, and true and false are written small"
    else:
        reason = reason[:1].lower() + reason[1:]
    return f"{source}: {where} is not valid TOML: {reason}."


def dotted(path: Sequence[str | int]) -> str:
    """Return a key as TOML writes it; the position in a list is left out."""
    keys = [key for key in path if isinstance(key, str) and not key.startswith("<")]
    return ".".join(key if _BARE_KEY.fullmatch(key) else shown(key) for key in keys)


def shown(value: object, limit: int = 60) -> str:
    """Return a value as TOML writes it, on one line, shortened to about `limit` characters."""
    if isinstance(value, str):
        text = json.dumps(value[:limit], ensure_ascii=not value[:limit].isprintable())
        return text if len(value) <= limit else f'{text[:-1]}…"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a table" if value else "an empty table"
    if isinstance(value, list | tuple):
        text = f"[{', '.join(shown(item) for item in value[:limit])}]"
    elif isinstance(value, datetime.date | datetime.time):
        text = value.isoformat()
    elif isinstance(value, int) and abs(value) >= 10**limit:
        return "a number of more than 60 digits"
    else:
        text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the fix for an unknown name: the nearest known one, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), names, n=1)
    return f"did you mean {shown(close[0])}?" if close else f"choose one of {', '.join(names)}."


def _follows(details: ErrorDetails) -> bool:
    """Return whether a mistake only follows from another one that is reported too."""
    if details["type"] == "too_short":  # counts the right members only
        return len(details["input"]) >= details.get("ctx", {})["min_length"]
    return details["type"] == "default_factory_not_called"


def _worded(details: ErrorDetails, model: type[BaseModel], settings: Collection[str]) -> str:
    """Return one mistake as a sentence, without the file's name."""
    kind, path, value, context = details["type"], details["loc"], details["input"], details.get("ctx", {})
    key = dotted(path)
    if kind == _RULE:
        return f"{key} {details['msg']}"
    if kind == _SENTENCE:
        printable = "".join(letter if letter.isprintable() else " " for letter in details["msg"])
        return f"{key}: {printable}"
    if kind == "extra_forbidden":
        return f"{key} is not a known key; {_unknown_key(path, model, settings)}"
    field = _field_at(model, path)
    if kind == "missing":
        return f"{key} is missing; it is {_meaning(field)}{_example(field, path, ', for example ')}."
    state = f"{key} {'holds' if isinstance(path[-1], int) else 'is'} {shown(value)}, but"
    if kind == _VALUE_RULE:
        return f"{state} {details['msg']}"
    if kind == "literal_error":
        names = re.findall(r"'([^']*)'", context["expected"])
        return f"{state} that is not one of its values; {nearest(str(value), names)}"
    if kind == "string_pattern_mismatch":
        return f"{state} must be {_meaning(field)}{_example(field, path)}."
    if kind in _BOUNDS:
        name, rule = _BOUNDS[kind]
        return f"{state} {rule.format(_plain(context[name]))}{_example(field, path, ', for example ')}."
    if kind in ("dict_type", "model_type"):
        return f"{state} must be a table; begin it with the line [{key}]."
    return f"{state} must be {_KINDS.get(kind, 'of another kind')}{_example(field, path)}."


def _unknown_key(path: Path, model: type[BaseModel], settings: Collection[str]) -> str:
    """Return the likely fix for a key that its table does not have."""
    key, table = str(path[-1]), _model_at(model, path[:-1])
    if table is not model and key in _fields(model):
        return f"{key} belongs to no table; move it above the first line in [square brackets]."
    if table is model and key in settings:
        return f"it belongs under [fixed], or varies as [factors.{key}]."
    return nearest(key, _fields(table))


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """Return the model of the table at `path`."""
    for key in path:
        if not isinstance(key, str):
            continue
        field = _fields(model).get(key)
        if field is None:
            continue  # the name of a factor, or the tag of a union
        model = next(iter(_models_in(field.annotation)), model)
    return model


def _field_at(model: type[BaseModel], path: Path) -> FieldInfo | None:
    """Return the field at `path`, or None where a table's keys are not fields."""
    keys = [key for key in path if isinstance(key, str)]
    return _fields(_model_at(model, tuple(keys[:-1]))).get(keys[-1]) if keys else None


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the models in an annotation such as `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _meaning(field: FieldInfo | None) -> str:
    return (field.description if field else None) or "needed here"


def _example(field: FieldInfo | None, path: Path, lead: str = "; write for example ") -> str:
    """Return an example of a key as TOML writes it, or nothing where there is none."""
    if field is None or not field.examples:
        return ""
    keys = [key for key in path if isinstance(key, str)]
    return f"{lead}{keys[-1]} = {shown(field.examples[0])}"


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)
