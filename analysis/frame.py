"""The runs frame: a ledger as a tidy table, one row per training, and the check of its schema.

Columns, in order: who and where (`digest`, `unit_id`, `configuration`, `index`, `replicate`,
`block`, `activation`, `adaptive`), one column per factor under the spec's own key, a profiled one
last, then what came back. Everything the analysis says is computed from this frame and the question
alone, so a frame from elsewhere (a CSV, another tracker) is as good as a ledger if it passes
`check_runs`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

from analysis.statistics.levels import off_baseline
from study.errors import InputError
from study.question import Factor, Question, Structure
from study.tasks import CUTS, LOSS_UNITS, SCORES, Task
from study.training import Level, Status

if TYPE_CHECKING:
    from study.ledger import Record


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the runs frame.

    Parameters
    ----------
    dtype : str
        pandas dtype that `runs_frame` gives it: `str`, `bool`, `int64`, `float64`, or `Int64` where a
        whole number may be missing.
    unit : str
        Unit, empty where there is none.
    low, high : float
        Smallest and largest value allowed.
    """

    dtype: str
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf


_IDENTITY = {
    "digest": Column("str"),
    "unit_id": Column("str"),
    "configuration": Column("str"),
    "index": Column("int64", low=0),
    "replicate": Column("int64", low=0),
    "block": Column("str"),
    "activation": Column("str"),
    "adaptive": Column("bool"),
}
METRICS: Mapping[Task, Mapping[str, Column]] = {
    task: {
        **{f"{cut}_{score}": Column("float64", "points", 0, 100) for score in scores for cut in CUTS},
        **{f"{cut}_loss": Column("float64", LOSS_UNITS[task], 0) for cut in CUTS},
    }
    for task, scores in SCORES.items()
}
"""The metric columns of each task: NaN unless the status is `ok`."""
METRIC_NAMES = frozenset(name for metrics in METRICS.values() for name in metrics)
"""The metrics of all tasks."""
_STATUS = {"status": Column("str"), "reason": Column("str")}
_COURSE = {
    "checkpoint_epoch": Column("Int64", "epochs", 1),
    "epochs_run": Column("Int64", "epochs", 0),
    "seconds": Column("float64", "s", 0),
    "examples_per_second": Column("float64", "1/s", 0),
    "peak_memory_mib": Column("float64", "MiB", 0),
}
RESERVED = frozenset({**_IDENTITY, **_STATUS, **_COURSE})
"""Names of columns that neither a factor nor a metric from elsewhere may have."""
_HAS_DTYPE: dict[str, Callable[[Any], bool]] = {
    "str": types.is_string_dtype,
    "bool": types.is_bool_dtype,
    "int64": types.is_integer_dtype,
    "Int64": types.is_numeric_dtype,
    "float64": types.is_numeric_dtype,
}


def _factor_column(factor: Factor) -> Column:
    if factor.numeric:
        levels = factor.levels
        whole = factor.integer if levels is None else all(isinstance(level, int) for level in levels)
        return Column("int64" if whole else "float64")
    assert factor.levels is not None
    return Column("bool" if all(isinstance(level, bool) for level in factor.levels) else "str")


def columns(question: Question) -> dict[str, Column]:
    """Return the columns of the runs frame of `question`, by name, in order.

    A metric that is none of the task's `METRICS`, or comes in another unit, may have any finite value.
    """
    factors = {factor.name: _factor_column(factor) for factor in question.varied}
    metrics = METRICS[question.task]
    known = metrics.get(question.metric)
    own = known if known is not None and known.unit == question.unit else Column("float64", question.unit)
    return {**_IDENTITY, **factors, **_STATUS, **metrics, **_COURSE, question.metric: own}


def unit_of(design: Structure, configuration: str, block: str) -> str:
    """Return what counts as one independent unit of evidence.

    In `paired`, `tuned` and `unpaired` it is the configuration: its replicates share the setting, and
    treating them as independent gives false wins in most tables. In `ofat` every level has fresh seeds
    and speaks for itself alone, so it is level and replicate, that is, the block.
    """
    return block if design == "ofat" else configuration


def runs_frame(record: "Record") -> pd.DataFrame:
    """Return the tidy frame of a ledger, one row per training.

    Parameters
    ----------
    record : Record
        What `study.ledger.read` returned. Without curves, `epochs_run` is missing.

    Returns
    -------
    pandas.DataFrame
        Columns as in `columns(record.question)`; sorted by configuration index, replicate, level of a
        profiled factor and the order of the activations in the question, whatever the order in the ledger.

    Raises
    ------
    InputError
        If `check_runs` objects.
    """
    question = record.question
    rows: list[dict[str, Any]] = []
    for entry in record.entries:
        training, result = entry.training, entry.result
        block = training.block
        rows.append(
            {
                "digest": result.digest,
                "unit_id": unit_of(question.design, training.configuration, block),
                "configuration": training.configuration,
                "index": entry.configuration.index,
                "replicate": training.replicate,
                "block": block,
                "activation": training.activation,
                "adaptive": entry.adaptive,
                **entry.levels,
                "status": result.status.value,
                "reason": result.reason,
                **result.metrics,
                "checkpoint_epoch": result.checkpoint_epoch,
                "epochs_run": max(map(len, result.curve.values()), default=None),
                "seconds": result.seconds,
                "examples_per_second": result.examples_per_second,
                "peak_memory_mib": result.peak_memory_mib,
            }
        )
    schema, factors = columns(question), {factor.name for factor in question.varied}
    frame = pd.DataFrame(rows, columns=list(schema))
    for name, column in schema.items():
        factor = name in factors
        if factor and bool(frame[name].isna().any()):
            raise InputError(
                f"the ledger has configurations without the factor {name!r}; "
                "it was written for another spec: use a new name for the sweep."
            )
        if factor and column.dtype == "str":
            frame[name] = frame[name].map(str).astype("str")  # a factor may mix names and switches
        else:
            frame[name] = frame[name].astype(column.dtype)  # pyright: ignore[reportArgumentType, reportCallIssue]
    if question.design != "tuned":
        # Two rows of a design may hold the same setting; it is one configuration, under its first index.
        # The index of an adaptive search is the number of the trial, and stays.
        frame["index"] = frame.groupby("configuration")["index"].transform("min").astype("int64")
    check_runs(frame, question)
    return sorted_runs(frame, question)


def sorted_runs(frame: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return `frame` sorted by configuration index, replicate and the question's order of activations.

    Levels of a profiled factor come before the activations, in the order of the spec.
    """
    orders: dict[str, tuple[Level, ...]] = {"activation": question.activations}
    if question.profile is not None:
        orders = {question.profile.name: question.profile.levels or (), **orders}
    keys = frame[["index", "replicate", "block"]].reset_index(drop=True)
    for name, order in orders.items():
        places = {value: place for place, value in enumerate(order)}
        keys[name] = frame[name].map(places).to_numpy()
    sequence = keys.sort_values(list(keys.columns), kind="stable").index
    return frame.iloc[sequence].reset_index(drop=True)


def _refuse(name: str, rule: str, received: object) -> None:
    raise InputError(f"the runs frame is not usable: column {name!r} {rule}, but holds {received}.")


def check_runs(frame: pd.DataFrame, question: Question) -> None:
    """Check that `frame` is a runs frame of `question`.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per training; further columns are allowed. Of the columns about results only the status
        and the compared metric (in `tuned` and with a profiled factor also the one that is chosen by) must
        be there.
    question : Question
        What is asked.

    Raises
    ------
    InputError
        If a column is missing or has the wrong dtype, an activation, a status or a profiled level is
        unknown, a block has an activation twice (at one level of a profiled factor) or lies in two
        configurations, a value is outside its range, a metric is there without the status `ok` or missing
        with it, a training that would enter the paired comparison was pruned, an `ofat` configuration is
        away from the baseline in more than one factor, a row of `tuned` is not marked as adaptive, or its
        question does not say how the search was laid out.
    """
    factors = [factor.name for factor in question.factors]
    profile = question.profile
    chooses = profile is not None or question.design == "tuned"
    results = [question.metric, *([question.chosen_by] if chooses else [])]
    needed = [*_IDENTITY, *(factor.name for factor in question.varied), "status", *results]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise InputError(
            f"the runs frame lacks the column(s) {', '.join(missing)}; see analysis.frame.columns."
        )
    if question.design == "tuned" and question.tuning is None:
        raise InputError(
            "these results of a tuned sweep do not say how the search was laid out, as an older version "
            "wrote them; run the spec again under another name."
        )
    if frame.empty:
        return
    schema = {name: column for name, column in columns(question).items() if name in frame.columns}
    metrics = [name for name in (*METRICS[question.task], question.metric) if name in frame.columns]
    for name, column in schema.items():
        values = frame[name]
        if not _HAS_DTYPE[column.dtype](values.dtype):
            _refuse(name, f"must be of dtype {column.dtype}", f"{values.dtype}")
        if name not in (*metrics, "reason") and column.dtype != "Int64" and bool(values.isna().any()):
            _refuse(name, "must be filled", "missing values")
        if np.isfinite(column.low):
            numbers = values.astype("float64")
            outside = values[
                ((numbers < column.low) | (numbers > column.high) | np.isinf(numbers)).fillna(False)
            ]
            if len(outside):
                _refuse(
                    name,
                    f"must lie in [{column.low:g}, {column.high:g}] {column.unit}".rstrip(),
                    outside.iloc[0],
                )
    _check_known(frame, "activation", question.activations)
    _check_known(frame, "status", tuple(status.value for status in Status))
    level = []
    if profile is not None:
        level = [profile.name]
        _check_known(frame, profile.name, profile.levels or ())
    sides = frame.loc[~frame["adaptive"], ["block", "activation", *level]]
    twice = sides.loc[sides.duplicated()]
    if len(twice):
        block, activation = twice.iloc[0, :2]
        raise InputError(
            f"the runs frame holds block {block!r} with activation {activation!r} more than once; "
            "every activation is trained once in a block: give repetitions another replicate."
        )
    for name, decides in (("block", ["configuration", "unit_id"]), ("configuration", factors)):
        homes = frame[[name, *decides]].drop_duplicates()
        torn = homes.loc[homes[name].duplicated(), name]
        if len(torn):
            _refuse(
                name, f"must have one value each of {', '.join(decides)}", f"several for {torn.iloc[0]!r}"
            )
    ok = frame["status"] == Status.OK.value
    for name in metrics:
        if bool((frame[name].notna() & ~ok).any()):
            _refuse(name, "must be NaN unless the status is 'ok'", "a value of a training that failed")
    for name in results if profile is not None else [question.metric]:
        if bool((frame[name].isna() & ok).any()):
            _refuse(name, "must be filled where the status is 'ok'", "NaN")
    pruned = int(((frame["status"] == Status.PRUNED.value) & ~frame["adaptive"]).sum())
    if pruned:
        # NOTE: a pruned training was stopped because it did badly, so dropping it flatters its side,
        # and how badly it would have ended is not known, so counting it as a failure flatters the
        # other. No honest pair can be made of it.
        raise InputError(
            f"{pruned} training(s) of the paired comparison have the status 'pruned', and it needs every "
            "training run to its end; train them without a pruner."
        )
    if question.design == "tuned" and not bool(frame["adaptive"].all()):
        _refuse("adaptive", "must be true in the design tuned, which chooses after seeing results", "false")
    if question.design == "ofat":
        _check_walks(frame, question)


def _check_walks(frame: pd.DataFrame, question: Question) -> None:
    """Check that every `ofat` configuration moves one factor at most."""
    stated = dict(question.baseline)
    missing = [factor.name for factor in question.factors if factor.name not in stated]
    if missing:
        raise InputError(
            "the design ofat needs a baseline level for every factor, and the question has none for "
            f"{', '.join(missing)}; add it."
        )
    away = off_baseline(frame, question)
    far = away.loc[away.sum(axis=1) > 1]
    if len(far):
        moved = far.columns[far.iloc[0]]
        raise InputError(
            "the design ofat moves one factor at a time away from its baseline, but the configuration "
            f"{frame.loc[far.index[0], 'configuration']!r} moves {', '.join(moved)}; "
            "take it out, or ask with the design paired."
        )


def _check_known(frame: pd.DataFrame, name: str, known: tuple[Level, ...]) -> None:
    unknown = frame.loc[~frame[name].isin(known), name]
    if len(unknown):
        _refuse(name, f"must be one of {', '.join(map(str, known))}", repr(unknown.iloc[0]))


def curves_frame(record: "Record") -> pd.DataFrame:
    """Return the learning curves of a ledger in long form.

    Parameters
    ----------
    record : Record
        What `study.ledger.read` returned, with curves.

    Returns
    -------
    pandas.DataFrame
        One row per training, series and epoch: `digest`, `activation`, `configuration`, `replicate`,
        `epoch` (from 1), `series` (such as `validation_accuracy`) and `value` (points or nats; NaN
        where it was not finite). Order as in `runs_frame`, then series, then epoch.
    """
    place = {name: number for number, name in enumerate(record.question.activations)}
    profile = record.question.profile
    levels = {} if profile is None else {level: rank for rank, level in enumerate(profile.levels or ())}
    entries = sorted(
        record.entries,
        key=lambda entry: (
            entry.configuration.index,
            entry.training.replicate,
            entry.training.block,
            [levels[level] for level in entry.profiled.values()],
            place.get(entry.training.activation, len(place)),
        ),
    )
    series = [
        (entry, name, values) for entry in entries for name, values in sorted(entry.result.curve.items())
    ]
    lengths = [len(values) for _, _, values in series]

    def repeated(values: list[Any], dtype: Literal["str", "int64"]) -> pd.Series:
        return pd.Series(values, dtype=dtype).repeat(lengths).reset_index(drop=True)

    return pd.DataFrame(
        {
            "digest": repeated([entry.result.digest for entry, _, _ in series], "str"),
            "activation": repeated([entry.training.activation for entry, _, _ in series], "str"),
            "configuration": repeated([entry.training.configuration for entry, _, _ in series], "str"),
            "replicate": repeated([entry.training.replicate for entry, _, _ in series], "int64"),
            "epoch": np.concatenate(
                [np.zeros(0, "int64"), *(np.arange(1, length + 1) for length in lengths)]
            ),
            "series": repeated([name for _, name, _ in series], "str"),
            "value": np.concatenate(
                [np.zeros(0), *(np.asarray(values, "float64") for _, _, values in series)]
            ),
        }
    )
