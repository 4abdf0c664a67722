"""What an activation costs beside what it brings: time of an epoch, time to a target, gain at equal time.

Apart from the criteria table, as seconds are not part of the byte promise. Two trainings of a block differ
in the activation alone and ran on the same machine, so their times are compared within blocks, as their
metrics are. Trainings that shared a program have no time of their own: of those only what the reference
engine repeated, one after another, is timed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from analysis.agreement import REFERENCE
from analysis.profile import best_rows
from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS, rounded
from analysis.statistics.pairs import ended, pairs
from study.ledger import Record
from study.training import Status, TrainingResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean over units with its 95 % t interval.

    Parameters
    ----------
    pairs, units : int
        What it rests on.
    value, low, high : float or None
        The ends are None with fewer units than a verdict needs, the value with none.
    """

    pairs: int
    units: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivationCost:
    """What one activation cost.

    Parameters
    ----------
    activation : str
        Canonical name.
    timed : int
        Trainings that trained to the end and were timed.
    epoch_seconds, epoch_seconds_low, epoch_seconds_high : float or None
        Median and quartiles of the seconds of an epoch, validation included, without building the program.
    training_seconds : float or None
        Median seconds of a training.
    peak_memory_mib : float or None
        Median peak memory of a training on a GPU, MiB; None on a CPU, where it belongs to the process.
    ended : int
        Trainings that could have been timed: the former and those that failed.
    reached : int
        Those among them whose curve reached the target.
    target_seconds : float or None
        Median seconds until it did.
    """

    activation: str
    timed: int
    epoch_seconds: float | None
    epoch_seconds_low: float | None
    epoch_seconds_high: float | None
    training_seconds: float | None
    peak_memory_mib: float | None
    ended: int
    reached: int
    target_seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RivalCost:
    """The focus beside one rival, within blocks.

    Parameters
    ----------
    rival : str
        What the focus is compared with.
    epoch_ratio : Estimate
        Geometric mean of the focus' seconds of an epoch over the rival's.
    target_ratio : Estimate
        The same of the seconds to the target, over pairs in which both reached it.
    equal_epochs, equal_time : Estimate
        Mean difference of the validation metric, positive where the focus is better, at the last epoch,
        and when the faster side of the pair has finished. Both are clipped to the loss cap, and count
        failures, as the table does.
    """

    rival: str
    epoch_ratio: Estimate
    target_ratio: Estimate
    equal_epochs: Estimate
    equal_time: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """The table of costs.

    Parameters
    ----------
    name, focus, unit, design : str
        Of the question.
    delta, loss_cap : float
        Of the question.
    metric : str
        Series of the learning curves that targets and differences are about.
    source : {"all", "repeated", "packed", "mixed"}
        Which trainings were timed: all; those that the reference engine repeated; none, as they shared
        their programs; none, as they come from several environments.
    target : float or None
        Worst median, over the activations, of the metric at the last epoch; None where nothing was timed.
    activations : tuple of ActivationCost
        Focus first; empty where nothing was timed.
    rivals : tuple of RivalCost
        Empty where there are no pairs.
    """

    name: str
    focus: str
    unit: str
    design: str
    delta: float
    loss_cap: float
    metric: str
    source: str
    target: float | None
    activations: tuple[ActivationCost, ...]
    rivals: tuple[RivalCost, ...]


def cost_of(runs: pd.DataFrame, curves: pd.DataFrame, record: Record) -> Cost:
    """Return what each activation of a sweep cost.

    Parameters
    ----------
    runs, curves : pandas.DataFrame
        What `analysis.frame.runs_frame` and `curves_frame` returned.
    record : Record
        The ledger that they come from.

    Notes
    -----
    A ratio is compared on the logarithm, where twice and half are equally far from equal: its interval is
    Student's t over the unit means of log ratios, taken back by exp. The metric at equal time lies on a
    straight line between two epochs; before the first one it is that of guessing. In a search with halving
    only the trainings in full are taken, those of the last rung and the confirmations.
    """
    question = record.question
    metric = question.chosen_by
    source, results = _timed(record)
    epochs = {entry.result.digest: entry.training.epochs for entry in record.entries}
    longest = max(epochs.values(), default=0)
    full = [digest for digest in results if epochs.get(digest) == longest]
    mine = best_rows(runs, question)
    mine = mine.loc[mine["digest"].isin(full) & ended(mine["status"])]
    well = {digest for digest, result in results.items() if result.status is Status.OK}
    ok = mine.loc[(mine["status"] == Status.OK.value) & mine["digest"].isin(well)].set_index("digest")
    timed = ok.assign(
        epochs=[epochs[digest] for digest in ok.index],
        seconds=[results[digest].seconds for digest in ok.index],
        memory=[results[digest].peak_memory_mib for digest in ok.index],
    )
    timed["epoch_seconds"] = timed["seconds"] / timed["epochs"]
    series = curves.loc[(curves["series"] == metric) & curves["digest"].isin(timed.index)]
    wide = series.pivot_table(index="digest", columns="epoch", values="value", dropna=False)
    timed = timed.loc[timed.index.isin(wide.index)]
    wide = wide.loc[timed.index]
    target = None
    if len(timed):
        final = wide.ffill(axis=1).iloc[:, -1].groupby(timed["activation"]).median()
        target = float(final.min() if question.higher_is_better else final.max())
        reached = (wide >= target) if question.higher_is_better else (wide <= target)
        first = reached.to_numpy().argmax(axis=1) + 1
        timed["target_seconds"] = (first * timed["epoch_seconds"]).where(reached.any(axis=1))
    gpu = bool(timed.size) and _device(record, source) != "cpu"
    activations = tuple(
        _activation_cost(name, timed, mine, gpu=gpu) for name in question.activations if len(timed)
    )
    rivals: tuple[RivalCost, ...] = ()
    if len(timed) and question.design in ("paired", "ofat"):
        rivals = tuple(_rival_cost(rival, timed, wide, mine, record) for rival in question.rivals)
    return Cost(
        name=question.name,
        focus=question.focus,
        unit=question.unit,
        design=question.design,
        delta=question.delta,
        loss_cap=question.loss_cap,
        metric=metric,
        source=source,
        target=None if target is None else rounded(target),
        activations=activations,
        rivals=rivals,
    )


def _timed(record: Record) -> tuple[str, dict[str, TrainingResult]]:
    """Return where the times come from, and what was timed by digest."""
    if record.mixed:
        return "mixed", {}
    if {fingerprint["engine"] for fingerprint in record.fingerprints} <= {REFERENCE}:
        return "all", {entry.result.digest: entry.result for entry in record.entries}
    return ("repeated" if record.checks else "packed"), dict(record.checks)


def _device(record: Record, source: str) -> str:
    return (record.references if source == "repeated" else record.fingerprints)[0]["device"]


def _activation_cost(name: str, timed: pd.DataFrame, mine: pd.DataFrame, *, gpu: bool) -> ActivationCost:
    own = timed.loc[timed["activation"] == name]
    quartiles = own["epoch_seconds"].quantile([0.25, 0.5, 0.75])
    to_target = own["target_seconds"].dropna()
    low, middle, high = (rounded(float(value)) for value in quartiles)
    return ActivationCost(
        activation=name,
        timed=len(own),
        epoch_seconds=middle,
        epoch_seconds_low=low,
        epoch_seconds_high=high,
        training_seconds=rounded(float(own["seconds"].median())),
        peak_memory_mib=rounded(float(own["memory"].median())) if gpu else None,
        ended=int((mine["activation"] == name).sum()),
        reached=len(to_target),
        target_seconds=rounded(float(to_target.median())),
    )


def _rival_cost(
    rival: str, timed: pd.DataFrame, wide: pd.DataFrame, mine: pd.DataFrame, record: Record
) -> RivalCost:
    question = record.question
    found = pairs(mine, question, rival).set_index("block")
    sides = {
        side: timed.loc[timed["activation"] == name].reset_index().set_index("block")
        for side, name in (("focus", question.focus), ("rival", rival))
    }
    both = sides["focus"].index.intersection(sides["rival"].index)
    focus, other = sides["focus"].loc[both], sides["rival"].loc[both]
    failed = found.loc[found["cause"] != "quality"]

    def ratio(name: str) -> Estimate:
        ratios = (focus[name] / other[name]).dropna()
        logs = pd.Series(np.log(ratios.to_numpy()), index=ratios.index)
        estimate = _estimate(logs, focus.loc[logs.index, "unit_id"])
        ends = (estimate.value, estimate.low, estimate.high)
        value, low, high = (None if end is None else rounded(float(np.exp(end))) for end in ends)
        return Estimate(pairs=estimate.pairs, units=estimate.units, value=value, low=low, high=high)

    def difference(budget: pd.Series) -> Estimate:
        """Return the mean difference after so many seconds of each pair."""
        values = [
            _after(wide.loc[one["digest"]], budget / one["epoch_seconds"], record.chance)
            for one in (focus, other)
        ]
        sign = 1 if question.higher_is_better else -1
        gained = pd.Series(sign * (values[0] - values[1]), index=both, dtype="float64")
        every = pd.concat([gained.clip(-question.loss_cap, question.loss_cap), failed["difference"]])
        return _estimate(every, found.loc[every.index, "unit_id"])

    return RivalCost(
        rival=rival,
        epoch_ratio=ratio("epoch_seconds"),
        target_ratio=ratio("target_seconds"),
        equal_epochs=difference(pd.Series(np.inf, index=both)),
        equal_time=difference(focus["seconds"].where(focus["seconds"] < other["seconds"], other["seconds"])),
    )


def _after(curves: pd.DataFrame, epochs: pd.Series, guess: float | None) -> np.ndarray:
    """Return the value of each curve after a number of epochs that need not be whole, shape (curves,)."""
    start = np.nan if guess is None else guess
    return np.array(
        [
            np.interp(epoch, np.arange(len(curve) + 1), [start, *curve])
            for curve, epoch in zip((row[~np.isnan(row)] for row in curves.to_numpy()), epochs, strict=True)
        ],
        dtype="float64",
    )


def _estimate(values: pd.Series, units: pd.Series) -> Estimate:
    means = values.groupby(units.to_numpy()).mean().to_numpy()
    count = len(means)
    middle = float(means.mean()) if count else np.nan
    low = high = np.nan
    if count >= MINIMUM_UNITS:
        half = float(special.stdtrit(count - 1, 1 - ALPHA / 2)) * float(means.std(ddof=1)) / np.sqrt(count)
        low, high = middle - half, middle + half
    return Estimate(
        pairs=len(values),
        units=count,
        value=rounded(middle),
        low=rounded(low),
        high=rounded(high),
    )
