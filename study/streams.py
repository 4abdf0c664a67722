"""Random streams: one counter-based integer generator, the same on NumPy, TensorFlow and JAX.

Every random number of a training is `bits(key, step, element)`: a pure function of a key and two
counters, so that nothing is consumed, nothing has an order, and any engine that asks for the same
number gets the same number. Keys come from (sweep seed, configuration, replicate, stream), never
from the activation or the engine: the activations of a block share every random number.

The function is Wellons' three-round integer hash `triple32` with the key added before the first
round and injected again before the last. It is not cryptographic; it is meant for weights, order,
masks and noise.

References
----------
C. Wellons, "Prospecting for Hash Functions", 2018 (triple32, bias 0.0208).
J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (counter-based streams).
"""

import hashlib
from types import ModuleType
from typing import Any, Literal

import numpy as np

from study.training import Training, canonical_json

Stream = Literal["weights", "order", "dropout", "noise", "mixup", "augmentation"]

_GOLDEN = 0x9E3779B9
_SITE = 0x85EBCA6B


def key(training: Training, stream: Stream) -> np.ndarray:
    """Return the key of one stream of a training.

    Returns
    -------
    ndarray of uint32, shape (2,)
        Depends on sweep seed, configuration, replicate and stream alone.
    """
    name = canonical_json([training.sweep_seed, training.configuration, training.replicate, stream])
    return np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], "<u4").astype(np.uint32)


def _mix(x: Any, inner: Any, xp: Any) -> Any:
    """Apply triple32 to `x`, with `inner` injected before its last round."""

    def shifted(value: Any, by: int) -> Any:
        return xp.bitwise_xor(value, xp.right_shift(value, xp.full_like(value, by)))

    def times(value: Any, factor: int) -> Any:
        return xp.multiply(value, xp.full_like(value, factor))

    x = times(shifted(x, 17), 0xED5AD4BB)
    x = times(shifted(x, 11), 0xAC4C1B51)
    x = times(shifted(xp.bitwise_xor(x, inner), 15), 0x31848BAB)
    return shifted(x, 14)


def bits(key: Any, step: Any, count: int, *, site: int = 0, xp: ModuleType | Any = np) -> Any:
    """Return random bits.

    Parameters
    ----------
    key : array of uint32, shape (2,)
        From `key`.
    step : scalar array of uint32
        First counter: the training step, the epoch, or the number of a variable.
    count : int
        How many; element `i` depends on `i`, never on `count`.
    site : int
        Tells several uses of one stream within a step apart.
    xp : module
        `numpy`, `jax.numpy` or `keras.ops`: whose arrays are taken and given.

    Returns
    -------
    array of uint32, shape (count,)
    """
    step = xp.reshape(_cast(step, "uint32", xp), (1,))
    zero = xp.zeros((1,), dtype="uint32")
    outer = _mix(xp.add(step, key[0:1]), key[1:2], xp)
    outer = _mix(xp.add(outer, xp.full_like(outer, (site * _SITE) & 0xFFFFFFFF)), key[1:2], xp)
    inner = _mix(xp.bitwise_xor(outer, key[1:2]), zero, xp)
    element = _cast(xp.arange(count, dtype="int32"), "uint32", xp)
    element = xp.multiply(element, xp.full((1,), _GOLDEN, dtype="uint32"))
    return _mix(xp.add(element, outer), inner, xp)


def _cast(x: Any, dtype: str, xp: Any) -> Any:
    return xp.cast(x, dtype) if hasattr(xp, "cast") else xp.asarray(x, dtype)


def uniform(random_bits: Any, xp: ModuleType | Any = np) -> Any:
    """Return numbers in [0, 1), multiples of 2^-24, float32, exactly equal on every backend."""
    top = xp.right_shift(random_bits, xp.full_like(random_bits, 8))
    return xp.multiply(_cast(top, "float32", xp), np.float32(2.0**-24))


def permutation(key: np.ndarray, step: int, count: int) -> np.ndarray:
    """Return a random order of `range(count)`, int32: the elements sorted by their random bits."""
    return np.argsort(bits(key, np.uint32(step), count), kind="stable").astype(np.int32)


def normal(key: Any, step: Any, count: int, *, site: int = 0, xp: ModuleType | Any = np) -> Any:
    """Return standard normal numbers, float32, shape (count,), by the Box-Muller transform.

    Backends agree to a few units in the last place: their log and cos differ.
    """
    pairs = (count + 1) // 2
    u = uniform(bits(key, step, 2 * pairs, site=site, xp=xp), xp)
    radius = xp.sqrt(xp.multiply(xp.log(xp.add(u[:pairs], np.float32(2.0**-25))), np.float32(-2.0)))
    angle = xp.multiply(u[pairs:], np.float32(2.0 * np.pi))
    both = xp.concatenate([xp.multiply(radius, xp.cos(angle)), xp.multiply(radius, xp.sin(angle))], axis=0)
    return both[:count]
