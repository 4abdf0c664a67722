"""Figures of single factors, trees, failures and the running difference: what is drawn is what was found."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle, StepPatch
from scipy import optimize
from simulated_runs import Truth, simulate

from analysis.criteria import CriteriaTable, criteria_table
from analysis.figures.failure_cells import failure_cells
from analysis.figures.running_sequence import running_sequence
from analysis.figures.tree_leaves import tree_leaves
from analysis.figures.turning_points import turning_points
from analysis.figures.win_rates import TINTS
from analysis.statistics.pairs import pairs
from analysis.statistics.units import unit_means

WORLD = Truth(
    configurations=120,
    rivals=("relu",),
    factors=("depth", "learning_rate"),
    failure_rate=0.03,
    effect=lambda drawn: (
        2.0 * (drawn["depth"] > 15) + 2.0 * (drawn["learning_rate"] < 0.002) - 2.0
    ).to_numpy(),
)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return simulate(WORLD, np.random.default_rng(5))


@pytest.fixture(scope="module")
def table(runs: pd.DataFrame) -> CriteriaTable:
    return criteria_table(runs, WORLD.question)


def test_the_step_is_scipys_isotonic_fit_and_the_field_is_the_set_of_the_table(
    runs: pd.DataFrame, table: CriteriaTable
) -> None:
    figure = turning_points(runs, table, WORLD.question)
    assert figure is not None
    assert [(found.parameter, found.direction) for found in table.thresholds] == [
        ("depth", "increasing"),
        ("learning_rate", "decreasing"),
    ]
    assert any(found.point is not None for found in table.thresholds)
    units = unit_means(pairs(runs, WORLD.question, "relu"), WORLD.question)
    for found, (above, below) in zip(
        table.thresholds, zip(figure.axes[::2], figure.axes[1::2], strict=True), strict=True
    ):
        assert below.get_xlabel() == found.parameter
        assert above.get_title(loc="left") == "against relu, n = 120"
        assert below.get_xscale() == ("log" if found.log else "linear")
        groups = units.groupby(found.parameter)["difference"]
        fitted = optimize.isotonic_regression(
            groups.mean(), weights=groups.count(), increasing=found.direction == "increasing"
        ).x
        (step,) = [patch for patch in below.patches if isinstance(patch, StepPatch)]
        np.testing.assert_allclose(step.get_data().values, fitted, atol=1e-9)
        (field,) = [patch for patch in below.patches if isinstance(patch, Rectangle)]
        ends = [found.tested_low if found.low is None else found.low]
        ends.append(found.tested_high if found.high is None else found.high)
        assert [field.get_x(), field.get_x() + field.get_width()] == pytest.approx(ends)
        dashed = [line.get_xdata()[0] for line in below.lines if line.get_linestyle() == "--"]
        assert dashed == pytest.approx([] if found.point is None else [found.point])
        (marks,) = [one for one in below.containers if isinstance(one, ErrorbarContainer)]
        np.testing.assert_allclose(marks.lines[0].get_ydata(), groups.mean())


def test_a_factor_that_shows_no_sign_is_not_drawn() -> None:
    truth = dataclasses.replace(WORLD, effect=lambda drawn: np.zeros(len(drawn)), factors=("depth",))
    runs = simulate(truth, np.random.default_rng(1))
    table = criteria_table(runs, truth.question)
    assert not table.gates[0].matters
    assert turning_points(runs, table, truth.question) is None


def test_the_marks_of_a_tree_are_its_leaves(table: CriteriaTable) -> None:
    figure = tree_leaves(table)
    assert figure is not None
    (tree,) = table.interactions
    (axes,) = figure.axes
    drawn = [one.lines[0].get_xdata()[0] for one in axes.containers if isinstance(one, ErrorbarContainer)]
    assert drawn == pytest.approx([leaf.difference for leaf in tree.leaves])
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == f"{' and '.join(tree.leaves[0].where)}, n = {tree.leaves[0].units}"


def test_failures_are_counted_in_the_cells(runs: pd.DataFrame, table: CriteriaTable) -> None:
    figure = failure_cells(table)
    assert figure is not None
    first = [text.get_text() for text in figure.axes[0].texts[:2]]
    failed = runs.loc[runs["status"] != "ok"].groupby("activation").size()
    shares = [f"{100 * failed[name] / 120:.0f} % ({failed[name]})" for name in ("mish", "relu")]
    assert first == shares
    whole = simulate(dataclasses.replace(WORLD, failure_rate=0.0), np.random.default_rng(5))
    assert failure_cells(criteria_table(whole, WORLD.question)) is None


def test_the_running_difference_ends_at_the_row_that_status_shows(
    runs: pd.DataFrame, table: CriteriaTable
) -> None:
    early = runs.head(100)
    so_far = criteria_table(early, WORLD.question)
    figure = running_sequence(early, so_far, WORLD.question)
    assert figure is not None
    (axes,) = figure.axes
    (row,) = so_far.running
    assert axes.lines[-1].get_xdata()[-1] == row.configurations == 50
    assert axes.lines[-1].get_ydata()[-1] == pytest.approx(row.difference)
    ends = axes.collections[0].get_paths()[0].vertices
    last = ends[np.isclose(ends[:, 0], 50), 1]
    assert [last.min(), last.max()] == pytest.approx([row.low, row.high])
    assert running_sequence(runs, table, WORLD.question) is None


def test_the_tints_of_win_rates_have_one_order_in_grey() -> None:
    shades = [sum(np.array([0.299, 0.587, 0.114]) * to_rgb(tint)) for tint in TINTS]
    assert all(lighter - darker > 0.05 for lighter, darker in itertools.pairwise(shades))
