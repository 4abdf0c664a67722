"""Keras layers whose activation has a trained parameter: PReLU, β-Swish and β-Mish.

They are the functions of `study.activations` with a variable in place of the number, so that the backward
pass keeps the input alone. TensorFlow, JAX and PyTorch work as the backend.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

import math
from typing import Any, Literal

import keras
from keras import ops

from study import activations
from study.elementary import Tensor
from study.errors import InputError

Sharing = Literal["layer", "channel"]
"""One parameter for the whole layer, or one for each index of the last axis."""


class _Learned(keras.layers.Layer):
    """A layer with one trained parameter for all its inputs, or one for each channel."""

    def __init__(self, per: Sharing, **options: Any) -> None:
        super().__init__(**options)
        if per not in ("layer", "channel"):
            raise InputError(
                f"per says what shares a parameter, 'layer' or 'channel', and {per!r} was given; "
                "choose one of the two."
            )
        self.per = per
        self.supports_masking = True

    def _parameter(self, name: str, input_shape: tuple[int | None, ...]) -> keras.Variable:
        """Make the variable; its initializer is the attribute of its name, where engines look for it."""
        shape = (input_shape[-1],) if self.per == "channel" else ()
        if None in shape:
            raise InputError(
                "a parameter for each channel needs a last axis whose length is known; "
                "give the input's shape, or per='layer'."
            )
        return self.add_weight(shape=shape, name=name, initializer=getattr(self, f"{name}_initializer"))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape


@keras.saving.register_keras_serializable("mishstudy")
class PReLU(_Learned):
    """x for x > 0 and a x otherwise, with trained a.

    Variable: `a`, trainable, shape () or (channels,). Its derivative is min(x, 0).

    Parameters
    ----------
    start : float
        Initial a. Libraries differ: PyTorch and the paper start at 0.25, `keras.layers.PReLU` at 0.
    per : {"layer", "channel"}
        What shares a parameter. `keras.layers.PReLU` has one for each unit unless axes are shared.
    **options
        Of `keras.layers.Layer`, such as `name`.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, arXiv:1502.01852.
    """

    def __init__(self, start: float = 0.25, per: Sharing = "layer", **options: Any) -> None:
        super().__init__(per, **options)
        if not math.isfinite(start):
            raise InputError(f"PReLU starts from a finite number, and {start!r} was given; write one.")
        self.start = float(start)
        self.a_initializer = keras.initializers.Constant(self.start)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the variable."""
        self.a = self._parameter("a", input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """Return the activation: shape and dtype of the inputs."""
        return activations.leaky_relu(inputs, ops.convert_to_tensor(self.a))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return super().get_config() | {"start": self.start, "per": self.per}


class _LearnedBeta(_Learned):
    """A layer whose β is exp(log_beta), which is above 0 whatever an optimizer does."""

    _function: str

    def __init__(self, start: float, per: Sharing, **options: Any) -> None:
        super().__init__(per, **options)
        activations.parse(f"{self._function}({start!r})")
        self.start = float(start)
        self.log_beta_initializer = keras.initializers.Constant(math.log(self.start))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the variable."""
        self.log_beta = self._parameter("log_beta", input_shape)

    @property
    def beta(self) -> Tensor:
        """Return β, a tensor of shape () or (channels,)."""
        return ops.exp(ops.convert_to_tensor(self.log_beta))

    def call(self, inputs: Tensor) -> Tensor:
        """Return the activation: shape and dtype of the inputs."""
        return activations.ACTIVATIONS[self._function](inputs, self.beta)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return super().get_config() | {"start": self.start, "per": self.per}


@keras.saving.register_keras_serializable("mishstudy")
class BetaSwish(_LearnedBeta):
    """x s(β x) with trained β: Swish as it was published.

    Variable: `log_beta`, trainable, shape () or (channels,); `beta` is its exponential.

    Parameters
    ----------
    start : float
        Initial β, above 0 and at most 1e6.
    per : {"layer", "channel"}
        What shares a parameter.
    **options
        Of `keras.layers.Layer`, such as `name`.

    References
    ----------
    P. Ramachandran, B. Zoph, Q. V. Le, "Searching for activation functions", 2017, arXiv:1710.05941.
    """

    _function = "beta_swish"

    def __init__(self, start: float = 1.0, per: Sharing = "layer", **options: Any) -> None:
        super().__init__(start, per, **options)


@keras.saving.register_keras_serializable("mishstudy")
class BetaMish(_LearnedBeta):
    """x tanh(β softplus(x)) with trained β.

    Variable: `log_beta`, trainable, shape () or (channels,); `beta` is its exponential.

    Parameters
    ----------
    start : float
        Initial β, above 0 and at most 1e6. The default of 1 is Mish.
    per : {"layer", "channel"}
        What shares a parameter.
    **options
        Of `keras.layers.Layer`, such as `name`.

    References
    ----------
    D. Misra, "Beta-Mish", 2019, an extension of arXiv:1908.08681.
    """

    _function = "beta_mish"

    def __init__(self, start: float = 1.0, per: Sharing = "layer", **options: Any) -> None:
        super().__init__(start, per, **options)
