"""Where a numeric factor turns the verdict: the threshold, the 95 % set that holds it, the gain beyond it.

Asked only after the gate: the factor matters, and the focus gains in a known direction. The threshold
is where the mean difference crosses delta. (Crossing 0 has no definition where a curve lies flat at 0
and then rises.) Only the order of the levels enters, so the scale of a factor changes nothing here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.statistics.compare import UNINFORMATIVE_LIMIT, Verdict
from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS, mean_test, rounded, win_interval
from analysis.statistics.gates import MAXIMUM_GATE_LEVELS, Direction, Gate, isotonic
from analysis.statistics.levels import equal_count_bins, log_spaced
from analysis.statistics.units import seeded, walk
from study.question import Question

MINIMUM_LEVELS = 3
"""With two levels there is nothing between them to place: their rows say it all."""
LARGEST_RATIO = 2.5
"""Cuts up to this likelihood ratio are in the 95 % set. The 0.95 quantile of the limit is 2.26 (Banerjee
and Wellner 2001); the rest pays for a variance that is estimated (simulated, see `docs/method.md`)."""
LARGEST_RATIO_OF_NO_CUT = 3.84
"""The same for the cut with every level on the winning side: the 0.95 quantile of chi-squared with one degree
of freedom, as a set that leaves it out claims that the focus does not win everywhere. That limit is for a
crossing inside the range; at its end hardly more than the first level speaks, a one-sided test."""
MAXIMUM_CUTS = 200
"""More distinct values are pooled into as many bins of about equal counts."""
FOLDS = 10
PERMUTATIONS = (999, 19_000)
"""Of the test of a monotone curve: at first, and further ones where p is below `CLEARLY_MONOTONE`."""
CLEARLY_MONOTONE = 0.1

Outcome = Literal["threshold", "everywhere", "not_shown", "not_one_threshold"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionGain:
    """The difference on one side of a threshold, over units that did not help to place it.

    Parameters
    ----------
    units : int
        Independent units on this side.
    difference, low, high : float or None
        Mean paired difference with its 95 % t interval, in the metric's unit.
    win_rate, win_rate_low, win_rate_high : float or None
        Share of pairs in which the focus is better, with its 95 % interval (Wilson), in [0, 1].
    p : float or None
        Two-sided p of no difference on this side.
    verdict : Verdict
        By the rules of a level row at the unadjusted p, after the gate.
    """

    units: int
    difference: float | None
    low: float | None
    high: float | None
    win_rate: float | None
    win_rate_low: float | None
    win_rate_high: float | None
    p: float | None
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """Where the focus begins to win along one numeric factor, against one rival.

    Parameters
    ----------
    parameter, rival : str
        The condition factor, and what the focus is compared with.
    direction : {"increasing", "decreasing"}
        Whether the focus gains with larger or with smaller values.
    log : bool
        Whether the levels grow by ratios: then draw the factor on a logarithmic axis.
    tested_low, tested_high : float
        Smallest and largest value with a unit.
    outcome : {"threshold", "everywhere", "not_shown", "not_one_threshold"}
        `threshold`: the curve crosses delta inside the tested range. `everywhere`: it lies above delta
        from the losing end on, and a threshold, if any, cannot be told from that end. `not_shown`: the
        95 % set reaches the winning end. `not_one_threshold`: the curve is not monotone.
    point : float or None
        The focus wins beyond this value: the last one at which it does not, by the best fit. None
        unless the outcome is `threshold`.
    first : float or None
        The nearest value at which it does: from here on. None where there is none.
    low, high : float or None
        Ends of the 95 % set of the threshold; None for an end that lies outside the tested range.
        Both None where the curve is not monotone.
    monotone_p : float
        p of the curve being monotone in the direction of the gate.
    inside, outside : RegionGain or None
        Where the criterion holds, and elsewhere, by cross-fitting. None where the curve is not
        monotone.
    """

    parameter: str
    rival: str
    direction: Direction
    log: bool
    tested_low: float
    tested_high: float
    outcome: Outcome
    point: float | None
    first: float | None
    low: float | None
    high: float | None
    monotone_p: float
    inside: RegionGain | None
    outside: RegionGain | None


@dataclass(frozen=True, slots=True)
class LevelCurve:
    """Level means along an axis on which the focus gains to the right.

    Parameters
    ----------
    code : numpy.ndarray of int, shape (units,)
        Level of each unit.
    low, high : numpy.ndarray, shape (levels,)
        Ends of each level, equal unless several values were pooled.
    counts, means : numpy.ndarray, shape (levels,)
        Units, and their mean difference.
    """

    code: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    means: np.ndarray

    @property
    def fitted(self) -> np.ndarray:
        """The isotonic fit of the level means."""
        return _isotonic(self.means, self.counts)

    def first_above(self, delta: float) -> int:
        """Return how many levels lie at or below delta by the isotonic fit: the best cut."""
        return int(np.searchsorted(self.fitted, delta, side="right"))


def _isotonic(means: np.ndarray, counts: np.ndarray) -> np.ndarray:
    from scipy.optimize import isotonic_regression

    return isotonic_regression(means, weights=counts).x if len(means) else means


def level_curve(axis: np.ndarray, difference: np.ndarray, largest: int) -> LevelCurve:
    """Return the level means of units along an axis; more than `largest` levels become so many bins."""
    levels, code = np.unique(axis, return_inverse=True)
    if len(levels) > largest:
        code = equal_count_bins(axis, largest)
    counts = np.bincount(code).astype("float64")
    ends = [np.full(len(counts), far) for far in (np.inf, -np.inf)]
    np.minimum.at(ends[0], code, axis)
    np.maximum.at(ends[1], code, axis)
    return LevelCurve(code, ends[0], ends[1], counts, np.bincount(code, weights=difference) / counts)


def _variance(curve: LevelCurve, difference: np.ndarray) -> float:
    """Return the variance of a unit around the curve.

    Within levels where there are units enough for that; else pooled with the squared differences of
    neighbouring level means (Rice 1984).
    """
    units, levels = len(difference), len(curve.counts)
    within = float(((difference - curve.means[curve.code]) ** 2).sum())
    if units - levels >= max(20, levels):
        return within / (units - levels)
    steps = np.diff(curve.means) ** 2 / (1 / curve.counts[1:] + 1 / curve.counts[:-1])
    return (within + float(steps.sum())) / (units - 1)


def _cut_ratios(curve: LevelCurve, variance: float, delta: float) -> np.ndarray:
    """Return the likelihood ratio of each cut: at most delta left of it, at least delta right of it.

    Returns
    -------
    numpy.ndarray, shape (levels + 1,)
        Cut k has k levels to its left.
    """

    def misfit(fitted: np.ndarray, part: slice) -> float:
        return float((curve.counts[part] * (curve.means[part] - fitted) ** 2).sum())

    cuts = range(len(curve.counts) + 1)
    best = misfit(curve.fitted, slice(None))
    lost = np.empty(len(cuts))
    for cut in cuts:
        left, right = slice(None, cut), slice(cut, None)
        below = np.minimum(_isotonic(curve.means[left], curve.counts[left]), delta)
        above = np.maximum(_isotonic(curve.means[right], curve.counts[right]), delta)
        lost[cut] = misfit(below, left) + misfit(above, right) - best
    lost[lost < 1e-9 * max(1.0, best)] = 0.0
    return np.divide(lost, variance, out=np.where(lost > 0, np.inf, 0.0), where=variance > 0)


def _monotone_p(axis: np.ndarray, difference: np.ndarray, rng: np.random.Generator) -> float:
    """Return the p-value of a monotone curve, by permuting the residuals of the isotonic fit.

    The statistic is what the fit leaves of the sum of squares between levels (or ten bins). The
    permuted residuals are fitted without the curve: of all monotone curves a flat one leaves most, so
    this is the curve to test against.
    """
    curve = level_curve(axis, difference, MAXIMUM_GATE_LEVELS)
    residuals = difference - curve.fitted[curve.code]
    member = np.eye(len(curve.counts))[curve.code]

    def left_over(sums: np.ndarray) -> np.ndarray:
        return (curve.counts * (sums / curve.counts - isotonic(sums, curve.counts)) ** 2).sum(axis=1)

    observed = left_over((curve.means * curve.counts)[None])[0]
    beyond = done = 0
    size = max(1, 4_000_000 // len(axis))
    for permutations in PERMUTATIONS:
        for start in range(0, permutations, size):
            shape = (min(size, permutations - start), len(axis))
            drawn = rng.permuted(np.broadcast_to(residuals, shape), axis=1)
            beyond += int((left_over(drawn @ member) >= observed - 1e-9 * (difference @ difference)).sum())
        done += permutations
        if beyond > CLEARLY_MONOTONE * done:
            break
    return (1 + beyond) / (1 + done)


def _cross_fitted(
    axis: np.ndarray, difference: np.ndarray, delta: float, rng: np.random.Generator
) -> np.ndarray:
    """Return which units lie beyond the threshold that the nine other tenths of the units place."""
    fold = rng.permutation(len(axis)) % FOLDS
    inside = np.zeros(len(axis), dtype=bool)
    for part in range(FOLDS):
        apart = fold == part
        curve = level_curve(axis[~apart], difference[~apart], MAXIMUM_CUTS)
        cut = curve.first_above(delta)
        inside[apart] = axis[apart] > curve.high[cut - 1] if cut else True
    return inside


def _gains(units: pd.DataFrame, inside: np.ndarray, question: Question) -> list[RegionGain]:
    """Return the gain inside and outside."""
    sides = np.stack([inside, ~inside])
    test = mean_test(units["difference"].to_numpy(), sides, bound=question.loss_cap, delta=question.delta)
    wins, count = units["wins"].to_numpy(), sides.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(sides, wins, 0.0).sum(axis=1) / count
        variance = np.where(sides, (wins - rate[:, None]) ** 2, 0.0).sum(axis=1) / (count - 1)
        effective = np.clip(rate * (1 - rate) / (variance / count), 1, count)
        silent = np.where(sides, units["uninformative"].to_numpy(), 0.0).sum(axis=1) / count
    low, high = win_interval(rate, np.where(np.isnan(effective), count, effective))
    found: list[RegionGain] = []
    for side in range(2):
        verdict = Verdict.NOT_ENOUGH_EVIDENCE
        if count[side] >= MINIMUM_UNITS:
            if test.p_tie[side] <= ALPHA and silent[side] <= UNINFORMATIVE_LIMIT:
                verdict = Verdict.TIES
            elif test.p[side] <= ALPHA:
                verdict = Verdict.WINS if test.mean[side] > 0 else Verdict.LOSES
        numbers = {
            "difference": test.mean, "low": test.low, "high": test.high, "p": test.p,
            "win_rate": rate, "win_rate_low": low, "win_rate_high": high,
        }  # fmt: skip
        values = {name: rounded(array[side]) for name, array in numbers.items()}
        found.append(RegionGain(units=int(count[side]), verdict=verdict, **values))
    return found


def threshold(units: pd.DataFrame, gate: Gate, question: Question) -> Threshold:
    """Place the threshold of a numeric factor whose gate passed.

    Parameters
    ----------
    units : pandas.DataFrame
        What `analysis.statistics.units.unit_means` returned; in `ofat` those of the factor's own walk.
    gate : Gate
        Of the factor and the rival; gives the direction.
    question : Question
        What is asked.

    Notes
    -----
    The set holds every cut whose likelihood ratio against the isotonic fit is at most
    `LARGEST_RATIO` (Banerjee and Wellner 2001, Banerjee 2007), and reaches the losing end where that of
    a win everywhere is at most `LARGEST_RATIO_OF_NO_CUT`. A bootstrap of the crossing would be
    inconsistent (Sen, Banerjee and Woodroofe 2010), and a straight line or logistic curve holds the
    truth only if it has that shape.
    """
    assert gate.direction is not None
    factor = next(factor for factor in question.conditions if factor.name == gate.parameter)
    sign = 1.0 if gate.direction == "increasing" else -1.0
    values = units[factor.name].to_numpy(dtype="float64")
    axis, difference = sign * values, units["difference"].to_numpy()
    rng = seeded(units["unit_id"], f"threshold of {factor.name}")
    monotone_p = _monotone_p(axis, difference, rng)
    outcome: Outcome = "not_one_threshold"
    point = first = low = high = inside = outside = None
    if monotone_p > ALPHA:
        curve = level_curve(axis, difference, MAXIMUM_CUTS)
        last, cut = len(curve.counts), curve.first_above(question.delta)
        ratios = _cut_ratios(curve, _variance(curve, difference), question.delta)
        kept = np.flatnonzero(ratios <= LARGEST_RATIO)
        left = 0 if ratios[0] <= LARGEST_RATIO_OF_NO_CUT else int(kept[0])
        right = int(kept[-1])
        low = sign * curve.high[left - 1] if left > 0 else None
        high = sign * curve.low[right] if right < last else None
        if right == last:
            outcome = "not_shown"
        elif cut == 0:
            outcome = "everywhere"
        else:
            outcome, point = "threshold", sign * curve.high[cut - 1]
        first = sign * curve.low[cut] if cut < last else None
        within = _cross_fitted(axis, difference, question.delta, rng)
        inside, outside = _gains(units, within, question)
    ends = (low, high) if sign > 0 else (high, low)
    point, first, low, high = (None if end is None else rounded(float(end)) for end in (point, first, *ends))
    return Threshold(
        parameter=gate.parameter,
        rival=gate.rival,
        direction=gate.direction,
        log=log_spaced(factor),
        tested_low=float(values.min()),
        tested_high=float(values.max()),
        outcome=outcome,
        point=point,
        first=first,
        low=low,
        high=high,
        monotone_p=monotone_p,
        inside=inside,
        outside=outside,
    )


def thresholds(
    units: Mapping[str, pd.DataFrame], passed: Sequence[Gate], question: Question
) -> tuple[Threshold, ...]:
    """Place a threshold for every numeric factor that matters and has levels enough.

    Parameters
    ----------
    units : dict of str to pandas.DataFrame
        Rival to what `analysis.statistics.units.unit_means` returned.
    passed : sequence of Gate
        The gates of the table; those that did not pass have no threshold.
    question : Question
        What is asked.
    """
    factors = {factor.name: factor for factor in question.conditions}
    return tuple(
        threshold(walk(units[gate.rival], factors[gate.parameter], question), gate, question)
        for gate in passed
        if gate.matters and gate.ordered and gate.levels >= MINIMUM_LEVELS
    )
