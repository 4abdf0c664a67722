"""Initial weights: one NumPy function draws for every engine, from the block's stream of weights.

Keras' initializers say which distribution and scale; the numbers are ours, so that both engines and
all activations of a block start from the same network. The scale depends on the activation in trainings with
gain-matched initialization alone, see `study.gains`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from study import streams


@dataclass(frozen=True, slots=True)
class Scheme:
    """A distribution and its scale.

    Parameters
    ----------
    distribution : str
        `normal`, `truncated_normal` (cut at two standard deviations), `uniform`, `orthogonal`,
        `constant`, or `bits`: random integers, the state of a generator.
    scale : float
        Standard deviation for the normal ones, half width for `uniform`, gain for `orthogonal`,
        the value for `constant`, nothing for `bits`; where `fan` is given, the factor of the variance
        `scale / fan`.
    fan : {"in", "out", "avg"} or None
        Which number of connections the variance is divided by.
    """

    distribution: Literal["normal", "truncated_normal", "uniform", "orthogonal", "constant", "bits"]
    scale: float
    fan: Literal["in", "out", "avg"] | None = None


INITIALIZERS: Mapping[str, Scheme] = {
    "random_normal": Scheme("normal", 0.05),
    "random_uniform": Scheme("uniform", 0.05),
    "truncated_normal": Scheme("truncated_normal", 0.05),
    "orthogonal": Scheme("orthogonal", 1.0),
    "lecun_uniform": Scheme("uniform", 1.0, "in"),
    "lecun_normal": Scheme("truncated_normal", 1.0, "in"),
    "glorot_uniform": Scheme("uniform", 1.0, "avg"),
    "glorot_normal": Scheme("truncated_normal", 1.0, "avg"),
    "he_uniform": Scheme("uniform", 2.0, "in"),
    "he_normal": Scheme("truncated_normal", 2.0, "in"),
}
"""Keras' ten, with Keras' constants: LeCun et al. 1998, Glorot & Bengio 2010, He et al. 2015 and
Saxe et al. 2014 (orthogonal)."""


def assumed_gain(scheme: Scheme) -> float:
    """Return the gain of the activation that the variance of a scheme was derived for.

    `scale / fan` with `scale = 2` was derived for ReLU, whose gain is the root of 2 (He et al. 2015). The
    other variances by a fan, and orthogonal matrices, keep the second moment of linear units, with gain 1.
    The plain ones, of a standard deviation that knows no fan, assume nothing, which counts as 1.
    """
    return math.sqrt(scheme.scale) if scheme.fan else 1.0


_TRUNCATED_STDDEV = 0.87962566103423978
"""Standard deviation of a standard normal cut at plus and minus two."""


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the numbers of incoming and outgoing connections of a kernel of this shape.

    Kernels are `(inputs, outputs)` or `(*window, inputs, outputs)`.
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def draw(scheme: Scheme, shape: tuple[int, ...], key: np.ndarray, variable: int) -> np.ndarray:
    """Draw the initial value of one variable.

    Parameters
    ----------
    scheme : Scheme
        Distribution and scale.
    shape : tuple of int
        Shape of the variable.
    key : ndarray of uint32, shape (2,)
        Key of the stream `weights`.
    variable : int
        Number of the variable within the network: its own place in the stream.

    Returns
    -------
    ndarray of float32 (of uint32 for `bits`), shape `shape`
        Two schemes of one distribution family get the same underlying numbers, scaled.
    """
    if scheme.distribution == "constant":
        return np.full(shape, scheme.scale, np.float32)
    count = math.prod(shape)
    if scheme.distribution == "bits":
        return streams.bits(key, np.uint32(variable), count).reshape(shape)
    fan_in, fan_out = fans(shape)
    fan = {"in": fan_in, "out": fan_out, "avg": (fan_in + fan_out) / 2, None: None}[scheme.fan]
    deviation = scheme.scale if fan is None else math.sqrt(scheme.scale / max(1.0, fan))
    if scheme.distribution == "uniform":
        half_width = deviation if fan is None else deviation * math.sqrt(3.0)
        values = (2.0 * _open_uniform(key, variable, count) - 1.0) * half_width
    elif scheme.distribution == "orthogonal":
        return _orthogonal(scheme.scale, shape, key, variable)
    else:
        values = _normal(key, variable, count, truncated=scheme.distribution == "truncated_normal")
        if scheme.distribution == "truncated_normal" and fan is not None:
            deviation /= _TRUNCATED_STDDEV
        values *= deviation
    return values.reshape(shape).astype(np.float32)


def _open_uniform(key: np.ndarray, variable: int, count: int) -> np.ndarray:
    """Return uniform numbers strictly between 0 and 1, float64, from 32 random bits each."""
    return (streams.bits(key, np.uint32(variable), count).astype(np.float64) + 0.5) * 2.0**-32


def _normal(key: np.ndarray, variable: int, count: int, *, truncated: bool) -> np.ndarray:
    """Return standard normal numbers by the inverse distribution function, float64."""
    from scipy.special import ndtr, ndtri

    u = _open_uniform(key, variable, count)
    if truncated:
        low = ndtr(-2.0)
        u = low + u * (1.0 - 2.0 * low)
    return ndtri(u)


def _orthogonal(gain: float, shape: tuple[int, ...], key: np.ndarray, variable: int) -> np.ndarray:
    """Return a matrix with orthonormal rows or columns times `gain` (Saxe et al. 2014)."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    normal = _normal(key, variable, rows * columns, truncated=False)
    tall = normal.reshape(max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    matrix = q if rows >= columns else q.T
    return (gain * matrix).reshape(shape).astype(np.float32)
