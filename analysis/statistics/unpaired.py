"""Focus against rival where their runs share no configuration: Welch's test on configurations.

Every run of the focus stands against every run of the rival. Two results count by their difference, and
a failure as in the paired comparison: a side that failed alone loses the cap, and where both failed there
is no difference. (No other difference is cut at the cap: between two configurations large ones are the
rule, and cutting them would shrink a true difference.) The mean over all of these is a two-sample
U-statistic (Hoeffding 1948); without failures it is the difference of the two means, and the test is
Welch's.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.statistics.compare import Comparison, assemble, members
from analysis.statistics.estimates import MeanTest, RivalRows, mean_test, t_tests
from analysis.statistics.pairs import FAILURES, at_chance, ended
from study.question import Question


@dataclass(frozen=True, slots=True)
class _Side:
    """The runs of one activation in one region.

    Parameters
    ----------
    value : numpy.ndarray, shape (runs,)
        Metric, larger = better; NaN for a failure.
    failed, stuck : numpy.ndarray of bool, shape (runs,)
        Whether a run failed, and whether it stayed at chance.
    unit : numpy.ndarray of int, shape (runs,)
        Code of the configuration, from 0 without gaps.
    """

    value: np.ndarray
    failed: np.ndarray
    stuck: np.ndarray
    unit: np.ndarray

    @property
    def units(self) -> int:
        """Number of configurations."""
        return int(self.unit.max()) + 1 if len(self.unit) else 0

    @property
    def weight(self) -> np.ndarray:
        """Share of each run in the mean over configurations, shape (runs,)."""
        return 1 / (np.bincount(self.unit)[self.unit] * self.units)

    def within(self, runs: np.ndarray) -> "_Side":
        """Return some of the runs."""
        _, unit = np.unique(self.unit[runs], return_inverse=True)
        return _Side(self.value[runs], self.failed[runs], self.stuck[runs], unit)

    def means(self, scores: np.ndarray) -> np.ndarray:
        """Return the mean of each configuration, shape (units,)."""
        return np.bincount(self.unit, weights=scores) / np.bincount(self.unit)


@dataclass(frozen=True, slots=True)
class _Scores:
    """What the runs of one side score on average against the other side, each of shape (runs,).

    `quality` and `failures` (in caps) are the two parts of the difference, `wins` is the share of
    opponents that a run beats, `outcomes` the mean of -1, 0 and +1.
    """

    quality: np.ndarray
    failures: np.ndarray
    wins: np.ndarray
    outcomes: np.ndarray


def _scores(side: _Side, other: _Side, delta: float) -> _Scores:
    weight = other.weight[~other.failed]
    values = other.value[~other.failed]
    order = np.argsort(values, kind="stable")
    values, share = values[order], np.concatenate([[0.0], np.cumsum(weight[order])])
    trained, failed = share[-1], other.weight[other.failed].sum()
    ok = ~side.failed
    # Around one of the results, so that equal ones differ by nothing at all.
    centre = values[len(values) // 2] if len(values) else 0.0
    own, values = np.where(ok, side.value - centre, 0.0), values - centre

    def below(bound: np.ndarray, end: Literal["left", "right"]) -> np.ndarray:
        """Return the share of opponents with a result below a bound ("left"), or at most that."""
        return share[np.searchsorted(values, bound, side=end)]

    better, worse = below(own - delta, "right"), trained - below(own + delta, "left")
    return _Scores(
        quality=np.where(ok, own * trained - float(weight[order] @ values), 0.0),
        failures=np.where(ok, failed, -trained),
        wins=np.where(ok, (below(own, "left") + below(own, "right")) / 2 + failed, failed / 2),
        outcomes=np.where(ok, better - worse + failed, -trained),
    )


def _test(ours: np.ndarray, theirs: np.ndarray, *, bound: float, delta: float) -> MeanTest:
    """Test the mean of a two-sample U-statistic; arrays of one region.

    Parameters
    ----------
    ours, theirs : numpy.ndarray, shape (units,)
        What each unit of either side scores on average against the other; their means are opposite.
    bound, delta : float
        As in `analysis.statistics.estimates.mean_test`.
    """
    sizes = np.array([len(ours), len(theirs)])
    if sizes.min() < 2:
        mean = float(ours.mean()) if sizes.min() else np.nan
        return MeanTest(np.array([mean]), *(np.full(1, np.nan) for _ in range(5)))
    spread = np.array([ours.var(ddof=1), theirs.var(ddof=1)])
    mean = float(ours.mean())
    if np.sqrt(spread.max()) <= 1e-9 * bound:
        # No spread can be estimated: the exact rule for units that agree, with the smaller side's number.
        size = int(sizes.min())
        return mean_test(
            np.full(size, mean), np.ones((1, size), dtype=bool), bound=max(bound, abs(mean)), delta=delta
        )
    parts = spread / sizes
    free = parts.sum() ** 2 / (parts**2 / (sizes - 1)).sum()
    means = np.array([mean])
    numbers = t_tests(means, np.sqrt(parts.sum(keepdims=True)), np.array([free]), delta)
    return MeanTest(means, np.sqrt(spread.sum(keepdims=True)), *numbers)


def _row(focus: _Side, rival: _Side, question: Question) -> RivalRows:
    """Estimate everything about one rival in one region; fields have the shape (1,)."""
    cap, sizes = question.loss_cap, (focus.units, rival.units)
    empty = MeanTest(*(np.full(1, np.nan) for _ in range(6)))
    main, smaller, larger, outcomes = empty, empty, empty, empty
    win_rate = win_units = failure_share = uninformative = np.nan
    if min(sizes):
        ours, theirs = _scores(focus, rival, question.delta), _scores(rival, focus, question.delta)

        def at_cap(cap: float) -> MeanTest:
            return _test(
                focus.means(ours.quality + cap * ours.failures),
                rival.means(theirs.quality + cap * theirs.failures),
                bound=cap,
                delta=question.delta,
            )

        main, smaller, larger = at_cap(cap), at_cap(0.6 * cap), at_cap(2 * cap)
        outcomes = _test(focus.means(ours.outcomes), rival.means(theirs.outcomes), bound=1.0, delta=0.0)
        wins = focus.means(ours.wins), rival.means(theirs.wins)
        win_rate = float(wins[0].mean())
        variance = sum(each.var(ddof=1) / len(each) if len(each) > 1 else 0.0 for each in wins)
        win_units = float(min(sizes))
        if variance > 0:
            win_units = float(np.clip(win_rate * (1 - win_rate) / variance, 1, sum(sizes)))
        failures = abs(cap * focus.means(ours.failures).mean())
        quality = abs(focus.means(ours.quality).mean())
        failure_share = failures / (failures + quality) if failures + quality else np.nan
        silent = [(side.weight @ side.failed, side.weight @ side.stuck) for side in (focus, rival)]
        uninformative = float(np.prod(silent, axis=0).sum())
    numbers = {
        "pairs": min(len(focus.value), len(rival.value)),
        "units": min(sizes),
        "dropped": 0,
        "win_rate": win_rate,
        "win_units": win_units,
        "focus_failures": focus.failed.sum(),
        "rival_failures": rival.failed.sum(),
        "both_failed": 0,
        "mcnemar_p": np.nan,
        "failure_share": failure_share,
        "uninformative": uninformative,
    }
    arrays = {name: np.array([value], dtype="float64") for name, value in numbers.items()}
    return RivalRows(main=main, caps=(smaller, larger), outcomes=outcomes, **arrays)


def _joined(parts: Sequence[Any]) -> Any:
    """Return the rows of several regions as one: arrays end to end, in every field."""
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    if isinstance(first, tuple):
        return tuple(_joined(each) for each in zip(*parts, strict=True))
    fields = [field.name for field in dataclasses.fields(first)]
    return type(first)(**{name: _joined([getattr(part, name) for part in parts]) for name in fields})


def unpaired_comparisons(
    runs: pd.DataFrame, question: Question, *, chance: float | None = None, strict: bool = False
) -> tuple[Comparison, ...]:
    """Compare the focus with every rival without pairs, overall and at every level of every condition.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`.
    question : Question
        What is asked.
    chance : float or None
        Value of the metric from guessing, in its unit.
    strict : bool
        Adjust the level rows by Holm as well.

    Returns
    -------
    tuple of Comparison
        As from `analysis.statistics.compare.comparisons`, and judged by the same rules.
    """
    regions, inside, configurations = members(runs, question)
    counted = runs.loc[~runs["adaptive"] & ended(runs["status"])]
    sides: dict[str, tuple[_Side, np.ndarray]] = {}
    for name in question.activations:
        own = counted.loc[counted["activation"] == name]
        value = own[question.metric].to_numpy(dtype="float64")
        stuck = at_chance(value, question, chance)
        sign = 1.0 if question.higher_is_better else -1.0
        failed = own["status"].isin(FAILURES).to_numpy()
        side = _Side(sign * value, failed, stuck, pd.factorize(own["unit_id"])[0])
        sides[name] = side, inside[:, configurations.get_indexer(pd.Index(own["configuration"]))]

    focus, ours = sides[question.focus]
    rows: list[RivalRows] = []
    for name in question.rivals:
        rival, theirs = sides[name]
        parts = [
            _row(focus.within(of_focus), rival.within(of_rival), question)
            for of_focus, of_rival in zip(ours, theirs, strict=True)
        ]
        rows.append(_joined(parts))
    return assemble(regions, rows, question, strict=strict)
