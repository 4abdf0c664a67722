"""The ways to cut units in two, along every condition factor, and how much each takes out."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.levels import MAXIMUM_BINS, equal_count_bins, level_text, log_spaced, number_text
from study.question import Factor, Question

MAXIMUM_CUTS = 15
"""A number is cut in at most so many places, at about equal counts."""
SMALLEST_VARIANCE = 1e-9
"""Of the units that are cut in two, as a share of that of all: where all agree, a cut takes out nothing."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A way to cut the units in two: by a bound on a number, or by one level.

    Parameters
    ----------
    factor : Factor
        Along which.
    level : str or None
        The units at this level are set apart from all others; None for a number.
    bound : float
        Of a number: the units above it are set apart.
    """

    factor: Factor
    level: str | None = None
    bound: float = 0.0

    def condition(self, *, above: bool) -> str:
        """Return one side as text."""
        if self.level is not None:
            return f"{self.factor.name} {'' if above else 'not '}{self.level}"
        return f"{self.factor.name} {'above' if above else 'up to'} {number_text(self.bound, 3)}"


@dataclass(frozen=True, slots=True)
class Cuts:
    """Every cut of every factor, and the levels of each.

    Parameters
    ----------
    cuts : tuple of Cut
        Those of one factor are neighbours.
    factor : numpy.ndarray of int, shape (cuts,)
        Place of the factor of each cut.
    above : numpy.ndarray of float, shape (units, cuts)
        1 where a unit lies above the bound, or is at the level.
    codes : tuple of numpy.ndarray of int, each of shape (units,)
        Level of each unit, factor by factor; of a number, one of at most four bins as in the table.
    """

    cuts: tuple[Cut, ...]
    factor: np.ndarray
    above: np.ndarray
    codes: tuple[np.ndarray, ...]

    def of(self, units: np.ndarray) -> "Cuts":
        """Return the cuts of a part of the units."""
        return Cuts(self.cuts, self.factor, self.above[units], tuple(code[units] for code in self.codes))

    def strength(self, values: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return the squared error that each cut takes out among the units inside, over their variance.

        Parameters
        ----------
        values : numpy.ndarray, shape (..., units)
            Differences.
        inside : numpy.ndarray of bool, shape (units,)
            The units that are cut in two.

        Returns
        -------
        numpy.ndarray, shape (..., cuts)
            -1 where a side would be too small.
        """
        size, fewest = int(inside.sum()), max(8, len(inside) // 20)
        count = self.above[inside].sum(axis=0)
        allowed = np.minimum(count, size - count) >= fewest
        if not allowed.any():
            return np.full((*values.shape[:-1], len(self.cuts)), -1.0)
        centred = values[..., inside] - values[..., inside].mean(axis=-1, keepdims=True)
        smallest = SMALLEST_VARIANCE * (values**2).mean(axis=-1, keepdims=True) + np.finfo("float64").tiny
        variance = np.maximum((centred**2).sum(axis=-1, keepdims=True) / (size - 1), smallest)
        sums = centred @ self.above[inside]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(allowed, sums**2 * (1 / count + 1 / (size - count)) / variance, -1.0)

    def best(self, values: np.ndarray, inside: np.ndarray, among: np.ndarray) -> tuple[int, float]:
        """Return the strongest of some cuts among the units inside, with its strength."""
        found = np.where(among, self.strength(values, inside), -1.0)
        return int(found.argmax()), float(found.max())

    def first(self, values: np.ndarray, factor: int | None = None) -> tuple[int, float]:
        """Return the strongest cut of one factor, or of any, among all units."""
        among = (self.factor == factor) | (factor is None)
        return self.best(values, np.ones(len(values), dtype=bool), among)

    def left(self, difference: np.ndarray, factor: int) -> np.ndarray:
        """Return what the levels of one factor leave of the differences; 0 where it is rounding alone."""
        left = difference - level_means(self.codes[factor], difference)[self.codes[factor]]
        return np.where(np.abs(left) > SMALLEST_VARIANCE * np.abs(difference).max(), left, 0.0)


def level_means(code: np.ndarray, values: np.ndarray, levels: int = 0) -> np.ndarray:
    """Return the mean of the values at each level, that of all where a level has none."""
    count = np.bincount(code, minlength=levels)
    return np.where(count > 0, np.bincount(code, values, levels) / np.maximum(count, 1), values.mean())


def all_cuts(units: pd.DataFrame, question: Question) -> Cuts:
    """Return the cuts of all condition factors.

    Parameters
    ----------
    units : pandas.DataFrame
        What `analysis.statistics.units.unit_means` returned.
    question : Question
        What is asked.
    """
    cuts: list[Cut] = []
    above: list[np.ndarray] = []
    places: list[int] = []
    codes: list[np.ndarray] = []
    for place, factor in enumerate(question.conditions):
        found = units[factor.name].to_numpy()
        if factor.numeric:
            numbers = found.astype("float64")
            codes.append(equal_count_bins(numbers, MAXIMUM_BINS))
            bins = equal_count_bins(numbers, MAXIMUM_CUTS + 1)
            for cut in range(bins.max()):
                ends = numbers[bins <= cut].max(), numbers[bins > cut].min()
                bound = math.sqrt(ends[0] * ends[1]) if log_spaced(factor) else sum(ends) / 2
                cuts.append(Cut(factor, bound=bound))
                above.append(bins > cut)
        else:
            levels, code = np.unique(found, return_inverse=True)
            codes.append(code)
            for level in range(len(levels) if len(levels) > 2 else len(levels) - 1):
                cuts.append(Cut(factor, level=level_text(levels[level])))
                above.append(code == level)
        places += [place] * (len(cuts) - len(places))
    return Cuts(tuple(cuts), np.array(places), np.array(above, dtype="float64").T, tuple(codes))
