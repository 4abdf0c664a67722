"""The overall difference while a sweep runs: an interval that holds however often one looks.

Its error is bounded over all looks together, so a sweep may stop at any of them. It is about the overall rows
alone, and about the first configurations of the design: those that happen to be trained first are no sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize, special

from analysis.frame import runs_frame
from analysis.profile import best_rows
from analysis.statistics.compare import UNINFORMATIVE_LIMIT, Comparison, Verdict
from analysis.statistics.estimates import ALPHA, rounded
from analysis.statistics.pairs import pairs
from analysis.statistics.units import unit_means
from study.ledger import Record
from study.question import Question

FRACTIONS = np.array([0.08, 0.3, 0.95])
"""Shares of the capital that are bet: for differences that spread as widely as the cap allows, for those
that spread by a half or a fifth of it, and for those that hardly spread."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningHeadline:
    """The focus against one rival over the first configurations of the design.

    Parameters
    ----------
    rival : str
        What the focus is compared with.
    configurations : int
        How many of the first configurations of the design are looked at: all of their trainings are in.
    units : int
        Those of them that have a usable pair.
    difference, low, high : float or None
        Mean paired difference over the units, in the metric's unit, and the ends of its confidence
        sequence: with 95 % they hold the truth at every look and for every rival. None without a unit.
    verdict : Verdict
        `ties` where the sequence lies within plus and minus delta, else `wins` or `loses` where it
        excludes 0. A sweep may stop on it.
    """

    rival: str
    configurations: int
    units: int
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict


def confidence_sequence(values: np.ndarray, *, bound: float, alpha: float) -> tuple[float, float]:
    """Return the interval that a confidence sequence for a mean has reached.

    Parameters
    ----------
    values : numpy.ndarray, shape (units,)
        Independent, of one mean, each in [-bound, bound], in the order in which they were looked at.
    bound : float
        In the unit of the values.
    alpha : float
        Chance, over all numbers of units together, that the interval ever misses the mean.

    Returns
    -------
    tuple of float
        Low and high end, in [-bound, bound]. With chance alpha at most, low is above high.

    Notes
    -----
    The betting sequence of Waudby-Smith and Ramdas (2024, arXiv:2010.09686). Against the claim that the
    mean is m, a gambler bets a fixed fraction c of the capital on every value x: it grows by
    1 - c + c (x + bound) / (m + bound), which is 1 in the mean if the claim is true, so that the capital
    reaches 2 / alpha with chance alpha / 2 at most (Ville 1939). The claims against which it did, here
    or with the signs turned, are excluded for good. The capital is spread evenly over `FRACTIONS`; it
    falls as m rises, so the excluded claims are an interval.

    NOTE: it is exact for bounded values, where a sequence that rests on the central limit theorem is
    not: if a rare failure cancels a steady gain, that one is wrong in 40 % of the sweeps, this one in
    2 %. The price: a third to a half more units where nothing fails (`docs/method.md`).
    """
    goal = np.log(2 / alpha)

    def end(signed: np.ndarray) -> float:
        def beyond(mean: float) -> float:
            ratio = (signed + bound) / (mean + bound)
            growth = np.log1p(FRACTIONS[:, None] * (ratio - 1)).cumsum(axis=1)
            capital = special.logsumexp(growth, axis=0) - np.log(len(FRACTIONS))
            return float(capital.max()) - goal

        lowest = -bound * (1 - 1e-9)
        if beyond(lowest) <= 0:
            return -bound
        return optimize.root_scalar(beyond, bracket=(lowest, bound), xtol=1e-6 * bound).root

    return end(values), -end(-values)


def running_headlines(
    paired: Mapping[str, pd.DataFrame], question: Question, configurations: int
) -> tuple[RunningHeadline, ...]:
    """Return the overall rows over the first configurations of a `paired` design, one per rival.

    Parameters
    ----------
    paired : dict of str to pandas.DataFrame
        Rival to its `analysis.statistics.pairs.pairs`.
    question : Question
        What is asked. Its rivals share alpha evenly.
    configurations : int
        How many of the first configurations are complete, see `complete_configurations`.
    """
    return tuple(_running(paired[rival], rival, question, configurations) for rival in question.rivals)


def _running(found: pd.DataFrame, rival: str, question: Question, configurations: int) -> RunningHeadline:
    first = found.loc[found["index"] < configurations]
    units = unit_means(first, question)
    values = units["difference"].to_numpy()
    low = high = np.nan
    verdict = Verdict.NOT_ENOUGH_EVIDENCE
    if len(values):
        alpha = ALPHA / len(question.rivals)
        low, high = confidence_sequence(values, bound=question.loss_cap, alpha=alpha)
        may_tie = bool(first["uninformative"].mean() <= UNINFORMATIVE_LIMIT)
        verdict = _verdict(low, high, question.delta, may_tie=may_tie)
    return RunningHeadline(
        rival=rival,
        configurations=configurations,
        units=len(values),
        difference=rounded(float(values.mean())) if len(values) else None,
        low=rounded(low),
        high=rounded(high),
        verdict=verdict,
    )


def _verdict(low: float, high: float, delta: float, *, may_tie: bool) -> Verdict:
    if low > high:
        return Verdict.NOT_ENOUGH_EVIDENCE
    if -delta < low and high < delta and may_tie:
        return Verdict.TIES
    if low > 0:
        return Verdict.WINS
    return Verdict.LOSES if high < 0 else Verdict.NOT_ENOUGH_EVIDENCE


def stopped_rows(
    rows: Sequence[Comparison], running: Sequence[RunningHeadline], question: Question
) -> tuple[Comparison, ...]:
    """Return the rows of a sweep that stopped early, the overall ones with the verdicts it stopped on.

    The p-values and the t interval of an overall row do not allow for the looks; they stay as they are.
    """
    by_rival = {row.rival: row for row in running}

    def stopped(row: Comparison) -> Comparison:
        found = by_rival[row.rival]
        size = None
        if found.verdict in (Verdict.WINS, Verdict.LOSES):
            nearest = max(found.low or 0.0, -(found.high or 0.0))
            size = "clear" if nearest > question.delta else "unclear"
        return replace(row, verdict=found.verdict, size=size, units_to_settle=None, difference_to_settle=None)

    return tuple(stopped(row) if row.parameter is None else row for row in rows)


def complete_configurations(runs: pd.DataFrame, question: Question) -> int:
    """Return how many of the first configurations of the design have every activation in every block."""
    blocks = runs.loc[~runs["adaptive"]].groupby(["index", "block"])["activation"].nunique()
    whole = (blocks == len(question.activations)).groupby("index").all()
    in_order = whole.index.to_numpy() == np.arange(len(whole))
    return int(np.cumprod(whole.to_numpy() & in_order).sum())


def headlines_of(record: Record) -> tuple[RunningHeadline, ...]:
    """Return the overall rows over the first configurations of a `paired` sweep that are complete.

    Those of a sweep that stopped early are the ones that decided it.
    """
    question = record.question
    runs = best_rows(runs_frame(record), question)
    paired = {rival: pairs(runs, question, rival, chance=record.chance) for rival in question.rivals}
    first = record.stopped_at or complete_configurations(runs, question)
    return running_headlines(paired, question, first)


def decided(record: Record) -> bool:
    """Return whether the trainings of a `paired` sweep decide the overall row of every rival."""
    return all(row.verdict is not Verdict.NOT_ENOUGH_EVIDENCE for row in headlines_of(record))
