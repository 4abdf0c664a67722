"""Does a factor matter at all? A permutation test per condition factor and rival.

A criterion such as "more than 15 layers" is only worth looking for where the difference between focus
and rival depends on the factor. The gate asks that first, over all factors and rivals together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd

from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS, holm, rounded
from analysis.statistics.levels import equal_count_bins
from analysis.statistics.units import seeded, walk
from study.question import Factor, Question

Direction = Literal["increasing", "decreasing"]

MAXIMUM_GATE_LEVELS = 10
"""A numeric factor with more values than this is tested in as many bins of about equal counts."""
MINIMUM_PERMUTATIONS = 4999
EXPECTED_BEYOND = 20
"""Permutations expected beyond the strictest level of the family: a p there is known to about 20 %."""
LONGER = (8, 32)
"""Where that leaves open on which side of the level an adjusted p lies, so many times more are drawn, in
turn: it is then known to about 7 %, and to 3 or 4 %."""
CLEAR_ERRORS = 3.0
"""Standard errors between an adjusted p and the level beyond which its side is clear."""
FIRST_LOOK = 1999
CHUNK_CELLS = 4_000_000
PERMUTED_CELLS = 50_000_000
"""Permutations x units above which level sums are drawn from their normal limit instead."""
PRIOR_UNITS = 8.0
"""So many degrees of freedom the pooled variance has in that of a level, beside the level's own."""
SMALLEST_VARIANCE = 1e-9
"""Of a level, as a share of that of all units: levels in which all units agree have a finite weight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Whether the paired difference depends on one factor, against one rival.

    Parameters
    ----------
    parameter : str
        The condition factor.
    rival : str
        What the focus is compared with.
    ordered : bool
        Whether the levels are ordered numbers; else they are names or switches.
    units : int
        Independent units tested; in `ofat` those of the factor's own walk.
    levels : int
        Levels, or bins, with at least one unit.
    direction : {"increasing", "decreasing"} or None
        Ordered factors: the direction in which the focus gains, by the better fit.
    p, p_adjusted : float or None
        Of the permutation test, raw and by Holm over every factor and rival. None where the units or
        levels are too few to test.
    matters : bool
        Whether the adjusted p is at most `analysis.statistics.estimates.ALPHA`.
    """

    parameter: str
    rival: str
    ordered: bool
    units: int
    levels: int
    direction: Direction | None
    p: float | None
    p_adjusted: float | None
    matters: bool


def isotonic(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the non-decreasing weighted least-squares fit of level means, many at once.

    Parameters
    ----------
    sums : numpy.ndarray, shape (fits, levels)
        Sum of the values at each level.
    counts : numpy.ndarray, shape (levels,) or (fits, levels)
        Number of values at each level, or its weight, all positive.

    Returns
    -------
    numpy.ndarray, shape (fits, levels)

    Notes
    -----
    The min-max formula (Barlow et al. 1972): at level j, the largest over a <= j of the smallest over
    b >= j of the mean of levels a to b.
    """
    levels = sums.shape[1]
    totals = np.cumsum(sums, axis=1)
    sizes = np.cumsum(np.atleast_2d(counts), axis=1)
    fitted = np.full(sums.shape, -np.inf)
    for a in range(levels):
        before, size = (totals[:, a - 1 : a], sizes[:, a - 1 : a]) if a else (0.0, 0.0)
        means = (totals[:, a:] - before) / (sizes[:, a:] - size)
        smallest = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        np.maximum(fitted[:, a:], smallest, out=fitted[:, a:])
    return fitted


@dataclass(frozen=True, slots=True)
class _Test:
    """One factor against one rival: which unit has which level."""

    factor: Factor
    code: np.ndarray
    counts: np.ndarray

    def statistic(self, sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Return the spread between levels explained, each level weighted by its own precision.

        Parameters
        ----------
        sums, squares : numpy.ndarray, shape (fits, levels)
            Level sums of the values, which have mean 0 and variance 1 over all units, and of their squares.

        Returns
        -------
        numpy.ndarray, shape (directions, fits)
            Increasing and decreasing for an ordered factor, else one row.
        """
        within = np.maximum(squares - sums**2 / self.counts, 0.0)
        free = self.counts - 1
        pooled = within.sum(axis=1, keepdims=True) / max(1.0, free.sum())
        variance = (PRIOR_UNITS * pooled + within) / (PRIOR_UNITS + free)
        weight = self.counts / np.maximum(variance, SMALLEST_VARIANCE)
        means = sums / self.counts
        means -= (weight * means).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        if not self.factor.numeric:
            return (weight * means**2).sum(axis=1)[None]
        return np.stack(
            [(weight * isotonic(sign * weight * means, weight) ** 2).sum(axis=1) for sign in (1, -1)]
        )


def _test(units: pd.DataFrame, factor: Factor) -> _Test:
    values = units[factor.name].to_numpy()
    levels, code = np.unique(values, return_inverse=True)
    if factor.numeric and len(levels) > MAXIMUM_GATE_LEVELS:
        code = equal_count_bins(values.astype("float64"), MAXIMUM_GATE_LEVELS)
    return _Test(factor, code, np.bincount(code).astype("float64"))


class _Family:
    """Tests that share their units, and with them their permutations.

    Parameters
    ----------
    values : numpy.ndarray, shape (units,)
        Unit means.
    tests : list of _Test
        With a code for each unit.
    rng : numpy.random.Generator
        Decides the permutations.
    limit : bool
        Whether level sums are drawn from their normal limit instead.

    Attributes
    ----------
    observed : list of numpy.ndarray
        The statistic by direction, of each test.
    """

    def __init__(
        self, values: np.ndarray, tests: list[_Test], rng: np.random.Generator, *, limit: bool
    ) -> None:
        self._values = scaled = _standardised(values)
        self._tests, self._rng, self._limit = tests, rng, limit
        self._member = [np.eye(len(test.counts))[test.code] for test in tests]
        self.observed = [
            test.statistic((scaled @ of)[None], (scaled**2 @ of)[None])[:, 0]
            for test, of in zip(tests, self._member, strict=True)
        ]
        # NOTE: sums of the same numbers in another order differ by rounding; such a permutation is as
        # extreme.
        self._bars = [found.max() * (1 - 1e-6) - 1e-9 for found in self.observed]
        self._beyond, self._drawn = np.zeros(len(tests)), np.zeros(len(tests))

    @property
    def p(self) -> np.ndarray:
        """The p-value of each test, by the permutations so far."""
        return (1 + self._beyond) / (1 + self._drawn)

    @property
    def error(self) -> np.ndarray:
        """The standard error of each p-value, as a share of it."""
        return np.sqrt((1 - self.p) / (1 + self._beyond))

    def look(self, permutations: int) -> None:
        """Permute; where a first look gives p > 0.1, more would tell nothing that a table shows."""
        self.draw(np.arange(len(self._tests)), min(FIRST_LOOK, permutations))
        self.draw(np.flatnonzero(self._beyond <= 0.1 * self._drawn), permutations - FIRST_LOOK)

    def draw(self, places: np.ndarray, permutations: int) -> None:
        """Permute so many times more for some of the tests."""
        chunk = max(1, CHUNK_CELLS // (MAXIMUM_GATE_LEVELS if self._limit else len(self._values)))
        while permutations > 0 and len(places):
            size = min(chunk, permutations)
            moments = self._moments(places, size)
            for place, part in zip(places, moments, strict=True):
                statistic = self._tests[place].statistic(*part).max(axis=0)
                self._beyond[place] += (statistic >= self._bars[place]).sum()
            self._drawn[places] += size
            permutations -= size

    def _moments(self, places: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return level sums of permuted values, and of their squares, of each of some tests."""
        if self._limit:
            return _limiting_moments([self._tests[place] for place in places], size, self._rng)
        values = self._values
        shuffled = self._rng.permuted(np.broadcast_to(values, (size, len(values))), axis=1)
        of = np.concatenate([self._member[place] for place in places], axis=1)
        ends = np.cumsum([len(self._tests[place].counts) for place in places])[:-1]
        sums, squares = (np.split(part @ of, ends, axis=1) for part in (shuffled, shuffled**2))
        return list(zip(sums, squares, strict=True))


def _standardised(values: np.ndarray) -> np.ndarray:
    """Return values with mean 0 and variance 1; zeros where all agree up to rounding."""
    centred = values - values.mean()
    spread = centred.std(ddof=1)
    return centred / spread if spread > 1e-9 * np.abs(values).max() else np.zeros(len(values))


def _limiting_moments(
    tests: list[_Test], size: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw level sums of randomly permuted values from their normal limit (Hoeffding 1951).

    With them come sums of squares that give every level the variance of all units, as in the limit.
    """
    drawn: list[tuple[np.ndarray, np.ndarray]] = []
    for test in tests:
        free = np.sqrt(test.counts) * rng.standard_normal((size, len(test.counts)))
        sums = free - free.sum(axis=1, keepdims=True) * test.counts / test.counts.sum()
        drawn.append((sums, sums**2 / test.counts + test.counts - 1))
    return drawn


def gates(units: Mapping[str, pd.DataFrame], question: Question) -> tuple[Gate, ...]:
    """Test every condition factor against every rival.

    Parameters
    ----------
    units : dict of str to pandas.DataFrame
        Rival to what `analysis.statistics.units.unit_means` returned.
    question : Question
        What is asked.

    Returns
    -------
    tuple of Gate
        Factor by factor, rival by rival.

    Notes
    -----
    The unit means are permuted over the units, which keeps each unit's level. The statistic of an
    ordered factor is the weighted sum of squares that an isotonic fit of the level means explains, in
    the better of the two directions, which has power against trends and steps without naming one; that
    of names is the weighted sum of squares between levels (Welch 1951). A level has the weight n / v of
    its mean, v being its own variance, in which that of all levels together counts as `PRIOR_UNITS`
    degrees of freedom (as in Smyth 2004), since a few units say little of a variance.

    NOTE: permutations take all levels to scatter alike. With equal weights the test then opens too often
    where levels that scatter widely are few, or lie at an end. Weighted by precisions it is still exact
    where nothing differs between levels, and approximately right where their variances do (Janssen 1997;
    Chung and Romano 2013; Pauly, Brunner and Konietschke 2015). Failures are such a case.

    There are enough permutations for the smallest p of the family to pass Holm's adjustment (Phipson
    and Smyth 2010 count the data as one of them), and more for those whose adjusted p lies so near the level
    that the draw would decide on which side.
    """
    tests: dict[tuple[int, str], tuple[pd.DataFrame, _Test]] = {}
    for place, factor in enumerate(question.conditions):
        for rival in question.rivals:
            own = walk(units[rival], factor, question)
            tests[place, rival] = own, _test(own, factor)
    eligible = {key: len(own) >= MINIMUM_UNITS and len(test.counts) > 1 for key, (own, test) in tests.items()}
    permutations = max(MINIMUM_PERMUTATIONS, math.ceil(EXPECTED_BEYOND * sum(eligible.values()) / ALPHA))
    # Tests with the same units share their permutations: in a joint design all those against one rival.
    together: dict[tuple[str, tuple[str, ...]], list[tuple[int, str]]] = {}
    for key in filter(eligible.get, tests):
        together.setdefault((key[1], tuple(tests[key][0]["unit_id"])), []).append(key)
    families: list[_Family] = []
    for (_, unit_ids), keys in together.items():
        values = tests[keys[0]][0]["difference"].to_numpy()
        limit = permutations * len(values) > PERMUTED_CELLS
        family = _Family(values, [tests[key][1] for key in keys], seeded(unit_ids, "gates"), limit=limit)
        family.look(permutations)
        families.append(family)
    for times in LONGER:
        adjusted = iter(_adjusted(families))
        for family in families:
            p = np.fromiter(islice(adjusted, len(family.observed)), dtype="float64")
            near = np.abs(np.log(p / ALPHA)) < CLEAR_ERRORS * family.error
            family.draw(np.flatnonzero(near), times * permutations)
    keys = [key for some in together.values() for key in some]
    results = [result for family in families for result in zip(family.observed, family.p, strict=True)]
    found = dict(zip(keys, results, strict=True))
    adjusted_of = dict(zip(keys, _adjusted(families), strict=True))
    return tuple(_gate(key[1], *tests[key], found.get(key), adjusted_of.get(key)) for key in tests)


def _adjusted(families: Sequence[_Family]) -> np.ndarray:
    """Return the p-values of all tests adjusted by Holm, family by family."""
    return holm(np.array([p for family in families for p in family.p]))


def _gate(
    rival: str,
    own: pd.DataFrame,
    test: _Test,
    result: tuple[np.ndarray, float] | None,
    p_adjusted: float | None,
) -> Gate:
    statistic, p = result if result is not None else (None, None)
    direction: Direction | None = None
    if statistic is not None and test.factor.numeric:
        direction = "increasing" if statistic[0] >= statistic[1] else "decreasing"
    return Gate(
        parameter=test.factor.name,
        rival=rival,
        ordered=test.factor.numeric,
        units=len(own),
        levels=len(test.counts),
        direction=direction,
        p=None if p is None else rounded(p),
        p_adjusted=None if p_adjusted is None else rounded(float(p_adjusted)),
        matters=p_adjusted is not None and bool(p_adjusted <= ALPHA),
    )
