"""Runs from elsewhere as a runs frame and a question, so that the one analysis can be asked about them.

Here it is decided what is a block, what a unit, and whether there are pairs at all. Nothing of it looks at
a result.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.foreign.factors import Chosen, chosen_factors, names_of, typed
from analysis.frame import METRIC_NAMES, RESERVED, check_runs, sorted_runs
from analysis.statistics.estimates import MINIMUM_UNITS
from analysis.statistics.pairs import FAILURES
from analysis.statistics.units import seeded
from analysis.summaries import joined, number_text, quantity_text
from study.errors import InputError
from study.foreign_runs import ForeignRuns, nearest, shown
from study.question import Question, Structure
from study.training import Level, Status, digest_of

CAP = 10
"""What a failure loses unless it is said, in deltas: the default of a spec."""
LARGEST = 1e100
"""Larger numbers cannot be squared, as variances are."""
MAXIMUM_RIVALS = 50
_LOWER_IS_BETTER = re.compile(
    r"(^|[\W_])(loss|error|err|rmse|mse|mae|mape|perplexity|ppl|nll|bpc|wer|cer|fid|time|seconds|latency)($|[\W_])",
    re.I,
)
_LARGE_OF_A_FRACTION = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """What is asked of runs from elsewhere.

    Parameters
    ----------
    treatment : str
        The parameter whose values are compared.
    focus : str
        The value asked about; all others are its rivals.
    metric : str
        Compared, after multiplication by `scale`.
    delta : float
        Smallest difference that matters, in the unit of the (scaled) metric.
    factors : tuple of str or None
        See `analysis.foreign.factors.chosen_factors`.
    replicate : str or None
        The parameter that tells apart the replicates of a configuration, such as the seed.
    loss_cap : float or None
        What a failed side loses and where a difference is cut; `CAP` deltas if None.
    lower_is_better : bool or None
        Direction of the metric. None is higher, but for a metric whose name says otherwise.
    scale : float or None
        100 makes points of a fraction; 1 if None.
    unit : str or None
        Unit of the metric. None is `points` where values lie in 0 to 100 and not all in 0 to 1, and
        higher is better; else `units`.
    chance : float or None
        Value of the (scaled) metric from guessing.
    """

    treatment: str
    focus: str
    metric: str
    delta: float
    factors: tuple[str, ...] | None = None
    replicate: str | None = None
    loss_cap: float | None = None
    lower_is_better: bool | None = None
    scale: float | None = None
    unit: str | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """Runs from elsewhere, ready for `analysis.criteria.criteria_table`.

    Parameters
    ----------
    frame : pandas.DataFrame
        Passes `analysis.frame.check_runs`.
    question : Question
        Its design is `paired`, `ofat` or `unpaired`, whichever the runs are.
    remarks : tuple of str
        What was read and how it was taken, a sentence each.
    """

    frame: pd.DataFrame
    question: Question
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How runs form blocks and units.

    Parameters
    ----------
    structure : str
        Design of the question.
    replicate : numpy.ndarray of int, shape (runs,)
        Number of the block within the configuration.
    unit : pandas.Series of str
        Unit of each run.
    units : int
        Units with a pair of the focus and the rival that has most of them.
    by_replicate : bool
        Whether a block has one value of the replicate.
    repetitions : int
        Runs that equal another one in settings, replicate (if that counts) and treatment.
    baseline : tuple of (str, Level)
        For `ofat`.
    """

    structure: Structure
    replicate: np.ndarray
    unit: pd.Series
    units: int
    by_replicate: bool
    repetitions: int
    baseline: tuple[tuple[str, Level], ...] = ()


def foreign_frame(runs: ForeignRuns, ask: Ask) -> Foreign:
    """Make a runs frame and a question of runs from elsewhere.

    Notes
    -----
    A configuration is one value of every factor; with a value of the replicate it is a block. Runs of one
    block and treatment are repetitions: they are numbered at random, whatever their results, and become
    further blocks, so that the first of the focus stands against the first of a rival. As the unit is the
    configuration, no repetition counts as independent evidence.

    The unit is the replicate, as in the design `ofat`, where the settings differ from a baseline in one
    factor at a time (or not at all) and each was run `MINIMUM_UNITS` times or more on average. Where fewer
    than that many units have a pair, and there are as many configurations of either side, the runs are
    compared unpaired.

    Raises
    ------
    InputError
        If the question does not fit the runs.
    """
    _check(ask)
    treatment = names_of(runs.parameters[ask.treatment]).rename(ask.treatment)
    values = sorted(treatment.unique())
    if ask.focus not in values:
        raise InputError(f"no run has {ask.focus!r} as its {ask.treatment}; {nearest(ask.focus, values)}")
    if len(values) < 2:
        raise InputError(f"every run has {ask.focus!r} as its {ask.treatment}, so it has no rival.")
    if len(values) > MAXIMUM_RIVALS:
        raise InputError(
            f"{ask.treatment!r} has {len(values)} values, and each is compared with {ask.focus!r} by itself: "
            f"at most {MAXIMUM_RIVALS}; name another --treatment, or take a part of the runs."
        )
    if ask.replicate is not None and ask.replicate not in runs.parameters:
        known = map(str, runs.parameters.columns)
        raise InputError(f"no run has the parameter {ask.replicate!r}; {nearest(ask.replicate, known)}")
    metric, status, failures = _outcomes(runs, ask)
    lower = _lower_is_better(ask)
    unit = _unit(metric, ask, lower=lower)
    label = f"{ask.metric} (metric)" if ask.metric in RESERVED else ask.metric
    chosen = _renamed(chosen_factors(runs, ask.factors, treatment, ask.replicate), label)
    configuration, levels = _configurations(chosen.levels, len(treatment))
    rows = pd.DataFrame(
        {"configuration": configuration, "activation": treatment, "metric": metric, "status": status}
    )
    seeds = None if ask.replicate is None else typed(runs.parameters[ask.replicate])
    layout = _layout(rows, levels, ask, None if seeds is None else seeds.rank(method="dense"))
    frame = _frame(rows, chosen, layout, label)
    size = int(frame["configuration"].nunique())
    question = Question(
        name=runs.name,
        question=f"When does {ask.focus} beat the other values of {ask.treatment}?",
        focus=ask.focus,
        rivals=tuple(value for value in values if value != ask.focus),
        design=layout.structure,
        dataset="",
        architecture="",
        factors=chosen.factors,
        baseline=layout.baseline,
        metric=label,
        higher_is_better=not lower,
        unit=unit,
        delta=ask.delta,
        loss_cap=ask.loss_cap if ask.loss_cap is not None else CAP * ask.delta,
        planned_configurations=size,
        planned_trainings=len(frame),
    )
    check_runs(frame, question)
    remarks = [f"{quantity_text(len(frame), 'runs')} of {runs.source}.", *runs.remarks, *chosen.remarks]
    remarks += [*_of_layout(layout, ask), *failures]
    if ask.scale not in (None, 1):
        remarks.append(f"The metric was multiplied by {number_text(ask.scale)}.")
    return Foreign(sorted_runs(frame, question), question, tuple(remarks))


def _check(ask: Ask) -> None:
    if ask.replicate == ask.treatment:
        raise InputError(f"{ask.treatment!r} is the treatment and cannot be the replicate as well.")
    for option, value in (("--delta", ask.delta), ("--loss-cap", ask.loss_cap), ("--scale", ask.scale)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"{option} must be a number above 0, and is {value:g}.")
        if value is not None and not 1 / LARGEST <= value <= LARGEST:
            raise InputError(f"{option} must lie between {1 / LARGEST:g} and {LARGEST:g}, and is {value:g}.")
    if ask.loss_cap is not None and ask.loss_cap <= ask.delta:
        raise InputError(
            f"--loss-cap must be more than --delta, which is {ask.delta:g}, and is {ask.loss_cap:g}; "
            f"{CAP} x delta is usual."
        )


def _outcomes(runs: ForeignRuns, ask: Ask) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the scaled metric (NaN for a failure), the status of each run, and a remark on the failures."""
    ended = runs.status == Status.OK.value
    if not ended.any():
        words = joined(sorted({shown(str(word)) for word in runs.status})[:6])
        raise InputError(f"no run has the status 'ok', only {words}; write ok for a run that ended well.")
    ok = ended & ~np.isnan(runs.metric)
    if not ok.any():
        raise InputError(f"no run that ended well has a finite value of {ask.metric!r}; check --metric.")
    with np.errstate(over="ignore"):
        metric = np.where(ok, runs.metric, np.nan) * (ask.scale or 1.0)
    if (largest := float(np.nanmax(np.abs(metric)))) > LARGEST:
        raise InputError(
            f"{ask.metric!r} reaches {largest:g}, and values of at most {LARGEST:g} in size can be compared; "
            "check --metric and --scale."
        )
    status = np.where(
        ok, Status.OK.value, np.where(np.isin(runs.status, FAILURES), runs.status, Status.FAILED.value)
    )
    empty, words = int((ended & ~ok).sum()), sorted({str(word) for word in runs.status[~ended]})
    parts = [f"{empty} without a finite {ask.metric}"] if empty else []
    parts += [f"{int((runs.status == word).sum())} with the status {shown(word)}" for word in words[:6]]
    remarks = [f"Runs that count as failed: {joined(parts)}."] if parts else []
    return metric, status.astype("str"), remarks


def _lower_is_better(ask: Ask) -> bool:
    if ask.lower_is_better is None and _LOWER_IS_BETTER.search(ask.metric):
        raise InputError(
            f"of {ask.metric!r} lower values seem to be better; add --lower-is-better, or --higher-is-better "
            "if they are not."
        )
    return bool(ask.lower_is_better)


def _unit(metric: np.ndarray, ask: Ask, *, lower: bool) -> str:
    """Return the unit; refuse a delta in points for a metric that is a fraction."""
    low, high = float(np.nanmin(metric)), float(np.nanmax(metric))
    if not lower and ask.scale is None and low >= 0 and high <= 1 and ask.delta >= _LARGE_OF_A_FRACTION:
        raise InputError(
            f"{ask.metric!r} lies between {low:.3g} and {high:.3g}, so a --delta of {ask.delta:g} is a large "
            "part of its range; add --scale 100 if delta is in points, or --scale 1 if it is meant as it is."
        )
    points = not lower and low >= 0 and 1 < high <= 100
    unit = ask.unit or ("points" if points else "units")
    if ask.chance is not None and not (lower or (unit == "points" and points)):
        raise InputError(
            "--chance is for a metric in points (0 to 100) or one of which lower is better and 0 is perfect; "
            "use --scale 100 for a fraction, or leave it out."
        )
    if ask.chance is not None and not (0 < ask.chance <= LARGEST if lower else 0 <= ask.chance < 100):
        right = "above 0, which is perfect" if lower else "from 0 to less than 100, which is perfect"
        raise InputError(f"--chance must be a number {right}; it is {ask.chance:g}.")
    return unit


def _renamed(chosen: Chosen, metric: str) -> Chosen:
    """Return the factors under names that no other column of the frame has."""
    new = {
        factor.name: f"{factor.name} (parameter)"
        for factor in chosen.factors
        if factor.name in (*RESERVED, *METRIC_NAMES, metric)
    }
    factors = tuple(replace(factor, name=new.get(factor.name, factor.name)) for factor in chosen.factors)
    return replace(chosen, factors=factors, levels=chosen.levels.rename(columns=new))


def _configurations(values: pd.DataFrame, size: int) -> tuple[pd.Series, pd.DataFrame]:
    """Return the digest of each run's configuration, and the levels of each digest."""
    if values.empty:
        return pd.Series([digest_of({})] * size), pd.DataFrame(index=[digest_of({})])
    code = values.groupby(list(values.columns), sort=False).ngroup()
    levels = values.loc[~code.duplicated()]
    columns = [levels[name].tolist() for name in levels]
    digests = np.array(
        [digest_of(dict(zip(levels.columns, row, strict=True))) for row in zip(*columns, strict=True)]
    )
    return pd.Series(digests[code]), levels.set_axis(pd.Index(digests))


def _layout(rows: pd.DataFrame, levels: pd.DataFrame, ask: Ask, seeds: pd.Series | None) -> _Layout:
    """Return the first way to form blocks that gives pairs enough, or else the unpaired one."""
    ways = [seeds, None] if seeds is not None else [None]
    found = [_paired(rows, levels, ask.focus, way) for way in ways]
    for layout in found:
        if layout.units >= MINIMUM_UNITS:
            return layout
    settings = rows.groupby("activation")["configuration"].nunique()
    most = max(found, key=lambda layout: layout.units)
    if most.units and min(settings[ask.focus], settings.drop(ask.focus).max()) < MINIMUM_UNITS:
        return most
    return replace(found[-1], structure="unpaired", unit=rows["configuration"], units=most.units, baseline=())


def _paired(rows: pd.DataFrame, levels: pd.DataFrame, focus: str, seeds: pd.Series | None) -> _Layout:
    """Return the blocks that runs form with the same value of the replicate, or (None) without one."""
    code = pd.Series(0, index=rows.index) if seeds is None else seeds
    group = ["configuration", "code", "activation"]
    drawn = rows.assign(code=code).sort_values([*group, "status", "metric"])
    drawn["draw"] = seeded(sorted(levels.index), "repetitions").random(len(drawn))
    number = drawn.groupby(group)["draw"].rank(method="first").astype("int64").reindex(rows.index) - 1
    _, replicate = np.unique(np.stack([code, number], axis=1), axis=0, return_inverse=True)
    # A run that was repeated with the same seed is no new evidence, even where the seed is the unit.
    evidence = pd.Series(replicate, index=rows.index) if seeds is None else code
    blocks = rows[["configuration", "activation"]].assign(replicate=replicate, evidence=evidence)
    of_focus = blocks.loc[blocks["activation"] == focus, ["configuration", "replicate"]]
    both = blocks.loc[blocks["activation"] != focus].merge(of_focus)
    counts = both.drop_duplicates(["configuration", "activation", "evidence"]).groupby("activation").size()
    baseline = _baseline(levels)
    by_rival = both.groupby("activation")["configuration"].nunique()
    walks = baseline is not None and bool((counts >= MINIMUM_UNITS * by_rival).any())
    return _Layout(
        structure="ofat" if walks else "paired",
        replicate=replicate,
        unit=rows["configuration"] + ("-" + evidence.astype("str") if walks else ""),
        units=int((counts if walks else by_rival).max()) if len(both) else 0,
        by_replicate=seeds is not None,
        repetitions=int((number > 0).sum()),
        baseline=baseline if walks and baseline is not None else (),
    )


def _baseline(levels: pd.DataFrame) -> tuple[tuple[str, Level], ...] | None:
    """Return the commonest level of each factor, if no configuration is off it in two of them."""
    commonest = {name: values.mode().tolist()[0] for name, values in levels.items()}
    away = sum(((levels[name] != level).astype("int64") for name, level in commonest.items()), start=0)
    if np.any(np.asarray(away) > 1):
        return None
    return tuple((str(name), level) for name, level in commonest.items())


def _frame(rows: pd.DataFrame, chosen: Chosen, layout: _Layout, metric: str) -> pd.DataFrame:
    replicate = pd.Series(layout.replicate, index=rows.index)
    block = rows["configuration"] + "-" + replicate.astype("str")
    return pd.DataFrame(
        {
            "digest": block + "/" + rows["activation"],
            "unit_id": layout.unit,
            "configuration": rows["configuration"],
            "index": np.unique(rows["configuration"], return_inverse=True)[1],
            "replicate": replicate,
            "block": block,
            "activation": rows["activation"],
            "adaptive": False,
            **dict(chosen.levels.items()),
            "status": rows["status"],
            "reason": "",
            metric: rows["metric"],
        }
    )


def _of_layout(layout: _Layout, ask: Ask) -> list[str]:
    """Return how runs were matched, a sentence each."""
    if layout.structure == "unpaired":
        some = f"only {layout.units}" if layout.units else "no"
        return [
            f"Unpaired: {some} configurations ran with both {ask.focus} and one other {ask.treatment}. If "
            "runs do belong together, name with --factors what they share, and leave out what they do not."
        ]
    found: list[str] = []
    if layout.by_replicate:
        found.append(f"Pairs share every factor and {ask.replicate}.")
    elif ask.replicate is not None:
        found.append(
            f"Pairs share every factor; runs of different {ask.treatment} do not share {ask.replicate}, so "
            "replicates were paired at random within their configuration, whatever their results."
        )
    elif layout.repetitions:
        found.append(
            "Pairs share every factor; no replicate was named, so repetitions were paired at random within "
            "their configuration, whatever their results."
        )
    if layout.by_replicate and layout.repetitions:
        found.append(
            f"{quantity_text(layout.repetitions, 'runs')} with the factors, the {ask.replicate} and the "
            f"{ask.treatment} of another one: further replicates, paired at random, whatever their results."
        )
    if layout.structure == "ofat":
        found.append(
            "Settings differ in one factor at most, with replicates enough to take each replicate for "
            "independent evidence (design ofat); verdicts are about these settings alone."
        )
    return found
