"""The numbers of the table beside those of other people's packages, on the same frames.

Where a package computes another quantity, the test says which, and `docs/method.md` why.
"""

import autorank
import baycomp
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from baycomp.single import Posterior
from opda.nonparametric import EmpiricalDistribution
from scipy import stats
from simulated_runs import Truth, simulate
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from analysis.criteria import CriteriaTable, criteria_table
from analysis.statistics.best_of_k import best_weights, median_of_best, rank_bounds
from analysis.statistics.estimates import win_interval
from analysis.statistics.pairs import pairs
from analysis.statistics.units import unit_means

PRINTED = 1e-5
"""Numbers of a table have six significant digits."""
WORLD = Truth(
    configurations=60,
    rivals=("relu", "swish", "gelu"),
    factors=("depth", "optimizer"),
    replicates=2,
    effect=lambda drawn: np.where(drawn["depth"] > 15, 0.6, 0.0),
)
FAILING = Truth(configurations=80, rivals=("relu",), factors=("depth",), failure_rate=0.15)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return simulate(WORLD, np.random.default_rng(6))


@pytest.fixture(scope="module")
def table(runs: pd.DataFrame) -> CriteriaTable:
    return criteria_table(runs, WORLD.question)


@pytest.fixture(scope="module")
def differences(runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the paired difference of each configuration by rival, made without any of our functions."""
    means = runs.pivot_table(index="configuration", columns="activation", values="test_accuracy")
    return {rival: (means["mish"] - means[rival]).to_numpy() for rival in WORLD.rivals}


def test_overall_rows_are_those_of_scipy_and_statsmodels(
    table: CriteriaTable, differences: dict[str, np.ndarray]
) -> None:
    p, p_tie = [], []
    for row in table.headline:
        values = differences[row.rival]
        test = stats.ttest_1samp(values, 0)
        interval = test.confidence_interval()
        p.append(test.pvalue)
        p_tie.append(DescrStatsW(values).ttost_mean(-table.delta, table.delta)[0])
        assert row.difference == pytest.approx(values.mean(), rel=PRINTED)
        assert [row.low, row.high] == pytest.approx([interval.low, interval.high], rel=PRINTED)
    assert [row.p for row in table.headline] == pytest.approx(p, rel=PRINTED)
    assert [row.p_tie for row in table.headline] == pytest.approx(p_tie, rel=PRINTED)
    for found, raw in (("p_adjusted", p), ("p_tie_adjusted", p_tie)):
        expected = multipletests(raw, method="holm")[1]
        assert [getattr(row, found) for row in table.headline] == pytest.approx(list(expected), rel=PRINTED)


@pytest.mark.parametrize(("strict", "method"), [(False, "fdr_bh"), (True, "holm")])
def test_level_rows_are_adjusted_as_statsmodels_does(
    runs: pd.DataFrame, table: CriteriaTable, *, strict: bool, method: str
) -> None:
    found = criteria_table(runs, WORLD.question, strict=True) if strict else table
    judged = [row for row in found.levels if row.p_adjusted is not None]
    assert len(judged) > 20
    expected = multipletests([row.p for row in judged], method=method)[1]
    assert [row.p_adjusted for row in judged] == pytest.approx(list(expected), rel=10 * PRINTED)


def test_a_mixed_model_finds_the_same_difference(runs: pd.DataFrame, table: CriteriaTable) -> None:
    """Balanced and without failures, the fixed effect of a random-intercept model is the paired mean."""
    for row in table.headline:
        two = runs.loc[runs["activation"].isin(["mish", row.rival])]
        two = two.assign(focus=(two["activation"] == "mish").astype("float64"))
        fitted = smf.mixedlm("test_accuracy ~ focus", two, groups=two["configuration"]).fit()
        assert row.difference == pytest.approx(fitted.params["focus"], rel=1e-4)


def test_failures_and_win_rates_are_those_of_statsmodels() -> None:
    runs = simulate(FAILING, np.random.default_rng(8))
    (row,) = criteria_table(runs, FAILING.question).headline
    failed = runs.assign(failed=runs["status"] != "ok").pivot_table(
        index="configuration", columns="activation", values="failed"
    )
    expected = mcnemar(pd.crosstab(failed["mish"] > 0, failed["relu"] > 0), exact=True)
    assert row.focus_failures + row.rival_failures > 10
    assert row.mcnemar_p == pytest.approx(expected.pvalue, rel=PRINTED)
    units = unit_means(pairs(runs, FAILING.question, "relu"), FAILING.question)
    rate, count = units["wins"].mean(), len(units)
    low, high = proportion_confint(rate * count, count, method="wilson")
    ends = win_interval(np.array([rate]), np.array([float(count)]))
    assert [float(end[0]) for end in ends] == pytest.approx([low, high], rel=PRINTED)


def test_the_ranking_is_that_of_autorank(runs: pd.DataFrame, table: CriteriaTable) -> None:
    """Ranks and Friedman's test; autorank then takes Nemenyi's distance, where ours is Wilcoxon with Holm."""
    means = runs.pivot_table(index="configuration", columns="activation", values="test_accuracy")
    means.columns.name = None
    result = autorank.autorank(means, alpha=0.05, force_mode="nonparametric")
    assert table.ranking is not None
    ranks = {entry.activation: entry.average_rank for entry in table.ranking.activations}
    assert result.omnibus == "friedman"
    assert table.ranking.p == pytest.approx(result.pvalue, rel=PRINTED)
    assert ranks == pytest.approx(result.rankdf["meanrank"].to_dict(), rel=PRINTED)


def test_the_bayesian_posterior_of_baycomp_has_our_p_values_as_its_tails(
    table: CriteriaTable, differences: dict[str, np.ndarray]
) -> None:
    """With a flat prior the posterior of a mean is Student's t: its tail below 0 is half of our p."""
    for row in table.headline:
        values = differences[row.rival]
        error = values.var(ddof=1) / len(values)
        below, above = Posterior(values.mean(), error, len(values) - 1).probs()
        assert row.p == pytest.approx(2 * min(below, above), rel=PRINTED)
        left, _, right = Posterior(values.mean(), error, len(values) - 1, rope=table.delta).probs()
        assert row.p_tie == pytest.approx(max(left, right), rel=PRINTED)


def test_baycomps_own_t_test_is_wider_as_it_allows_for_overlapping_training_sets(
    runs: pd.DataFrame, differences: dict[str, np.ndarray]
) -> None:
    """Nadeau and Bengio's correction is for folds of one data set; configurations share no such overlap."""
    means = runs.pivot_table(index="configuration", columns="activation", values="test_accuracy")
    values = differences["relu"]
    count = len(values)
    theirs = baycomp.CorrelatedTTest.probs(means["relu"].to_numpy(), means["mish"].to_numpy(), rope=0)
    corrected = values.var(ddof=1) * (1 / count + 1 / (count - 1))
    assert theirs == pytest.approx(Posterior(values.mean(), corrected, count - 1).probs(), rel=1e-9)
    assert min(theirs) > stats.ttest_1samp(values, 0).pvalue / 2


def test_baycomps_signed_ranks_agree_with_the_verdict(
    runs: pd.DataFrame, table: CriteriaTable, differences: dict[str, np.ndarray]
) -> None:
    """Its probabilities come from 50,000 draws; they answer for a new configuration, not for the mean."""
    means = runs.pivot_table(index="configuration", columns="activation", values="test_accuracy")
    for row in table.headline:
        ranks = stats.wilcoxon(differences[row.rival], alternative="greater")
        focus_worse, focus_better = baycomp.SignedRankTest.probs(
            means[row.rival].to_numpy(), means["mish"].to_numpy(), rope=0, nsamples=2_000
        )
        assert focus_worse + focus_better == pytest.approx(1)
        assert focus_worse == pytest.approx(ranks.pvalue, abs=0.03)


# What `tuned` says, beside opda.


@pytest.fixture(scope="module")
def trials() -> np.ndarray:
    return np.random.default_rng(2).gamma(
        5.0, 3.0, 47
    )  # of an even number the median of one is no single value


def test_tuning_curves_are_those_of_opda(trials: np.ndarray) -> None:
    k = np.arange(1, 41)
    theirs = EmpiricalDistribution(trials)
    np.testing.assert_allclose(median_of_best(trials, k)[0], theirs.quantile_tuning_curve(k, q=0.5))
    mean = np.sort(trials) @ best_weights(len(trials), k).T
    np.testing.assert_allclose(mean, theirs.u_tuning_curve(k))


def test_bands_are_those_of_opda_up_to_their_simulation(trials: np.ndarray) -> None:
    """Both find the level by simulation; what comes out differs by less than a hundredth of a probability."""
    bands = EmpiricalDistribution.confidence_bands(
        trials, confidence=0.95, n_jobs=1, method="ld_equal_tailed", generator=np.random.default_rng(0)
    )
    ordered = np.sort(trials)
    low, high = rank_bounds(len(trials))
    np.testing.assert_allclose(bands[0].cdf(ordered), low, atol=0.01)
    np.testing.assert_allclose(bands[2].cdf(np.nextafter(ordered, 0)), high, atol=0.01)
