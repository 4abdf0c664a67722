"""Clipping to a global norm: the formula, and what it leaves alone."""

import dataclasses

import numpy as np
import pytest

from study.clipping import clipped, limit_of
from study.training import Training

GRADIENTS = [np.array([[3.0, 0.0], [0.0, -4.0]], np.float32), np.array([12.0], np.float32)]
"""Their norm is 13."""


@pytest.mark.parametrize("framework", ["numpy", "tensorflow"])
def test_a_long_gradient_keeps_its_direction_and_gets_the_norm(framework: str) -> None:
    if framework == "numpy":
        found = clipped(GRADIENTS, np.float32(6.5))
    else:
        import keras

        found = [np.asarray(each) for each in clipped(GRADIENTS, np.float32(6.5), keras.ops)]
    for each, gradient in zip(found, GRADIENTS, strict=True):
        assert each.dtype == np.float32
        np.testing.assert_allclose(each, gradient / 2, rtol=1e-6)


@pytest.mark.parametrize("limit", [13.5, np.inf])
def test_what_is_short_enough_keeps_its_bits(limit: float) -> None:
    thirds = [each / np.float32(3) for each in GRADIENTS]
    for found, gradient in zip(clipped(thirds, np.float32(limit)), thirds, strict=True):
        np.testing.assert_array_equal(found, gradient)


def test_zeros_and_what_is_not_finite_are_left_alone() -> None:
    zeros = [np.zeros(3, np.float32)]
    np.testing.assert_array_equal(clipped(zeros, np.float32(1.0)), zeros)
    with np.errstate(invalid="ignore"):
        for value in (np.nan, np.inf):
            broken = [*GRADIENTS, np.array([value], np.float32)]
            for found, gradient in zip(clipped(broken, np.float32(1.0)), broken, strict=True):
                np.testing.assert_array_equal(found, gradient)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_no_square_overflows_or_vanishes(size: float) -> None:
    large = [each * np.float32(size) for each in GRADIENTS]
    found = clipped(large, np.float32(6.5 * size))
    for each, gradient in zip(found, GRADIENTS, strict=True):
        np.testing.assert_allclose(each, gradient / 2 * size, rtol=1e-6)


def test_no_clipping_is_an_infinite_limit(training: Training) -> None:
    assert limit_of(training) == np.inf
    assert limit_of(dataclasses.replace(training, gradient_clipping=0.1)) == np.float32(0.1)
