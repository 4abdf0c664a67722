"""Thresholds: the set of cuts by hand, what is said at its ends, and what must not change it."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from simulated_runs import SPACE, Truth, simulate

from analysis.statistics.compare import Verdict
from analysis.statistics.gates import Gate, gates
from analysis.statistics.levels import log_spaced
from analysis.statistics.pairs import pairs
from analysis.statistics.thresholds import LARGEST_RATIO, Threshold, threshold, thresholds
from analysis.statistics.units import unit_means
from study.question import Factor, Question

Curve = Callable[[np.ndarray], np.ndarray]
DEPTH = Factor(name="depth", role="condition", levels=SPACE["depth"])


def ask(factor: Factor) -> Question:
    return dataclasses.replace(Truth(factors=("depth",)).question, factors=(factor,))


def units(values: np.ndarray, difference: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_id": [f"c{number:05d}" for number in range(len(values))],
            "configuration": "c",
            "depth": values,
            "difference": difference,
            "wins": (1 + np.sign(difference)) / 2,
            "uninformative": 0.0,
        }
    )


def placed(
    curve: Curve, *, direction: str = "increasing", each: int = 12, spread: float = 0.5, seed: int = 0
) -> Threshold:
    """Place the threshold of a curve over the ten depths."""
    depths = np.repeat(np.array(SPACE["depth"]), each)
    noise = spread * np.random.default_rng(seed).standard_normal(len(depths))
    gate = Gate(
        parameter="depth", rival="relu", ordered=True, units=len(depths), levels=10,
        direction=direction, p=0.001, p_adjusted=0.01, matters=True,
    )  # fmt: skip  # pyright: ignore[reportArgumentType]
    return threshold(units(depths, curve(depths) + noise), gate, ask(DEPTH))


def step(at: float) -> Curve:
    return lambda depth: np.where(depth > at, 1.5, -0.5)


def test_a_step_is_placed_between_its_neighbours() -> None:
    found = placed(step(15))
    assert (found.outcome, found.point, found.first) == ("threshold", 14, 17)
    assert (found.low, found.high) == (14, 17)
    assert (found.tested_low, found.tested_high, found.log) == (2, 30, False)
    inside, outside = found.inside, found.outside
    assert inside is not None
    assert outside is not None
    assert (inside.units, outside.units) == (60, 60)
    assert (inside.verdict, outside.verdict) == (Verdict.WINS, Verdict.LOSES)
    assert inside.low is not None
    assert inside.high is not None
    assert inside.low < 1.5 < inside.high


def test_a_gain_at_small_values_is_the_same_turned_round() -> None:
    found = placed(lambda depth: np.where(depth < 15, 1.5, -0.5), direction="decreasing")
    assert (found.outcome, found.point, found.first) == ("threshold", 17, 14)
    assert (found.low, found.high) == (14, 17)


def test_the_set_holds_the_cuts_with_a_small_likelihood_ratio_and_no_other() -> None:
    """Two units a level and means on one line: the ratio of a cut is a sum of squares over a variance."""
    means = np.array([0.2, 0.3, 0.4, 0.6, 0.7, 0.8])
    depths = np.repeat(np.arange(6.0), 40)
    spread = 0.5
    difference = np.repeat(means, 40) + np.tile([-spread, spread], 120)
    gate = Gate(
        parameter="depth", rival="relu", ordered=True, units=240, levels=6, direction="increasing",
        p=0.001, p_adjusted=0.01, matters=True,
    )  # fmt: skip
    question = ask(Factor(name="depth", role="condition", levels=(0, 1, 2, 3, 4, 5)))
    found = threshold(units(depths, difference), gate, question)
    variance = 240 * spread**2 / (240 - 6)
    # With delta 0.5, cut 2 forces level 2 up by 0.1, cut 1 also level 1 by 0.2, and so on.
    ratios = np.array([40 * np.sum((0.5 - means[cut:3]) ** 2) / variance for cut in range(3)])
    left = int(np.flatnonzero(ratios <= LARGEST_RATIO)[0])
    assert 0 < left < 3
    assert (found.point, found.first) == (2, 3)
    assert (found.low, found.high) == (left - 1, 5 - (left - 1))


def test_above_delta_everywhere_is_no_threshold() -> None:
    found = placed(lambda depth: 1.0 + 0.05 * depth)
    assert (found.outcome, found.point, found.first, found.low) == ("everywhere", None, 2, None)
    assert found.high is not None
    turned = placed(lambda depth: 3.0 - 0.05 * depth, direction="decreasing")
    assert (turned.outcome, turned.first, turned.high) == ("everywhere", 30, None)


def test_below_delta_everywhere_is_not_shown() -> None:
    found = placed(lambda depth: -1.0 + 0.04 * depth)
    assert (found.outcome, found.point, found.first, found.high) == ("not_shown", None, None, None)


def test_an_inverted_u_is_not_one_threshold() -> None:
    found = placed(lambda depth: np.where((depth > 9) & (depth < 22), 1.0, -1.0))
    assert found.outcome == "not_one_threshold"
    assert found.monotone_p <= 0.05
    assert (found.point, found.low, found.high, found.inside) == (None, None, None, None)


def test_the_gain_is_measured_on_units_that_did_not_place_the_threshold() -> None:
    """Pure noise, split where it looks best: without cross-fitting the inner side would seem to win."""
    found = [placed(lambda depth: 0.5 + 0.0 * depth, spread=2.0, each=6, seed=seed) for seed in range(60)]
    sides = [one.inside for one in found if one.inside is not None and one.inside.units >= 6]
    gains = [side.difference for side in sides if side.difference is not None]
    assert len(gains) > 20
    assert np.mean(gains) <= 0.5 + 3 * np.std(gains) / np.sqrt(len(gains))


def test_a_range_is_placed_among_the_values_drawn() -> None:
    rng = np.random.default_rng(2)
    values = rng.uniform(0, 10, 120)
    factor = Factor(name="depth", role="condition", low=0.0, high=10.0)
    found_units = units(values, np.where(values > 6, 1.5, -0.5) + 0.5 * rng.standard_normal(120))
    (gate,) = gates({"relu": found_units}, ask(factor))
    found = threshold(found_units, gate, ask(factor))
    assert found.point is not None
    assert found.first is not None
    assert found.point <= 6 < found.first
    assert found.point == pytest.approx(values[values <= 6].max(), rel=1e-5)


def test_only_numeric_factors_that_matter_and_have_three_levels_are_asked() -> None:
    truth = Truth(
        factors=("depth", "optimizer", "mixup", "width"),
        effect=lambda drawn: (
            np.where(drawn["depth"] > 15, 1.0, -1.0)
            + np.where(drawn["optimizer"] == "nadam", -2.0, 0.0)
            + np.where(drawn["mixup"] > 0, 2.0, 0.0)
        ),
        configurations=240,
    )
    runs = simulate(truth, np.random.default_rng(0))
    found_units = {"relu": unit_means(pairs(runs, truth.question, "relu"), truth.question)}
    passed = gates(found_units, truth.question)
    assert [gate.parameter for gate in passed if gate.matters] == ["depth", "optimizer", "mixup"]
    assert [found.parameter for found in thresholds(found_units, passed, truth.question)] == ["depth"]


def test_many_distinct_values_are_pooled_and_quick() -> None:
    rng = np.random.default_rng(2)
    values = rng.uniform(0, 10, 20_000)
    factor = Factor(name="depth", role="condition", low=0.0, high=10.0)
    gate = Gate(
        parameter="depth", rival="relu", ordered=True, units=len(values), levels=10, direction="increasing",
        p=0.001, p_adjusted=0.01, matters=True,
    )  # fmt: skip
    found = threshold(units(values, 0.3 * values - 1.5 + rng.standard_normal(20_000)), gate, ask(factor))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= (0.5 + 1.5) / 0.3 <= found.high
    assert found.high - found.low < 1.0


@pytest.mark.parametrize(
    ("factor", "log"),
    [
        (Factor(name="width", role="condition", levels=(16, 32, 64)), True),
        (Factor(name="learning_rate", role="condition", levels=(0.001, 0.003, 0.01)), True),
        (Factor(name="depth", role="condition", levels=SPACE["depth"]), False),
        (Factor(name="dropout", role="condition", levels=SPACE["dropout"]), False),
        (Factor(name="depth", role="condition", levels=(2, 4)), False),
        (Factor(name="learning_rate", role="condition", low=0.001, high=1.0, log=True), True),
        (Factor(name="width", role="condition", low=16, high=512, integer=True), False),
    ],
)
def test_a_factor_is_on_a_logarithmic_axis_where_its_levels_grow_by_ratios(factor: Factor, log: bool) -> None:
    assert log_spaced(factor) is log
