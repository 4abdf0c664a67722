"""The ranking of all activations: SciPy's numbers, failures as losses, groups, and the diagram."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_runs import Truth, simulate
from statsmodels.stats.multitest import multipletests

from analysis.figures.ranking_diagram import caption, ranking_diagram
from analysis.figures.style import to_png, to_svg
from analysis.statistics.ranking import Ranking, ranking, unit_scores

WORLD = Truth(
    configurations=60,
    replicates=2,
    rivals=("relu", "swish", "gelu"),
    factors=("depth",),
    effect=lambda drawn: np.full(len(drawn), 0.8),
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulate(WORLD, np.random.default_rng(0))


def ranked(frame: pd.DataFrame, truth: Truth = WORLD) -> Ranking:
    found = ranking(frame, truth.question)
    assert found is not None
    return found


def test_the_tests_are_those_of_scipy_and_statsmodels_on_configuration_means(frame: pd.DataFrame) -> None:
    means = frame.groupby(["configuration", "activation"])["test_accuracy"].mean().unstack()  # noqa: PD010
    found = ranked(frame)
    assert (found.units, found.dropped) == (60, 0)
    expected = stats.friedmanchisquare(*means.to_numpy().T)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-5)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-5)
    ranks = means.rank(axis=1, ascending=False).mean().sort_values()
    assert [entry.activation for entry in found.activations] == list(ranks.index)
    assert [entry.average_rank for entry in found.activations] == pytest.approx(list(ranks), rel=1e-5)
    p = [stats.wilcoxon(means[pair.better], means[pair.worse]).pvalue for pair in found.pairs]
    assert [pair.p for pair in found.pairs] == pytest.approx(p, rel=1e-5)
    adjusted = multipletests(p, method="holm")[1]
    assert [pair.p_adjusted for pair in found.pairs] == pytest.approx(list(adjusted), rel=1e-5)


def test_the_better_one_is_separated_and_equals_form_a_group() -> None:
    found = ranked(simulate(WORLD, np.random.default_rng(1)))
    assert found.activations[0].activation == "mish"
    assert {pair.separated for pair in found.pairs if pair.better == "mish"} == {True}
    assert found.groups == (tuple(entry.activation for entry in found.activations[1:]),)


def test_a_failure_ranks_behind_every_result_of_its_block() -> None:
    truth = dataclasses.replace(WORLD, replicates=1, focus_fails=lambda drawn: np.arange(len(drawn)) % 2 == 0)
    runs = simulate(truth, np.random.default_rng(0))
    scores, _ = unit_scores(runs, truth.question)
    failed = runs.loc[(runs["activation"] == "mish") & (runs["status"] == "diverged"), "unit_id"]
    assert len(failed) == 30
    lost = scores.loc[failed]
    assert (lost["mish"] == lost[["relu", "swish", "gelu"]].min(axis=1) - truth.loss_cap).all()
    assert ranked(runs, truth).activations[0].activation != "mish"


def test_blocks_without_every_activation_are_dropped_and_all_failed_is_a_draw(frame: pd.DataFrame) -> None:
    gone = frame.drop(index=frame.index[(frame["index"] < 5) & (frame["activation"] == "swish")])
    found = ranked(gone)
    assert (found.units, found.dropped) == (55, 10)
    lost = frame["index"] < 5
    all_failed = frame.assign(
        status=frame["status"].mask(lost, "diverged"), test_accuracy=frame["test_accuracy"].mask(lost)
    )
    scores, _ = unit_scores(all_failed, WORLD.question)
    assert (scores.head(5) == 0).all(axis=None)
    assert ranked(all_failed).units == 60


def test_lower_is_better_turns_the_ranking_round(frame: pd.DataFrame) -> None:
    question = dataclasses.replace(
        WORLD.question, metric="test_loss", higher_is_better=False, unit="nats", loss_cap=1.0
    )
    runs = frame.assign(test_loss=100 - frame["test_accuracy"])
    turned = ranking(runs, question)
    assert turned is not None
    assert turned.activations == ranked(frame).activations


def test_order_of_rows_changes_nothing_and_two_activations_need_no_friedman(frame: pd.DataFrame) -> None:
    assert ranked(frame.sample(frac=1, random_state=1)) == ranked(frame)
    truth = dataclasses.replace(WORLD, rivals=("relu",))
    two = ranked(simulate(truth, np.random.default_rng(0)), truth)
    assert (two.statistic, two.p, len(two.pairs)) == (None, None, 1)
    same = frame.assign(test_accuracy=50.0)
    assert (ranked(same).p, {pair.p for pair in ranked(same).pairs}) == (1.0, {1.0})
    assert ranking(frame.head(8), WORLD.question) is None


def test_the_diagram_names_every_activation_and_is_the_same_bytes(frame: pd.DataFrame) -> None:
    found = ranked(frame)
    text = to_svg(ranking_diagram(found, "mish"))
    for entry in found.activations:
        assert entry.activation in text
        assert f"{entry.average_rank:.2f}" in text
    assert text == to_svg(ranking_diagram(found, "mish"))
    assert to_png(ranking_diagram(found, "mish")).startswith(b"\x89PNG")
    assert "Average rank over 60 configurations" in caption(found, "configurations")
