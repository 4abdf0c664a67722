"""The independent units of one rival: their differences and levels, in the order of the design."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from analysis.statistics.estimates import ALPHA
from analysis.statistics.levels import off_baseline
from study.question import Factor, Question


def unit_means(found: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return one row per unit: its levels and the mean over its pairs.

    Parameters
    ----------
    found : pandas.DataFrame
        What `analysis.statistics.pairs.pairs` returned.
    question : Question
        What is asked.

    Returns
    -------
    pandas.DataFrame
        Sorted as the design: `unit_id`, `configuration`, the factors, `difference` (mean paired
        difference, in the metric's unit), `wins` (share of pairs in which the focus is better, a tie
        counting half) and `uninformative` (share of pairs that say nothing).
    """
    factors = [factor.name for factor in question.factors]
    groups = found.assign(wins=(1 + np.sign(found["difference"])) / 2).groupby("unit_id", sort=False)
    units = groups[["configuration", *factors]].first()
    for name in ("difference", "wins", "uninformative"):
        units[name] = groups[name].mean()
    return units.reset_index()


def walk(units: pd.DataFrame, factor: Factor, question: Question) -> pd.DataFrame:
    """Return the units that speak for a factor: all, in `ofat` those of the factor's own walk."""
    if question.design != "ofat":
        return units
    others = off_baseline(units, question).drop(columns=factor.name)
    return units.loc[~others.any(axis=1)].reset_index(drop=True)


def mean_of_units(values: pd.Series, unit_ids: pd.Series) -> tuple[float, float, float]:
    """Return the mean over units with the ends of its 95 % t interval; NaN where there are too few.

    Parameters
    ----------
    values : pandas.Series
        Averaged within their units first.
    unit_ids : pandas.Series
        Unit of each value.
    """
    means = values.groupby(unit_ids, sort=False).mean().to_numpy(dtype="float64")
    count = len(means)
    if count < 2:
        return (means[0] if count else np.nan), np.nan, np.nan
    half = float(special.stdtrit(count - 1, 1 - ALPHA / 2)) * means.std(ddof=1) / np.sqrt(count)
    return means.mean(), means.mean() - half, means.mean() + half


def seeded(unit_ids: Sequence[str] | pd.Series, purpose: str) -> np.random.Generator:
    """Return the random numbers of one purpose, decided by the units alone.

    So the same frame gives the same bytes, and neither a result, the order of rows, nor the name of
    an activation moves a draw.
    """
    digest = hashlib.sha256("\n".join([purpose, *unit_ids]).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4"))
