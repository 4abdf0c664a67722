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


def log_spaced(factor: Factor) -> bool:
    """Return whether a numeric factor belongs on a logarithmic axis.

    It does where the spec says so, and where three or more positive levels grow by about the same
    ratio (16, 32, 64 or 0.001, 0.003, 0.01).
    """
    if factor.log or factor.levels is None or len(factor.levels) < 3:
        return factor.log
    levels = np.sort(np.array(factor.levels, dtype="float64"))
    if levels[0] <= 0:
        return False
    steps = np.diff(np.log(levels))
    return bool(steps.max() <= 1.3 * steps.min() and steps.min() >= np.log(1.8))


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
        In `ofat`, the rows of a factor hold its own walk alone, that is, the configurations with every
        other factor at the baseline. So the baseline is in one row of every factor.
    """
    found = [Region()]
    inside = [np.ones((1, len(configurations)), dtype=bool)]
    ofat = question.design == "ofat"
    away = off_baseline(configurations, question) if ofat else pd.DataFrame(index=configurations.index)
    for factor in question.conditions:
        levels, members = _levels(configurations[factor.name].to_numpy(), factor, each=ofat)
        others = away.drop(columns=factor.name) if ofat else away
        found += levels
        inside.append(members & ~others.any(axis=1).to_numpy(dtype=bool))
    return tuple(found), np.concatenate(inside)


def off_baseline(configurations: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return which factors are away from the baseline of an `ofat` question.

    Parameters
    ----------
    configurations : pandas.DataFrame
        Has a column per factor.
    question : Question
        Its baseline has a level for every factor.

    Returns
    -------
    pandas.DataFrame
        Booleans, a column per factor, rows as in `configurations`.
    """
    baseline = dict(question.baseline)
    return pd.DataFrame(
        {
            factor.name: ~_at(configurations[factor.name].to_numpy(), baseline[factor.name])
            for factor in question.factors
        },
        index=configurations.index,
    )


def _at(values: np.ndarray, level: Level) -> np.ndarray:
    """Return where a factor is at `level`; a number read back from text may be off by a rounding."""
    if values.dtype.kind in "iuf":
        return np.isclose(values, float(level), rtol=1e-9, atol=0)
    return values == (level if values.dtype.kind == "b" else str(level))


def _listed(values: np.ndarray, factor: Factor) -> list[Level] | None:
    """Return the levels of a factor in the order of its rows, or None for a range."""
    levels: list[Level]
    if factor.levels is not None:
        levels = list(factor.levels)
    elif factor.integer and factor.low is not None and factor.high is not None:
        levels = list(range(int(factor.low), int(factor.high) + 1, factor.step or 1))
    else:
        return None
    # A baseline may lie outside the listed levels; it gets a row rather than vanish.
    known = np.any([_at(values, level) for level in levels], axis=0)
    unlisted = sorted(set(values[~known].tolist()))
    levels += unlisted
    if unlisted and factor.numeric:
        levels.sort(key=float)
    return levels


def _levels(values: np.ndarray, factor: Factor, *, each: bool) -> tuple[list[Region], np.ndarray]:
    """Return the regions of one factor and their members, shape (regions, configurations).

    A range, and a long list of numbers unless `each` level is wanted, becomes a few bins.
    """
    suffix = " × base" if factor.relative else ""
    listed = _listed(values, factor)
    if listed is not None and (each or not factor.numeric or len(listed) <= MAXIMUM_LEVELS):
        numbers = [float(level) if factor.numeric else None for level in listed]
        found = [
            Region(factor.name, level_text(level) + suffix, number, number)
            for level, number in zip(listed, numbers, strict=True)
        ]
        return found, np.stack([_at(values, level) for level in listed])
    if not len(values):
        low, high = factor.low, factor.high
        if factor.levels is not None:
            low, high = min(map(float, factor.levels)), max(map(float, factor.levels))
        assert low is not None
        assert high is not None
        return [_bin(factor, low, high, suffix)], np.zeros((1, 0), dtype=bool)
    numbers = values.astype("float64")
    code = equal_count_bins(numbers, int(np.clip(len(values) // CONFIGURATIONS_PER_BIN, 1, MAXIMUM_BINS)))
    members = code == np.arange(code.max() + 1)[:, None]
    return [_bin(factor, numbers[row].min(), numbers[row].max(), suffix) for row in members], members


def _bin(factor: Factor, low: float, high: float, suffix: str) -> Region:
    ends = [number_text(end, 3) for end in (low, high)]
    label = ends[0] if low == high else f"{ends[0]} to {ends[1]}"
    return Region(factor.name, label + suffix, float(low), float(high))


def equal_count_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Return a bin code per value: at most `bins` bins of about equal counts, equal values together."""
    distinct, counts = np.unique(values, return_counts=True)
    ends = np.cumsum(counts)
    wanted = len(values) * np.arange(1, bins) / bins
    cuts = (
        np.unique(np.abs(ends - wanted[:, None]).argmin(axis=1)) if bins > 1 else np.zeros(0, dtype="int64")
    )
    edges = distinct[cuts[cuts < len(distinct) - 1]]
    return np.searchsorted(edges, values, side="left")
