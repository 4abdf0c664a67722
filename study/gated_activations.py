"""Activations of the form x g(x), where g rises from about 0 to about 1, beside those of the standard sweeps.

As in `study.activations`, whose docstring says what holds for all of them.
"""

import math

from study.elementary import Formula, Operations, Tensor, evaluate

_FAR = 1e4
"""Beyond ±1e4 every exponential tail here is 0 in every dtype, while squares are finite in float32."""

_STEEP = 80.0
"""exp(±80) are normal numbers of float32."""


def _serf(op: Operations, x: Tensor) -> Tensor:
    return op.maximum(x, -_FAR) * op.erf(op.softplus(op.minimum(x, 20.0)))


def _serf_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, 20.0), -_FAR)
    positive = op.softplus(x)
    density = (2 / math.sqrt(math.pi)) * op.exp(-positive * positive)
    return op.erf(positive) + x * (op.sigmoid(x) * density)


_SERF = Formula(_serf, (_serf_slope,))


def serf(x: Tensor) -> Tensor:
    """Return x erf(softplus(x)); range [-0.348437, ∞), minimum at x = -1.193060.

    Derivative: erf(p) + 2 x s(x) exp(-p²) / sqrt(π) with p = softplus(x).

    References
    ----------
    S. Nag, M. Bhattacharyya, "SERF: towards better training of deep neural networks using log-softplus
    error activation function", 2021, arXiv:2108.09598.
    """
    return evaluate(_SERF, x)


def _smish(op: Operations, x: Tensor) -> Tensor:
    s = op.sigmoid(x)
    return op.maximum(x, -_FAR) * (s * (2 + s) / (s * (2 + s) + 2))


def _smish_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, _STEEP), -_FAR)
    s = op.sigmoid(x)
    r = 1 / (s * (2 + s) + 2)
    return (s * r) * (2 + s + 4 * x * ((1 + s) * op.sigmoid(-x) * r))


_SMISH = Formula(_smish, (_smish_slope,))


def smish(x: Tensor) -> Tensor:
    """Return x tanh(log(1 + s(x))); range [-0.249994, ∞), minimum at x = -1.394520, slope 0.6 at infinity.

    Derivative: t + x s(x) (1 - s(x)) (1 - t²) / (1 + s(x)) with t = tanh(log(1 + s(x))).

    References
    ----------
    X. Wang, H. Ren, A. Wang, "Smish: a novel activation function for deep learning methods", Electronics
    11(4), 2022.
    """
    return evaluate(_SMISH, x)


def _logish(op: Operations, x: Tensor) -> Tensor:
    return op.maximum(x, -_FAR) * op.log1p(op.sigmoid(x))


def _logish_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, _STEEP), -_FAR)
    s = op.sigmoid(x)
    return op.log1p(s) + x * (s * op.sigmoid(-x) / (1 + s))


_LOGISH = Formula(_logish, (_logish_slope,))


def logish(x: Tensor) -> Tensor:
    """Return x log(1 + s(x)); range [-0.252769, ∞), minimum at x = -1.372454, slope log 2 at infinity.

    Derivative: log(1 + s(x)) + x s(x) (1 - s(x)) / (1 + s(x)).

    References
    ----------
    H. Zhu, H. Zeng, J. Liu, X. Zhang, "Logish: a new nonlinear nonmonotonic activation function for
    convolutional neural network", Neurocomputing 458, 2021.
    """
    return evaluate(_LOGISH, x)


def _tanhexp(op: Operations, x: Tensor, b: Tensor) -> Tensor:
    return op.maximum(x, -_FAR) * op.tanh(b * op.exp(op.minimum(x, 20.0)))


def _tanhexp_slope(op: Operations, x: Tensor, b: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, 8.0), -_FAR)
    e = b * op.exp(x)
    h = op.tanh(0.5 * e)
    r = 1 / (1 + h * h)
    root = (1 - h * h) * r
    return 2 * h * r + x * (e * (root * root))


_TANHEXP = Formula(_tanhexp, (_tanhexp_slope,))


def tanhexp(x: Tensor) -> Tensor:
    """Return x tanh(exp(x)), also published as TeLU; range [-0.353286, ∞), minimum at x = -1.078860.

    Derivative: t + x exp(x) (1 - t²) with t = tanh(exp(x)).

    References
    ----------
    X. Liu, X. Di, "TanhExp: a smooth activation function with high convergence speed for lightweight
    neural networks", 2020, arXiv:2003.09855.
    """
    return evaluate(_TANHEXP, x, 1.0)


def tanh_soft_exp(x: Tensor, b: float = 0.6) -> Tensor:
    """Return x tanh(b exp(x)), 0.1 <= b <= 10; for b = 0.6 the range is [-0.217317, ∞).

    Derivative: t + b x exp(x) (1 - t²) with t = tanh(b exp(x)).

    The minimum is then at x = -1.030820. One of the two examples of the family TanhSoft; b = 1 is `tanhexp`.

    References
    ----------
    K. Biswas, S. Kumar, S. Banerjee, A. K. Pandey, "TanhSoft: a family of activation functions combining Tanh
    and Softplus", 2020, arXiv:2009.03863.
    """
    return evaluate(_TANHEXP, x, b)


def _e_swish(op: Operations, x: Tensor, b: Tensor) -> Tensor:
    return b * (op.maximum(x, -_FAR) * op.sigmoid(x))


def _e_swish_slope(op: Operations, x: Tensor, b: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, _STEEP), -_FAR)
    return b * (op.sigmoid(x) * (1 + x * op.sigmoid(-x)))


_E_SWISH = Formula(_e_swish, (_e_swish_slope,))


def e_swish(x: Tensor, b: float = 1.75) -> Tensor:
    """Return b x s(x), 1 <= b <= 2; range [-0.278465 b, ∞), minimum at x = -1.278465.

    Derivative: b s(x) (1 + x (1 - s(x))).

    The value is infinite where b x is beyond the dtype.

    References
    ----------
    E. Alcaide, "E-swish: adjusting activations to different network depths", 2018, arXiv:1801.07145.
    """
    return evaluate(_E_SWISH, x, b)


def _lisht_slope(op: Operations, x: Tensor) -> Tensor:
    near = op.maximum(op.minimum(x, _STEEP), -_STEEP)
    h = op.tanh(0.5 * near)
    r = 1 / (1 + h * h)
    root = (1 - h * h) * r
    return 2 * h * r + near * (root * root)


_LISHT = Formula(lambda op, x: x * op.tanh(x), (_lisht_slope,))


def lisht(x: Tensor) -> Tensor:
    """Return x tanh(x); range [0, ∞), an even function with its minimum at 0.

    Derivative: t + x (1 - t²) with t = tanh(x).

    References
    ----------
    S. K. Roy, S. Manna, S. R. Dubey, B. B. Chaudhuri, "LiSHT: non-parametric linearly scaled hyperbolic
    tangent activation function for neural networks", 2019, arXiv:1901.05894.
    """
    return evaluate(_LISHT, x)


# NOTE: as Mish with x + β under the exponential: tanh(softplus(y)) = e (e + 2) / ((e + 1)² + 1), e = exp(y).
def _mila(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    e = op.exp(op.minimum(x + beta, 20.0))
    n = e * (e + 2)
    return op.maximum(x, -_FAR) * (n / (n + 2))


def _mila_slope(op: Operations, x: Tensor, beta: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, 20.0 - beta), -_FAR)
    e = op.exp(x + beta)
    f = e + 1
    r = 1 / (f * f + 1)
    return (e * r) * (f + 1 + 4 * x * (f * r))


_MILA = Formula(_mila, (_mila_slope,))


def mila(x: Tensor, beta: float = -0.25) -> Tensor:
    """Return x tanh(softplus(x + β)), -10 <= β <= 10; for β = -0.25 the range is [-0.249453, ∞).

    Derivative: t + x s(x + β) (1 - t²) with t = tanh(softplus(x + β)).

    The minimum is then at x = -1.150592.

    References
    ----------
    D. Misra, "Mila", 2019, a sketch published beside arXiv:1908.08681.
    """
    return evaluate(_MILA, x, beta)


def _phish(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(x, -_FAR)
    return x * op.tanh(x * (0.5 * op.erfc(-math.sqrt(0.5) * x)))


def _phish_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, _STEEP), -_FAR)
    distribution = 0.5 * op.erfc(-math.sqrt(0.5) * x)
    h = op.tanh(0.5 * x * distribution)
    r = 1 / (1 + h * h)
    root = (1 - h * h) * r
    slope = distribution + x * (math.sqrt(0.5 / math.pi) * op.exp(-0.5 * x * x))
    return 2 * h * r + x * (root * root * slope)


_PHISH = Formula(_phish, (_phish_slope,))


def phish(x: Tensor) -> Tensor:
    """Return x tanh(x Φ(x)); range [0, ∞), 0 at 0 and in the limit on the left.

    Derivative: t + x (1 - t²) (Φ(x) + x φ(x)) with t = tanh(x Φ(x)).

    References
    ----------
    P. Naveen, "Phish: a novel hyper-optimizable activation function", 2022, TechRxiv 17283824.
    """
    return evaluate(_PHISH, x)


# NOTE: the root of s(2 x) is exp(x) / sqrt(1 + exp(2 x)): sqrt(s(2 x)) itself has no slope where s is 0.
def _root_of_gate(op: Operations, x: Tensor) -> Tensor:
    tail = op.exp(op.where(x > 0, -x, x))
    return op.where(x > 0, 1.0, tail) / op.sqrt(1 + tail * tail)


def _aria2(op: Operations, x: Tensor) -> Tensor:
    root = _root_of_gate(op, x)
    return op.maximum(x, -_FAR) * (root * root * root)


def _aria2_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, _STEEP), -_FAR)
    root = _root_of_gate(op, x)
    return (root * root * root) * (1 + 3 * x * op.sigmoid(-2 * x))


_ARIA2 = Formula(_aria2, (_aria2_slope,))


def aria2(x: Tensor) -> Tensor:
    """Return x s(2 x)^1.5; range [-0.069978, ∞), minimum at x = -0.464882.

    Derivative: s(2 x)^1.5 (1 + 3 x (1 - s(2 x))).

    The published family is x s(β x)^α; β = 2 and α = 1.5 are held here.

    References
    ----------
    N. Patwardhan, M. Ingalhalikar, R. Walambe, "ARiA: utilizing Richard's curve for controlling the
    non-monotonicity of the activation function in deep neural nets", 2018, arXiv:1805.08878.
    """
    return evaluate(_ARIA2, x)


# NOTE: on the left, numerator and denominator are multiplied by exp(x), since exp(-x) overflows there.
def _colu(op: Operations, x: Tensor) -> Tensor:
    left, right = op.maximum(op.minimum(x, 0.0), -_FAR), op.maximum(op.minimum(x, 20.0), 0.0)
    e = op.exp(left)
    below = left * e / (e - left * op.exp(-e))
    return op.where(x > 0, x / (1 - right * op.exp(-(right + op.exp(right)))), below)


def _colu_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, 20.0), -_FAR)
    left, right = op.where(x > 0, 0.0, x), op.where(x > 0, x, 0.0)
    e, grown = op.exp(left), op.exp(right)
    w, decay = op.exp(-e), op.exp(-(right + grown))
    below, above = e - left * w, 1 - right * decay
    return op.where(
        x > 0,
        (1 - right * right * ((1 + grown) * decay)) / (above * above),
        e * (e - left * left * ((1 + e) * w)) / (below * below),
    )


_COLU = Formula(_colu, (_colu_slope,))


def colu(x: Tensor) -> Tensor:
    """Return x / (1 - x exp(-(x + exp(x)))), the collapsing linear unit; range [-0.377159, ∞).

    Derivative: (1 - x² (1 + exp(x)) w) / (1 - x w)² with w = exp(-(x + exp(x))).

    The minimum is at x = -0.726925.

    References
    ----------
    A. Vagerwal, "Deeper learning with CoLU activation", 2021, arXiv:2112.12078.
    """
    return evaluate(_COLU, x)
