"""Published claims held against a sweep: supported, contradicted, undecided, or not covered by its design.

A claim says what the focus does against some rivals, overall or at some levels of one factor. It is judged by
the verdicts of the criteria table and by nothing else, so it is as careful as those are: supported where all
comparisons that it covers say the same, which needs no further correction for how many they are (an
intersection-union test, Berger 1982), and contradicted where at least one says otherwise.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from analysis.criteria import CriteriaTable
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.levels import level_text, number_text
from study.question import Question
from study.training import Level, Training

if TYPE_CHECKING:
    from study.ledger import Record

Says = Literal["wins", "loses", "ties"]

SETTINGS = frozenset(each.name for each in dataclasses.fields(Training)) - {
    "dataset", "architecture", "architecture_arguments", "activation", "sweep_seed", "configuration",
    "replicate",
}  # fmt: skip
"""The settings of a training, without the arguments of its network."""


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
    also : tuple of Level
        Levels outside these bounds that it is about as well.
    datasets, architectures : tuple of str
        Those that it is about; empty for any.
    settings : dict of str to Level
        What all trainings that it is about share, such as the number of epochs, the learning rate or the
        depth of a residual network.
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
    also: tuple[Level, ...] = ()
    datasets: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    settings: Mapping[str, Level] = field(default_factory=dict[str, Level])

    @property
    def bounded(self) -> bool:
        """Whether it is about a part of the values of its factor."""
        bounds = (self.above, self.at_least, self.below, self.at_most)
        return any(bound is not None for bound in bounds)

    def is_about(self, row: Comparison) -> bool:
        """Whether a level row lies within the claim, with all of its bin."""
        levels, others, also = (
            {level_text(each) for each in some} for some in (self.levels, self.others, self.also)
        )
        if (levels and row.level not in levels) or row.level in others or self._leaves_out_of(row):
            return False
        if not self.bounded or row.level in also:
            return True
        if row.level_low is None or row.level_high is None:
            return False
        return (
            (self.above is None or row.level_low > self.above)
            and (self.at_least is None or row.level_low >= self.at_least)
            and (self.below is None or row.level_high < self.below)
            and (self.at_most is None or row.level_high <= self.at_most)
        )

    def _leaves_out_of(self, row: Comparison) -> bool:
        """Whether a bin holds a number that the claim leaves out."""
        low, high = row.level_low, row.level_high
        numbers = (level for level in self.others if isinstance(level, int | float))
        return low is not None and high is not None and any(low <= number <= high for number in numbers)


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
    other_activations, other_factors : tuple of str
        Names that no catalogue here has and that are meant so, as a paper may have activations of its own.
    """

    title: str
    focus: str
    claims: tuple[Claim, ...]
    other_activations: tuple[str, ...] = ()
    other_factors: tuple[str, ...] = ()


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


def shared_settings(record: "Record") -> dict[str, Level]:
    """Return the settings that all trainings of a record share, arguments of the network among them."""
    shared: dict[str, Level] = {}
    for place, entry in enumerate(record.entries):
        own = _settings(entry.training)
        shared = own if place == 0 else {key: level for key, level in shared.items() if own.get(key) == level}
    return shared


def _settings(training: Training) -> dict[str, Level]:
    own = {name: getattr(training, name) for name in sorted(SETTINGS)}
    return {
        **{name: level for name, level in own.items() if level is not None},
        **dict(training.architecture_arguments),
    }


def judge(
    claims: Claims, table: CriteriaTable, question: Question, shared: Mapping[str, Level] | None = None
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
    shared : dict of str to Level, optional
        What `shared_settings` returned; without it, claims about such settings are not covered.

    Notes
    -----
    While a sweep runs nothing is decided.
    """
    judged = tuple(_judged(claim, claims.focus, table, question, shared or {}) for claim in claims.claims)
    return Judgement(claims=claims, judged=judged)


def _judged(
    claim: Claim, focus: str, table: CriteriaTable, question: Question, shared: Mapping[str, Level]
) -> Judged:
    asked = _asked(claim, question)
    reason = _out_of_scope(asked, focus, table, question, shared)
    rows: Sequence[Comparison] = ()
    if not reason:
        found = table.headline if asked.parameter is None else table.levels
        rows = [
            row
            for row in found
            if row.parameter == asked.parameter and row.rival in asked.rivals and asked.is_about(row)
        ]
        if not rows:
            reason = f"no level of {asked.parameter} lies within it"
    if reason:
        return Judged(claim=claim, standing=Standing.NOT_COVERED, rows=(), reason=reason)
    standing, why = _standing(claim, rows, table)
    return Judged(claim=claim, standing=standing, rows=tuple(rows), reason=why)


def _asked(claim: Claim, question: Question) -> Claim:
    """Return a claim as a sweep can be asked about it: where it varies one of the settings, at that level."""
    varied = [each.name for each in question.conditions if each.name in claim.settings]
    if claim.parameter is not None or len(varied) != 1:
        return claim
    settings = dict(claim.settings)
    return dataclasses.replace(
        claim, parameter=varied[0], levels=(settings.pop(varied[0]),), settings=settings
    )


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
    claim: Claim, focus: str, table: CriteriaTable, question: Question, shared: Mapping[str, Level]
) -> str:
    """Return why a sweep says nothing about a claim, or nothing."""
    factor = next((each for each in question.conditions if each.name == claim.parameter), None)
    reasons: Mapping[str, bool] = {
        f"the sweep asks about {table.focus}": table.focus != focus,
        "claims are about equal settings, and a tuned sweep gives each activation its own": (
            table.design == "tuned"
        ),
        f"about {' or '.join(claim.datasets)}": bool(claim.datasets) and table.dataset not in claim.datasets,
        f"about {' or '.join(claim.architectures)}": (
            bool(claim.architectures) and table.architecture not in claim.architectures
        ),
        f"about {_settings_text(claim)}": any(
            shared.get(key) != level for key, level in claim.settings.items()
        ),
        f"{' and '.join(claim.rivals)} not run": not set(claim.rivals) & set(table.rivals),
        f"{claim.parameter} is no condition of this sweep": claim.parameter is not None and factor is None,
        "its rates are absolute, and those of this sweep are multiples of the optimizer's": (
            factor is not None and factor.relative and (claim.bounded or bool(claim.levels or claim.others))
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _settings_text(claim: Claim) -> str:
    return " and ".join(f"{key} {level_text(level)}" for key, level in claim.settings.items())


def where_text(claim: Claim) -> str:
    """Return the settings that a claim is about, in words."""
    where = "overall" if claim.parameter is None else f"{claim.parameter}: {_levels_text(claim)}"
    return f"{where}, with {_settings_text(claim)}" if claim.settings else where


def _levels_text(claim: Claim) -> str:
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
    within = " and ".join(parts) or "any"
    return f"{within}, or {', '.join(map(level_text, claim.also))}" if claim.also else within
