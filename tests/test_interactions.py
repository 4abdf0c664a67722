"""The tree: shown where two factors tell more than one, silent where they do not, its leaves honest."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from simulated_runs import Effect, Truth, simulate

from analysis.statistics.interactions import SPLITS, Interaction, Leaf, interactions
from analysis.statistics.pairs import pairs
from analysis.statistics.units import unit_means

NULL = Truth(factors=("depth", "learning_rate", "optimizer"))
TOGETHER = dataclasses.replace(
    NULL,
    effect=lambda drawn: np.where((drawn["depth"] > 15) & (drawn["learning_rate"] < 0.05), 3.0, 0.0),
)


def shallow(drawn: pd.DataFrame) -> np.ndarray:
    return np.where(drawn["depth"] > 15, -1.0, 1.0)


def low_rate(drawn: pd.DataFrame) -> np.ndarray:
    return np.where(drawn["learning_rate"] < 0.01, 1.0, -1.0)


def nadam(drawn: pd.DataFrame) -> np.ndarray:
    return np.where(drawn["optimizer"] == "nadam", -3.0, 1.1)


def factors_of(leaf: Leaf) -> list[str]:
    return [condition.split()[0] for condition in leaf.where]


def found(truth: Truth, seed: int = 0, **changes: object) -> tuple[Interaction, ...]:
    runs = simulate(truth, np.random.default_rng(seed)).assign(**changes)  # pyright: ignore[reportArgumentType]
    units = {rival: unit_means(pairs(runs, truth.question, rival), truth.question) for rival in truth.rivals}
    return interactions(units, truth.question)


def test_two_factors_that_act_together_are_found_with_honest_leaves() -> None:
    (one,) = found(TOGETHER)
    assert one.p is not None
    assert one.p <= 0.05
    assert one.explained is not None
    assert one.explained > 0.2
    assert one.together
    assert set(one.roots) <= {"depth", "learning_rate"}
    assert sum(one.roots.values()) == SPLITS
    assert sum(leaf.units for leaf in one.leaves) == one.units == 120
    best = max(one.leaves, key=lambda leaf: leaf.difference or 0.0)
    assert any(condition.startswith("depth above 1") for condition in best.where)
    assert any(condition.startswith("learning_rate up to 0.0") for condition in best.where)
    assert best.low is not None
    assert best.high is not None
    assert best.low < 3.0 < best.high


def test_two_factors_that_add_up_are_shown_as_such() -> None:
    (one,) = found(dataclasses.replace(NULL, effect=lambda drawn: shallow(drawn) + low_rate(drawn)))
    assert {name for leaf in one.leaves for name in factors_of(leaf)} == {"depth", "learning_rate"}
    assert one.p_additive is not None
    assert one.p_additive > 0.05
    assert not one.together


@pytest.mark.parametrize(
    "effect",
    [
        shallow,
        lambda drawn: drawn["depth"].to_numpy() / 5.0,
        nadam,
    ],
    ids=["step", "slope", "one optimizer"],
)
def test_a_factor_that_acts_alone_makes_no_tree(effect: Effect) -> None:
    (one,) = found(dataclasses.replace(NULL, effect=effect))
    assert one.p is not None
    assert one.p > 0.05
    assert (one.p_additive, one.leaves, dict(one.roots)) == (None, (), {})


def test_noise_has_no_tree() -> None:
    (one,) = found(NULL)
    assert one.p is not None
    assert one.p > 0.05
    assert (one.leaves, dict(one.roots)) == ((), {})


def test_names_are_split_by_level() -> None:
    def effect(drawn: pd.DataFrame) -> np.ndarray:
        return np.where((drawn["optimizer"] == "nadam") & (drawn["depth"] > 15), -3.0, 1.0)

    (one,) = found(dataclasses.replace(NULL, effect=effect, configurations=240))
    conditions = {condition for leaf in one.leaves for condition in leaf.where}
    assert {"optimizer nadam", "optimizer not nadam"} <= conditions


def test_no_leaf_names_a_factor_twice() -> None:
    (one,) = found(TOGETHER)
    assert one.leaves
    assert all(len(set(factors_of(leaf))) == len(leaf.where) for leaf in one.leaves)


def test_a_leaf_of_too_few_units_has_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.statistics.interactions.MINIMUM_UNITS", 40)
    (one,) = found(TOGETHER)
    assert {leaf.units < 40 for leaf in one.leaves} == {True, False}
    assert all((leaf.low is None) == (leaf.high is None) == (leaf.units < 40) for leaf in one.leaves)
    assert all(leaf.difference is not None for leaf in one.leaves)


def test_differences_that_one_factor_decides_exactly_have_no_tree() -> None:
    exact = dataclasses.replace(NULL, effect=nadam, spread=0.0, tau=0.0, noise=0.0)
    (one,) = found(exact)
    assert (one.p, one.explained, one.leaves) == (1.0, 0.0, ())


def test_too_few_units_one_factor_or_one_walk_at_a_time_have_no_tree() -> None:
    (few,) = found(dataclasses.replace(NULL, configurations=30))
    assert (few.p, few.explained, few.leaves) == (None, None, ())
    assert found(dataclasses.replace(NULL, factors=("depth",))) == ()
    assert found(dataclasses.replace(NULL, design="ofat", replicates=3)) == ()


def test_the_same_frame_gives_the_same_tree_whatever_the_order_of_rows() -> None:
    runs = simulate(TOGETHER, np.random.default_rng(0))
    question = TOGETHER.question

    def of(frame: pd.DataFrame) -> tuple[Interaction, ...]:
        return interactions({"relu": unit_means(pairs(frame, question, "relu"), question)}, question)

    assert of(runs) == of(runs.sample(frac=1, random_state=1))
