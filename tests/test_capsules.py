"""The loss of the capsule network: the published formula, and that this is what a step lowers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from study.architectures import ARCHITECTURES
from study.cuts import Cut
from study.datacards import DATASETS, DataCard
from study.datasets import Dataset
from study.fit import CompiledProgram
from study.initial_values import draw, schemes_of
from study.objectives import CapsuleClassification, margin_losses, objective_of
from study.programs import program_of
from study.training import Status, Training

TINY = DataCard(
    name="tiny",
    title="Tiny",
    input_shape=(14, 14, 1),
    classes=3,
    train_size=24,
    validation_size=12,
    test_size=12,
    flip_allowed=False,
    licence="none",
    source="made up",
)


def cut(count: int, seed: int) -> Cut:
    """Return images of noise with a bright third, the upper, middle or lower one."""
    rng = np.random.Generator(np.random.PCG64(seed))
    y = np.arange(count, dtype=np.int32) % 3
    third = np.arange(14)[None, :, None] * 3 // 14 == y[:, None, None]
    x = np.clip(0.6 * third + rng.random((count, 14, 14)) * 0.4, 0.0, 1.0)
    return Cut(x.astype(np.float32)[..., None], y)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset(TINY, cut(24, 1), cut(12, 2), cut(12, 3), "0" * 16)


def test_the_margin_loss_by_hand() -> None:
    """Present and short: 0.9 - 0.5 squared; absent and long: half of 0.7 - 0.1 squared; the rest is free."""
    targets = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    lengths = np.array([[0.5, 0.7, 0.05], [0.1, 0.95, 0.0]], np.float32)
    np.testing.assert_allclose(margin_losses(targets, lengths), [0.16 + 0.5 * 0.36, 0.0], rtol=1e-6)


def test_mixed_targets_weigh_both_parts() -> None:
    (half,) = np.asarray(margin_losses(np.float32([[0.5]]), np.float32([[0.5]])))
    assert half == pytest.approx(0.5 * 0.16 + 0.5 * 0.5 * 0.16)


def test_capsules_alone_are_trained_by_it() -> None:
    for name in ARCHITECTURES:
        objective = objective_of(DATASETS["digits"], name)
        assert isinstance(objective, CapsuleClassification) == (name == "capsule")


@pytest.fixture
def step(training: Training) -> Training:
    """Return a training of a small capsule network: one step of the whole training cut."""
    arguments = (("routings", 3), ("width_multiplier", 0.1))
    return Training(
        dataset="tiny", architecture="capsule", architecture_arguments=arguments, activation="mish",
        epochs=1, batch_size=24, optimizer="sgd", learning_rate=0.5, sweep_seed=7,
        configuration=training.configuration, replicate=0,
    )  # fmt: skip


def test_a_step_goes_down_the_margin_loss_and_records_the_cross_entropy(
    dataset: Dataset, step: Training
) -> None:
    """One step of the whole training cut, beside the gradient of the published formula."""
    compiled = CompiledProgram(program_of(step), dataset)
    result = compiled.train(step)
    assert result.status is Status.OK, result.reason
    network = compiled.model.network
    after = [variable.numpy() for variable in network.trainable_variables]
    found = schemes_of(network)
    for (variable, _), value in zip(found, draw(found, step), strict=True):
        variable.assign(value)
    x, y = tf.constant(dataset.train.x), tf.one_hot(dataset.train.y, 3)

    def margin(logits: Any) -> Any:
        v = 1.0 / (1.0 + tf.exp(-logits))
        each = y * tf.maximum(0.0, 0.9 - v) ** 2 + 0.5 * (1.0 - y) * tf.maximum(0.0, v - 0.1) ** 2
        return tf.reduce_mean(tf.reduce_sum(each, axis=1))

    with tf.GradientTape() as tape:
        logits = network(x, training=True)
        loss = margin(logits)
    gradients = tape.gradient(loss, network.trainable_variables)
    for start, gradient, end in zip(network.trainable_variables, gradients, after, strict=True):
        np.testing.assert_allclose(end, start.numpy() - 0.5 * gradient.numpy(), rtol=1e-4, atol=1e-6)
    cross_entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, logits))
    assert result.curve["train_loss"][0] == pytest.approx(float(cross_entropy), rel=1e-5)


@pytest.mark.slow
def test_a_small_capsule_network_learns(dataset: Dataset, step: Training) -> None:
    longer = replace(step, epochs=20, batch_size=8, optimizer="adam", learning_rate=0.01)
    result = CompiledProgram(program_of(longer), dataset).train(longer)
    assert result.metrics["test_accuracy"] > 90.0
