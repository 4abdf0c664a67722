"""The random streams: the same on every backend, and random enough for what they are used for."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import stats

from study import streams
from study.training import Training

KEY = np.array([0x12345678, 0x9ABCDEF0], np.uint32)


def test_bits_are_pinned() -> None:
    """A change here changes every result ever recorded."""
    expected = np.array([0xA40DE6BB, 0x047FA51D, 0x7C5CBE18], np.uint32)
    np.testing.assert_array_equal(streams.bits(KEY, np.uint32(3), 3, site=2), expected)


def test_backends_agree_bit_for_bit() -> None:
    jnp = pytest.importorskip("jax.numpy")
    import keras
    import tensorflow as tf

    expected = streams.bits(KEY, np.uint32(77), 5000, site=4)
    from_jax = streams.bits(jnp.asarray(KEY), jnp.uint32(77), 5000, site=4, xp=jnp)
    compiled = tf.function(lambda key, step: streams.bits(key, step, 5000, site=4, xp=keras.ops))
    from_tensorflow = compiled(tf.constant(KEY), tf.constant(77, tf.uint32))
    np.testing.assert_array_equal(np.asarray(from_jax), expected)
    np.testing.assert_array_equal(np.asarray(from_tensorflow), expected)
    np.testing.assert_array_equal(
        np.asarray(streams.uniform(from_tensorflow, keras.ops)), streams.uniform(expected)
    )


def test_normal_agrees_between_backends_to_rounding() -> None:
    jnp = pytest.importorskip("jax.numpy")
    import keras
    import tensorflow as tf

    expected = streams.normal(KEY, np.uint32(1), 2001)
    for keyed, step, xp in (
        (jnp.asarray(KEY), jnp.uint32(1), jnp),
        (tf.constant(KEY), tf.constant(1, tf.uint32), keras.ops),
    ):
        # log and cos differ by a few units in the last place between backends
        np.testing.assert_allclose(np.asarray(streams.normal(keyed, step, 2001, xp=xp)), expected, atol=5e-6)


def test_key_depends_on_everything_but_activation_and_engine(training: Training) -> None:
    base = tuple(streams.key(training, "weights"))
    assert tuple(streams.key(dataclasses.replace(training, activation="relu"), "weights")) == base
    assert tuple(streams.key(dataclasses.replace(training, learning_rate=1.0), "weights")) == base
    others = [
        streams.key(dataclasses.replace(training, sweep_seed=8), "weights"),
        streams.key(dataclasses.replace(training, configuration="f"), "weights"),
        streams.key(dataclasses.replace(training, replicate=1), "weights"),
        *(streams.key(training, name) for name in ("order", "dropout", "noise", "mixup", "augmentation")),
    ]
    assert len({base, *map(tuple, others)}) == 9


def test_an_element_does_not_depend_on_how_many_are_drawn() -> None:
    np.testing.assert_array_equal(
        streams.bits(KEY, np.uint32(5), 10), streams.bits(KEY, np.uint32(5), 1000)[:10]
    )


def test_uniform_in_range_and_uniform() -> None:
    u = streams.uniform(streams.bits(KEY, np.uint32(0), 1_000_000))
    assert u.dtype == np.float32
    assert 0.0 <= u.min() <= u.max() < 1.0
    counts = np.bincount((u * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-6


@pytest.mark.parametrize("bit", range(32))
def test_each_bit_is_fair_and_uncorrelated_with_its_neighbour(bit: int) -> None:
    ones = (streams.bits(KEY, np.uint32(9), 200_000) >> np.uint32(bit)) & np.uint32(1)
    assert stats.binomtest(int(ones.sum()), len(ones)).pvalue > 1e-7
    equal = int((ones[1:] == ones[:-1]).sum())
    assert stats.binomtest(equal, len(ones) - 1).pvalue > 1e-7


def test_steps_sites_and_keys_are_uncorrelated() -> None:
    n = 100_000
    sequences = [
        streams.uniform(streams.bits(key, np.uint32(step), n, site=site)).astype(float)
        for key in (KEY, KEY + np.uint32(1), KEY[::-1].copy())
        for step in (0, 1, 2, 1000)
        for site in (0, 1)
    ]
    for a, b in itertools.combinations(sequences, 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 6 / np.sqrt(n)


def test_one_flipped_input_bit_flips_half_of_the_output() -> None:
    base = streams.bits(KEY, np.uint32(6), 4096)
    for word, bit in itertools.product(range(2), range(32)):
        flipped = KEY.copy()
        flipped[word] ^= np.uint32(1 << bit)
        share = np.unpackbits((streams.bits(flipped, np.uint32(6), 4096) ^ base).view(np.uint8)).mean()
        assert abs(share - 0.5) < 0.01


def test_permutation_is_one_and_is_fresh_each_epoch() -> None:
    orders = [streams.permutation(KEY, epoch, 1000) for epoch in range(3)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert not np.array_equal(orders[0], orders[1])
    assert abs(stats.spearmanr(orders[0], orders[1]).statistic) < 0.2


def test_normal_is_normal() -> None:
    z = streams.normal(KEY, np.uint32(2), 200_001).astype(float)
    assert len(z) == 200_001
    assert np.isfinite(z).all()
    assert stats.kstest(z, "norm").pvalue > 1e-6
