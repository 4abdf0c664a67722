"""Whether a value that was read has the types that its dataclass says."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Check = Callable[[Any], bool]


class _Fields:
    """The fields of a dataclass with their checks.

    Types that were right once are remembered, since a ledger holds the same ones many thousand times.
    """

    def __init__(self, model: type) -> None:
        hints = get_type_hints(model)
        self.names = [each.name for each in fields(model)]
        self.checks = [_check(hints[name]) for name in self.names]
        self.values = operator.attrgetter(*self.names)
        self.nested = [place for place, name in enumerate(self.names) if _plain(hints[name]) is None]
        self.right: set[tuple[type, ...]] = set()

    def misfit(self, value: Any) -> str | None:
        values = self.values(value)
        types = tuple(map(type, values))
        places = self.nested if types in self.right else range(len(values))
        for place in places:
            if not self.checks[place](values[place]):
                return self.names[place]
        self.right.add(types)
        return None


_fields = cache(_Fields)


def misfit(value: Any) -> str | None:
    """Return the name of the first field of a dataclass whose value is of another type, or None.

    A whole number may stand where a float is meant; true and false are no numbers.
    """
    return _fields(type(value)).misfit(value)


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value is what a type hint says, down to the members of a container."""
    return _check(hint)(value)


@cache
def _check(hint: Any) -> Check:
    plain = _plain(hint)
    if plain is not None:
        return lambda value: type(value) in plain
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        either = tuple(map(_check, inner))
        return lambda value: any(check(value) for check in either)
    if origin is Literal:
        return lambda value: type(value) is str and value in inner
    if is_dataclass(hint):
        return lambda value: type(value) is hint and misfit(value) is None
    if origin in (tuple, list):
        if origin is list or inner[-1] is Ellipsis:
            return _members(origin, inner[0])
        each = tuple(map(_check, inner))
        return lambda value: (
            type(value) is tuple
            and len(value) == len(each)
            and all(check(member) for check, member in zip(each, value, strict=True))
        )
    if origin is Mapping:
        keys, values = _members(list, inner[0]), _members(list, inner[1])
        return lambda value: type(value) is dict and keys([*value]) and values([*value.values()])
    raise TypeError(f"{hint} has no check")


def _members(kind: type, hint: Any) -> Check:
    plain = _plain(hint)
    if plain is not None:
        return lambda value: type(value) is kind and plain.issuperset(map(type, value))
    check = _check(hint)
    return lambda value: type(value) is kind and all(map(check, value))


def _plain(hint: Any) -> frozenset[type] | None:
    """Return the types that a hint without containers allows."""
    if get_origin(hint) in (Union, UnionType):
        parts = [_plain(each) for each in get_args(hint)]
        return None if None in parts else frozenset().union(*(part for part in parts if part is not None))
    if hint is float:
        return frozenset({float, int})
    if hint is None or hint is NoneType:
        return frozenset({NoneType})
    return frozenset({hint}) if isinstance(hint, type) and not is_dataclass(hint) else None
