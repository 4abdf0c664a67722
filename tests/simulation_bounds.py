"""Bounds for rates found in simulations, at the 99.9 % point: a small run has wide ones, a large narrow."""

import logging

import numpy as np
from scipy import stats

LOG = logging.getLogger(__name__)
SEED = 20261124


def at_most(rate: float, found: list[bool], what: str) -> None:
    """Check that a share of at most `rate` is compatible with what was found."""
    LOG.info("%s: %.3f of %d (at most %g)", what, np.mean(found), len(found), rate)
    assert sum(found) <= stats.binom.ppf(0.999, len(found), rate), what


def at_least(rate: float, found: list[bool], what: str) -> None:
    """Check that a share of at least `rate` is compatible with what was found."""
    LOG.info("%s: %.3f of %d (at least %g)", what, np.mean(found), len(found), rate)
    assert sum(found) >= stats.binom.ppf(0.001, len(found), rate), what


def share_at_most(rate: float, shares: list[float], what: str) -> None:
    """Check that a mean of at most `rate` is compatible with the shares found, one per sweep."""
    mean, error = float(np.mean(shares)), float(np.std(shares)) / np.sqrt(len(shares))
    LOG.info("%s: %.3f over %d (at most %g)", what, mean, len(shares), rate)
    assert mean - stats.norm.ppf(0.999) * error <= rate, what
