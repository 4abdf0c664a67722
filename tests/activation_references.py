"""What activations are compared with: the textbook formulas in mpmath, differentiated numerically there."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from more_activation_references import (
    GROWING,
    MORE,
    MORE_BENDS,
    MORE_KINKS,
    MORE_LEFT,
    MORE_RIGHT,
    OSCILLATING,
    QUADRATIC,
)
from mpmath import mpf

from study.activations import parse

NAMES = (
    "relu",
    "leaky_relu",
    "tanh",
    "sigmoid",
    "softplus",
    "softsign",
    "elu",
    "selu",
    "gelu",
    "swish",
    "beta_swish(4)",
    "mish",
    "beta_mish(0.25)",
    "beta_mish(1.5)",
    "beta_mish(4)",
    "hard_swish",
)
SMOOTH = ("softplus", "gelu", "swish", "beta_swish(4)", "mish", "beta_mish(0.25)", "beta_mish(1.5)")
DTYPES = (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)

names = pytest.mark.parametrize("name", NAMES)
dtypes = pytest.mark.parametrize("dtype", [np.dtype(dtype).name for dtype in DTYPES])


def _s(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


def _softplus(x: mpf) -> mpf:
    return mpmath.log1p(mpmath.exp(x))


def _selu(x: mpf) -> mpf:
    scale, alpha = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")
    return scale * (x if x > 0 else alpha * mpmath.expm1(x))


def _gelu(x: mpf) -> mpf:
    # The tail at 1e5 has 2e9 digits before its first one, too many for mpmath.
    return x * mpmath.ncdf(x) if abs(x) < 1e5 else max(x, mpf(0))


REFERENCES: dict[str, Callable[..., mpf]] = {
    "relu": lambda x: max(x, mpf(0)),
    "leaky_relu": lambda x, a: x if x > 0 else a * x,
    "tanh": mpmath.tanh,
    "sigmoid": _s,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "selu": _selu,
    "gelu": _gelu,
    "swish": lambda x: x * _s(x),
    "beta_swish": lambda x, beta: x * _s(beta * x),
    "mish": lambda x: x * mpmath.tanh(_softplus(x)),
    "beta_mish": lambda x, beta: x * mpmath.tanh(beta * _softplus(x)),
    "hard_swish": lambda x: x * min(max(x + 3, mpf(0)), mpf(6)) / 6,
    **MORE,
}

KINKS = {"relu": (0.0,), "leaky_relu": (0.0,), "selu": (0.0,), "hard_swish": (-3.0, 3.0), **MORE_KINKS}
"""Where there is no derivative."""

BENDS = KINKS | {"elu": (0.0,), "softsign": (0.0,), **MORE_BENDS}
"""Where there is no second derivative."""

_H = mpf(10) ** -30
"""Step of the differences: their error is 1e-60 of what they approximate."""


def _digits(x: float) -> int:
    """Return the digits in which `x ± h` and a second difference still have 30 right ones."""
    return 120 + 2 * max(0, math.ceil(math.log10(abs(x) or 1)))


LEFT = {"leaky_relu": (-math.inf, 0.3), "tanh": (-1, 0), "softsign": (-1, 0), "elu": (-1, 0)}
LEFT |= {"selu": (-1.7580993408473766, 0), **MORE_LEFT}
RIGHT = {"tanh": (1, 0), "sigmoid": (1, 0), "softsign": (1, 0), "selu": (math.inf, 1.0507009873554805)}
RIGHT |= MORE_RIGHT
"""Value and slope at -∞ and at ∞, where they are not 0 and 0, and ∞ and 1."""


@functools.cache
def jet(name: str, x: float) -> tuple[float, float, float]:
    """Return value, first and second derivative, rounded to float64; NaN where there is none."""
    function, parameters = parse(name)
    if math.isnan(x):
        return math.nan, math.nan, math.nan
    if math.isinf(x):
        bend = math.nan if function in OSCILLATING or (function in QUADRATIC and x > 0) else 0
        return *(LEFT.get(function, (0, 0)) if x < 0 else RIGHT.get(function, (math.inf, 1))), bend
    with mpmath.workdps(_digits(x)):
        low, value, high = (REFERENCES[function](mpf(x) + k * _H, *parameters) for k in (-1, 0, 1))
        slope, curvature = (high - low) / (2 * _H), (high - 2 * value + low) / _H**2
        return (
            float(value),
            math.nan if _near(x, KINKS.get(function, ())) else float(slope),
            math.nan if _near(x, BENDS.get(function, ())) else float(curvature),
        )


def third_derivative(name: str, x: float) -> float:
    """Return the third derivative, rounded to float64."""
    function, parameters = parse(name)
    with mpmath.workdps(60):
        return float(mpmath.diff(lambda v: REFERENCES[function](v, *parameters), mpf(x), 3))


@functools.cache
def parameter_jet(function: str, x: float, beta: float) -> tuple[float, float, float]:
    """Return the derivatives by β, by x and β, and twice by β, rounded to float64."""
    f = REFERENCES[function]
    with mpmath.workdps(_digits(x)):
        at = {(i, j): f(mpf(x) + i * _H, mpf(beta) + j * _H) for i in (-1, 0, 1) for j in (-1, 0, 1)}
        by_beta = (at[0, 1] - at[0, -1]) / (2 * _H)
        mixed = (at[1, 1] - at[1, -1] - at[-1, 1] + at[-1, -1]) / (4 * _H**2)
        twice = (at[0, 1] - 2 * at[0, 0] + at[0, -1]) / _H**2
        return float(by_beta), float(mixed), float(twice)


def _near(x: float, points: Sequence[float]) -> bool:
    return any(abs(x - point) <= 1e-29 for point in points)


def points(dtype: Any) -> np.ndarray:
    """Return -∞, ∞, NaN, and numbers of the whole range: ±0, subnormal ones, eighths to 16, the largest."""
    limits = ml_dtypes.finfo(dtype)
    smallest = float(limits.smallest_subnormal)
    lowest, highest = round(math.log2(smallest)), int(limits.maxexp)
    exponents = {*range(lowest, highest, max(1, (highest - lowest) // 40)), *range(4, min(12, highest))}
    sizes = {2.0**k for k in exponents} | {k / 8 for k in range(128)} | {3 * smallest, float(limits.max)}
    x = np.array(sorted(sizes))
    return np.concatenate([[-math.inf, math.inf, math.nan], -x[::-1], x]).astype(dtype)


def every(dtype: Any) -> np.ndarray:
    """Return every finite number of a 16-bit dtype."""
    numbers = np.arange(2**16, dtype=np.uint16).view(dtype)
    return numbers[np.isfinite(numbers.astype(np.float32))]


def many_float32() -> np.ndarray:
    """Return finite float32 numbers of every exponent and sign, with mantissas that vary."""
    numbers = np.arange(0, 2**32, 20_011, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return numbers[np.isfinite(numbers)]


POINTS = {np.dtype(dtype).name: points(dtype) for dtype in DTYPES}
MANY = {"float16": every(np.float16), "bfloat16": every(ml_dtypes.bfloat16), "float32": many_float32()}


def assert_right(name: str, x: np.ndarray, *computed: np.ndarray) -> None:
    """Compare value, slope and second derivative, each computed in the dtype of `x`, with mpmath.

    The value alone, or value and slope, can be given.
    """
    limits = ml_dtypes.finfo(x.dtype)
    eps = float(limits.eps)
    exact = np.array([jet(name, float(point)) for point in x]).T
    at = abs(x.astype(np.float64))
    # A factor below the smallest normal number may be flushed to 0 before it meets x; float16 goes through
    # float32, whose range is far wider, and is only rounded to its own subnormal numbers.
    tiny = float(limits.smallest_subnormal if x.dtype == np.float16 else limits.tiny)
    flushed = 2 * tiny * np.clip(at, 1, 1e3) * (np.clip(at, 1, 1e3) if name == "phish" else 1)
    # Frameworks' exp, tanh and sigmoid are good to 2 or 3 units in the last place, and formulas chain two.
    # Rounding x before exp(-x²/2) in the tail of GELU changes it by x² units.
    ulps = 8 + (np.clip(at, 0, 40) ** 2 if name in ("gelu", "phish") else 0.0)
    # A slope is a sum of terms that may cancel; in a left tail each is of the order of the value. The second
    # derivative comes from differentiating the slope: more terms that cancel.
    ends = np.minimum(1, abs(exact[0]) + abs(exact[1])) if name in TAILS else 1
    steepness = max([1.0, *parse(name)[1]])
    slope = np.maximum(1, abs(exact[1])) if parse(name)[0] in QUADRATIC else ends
    value = abs(exact[0]) + (1 if name == "flatten_t_swish" else 0)  # it crosses 0 where its terms do not
    allowed = (eps * ulps * value, eps * 8 * slope, eps * 32 * steepness)
    if parse(name)[0] in OSCILLATING:
        exact = np.where((at <= 1e4) | ~np.isfinite(at), exact, np.nan)
        if parse(name)[0] == "sine_relu":
            # Numbers that are not normal may be taken for 0, where the value jumps.
            exact = np.where((at > 0) & (at < float(limits.tiny)), np.nan, exact)
        # The angle a x is rounded, and so is the phase; the derivatives of x sin(x) grow with x.
        grown = np.maximum(1, np.where(at <= 1e4, at, 1))
        allowed = tuple(error + eps * 8 * steepness * grown for error in allowed)
    for got, expected, error in zip(computed, exact, allowed, strict=False):
        assert (got.dtype, got.shape) == (x.dtype, x.shape)
        got = got.astype(np.float64)
        # What is too large for the dtype, as selu of the largest number is, need only be finite.
        expected = np.where(np.isfinite(at) & (abs(expected) > float(limits.max)), np.nan, expected)
        with np.errstate(invalid="ignore"):
            right = (got == expected) | (abs(got - expected) <= error + flushed) & np.isfinite(expected)
        beyond = np.isinf(got) & (parse(name)[0] in GROWING)
        beyond |= np.isinf(at) & (parse(name)[0] in OSCILLATING)
        right |= np.isnan(expected) & (np.isfinite(got) | np.isnan(at) | beyond)
        assert right.all(), f"{name} at {x[~right]}: {got[~right]}, not {expected[~right]}"
    assert np.isnan(computed[0].astype(np.float64)[np.isnan(at)]).all()


TAILS = tuple(name for name in NAMES if name not in {"tanh", "gelu"})
"""Activations whose slope keeps its relative precision where it vanishes on the left."""

BETAS = (0.25, 1.5, 4.0)
"""Numbers that every dtype holds exactly."""


def assert_parameter_right(
    function: str, x: np.ndarray, beta: float, by_beta: np.ndarray, mixed: np.ndarray, twice: np.ndarray
) -> None:
    """Compare the derivatives by β, by x and β, and twice by β with mpmath."""
    limits = ml_dtypes.finfo(x.dtype)
    exact = np.array([parameter_jet(function, float(point), beta) for point in x]).T
    # A product that depends on β x: its n-th derivative by β is of the order of β^-(n+1).
    scales = (beta**-2, max(beta, 1 / beta), beta**-3)
    for got, expected, scale in zip((by_beta, mixed, twice), exact, scales, strict=True):
        assert (got.dtype, got.shape) == (x.dtype, x.shape)
        off = abs(got.astype(np.float64) - expected)
        right = off <= 32 * float(limits.eps) * (abs(expected) + scale)
        assert right.all(), f"{function} at {x[~right]}: {got[~right]}, not {expected[~right]}"
