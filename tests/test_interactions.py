"""The tree: shown where it predicts, silent where it does not, its leaves honest."""

import dataclasses

import numpy as np
import pandas as pd
from simulated_runs import Truth, simulate

from analysis.statistics.interactions import SPLITS, Interaction, interactions
from analysis.statistics.pairs import pairs
from analysis.statistics.units import unit_means

NULL = Truth(factors=("depth", "learning_rate", "optimizer"))
TOGETHER = dataclasses.replace(
    NULL,
    effect=lambda drawn: np.where((drawn["depth"] > 15) & (drawn["learning_rate"] < 0.05), 3.0, 0.0),
)


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
    assert set(one.roots) <= {"depth", "learning_rate"}
    assert sum(one.roots.values()) == SPLITS
    assert sum(leaf.units for leaf in one.leaves) == 60
    best = max(one.leaves, key=lambda leaf: leaf.difference or 0.0)
    assert any(condition.startswith("depth above 1") for condition in best.where)
    assert any(condition.startswith("learning_rate up to 0.0") for condition in best.where)
    assert best.low is not None
    assert best.high is not None
    assert best.low < 3.0 < best.high


def test_noise_has_no_tree() -> None:
    (one,) = found(NULL)
    assert one.p is not None
    assert one.p > 0.05
    assert (one.leaves, dict(one.roots)) == ((), {})


def test_names_are_split_by_level() -> None:
    truth = dataclasses.replace(NULL, effect=lambda drawn: np.where(drawn["optimizer"] == "nadam", -3.0, 1.0))
    (one,) = found(truth)
    assert next(iter(one.roots)) == "optimizer"
    assert {leaf.where[0] for leaf in one.leaves} == {"optimizer nadam", "optimizer not nadam"}


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
