"""Activations that level off on both sides, and the logarithm of one, beside those of the standard sweeps.

As in `study.activations`, whose docstring says what holds for all of them.
"""

from study.elementary import Formula, Operations, Tensor, evaluate

_STEEP = 80.0
"""1 - tanh(80)² is 0 in every dtype."""


_HARD_SIGMOID = Formula(
    lambda op, x: op.minimum(op.maximum(x, -3.0) + 3, 6.0) / 6,
    (lambda op, x: op.where(op.abs(x) < 3, op.ones_like(x) / 6, 0.0),),
)


def hard_sigmoid(x: Tensor) -> Tensor:
    """Return min(max(x / 6 + 1/2, 0), 1); range [0, 1], derivative 0 at ±3.

    Derivative: 1/6 for abs(x) < 3 and 0 otherwise.

    References
    ----------
    M. Courbariaux, Y. Bengio, J.-P. David, "BinaryConnect", 2015, arXiv:1511.00363; with the slope 1/6 of
    A. Howard et al., 2019, arXiv:1905.02244.
    """
    return evaluate(_HARD_SIGMOID, x)


_HARD_TANH = Formula(
    lambda op, x: op.minimum(op.maximum(x, -1.0), 1.0),
    (lambda op, x: op.where(op.abs(x) < 1, op.ones_like(x), 0.0),),
    half_in_float32=False,
)


def hard_tanh(x: Tensor) -> Tensor:
    """Return min(max(x, -1), 1); range [-1, 1], derivative 0 at ±1.

    Derivative: 1 for abs(x) < 1 and 0 otherwise.

    References
    ----------
    R. Collobert, "Large scale machine learning", thesis, Université Paris VI, 2004.
    """
    return evaluate(_HARD_TANH, x)


_SPARSE_SIGMOID = Formula(
    lambda op, x: op.minimum(op.maximum(0.5 * op.minimum(op.maximum(x, -2.0), 2.0) + 0.5, 0.0), 1.0),
    (lambda op, x: op.where(op.abs(x) < 1, 0.5 * op.ones_like(x), 0.0),),
)


def sparse_sigmoid(x: Tensor) -> Tensor:
    """Return min(max((x + 1) / 2, 0), 1); range [0, 1], derivative 0 at ±1.

    Derivative: 1/2 for abs(x) < 1 and 0 otherwise.

    References
    ----------
    A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax", ICML 2016, arXiv:1602.02068: sparsemax
    of two classes.
    """
    return evaluate(_SPARSE_SIGMOID, x)


_LOG_SIGMOID = Formula(lambda op, x: -op.softplus(-x), (lambda op, x: op.sigmoid(-x),))


def log_sigmoid(x: Tensor) -> Tensor:
    """Return log s(x) = -softplus(-x); range (-∞, 0).

    Derivative: s(-x).

    References
    ----------
    C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing", NIPS 2000,
    for softplus, whose mirror image it is.
    """
    return evaluate(_LOG_SIGMOID, x)


def isru_value(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    """Return x / sqrt(1 + a x²); beyond 1e18, where the square may overflow, that is its limit."""
    near = op.minimum(op.maximum(x, -1e18), 1e18)
    return near / op.sqrt(1 + a * (near * near))


def isru_slope(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    """Return its derivative."""
    near = op.minimum(op.maximum(x, -1e18), 1e18)
    r = 1 / op.sqrt(1 + a * (near * near))
    return r * r * r


_ISRU = Formula(isru_value, (isru_slope,))


def isru(x: Tensor, a: float = 1.0) -> Tensor:
    """Return x / sqrt(1 + a x²), 0.1 <= a <= 10; range (-1/sqrt(a), 1/sqrt(a)).

    Derivative: 1 / (1 + a x²)^1.5.

    References
    ----------
    B. Carlile, G. Delamarter, P. Kinney, A. Marti, B. Whitney, "Improving deep learning by inverse square
    root linear units (ISRLUs)", 2017, arXiv:1710.09967.
    """
    return evaluate(_ISRU, x, a)


def _sqnl(op: Operations, x: Tensor) -> Tensor:
    near = op.minimum(op.maximum(x, -2.0), 2.0)
    return near * (1 - 0.25 * op.abs(near))


_SQNL = Formula(
    _sqnl, (lambda op, x: op.maximum(1 - 0.5 * op.abs(op.minimum(op.maximum(x, -4.0), 4.0)), 0.0),)
)


def sqnl(x: Tensor) -> Tensor:
    """Return x - x abs(x) / 4 within 2 of 0, and ±1 beyond; range [-1, 1].

    Derivative: max(1 - abs(x) / 2, 0).

    References
    ----------
    A. Wuraola, N. Patel, "SQNL: a new computationally efficient activation function", IJCNN 2018.
    """
    return evaluate(_SQNL, x)


def _penalized_tanh_slope(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    h = op.tanh(0.5 * op.minimum(op.maximum(x, -_STEEP), _STEEP))
    root = (1 - h * h) / (1 + h * h)
    slope = root * root
    return op.where(x > 0, slope, a * slope)


_PENALIZED_TANH = Formula(
    lambda op, x, a: op.where(x > 0, op.tanh(x), a * op.tanh(x)), (_penalized_tanh_slope,)
)


def penalized_tanh(x: Tensor, a: float = 0.25) -> Tensor:
    """Return tanh(x) for x > 0 and a tanh(x) otherwise, 0 < a < 1; range (-a, 1), derivative a at 0.

    Derivative: 1 - tanh(x)² for x > 0 and a (1 - tanh(x)²) otherwise.

    References
    ----------
    B. Xu, R. Huang, M. Li, "Revise saturated activation functions", 2016, arXiv:1602.05980.
    """
    return evaluate(_PENALIZED_TANH, x, a)
