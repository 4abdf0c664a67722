"""The criteria table: for which settings does the focus win, and who wins elsewhere.

`criteria_table` is the one door from the runs frame to everything that is shown: figures, report,
exports and the command line read the `CriteriaTable` and compute nothing of their own.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import pandas as pd

from analysis.compare import FAILURES, UNINFORMATIVE_LIMIT, Comparison, Verdict, comparisons, pairs
from analysis.estimates import ALPHA, MINIMUM_UNITS, pair_correlation, seed_correlation
from analysis.frame import check_runs, sorted_runs
from analysis.summaries import FactorSummary, LevelVerdict, joined, summarise, unit_name
from study.errors import InputError
from study.question import Question
from study.training import Status

__all__ = ["Comparison", "CriteriaTable", "FactorSummary", "LevelVerdict", "Verdict", "criteria_table"]

SCHEMA = "mishstudy-criteria/1"
"""Name and version of the JSON form; `analysis/criteria.schema.json` describes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CriteriaTable:
    """The table with everything needed to read it without the sweep.

    Every number is rounded to six significant digits when the table is built.

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
    design : {"ofat", "paired", "tuned"}
        How configurations were chosen.
    dataset, architecture : str
        As in the spec.
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
        Distinct configurations with at least one training, and in the design.
    replicates : int
        Largest number of replicates of a configuration.
    trainings, planned_trainings : int
        Trainings recorded, and in the design.
    provisional : bool
        Whether planned trainings are missing; verdicts may then still change.
    mixed : bool
        Whether the trainings come from more than one environment.
    adaptive_excluded : int
        Trainings of adaptive searches, which never enter the paired estimates.
    failures : dict of str to dict of str to int
        Activation to status to number of trainings, statuses other than `ok` that occurred.
    dropped : int
        Largest number of blocks without a usable pair, over the rivals.
    pair_correlation, seed_correlation : dict of str to (float or None)
        Per rival: correlation of the two metrics of a block, over blocks in which both are `ok`; and
        the intraclass correlation of the differences of one configuration over its replicates.
    headline : tuple of Comparison
        One per rival, over every configuration.
    levels : tuple of Comparison
        Factor by factor, level by level, rival by rival.
    summaries : tuple of FactorSummary
        Headline first, then factor by factor; against all rivals, then against each.
    notes : tuple of str
        Settings and caveats for the reader, plain sentences.
    """

    name: str
    question: str
    focus: str
    rivals: tuple[str, ...]
    design: Literal["ofat", "paired", "tuned"]
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
    mixed: bool
    adaptive_excluded: int
    failures: Mapping[str, Mapping[str, int]]
    dropped: int
    pair_correlation: Mapping[str, float | None]
    seed_correlation: Mapping[str, float | None]
    headline: tuple[Comparison, ...]
    levels: tuple[Comparison, ...]
    summaries: tuple[FactorSummary, ...]
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
        plain = {name: value for name, value in values.items() if name != "schema"}
        for part in ("headline", "levels"):
            plain[part] = tuple(
                Comparison(**{**row, "verdict": Verdict(row["verdict"])}) for row in plain[part]
            )
        plain["summaries"] = tuple(
            FactorSummary(**{**row, "levels": tuple(_level_from_json(level) for level in row["levels"])})
            for row in plain["summaries"]
        )
        return cls(**{**plain, "rivals": tuple(plain["rivals"]), "notes": tuple(plain["notes"])})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Verdict) else value


def _level_from_json(values: Mapping[str, Any]) -> LevelVerdict:
    names = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return LevelVerdict(**{**values, **names, "verdict": Verdict(values["verdict"])})


def criteria_table(
    runs: pd.DataFrame,
    question: Question,
    *,
    mixed: bool = False,
    strict: bool = False,
    chance: float | None = None,
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
    runs = sorted_runs(runs, question)
    used = runs.loc[~runs["adaptive"]]
    paired = {rival: pairs(runs, question, rival, chance=chance) for rival in question.rivals}
    rows = comparisons(runs, paired, question, strict=strict)
    headline = tuple(row for row in rows if row.parameter is None)
    failed = used.loc[used["status"] != Status.OK.value].groupby(["activation", "status"]).size()
    failures: dict[str, dict[str, int]] = {activation: {} for activation in question.activations}
    for (activation, status), count in failed.items():  # pyright: ignore[reportGeneralTypeIssues]
        failures[activation][status] = int(count)
    provisional = len(runs) < question.planned_trainings
    table = CriteriaTable(
        name=question.name,
        question=question.question,
        focus=question.focus,
        rivals=question.rivals,
        design=question.design,
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
        configurations=int(used["configuration"].nunique()),
        planned_configurations=question.planned_configurations,
        replicates=int(used.groupby("configuration")["replicate"].nunique().max()) if len(used) else 0,
        trainings=len(runs),
        planned_trainings=question.planned_trainings,
        provisional=provisional,
        mixed=mixed,
        adaptive_excluded=len(runs) - len(used),
        failures=failures,
        dropped=max(row.dropped for row in headline),
        pair_correlation={rival: pair_correlation(found) for rival, found in paired.items()},
        seed_correlation={rival: seed_correlation(found) for rival, found in paired.items()},
        headline=headline,
        levels=tuple(row for row in rows if row.parameter is not None),
        summaries=summarise(rows, question, provisional=provisional),
        notes=(),
    )
    return dataclasses.replace(table, notes=_notes(table))


def _notes(table: CriteriaTable) -> tuple[str, ...]:
    """Return the settings and caveats that every rendering carries."""
    units = unit_name(table.design)
    better = "higher" if table.higher_is_better else "lower"
    delta, cap = (f"{value:g} {table.unit}" for value in (table.delta, table.loss_cap))
    levels = "Holm" if table.strict else "Benjamini and Hochberg"
    rows = table.headline + table.levels
    ignorant = sum((row.uninformative or 0.0) > UNINFORMATIVE_LIMIT for row in rows)
    changed = sum(not all(row.stable_under.values()) for row in rows)
    notes: list[tuple[object, str]] = [
        (
            True,
            f"{table.configurations} of {table.planned_configurations} configurations, up to "
            f"{table.replicates} replicates, {table.trainings} of {table.planned_trainings} trainings; "
            f"design {table.design}; data set {table.dataset}; architecture {table.architecture}; metric "
            f"{table.metric} in {table.unit}, {better} is better.",
        ),
        (table.provisional, "Provisional: planned trainings are missing; a verdict shown now may change."),
        (table.dataset_note, table.dataset_note),
        (
            table.mixed,
            "The trainings come from more than one environment, so a pair may differ in more than its "
            "activation.",
        ),
        (
            True,
            f"A difference is the mean over {units} of {table.focus} minus the rival in the same block, "
            f"positive where {table.focus} is better, with its 95 % t interval; no pair counts for more "
            f"than {cap}.",
        ),
        (
            True,
            f"Wins, loses: adjusted p at most {table.alpha:g}. Ties: shown to lie within {delta} either way. "
            "Not enough evidence: neither, which is not a tie. Clear: the whole interval lies beyond "
            f"{delta}. p is adjusted by Holm over the overall rows, by {levels} over all level rows; no "
            f"verdict below {table.minimum_units} {units}.",
        ),
        (
            len(table.rivals) > 1,
            f"Against every rival, {table.focus} wins at a level if it wins against each of them. Whoever is "
            f"named as winning elsewhere beats {table.focus} there; rivals are not compared with each other.",
        ),
        (True, _failure_note(table)),
        (
            table.dropped,
            f"Up to {table.dropped} blocks per rival have no usable pair: one side is missing or was stopped "
            "by a fault of the machine.",
        ),
        (
            table.adaptive_excluded,
            f"{table.adaptive_excluded} trainings of an adaptive search are left out: their settings were "
            "chosen after seeing results.",
        ),
        (
            ignorant,
            f"In {ignorant} comparisons more than {UNINFORMATIVE_LIMIT:.0%} of the pairs say nothing, "
            "because both sides failed or stayed at chance; these are never called a tie.",
        ),
        (
            changed,
            f"{changed} verdicts change at 0.6 or 2 times the cap, or when only better, equal and worse are "
            "counted; the evidence table marks them.",
        ),
        *_correlation_notes(table),
        (
            True,
            "Each level was moved alone from the baseline, so a verdict holds at the baseline of the others."
            if table.design == "ofat"
            else "Verdicts are averages over the other factors as they were drawn, for this data set, its "
            "one test set and this budget; another search space is another question.",
        ),
    ]
    return tuple(text for applies, text in notes if applies)


def _correlation_notes(table: CriteriaTable) -> list[tuple[object, str]]:
    found: list[tuple[object, str]] = []
    for start, values in (
        ("Correlation of the two results of a block", table.pair_correlation),
        ("Correlation of a configuration's differences over its replicates", table.seed_correlation),
    ):
        known = [f"{value:.2f} ({rival})" for rival, value in values.items() if value is not None]
        found.append((known, f"{start}: {joined(known)}."))
    return found


def _failure_note(table: CriteriaTable) -> str:
    """Return which activation failed how often; for none, what can be said about the rate (3 / n)."""
    units = max(row.units for row in table.headline)
    parts: list[str] = []
    for activation, statuses in table.failures.items():
        counted = [f"{count} {status}" for status, count in statuses.items() if status in FAILURES]
        if counted:
            parts.append(f"{activation} {joined(counted)}")
        elif units > 3:
            parts.append(f"{activation} none (a rate below {3 / units:.1%} with 95 %)")
        else:
            parts.append(f"{activation} none")
    return (
        "A training that diverged or ran out of memory or time is never left out; it loses "
        f"{table.loss_cap:g} {table.unit}. Failures: {'; '.join(parts)}."
    )
