"""The gate: whether a factor matters at all, tested against SciPy and against planted truths."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from simulated_runs import SPACE, Truth, simulate

from analysis.statistics import gates as module
from analysis.statistics.gates import PRIOR_UNITS, Gate, gates, isotonic
from analysis.statistics.pairs import pairs
from analysis.statistics.units import unit_means
from study.question import Question

WORLD = Truth(
    configurations=60,
    factors=("depth", "optimizer", "width"),
    effect=lambda configurations: np.where(configurations["depth"] > 15, 1.0, -1.0),
)


def units_of(runs: pd.DataFrame, question: Question) -> dict[str, pd.DataFrame]:
    return {rival: unit_means(pairs(runs, question, rival), question) for rival in question.rivals}


def found(truth: Truth, seed: int = 0) -> dict[tuple[str, str], Gate]:
    runs = simulate(truth, np.random.default_rng(seed))
    return {
        (gate.parameter, gate.rival): gate for gate in gates(units_of(runs, truth.question), truth.question)
    }


def test_the_isotonic_fit_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 20, 10).astype("float64")
    means = rng.standard_normal((200, 10))
    for mean, fitted in zip(means, isotonic(means * counts, counts), strict=True):
        expected = optimize.isotonic_regression(mean, weights=counts).x
        np.testing.assert_allclose(fitted, expected, atol=1e-12)


def test_the_p_value_of_names_is_that_of_scipys_permutation_test() -> None:
    truth = dataclasses.replace(
        WORLD,
        configurations=30,
        factors=("optimizer",),
        effect=lambda drawn: np.where(drawn["optimizer"] == "nadam", -0.8, 0.3),
    )
    runs = simulate(truth, np.random.default_rng(3))
    units = units_of(runs, truth.question)["relu"]
    units["difference"] -= units["difference"].mean()
    samples = [group["difference"].to_numpy() for _, group in units.groupby("optimizer")]

    def between(*parts: np.ndarray, axis: int) -> np.ndarray:
        free = [part.shape[axis] - 1 for part in parts]
        within = [part.shape[axis] * part.var(axis=axis) for part in parts]
        pooled = np.sum(within, axis=0) / sum(free)
        weights = [
            (n + 1) * (PRIOR_UNITS + n) / (PRIOR_UNITS * pooled + squares)
            for n, squares in zip(free, within, strict=True)
        ]
        means = [part.mean(axis=axis) for part in parts]
        middle = np.average(means, axis=0, weights=weights)
        return np.sum([w * (mean - middle) ** 2 for w, mean in zip(weights, means, strict=True)], axis=0)

    expected = stats.permutation_test(
        samples, between, n_resamples=9999, alternative="greater", vectorized=True, rng=5
    ).pvalue
    (gate,) = gates({"relu": units}, truth.question)
    assert gate.p is not None
    assert gate.p == pytest.approx(expected, abs=4 * np.sqrt(1.5 * expected * (1 - expected) / 4999))


def test_a_step_in_depth_opens_its_gate_alone_and_says_the_direction() -> None:
    result = found(WORLD)
    depth = result["depth", "relu"]
    assert (depth.matters, depth.direction, depth.ordered, depth.levels) == (True, "increasing", True, 10)
    assert not result["optimizer", "relu"].ordered
    assert result["optimizer", "relu"].direction is None
    assert not result["width", "relu"].matters
    reverse = dataclasses.replace(WORLD, effect=lambda drawn: np.where(drawn["depth"] > 15, -1.0, 1.0))
    assert found(reverse)["depth", "relu"].direction == "decreasing"


def test_ten_factors_and_five_rivals_can_still_pass() -> None:
    """With 999 permutations the smallest p that Holm could give over 50 gates is 0.05."""
    truth = dataclasses.replace(
        WORLD, configurations=120, factors=tuple(SPACE), rivals=("relu", "swish", "gelu", "elu", "selu")
    )
    result = found(truth)
    assert len(result) == 50
    for rival in truth.rivals:
        adjusted = result["depth", rival].p_adjusted
        assert adjusted is not None
        assert adjusted <= 0.01
    assert sum(gate.matters for gate in result.values()) == 5


def test_ofat_asks_only_the_units_of_the_factors_own_walk() -> None:
    truth = dataclasses.replace(WORLD, design="ofat", replicates=10, factors=("depth", "width"), tau=0.0)
    result = found(truth)
    assert {name: gate.units for (name, _), gate in result.items()} == {"depth": 100, "width": 60}
    assert result["depth", "relu"].matters
    assert not result["width", "relu"].matters


def test_the_normal_limit_gives_the_p_value_of_the_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = dataclasses.replace(WORLD, configurations=1500, tau=8.0)
    exact = found(truth)
    monkeypatch.setattr(module, "PERMUTED_CELLS", 0)
    limit = found(truth)
    for key, gate in exact.items():
        other = limit[key]
        assert gate.p is not None
        assert other.p is not None
        assert other.p == pytest.approx(gate.p, abs=4 * np.sqrt(2 * gate.p * (1 - gate.p) / 4999) + 5e-4)


def test_too_few_units_or_levels_are_not_tested() -> None:
    few = found(dataclasses.replace(WORLD, configurations=5))
    assert {gate.p_adjusted for gate in few.values()} == {None}
    assert not any(gate.matters for gate in few.values())
    runs = simulate(WORLD, np.random.default_rng(0))
    single = runs.assign(width=16)
    result = gates(units_of(single, WORLD.question), WORLD.question)
    assert [gate.p is None for gate in result] == [False, False, True]


def test_values_that_all_agree_do_not_matter() -> None:
    units = units_of(simulate(WORLD, np.random.default_rng(0)), WORLD.question)["relu"]
    assert {gate.p for gate in gates({"relu": units.assign(difference=0.3)}, WORLD.question)} == {1.0}


def test_neither_order_nor_sides_nor_repeated_trainings_move_a_p_value() -> None:
    runs = simulate(WORLD, np.random.default_rng(0))
    question = WORLD.question
    first = gates(units_of(runs, question), question)
    assert gates(units_of(runs.sample(frac=1, random_state=1), question), question) == first
    swapped = dataclasses.replace(question, focus="relu", rivals=("mish",))
    assert [gate.p for gate in gates(units_of(runs, swapped), swapped)] == [gate.p for gate in first]
    again = runs.assign(block=runs["block"] + "again", replicate=runs["replicate"] + 1)
    assert gates(units_of(pd.concat([runs, again]), question), question) == first
