"""The table of a search with halving: a winner of the last rung, no tuning curves, the budget in epochs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from simulated_record import simulated_record
from test_criteria import assert_valid
from tuned_runs import Searches, Surface, simulate_searches

from analysis.cost import cost_of
from analysis.criteria import criteria_table
from analysis.figures import all_figures, captions
from analysis.frame import curves_frame, runs_frame
from analysis.report.page import report_html
from analysis.statistics.tuned import equal_trials, placed
from analysis.tables.exports import sections, sentences, to_html, to_latex, to_markdown

# What learns fast is worse in the end: the best after one epoch is not the best of the last rung.
SURFACES = {"mish": Surface(top=94.0, slow=8.0), "relu": Surface(slow=8.0)}
WORLD = Searches(surfaces=SURFACES, trials=18, repeats=6, confirm=2, halving=3, epochs=9)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return simulate_searches(WORLD, np.random.default_rng(4))


def part(runs: pd.DataFrame, activation: str, repeat: int, rung: int | None) -> pd.DataFrame:
    """Return the trials of a search at a rung, or the confirmations of its winner."""
    every = placed(runs, WORLD.question)
    mine = every.loc[(every["activation"] == activation) & (every["repeat"] == repeat)]
    return (
        mine.loc[mine["trial"] < 0]
        if rung is None
        else mine.loc[(mine["trial"] >= 0) & (mine["rung"] == rung)]
    )


def test_the_winner_is_the_best_of_the_last_rung(runs: pd.DataFrame) -> None:
    table = criteria_table(runs, WORLD.question)
    crossed = 0
    for best in table.tuned:
        rungs = [part(runs, best.activation, best.repeat - 1, rung) for rung in range(3)]
        assert [len(rung) for rung in rungs] == [18, 6, 2]
        chosen = rungs[2].loc[rungs[2]["validation_accuracy"].idxmax()]
        assert best.configuration == chosen["configuration"]
        assert best.selection == pytest.approx(chosen["validation_accuracy"], rel=1e-5)
        assert (best.trials, best.failed, best.confirmed) == (18, 0, 2)
        crossed += (
            best.configuration != rungs[0].loc[rungs[0]["validation_accuracy"].idxmax(), "configuration"]
        )
    assert crossed
    assert (table.configurations, table.planned_configurations) == (2 * 6 * 18, 2 * 6 * 18)
    assert (table.trainings, table.planned_trainings) == (len(runs), 2 * 6 * (18 + 6 + 2 + 2))
    assert not table.provisional
    assert table.tuning is not None
    assert (table.tuning.halving, table.tuning.epochs) == (3, 9)
    assert_valid(table)


def test_the_unit_of_a_verdict_stays_one_whole_search(runs: pd.DataFrame) -> None:
    (verdict,) = criteria_table(runs, WORLD.question).tuned_verdicts
    means = [
        [part(runs, name, repeat, None)["test_accuracy"].mean() for repeat in range(6)]
        for name in ("mish", "relu")
    ]
    assert verdict.searches.units == 6
    assert verdict.searches.difference == pytest.approx(np.mean(np.subtract(*means)), rel=1e-5)


def test_curves_are_none_and_every_form_says_why(runs: pd.DataFrame) -> None:
    table = criteria_table(runs, WORLD.question)
    assert (table.tuning_curves, table.best_of) == ((), ())
    assert [caption for caption, _ in sections(table)] == ["Verdicts when tuned", "Winners"]
    said = " ".join(table.notes)
    assert "18 trials of 1 epoch, 6 trials of 3 epochs and 2 trials of 9 epochs;" in said
    assert "54 epochs for each activation in a search, and 162 if every trial were trained in full" in said
    assert ", halved by 3 in 3 rungs, " in " ".join(sentences(table))
    record = simulated_record(runs, WORLD.question)
    curves = curves_frame(record)
    for text in (
        to_markdown(table),
        to_latex(table),
        to_html(table),
        report_html(table, runs, curves, record),
    ):
        assert "There are no tuning curves" in text
    figures = all_figures(runs_frame(record), curves, table, WORLD.question)
    assert list(figures) == ["learning_curves"]
    assert "There are no tuning curves" in captions(table)["learning_curves"]
    full = criteria_table(
        simulate_searches(dataclasses.replace(WORLD, halving=None, epochs=None), np.random.default_rng(4)),
        dataclasses.replace(WORLD, halving=None, epochs=None).question,
    )
    assert full.tuning_curves
    assert full.best_of
    assert "no tuning curves" not in " ".join([*full.notes, captions(full)["learning_curves"]])


def test_the_learning_curve_of_a_winner_is_that_of_the_last_rung(runs: pd.DataFrame) -> None:
    record = simulated_record(runs, WORLD.question)
    table, curves = criteria_table(runs, WORLD.question), curves_frame(record)
    drawn = all_figures(runs_frame(record), curves, table, WORLD.question)["learning_curves"].axes[0].lines[0]
    last = part(runs, "mish", 0, 2)
    digest = last.loc[last["configuration"] == table.tuned[0].configuration, "digest"].iloc[0]
    np.testing.assert_array_equal(
        np.asarray(drawn.get_ydata()), curves.loc[curves["digest"] == digest, "value"]
    )
    assert len(np.asarray(drawn.get_xdata())) == 9


def test_failures_are_counted_once_a_trial_at_whatever_rung(runs: pd.DataFrame) -> None:
    failed = runs.copy()
    measured = [name for name in failed if str(name).endswith(("_accuracy", "_loss"))]
    last = part(runs, "mish", 0, 2)
    out = part(runs, "mish", 0, 0)
    lost = [out.index[~out["trial"].isin(part(runs, "mish", 0, 1)["trial"])][0]]  # one that did not go on
    lost += [*part(runs, "mish", 0, 1).loc[lambda rows: rows["trial"] == last["trial"].iloc[0]].index]
    lost += [last.index[0]]
    failed.loc[lost, "status"] = "diverged"
    failed.loc[lost, measured] = np.nan
    best = criteria_table(failed, WORLD.question).tuned[0]
    assert (best.trials, best.failed) == (18, 2)
    assert best.configuration == last["configuration"].iloc[1]


@pytest.mark.parametrize("rung", [0, 1, 2])
def test_a_search_shows_nothing_before_its_last_rung_is_whole(runs: pd.DataFrame, rung: int) -> None:
    """All of mish is there; of relu a training of the last rung that it has is missing."""
    every = placed(runs, WORLD.question)
    reached = (every["trial"] >= 0) & (every["rung"] <= rung)
    under_way = every.loc[reached].drop(index=part(runs, "relu", 1, rung).index[-1:])
    assert sorted(set(equal_trials(under_way, WORLD.question)["repeat"])) == (
        [0, 2, 3, 4, 5] if rung == 2 else []
    )
    table = criteria_table(runs.loc[under_way.index], WORLD.question)
    assert table.provisional
    shown = {best.repeat for best in table.tuned if best.trials}
    assert shown == ({1, 3, 4, 5, 6} if rung == 2 else set())
    assert {best.selection is None for best in table.tuned if best.repeat not in shown} == {True}
    assert_valid(table)


def test_the_order_of_rows_changes_nothing(runs: pd.DataFrame) -> None:
    usual = criteria_table(runs, WORLD.question)
    assert criteria_table(runs.sample(frac=1, random_state=1), WORLD.question) == usual


def test_costs_are_those_of_trainings_in_full(runs: pd.DataFrame) -> None:
    record = simulated_record(runs, WORLD.question)
    found = cost_of(runs_frame(record), curves_frame(record), record)
    assert [one.timed for one in found.activations] == [6 * (2 + 2)] * 2
