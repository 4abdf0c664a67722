"""The gain of an activation, and what initial weights are multiplied by to match it."""

import functools
import math

import numpy as np

from study import activations
from study.errors import InputError
from study.initializers import Scheme, assumed_gain
from study.references import is_reference

SMALLEST, LARGEST = 1e-6, 1e6
"""Gains that can be matched."""

_ENDS, _CELLS = 10.0, 40960
"""The cells lie from -10 to 10, 1/2048 wide: kinks and jumps at whole numbers are between two of them."""


@functools.lru_cache
def gain(activation: str) -> float:
    """Return the gain `1 / sqrt(E f(z)^2)` of an activation `f`, with `z` standard normal.

    Weights of variance `gain^2 / fan_in` keep the second moment of what a layer passes on at 1 from layer to
    layer, whichever the activation; of ReLU that is He's initializer (He et al. 2015, section 2.2).

    The expectation is taken by the midpoint rule: in float64 for the catalogue, in float32 by Keras' backend
    for a user's own function. Its error is below 1e-6 of the value where `f` is continuous, or jumps between
    two cells.

    Parameters
    ----------
    activation : str
        Canonical name, or `package.module:function`.

    Raises
    ------
    InputError
        If the gain is not between `SMALLEST` and `LARGEST`: no float32 weights make up for it.

    References
    ----------
    K. He et al., "Delving deep into rectifiers", ICCV 2015, arXiv:1502.01852.
    """
    width = 2.0 * _ENDS / _CELLS
    z = (np.arange(_CELLS) + 0.5) * width - _ENDS
    values = _values(activation, z)
    density = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi)
    with np.errstate(over="ignore", invalid="ignore"):
        root = np.sqrt(np.sum(values**2 * density) * width)
    found = 1.0 / float(root) if root > 0.0 else math.inf
    if not SMALLEST <= found <= LARGEST:
        raise InputError(
            f"gain_matched_initialization needs activations whose gain lies between {SMALLEST:g} and "
            f"{LARGEST:g}, and that of {activation} is {found:.3g}; remove the setting, or choose another "
            "activation."
        )
    return found


def factor(activation: str, scheme: Scheme) -> np.float32:
    """Return what the weights of a scheme are multiplied by to match the gain of an activation.

    That is the activation's gain over the gain that the initializer assumes, rounded to six digits, so that a
    float32 evaluation of a user's own function gives every engine the same number.
    """
    return np.float32(f"{gain(activation) / assumed_gain(scheme):.6g}")


def _values(activation: str, z: np.ndarray) -> np.ndarray:
    """Return the activation at `z`, float64; a user's own function gets a tensor of Keras' backend."""
    function = activations.get(activation)
    if not is_reference(activation):
        return np.asarray(function(z), np.float64)
    from keras import ops

    found = function(ops.convert_to_tensor(z.astype(np.float32)[:, None]))
    return np.asarray(ops.convert_to_numpy(found), np.float64)[:, 0]
