"""Focus against one rival: what a set of pairs says, overall and at every level.

Every statistic acts on the paired difference of two trainings of one block, averaged within its
unit (in a `paired` sweep the configuration, replicates nested). A failure is a loss, never a gap.
The page `docs/method.md` argues for each choice and gives the simulated error rates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.statistics.estimates import (
    ALPHA,
    MINIMUM_UNITS,
    MeanTest,
    RivalRows,
    adjusted,
    rival_rows,
    rounded,
    win_interval,
)
from analysis.statistics.levels import Region, regions
from analysis.statistics.power import family_alpha, units_to_settle
from study.question import Question

UNINFORMATIVE_LIMIT = 0.2


class Verdict(StrEnum):
    """What the pairs say about the focus."""

    WINS = "wins"
    LOSES = "loses"
    TIES = "ties"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"

    @property
    def words(self) -> str:
        """The verdict as people read it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Everything about the focus against one rival in one region of the sweep.

    Numbers are None where they do not exist: no pair, or no interval from a single unit. In an unpaired
    table (see `analysis.statistics.unpaired`) `pairs` and `units` are the runs and configurations of the side
    that has fewer, `deviation` is that of the difference between one unit of either side, and `mcnemar_p`
    is None.

    Parameters
    ----------
    rival : str
        What the focus is compared with.
    parameter, level : str or None
        The region: a condition factor and the label of one of its levels (or bins); both None for
        the headline, which covers every configuration.
    level_low, level_high : float or None
        Smallest and largest value in the region of a numeric factor (equal for a single level).
    pairs : int
        Blocks in which both sides ended in a result or a failure.
    units : int
        Independent units among them; n of every interval and test.
    dropped : int
        Blocks of the region without a usable pair: one side stopped by a machine fault, or absent.
    difference, low, high : float or None
        Mean paired difference D over units, in the metric's unit, positive = focus better, and its
        95 % t interval.
    deviation : float or None
        Standard deviation of the unit means (0 where all are equal).
    win_rate, win_rate_low, win_rate_high : float or None
        Share of pairs in which the focus is better, a tie counting half, in [0, 1], and its 95 %
        interval (Wilson).
    p, p_adjusted : float or None
        Two-sided p of D = 0, raw and adjusted within its family. Adjusted only where a verdict is
        possible, that is, with at least `MINIMUM_UNITS` units.
    p_tie, p_tie_adjusted : float or None
        p of the equivalence test (two one-sided tests against plus and minus delta), likewise. 1 where
        too many pairs are uninformative.
    verdict : Verdict
        `wins`, `loses`, `ties` or `not_enough_evidence`.
    size : {"clear", "unclear"} or None
        For wins and losses: whether the whole interval lies beyond delta.
    stable_under : dict of str to bool
        Whether the verdict stands at 0.6 and 2 times the cap (`cap_0.6`, `cap_2`) and when only
        the outcomes -1, 0, +1 are counted (`outcomes`). Empty where no verdict is possible.
    focus_failures, rival_failures, both_failed : int
        Pairs in which the focus failed, the rival failed (a pair in which both failed is in either)
        and in which both did.
    mcnemar_p : float or None
        Exact McNemar p for unequal failure rates, on units. None without any pair.
    failure_share : float or None
        Share of D that comes from failures rather than from quality, in [0, 1]. None where D has no
        part at all.
    uninformative : float or None
        Share of pairs in which both sides failed or both stayed at chance, in [0, 1]. Above
        `UNINFORMATIVE_LIMIT` the region is never called a tie.
    units_to_settle : int or None
        For `not_enough_evidence`: about how many units in this region would decide a difference of
        delta with 80 % power, or one of delta / 2 where there are that many already. None where both
        are reached, where pairs are uninformative, or where nothing is known of the spread.
    difference_to_settle : float or None
        The difference that so many units would decide: delta or delta / 2.
    """

    rival: str
    parameter: str | None = None
    level: str | None = None
    level_low: float | None = None
    level_high: float | None = None
    pairs: int
    units: int
    dropped: int
    difference: float | None
    low: float | None
    high: float | None
    deviation: float | None
    win_rate: float | None
    win_rate_low: float | None
    win_rate_high: float | None
    p: float | None
    p_adjusted: float | None
    p_tie: float | None
    p_tie_adjusted: float | None
    verdict: Verdict
    size: Literal["clear", "unclear"] | None
    stable_under: Mapping[str, bool] = field(default_factory=dict)
    focus_failures: int
    rival_failures: int
    both_failed: int
    mcnemar_p: float | None
    failure_share: float | None
    uninformative: float | None
    units_to_settle: int | None
    difference_to_settle: float | None = None


def members(runs: pd.DataFrame, question: Question) -> tuple[tuple[Region, ...], np.ndarray, pd.Index]:
    """Return the regions of a table, which configurations lie in each, and the configurations.

    Returns
    -------
    regions : tuple of Region
        See `analysis.statistics.levels.regions`.
    inside : numpy.ndarray of bool, shape (regions, configurations)
        Membership.
    configurations : pandas.Index
        Digests, in the order of the design.
    """
    used = runs.loc[~runs["adaptive"]]
    configurations = used.drop_duplicates("configuration").sort_values(["index", "configuration"])
    found, inside = regions(configurations, question)
    return found, inside, pd.Index(configurations["configuration"])


def comparisons(
    runs: pd.DataFrame, paired: Mapping[str, pd.DataFrame], question: Question, *, strict: bool = False
) -> tuple[Comparison, ...]:
    """Compare the focus with every rival, overall and at every level of every condition factor.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`.
    paired : dict of str to pandas.DataFrame
        Rival to its `analysis.statistics.pairs.pairs`.
    question : Question
        What is asked.
    strict : bool
        Adjust the level rows by Holm as well.

    Returns
    -------
    tuple of Comparison
        Region by region (every configuration first), rival by rival.
    """
    used = runs.loc[~runs["adaptive"]]
    found, inside, places = members(runs, question)
    rows: list[RivalRows] = []
    for rival in question.rivals:
        sides = used.loc[used["activation"].isin([question.focus, rival])].drop_duplicates("block")
        blocks = np.bincount(places.get_indexer(pd.Index(sides["configuration"])), minlength=len(places))
        position = places.get_indexer(pd.Index(paired[rival]["configuration"]))
        rows.append(rival_rows(paired[rival], blocks, inside, position, question))
    return assemble(found, rows, question, strict=strict)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """Tests of all rows with their adjustment and verdicts: arrays of shape (regions, rivals)."""

    p: np.ndarray
    p_adjusted: np.ndarray
    p_tie: np.ndarray
    p_tie_adjusted: np.ndarray
    verdict: np.ndarray


def _judged(tests: list[MeanTest], eligible: np.ndarray, ignorant: np.ndarray, *, strict: bool) -> _Judgement:
    """Adjust and judge: ties first, then wins or loses.

    Parameters
    ----------
    tests : list of MeanTest
        One per rival.
    eligible : numpy.ndarray of bool, shape (regions, rivals)
        Rows with enough units for a verdict.
    ignorant : numpy.ndarray of bool, shape (regions, rivals)
        Rows with too many uninformative pairs.
    strict : bool
        Adjust the level rows by Holm as well.
    """
    mean, p, p_tie = (
        np.stack([getattr(test, name) for test in tests], axis=1) for name in ("mean", "p", "p_tie")
    )
    # NOTE: pairs that cannot differ pull the mean towards 0 and would make a tie out of ignorance. In
    # its family such a row counts as p = 1, so that it cannot lend strength to the others.
    p_tie = np.where(ignorant & np.isfinite(p_tie), 1.0, p_tie)
    p_adjusted, p_tie_adjusted = (adjusted(x, eligible, strict=strict) for x in (p, p_tie))
    verdict = np.select(
        [p_tie_adjusted <= ALPHA, (p_adjusted <= ALPHA) & (mean > 0), (p_adjusted <= ALPHA) & (mean < 0)],
        [Verdict.TIES.value, Verdict.WINS.value, Verdict.LOSES.value],
        Verdict.NOT_ENOUGH_EVIDENCE.value,
    )
    return _Judgement(p, p_adjusted, p_tie, p_tie_adjusted, verdict)


def assemble(
    found: tuple[Region, ...], rows: list[RivalRows], question: Question, *, strict: bool
) -> tuple[Comparison, ...]:
    """Judge the rows of all rivals together and pack them, region by region, rival by rival."""

    def stacked(name: str) -> np.ndarray:
        return np.stack([getattr(row, name) for row in rows], axis=1)

    units, uninformative = stacked("units"), stacked("uninformative")
    eligible, ignorant = units >= MINIMUM_UNITS, uninformative > UNINFORMATIVE_LIMIT
    main, smaller, larger, outcomes = (
        _judged(tests, eligible, ignorant, strict=strict)
        for tests in (
            [row.main for row in rows],
            [row.caps[0] for row in rows],
            [row.caps[1] for row in rows],
            [row.outcomes for row in rows],
        )
    )
    mean, deviation, low, high = (
        np.stack([getattr(row.main, name) for row in rows], axis=1)
        for name in ("mean", "deviation", "low", "high")
    )
    is_open = main.verdict == Verdict.NOT_ENOUGH_EVIDENCE.value
    decided = ~is_open & (main.verdict != Verdict.TIES.value)
    stable = {
        "cap_0.6": smaller.verdict == main.verdict,
        "cap_2": larger.verdict == main.verdict,
        # A tie or an open verdict stands unless the outcomes speak for one side.
        "outcomes": outcomes.verdict == np.where(decided, main.verdict, Verdict.NOT_ENOUGH_EVIDENCE.value),
    }
    clear = (low > question.delta) | (high < -question.delta)

    alpha = family_alpha(*units.shape)
    needed = [
        units_to_settle(deviation, mean, units, delta=delta, bound=question.loss_cap, alpha=alpha)
        for delta in (question.delta, question.delta / 2)
    ]
    # Where the first number is reached and the row still open, the truth lies near half of delta: there a
    # difference is hardest to tell from a tie.
    settle = np.select([needed[0] > units, needed[1] > units], needed, np.nan)
    settle = np.where(is_open & ~ignorant, settle, np.nan)
    settled = np.where(needed[0] > units, question.delta, question.delta / 2)

    win_low, win_high = win_interval(stacked("win_rate"), stacked("win_units"))
    counts = {
        name: stacked(name)
        for name in ("pairs", "units", "dropped", "focus_failures", "rival_failures", "both_failed")
    }
    numbers = {
        "difference": mean,
        "low": low,
        "high": high,
        "deviation": deviation,
        "win_rate": stacked("win_rate"),
        "win_rate_low": win_low,
        "win_rate_high": win_high,
        "p": main.p,
        "p_adjusted": main.p_adjusted,
        "p_tie": main.p_tie,
        "p_tie_adjusted": main.p_tie_adjusted,
        "mcnemar_p": stacked("mcnemar_p"),
        "failure_share": stacked("failure_share"),
        "uninformative": uninformative,
    }

    def packed(r: int, c: int) -> Comparison:
        values: dict[str, Any] = {name: int(array[r, c]) for name, array in counts.items()}
        values |= {name: rounded(array[r, c]) for name, array in numbers.items()}
        return Comparison(
            rival=question.rivals[c],
            parameter=found[r].parameter,
            level=found[r].level,
            level_low=found[r].low,
            level_high=found[r].high,
            verdict=Verdict(main.verdict[r, c]),
            size=("clear" if clear[r, c] else "unclear") if decided[r, c] else None,
            stable_under={name: bool(array[r, c]) for name, array in stable.items() if eligible[r, c]},
            units_to_settle=int(settle[r, c]) if np.isfinite(settle[r, c]) else None,
            difference_to_settle=rounded(settled[r, c]) if np.isfinite(settle[r, c]) else None,
            **values,
        )

    return tuple(packed(r, c) for r in range(len(found)) for c in range(len(rows)))
