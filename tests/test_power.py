"""Numbers of units against the power functions of statsmodels, and where those say nothing."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from analysis.statistics.estimates import mean_test
from analysis.statistics.power import family_alpha, planning_deviation, units_needed, units_to_settle

BOUND, DELTA = 5.0, 0.5


def settle(deviation: float, mean: float, units: float, alpha: float = 0.05) -> float:
    return float(
        units_to_settle(
            np.array([deviation]),
            np.array([mean]),
            np.array([units]),
            delta=DELTA,
            bound=BOUND,
            alpha=np.array([alpha]),
        )[0]
    )


@pytest.mark.parametrize("deviation", [0.6, 1.0, 2.0])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 56])
def test_units_needed_are_within_one_of_the_exact_power(deviation: float, alpha: float) -> None:
    exact = TTestPower().solve_power(effect_size=DELTA / deviation, power=0.8, alpha=alpha)
    assert abs(units_needed(np.array(deviation), DELTA, alpha) - np.ceil(exact)) <= 1
    assert settle(deviation, 0.0, np.inf, alpha) == units_needed(np.array(deviation), DELTA, alpha)


@pytest.mark.parametrize("freedom", [5, 14, 119])
def test_a_deviation_that_is_estimated_gives_the_power_it_says_in_the_mean(freedom: int) -> None:
    """With the noncentral t distribution of SciPy, over estimates that spread as chi-square does."""
    deviation, alpha = 2.0, 0.05
    chances = (np.arange(20_000) + 0.5) / 20_000
    estimates = deviation * np.sqrt(stats.chi2.ppf(chances, freedom) / freedom)
    units = units_needed(planning_deviation(estimates, freedom, alpha), DELTA, alpha)
    critical, shift = stats.t.ppf(1 - alpha / 2, units - 1), DELTA * np.sqrt(units) / deviation
    power = stats.nct.sf(critical, units - 1, shift).mean()
    assert power == pytest.approx(0.8, abs=0.01)
    naive = units_needed(estimates, DELTA, alpha)
    shift = DELTA * np.sqrt(naive) / deviation
    assert stats.nct.sf(stats.t.ppf(1 - alpha / 2, naive - 1), naive - 1, shift).mean() < power


@pytest.mark.parametrize("common", [0.0, 0.28, -0.28, 2.0, -5.0, 5.0])
def test_units_to_settle_without_spread_are_where_the_exact_rule_speaks(common: float) -> None:
    needed = int(settle(0.0, common, 10))
    decided: list[float] = []
    for size in (needed, needed - 1):
        everything = np.ones((1, size), dtype=bool)
        result = mean_test(np.full(size, common), everything, bound=BOUND, delta=DELTA)
        decided.append(min(result.p[0], result.p_tie[0]))
    assert decided[0] <= 0.05
    assert decided[1] > 0.05 or needed == 6


def test_nothing_is_known_to_settle_without_a_spread_estimate() -> None:
    assert np.isnan(settle(np.nan, np.nan, 1))


def test_a_table_has_two_families() -> None:
    assert family_alpha(5, 3).ravel() == pytest.approx([0.05 / 3, *[0.05 / 12] * 4])
    assert family_alpha(1, 2).ravel() == pytest.approx([0.05 / 2])
