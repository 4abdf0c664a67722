"""Activations that keep the right side and bend the left one, beside those of the standard sweeps.

As in `study.activations`, whose docstring says what holds for all of them.
"""

import math

from study.bounded_activations import isru_slope, isru_value
from study.elementary import Formula, Operations, Tensor, evaluate

_SERLU_SCALE = 1.0786250046704127
_SERLU_ALPHA = 2.9042672132450443

_STAR_SCALE, _STAR_BIAS = 2 / math.sqrt(5), -1 / math.sqrt(5)
"""max(z, 0)² of a standard normal z has mean 1/2 and variance 5/4."""


def _negative(op: Operations, x: Tensor) -> Tensor:
    """Return min(x, 0) with derivative 1 at 0 in every framework."""
    return op.where(x > 0, 0.0, x)


def _root(op: Operations, x: Tensor, b: Tensor) -> Tensor:
    """Return sqrt(x² + b); beyond 1e18, where the square may overflow, b no longer counts."""
    near = op.minimum(op.maximum(x, -1e18), 1e18)
    return op.maximum(op.sqrt(near * near + b), op.abs(x))


_RELU6 = Formula(
    lambda op, x: op.minimum(op.maximum(x, 0.0), 6.0),
    (lambda op, x: op.where(x > 0, op.where(x < 6, op.ones_like(x), 0.0), 0.0),),
    half_in_float32=False,
)


def relu6(x: Tensor) -> Tensor:
    """Return min(max(x, 0), 6); range [0, 6], derivative 0 at 0 and at 6.

    Derivative: 1 for 0 < x < 6 and 0 otherwise.

    References
    ----------
    A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """
    return evaluate(_RELU6, x)


_SQUARED_RELU = Formula(
    lambda op, x: op.maximum(x, 0.0) * op.maximum(x, 0.0),
    (lambda op, x: 2 * op.maximum(x, 0.0),),
)


def squared_relu(x: Tensor) -> Tensor:
    """Return max(x, 0)²; range [0, ∞).

    Derivative: 2 max(x, 0).

    Value and derivative are infinite where they are beyond the dtype.

    References
    ----------
    D. R. So et al., "Primer: searching for efficient transformers for language modeling", 2021,
    arXiv:2109.08668.
    """
    return evaluate(_SQUARED_RELU, x)


_STAR_RELU = Formula(
    lambda op, x: (_STAR_SCALE * op.maximum(x, 0.0)) * op.maximum(x, 0.0) + _STAR_BIAS,
    (lambda op, x: (2 * _STAR_SCALE) * op.maximum(x, 0.0),),
)


def star_relu(x: Tensor) -> Tensor:
    """Return 0.8944 max(x, 0)² - 0.4472; range [-0.4472, ∞).

    Derivative: 1.7889 max(x, 0).

    Of standard normal x, mean 0 and variance 1. The published function learns both constants from here on.
    Value and derivative are infinite where they are beyond the dtype.

    References
    ----------
    W. Yu et al., "MetaFormer baselines for vision", 2022, arXiv:2210.13452.
    """
    return evaluate(_STAR_RELU, x)


_CELU = Formula(
    lambda op, x, a: op.where(x > 0, x, a * op.expm1(_negative(op, x) / a)),
    (lambda op, x, a: op.exp(_negative(op, x) / a),),
)


def celu(x: Tensor, a: float = 1.5) -> Tensor:
    """Return x for x > 0 and a (exp(x / a) - 1) otherwise, 0.1 <= a <= 10; range (-a, ∞).

    Derivative: 1 for x > 0 and exp(x / a) otherwise.

    a = 1 is `elu`.

    References
    ----------
    J. T. Barron, "Continuously differentiable exponential linear units", 2017, arXiv:1704.07483.
    """
    return evaluate(_CELU, x, a)


def _serlu(op: Operations, x: Tensor) -> Tensor:
    near = op.maximum(_negative(op, x), -1e4)
    return _SERLU_SCALE * op.where(x > 0, x, _SERLU_ALPHA * (near * op.exp(near)))


def _serlu_slope(op: Operations, x: Tensor) -> Tensor:
    near = op.maximum(_negative(op, x), -1e4)
    return op.where(x > 0, _SERLU_SCALE, (_SERLU_SCALE * _SERLU_ALPHA) * (op.exp(near) * (1 + near)))


_SERLU = Formula(_serlu, (_serlu_slope,))


def serlu(x: Tensor) -> Tensor:
    """Return λ x for x > 0 and λ α x exp(x) otherwise, λ = 1.0786, α = 2.9043; range [-1.152425, ∞).

    Derivative: λ for x > 0 and λ α (1 + x) exp(x) otherwise.

    The minimum is at x = -1. Of standard normal x, mean 0 and variance 1. Infinite where λ x is beyond
    the dtype.

    References
    ----------
    G. Zhang, H. Li, "Effectiveness of scaled exponentially-regularized linear units (SERLUs)", 2018,
    arXiv:1807.10117.
    """
    return evaluate(_SERLU, x)


_ISRLU = Formula(
    lambda op, x, a: op.where(x > 0, x, isru_value(op, _negative(op, x), a)),
    (lambda op, x, a: isru_slope(op, _negative(op, x), a),),
)


def isrlu(x: Tensor, a: float = 1.0) -> Tensor:
    """Return x for x > 0 and x / sqrt(1 + a x²) otherwise, 0.1 <= a <= 10; range (-1/sqrt(a), ∞).

    Derivative: 1 for x > 0 and 1 / (1 + a x²)^1.5 otherwise.

    References
    ----------
    B. Carlile, G. Delamarter, P. Kinney, A. Marti, B. Whitney, "Improving deep learning by inverse square
    root linear units (ISRLUs)", 2017, arXiv:1710.09967.
    """
    return evaluate(_ISRLU, x, a)


# NOTE: (x + r) / 2 = max(x, 0) + b / 2 / (r + |x|), which cancels nothing on the left.
def _squareplus(op: Operations, x: Tensor, b: Tensor) -> Tensor:
    return op.maximum(x, 0.0) + (0.5 * b) / (_root(op, x, b) + op.abs(x))


def _squareplus_slope(op: Operations, x: Tensor, b: Tensor) -> Tensor:
    near = op.minimum(op.maximum(x, -1e18), 1e18)
    root = op.sqrt(near * near + b)
    left = (0.5 * b) / (root - _negative(op, near)) / root
    return op.where(x > 0, 0.5 + 0.5 * (near / root), left)


_SQUAREPLUS = Formula(_squareplus, (_squareplus_slope,))


def squareplus(x: Tensor, b: float = 4.0) -> Tensor:
    """Return (x + sqrt(x² + b)) / 2, 0.1 <= b <= 10; range (0, ∞).

    Derivative: (1 + x / sqrt(x² + b)) / 2.

    References
    ----------
    J. T. Barron, "Squareplus: a softplus-like algebraic rectifier", 2021, arXiv:2112.11687.
    """
    return evaluate(_SQUAREPLUS, x, b)


def _sparse_plus_slope(op: Operations, x: Tensor) -> Tensor:
    return 0.5 * op.minimum(op.maximum(x, -1.0), 1.0) + 0.5


def _sparse_plus(op: Operations, x: Tensor) -> Tensor:
    root = _sparse_plus_slope(op, x)
    return op.where(x >= 1, x, root * root)


_SPARSE_PLUS = Formula(_sparse_plus, (_sparse_plus_slope,))


def sparse_plus(x: Tensor) -> Tensor:
    """Return 0 for x <= -1, x for x >= 1 and (x + 1)² / 4 between; range [0, ∞).

    Derivative: min(max((x + 1) / 2, 0), 1).

    References
    ----------
    JAX, `jax.nn.sparse_plus`, 2023: the integral of the sparse sigmoid, as softplus is that of the
    sigmoid.
    """
    return evaluate(_SPARSE_PLUS, x)


_SOFT_SHRINK = Formula(
    lambda op, x, a: x - op.minimum(op.maximum(x, -a), a),
    (lambda op, x, a: op.where(op.abs(x) > a, op.ones_like(x), 0.0),),
    half_in_float32=False,
)


def soft_shrink(x: Tensor, a: float = 0.5) -> Tensor:
    """Return x moved by a towards 0, and 0 within a of it, 0 < a <= 10; range (-∞, ∞), derivative 0 at ±a.

    Derivative: 1 for abs(x) > a and 0 otherwise.

    References
    ----------
    D. L. Donoho, "De-noising by soft-thresholding", IEEE Transactions on Information Theory 41(3), 1995.
    """
    return evaluate(_SOFT_SHRINK, x, a)


_HARD_SHRINK = Formula(
    lambda op, x, a: op.where(op.abs(x) <= a, 0.0, x),
    (lambda op, x, a: op.where(op.abs(x) <= a, 0.0, op.ones_like(x)),),
    half_in_float32=False,
)


def hard_shrink(x: Tensor, a: float = 0.5) -> Tensor:
    """Return x where it is more than a from 0, and 0 elsewhere, 0 < a <= 10; range (-∞, ∞), a jump at ±a.

    Derivative: 1 for abs(x) > a and 0 otherwise.

    References
    ----------
    D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81(3),
    1994.
    """
    return evaluate(_HARD_SHRINK, x, a)


_THRESHOLD = Formula(
    lambda op, x, theta: op.where(x <= theta, 0.0, x),
    (lambda op, x, theta: op.where(x <= theta, 0.0, op.ones_like(x)),),
    half_in_float32=False,
)


def threshold(x: Tensor, theta: float = 1.0) -> Tensor:
    """Return x for x > θ and 0 otherwise, 0 <= θ <= 10; range {0} and (θ, ∞), a jump at θ.

    Derivative: 1 for x > θ and 0 otherwise.

    The derivative at θ is 0. θ = 0 is `relu`.

    References
    ----------
    K. Konda, R. Memisevic, D. Krueger, "Zero-bias autoencoders and the benefits of co-adapting features",
    ICLR 2015, arXiv:1402.3337.
    """
    return evaluate(_THRESHOLD, x, theta)


# NOTE: tanh(x) = x / (1 + r) with Lambert's continued fraction r = x² / (3 + x² / (5 + ...)), so that
# x - tanh(x) = x r / (1 + r), which cancels nothing. Nine levels are exact in float64 up to 1.
def _tanh_shrink(op: Operations, x: Tensor) -> Tensor:
    near = op.minimum(op.maximum(x, -1.0), 1.0)
    square = near * near
    r = square / 19
    for odd in range(17, 1, -2):
        r = square / (odd + r)
    return op.where(op.abs(x) < 1, near * r / (1 + r), x - op.tanh(x))


def _tanh_shrink_slope(op: Operations, x: Tensor) -> Tensor:
    t = op.tanh(x)
    return t * t


_TANH_SHRINK = Formula(_tanh_shrink, (_tanh_shrink_slope,))


def tanh_shrink(x: Tensor) -> Tensor:
    """Return x - tanh(x); range (-∞, ∞), derivative 0 at 0.

    Derivative: tanh(x)².

    References
    ----------
    R. Collobert, K. Kavukcuoglu, C. Farabet, "Torch7: a Matlab-like environment for machine learning",
    2011.
    """
    return evaluate(_TANH_SHRINK, x)


def _bent_identity(op: Operations, x: Tensor) -> Tensor:
    near = op.minimum(op.maximum(x, -1e18), 1e18)
    return x * (1 + 0.5 * (near / (1 + op.sqrt(near * near + 1))))


def _bent_identity_slope(op: Operations, x: Tensor) -> Tensor:
    near = op.minimum(op.maximum(x, -1e18), 1e18)
    return 1 + 0.5 * (near / op.sqrt(near * near + 1))


_BENT_IDENTITY = Formula(_bent_identity, (_bent_identity_slope,))


def bent_identity(x: Tensor) -> Tensor:
    """Return x + (sqrt(x² + 1) - 1) / 2; range (-∞, ∞), slope 0.5 on the far left and 1.5 on the far right.

    Derivative: 1 + x / (2 sqrt(x² + 1)).

    The value is infinite where it is beyond the dtype.

    References
    ----------
    D. Misra, arXiv:1908.08681, lists it; its origin is not known.
    """
    return evaluate(_BENT_IDENTITY, x)
