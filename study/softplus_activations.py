"""Activations of the form g(x) softplus(x), where g rises to 1, beside those of the standard sweeps.

As in `study.activations`, whose docstring says what holds for all of them.
"""

from study.bounded_activations import isru_slope, isru_value
from study.elementary import Formula, Operations, Tensor, evaluate

_FAR = 1e4
"""Beyond -1e4 every exponential tail here is 0 in every dtype."""

_STEEP = 80.0
"""exp(±80) are normal numbers of float32, and 1 - tanh(80)² is 0 in every dtype."""


def _tanh_soft(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    return op.tanh(a * op.maximum(x, -_FAR)) * op.softplus(x)


def _tanh_soft_slope(op: Operations, x: Tensor, a: Tensor) -> Tensor:
    near = op.maximum(op.minimum(x, _STEEP / a), -_FAR)
    h = op.tanh(0.5 * a * near)
    r = 1 / (1 + h * h)
    root = (1 - h * h) * r
    return 2 * h * r * op.sigmoid(x) + a * (op.softplus(near) * (root * root))


_TANH_SOFT = Formula(_tanh_soft, (_tanh_soft_slope,))


def tanh_soft(x: Tensor, a: float = 0.87) -> Tensor:
    """Return tanh(a x) softplus(x), 0.1 <= a <= 10; for a = 0.87 the range is [-0.223785, ∞).

    Derivative: t s(x) + a softplus(x) (1 - t²) with t = tanh(a x).

    The minimum is then at x = -0.847111. One of the two examples of the family TanhSoft.

    References
    ----------
    K. Biswas, S. Kumar, S. Banerjee, A. K. Pandey, "TanhSoft: a family of activation functions combining Tanh
    and Softplus", 2020, arXiv:2009.03863.
    """
    return evaluate(_TANH_SOFT, x, a)


# NOTE: numerator and denominator are multiplied by exp(x) on the left, since exp(-x) overflows there.
def _eis_parts(op: Operations, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x within its limits, exp(x) on the left, exp(-x) on the right, and the denominator."""
    x = op.maximum(op.minimum(x, _STEEP), -_FAR)
    e, w = op.exp(op.where(x > 0, 0.0, x)), op.exp(op.where(x > 0, -x, 0.0))
    return x, e, w, x * e + delta * w


def _eis(op: Operations, x: Tensor, delta: Tensor) -> Tensor:
    near, e, _, below = _eis_parts(op, x, delta)
    return op.softplus(x) * (near * e / below)


def _eis_slope(op: Operations, x: Tensor, delta: Tensor) -> Tensor:
    near, e, w, below = _eis_parts(op, x, delta)
    rising = (delta * (1 + near)) * (e * w) / (below * below)
    return op.sigmoid(x) * (near * e / below) + op.softplus(near) * rising


_EIS = Formula(_eis, (_eis_slope,))


def eis(x: Tensor, delta: float = 1.16) -> Tensor:
    """Return x softplus(x) / (x + δ exp(-x)), 1 <= δ <= 10; for δ = 1.16 the range is [-0.173764, ∞).

    Derivative: r s(x) + δ (1 + x) exp(-x) softplus(x) / (x + δ exp(-x))² with r = x / (x + δ exp(-x)).

    The minimum is then at x = -0.633580. One of the two examples of the family EIS.

    References
    ----------
    K. Biswas, S. Kumar, S. Banerjee, A. K. Pandey, "EIS: a family of activation functions combining
    Exponential, ISRU, and Softplus", 2020, arXiv:2009.13501.
    """
    return evaluate(_EIS, x, delta)


def _eis_root_slope(op: Operations, x: Tensor) -> Tensor:
    rising = isru_slope(op, x, 1.0) * op.softplus(op.minimum(x, 1e18))
    return isru_value(op, x, 1.0) * op.sigmoid(x) + rising


_EIS_ROOT = Formula(lambda op, x: isru_value(op, x, 1.0) * op.softplus(x), (_eis_root_slope,))


def eis_root(x: Tensor) -> Tensor:
    """Return x softplus(x) / sqrt(1 + x²); range [-0.232155, ∞), minimum at x = -0.761748.

    Derivative: (x s(x) + softplus(x) / (1 + x²)) / sqrt(1 + x²).

    The other example of the family EIS.

    References
    ----------
    K. Biswas, S. Kumar, S. Banerjee, A. K. Pandey, "EIS: a family of activation functions combining
    Exponential, ISRU, and Softplus", 2020, arXiv:2009.13501.
    """
    return evaluate(_EIS_ROOT, x)
