"""What the report says beside the table: what was run, what failed, what it cost, on what it ran."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.criteria import CriteriaTable
from analysis.statistics.levels import level_text, number_text
from analysis.summaries import amount_text, joined, quantity_text
from analysis.tables.exports import Rows
from study.datacards import DATASETS
from study.ledger import Record
from study.question import Factor, Structure
from study.training import Status, digest_of

_REASONS = 20
"""Reasons of failures that are listed; what is rarer is counted."""
_DESIGNS: dict[Structure, str] = {
    "ofat": "one factor at a time is moved away from a baseline, with fresh seeds at each level",
    "paired": "all factors are drawn together, before anything is trained",
    "tuned": "each activation is searched for by itself, with the same number of trials",
    "unpaired": "each configuration ran with one activation",
}
_IDENTITY = ("dataset", "architecture", "activation", "configuration", "replicate")
"""Fields of a training that are said elsewhere."""


def asked(table: CriteriaTable) -> Rows:
    """Return what was asked, fact by fact."""
    better = "higher" if table.higher_is_better else "lower"
    guess = (
        ""
        if table.chance is None
        else f"; guessing gives {amount_text(table.chance, table.delta)} {table.unit}"
    )
    planned = "trials" if table.design == "tuned" else "configurations"
    facts = {
        "Sweep": table.name,
        "Asked about": table.focus,
        "Compared with": joined(table.rivals),
        "Data set": _data(table),
        "Architecture": table.architecture,
        "Design": f"{table.design}: {_DESIGNS[table.design]}",
        planned.capitalize(): f"{table.configurations} of {table.planned_configurations}",
        "Replicates of a configuration": f"{'up to ' if table.replicates > 1 else ''}{table.replicates}",
        "Trainings": f"{table.trainings} of {table.planned_trainings}",
        "Metric": f"{table.metric} in {table.unit}, {better} is better{guess}",
        "Smallest difference that matters": quantity_text(table.delta, table.unit),
        "Largest difference that a pair can count": quantity_text(table.loss_cap, table.unit),
    }
    return [{"": name, "Value": value} for name, value in facts.items()]


def _data(table: CriteriaTable) -> str:
    """Return the data set with its cuts and licence where it is one of ours, and what must be said of it."""
    card = DATASETS.get(table.dataset)
    cuts = (
        f"; cut into {card.train_size:,} images for training, {card.validation_size:,} for validation, "
        f"{card.test_size:,} for the test; {card.source}; licence: {card.licence}"
        if card
        else ""
    )
    return f"{table.dataset}{cuts}" + (f". {table.dataset_note}" if table.dataset_note else "")


def factors(record: Record) -> Rows:
    """Return the factors with their roles and what was tried of each."""
    baseline = dict(record.question.baseline)
    rows: Rows = []
    for factor in record.question.varied:
        role = "profiled" if factor is record.question.profile else factor.role
        row = {"Factor": factor.name, "Role": role, "Tried": _range(factor)}
        if baseline:
            row["Baseline"] = level_text(baseline[factor.name])
        rows.append(row)
    return rows


def _range(factor: Factor) -> str:
    if factor.levels is not None:
        text = ", ".join(map(level_text, factor.levels))
    else:
        assert factor.low is not None
        assert factor.high is not None
        text = f"{number_text(factor.low)} to {number_text(factor.high)}"
        if factor.integer:
            text += f", whole numbers in steps of {factor.step or 1}"
    parts = [
        text,
        "log scale" if factor.log else "",
        "× the optimizer's base rate" if factor.relative else "",
    ]
    return ", ".join(filter(None, parts))


def fixed(record: Record) -> Rows:
    """Return the settings of the trainings that are no factors, with every value that occurred."""
    varied = {factor.name for factor in record.question.varied} | set(_IDENTITY)
    values: dict[str, dict[str, None]] = {}
    for entry in record.entries:
        settings = entry.training.to_json()
        settings |= settings.pop("architecture_arguments")
        for name, value in settings.items():
            if name not in varied:
                values.setdefault(name, {})["all" if value is None else level_text(value)] = None
    return [{"Setting": name, "Value": ", ".join(found)} for name, found in values.items()]


def outcomes(runs: pd.DataFrame, table: CriteriaTable) -> Rows:
    """Return, for each activation, how its trainings ended."""
    seen = [status for status in Status if (runs["status"] == status.value).any() or status is Status.OK]
    rows: Rows = []
    for activation in (table.focus, *table.rivals):
        mine = runs.loc[runs["activation"] == activation]
        counts = {status.value: str(int((mine["status"] == status.value).sum())) for status in seen}
        rows.append({"Activation": activation, "Trainings": str(len(mine)), **counts})
    return rows


def statuses(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Return each status of failure that occurred, and what it means."""
    return [
        (status.value, status.sentence)
        for status in Status
        if status is not Status.OK and bool((runs["status"] == status.value).any())
    ]


def reasons(runs: pd.DataFrame) -> Rows:
    """Return why trainings failed, by activation, the most frequent first; a long tail is counted."""
    failed = runs.loc[runs["status"] != Status.OK.value]
    counts = failed.groupby(["activation", "status", "reason"], sort=True).size()
    counts = counts.sort_values(ascending=False, kind="stable")
    rows = [
        {
            "Activation": str(activation),
            "Status": str(status),
            "Trainings": str(count),
            "Reason": str(reason) or "-",
        }
        for (activation, status, reason), count in counts.head(_REASONS).items()  # pyright: ignore[reportGeneralTypeIssues]
    ]
    rest = counts.iloc[_REASONS:]
    if len(rest):
        rows.append(
            {
                "Activation": "-",
                "Status": "-",
                "Trainings": str(int(rest.sum())),
                "Reason": f"{len(rest)} other reasons",
            }
        )
    return rows


def missing_curves(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Return how many learning curves of trainings with a result are missing, a sentence; empty for none.

    Parameters
    ----------
    runs, curves : pandas.DataFrame
        What `analysis.frame.runs_frame` and `curves_frame` returned.
    """
    ended = runs.loc[runs["status"] == Status.OK.value, "digest"]
    missing = int((~ended.isin(set(curves["digest"]))).sum())
    if not missing:
        return ""
    return (
        f"The learning curves of {missing} of {quantity_text(len(ended), 'trainings')} with a result are "
        "missing (they lie in curves.jsonl beside the ledger): the figure of the curves and the times by "
        "activation are without these trainings. Verdicts do not rest on curves."
    )


def costs(runs: pd.DataFrame, record: Record, predicted: Mapping[str, Any] | None) -> Rows:
    """Return what the sweep was expected to cost beside what it did.

    Parameters
    ----------
    runs : pandas.DataFrame
        The runs frame.
    record : Record
        The ledger it was made from.
    predicted : dict or None
        Fields of the estimate that was made before the first training: `trainings`, `programs`,
        `training_seconds`, `memory_mib`. None where there is none.
    """
    if not record.entries:
        return []
    building = [entry.result.build_seconds for entry in record.entries]
    training = sum(entry.result.seconds for entry in record.entries)
    built, whole = _seconds(sum(building)), _seconds(training + sum(building))
    actual = {
        "Trainings": str(len(runs)),
        "Programs built": str(sum(seconds > 0 for seconds in building)),
        "Time of all processes": f"{whole}, of which {built} building programs",
        "Peak memory of a process": f"{runs['peak_memory_mib'].max():,.0f} MiB",
    }
    if predicted is None:
        return [{"": name, "Actual": value} for name, value in actual.items()]
    expected = {
        "Trainings": str(predicted["trainings"]),
        "Programs built": str(predicted["programs"]),
        "Time of all processes": _seconds(predicted["training_seconds"]),
        "Peak memory of a process": f"{predicted['memory_mib']:,.0f} MiB",
    }
    return [{"": name, "Predicted": expected[name], "Actual": value} for name, value in actual.items()]


def environments(record: Record) -> list[Rows]:
    """Return the environments that results come from, fact by fact, each with its fingerprint first."""
    return [
        [{"": name, "Value": value} for name, value in [("fingerprint", digest_of(dict(each))), *_flat(each)]]
        for each in record.fingerprints
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return nested facts as (name, text); names of inner ones follow those of outer ones."""
    found: list[tuple[str, str]] = []
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping):
            found += _flat(value, f"{above}{name} ")
        else:
            found.append((f"{above}{name}", level_text(value)))
    return found


def _seconds(seconds: float) -> str:
    """Return a time span for people."""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
