"""The textbook formulas, in mpmath, of the activations beside those of the standard sweeps."""

import math
from collections.abc import Callable

import mpmath
from mpmath import mpf


def _s(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


def _clip(x: mpf, low: float, high: float) -> mpf:
    return min(max(x, mpf(low)), mpf(high))


def _gelu(x: mpf) -> mpf:
    # The tail at 1e5 has 2e9 digits before its first one, too many for mpmath.
    return x * mpmath.ncdf(x) if abs(x) < 1e5 else max(x, mpf(0))


def _serlu(x: mpf) -> mpf:
    scale, alpha = mpf("1.0786250046704127"), mpf("2.9042672132450443")
    return scale * (x if x > 0 else alpha * x * mpmath.exp(x))


def _squareplus(x: mpf, b: float) -> mpf:
    root = mpmath.sqrt(x**2 + b)
    return (x + root) / 2 if x > 0 else b / (2 * (root - x))


def _tanh_of_exp(x: mpf) -> mpf:
    return mpmath.tanh(mpmath.exp(x)) if x < 10 else mpf(1)


def _erf_of_softplus(x: mpf) -> mpf:
    return mpmath.erf(mpmath.log1p(mpmath.exp(x))) if x < 50 else mpf(1)


MORE: dict[str, Callable[..., mpf]] = {
    "relu6": lambda x: _clip(x, 0, 6),
    "squared_relu": lambda x: max(x, mpf(0)) ** 2,
    "star_relu": lambda x: (2 * max(x, mpf(0)) ** 2 - 1) / mpmath.sqrt(5),
    "celu": lambda x, a: x if x > 0 else a * mpmath.expm1(x / a),
    "serlu": _serlu,
    "isrlu": lambda x, a: x if x > 0 else x / mpmath.sqrt(1 + a * x**2),
    "squareplus": _squareplus,
    "sparse_plus": lambda x: x if x >= 1 else max(x + 1, mpf(0)) ** 2 / 4,
    "soft_shrink": lambda x, a: x - _clip(x, -a, a),
    "hard_shrink": lambda x, a: x if abs(x) > a else mpf(0),
    "bent_identity": lambda x: x + x**2 / (mpmath.sqrt(x**2 + 1) + 1) / 2,
    "e_swish": lambda x, b: b * x * _s(x),
    "flatten_t_swish": lambda x, t: max(x, mpf(0)) * _s(x) + mpf(t),
    "elish": lambda x: (x if x > 0 else mpmath.expm1(x)) * _s(x),
    "hard_elish": lambda x: (x if x > 0 else mpmath.expm1(x)) * _clip((x + 1) / 2, 0, 1),
    "hard_mish": lambda x: x * _clip(x + 2, 0, 2) / 2,
    "mila": lambda x, beta: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x + beta))),
    "serf": lambda x: x * _erf_of_softplus(x),
    "smish": lambda x: x * mpmath.tanh(mpmath.log1p(_s(x))),
    "logish": lambda x: x * mpmath.log1p(_s(x)),
    "phish": lambda x: x * mpmath.tanh(_gelu(x)),
    "tanh_soft": lambda x, a: mpmath.tanh(a * x) * mpmath.log1p(mpmath.exp(x)),
    "tanh_soft_exp": lambda x, b: x * (mpmath.tanh(b * mpmath.exp(x)) if x < 10 else mpf(1)),
    "eis": lambda x, d: x * mpmath.log1p(mpmath.exp(x)) / (x + d * mpmath.exp(-x)),
    "eis_root": lambda x: x * mpmath.log1p(mpmath.exp(x)) / mpmath.sqrt(1 + x**2),
    "tanhexp": lambda x: x * _tanh_of_exp(x),
    "lisht": lambda x: x * mpmath.tanh(x),
    "threshold": lambda x, theta: x if x > theta else mpf(0),
    "tanh_shrink": lambda x: x - mpmath.tanh(x) if abs(x) > 1e-20 else x**3 / 3,
    "aria2": lambda x: x * _s(2 * x) ** mpf(1.5),
    "colu": lambda x: x / (1 - x * mpmath.exp(-x - mpmath.exp(x))) if x < 30 else x,
    "gcu": lambda x: x * mpmath.cos(x),
    "snake": lambda x, a: x + mpmath.sin(a * x) ** 2 / a,
    "sine_relu": lambda x, epsilon: x if x > 0 else epsilon * (mpmath.sin(x) - mpmath.cos(x)),
    "hard_sigmoid": lambda x: _clip(x / 6 + mpf(1) / 2, 0, 1),
    "hard_tanh": lambda x: _clip(x, -1, 1),
    "sparse_sigmoid": lambda x: _clip((x + 1) / 2, 0, 1),
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "isru": lambda x, a: x / mpmath.sqrt(1 + a * x**2),
    "sqnl": lambda x: _clip(x, -2, 2) * (1 - abs(_clip(x, -2, 2)) / 4),
    "penalized_tanh": lambda x, a: (1 if x > 0 else mpf(a)) * mpmath.tanh(x),
}

MORE_KINKS = {
    "threshold": (1.0,),
    "sine_relu": (0.0,),
    "relu6": (0.0, 6.0),
    "serlu": (0.0,),
    "soft_shrink": (-0.5, 0.5),
    "hard_shrink": (-0.5, 0.5),
    "flatten_t_swish": (0.0,),
    "hard_elish": (-1.0, 1.0),
    "hard_mish": (-2.0,),
    "hard_sigmoid": (-3.0, 3.0),
    "hard_tanh": (-1.0, 1.0),
    "sparse_sigmoid": (-1.0, 1.0),
    "penalized_tanh": (0.0,),
}
"""Where there is no derivative."""

MORE_BENDS = MORE_KINKS | {
    "squared_relu": (0.0,),
    "star_relu": (0.0,),
    "celu": (0.0,),
    "isrlu": (0.0,),
    "sparse_plus": (-1.0, 1.0),
    "elish": (0.0,),
    "hard_elish": (-1.0, 0.0, 1.0),
    "hard_mish": (-2.0, 0.0),
    "sqnl": (-2.0, 0.0, 2.0),
}
"""Where there is no second derivative."""

MORE_LEFT = {
    "tanh_shrink": (-math.inf, 1),
    "gcu": (math.nan, math.nan),
    "snake": (-math.inf, math.nan),
    "sine_relu": (math.nan, math.nan),
    "star_relu": (-1 / math.sqrt(5), 0),
    "celu": (-1.5, 0),
    "isrlu": (-1, 0),
    "soft_shrink": (-math.inf, 1),
    "hard_shrink": (-math.inf, 1),
    "bent_identity": (-math.inf, 0.5),
    "flatten_t_swish": (-0.2, 0),
    "elish": (0, 0),
    "lisht": (math.inf, -1),
    "hard_tanh": (-1, 0),
    "log_sigmoid": (-math.inf, 1),
    "isru": (-1, 0),
    "sqnl": (-1, 0),
    "penalized_tanh": (-0.25, 0),
}
MORE_RIGHT = {
    "gcu": (math.nan, math.nan),
    "snake": (math.inf, math.nan),
    "relu6": (6, 0),
    "squared_relu": (math.inf, math.inf),
    "star_relu": (math.inf, math.inf),
    "serlu": (math.inf, 1.0786250046704127),
    "bent_identity": (math.inf, 1.5),
    "e_swish": (math.inf, 1.75),
    "smish": (math.inf, 0.6),
    "logish": (math.inf, math.log(2)),
    "hard_sigmoid": (1, 0),
    "hard_tanh": (1, 0),
    "sparse_sigmoid": (1, 0),
    "log_sigmoid": (0, 0),
    "isru": (1, 0),
    "sqnl": (1, 0),
    "penalized_tanh": (1, 0),
}
"""Value and slope at -∞ and at ∞, where they are not 0 and 0, and ∞ and 1."""

GROWING = {"squared_relu", "star_relu", "serlu", "e_swish", "bent_identity"}
"""Values may be beyond the dtype for numbers that are in it."""

QUADRATIC = {"squared_relu", "star_relu"}

OSCILLATING = {"gcu", "snake", "sine_relu"}
"""What they are at infinity is not defined, and far from 0 depends on how a framework reduces an angle."""
