"""The table of a `tuned` sweep: winners, confirmations, verdicts that are kept apart from untuned ones."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_runs import Truth, simulate
from test_criteria import assert_valid
from tuned_runs import Searches, Surface, simulate_searches

from analysis.criteria import criteria_table
from analysis.statistics.compare import Verdict
from analysis.tables.exports import (
    evidence_rows,
    sections,
    sentences,
    status_line,
    to_csv,
    to_html,
    to_json,
    to_latex,
    to_markdown,
    to_metrics,
)
from study.errors import InputError

SURFACES = {"mish": Surface(top=91.0), "relu": Surface(), "swish": Surface()}
ONE = Searches(surfaces=SURFACES, repeats=1, confirm=8)
MANY = Searches(surfaces=SURFACES, trials=10, repeats=8, confirm=2)


def trials_of(runs: pd.DataFrame, world: Searches, activation: str, repeat: int = 0) -> pd.DataFrame:
    """Return the trials of one search, by what the index says."""
    tuning = world.question.tuning
    assert tuning is not None
    places = runs["index"].map(tuning.place)
    wanted = [place.trial is not None and place.repeat == repeat for place in places]
    return runs.loc[np.array(wanted) & (runs["activation"] == activation)]


def fresh_of(runs: pd.DataFrame, world: Searches, activation: str, repeat: int = 0) -> pd.DataFrame:
    """Return the confirmations of one winner."""
    tuning = world.question.tuning
    assert tuning is not None
    places = runs["index"].map(tuning.place)
    wanted = [place.trial is None and place.repeat == repeat for place in places]
    return runs.loc[np.array(wanted) & (runs["activation"] == activation)]


@pytest.fixture(scope="module")
def one() -> pd.DataFrame:
    return simulate_searches(ONE, np.random.default_rng(4))


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    return simulate_searches(MANY, np.random.default_rng(4))


def test_the_winner_is_the_best_by_validation_and_its_mean_is_of_fresh_seeds(one: pd.DataFrame) -> None:
    table = criteria_table(one, ONE.question)
    assert [(best.repeat, best.activation) for best in table.tuned] == [
        (1, "mish"),
        (1, "relu"),
        (1, "swish"),
    ]
    for best in table.tuned:
        trials, fresh = (of(one, ONE, best.activation) for of in (trials_of, fresh_of))
        chosen = trials.loc[trials["validation_accuracy"].idxmax()]
        assert best.selection == pytest.approx(chosen["validation_accuracy"], rel=1e-5)
        assert best.score == pytest.approx(chosen["test_accuracy"], rel=1e-5)
        assert best.configuration == chosen["configuration"]
        assert best.levels == {"learning_rate": chosen["learning_rate"], "width": chosen["width"]}
        assert (best.trials, best.failed, best.confirmed, best.confirmed_failed) == (20, 0, 8, 0)
        scores = fresh["test_accuracy"]
        low, high = stats.t.interval(0.95, 7, scores.mean(), stats.sem(scores))
        assert (best.mean, best.low, best.high) == pytest.approx((scores.mean(), low, high), rel=1e-5)
    assert (table.headline, table.levels, table.summaries, table.best_of) == ((), (), (), ())
    assert not table.provisional
    assert_valid(table)


def test_one_search_gives_a_verdict_on_its_winners_and_none_on_tuning(one: pd.DataFrame) -> None:
    table = criteria_table(one, ONE.question)
    for verdict in table.tuned_verdicts:
        assert verdict.searches.verdict is Verdict.NOT_ENOUGH_EVIDENCE
        assert (verdict.searches.units, verdict.searches.pairs) == (1, 8)
        assert verdict.winners is not None
        a, b = (fresh_of(one, ONE, name)["test_accuracy"].to_numpy() for name in ("mish", verdict.rival))
        test = stats.ttest_rel(a, b)
        assert verdict.winners.p == pytest.approx(test.pvalue, rel=1e-4)
        interval = test.confidence_interval()
        assert (verdict.winners.low, verdict.winners.high) == pytest.approx(tuple(interval), rel=1e-4)
    p = sorted(v.winners.p for v in table.tuned_verdicts if v.winners is not None and v.winners.p is not None)
    adjusted = sorted(v.winners.p_adjusted or 0 for v in table.tuned_verdicts if v.winners is not None)
    assert adjusted == pytest.approx([min(1, 2 * p[0]), max(2 * p[0], p[1])], rel=1e-4)
    said = sentences(table)[0]
    assert said.startswith("Whether mish wins tuned over relu is not settled.")
    assert "Of the two winners that this one search found, that of mish is better than that of relu" in said
    assert "One search for each activation can not say who wins tuned; it takes 6" in status_line(table)


def test_repeated_searches_give_the_verdict_with_one_search_as_unit(many: pd.DataFrame) -> None:
    table = criteria_table(many, MANY.question)
    assert len(table.tuned) == 8 * 3
    relu = table.tuned_verdicts[0]
    assert relu.winners is None
    differences = [
        fresh_of(many, MANY, "mish", r)["test_accuracy"].mean()
        - fresh_of(many, MANY, "relu", r)["test_accuracy"].mean()
        for r in range(8)
    ]
    test = stats.ttest_1samp(differences, 0)
    assert relu.searches.units == 8
    assert relu.searches.difference == pytest.approx(np.mean(differences), rel=1e-5)
    assert relu.searches.p == pytest.approx(test.pvalue, rel=1e-4)
    assert relu.searches.verdict is Verdict.WINS
    assert sentences(table)[0].startswith("mish wins tuned over relu: with 10 random trials each, +")
    assert "can not say" not in status_line(table)
    assert_valid(table)


def test_more_fresh_seeds_of_the_same_searches_are_no_more_units(many: pd.DataFrame) -> None:
    """Copying every confirmation narrows nothing."""
    fresh = many.loc[[MANY.question.tuning.place(i).trial is None for i in many["index"]]]  # pyright: ignore[reportOptionalMemberAccess]
    copied = fresh.assign(replicate=fresh["replicate"] + 2, digest=fresh["digest"] + "+")
    copied["block"] = copied["configuration"] + "-" + copied["replicate"].astype("str")
    question = dataclasses.replace(MANY.question, planned_trainings=len(many) + len(copied))
    twice = criteria_table(pd.concat([many, copied], ignore_index=True), question)
    usual = criteria_table(many, MANY.question)
    for a, b in zip(twice.tuned_verdicts, usual.tuned_verdicts, strict=True):
        for name in ("units", "difference", "low", "high", "p_adjusted", "verdict"):
            assert getattr(a.searches, name) == getattr(b.searches, name)


def test_words_of_verdicts_are_kept_apart(many: pd.DataFrame) -> None:
    tuned = criteria_table(many, MANY.question)
    truth = Truth(
        configurations=60, effect=lambda drawn: np.full(len(drawn), 2.0), factors=("depth", "width")
    )
    untuned = criteria_table(simulate(truth, np.random.default_rng(1)), truth.question)
    assert (tuned.verdicts, untuned.verdicts) == ("tuned", "untuned")
    for text in (to_markdown(tuned), to_latex(tuned), to_html(tuned)):
        assert "wins tuned" in text
        assert "nothing here is untuned" in text
    assert '"verdicts": "tuned"' in to_json(tuned)
    assert "tuned_verdict" in to_csv(tuned)
    assert not evidence_rows(tuned)
    for text in (to_markdown(untuned), to_latex(untuned), to_html(untuned)):
        assert "wins tuned" not in text
        assert "Untuned: focus and rival ran at equal settings" in text
    assert {name.split("/")[0] for name in to_metrics(tuned)} == {"tuned", "difference_tuned"}


def test_failures_of_a_winner_on_fresh_seeds_are_losses(one: pd.DataFrame) -> None:
    failed = one.copy()
    lost = fresh_of(one, ONE, "mish").index[:4]
    measured = [name for name in failed if str(name).endswith(("_accuracy", "_loss"))]
    failed.loc[lost, "status"] = "diverged"
    failed.loc[lost, measured] = np.nan
    table = criteria_table(failed, ONE.question)
    assert (table.tuned[0].confirmed, table.tuned[0].confirmed_failed) == (8, 4)
    winners = table.tuned_verdicts[0].winners
    usual = criteria_table(one, ONE.question).tuned_verdicts[0].winners
    assert winners is not None
    assert usual is not None
    assert winners.focus_failures == 4
    assert winners.difference is not None
    assert usual.difference is not None
    assert winners.difference < usual.difference - 2
    assert_valid(table)


def test_a_failed_trial_is_counted_and_never_the_winner(one: pd.DataFrame) -> None:
    failed = one.copy()
    measured = [name for name in failed if str(name).endswith(("_accuracy", "_loss"))]
    lost = trials_of(one, ONE, "relu").index.union(trials_of(one, ONE, "mish").index[:2])
    failed.loc[lost, "status"] = "diverged"
    failed.loc[lost, measured] = np.nan
    table = criteria_table(failed, ONE.question)
    mish, relu, _ = table.tuned
    assert (mish.failed, relu.failed, relu.trials) == (2, 20, 20)
    assert (relu.configuration, relu.setting, relu.selection, relu.score) == (None, "", None, None)
    curves = {curve.activation: curve for curve in table.tuning_curves}
    assert {point.value for point in curves["relu"].points} == {None}
    assert_valid(table)


def test_a_search_that_is_under_way_compares_an_equal_number_of_trials(one: pd.DataFrame) -> None:
    """The best trial of mish comes last: while relu has fewer trials, it does not count."""
    changed = one.copy()
    last = trials_of(one, ONE, "mish").index[-1]
    changed.loc[last, "validation_accuracy"] = 99.0
    missing = trials_of(one, ONE, "relu").index[-2:]
    running = criteria_table(changed.drop(index=missing), ONE.question)
    assert [best.trials for best in running.tuned] == [18, 18, 18]
    assert running.provisional
    assert running.tuned[0].selection != 99.0
    assert criteria_table(changed, ONE.question).tuned[0].selection == 99.0
    assert sentences(running)[0].startswith("Provisional: ")
    assert_valid(running)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_search_that_has_hardly_begun_shows_nothing_yet(one: pd.DataFrame, rows: int) -> None:
    table = criteria_table(one.head(rows), ONE.question)
    assert [(best.trials, best.score, best.mean) for best in table.tuned] == [(0, None, None)] * 3
    assert [verdict.searches.verdict for verdict in table.tuned_verdicts] == ["not_enough_evidence"] * 2
    for make in (to_markdown, to_csv, to_json, to_latex, to_html):
        assert make(table)
    assert_valid(table)


def test_the_order_of_rows_changes_nothing(many: pd.DataFrame) -> None:
    assert criteria_table(many.sample(frac=1, random_state=1), MANY.question) == criteria_table(
        many, MANY.question
    )


def test_of_equally_good_trials_the_first_wins(one: pd.DataFrame) -> None:
    trials = trials_of(one, ONE, "mish")
    succeeded = trials.index[trials["status"] == "ok"]
    changed = one.copy()
    changed.loc[succeeded[[2, 7]], "validation_accuracy"] = 99.0
    winner = criteria_table(changed, ONE.question).tuned[0]
    assert winner.configuration == trials.loc[succeeded[2], "configuration"]
    assert winner.selection == 99.0


def test_a_loss_is_chosen_by_the_smallest(one: pd.DataFrame) -> None:
    question = dataclasses.replace(
        ONE.question, metric="test_loss", higher_is_better=False, unit="nats", delta=0.02, loss_cap=0.2
    )
    table = criteria_table(one, question)
    trials = trials_of(one, ONE, "mish")
    assert table.tuned[0].selection == pytest.approx(trials["validation_loss"].min(), rel=1e-5)
    winners = table.tuned_verdicts[0].winners
    assert winners is not None
    assert winners.verdict is Verdict.WINS
    values = [point.value or 0 for point in table.tuning_curves[0].points]
    assert values == sorted(values, reverse=True)
    for point in table.tuning_curves[0].points:
        assert point.low is None or point.value is None or point.low <= point.value
        assert point.high is None or point.value is None or point.value <= point.high


def test_an_adaptive_search_has_no_bands_and_no_best_of_k(many: pd.DataFrame) -> None:
    random = criteria_table(many, MANY.question)
    assert {found.k for found in random.best_of} == set(range(1, 11))
    assert any(point.low is not None for point in random.tuning_curves[0].points)
    adaptive = dataclasses.replace(MANY, sampler="tpe")
    table = criteria_table(many, adaptive.question)
    assert not table.best_of
    assert all(point.low is None is point.high for curve in table.tuning_curves for point in curve.points)
    running = [trials_of(many, MANY, "mish", repeat)["validation_accuracy"].cummax() for repeat in range(8)]
    assert table.tuning_curves[0].points[4].value == pytest.approx(
        np.median([each.iloc[4] for each in running]), rel=1e-5
    )
    assert "has no band and the best of k trials no interval" in " ".join(table.notes)
    assert table.tuned_verdicts == random.tuned_verdicts


def test_the_sections_of_a_tuned_table(many: pd.DataFrame, one: pd.DataFrame) -> None:
    found = sections(criteria_table(many, MANY.question))
    assert [caption for caption, _ in found] == ["Verdicts when tuned", "Winners", "Best of k trials"]
    assert [caption for caption, _ in sections(criteria_table(one, ONE.question))] == [
        "Verdicts when tuned", "Winners"
    ]  # fmt: skip


def test_rows_must_be_marked_and_the_layout_be_known(one: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="'adaptive' must be true in the design tuned"):
        criteria_table(one.assign(adaptive=one.index != 3), ONE.question)
    with pytest.raises(InputError, match="do not say how the search was laid out"):
        criteria_table(one, dataclasses.replace(ONE.question, tuning=None))
