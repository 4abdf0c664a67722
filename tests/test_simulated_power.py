"""Sweeps of the size that `plan` asks for, and how often the table then finds the difference.

The measured rates are logged; to see those of the large runs:

    python -m pytest tests/test_simulated_power.py -m simulation --log-cli-level=INFO
"""

import dataclasses
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from scipy import special
from simulated_record import simulated_record
from simulated_runs import SPACE, Effect, Truth, simulate
from simulation_bounds import LOG, SEED, at_least, at_most

from analysis.planned_rows import ASSUMED_DEVIATION, PlannedRow, planned_rows
from analysis.statistics.compare import Comparison, Verdict, comparisons
from analysis.statistics.estimates import ALPHA
from analysis.statistics.pairs import pairs
from analysis.statistics.power import planning_deviation, units_needed

WINS = Verdict.WINS

TOLERANCE = 0.05
"""How far from 80 % the power may be."""


@pytest.fixture(params=[25, pytest.param(600, marks=pytest.mark.simulation)], ids=["few", "many"])
def sweeps(request: pytest.FixtureRequest) -> int:
    """Return how many sweeps are simulated, 0.02 s each."""
    return request.param


def near_80_percent(found: list[bool], what: str) -> None:
    at_least(0.8 - TOLERANCE, found, what)
    at_most(0.8 + TOLERANCE, found, what)


def everywhere(points: float) -> Effect:
    return lambda drawn: np.full(len(drawn), points)


def world(**changes: Any) -> Truth:
    """Return a world whose paired differences spread as `plan` assumes, with delta 0.5 points."""
    noise = 0.5
    tau = float(np.sqrt(ASSUMED_DEVIATION["points"] ** 2 - 2 * noise**2))
    return Truth(**{"tau": tau, "noise": noise, "factors": ("optimizer",), "loss_cap": 10.0, **changes})


def plan_of(truth: Truth, runs: pd.DataFrame, **options: Any) -> tuple[PlannedRow, ...]:
    """Return the planned rows of a sweep with the configurations of some runs."""
    drawn = runs.drop_duplicates("configuration")[list(truth.factors)].to_dict("records")
    question = dataclasses.replace(truth.question, planned_configurations=len(drawn))
    return planned_rows(question, cast(Any, drawn), truth.replicates, **options).rows


def table_of(truth: Truth, runs: pd.DataFrame) -> tuple[Comparison, ...]:
    question = truth.question
    return comparisons(runs, {rival: pairs(runs, question, rival) for rival in truth.rivals}, question)


def test_the_overall_row_finds_what_the_assumption_promised(sweeps: int) -> None:
    rng = np.random.default_rng(SEED)
    for points in (0.6, 1.0):
        truth = world(effect=everywhere(points))
        needed = plan_of(truth, simulate(truth, rng), detect=points)[0].needed
        truth = dataclasses.replace(truth, configurations=needed)
        rows = [table_of(truth, simulate(truth, rng))[0] for _ in range(sweeps)]
        near_80_percent([row.verdict is WINS for row in rows], f"+{points:g}, {needed} configurations: wins")


def test_one_rival_of_three_that_differs_is_found_as_often(sweeps: int) -> None:
    rng = np.random.default_rng(SEED)
    truth = world(rivals=("relu", "swish", "elu"), effect=everywhere(1.0))
    needed = plan_of(truth, simulate(truth, rng), detect=1.0)[0].needed
    truth = dataclasses.replace(truth, configurations=needed)
    found: list[bool] = []
    for _ in range(sweeps):
        runs = simulate(truth, rng)
        runs.loc[runs["activation"].isin(["swish", "elu"]), "test_accuracy"] += 1.0
        found.append(table_of(truth, runs)[0].verdict is WINS)
    near_80_percent(found, f"+1 over one of three rivals, {needed} configurations: wins")


def test_one_level_that_differs_is_found_as_often(sweeps: int) -> None:
    rng = np.random.default_rng(SEED)

    def only_nadam(drawn: pd.DataFrame) -> np.ndarray:
        return np.where(drawn["optimizer"] == "nadam", 2.0, 0.0)

    truth = world(effect=only_nadam, factors=("optimizer", "initializer"))
    rows = plan_of(truth, simulate(truth, rng), detect=2.0)
    needed = next(row.needed for row in rows if row.level == "nadam")
    # All levels have as many units as the row needs: a draw at random would mix several sizes.
    truth = dataclasses.replace(truth, configurations=needed * len(SPACE["optimizer"]))
    found: list[bool] = []
    for _ in range(sweeps // 2):
        runs = simulate(truth, rng)
        wanted = np.resize(np.array(SPACE["optimizer"]), truth.configurations)
        gains = (wanted == "nadam") * 2.0 - only_nadam(runs.drop_duplicates("configuration"))
        runs["optimizer"] = wanted[runs["index"]]
        runs["test_accuracy"] += np.where(runs["activation"] == "mish", gains[runs["index"]], 0.0)
        (row,) = [row for row in table_of(truth, runs) if row.level == "nadam"]
        assert row.units == needed
        found.append(row.verdict is WINS)
    near_80_percent(found, f"+2 at one of {len(rows) - 1} levels, {needed} configurations there: wins")


def test_a_pilot_of_15_plans_as_well_as_the_truth_would(sweeps: int) -> None:
    """In the mean over pilots: each sweep has its own, and the size that it asks for."""
    rng = np.random.default_rng(SEED)
    points, pilot = 1.0, 15
    truth = world(effect=everywhere(points))
    found: list[bool] = []
    sizes: list[int] = []
    for _ in range(sweeps):
        runs = simulate(dataclasses.replace(truth, configurations=200), rng)
        record = simulated_record(runs.loc[runs["index"] < pilot], truth.question)
        needed = plan_of(truth, runs, detect=points, record=record, pilot=pilot)[0].needed
        sizes.append(needed)
        larger = dataclasses.replace(truth, configurations=max(needed, pilot))
        grown = simulate(larger, rng)
        kept = pd.concat([runs.loc[runs["index"] < pilot], grown.loc[grown["index"] >= pilot]])
        found.append(table_of(larger, kept)[0].verdict is WINS)
    spread = np.quantile(sizes, [0.1, 0.9])
    near_80_percent(found, f"+{points:g}, pilots of {pilot} ask for {spread[0]:.0f} to {spread[1]:.0f}: wins")


@pytest.mark.parametrize("points", [1.0, 0.6])
def test_choosing_the_size_from_a_pilot_that_counts_costs_little(points: float) -> None:
    """The overall row alone, as arrays: the spread that chose the size is a part of the test's own."""
    rng, pilot, deviation, largest, drawn = np.random.default_rng(SEED), 15, 2.0, 300, 20_000
    noise = deviation * rng.standard_normal((drawn, largest))
    estimate = noise[:, :pilot].std(axis=1, ddof=1)
    planned = units_needed(planning_deviation(estimate, pilot - 1.0, ALPHA), points, ALPHA)
    units = np.clip(planned, pilot, largest).astype(int)
    last = np.arange(drawn), units - 1
    for gain, low, high in ((0.0, 0.045, 0.063), (points, 0.78, 0.85)):
        values = noise + gain
        mean = values.cumsum(axis=1)[last] / units
        variance = ((values**2).cumsum(axis=1)[last] / units - mean**2) * units / (units - 1)
        found = 2 * special.stdtr(units - 1, -np.abs(mean) / np.sqrt(variance / units)) <= ALPHA
        LOG.info("sizes from pilots for %+g, truth %+g: differs %.3f", points, gain, found.mean())
        assert low <= found.mean() <= high
