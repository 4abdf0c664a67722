"""Published claims held against a sweep: supported, contradicted, undecided, or not covered by its design.

A claim says what the focus does against some rivals, overall or at some levels of one factor. It is judged by
the verdicts of the criteria table and by nothing else, so it is as careful as those are: supported where all
comparisons that it covers say the same, which needs no further correction for how many they are (an
intersection-union test, Berger 1982), and contradicted where at least one says otherwise.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_type_hints

from analysis.criteria import CriteriaTable
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.levels import level_text, number_text
from study.errors import InputError
from study.question import Question
from study.shapes import fits
from study.training import Level

if TYPE_CHECKING:
    from study.ledger import Record

Says = Literal["wins", "loses", "ties"]
_Model = TypeVar("_Model")


class Standing(StrEnum):
    """What a sweep makes of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    NOT_COVERED = "not_covered"

    @property
    def words(self) -> str:
        """The standing as people read it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What somebody published.

    Parameters
    ----------
    id : str
        Short name, unique in its file.
    text : str
        The claim in words.
    source : str
        Where it was published.
    rivals : tuple of str
        What the focus is compared with.
    says : {"wins", "loses", "ties"}
        What the focus does.
    published : str
        The figures that it rests on, in words; empty for none.
    parameter : str or None
        The factor that it is about; None for all settings together.
    levels, others : tuple of Level
        Of that factor: the levels that it is about, or those that it leaves out.
    above, at_least, below, at_most : float or None
        Bounds of a numeric factor, likewise.
    datasets, architectures : tuple of str
        Those that it is about; empty for any.
    network : dict of str to Level
        Arguments that the network has throughout the sweep, such as the depth of a residual one.
    """

    id: str
    text: str
    source: str
    rivals: tuple[str, ...]
    says: Says
    published: str = ""
    parameter: str | None = None
    levels: tuple[Level, ...] = ()
    others: tuple[Level, ...] = ()
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    datasets: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    network: Mapping[str, Level] = field(default_factory=dict[str, Level])

    def is_about(self, row: Comparison) -> bool:
        """Whether a level row lies within the claim, with all of its bin."""
        levels, others = ({level_text(each) for each in some} for some in (self.levels, self.others))
        if (levels and row.level not in levels) or row.level in others:
            return False
        bounds = (self.above, self.at_least, self.below, self.at_most)
        if all(bound is None for bound in bounds):
            return True
        if row.level_low is None or row.level_high is None:
            return False
        return (
            (self.above is None or row.level_low > self.above)
            and (self.at_least is None or row.level_low >= self.at_least)
            and (self.below is None or row.level_high < self.below)
            and (self.at_most is None or row.level_high <= self.at_most)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """A file of claims.

    Parameters
    ----------
    title : str
        What they are, for headings.
    focus : str
        The activation that all of them are about.
    claims : tuple of Claim
        In the order of the file.
    """

    title: str
    focus: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A claim beside what a sweep says of it.

    Parameters
    ----------
    claim : Claim
        What was published.
    standing : Standing
        What the sweep makes of it.
    rows : tuple of Comparison
        The comparisons that it was judged by; empty where it is not covered.
    reason : str
        Why it is not covered, or not decided; empty otherwise.
    """

    claim: Claim
    standing: Standing
    rows: tuple[Comparison, ...]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A file of claims beside what a sweep says of them.

    Parameters
    ----------
    claims : Claims
        What was published.
    judged : tuple of Judged
        One per claim, in their order.
    """

    claims: Claims
    judged: tuple[Judged, ...]

    @property
    def covered(self) -> tuple[Judged, ...]:
        """Those about which the sweep can say something."""
        return tuple(one for one in self.judged if one.standing is not Standing.NOT_COVERED)


def read_claims(path: Path) -> Claims:
    """Read a file of claims.

    Raises
    ------
    InputError
        If it is missing, no TOML, or not made of claims.
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
    top = {key: value for key, value in values.items() if key != "claims"}
    made = [_made(Claim, each, f"{path}: claim {place}") for place, each in enumerate(listed, 1)]
    seen: set[str] = set()
    for claim in made:
        _refuse_nonsense(claim, path)
        if claim.id in seen:
            raise InputError(f"{path}: every claim has an id of its own, and {claim.id!r} is there twice.")
        seen.add(claim.id)
    return _made(Claims, {**top, "claims": tuple(made)}, str(path))


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


def _refuse_nonsense(claim: Claim, path: Path) -> None:
    bounds = (claim.above, claim.at_least, claim.below, claim.at_most)
    about_levels = bool(claim.levels or claim.others) or any(bound is not None for bound in bounds)
    if about_levels and claim.parameter is None:
        raise InputError(f"{path}: claim {claim.id!r} names levels and no parameter; say which it is about.")
    if not claim.rivals:
        raise InputError(f"{path}: claim {claim.id!r} needs at least one rival.")


def network_of(record: "Record") -> dict[str, Level]:
    """Return the arguments of the network that all trainings of a record share."""
    trained = [entry.training.architecture_arguments for entry in record.entries]
    return dict(set(trained[0]).intersection(*trained)) if trained else {}


def judge(
    claims: Claims, table: CriteriaTable, question: Question, network: Mapping[str, Level] | None = None
) -> Judgement:
    """Hold claims against the criteria table of a sweep.

    Parameters
    ----------
    claims : Claims
        What was published.
    table : CriteriaTable
        Of the sweep.
    question : Question
        What the sweep asks.
    network : dict of str to Level, optional
        What `network_of` returned; without it, claims about a network with such arguments are not covered.

    Notes
    -----
    While a sweep runs nothing is decided.
    """
    judged = tuple(_judged(claim, claims.focus, table, question, network or {}) for claim in claims.claims)
    return Judgement(claims=claims, judged=judged)


def _judged(
    claim: Claim, focus: str, table: CriteriaTable, question: Question, network: Mapping[str, Level]
) -> Judged:
    reason = _out_of_scope(claim, focus, table, question, network)
    rows: Sequence[Comparison] = ()
    if not reason:
        found = table.headline if claim.parameter is None else table.levels
        rows = [
            row
            for row in found
            if row.parameter == claim.parameter and row.rival in claim.rivals and claim.is_about(row)
        ]
        if not rows:
            reason = f"no level of {claim.parameter} lies within it"
    if reason:
        return Judged(claim=claim, standing=Standing.NOT_COVERED, rows=(), reason=reason)
    standing, why = _standing(claim, rows, table)
    return Judged(claim=claim, standing=standing, rows=tuple(rows), reason=why)


def _standing(claim: Claim, rows: Sequence[Comparison], table: CriteriaTable) -> tuple[Standing, str]:
    if table.provisional:
        return Standing.UNDECIDED, "the sweep is not finished"
    same = sum(row.verdict == Verdict(claim.says) for row in rows)
    open_ = sum(row.verdict is Verdict.NOT_ENOUGH_EVIDENCE for row in rows)
    if same + open_ < len(rows):
        against = len(rows) - same - open_
        return Standing.CONTRADICTED, f"{against} of {len(rows)} comparisons say otherwise"
    absent = [rival for rival in claim.rivals if rival not in table.rivals]
    if open_:
        return Standing.UNDECIDED, f"{same} of {len(rows)} comparisons say so, none speaks against it"
    if absent:
        return Standing.UNDECIDED, f"true where it was asked; {' and '.join(absent)} not run"
    return Standing.SUPPORTED, ""


def _out_of_scope(
    claim: Claim, focus: str, table: CriteriaTable, question: Question, network: Mapping[str, Level]
) -> str:
    """Return why a sweep says nothing about a claim, or nothing."""
    factor = next((each for each in question.conditions if each.name == claim.parameter), None)
    bounded = any(bound is not None for bound in (claim.above, claim.at_least, claim.below, claim.at_most))
    reasons: Mapping[str, bool] = {
        f"the sweep asks about {table.focus}": table.focus != focus,
        "claims are about equal settings, and a tuned sweep gives each activation its own": (
            table.design == "tuned"
        ),
        f"about {' or '.join(claim.datasets)}": bool(claim.datasets) and table.dataset not in claim.datasets,
        f"about {' or '.join(claim.architectures)}": (
            bool(claim.architectures) and table.architecture not in claim.architectures
        ),
        f"about {_arguments(claim)}": any(network.get(key) != level for key, level in claim.network.items()),
        f"{' and '.join(claim.rivals)} not run": not set(claim.rivals) & set(table.rivals),
        f"{claim.parameter} is no condition of this sweep": claim.parameter is not None and factor is None,
        "its rates are absolute, and those of this sweep are multiples of the optimizer's": (
            factor is not None and factor.relative and (bounded or bool(claim.levels or claim.others))
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _arguments(claim: Claim) -> str:
    return " and ".join(f"{key} {level_text(level)}" for key, level in claim.network.items())


def where_text(claim: Claim) -> str:
    """Return the settings that a claim is about, in words."""
    if claim.parameter is None:
        return "overall"
    parts = [
        f"{word} {number_text(bound)}"
        for word, bound in (
            ("above", claim.above),
            ("at least", claim.at_least),
            ("below", claim.below),
            ("at most", claim.at_most),
        )
        if bound is not None
    ]
    if claim.levels:
        parts.append(", ".join(map(level_text, claim.levels)))
    if claim.others:
        parts.append(f"any but {', '.join(map(level_text, claim.others))}")
    return f"{claim.parameter}: {' and '.join(parts) or 'any'}"
