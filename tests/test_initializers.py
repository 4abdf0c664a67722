"""Initial weights: Keras' distributions and scales, from our streams."""

import math

import numpy as np
import pytest
from scipy import stats

from study import initializers
from study.initializers import INITIALIZERS, Scheme

KEY = np.array([11, 22], np.uint32)
SHAPE = (300, 200)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_matches_keras_in_distribution_and_scale(name: str) -> None:
    import keras

    ours = initializers.draw(INITIALIZERS[name], SHAPE, KEY, 0)
    theirs = np.asarray(keras.initializers.get({"class_name": name, "config": {"seed": 5}})(SHAPE))
    assert ours.dtype == np.float32
    assert ours.shape == SHAPE
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    assert abs(ours.mean()) < 6 * ours.std() / math.sqrt(ours.size)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-5


@pytest.mark.parametrize("shape", [(40, 40), (64, 10), (10, 64), (5, 5, 3, 8)])
def test_orthogonal_is_orthogonal(shape: tuple[int, ...]) -> None:
    flat = initializers.draw(Scheme("orthogonal", 1.0), shape, KEY, 3).reshape(-1, shape[-1])
    gram = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)  # float32 rounding


def test_convolution_kernels_count_their_window() -> None:
    assert initializers.fans((5, 5, 3, 8)) == (75, 200)
    kernel = initializers.draw(INITIALIZERS["he_normal"], (5, 5, 30, 80), KEY, 0)
    assert kernel.std() == pytest.approx(math.sqrt(2 / 750), rel=0.02)


def test_one_family_shares_its_numbers_across_scales() -> None:
    he, lecun = (initializers.draw(INITIALIZERS[n], SHAPE, KEY, 1) for n in ("he_normal", "lecun_normal"))
    np.testing.assert_allclose(he, lecun * math.sqrt(2), rtol=1e-6)


def test_variable_and_key_decide() -> None:
    first = initializers.draw(INITIALIZERS["he_uniform"], (4, 4), KEY, 0)
    assert not np.array_equal(first, initializers.draw(INITIALIZERS["he_uniform"], (4, 4), KEY, 1))
    assert not np.array_equal(
        first, initializers.draw(INITIALIZERS["he_uniform"], (4, 4), KEY[::-1].copy(), 0)
    )
    np.testing.assert_array_equal(first, initializers.draw(INITIALIZERS["he_uniform"], (4, 4), KEY, 0))


def test_constants() -> None:
    np.testing.assert_array_equal(
        initializers.draw(Scheme("constant", 1.0), (3,), KEY, 0), np.ones(3, np.float32)
    )
