"""Failure rates and what is left where both sides trained."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_runs import Truth, simulate
from statsmodels.stats.proportion import proportion_confint

from analysis.statistics.failures import failure_rates, trained_differences
from analysis.statistics.pairs import pairs

WORLD = Truth(factors=("depth",), failure_rate=0.1)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulate(WORLD, np.random.default_rng(0))


def test_the_rate_has_the_wilson_interval_of_its_units(frame: pd.DataFrame) -> None:
    """With one replicate the effective number is n - 1, the divisor of the estimated variance."""
    mish, relu = failure_rates(frame, WORLD.question)
    assert (mish.activation, relu.activation) == ("mish", "relu")
    count = int(((frame["activation"] == "mish") & (frame["status"] == "diverged")).sum())
    assert (mish.trainings, mish.units, mish.failed, mish.trained) == (120, 120, count, 120 - count)
    assert mish.rate == pytest.approx(count / 120, rel=1e-5)
    low, high = proportion_confint(count / 120 * 119, 119, method="wilson")
    assert (mish.low, mish.high) == (pytest.approx(low, rel=1e-5), pytest.approx(high, rel=1e-5))


def test_without_a_failure_the_rate_is_below_three_in_n() -> None:
    truth = dataclasses.replace(WORLD, failure_rate=0.0)
    mish, _ = failure_rates(simulate(truth, np.random.default_rng(0)), truth.question)
    assert (mish.failed, mish.rate, mish.low, mish.high) == (0, 0.0, 0.0, 3 / 120)


def test_replicates_of_a_configuration_do_not_narrow_the_interval(frame: pd.DataFrame) -> None:
    again = frame.assign(block=frame["block"] + "again", replicate=frame["replicate"] + 1)
    once, twice = (failure_rates(runs, WORLD.question)[0] for runs in (frame, pd.concat([frame, again])))
    assert (once.rate, once.low, once.high) == (twice.rate, twice.low, twice.high)
    assert (once.metric_low, once.metric_high) == (twice.metric_low, twice.metric_high)
    assert twice.failed == 2 * once.failed


def test_the_metric_is_that_of_networks_that_trained(frame: pd.DataFrame) -> None:
    mish, _ = failure_rates(frame, WORLD.question)
    values = frame.loc[(frame["activation"] == "mish") & (frame["status"] == "ok"), "test_accuracy"]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert mish.metric == pytest.approx(values.mean(), rel=1e-5)
    assert mish.metric_low == pytest.approx(expected.low, rel=1e-5)
    assert mish.metric_high == pytest.approx(expected.high, rel=1e-5)


def test_networks_at_chance_did_not_train() -> None:
    truth = dataclasses.replace(WORLD, at_chance=0.5)
    runs = simulate(truth, np.random.default_rng(0))
    mish, _ = failure_rates(runs, truth.question, chance=10.0)
    assert mish.stuck > 40
    assert mish.failed + mish.stuck + mish.trained == mish.trainings
    assert mish.metric == pytest.approx(85, abs=2)
    assert failure_rates(runs, truth.question)[0].stuck == 0


def test_machine_faults_are_no_failures_and_nothing_run_is_no_rate(frame: pd.DataFrame) -> None:
    faults = frame.assign(status=frame["status"].replace("diverged", "error"))
    mish, _ = failure_rates(faults, WORLD.question)
    assert mish.failed == 0
    assert mish.trainings < 120
    nothing = failure_rates(frame.head(0), WORLD.question)[0]
    assert (nothing.trainings, nothing.rate, nothing.high, nothing.metric) == (0, None, None, None)


def test_the_difference_where_both_trained_does_not_count_failures() -> None:
    truth = dataclasses.replace(
        WORLD,
        failure_rate=0.0,
        effect=lambda drawn: np.full(len(drawn), 1.0),
        focus_fails=lambda drawn: np.arange(len(drawn)) % 4 == 0,
    )
    runs = simulate(truth, np.random.default_rng(0))
    question = truth.question
    (found,) = trained_differences({"relu": pairs(runs, question, "relu")}, {"relu": 0.6}, question)
    assert (found.pairs, found.units, found.failure_share) == (90, 90, 0.6)
    assert found.difference == pytest.approx(1.0, abs=0.3)
    overall = pairs(runs, question, "relu")["difference"].mean()
    assert overall < 0
