"""Training batches: order, shift, flip, noise, mixing."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from study import batches
from study.training import Training

KEY = np.array([5, 6], np.uint32)


def test_epoch_order_has_each_example_at_most_once() -> None:
    order = batches.epoch_order(KEY, 0, 103, 10)
    assert order.shape == (10, 10)
    assert order.dtype == np.int32
    assert len(np.unique(order)) == 100
    assert not np.array_equal(order, batches.epoch_order(KEY, 1, 103, 10))


def test_shift_moves_by_whole_pixels_and_fills_with_zeros() -> None:
    x = np.zeros((500, 10, 10, 1), np.float32)
    x[:, 5, 5] = 1.0
    moved = batches.shift(x, KEY, np.uint32(0))
    rows, columns = np.argwhere(moved[..., 0] == 1.0)[:, 1:].T
    assert len(rows) == 500
    assert set(rows) == set(columns) == {4, 5, 6}
    assert moved.sum() == 500
    for direction in (4, 5, 6):
        assert stats.binomtest(int((rows == direction).sum()), 500, 1 / 3).pvalue > 1e-4
    edge = np.zeros((500, 10, 10, 1), np.float32)
    edge[:, 0, 0] = 1.0
    assert 0 < batches.shift(edge, KEY, np.uint32(0)).sum() < 500


def test_flip_mirrors_about_half() -> None:
    x = np.broadcast_to(np.arange(8, dtype=np.float32).reshape(1, 1, 8, 1), (400, 2, 8, 1))
    flipped = batches.flip(x, KEY, np.uint32(1))
    mirrored = flipped[:, 0, 0, 0] == 7
    assert stats.binomtest(int(mirrored.sum()), 400).pvalue > 1e-4
    np.testing.assert_array_equal(flipped[mirrored], x[mirrored][:, :, ::-1])
    np.testing.assert_array_equal(flipped[~mirrored], x[~mirrored])


def test_backends_make_the_same_batch() -> None:
    jnp = pytest.importorskip("jax.numpy")
    import keras
    import tensorflow as tf

    x = np.random.default_rng(1).random((16, 9, 12, 3), np.float32)
    expected = batches.augment(x, "shift_flip", KEY, np.uint32(3))
    for image, key, step, xp in (
        (jnp.asarray(x), jnp.asarray(KEY), jnp.uint32(3), jnp),
        (tf.constant(x), tf.constant(KEY), tf.constant(3, tf.uint32), keras.ops),
    ):
        np.testing.assert_array_equal(
            np.asarray(batches.augment(image, "shift_flip", key, step, xp)), expected
        )


def test_mixing_coefficients_follow_the_beta_distribution(training: Training) -> None:
    mixed = dataclasses.replace(training, mixup=0.4)
    coefficients = batches.mixing_coefficients(mixed, 20_000)
    assert coefficients.dtype == np.float32
    assert stats.kstest(coefficients, stats.beta(0.4, 0.4).cdf).pvalue > 1e-5
    other = dataclasses.replace(mixed, activation="relu")
    np.testing.assert_array_equal(coefficients, batches.mixing_coefficients(other, 20_000))


def test_mix_pairs_each_row_with_the_next() -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_allclose(batches.mix(x, 0.75), 0.75 * x + 0.25 * x[[1, 2, 0]])
    np.testing.assert_array_equal(batches.mix(x, np.float32(1.0)), x)


def test_test_time_noise_is_fixed_and_differs_between_cuts(training: Training) -> None:
    noisy = dataclasses.replace(training, input_noise=0.5, noise_at="test")
    x = np.zeros((50, 8, 8, 1), np.float32)
    first = batches.noisy_copy(x, noisy, 0)
    assert first.std() == pytest.approx(0.5, rel=0.05)
    np.testing.assert_array_equal(first, batches.noisy_copy(x, noisy, 0))
    assert abs(np.corrcoef(first.ravel(), batches.noisy_copy(x, noisy, 1).ravel())[0, 1]) < 0.1
