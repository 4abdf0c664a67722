"""Clipping of a gradient to a norm, for every engine."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from study.training import Training


def limit_of(training: Training) -> np.float32:
    """Return the norm that the gradient of a training is clipped to; infinite where it is not clipped."""
    return np.float32(training.gradient_clipping or np.inf)


def clipped(gradients: Sequence[Any], limit: Any, xp: ModuleType | Any = np) -> list[Any]:
    """Scale the gradient down to a global norm where it is longer.

    All variables together are one vector `g`, and the result is `g min(1, limit / |g|)` with the Euclidean
    norm. A shorter gradient, or any with an infinite limit, keeps its bits; so does one that is not finite,
    which ends a training and is not hidden. `g` is divided by its largest element first, so that no square
    overflows.

    Parameters
    ----------
    gradients : sequence of array of float32
        One for each variable.
    limit : scalar of float32
        Greater than 0.
    xp : module
        Array functions: `numpy`, `jax.numpy` or `keras.ops`.

    Returns
    -------
    list of array of float32

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    arXiv:1211.5063, algorithm 1.
    """
    largest = xp.max(xp.stack([xp.max(xp.abs(each)) for each in gradients]))
    unit = xp.where(largest > 0.0, largest, xp.ones_like(largest))
    # In units of the largest element a norm is at least 1, or 0.
    norm = xp.sqrt(sum(xp.sum(xp.square(each / unit)) for each in gradients))
    ones = xp.ones_like(norm)
    scale = xp.where(norm > limit / unit, limit / unit / xp.maximum(norm, ones), ones)
    return [each * scale for each in gradients]
