"""Successive halving under test: how often it names a false winner, and what it costs in power.

Learning curves of the planted worlds cross or do not, so that ranks after few epochs predict those after many
badly or well. The measured rates are logged; to see those of the large runs:

    python -m pytest tests/test_simulated_halving.py -m simulation --log-cli-level=INFO
"""

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from simulation_bounds import LOG, at_least, at_most
from test_simulated_tuned import holds, verdicts
from tuned_runs import Searches, Surface, true_difference

from study.tuning import Tuning

HOLD, CROSS, WIDELY = 0.0, 4.0, 8.0
"""Points that a rate ten times smaller is further behind after one epoch: ranks hold, or the best rate after
one epoch is one or two powers of ten above that after all."""

FEW, MANY = 8, 600


def world(mish: Surface, relu: Surface, *, trials: int = 27, halved: bool = True, **changes: Any) -> Searches:
    """Return searches of 27 x 1, 9 x 3, 3 x 9 and 1 x 27 epochs, or of so many trials in full."""
    surfaces = {"mish": mish, "relu": relu}
    made = Searches(
        surfaces=surfaces, trials=trials, halving=3 if halved else None, epochs=27 if halved else None
    )
    return dataclasses.replace(made, **changes)


def equal(slow: float, **changes: Any) -> Searches:
    return world(Surface(slow=slow), Surface(slow=slow), **changes)


FAILING = Surface(fails_above=-1.3, slow=CROSS)
WORLDS = {
    "ranks hold": equal(HOLD),
    "curves cross": equal(CROSS),
    "curves cross widely": equal(WIDELY),
    "curves cross, noisy": equal(CROSS, noise=1.5),
    "curves cross, a third of the trials fails": world(FAILING, FAILING),
}


def better(slow: float, **changes: Any) -> Searches:
    """Return searches whose focus gets 0.8 points further."""
    return world(Surface(top=90.8, slow=slow), Surface(slow=slow), **changes)


GAINS = {  # and the least power that they have, a little below what was measured
    "in full, 27 trials (729 epochs)": (better(HOLD, halved=False), 0.93),
    "in full, 4 trials (108 epochs)": (better(HOLD, halved=False, trials=4), 0.94),
    "halved, ranks hold (108 epochs)": (better(HOLD), 0.9),
    "halved, curves cross (108 epochs)": (better(CROSS), 0.57),
}
ONE_IS_SLOW = world(Surface(slow=WIDELY), Surface(slow=HOLD))

pytestmark = pytest.mark.timeout(900)
SIMULATION = pytest.mark.simulation


@cache
def differences(searched: str) -> np.ndarray:
    worlds = {**WORLDS, **{name: made for name, (made, _) in GAINS.items()}, "one is slow": ONE_IS_SLOW}
    return true_difference(worlds[searched], np.random.default_rng(1))


def test_the_budgets_are_those_that_are_compared() -> None:
    tuning = WORLDS["ranks hold"].question.tuning
    assert isinstance(tuning, Tuning)
    assert (tuning.rung_trials, tuning.rung_epochs) == ((27, 9, 3, 1), (1, 3, 9, 27))
    assert tuning.search_epochs == 108 == 4 * 27


@pytest.mark.parametrize(
    ("name", "count"),
    [("curves cross", FEW), *(pytest.param(name, MANY, marks=SIMULATION) for name in WORLDS)],
)
def test_where_both_are_equal_nobody_wins_tuned_with_halving(name: str, count: int) -> None:
    found = [each[0].searches for each in verdicts(WORLDS[name], count)]
    at_most(0.025, [each.verdict == "wins" for each in found], f"{name}: wins tuned")
    at_most(0.025, [each.verdict == "loses" for each in found], f"{name}: loses tuned")
    truth = float(differences(name).mean())
    held = [holds(each, truth) for each in found]
    at_least(0.94, held, f"{name}: 95 % interval holds the truth ({truth:.3f})")


@pytest.mark.simulation
@pytest.mark.parametrize("name", GAINS)
def test_what_halving_costs_in_power(name: str) -> None:
    made, least = GAINS[name]
    found = [each[0].searches for each in verdicts(made, MANY)]
    at_least(least, [each.verdict == "wins" for each in found], f"+0.8 at the optimum, {name}: wins tuned")
    true, mean = differences(name), np.mean([each.difference or 0.0 for each in found])
    LOG.info("its mean difference: %.2f; truth %.2f ±%.2f between searches", mean, true.mean(), true.std())
    assert abs(mean - true.mean()) < 4 * true.std() / np.sqrt(8 * MANY)


@pytest.mark.simulation
def test_halving_is_held_against_the_one_whose_best_settings_learn_slowly() -> None:
    """In full both are equal; searches of this kind end worse with the slow one, and the verdict says so."""
    found = [each[0].searches for each in verdicts(ONE_IS_SLOW, MANY)]
    true = float(differences("one is slow").mean())
    at_least(0.9, [each.verdict == "loses" for each in found], f"one is slow ({true:.2f}): loses tuned")
