"""Activations of the form x g(x) that are made of pieces, beside those of the standard sweeps.

As in `study.activations`, whose docstring says what holds for all of them.
"""

from study.elementary import Formula, Operations, Tensor, evaluate

_FAR = 1e4
"""Beyond ±1e4 every exponential tail here is 0 in every dtype."""

_STEEP = 80.0
"""exp(±80) are normal numbers of float32."""


def _hard_mish(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(x, -2.0)
    return x * (op.minimum(x + 2, 2.0) / 2)


def _hard_mish_slope(op: Operations, x: Tensor) -> Tensor:
    return op.where(x >= 0, 1.0, op.where(x <= -2, 0.0, x + 1))


_HARD_MISH = Formula(_hard_mish, (_hard_mish_slope,), half_in_float32=False)


def hard_mish(x: Tensor) -> Tensor:
    """Return x min(max(x + 2, 0), 2) / 2; range [-0.5, ∞), minimum at x = -1.

    Derivative: 1 for x >= 0, 0 for x <= -2 and x + 1 otherwise.

    References
    ----------
    D. Misra, "H-Mish", 2020, as in the library timm.
    """
    return evaluate(_HARD_MISH, x)


def _elish(op: Operations, x: Tensor) -> Tensor:
    left = op.expm1(op.where(x > 0, 0.0, x))
    return op.where(x > 0, x, left) * op.sigmoid(x)


def _elish_slope(op: Operations, x: Tensor) -> Tensor:
    x = op.maximum(op.minimum(x, _STEEP), -_FAR)
    s, rest = op.sigmoid(x), op.sigmoid(-x)
    negative = op.where(x > 0, 0.0, x)
    return s * op.where(x > 0, 1 + x * rest, op.exp(negative) + op.expm1(negative) * rest)


_ELISH = Formula(_elish, (_elish_slope,))


def elish(x: Tensor) -> Tensor:
    """Return x s(x) for x > 0 and (exp(x) - 1) s(x) otherwise; range [-0.171573, ∞).

    Derivative: s(x) (1 + x (1 - s(x))) for x > 0 and s(x) (exp(x) + (exp(x) - 1) (1 - s(x))) otherwise.

    The minimum is at x = -0.881374.

    References
    ----------
    M. Basirat, P. M. Roth, "The quest for the golden activation function", 2018, arXiv:1808.00783.
    """
    return evaluate(_ELISH, x)


def _hard_gate(op: Operations, x: Tensor) -> Tensor:
    return op.minimum(op.maximum(0.5 * x + 0.5, 0.0), 1.0)


def _hard_elish(op: Operations, x: Tensor) -> Tensor:
    left = op.expm1(op.where(x > 0, 0.0, x))
    return op.where(x > 0, x, left) * _hard_gate(op, x)


def _hard_elish_slope(op: Operations, x: Tensor) -> Tensor:
    negative = op.where(x > 0, 0.0, x)
    left = op.where(x <= -1, 0.0, op.exp(negative) * _hard_gate(op, x) + 0.5 * op.expm1(negative))
    return op.where(x > 0, op.where(x >= 1, 1.0, x + 0.5), left)


_HARD_ELISH = Formula(_hard_elish, (_hard_elish_slope,))


def hard_elish(x: Tensor) -> Tensor:
    """Return x h(x) for x > 0 and (exp(x) - 1) h(x) otherwise, h(x) = min(max((x + 1) / 2, 0), 1).

    Derivative: 1 for x >= 1, x + 1/2 for 0 < x < 1, 0 for x <= -1 and (exp(x) (x + 2) - 1) / 2 otherwise.

    The range is [-0.099673, ∞), with the minimum at x = -0.442854. The derivative is 0 at -1 and 1 at 1, the
    outer sides of its jumps.

    References
    ----------
    M. Basirat, P. M. Roth, "The quest for the golden activation function", 2018, arXiv:1808.00783.
    """
    return evaluate(_HARD_ELISH, x)


def _flatten_t_swish(op: Operations, x: Tensor, t: Tensor) -> Tensor:
    return op.where(x > 0, x, op.maximum(x, 0.0)) * op.sigmoid(x) + t


def _flatten_t_swish_slope(op: Operations, x: Tensor, t: Tensor) -> Tensor:
    del t
    near = op.minimum(op.maximum(x, 0.0), _STEEP)
    return op.where(x > 0, op.sigmoid(near) * (1 + near * op.sigmoid(-near)), 0.0)


_FLATTEN_T_SWISH = Formula(_flatten_t_swish, (_flatten_t_swish_slope,))


def flatten_t_swish(x: Tensor, t: float = -0.2) -> Tensor:
    """Return max(x, 0) s(x) + t, -1 <= t <= 0; range [t, ∞), derivative 0 at 0.

    Derivative: s(x) (1 + x (1 - s(x))) for x > 0 and 0 otherwise.

    References
    ----------
    H. H. Chieng, N. Wahid, O. Pauline, S. R. K. Perla, "Flatten-T Swish: a thresholded ReLU-Swish-like
    activation function for deep learning", 2018, arXiv:1812.06247.
    """
    return evaluate(_FLATTEN_T_SWISH, x, t)
