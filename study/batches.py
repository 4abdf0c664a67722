"""What a training batch is: its order, shifted, noisy and mixed, all from the block's streams.

Each function takes `xp`, a module of array functions (`numpy`, `jax.numpy` or `keras.ops`), so that
every engine makes the same batches.
"""

import math
from types import ModuleType
from typing import Any

import numpy as np

from study import streams
from study.training import Training

SHIFT = 0.1
"""Largest shift of an augmented image, as a share of its height and width; at least one pixel."""


def epoch_order(key: np.ndarray, epoch: int, examples: int, batch_size: int) -> np.ndarray:
    """Return which examples make up each batch of an epoch.

    Parameters
    ----------
    key : ndarray of uint32, shape (2,)
        Key of the stream `order`.
    epoch : int
        From 0.

    Returns
    -------
    ndarray of int32, shape (examples // batch_size, batch_size)
        A fresh permutation; the examples that do not fill a batch are left out this epoch.
    """
    steps = examples // batch_size
    order = streams.permutation(key, epoch, examples)
    return order[: steps * batch_size].reshape(steps, batch_size)


def mixing_coefficients(training: Training, steps: int) -> np.ndarray:
    """Return one mixing coefficient for each step of a training.

    Coefficients follow the symmetric Beta distribution with parameter `training.mixup` (Zhang et
    al. 2018), by its inverse distribution function.

    Parameters
    ----------
    training : Training
        `mixup` must be greater than 0.
    steps : int
        Number of steps of the whole training.

    Returns
    -------
    ndarray of float32, shape (steps,), in [0, 1]
    """
    from scipy.stats import beta

    u = streams.uniform(streams.bits(streams.key(training, "mixup"), np.uint32(0), steps))
    return beta.ppf(u.astype(np.float64) + 2.0**-25, training.mixup, training.mixup).astype(np.float32)


def mix(x: Any, coefficient: Any, xp: ModuleType | Any = np) -> Any:
    """Return `coefficient * x + (1 - coefficient) * partner`; the partner is the next row of the batch.

    The order of a batch is random, so its next row is a random partner. Serves inputs and one-hot
    targets alike.
    """
    return coefficient * x + (1.0 - coefficient) * xp.roll(x, -1, axis=0)


def shift(x: Any, key: Any, step: Any, xp: ModuleType | Any = np) -> Any:
    """Move each image by whole pixels, up to `SHIFT` of its size each way, filling with zeros.

    Parameters
    ----------
    x : array of float32, shape (batch, height, width, channels)
    key : array of uint32, shape (2,)
        Key of the stream `augmentation`.
    step : scalar of uint32
        Training step.
    """
    batch, height, width, _ = x.shape
    for axis, size in ((1, height), (2, width)):
        largest = max(1, round(SHIFT * size))
        u = streams.uniform(streams.bits(key, step, batch, site=axis, xp=xp), xp)
        offset = xp.floor(u * np.float32(2 * largest + 1)) - np.float32(largest)
        rows = xp.reshape(xp.arange(size, dtype="float32"), (1, size)) + xp.reshape(offset, (batch, 1))
        inside = xp.logical_and(rows >= 0.0, rows <= size - 1.0)
        index = xp.clip(rows, 0.0, size - 1.0)
        index = xp.cast(index, "int32") if hasattr(xp, "cast") else xp.asarray(index, "int32")
        shape = (batch, size, 1, 1) if axis == 1 else (batch, 1, size, 1)
        taken = xp.take_along_axis(x, xp.broadcast_to(xp.reshape(index, shape), x.shape), axis=axis)
        x = xp.where(xp.reshape(inside, shape), taken, xp.zeros_like(taken))
    return x


def flip(x: Any, key: Any, step: Any, xp: ModuleType | Any = np) -> Any:
    """Mirror each image left to right with probability one half. Shapes as for `shift`."""
    u = streams.uniform(streams.bits(key, step, x.shape[0], site=3, xp=xp), xp)
    return xp.where(xp.reshape(u < 0.5, (x.shape[0], 1, 1, 1)), x, xp.flip(x, axis=2))


CHANGES = {"none": (), "shift": (shift,), "shift_flip": (shift, flip)}
"""Augmentation to what is done to each image in turn; each one begins with all of those before it."""


def augment(x: Any, augmentation: str, key: Any, step: Any, xp: ModuleType | Any = np) -> Any:
    """Apply the augmentation `none`, `shift` or `shift_flip` to a batch of images."""
    for change in CHANGES[augmentation]:
        x = change(x, key, step, xp)
    return x


def add_noise(x: Any, deviation: Any, key: Any, step: Any, xp: ModuleType | Any = np) -> Any:
    """Add Gaussian noise of standard deviation `deviation` from the stream `noise`."""
    noise = streams.normal(key, step, math.prod(x.shape), xp=xp)
    return x + deviation * xp.reshape(noise, x.shape)


def noisy_copy(x: np.ndarray, training: Training, cut: int) -> np.ndarray:
    """Return the images of an evaluation cut with the training's test-time noise added.

    Parameters
    ----------
    x : ndarray of float32
        Images.
    cut : int
        Number of the cut: each one has its own noise, the same at every epoch.
    """
    counter = np.uint32(2**32 - 1 - cut)
    return add_noise(x, np.float32(training.input_noise), streams.key(training, "noise"), counter)
