"""Activations made of sines, which oscillate for ever, beside those of the standard sweeps.

As in `study.activations`, but where there is no limit at infinity the value there is NaN, and far from 0 the
values are as good as the framework's sine.
"""

from study.elementary import Formula, Operations, Tensor, evaluate

_SINE_IS_NOTHING = 1e19
"""Beside numbers of this size a sine is below their precision in every dtype."""


def _limited(op: Operations, x: Tensor) -> Tensor:
    return op.maximum(op.minimum(x, _SINE_IS_NOTHING), -_SINE_IS_NOTHING)


_GCU = Formula(lambda op, x: x * op.cos(x), (lambda op, x: op.cos(x) - x * op.sin(x),))


def gcu(x: Tensor) -> Tensor:
    """Return x cos(x), the growing cosine unit; range (-∞, ∞), NaN at ±∞.

    Derivative: cos(x) - x sin(x).

    References
    ----------
    M. M. Noel, A. L, A. Trivedi, P. Dutta, "Growing cosine unit: a novel oscillatory activation function
    that can speedup training and reduce parameters in convolutional neural networks", 2021,
    arXiv:2108.12943.
    """
    return evaluate(_GCU, x)


def _snake(op: Operations, x: Tensor, a: float) -> Tensor:
    sine = op.sin(a * _limited(op, x))
    return x + sine * (sine / a)


_SNAKE = Formula(_snake, (lambda op, x, a: 1 + op.sin((2 * a) * _limited(op, x)),))


def snake(x: Tensor, a: float = 1.0) -> Tensor:
    """Return x + sin²(a x) / a, 0.1 <= a <= 10; range (-∞, ∞), derivative from 0 to 2.

    Derivative: 1 + sin(2 a x).

    References
    ----------
    L. Ziyin, T. Hartwig, M. Ueda, "Neural networks fail to learn periodic functions and how to fix it",
    NeurIPS 2020, arXiv:2006.08195.
    """
    return evaluate(_SNAKE, x, a)


def _sine_relu(op: Operations, x: Tensor, epsilon: float) -> Tensor:
    left = op.minimum(x, 0.0)
    return op.where(x > 0, x, epsilon * (op.sin(left) - op.cos(left)))


def _sine_relu_slope(op: Operations, x: Tensor, epsilon: float) -> Tensor:
    left = op.minimum(x, 0.0)
    return op.where(x > 0, op.ones_like(x), epsilon * (op.sin(left) + op.cos(left)))


_SINE_RELU = Formula(_sine_relu, (_sine_relu_slope,))


def sine_relu(x: Tensor, epsilon: float = 0.0025) -> Tensor:
    """Return x for x > 0 and ε (sin(x) - cos(x)) otherwise, 0 < ε <= 1; range [-√2 ε, ∞), NaN at -∞.

    Derivative: 1 for x > 0 and ε (cos(x) + sin(x)) otherwise.

    The value jumps at 0, where it is -ε; the derivative there is ε.

    References
    ----------
    W. Rodrigues, "SineReLU: an alternative to the ReLU activation function", 2018.
    """
    return evaluate(_SINE_RELU, x, epsilon)
