"""Value and derivative of each activation that is more than one elementary operation.

Every formula is written for finite results: values and derivatives of every finite x are finite, and their
limits at infinity are right. The derivative is written out rather than left to the frameworks, which differ
where it jumps, and which multiply the upstream gradient by x first.
"""

import math

from study.elementary import Formula, Operations, Tensor

_FAR = 1e4
"""Beyond ±1e4 every exponential tail here is 0 in every dtype, while squares are finite in float32."""

_LARGEST_EXPONENT = 80.0
"""exp(±80) are normal numbers of float32, and 1 - tanh(80 / 2) is 0 in every dtype."""

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717


def _leaky_relu(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    return op.where(x > 0, x, a * x)


def _leaky_relu_slope(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    one = op.ones_like(x)
    return op.where(x > 0, one, a * one)


def _leaky_relu_slope_in_a(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    del a
    return op.minimum(x, 0.0)


LEAKY_RELU = Formula(_leaky_relu, (_leaky_relu_slope, _leaky_relu_slope_in_a), half_in_float32=False)

SIGMOID = Formula(
    lambda op, x: op.sigmoid(x),
    (lambda op, x: op.sigmoid(x) * op.sigmoid(-x),),
)

SOFTPLUS = Formula(lambda op, x: op.softplus(x), (lambda op, x: op.sigmoid(x),))


def _softsign(op: Operations, x: Tensor) -> Tensor:
    near = op.maximum(op.minimum(x, 1e30), -1e30)
    return near / (1 + op.abs(near))


def _softsign_slope(op: Operations, x: Tensor) -> Tensor:
    root = 1 / (1 + op.abs(x))
    return root * root


SOFTSIGN = Formula(_softsign, (_softsign_slope,))


def _negative(op: Operations, x: Tensor) -> Tensor:
    """Return min(x, 0) with derivative 1 at 0 in every framework."""
    return op.where(x > 0, 0.0, x)


ELU = Formula(
    lambda op, x: op.where(x > 0, x, op.expm1(_negative(op, x))),
    (lambda op, x: op.exp(_negative(op, x)),),
    half_in_float32=False,
)


def _selu(op: Operations, x: Tensor) -> Tensor:
    scaled = _SELU_SCALE * op.where(x > 0, x, _SELU_ALPHA * op.expm1(_negative(op, x)))
    return op.where(scaled < math.inf, scaled, x)


def _selu_slope(op: Operations, x: Tensor) -> Tensor:
    left = _SELU_SCALE * _SELU_ALPHA * op.exp(_negative(op, x))
    return op.where(x > 0, _SELU_SCALE, left)


SELU = Formula(_selu, (_selu_slope,), half_in_float32=False)


def _gelu(op: Operations, x: Tensor) -> Tensor:
    return op.maximum(x, -_FAR) * (0.5 * op.erfc(-math.sqrt(0.5) * x))


def _gelu_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, _FAR), -_FAR)
    distribution = 0.5 + 0.5 * op.erf(math.sqrt(0.5) * x)
    return distribution + x * (math.sqrt(0.5 / math.pi) * op.exp(-0.5 * x * x))


GELU = Formula(_gelu, (_gelu_slope,))


def _beta_swish(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    return op.maximum(x, -_FAR / beta) * op.sigmoid(beta * x)


def _beta_swish_parts(op: Operations, x: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x within its limits, s(β x) and s(-β x); XLA computes one exponential for both."""
    x = op.maximum(op.minimum(x, _LARGEST_EXPONENT / beta), -_FAR / beta)
    right = op.sigmoid(-beta * x)
    return x, op.exp(beta * x) * right, right


def _beta_swish_slope(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    x, left, right = _beta_swish_parts(op, x, beta)
    return left * (1 + beta * x * right)


def _beta_swish_slope_in_beta(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    x, left, right = _beta_swish_parts(op, x, beta)
    return (x * left) * (x * right)


BETA_SWISH = Formula(_beta_swish, (_beta_swish_slope, _beta_swish_slope_in_beta))


# NOTE: tanh(softplus(x)) = n / (n + 2) with n = exp(x)² + 2 exp(x): one exponential. At x = 20 the quotient
# is 1 in every dtype and n is far from overflow in float32, so that larger x are held there.
def _mish(op: Operations, x: Tensor) -> Tensor:
    e = op.exp(op.minimum(x, 20.0))
    n = e * (e + 2)
    return op.maximum(x, -_FAR) * (n / (n + 2))


def _mish_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, 20.0), -_FAR)
    e = op.exp(x)
    f = e + 1
    r = 1 / (f * f + 1)
    return (e * r) * (f + 1 + 4 * x * (f * r))


MISH = Formula(_mish, (_mish_slope,))


def _beta_mish(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    return op.maximum(x, -_FAR) * op.tanh(beta * op.softplus(x))


# NOTE: of h = tanh(β softplus(x) / 2), tanh is 2 h / (1 + h²), which keeps its relative precision on the
# left, and 1 - tanh² the square of (1 - h²) / (1 + h²), so that large x magnifies no rounding on the right.
def _beta_mish_parts(op: Operations, x: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x within its limits, softplus, tanh and 1 - tanh²."""
    x = op.maximum(op.minimum(x, _LARGEST_EXPONENT / beta), -_FAR)
    positive = op.softplus(x)
    h = op.tanh(0.5 * beta * positive)
    square = h * h
    r = 1 / (1 + square)
    root = (1 - square) * r
    return x, positive, 2 * h * r, root * root


def _beta_mish_slope(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    x, _, t, rest = _beta_mish_parts(op, x, beta)
    return t + beta * x * op.sigmoid(x) * rest


def _beta_mish_slope_in_beta(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    x, positive, _, rest = _beta_mish_parts(op, x, beta)
    return x * (positive * rest)


BETA_MISH = Formula(_beta_mish, (_beta_mish_slope, _beta_mish_slope_in_beta))


def _hard_swish(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(x, -3.0)
    return x * (op.minimum(x + 3, 6.0) / 6)


def _hard_swish_slope(op: Operations, x: Tensor) -> Tensor:
    return op.where(x >= 3, 1.0, op.where(x <= -3, 0.0, x / 3 + 0.5))


HARD_SWISH = Formula(_hard_swish, (_hard_swish_slope,), half_in_float32=False)
