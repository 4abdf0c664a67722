"""Shares counted over independent repeats of a random draw, with their exact interval."""

from dataclasses import dataclass

import numpy as np

from analysis.statistics.estimates import ALPHA, rounded


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How often something happened.

    Parameters
    ----------
    count : float
        Repeats in which it did; a tie may count half.
    of : int
        All repeats.
    value : float
        Their ratio, in [0, 1].
    low, high : float
        Its 95 % interval: what the number of repeats leaves open, and nothing else.
    """

    count: float
    of: int
    value: float
    low: float
    high: float


def share(count: float, of: int) -> Share:
    """Return a share with the interval of Clopper and Pearson (1934).

    Parameters
    ----------
    count : float
        Repeats in which it happened, in [0, `of`]. With halves the interval is at least as wide as needed:
        a mean of 0, 1/2 and 1 varies less than one of 0 and 1.
    of : int
        All repeats, at least 1.
    """
    from statsmodels.stats.proportion import proportion_confint

    ends = np.array(proportion_confint(count, of, alpha=ALPHA, method="beta"), dtype="float64")
    value, lowest, highest = (rounded(number) for number in (count / of, *ends.tolist()))
    assert value is not None
    assert lowest is not None
    assert highest is not None
    return Share(count=float(count), of=of, value=value, low=lowest, high=highest)
