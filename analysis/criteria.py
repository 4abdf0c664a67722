"""The criteria table: for which settings does the focus win, and who wins elsewhere.

`criteria_table` is the one door from the runs frame to everything that is shown: figures, report,
exports and the command line read the `CriteriaTable` and compute nothing of their own.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, cast, get_args, get_origin, get_type_hints

import pandas as pd

from analysis.agreement import Agreement
from analysis.frame import check_runs, sorted_runs
from analysis.notes import notes
from analysis.profile import ProfiledLevel, best_rows, profiled_levels
from analysis.recommendation import recommend
from analysis.sequence import RunningHeadline, complete_configurations, running_headlines, stopped_rows
from analysis.statistics.best_of_k import BestOfDifference, TuningCurve, best_of_differences, tuning_curves
from analysis.statistics.compare import Comparison, Verdict, comparisons
from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS, pair_correlation, seed_correlation
from analysis.statistics.failures import FailureRate, TrainedDifference, failure_rates, trained_differences
from analysis.statistics.gates import Gate, gates
from analysis.statistics.interactions import Interaction, interactions
from analysis.statistics.pairing import Pairing, pairings
from analysis.statistics.pairs import pairs
from analysis.statistics.ranking import Ranking, ranking
from analysis.statistics.thresholds import Threshold, thresholds
from analysis.statistics.tuned import (
    TunedBest,
    TunedVerdict,
    equal_trials,
    placed,
    tuned_bests,
    tuned_verdicts,
)
from analysis.statistics.units import unit_means
from analysis.statistics.unpaired import unpaired_comparisons
from analysis.summaries import FactorSummary, LevelVerdict
from study.errors import InputError
from study.question import Question
from study.training import Status
from study.tuning import Tuning

__all__ = [
    "Comparison",
    "CriteriaTable",
    "FactorSummary",
    "LevelVerdict",
    "TunedBest",
    "TunedVerdict",
    "Verdict",
    "criteria_table",
]

SCHEMA = "mishstudy-criteria/2"
"""Name and version of the JSON form; `analysis/criteria.schema.json` describes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CriteriaTable:
    """The table with everything needed to read it without the sweep.

    Every number is rounded to six significant digits when the table is built. The designs `ofat` and
    `paired` have comparisons and nothing tuned; the design `tuned` has the tuned parts alone; without
    pairs (`unpaired`) there are comparisons and failure rates, and what is measured on pairs is empty.

    Parameters
    ----------
    name : str
        Name of the sweep.
    question : str
        The question in the user's words.
    focus : str
        The activation asked about.
    rivals : tuple of str
        What it is compared with, in the order of the spec.
    design : {"ofat", "paired", "tuned", "unpaired"}
        How configurations were chosen, see `study.question.Question`.
    verdicts : {"untuned", "tuned"}
        Of which kind all verdicts of the table are: `untuned`, where focus and rival ran at equal settings or
        as they came, or `tuned`, where each was searched for its own best setting.
    tuning : Tuning or None
        Size of a `tuned` sweep; None for the other designs.
    dataset, architecture : str
        As in the spec; empty for runs from elsewhere.
    dataset_note : str
        A remark that every table must carry; empty for none.
    metric : str
        Column of the runs frame that is compared.
    higher_is_better : bool
        Direction of the metric.
    unit : str
        Unit of the metric, of delta, cap and every difference.
    delta : float
        Smallest difference that matters.
    loss_cap : float
        Largest difference a pair can count; a side that fails alone loses this much.
    chance : float or None
        Value of the metric from guessing; None where it was not given.
    alpha : float
        Level of every test; intervals are at 1 - alpha.
    minimum_units : int
        Rows with fewer units have no verdict.
    strict : bool
        Whether Holm was used for the level rows too, instead of Benjamini-Hochberg.
    configurations, planned_configurations : int
        Distinct configurations with at least one training, and in the design (in `tuned`, where a
        setting may be drawn twice, the number of trials).
    replicates : int
        Largest number of replicates of a configuration.
    trainings, planned_trainings : int
        Trainings recorded, and in the design.
    provisional : bool
        Whether planned trainings are missing and the sweep has not stopped early by its rule; verdicts may
        then still change.
    stopped_at : int or None
        After how many configurations of the design the sweep stopped early, at the first look at which the
        confidence sequence of every overall row decided it; the overall verdicts are then those of
        `running`. None for a sweep that did not.
    running : tuple of RunningHeadline
        One per rival: the confidence sequence of the overall row. Empty unless the sweep is `paired` and
        planned trainings are missing.
    mixed : bool
        Whether the trainings come from more than one environment.
    agreement : Agreement or None
        How far the reference engine agrees; None where it trained the sweep itself.
    adaptive_excluded : int
        Trainings of adaptive searches, which never enter the paired estimates; 0 in `tuned`, which has
        none.
    failures : dict of str to dict of str to int
        Activation to status to number of trainings, statuses other than `ok` that occurred.
    dropped : int
        Largest number of blocks without a usable pair, over the rivals; 0 in `tuned`.
    pair_correlation, seed_correlation : dict of str to (float or None)
        Per rival: correlation of the two metrics of a block, over blocks in which both are `ok`; and
        the intraclass correlation of the differences of one configuration over its replicates.
    headline : tuple of Comparison
        One per rival, over every configuration.
    levels : tuple of Comparison
        Factor by factor, level by level, rival by rival.
    summaries : tuple of FactorSummary
        Headline first, then factor by factor; against all rivals, then against each.
    gates : tuple of Gate
        Whether each condition factor matters against each rival.
    thresholds : tuple of Threshold
        Where the numeric factors among those turn the verdict.
    interactions : tuple of Interaction
        One per rival: whether factors act together. Empty with fewer than two conditions and in `ofat`.
    profiled : tuple of ProfiledLevel
        How each activation did at each level of a profiled factor; empty without one. All else but the
        numbers of trainings is about the best level of each activation in each block, a failure being one
        at every level.
    ranking : Ranking or None
        All activations against each other; None with too few units and in `tuned`.
    failure_rates : tuple of FailureRate
        One per activation, focus first; empty in `tuned`.
    trained_differences : tuple of TrainedDifference
        One per rival: the difference where both sides trained.
    pairing : tuple of Pairing
        What pairing is worth, region by region, rival by rival.
    tuned : tuple of TunedBest
        Repeat by repeat, focus first: the winner of each search.
    tuned_verdicts : tuple of TunedVerdict
        One per rival: whether the focus wins tuned.
    tuning_curves : tuple of TuningCurve
        One per activation, focus first, on the validation metric; none with halving.
    best_of : tuple of BestOfDifference
        Rival by rival: the difference of the best of k trials, for a random sampler with enough of them and
        without halving.
    notes : tuple of str
        Settings and caveats for the reader, plain sentences.
    """

    name: str
    question: str
    focus: str
    rivals: tuple[str, ...]
    design: Literal["ofat", "paired", "tuned", "unpaired"]
    verdicts: Literal["untuned", "tuned"]
    tuning: Tuning | None
    dataset: str
    architecture: str
    dataset_note: str
    metric: str
    higher_is_better: bool
    unit: str
    delta: float
    loss_cap: float
    chance: float | None
    alpha: float
    minimum_units: int
    strict: bool
    configurations: int
    planned_configurations: int
    replicates: int
    trainings: int
    planned_trainings: int
    provisional: bool
    stopped_at: int | None
    running: tuple[RunningHeadline, ...]
    mixed: bool
    agreement: Agreement | None
    adaptive_excluded: int
    failures: Mapping[str, Mapping[str, int]]
    dropped: int
    pair_correlation: Mapping[str, float | None]
    seed_correlation: Mapping[str, float | None]
    headline: tuple[Comparison, ...]
    levels: tuple[Comparison, ...]
    summaries: tuple[FactorSummary, ...]
    gates: tuple[Gate, ...]
    thresholds: tuple[Threshold, ...]
    interactions: tuple[Interaction, ...]
    profiled: tuple[ProfiledLevel, ...]
    ranking: Ranking | None
    failure_rates: tuple[FailureRate, ...]
    trained_differences: tuple[TrainedDifference, ...]
    pairing: tuple[Pairing, ...]
    tuned: tuple[TunedBest, ...]
    tuned_verdicts: tuple[TunedVerdict, ...]
    tuning_curves: tuple[TuningCurve, ...]
    best_of: tuple[BestOfDifference, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain JSON values; `from_json` reads them back exactly."""
        return {"schema": SCHEMA, **_plain(dataclasses.asdict(self))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build a table from what `to_json` returned.

        Raises
        ------
        InputError
            If the values are of another schema.
        """
        if values.get("schema") != SCHEMA:
            raise InputError(
                f"a criteria table must have the schema {SCHEMA!r}, not {values.get('schema')!r}; "
                "make it again with `mishstudy table`."
            )
        fields = {name: value for name, value in values.items() if name != "schema"}
        types = get_type_hints(cls)
        return cls(**{name: _read(types[name], value) for name, value in fields.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Verdict) else value


def _read(kind: Any, value: Any) -> Any:
    """Return a plain JSON value as the type that a field of the table is annotated with."""
    origin, parts = get_origin(kind), get_args(kind)
    if value is None:
        return None
    if origin in (Union, UnionType):
        return _read(next(part for part in parts if part is not NoneType), value)
    if origin is tuple:
        return tuple(_read(parts[0], item) for item in value)
    if dataclasses.is_dataclass(kind):
        types = get_type_hints(kind)
        return cast("type[Any]", kind)(**{name: _read(types[name], item) for name, item in value.items()})
    return Verdict(value) if kind is Verdict else value


def criteria_table(
    runs: pd.DataFrame,
    question: Question,
    *,
    mixed: bool = False,
    agreement: Agreement | None = None,
    strict: bool = False,
    chance: float | None = None,
    stopped_at: int | None = None,
) -> CriteriaTable:
    """Make the criteria table of a sweep, finished or running.

    Parameters
    ----------
    runs : pandas.DataFrame
        What `analysis.frame.runs_frame` returned, in any order of rows.
    question : Question
        What is asked.
    mixed : bool
        Whether the runs come from more than one environment.
    agreement : Agreement or None
        From `analysis.agreement.agreement_of`.
    strict : bool
        Adjust the level rows by Holm (no false verdict at all, with 95 %) instead of Benjamini and
        Hochberg (a bounded share of false verdicts).
    chance : float or None
        Value of the metric from guessing, in its unit; pairs in which both sides stayed there say
        nothing. None: nothing is taken to be at chance.

    Returns
    -------
    CriteriaTable
        Equal for equal sets of rows.

    Raises
    ------
    InputError
        If `runs` is not a runs frame of `question`.
    """
    check_runs(runs, question)
    every = sorted_runs(runs, question)
    runs = best_rows(every, question)
    tuned = question.design == "tuned"
    apart = question.design in ("tuned", "unpaired")
    # NOTE: the paired designs leave adaptive rows out of everything; a `tuned` frame has no others.
    used = runs if tuned else runs.loc[~runs["adaptive"]]
    paired = (
        {} if apart else {rival: pairs(runs, question, rival, chance=chance) for rival in question.rivals}
    )
    rows: tuple[Comparison, ...] = ()
    if question.design == "unpaired":
        rows = unpaired_comparisons(runs, question, chance=chance, strict=strict)
    elif not tuned:
        rows = comparisons(runs, paired, question, strict=strict)
    missing = len(every) < question.planned_trainings
    stopped_at = stopped_at if missing else None
    running: tuple[RunningHeadline, ...] = ()
    if question.design == "paired" and missing:
        first = stopped_at or complete_configurations(runs, question)
        running = running_headlines(paired, question, first)
    if stopped_at is not None:
        rows = stopped_rows(rows, running, question)
    headline = tuple(row for row in rows if row.parameter is None)
    failed = used.loc[used["status"] != Status.OK.value].groupby(["activation", "status"]).size()
    failures: dict[str, dict[str, int]] = {activation: {} for activation in question.activations}
    for (activation, status), count in failed.items():  # pyright: ignore[reportGeneralTypeIssues]
        failures[activation][status] = int(count)
    provisional = missing and stopped_at is None
    units = {rival: unit_means(found, question) for rival, found in paired.items()}
    tested = () if apart else gates(units, question)
    turned = thresholds(units, tested, question)
    shares = {row.rival: row.failure_share for row in headline}
    searched = placed(runs, question) if tuned else runs
    trials = equal_trials(searched, question) if tuned else runs
    tried = (searched["trial"] >= 0) & (searched["rung"] == 0) if tuned else runs["adaptive"]
    table = CriteriaTable(
        name=question.name,
        question=question.question,
        focus=question.focus,
        rivals=question.rivals,
        design=question.design,
        verdicts="tuned" if tuned else "untuned",
        tuning=question.tuning,
        dataset=question.dataset,
        architecture=question.architecture,
        dataset_note=question.dataset_note,
        metric=question.metric,
        higher_is_better=question.higher_is_better,
        unit=question.unit,
        delta=question.delta,
        loss_cap=question.loss_cap,
        chance=chance,
        alpha=ALPHA,
        minimum_units=MINIMUM_UNITS,
        strict=strict,
        configurations=int(tried.sum()) if tuned else int(used["configuration"].nunique()),
        planned_configurations=question.planned_configurations,
        replicates=int(used.groupby("configuration")["replicate"].nunique().max()) if len(used) else 0,
        trainings=len(every),
        planned_trainings=question.planned_trainings,
        provisional=provisional,
        stopped_at=stopped_at,
        running=running,
        mixed=mixed,
        agreement=agreement,
        adaptive_excluded=0 if tuned else int(every["adaptive"].sum()),
        failures=failures,
        dropped=max((row.dropped for row in headline), default=0),
        pair_correlation={rival: pair_correlation(found) for rival, found in paired.items()},
        seed_correlation={rival: seed_correlation(found) for rival, found in paired.items()},
        headline=headline,
        levels=tuple(row for row in rows if row.parameter is not None),
        summaries=recommend(rows, tested, turned, question, provisional=provisional),
        gates=tested,
        thresholds=turned,
        interactions=() if apart else interactions(units, question),
        profiled=profiled_levels(every, runs, question),
        ranking=None if apart else ranking(runs, question),
        failure_rates=() if tuned else failure_rates(runs, question, chance=chance),
        trained_differences=(() if apart else trained_differences(paired, shares, question, chance=chance)),
        pairing=() if apart else pairings(runs, paired, question),
        tuned=tuned_bests(searched, question) if tuned else (),
        tuned_verdicts=tuned_verdicts(searched, question, chance=chance) if tuned else (),
        tuning_curves=tuning_curves(trials, question) if tuned else (),
        best_of=best_of_differences(trials, question, chance=chance) if tuned else (),
        notes=(),
    )
    return dataclasses.replace(table, notes=notes(table))
