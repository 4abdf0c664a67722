"""What k trials of a random search are worth, with bands: the tuning curves of the design `tuned`.

Everything here rests on trials that are independent draws from one distribution, which those of an adaptive
sampler are not, and that were all trained in full, which with halving they are not: there is none of it then.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import special

from analysis.statistics.estimates import rounded
from study.question import Question
from study.training import Status

FEWEST_TRIALS = 60
"""Trials of an activation from which on the difference of the best of k has an interval."""

SHARE = 6
"""That interval is given for k up to the number of trials divided by this."""

_SIMULATIONS = 4_000_000
"""Uniform draws that the level of a band is found with, at most 20,000 samples."""

_RESAMPLES = 2_000

_POINTS = 40
"""Numbers of trials of which a curve has a point, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvePoint:
    """A tuning curve after k trials.

    Parameters
    ----------
    k : int
        Number of trials.
    value : float or None
        Median of the best validation metric among k trials; for an adaptive sampler the median, over the
        repeats, of the best among the first k. None where more than half end without a result.
    low, high : float or None
        Simultaneous 95 % band over all k, for a random sampler; None where it is open, or there is none.
    """

    k: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningCurve:
    """The best that an activation reaches after so many trials.

    Parameters
    ----------
    activation : str
        Canonical name.
    trials : int
        Trials that the curve is made from, those of all repeats together.
    points : tuple of CurvePoint
        By rising k.
    """

    activation: str
    trials: int
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BestOfDifference:
    """Difference focus - rival of the best of k trials, chosen on validation, in the question's metric.

    Parameters
    ----------
    rival : str
        The rival.
    k, trials : int
        Number of trials that the best is taken of, and trials of each activation that this rests on.
    difference, low, high : float
        Positive where the focus is better, with its 95 % bootstrap interval (pointwise in k).
    """

    rival: str
    k: int
    trials: int
    difference: float
    low: float
    high: float


def spaced(last: int) -> np.ndarray:
    """Return whole numbers from 1 to `last`, all of them or about `_POINTS` at equal ratios."""
    if last <= _POINTS:
        return np.arange(1, last + 1)
    return np.unique(np.round(np.geomspace(1, last, _POINTS)).astype("int64"))


@lru_cache(maxsize=64)
def rank_bounds(trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds of the distribution function at each of `trials` order statistics.

    Returns
    -------
    low, high : numpy.ndarray, shape (trials,)
        With 95 %, all of F(y_(1)), ..., F(y_(n)) lie between them at once, whatever the continuous
        distribution F. Each order statistic of a uniform sample has its equal-tailed Beta interval, all at
        one level, which is found by simulation (Learned-Miller and DeStefano 2008; Lourie et al. 2024).
    """
    ranks = np.arange(1, trials + 1)
    samples = min(20_000, max(400, _SIMULATIONS // trials))
    uniform = np.sort(np.random.default_rng(trials).random((samples, trials)), axis=1)
    below = special.betainc(ranks, trials + 1 - ranks, uniform)
    tail = np.minimum(below, 1 - below).min(axis=1)
    level = float(np.quantile(tail, 0.05))
    low = special.betaincinv(ranks, trials + 1 - ranks, level)
    high = special.betaincinv(ranks, trials + 1 - ranks, 1 - level)
    return low, high


def median_of_best(values: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the median of the best of k draws, and its band over all k.

    Parameters
    ----------
    values : numpy.ndarray, shape (trials,)
        Independent draws, higher is better; minus infinity for a failure.
    k : numpy.ndarray of int, shape (points,)
        Numbers of draws.

    Returns
    -------
    value, low, high : numpy.ndarray, shape (points,)
        The quantile of the empirical distribution at 0.5^(1/k), and the values between which that of the
        true one lies; minus or plus infinity where the draws do not bound it.
    """
    ordered = np.sort(values)
    quantile = 0.5 ** (1 / k)
    bounds = rank_bounds(len(values))
    # For y < y_(i), F(y) <= bounds[1][i]; for y >= y_(i), F(y) >= bounds[0][i].
    surely_below = np.searchsorted(bounds[1], quantile, side="left")
    surely_above = np.searchsorted(bounds[0], quantile, side="left")
    ends = np.concatenate([[-np.inf], ordered, [np.inf]])
    place = np.ceil(quantile * len(values) - 1e-9).astype("int64") - 1
    return ordered[place], ends[surely_below], ends[surely_above + 1]


def tuning_curves(trials: pd.DataFrame, question: Question) -> tuple[TuningCurve, ...]:
    """Return the tuning curve of each activation, focus first, on the validation metric.

    Parameters
    ----------
    trials : pandas.DataFrame
        Trials of a `tuned` sweep with the columns `repeat` and `trial`, the same ones for each activation.
    question : Question
        What is asked; with halving there are no curves.
    """
    assert question.tuning is not None
    if question.tuning.halving is not None:
        return ()
    sign = 1.0 if question.higher_is_better else -1.0
    found: list[TuningCurve] = []
    for name in question.activations:
        mine = trials.loc[trials["activation"] == name]
        if mine.empty:
            continue
        values = _merit(mine, question)
        k = spaced(int(mine["trial"].max()) + 1)
        if question.tuning.adaptive:
            running = pd.Series(values).groupby(mine["repeat"].to_numpy()).cummax().to_numpy()
            value = np.array([np.median(running[(mine["trial"] == each - 1).to_numpy()]) for each in k])
            bands = [(value, sign), (np.full(len(k), np.nan), 1.0), (np.full(len(k), np.nan), 1.0)]
        else:
            value, low, high = median_of_best(values, k)
            bands = [(value, sign), *([(low, sign), (high, sign)][:: int(sign)])]
        columns = [[rounded(x * way) if np.isfinite(x) else None for x in each] for each, way in bands]
        points = tuple(
            CurvePoint(k=int(each), value=value, low=low, high=high)
            for each, value, low, high in zip(k, *columns, strict=True)
        )
        found.append(TuningCurve(activation=name, trials=len(mine), points=points))
    return tuple(found)


def _merit(trials: pd.DataFrame, question: Question) -> np.ndarray:
    """Return what trials are chosen by, higher is better; minus infinity for a failure."""
    values = trials[question.chosen_by].to_numpy("float64") * (1.0 if question.higher_is_better else -1.0)
    return np.where((trials["status"] == Status.OK.value) & np.isfinite(values), values, -np.inf)


def best_weights(trials: int, k: np.ndarray) -> np.ndarray:
    """Return the chance that the j-th worst of n trials is the best of k drawn without replacement.

    Returns
    -------
    numpy.ndarray, shape (points, trials)
        C(j - 1, k - 1) / C(n, k); rows sum to 1.
    """
    j = np.arange(1, trials + 1)[None, :]
    size = k[:, None].astype("float64")
    logs = (
        special.gammaln(j) - special.gammaln(size) - special.gammaln(np.maximum(j - size + 1, 1))
        - (special.gammaln(trials + 1) - special.gammaln(size + 1) - special.gammaln(trials - size + 1))
    )  # fmt: skip
    return np.where(j >= size, np.exp(logs), 0.0)


def best_of_differences(
    trials: pd.DataFrame, question: Question, *, chance: float | None
) -> tuple[BestOfDifference, ...]:
    """Return the difference of the best of k between focus and each rival, rival by rival.

    Parameters
    ----------
    trials : pandas.DataFrame
        Trials of a `tuned` sweep with the columns `repeat` and `trial`, the same ones for each activation.
    question : Question
        What is asked.
    chance : float or None
        What a trial that failed scores, in the question's metric; None for the worst score of a trial.

    Notes
    -----
    The estimate is the U-statistic of the best of k. Its interval resamples the trials, the same ones on
    both sides, which tried the same setting. Empty for an adaptive sampler, with halving and with fewer than
    `FEWEST_TRIALS` trials.
    """
    assert question.tuning is not None
    count = len(trials) // len(question.activations)
    ended = trials["status"] == Status.OK.value
    whole = not question.tuning.adaptive and question.tuning.halving is None
    if not whole or count < FEWEST_TRIALS or not ended.any():
        return ()
    k = spaced(min(question.tuning.trials, count // SHARE))
    sign = 1.0 if question.higher_is_better else -1.0
    scores = sign * trials[question.metric].to_numpy("float64")
    floor = float(np.nanmin(scores)) if chance is None else sign * chance
    scores = np.where(ended, scores, floor)
    merits = _merit(trials, question)
    resamples = max(400, min(_RESAMPLES, _SIMULATIONS // count))
    drawn = np.random.default_rng(count).integers(count, size=(resamples, count))
    sampled = np.concatenate([np.arange(count)[None, :], drawn])
    weights = best_weights(count, k)
    curves: dict[str, np.ndarray] = {}
    for name in question.activations:
        mine = (trials["activation"] == name).to_numpy()
        order = np.argsort(merits[mine][sampled], axis=1, kind="stable")
        curves[name] = np.take_along_axis(scores[mine][sampled], order, axis=1) @ weights.T
    found: list[BestOfDifference] = []
    for rival in question.rivals:
        difference = curves[question.focus] - curves[rival]
        low, high = np.quantile(difference[1:], [0.025, 0.975], axis=0)
        found += [
            BestOfDifference(
                rival=rival,
                k=int(each),
                trials=count,
                **{
                    name: float(f"{value:.6g}")
                    for name, value in zip(("difference", "low", "high"), values, strict=True)
                },
            )
            for each, *values in zip(k, difference[0], low, high, strict=True)
        ]
    return tuple(found)
