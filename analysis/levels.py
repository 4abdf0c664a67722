"""The regions a table has rows for: every configuration, and each level of each condition factor."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.question import Factor, Question
from study.training import Level

MAXIMUM_LEVELS = 6
"""A numeric factor with more listed levels than this is binned."""
MAXIMUM_BINS = 4
CONFIGURATIONS_PER_BIN = 6
"""A bin with fewer could not reach a verdict."""


@dataclass(frozen=True, slots=True)
class Region:
    """A set of configurations that the table has a row for.

    Parameters
    ----------
    parameter, level : str or None
        A condition factor and the label of its level or bin; None for every configuration.
    low, high : float or None
        Ends of the level or bin of a numeric factor, both included.
    """

    parameter: str | None = None
    level: str | None = None
    low: float | None = None
    high: float | None = None


def number_text(value: float, digits: int = 6) -> str:
    """Return a number as people write it: whole numbers in full, others to `digits` significant digits."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.{digits}g}"


def level_text(level: Level) -> str:
    """Return the label of one level."""
    if isinstance(level, bool | np.bool_):
        return "on" if level else "off"
    return number_text(float(level)) if isinstance(level, int | float | np.number) else str(level)


def regions(configurations: pd.DataFrame, question: Question) -> tuple[tuple[Region, ...], np.ndarray]:
    """Return the regions of a table and which configurations lie in each.

    Parameters
    ----------
    configurations : pandas.DataFrame
        One row per configuration, with a column per factor, in the order of the design.
    question : Question
        What is asked.

    Returns
    -------
    regions : tuple of Region
        Every configuration first, then the levels of each condition factor in the order of the spec.
        A level that was never run is there as well.
    inside : numpy.ndarray of bool, shape (regions, configurations)
        In `ofat`, the rows of a factor hold only the configurations with every other factor at the
        baseline: what a walk along another factor did says nothing about this one.
    """
    found = [Region()]
    inside = [np.ones((1, len(configurations)), dtype=bool)]
    baseline = (
        _off_baseline(configurations, question) if question.design == "ofat" and len(configurations) else None
    )
    for factor in question.conditions:
        levels, members = _levels(configurations[factor.name], factor)
        if baseline is not None:
            elsewhere = baseline.drop(columns=factor.name).any(axis=1).to_numpy(dtype=bool)
            members = members & ~elsewhere
        found += levels
        inside.append(members)
    return tuple(found), np.concatenate(inside)


def _off_baseline(configurations: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return, per configuration and factor, whether the factor is away from the baseline.

    The baseline is each factor's most frequent level, the first one of those that are: a walk
    changes one factor and leaves all others where they are.
    """
    factors = configurations[[factor.name for factor in question.factors]]
    return pd.DataFrame(
        {
            name: column != column.iloc[column.map(column.value_counts()).to_numpy().argmax()]
            for name, column in factors.items()
        },
        index=factors.index,
    )


def _listed(values: pd.Series, factor: Factor) -> list[Level] | None:
    """Return the levels that get a row each, or None where the factor is binned."""
    levels: list[Level]
    if factor.levels is not None:
        named = not factor.numeric and values.dtype != bool
        levels = [str(level) if named else level for level in factor.levels]
    elif factor.integer and factor.low is not None and factor.high is not None:
        levels = list(range(int(factor.low), int(factor.high) + 1, factor.step or 1))
    else:
        return None
    # A baseline may lie outside the listed levels; it gets a row rather than vanish.
    unlisted = sorted(set(values.unique().tolist()) - set(levels))
    levels += unlisted
    if factor.numeric:
        if unlisted:
            levels.sort()  # pyright: ignore[reportCallIssue] - all are numbers here
        return levels if len(levels) <= MAXIMUM_LEVELS else None
    return levels


def _levels(values: pd.Series, factor: Factor) -> tuple[list[Region], np.ndarray]:
    """Return the regions of one factor and their members, shape (regions, configurations)."""
    suffix = " × base" if factor.relative else ""
    listed = _listed(values, factor)
    if listed is not None:
        numbers = [float(level) if factor.numeric else None for level in listed]
        found = [
            Region(factor.name, level_text(level) + suffix, number, number)
            for level, number in zip(listed, numbers, strict=True)
        ]
        column = values.to_numpy()
        return found, np.stack([column == level for level in listed]).astype(bool).reshape(
            len(listed), len(values)
        )
    numbers = values.to_numpy(dtype="float64")
    if not len(numbers):
        low, high = factor.low, factor.high
        if factor.levels is not None:
            low, high = min(map(float, factor.levels)), max(map(float, factor.levels))
        assert low is not None
        assert high is not None
        return [_bin(factor, low, high, suffix)], np.zeros((1, 0), dtype=bool)
    code = _equal_count_bins(numbers)
    members = code == np.arange(code.max() + 1)[:, None]
    return [_bin(factor, numbers[row].min(), numbers[row].max(), suffix) for row in members], members


def _bin(factor: Factor, low: float, high: float, suffix: str) -> Region:
    ends = [number_text(end, 3) for end in (low, high)]
    label = ends[0] if low == high else f"{ends[0]} to {ends[1]}"
    return Region(factor.name, label + suffix, float(low), float(high))


def _equal_count_bins(values: np.ndarray) -> np.ndarray:
    """Return a bin code per value: at most four bins of about equal counts, equal values together."""
    bins = int(np.clip(len(values) // CONFIGURATIONS_PER_BIN, 1, MAXIMUM_BINS))
    distinct, counts = np.unique(values, return_counts=True)
    ends = np.cumsum(counts)
    wanted = len(values) * np.arange(1, bins) / bins
    cuts = (
        np.unique(np.abs(ends - wanted[:, None]).argmin(axis=1)) if bins > 1 else np.zeros(0, dtype="int64")
    )
    edges = distinct[cuts[cuts < len(distinct) - 1]]
    return np.searchsorted(edges, values, side="left")
