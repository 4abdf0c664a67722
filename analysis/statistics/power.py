"""How many units a row of the table needs: before a sweep, from a pilot, and for the rows that stay open.

The table adjusts for the number of its rows; planning meets that at the worst, at the level
alpha / (rows of the family), which is the first step of Holm and of Benjamini and Hochberg. So a row has the
power that is said where no other row of its family differs, and more where others do.
"""

import numpy as np
from scipy import special

from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS

POWER = 0.8


def family_alpha(regions: int, rivals: int) -> np.ndarray:
    """Return the level at which each row of a table is planned.

    Parameters
    ----------
    regions, rivals : int
        Of the table; the first region is every configuration.

    Returns
    -------
    numpy.ndarray, shape (regions, 1)
        The overall rows are one family, all others x rivals the second.
    """
    family = np.full((regions, 1), max(1, (regions - 1) * rivals))
    family[0] = rivals
    return ALPHA / family


def planning_deviation(
    deviation: np.ndarray, freedom: np.ndarray | float, alpha: np.ndarray | float
) -> np.ndarray:
    """Return the standard deviation to plan with, where it is an estimate.

    Parameters
    ----------
    deviation : numpy.ndarray
        Estimate of the standard deviation.
    freedom : numpy.ndarray or float
        Its degrees of freedom; infinite where it is known or assumed.
    alpha : numpy.ndarray or float
        Level of the two-sided test.

    Notes
    -----
    Half of all estimates are too small, and a plan that takes them at their word has less power than
    it says. Julious and Owen (2006, Pharmaceutical Statistics 5, 29): with z_alpha + z_beta replaced by a
    quantile of the noncentral t distribution, the power is right in the mean over the estimates. From 15
    units the deviation becomes 6 % larger at a level of 5 %.
    """
    z = special.ndtri(1 - alpha / 2)
    estimated = special.nctdtrit(np.minimum(freedom, 1e6), z, POWER)
    return deviation * estimated / (z + special.ndtri(POWER))


def units_needed(
    deviation: np.ndarray, difference: np.ndarray | float, alpha: np.ndarray | float
) -> np.ndarray:
    """Return how many units find a difference with 80 % power.

    Parameters
    ----------
    deviation : numpy.ndarray
        Standard deviation of the unit means.
    difference : numpy.ndarray or float
        In their unit.
    alpha : numpy.ndarray or float
        Level of the two-sided test.

    Returns
    -------
    numpy.ndarray of float
        At least `MINIMUM_UNITS`.

    Notes
    -----
    The t test's normal formula with the small-sample term of Guenther (1981): within one unit of the
    exact figure of statsmodels, and fast enough for every row of every simulated table.
    """
    z = special.ndtri(1 - alpha / 2)
    needed = ((z + special.ndtri(POWER)) * deviation / difference) ** 2 + z**2 / 2
    return np.maximum(MINIMUM_UNITS, np.ceil(needed))


def detectable(deviation: np.ndarray, units: np.ndarray, alpha: np.ndarray | float) -> np.ndarray:
    """Return the difference that units find with 80 % power, in the unit of the deviation.

    Parameters
    ----------
    deviation : numpy.ndarray
        Standard deviation of the unit means.
    units : numpy.ndarray of int
        Two at least.
    alpha : numpy.ndarray or float
        Level of the two-sided test.

    Notes
    -----
    The noncentral t distribution, solved for its noncentrality. (`TTestPower.solve_power` of statsmodels
    0.15 does the same and, at the levels of large tables, returns differences with a power of 35 to 70 %.)
    """
    freedom = np.maximum(units - 1, 1)
    critical = special.stdtrit(freedom, 1 - alpha / 2)
    return deviation * special.nctdtrinc(freedom, 1 - POWER, critical) / np.sqrt(np.maximum(units, 1))


def units_to_settle(
    deviation: np.ndarray,
    mean: np.ndarray,
    units: np.ndarray,
    *,
    delta: float,
    bound: float,
    alpha: np.ndarray,
) -> np.ndarray:
    """Return about how many units decide a difference of delta, in tests at level alpha.

    Where all units agree (deviation 0), the number at which the exact rule of
    `analysis.statistics.estimates.mean_test` speaks.

    Parameters
    ----------
    deviation, mean : numpy.ndarray, shape (rows, ...)
        Of the unit means seen so far.
    units : numpy.ndarray, shape (rows, ...)
        How many these are; infinite where the deviation is assumed.
    delta, bound : float
        Smallest difference that matters, and the cap.
    alpha : numpy.ndarray
        Level of each test, see `family_alpha`; broadcast to the others.

    Returns
    -------
    numpy.ndarray of float, shape (rows, ...)
        NaN where the deviation is NaN.
    """
    sampled = units_needed(planning_deviation(deviation, np.maximum(units - 1, 1), alpha), delta, alpha)
    size, tie = np.abs(mean), np.abs(mean) < delta
    with np.errstate(divide="ignore", invalid="ignore"):
        # The share of other values that must be ruled out: nearer end of the tie, or 0.
        share = np.where(tie, (delta - size) / (bound - size), size / (bound + size))
        share = np.where(tie, np.minimum(share, (delta + size) / (bound + size)), share)
        agreeing = np.ceil(np.log(np.where(tie, alpha, alpha / 2)) / np.log1p(-share))
    return np.where(deviation == 0, np.maximum(MINIMUM_UNITS, agreeing), sampled)
