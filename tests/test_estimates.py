"""Intervals, tests and adjustments against the libraries that define them, and where those say nothing."""

import gc
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from analysis.statistics.estimates import (
    MeanTest,
    adjusted,
    benjamini_hochberg,
    holm,
    mean_test,
    pair_correlation,
    rounded,
    seed_correlation,
    win_interval,
)

BOUND, DELTA = 5.0, 0.5


def result_of(values: list[float] | np.ndarray) -> dict[str, float]:
    """Return the test of one region that holds every value."""
    array = np.asarray(values, dtype="float64")
    result = mean_test(array, np.ones((1, len(array)), dtype=bool), bound=BOUND, delta=DELTA)
    return {name: float(getattr(result, name)[0]) for name in MeanTest.__dataclass_fields__}


@pytest.mark.parametrize("size", [2, 3, 6, 40])
def test_interval_and_tests_are_those_of_the_libraries(size: int) -> None:
    values = np.random.default_rng(size).normal(0.3, 0.8, size)
    ours = result_of(values)
    reference = stats.ttest_1samp(values, 0.0)
    interval = reference.confidence_interval(0.95)
    p_tie, *_ = DescrStatsW(values).ttost_mean(-DELTA, DELTA)
    assert ours["mean"] == pytest.approx(values.mean())
    assert ours["deviation"] == pytest.approx(values.std(ddof=1))
    assert (ours["low"], ours["high"]) == pytest.approx((interval.low, interval.high))
    assert ours["p"] == pytest.approx(reference.pvalue)
    assert ours["p_tie"] == pytest.approx(p_tie)


def test_regions_are_tested_apart() -> None:
    values = np.random.default_rng(1).normal(size=12)
    inside = np.zeros((3, 12), dtype=bool)
    inside[0], inside[1, :5] = True, True
    result = mean_test(values, inside, bound=BOUND, delta=DELTA)
    assert result.mean[0] == pytest.approx(values.mean())
    assert result.p[1] == pytest.approx(stats.ttest_1samp(values[:5], 0.0).pvalue)
    assert np.isnan([result.mean[2], result.low[2], result.p[2], result.p_tie[2]]).all()


def test_one_unit_has_a_mean_and_nothing_else() -> None:
    one = result_of([1.5])
    assert one["mean"] == 1.5
    assert all(np.isnan(one[name]) for name in ("deviation", "low", "high", "p", "p_tie"))


def test_six_exact_ties_are_no_tie_and_twenty_nine_are() -> None:
    assert result_of([0.0] * 6)["p"] == 1.0
    assert result_of([0.0] * 6)["p_tie"] == pytest.approx(0.9**6)
    assert result_of([0.0] * 28)["p_tie"] > 0.05
    assert result_of([0.0] * 29)["p_tie"] <= 0.05


def test_units_in_which_the_rival_alone_failed_are_a_sign_test() -> None:
    for size in (6, 10):
        assert result_of([BOUND] * size)["p"] == pytest.approx(stats.binomtest(size, size).pvalue)
    assert result_of([BOUND] * 6)["low"] > 0
    assert result_of([BOUND] * 6)["high"] == pytest.approx(BOUND)
    assert result_of([BOUND] * 6)["p_tie"] == 1.0


@pytest.mark.parametrize("common", [-5.0, -0.28, 0.0, 0.28, 0.5, 3.0, 5.0])
@pytest.mark.parametrize("size", [2, 6, 30, 500])
def test_without_spread_interval_and_tests_agree_and_are_finite(common: float, size: int) -> None:
    result = result_of([common] * size)
    mirrored = result_of([-common] * size)
    assert np.isfinite(list(result.values())).all()
    assert -BOUND <= result["low"] <= common <= result["high"] <= BOUND
    assert (result["p"] <= 0.05) == (result["low"] >= 0 or result["high"] <= 0)
    assert mirrored["p"] == pytest.approx(result["p"])
    assert mirrored["p_tie"] == pytest.approx(result["p_tie"])
    assert mirrored["low"] == pytest.approx(-result["high"])
    assert not (result["p_tie"] <= 0.05 and abs(common) >= DELTA)


def test_differences_that_are_equal_up_to_rounding_have_no_spread() -> None:
    level = np.array([95.0, 9.1, 3.33, 71.1, 0.9, 24.2, 88.8])
    values = (level + 0.27) - level  # not exactly equal in binary
    assert len(set(values.tolist())) > 1
    assert result_of(values)["deviation"] == 0.0
    assert result_of(values)["p"] == pytest.approx(result_of([0.27] * 7)["p"])


def test_the_exact_rule_holds_its_level_where_a_rare_loss_cancels_a_steady_gain() -> None:
    """The mean is 0: +0.5 with probability 10/11, else -5. Without a loss among them, n units win with p."""
    for size in (6, 12, 25, 30, 60):
        assert result_of([0.5] * size)["p"] == pytest.approx(min(1.0, 2 * (10 / 11) ** size))


@pytest.fixture
def nothing_to_collect() -> Iterator[None]:
    """Keep what is loaded out of garbage collection: statsmodels collects on every call."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("nothing_to_collect")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_statsmodels(values: list[float]) -> None:
    p = np.array(values)
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], atol=1e-12)


def test_headline_and_levels_are_two_families() -> None:
    p = np.array([[0.01, 0.03], [0.02, 0.04], [0.5, np.nan], [0.001, 0.9]])
    eligible = np.array([[True, True], [True, True], [True, False], [False, True]])
    result = adjusted(p, eligible, strict=False)
    np.testing.assert_allclose(result[0], [0.02, 0.03])
    levels = multipletests([0.02, 0.04, 0.5, 0.9], method="fdr_bh")[1]
    np.testing.assert_allclose(result[1:], [[levels[0], levels[1]], [levels[2], np.nan], [np.nan, levels[3]]])
    strict = adjusted(p, eligible, strict=True)
    np.testing.assert_allclose(strict[0], result[0])
    assert strict[1, 0] == pytest.approx(0.08)


def test_nothing_eligible_is_no_error() -> None:
    assert np.isnan(adjusted(np.full((3, 2), np.nan), np.zeros((3, 2), dtype=bool), strict=False)).all()


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.93, 1.0])
@pytest.mark.parametrize("units", [1.0, 6.0, 17.3, 400.0])
def test_the_win_interval_is_wilsons(rate: float, units: float) -> None:
    low, high = win_interval(np.array([rate]), np.array([units]))
    reference = proportion_confint(rate * units, units, alpha=0.05, method="wilson")
    assert (low[0], high[0]) == pytest.approx(reference, abs=1e-12)


def test_rounding_keeps_six_digits_and_no_negative_zero() -> None:
    assert rounded(0.123456789) == 0.123457
    assert rounded(123456.789) == 123457.0
    assert str(rounded(-0.0)) == "0.0"
    assert rounded(float("nan")) is None
    assert rounded(float("inf")) is None


def differences(configurations: int, replicates: int, between: float, within: float) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    shared = rng.normal(0, between, (configurations, 1))
    values = shared + rng.normal(0, within, (configurations, replicates))
    names = np.repeat([f"c{index}" for index in range(configurations)], replicates)
    return pd.DataFrame({"configuration": names, "difference": values.ravel()})


@pytest.mark.parametrize(
    ("between", "within", "truth"), [(1.0, 1.0, 0.5), (0.0, 1.0, 0.0), (2.0, 0.5, 16 / 17)]
)
def test_seed_correlation_finds_the_planted_one(between: float, within: float, truth: float) -> None:
    assert seed_correlation(differences(2000, 3, between, within)) == pytest.approx(truth, abs=0.05)


def test_seed_correlation_needs_replicated_configurations() -> None:
    assert seed_correlation(differences(50, 1, 1.0, 1.0)) is None
    assert seed_correlation(differences(1, 5, 1.0, 1.0)) is None
    assert seed_correlation(differences(5, 2, 0.0, 0.0)) is None
    mixed = pd.concat(
        [
            differences(500, 2, 1.0, 1.0),
            differences(900, 1, 9.0, 1.0).assign(configuration=[f"s{i}" for i in range(900)]),
        ]
    )
    assert seed_correlation(mixed) == pytest.approx(0.5, abs=0.1)


def test_pair_correlation_is_pearsons_over_pairs_without_a_failure() -> None:
    rng = np.random.default_rng(2)
    focus = rng.normal(size=50)
    rival = focus + rng.normal(size=50)
    found = pd.DataFrame({"cause": "quality", "focus_value": focus, "rival_value": rival})
    assert pair_correlation(found) == pytest.approx(stats.pearsonr(focus, rival).statistic, abs=1e-6)
    failed = pd.DataFrame({"cause": ["rival_failed"], "focus_value": [40.0], "rival_value": [np.nan]})
    assert pair_correlation(pd.concat([found, failed])) == pair_correlation(found)
    assert pair_correlation(found.head(2)) is None
    assert pair_correlation(found.assign(rival_value=1.0)) is None
