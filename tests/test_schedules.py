"""How the learning rate moves: each policy against its formula, step by step."""

import dataclasses
import math

import numpy as np
import pytest

from study.schedules import POLICIES, learning_rates
from study.training import Training

PEAK = 0.3


def whole(training: Training, policy: str, epochs: int, epoch_steps: int) -> np.ndarray:
    """Return the rates of all steps of a training."""
    chosen = dataclasses.replace(training, learning_rate=PEAK, learning_rate_policy=policy, epochs=epochs)
    return np.concatenate([learning_rates(chosen, epoch, epoch_steps) for epoch in range(epochs)])


def expected(policy: str, step: int, steps: int) -> float:
    """Return the rate of a step, written anew from the papers."""
    place = step / (steps - 1)
    if policy == "constant":
        return PEAK
    if policy == "cosine":
        return PEAK * (0.01 + 0.99 * math.cos(math.pi * place / 2) ** 2)
    if policy == "step":
        return PEAK * (1.0 if step < steps / 2 else 0.1 if step < 3 * steps / 4 else 0.01)
    if place <= 0.3:
        return PEAK * (1 - (1 - 1 / 25) * math.cos(math.pi * place / 0.6) ** 2)
    return PEAK * (1e-4 + (1 - 1e-4) * math.cos(math.pi * (place - 0.3) / 1.4) ** 2)


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize(("epochs", "epoch_steps"), [(4, 5), (3, 7), (101, 1)])
def test_each_step_has_the_rate_of_the_formula(
    training: Training, policy: str, epochs: int, epoch_steps: int
) -> None:
    steps = epochs * epoch_steps
    rates = whole(training, policy, epochs, epoch_steps)
    assert rates.dtype == np.float32
    assert rates.shape == (steps,)
    np.testing.assert_allclose(rates, [expected(policy, step, steps) for step in range(steps)], rtol=2e-7)


def test_a_constant_rate_is_the_float32_of_the_training_itself(training: Training) -> None:
    for rate in (0.3, 1e-5, 0.1 + 0.2, 1e6):
        chosen = dataclasses.replace(training, learning_rate=rate)
        np.testing.assert_array_equal(learning_rates(chosen, 2, 3), np.full(3, np.float32(rate)))


def test_the_ends_are_those_of_the_docs(training: Training) -> None:
    first, last = ({p: whole(training, p, 100, 1)[i] / PEAK for p in POLICIES} for i in (0, -1))
    assert first == pytest.approx({"constant": 1, "cosine": 1, "one_cycle": 1 / 25, "step": 1}, rel=1e-6)
    assert last == pytest.approx({"constant": 1, "cosine": 0.01, "one_cycle": 1e-4, "step": 0.01}, rel=1e-6)
    # 101 steps: the 31st is 30 % of the way.
    assert np.argmax(whole(training, "one_cycle", 101, 1)) == 30


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_single_step_has_a_rate(training: Training, policy: str) -> None:
    (rate,) = whole(training, policy, 1, 1)
    assert 0 < rate <= np.float32(PEAK)
