"""Failures as outcomes of their own: how often each activation fails, and what is left where none did.

A collapse moves a mean by tens of points, so the rate of failing and the accuracy given that a network
trained are two answers; the paired difference of the table holds both at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.estimates import rounded, win_interval
from analysis.statistics.pairs import FAILURES, at_chance, ended
from analysis.statistics.units import mean_of_units
from study.question import Question


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureRate:
    """How often one activation failed, and its metric where it trained.

    Parameters
    ----------
    activation : str
        Canonical name.
    trainings : int
        Those that ended with a result or a failure of the activation's own doing.
    units : int
        Independent units among them.
    failed : int
        Trainings that diverged or ran out of memory or time.
    stuck : int
        Trainings that ended with a result no better than guessing; 0 where guessing is not known.
    rate, low, high : float or None
        Share of failed trainings, the mean over units, in [0, 1], with its 95 % interval: Wilson's at an
        effective number of units; 3 / units at most where none failed.
    trained : int
        Trainings that neither failed nor stayed at chance.
    metric, metric_low, metric_high : float or None
        Mean of the metric over the units with such a training, with its 95 % t interval.
    """

    activation: str
    trainings: int
    units: int
    failed: int
    stuck: int
    rate: float | None
    low: float | None
    high: float | None
    trained: int
    metric: float | None
    metric_low: float | None
    metric_high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedDifference:
    """The paired difference where both sides trained, beside the one that counts failures.

    Parameters
    ----------
    rival : str
        What the focus is compared with.
    pairs, units : int
        Pairs in which both sides trained, and the units among them.
    difference, low, high : float or None
        Mean difference over these units, with its 95 % t interval; positive = focus better. It says
        nothing of the settings in which either side failed.
    failure_share : float or None
        Share of the difference over all pairs that comes from failures, in [0, 1].
    """

    rival: str
    pairs: int
    units: int
    difference: float | None
    low: float | None
    high: float | None
    failure_share: float | None


def failure_rates(
    runs: pd.DataFrame, question: Question, *, chance: float | None = None
) -> tuple[FailureRate, ...]:
    """Return the failures of each activation, focus first.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`; adaptive rows and machine faults are left out.
    question : Question
        What is asked.
    chance : float or None
        Value of the metric from guessing, in its unit.
    """
    counted = runs.loc[~runs["adaptive"] & ended(runs["status"])]
    by_name = dict(iter(counted.groupby("activation", sort=False)))
    return tuple(
        _rate(by_name.get(name, counted.head(0)), name, question, chance) for name in question.activations
    )


def _rate(ended: pd.DataFrame, name: str, question: Question, chance: float | None) -> FailureRate:
    failed = ended["status"].isin(FAILURES)
    stuck = pd.Series(
        at_chance(ended[question.metric].to_numpy(dtype="float64"), question, chance), index=ended.index
    )
    shares = failed.groupby(ended["unit_id"], sort=False).mean().to_numpy(dtype="float64")
    units = len(shares)
    rate = low = high = np.nan
    if units:
        rate = shares.mean()
        low, high = 0.0, min(1.0, 3 / units)
    if rate > 0:
        spread = shares.var(ddof=1) / units if units > 1 else 0.0
        effective = float(np.clip(rate * (1 - rate) / spread, 1, units)) if spread > 0 else float(units)
        low, high = (float(end) for end in win_interval(np.array(rate), np.array(effective)))
    trained = ended.loc[~failed & ~stuck]
    metric, metric_low, metric_high = mean_of_units(trained[question.metric], trained["unit_id"])
    return FailureRate(
        activation=name,
        trainings=len(ended),
        units=units,
        failed=int(failed.sum()),
        stuck=int(stuck.sum()),
        rate=rounded(rate),
        low=rounded(low),
        high=rounded(high),
        trained=len(trained),
        metric=rounded(metric),
        metric_low=rounded(metric_low),
        metric_high=rounded(metric_high),
    )


def trained_differences(
    paired: Mapping[str, pd.DataFrame],
    shares: Mapping[str, float | None],
    question: Question,
    *,
    chance: float | None = None,
) -> tuple[TrainedDifference, ...]:
    """Return the difference where both sides trained, a row per rival.

    Parameters
    ----------
    paired : dict of str to pandas.DataFrame
        Rival to its `analysis.statistics.pairs.pairs`.
    shares : dict of str to (float or None)
        Rival to the share of failures in its overall difference.
    question : Question
        What is asked.
    chance : float or None
        Value of the metric from guessing; a side that stayed there did not train.
    """
    found: list[TrainedDifference] = []
    for rival in question.rivals:
        pairs = paired[rival]
        sides = pairs[["focus_value", "rival_value"]].to_numpy(dtype="float64")
        quality = (pairs["cause"] == "quality").to_numpy()
        trained = quality & ~at_chance(sides, question, chance).any(axis=1)
        both = pairs.loc[trained]
        difference, low, high = mean_of_units(both["difference"], both["unit_id"])
        found.append(
            TrainedDifference(
                rival=rival,
                pairs=len(both),
                units=both["unit_id"].nunique(),
                difference=rounded(difference),
                low=rounded(low),
                high=rounded(high),
                failure_share=shares[rival],
            )
        )
    return tuple(found)
