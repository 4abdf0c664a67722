"""Layers against NumPy: masks are the stream's bits, penalties are sums, rates are variables."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from study import layers, streams
from study.layers import Dropout, Penalty, Rates
from study.training import Training

replace = dataclasses.replace

SHAPE = (32, 40)


def mask(training: Training, step: int, site: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return what units are multiplied by, written out."""
    bits = streams.bits(streams.key(training, "dropout"), np.uint32(step), int(np.prod(shape)), site=site)
    kept = (bits >> np.uint32(8)) / 2**24 >= training.dropout
    return kept.reshape(shape) / (1.0 - training.dropout)


@pytest.fixture
def rates(training: Training) -> Rates:
    made = Rates()
    made.assign(replace(training, dropout=0.3))
    return made


def dropped_ones(rates: Rates, site: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.asarray(Dropout(rates, site)(tf.ones(shape), training=True))


@pytest.mark.parametrize(("step", "site"), [(0, 0), (1, 0), (4000, 0), (0, 1), (7, 14)])
def test_dropout_masks_are_the_bits_of_step_and_site(
    training: Training, rates: Rates, step: int, site: int
) -> None:
    rates.step.assign(np.uint32(step))
    expected = mask(replace(training, dropout=0.3), step, site)
    np.testing.assert_allclose(dropped_ones(rates, site), expected, rtol=1e-6)  # one float32 division


def test_masks_of_steps_sites_and_blocks_differ_and_of_activations_do_not(training: Training) -> None:
    masks = []
    for block, step, site in itertools.product(range(2), range(2), range(2)):
        rates = Rates()
        rates.assign(replace(training, dropout=0.5, replicate=block, activation="relu"))
        rates.step.assign(np.uint32(step))
        masks.append(dropped_ones(rates, site) > 0)
    for a, b in itertools.combinations(masks, 2):
        assert 0.4 < (a != b).mean() < 0.6
    other = Rates()
    other.assign(replace(training, dropout=0.5, activation="mish"))
    np.testing.assert_array_equal(dropped_ones(other) > 0, masks[0])


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(training: Training, rates: Rates, rate: float) -> None:
    rates.assign(replace(training, dropout=rate))
    units = dropped_ones(rates, shape=(400, 500))
    assert (units == 0).mean() == pytest.approx(rate, abs=0.005)
    assert units.mean() == pytest.approx(1.0, abs=0.03)


def test_images_take_the_same_bits_in_their_own_shape(training: Training, rates: Rates) -> None:
    shape = (4, 6, 6, 3)
    expected = mask(replace(training, dropout=0.3), 0, 1, shape)
    np.testing.assert_allclose(dropped_ones(rates, 1, shape), expected, rtol=1e-6)


def test_dropout_does_nothing_when_not_training(rates: Rates) -> None:
    x = tf.random.stateless_normal(SHAPE, (1, 2))
    np.testing.assert_array_equal(Dropout(rates, 0)(x, training=False), x)
    np.testing.assert_array_equal(Dropout(rates, 0)(x), x)


def test_rates_are_variables_of_a_program_that_is_traced_once(training: Training) -> None:
    rates = Rates()
    layer = layers.dense(5, rates)
    layer.build((None, 8))
    kernel = np.linspace(-1.0, 1.0, 40, dtype=np.float32).reshape(8, 5)
    layer.kernel.assign(kernel)
    drop = Dropout(rates, 2)
    traces = []

    @tf.function
    def program(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        traces.append(1)
        return drop(layer(x), training=True), tf.add_n(layer.losses)

    x = np.ones((16, 8), np.float32)
    for change in (
        {"dropout": 0.2, "regularizer": "l1", "regularizer_strength": 0.1},
        {"dropout": 0.6, "regularizer": "l2", "regularizer_strength": 0.3, "replicate": 5},
        {"dropout": 0.0, "regularizer": "none"},
    ):
        changed = replace(training, **change)
        rates.assign(changed)
        rates.step.assign(np.uint32(3))
        out, penalty = program(tf.constant(x))
        np.testing.assert_allclose(out, x @ kernel * mask(changed, 3, 2, (16, 5)), rtol=1e-5, atol=1e-6)
        assert float(penalty) == pytest.approx(by_hand(changed, kernel), rel=1e-6)
    assert len(traces) == 1


def by_hand(training: Training, kernel: np.ndarray) -> float:
    """Return the penalty of one kernel, each regularizer written out."""
    strength, w = training.regularizer_strength, kernel.astype(float)
    return {
        "none": 0.0,
        "l1": strength * np.abs(w).sum(),
        "l2": strength * (w**2).sum(),
        "l1_l2": strength * np.abs(w).sum() + strength * (w**2).sum(),
    }[training.regularizer]


@pytest.mark.parametrize("regularizer", ["none", "l1", "l2", "l1_l2"])
def test_penalty_is_the_sum_over_the_kernel_and_keras_own(training: Training, regularizer: str) -> None:
    kernel = np.random.default_rng(3).normal(size=(3, 3, 4, 6)).astype(np.float32)
    rates = Rates()
    changed = replace(training, regularizer=regularizer, regularizer_strength=0.02)
    rates.assign(changed)
    penalty = float(Penalty(rates)(tf.constant(kernel)))
    assert penalty == pytest.approx(by_hand(changed, kernel), rel=1e-5)
    if regularizer != "none":
        identifier = {"l1": "L1", "l2": "L2", "l1_l2": "L1L2"}[regularizer]
        strengths = {name: 0.02 for name in regularizer.split("_")}
        theirs = getattr(keras.regularizers, identifier)(**strengths)
        assert penalty == pytest.approx(float(theirs(tf.constant(kernel))), rel=1e-5)


def test_a_new_training_starts_at_step_0(training: Training, rates: Rates) -> None:
    rates.step.assign(np.uint32(99))
    rates.assign(training)
    assert int(rates.step) == 0


def test_no_rate_is_trained(rates: Rates) -> None:
    assert rates.trainable_variables == []
    assert len(rates.variables) == 5


def test_normalization_comes_before_the_activation() -> None:
    inputs = keras.Input((3,))
    network = keras.Model(inputs, layers.activate(inputs, tf.nn.relu, batch_normalization=True))
    x = np.array([[-5.0, 1.0, 2.0], [5.0, 3.0, 8.0]], np.float32)
    out = np.asarray(network(x, training=True))
    deviation = x.std(axis=0)
    expected = (x - x.mean(axis=0)) / np.sqrt(deviation**2 + 1e-3)
    np.testing.assert_allclose(out, np.maximum(expected, 0.0), atol=1e-5)
