"""A TOML file of published claims: read, and refused where it cannot mean what it says.

A claim that nothing covers is told apart from a claim with a slip of the pen: every name must be known, or be
listed as one that is meant so, and a claim must leave something to be about.
"""

import dataclasses
import difflib
import itertools
import tomllib
from collections.abc import Callable, Collection, Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from analysis.claims import SETTINGS, Claim, Claims
from study.errors import InputError
from study.shapes import fits

_Model = TypeVar("_Model")


def read_claims(path: Path, *, canonical: Callable[[str], str], arguments: Collection[str]) -> Claims:
    """Read a file of claims; activations get their canonical names.

    Parameters
    ----------
    path : Path
        The file.
    canonical : callable
        `study.activations.canonical`.
    arguments : collection of str
        The arguments of all networks; they and the settings of a training are the factors that are known.

    Raises
    ------
    InputError
        If it is missing, no TOML, or not made of claims; if a claim names an activation or a factor that is
        neither known nor listed in the file as another one, compares the focus with itself, or contradicts
        itself.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"--claims names a TOML file of claims, and {str(path)!r} is none: {what}."
        ) from None
    listed = values.get("claims")
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{path}: a file of claims has at least one [[claims]], and this one has none.")
    made = [_made(Claim, each, f"{path}: claim {place}") for place, each in enumerate(listed, 1)]
    top = {key: value for key, value in values.items() if key != "claims"}
    found = _made(Claims, {**top, "claims": tuple(made)}, str(path))

    def named(name: str, where: str) -> str:
        if name in found.other_activations:
            return name
        try:
            return canonical(name)
        except InputError as error:
            raise InputError(f"{where}: {error} Or list it in other_activations.") from None

    focus = named(found.focus, str(path))
    known = {*SETTINGS, *arguments, *found.other_factors}
    claims: list[Claim] = []
    for claim in made:
        where = f"{path}: claim {claim.id!r}"
        if claim.id in {other.id for other in claims}:
            raise InputError(f"{path}: every claim has an id of its own, and {claim.id!r} is there twice.")
        rivals = tuple(named(rival, where) for rival in claim.rivals)
        complaints = [*_about_rivals(focus, rivals), *_about_factors(claim, known), *_about_levels(claim)]
        if complaints:
            raise InputError(f"{where} {complaints[0]}")
        claims.append(dataclasses.replace(claim, rivals=rivals))
    return dataclasses.replace(found, focus=focus, claims=tuple(claims))


def _made(model: type[_Model], values: Any, where: str) -> _Model:
    """Build a dataclass from what a TOML file holds; lists become tuples."""
    if not isinstance(values, dict):
        raise InputError(f"{where} must be a table of keys, and is {str(values)[:60]!r}.")
    hints = get_type_hints(model)
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    for key, value in given.items():
        if key not in hints:
            known = ", ".join(hints)
            raise InputError(f"{where}: {key[:60]!r} is no key here; the keys are {known}.")
        if not fits(value, hints[key]):
            raise InputError(f"{where}: {key} cannot be {str(values[key])[:60]!r}; see docs/claims.md.")
    needed = (
        each.name
        for each in fields(cast(Any, model))
        if each.default is MISSING and each.default_factory is MISSING
    )
    if missing := [name for name in needed if name not in given]:
        raise InputError(f"{where} lacks the key {missing[0]!r}.")
    return model(**given)


def _about_rivals(focus: str, rivals: tuple[str, ...]) -> Iterable[str]:
    if not rivals:
        yield "needs at least one rival."
    if focus in rivals:
        yield f"compares {focus!r} with itself; take it out of rivals, or name another focus."
    if len(set(rivals)) < len(rivals):
        twice = next(rival for rival in rivals if rivals.count(rival) > 1)
        yield f"names the rival {twice!r} twice; name each once."


def _about_factors(claim: Claim, known: Collection[str]) -> Iterable[str]:
    for name in ([claim.parameter] if claim.parameter is not None else []) + [*claim.settings]:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}."
            yield (
                f"names {name!r}, which is neither a setting nor an argument of a network of ours; {hint} "
                "Or list it in other_factors."
            )
    if claim.parameter in claim.settings:
        yield f"has {claim.parameter} as its parameter and among its settings; keep it in one of the two."


def _about_levels(claim: Claim) -> Iterable[str]:
    if (claim.levels or claim.others or claim.also or claim.bounded) and claim.parameter is None:
        yield "names levels and no parameter; say which it is about."
    if claim.levels and (claim.others or claim.also or claim.bounded):
        yield (
            "lists its levels and has others, also or bounds too; keep levels alone, or add levels to bounds "
            "by also."
        )
    if claim.also and not claim.bounded:
        yield "has also, which adds levels to bounds, and no bounds; write levels instead."
    if both := [level for level in claim.also if level in claim.others]:
        yield f"adds {both[0]!r} by also and leaves it out by others; keep it in one of the two."
    for lower, upper in itertools.product(("above", "at_least"), ("below", "at_most")):
        low, high = getattr(claim, lower), getattr(claim, upper)
        both_in = (lower, upper) == ("at_least", "at_most")
        if low is not None and high is not None and (low > high or (low == high and not both_in)):
            yield f"has {lower} = {low:g} and {upper} = {high:g}, which leaves nothing; correct one of them."
