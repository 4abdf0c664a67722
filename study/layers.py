"""Layers whose rates are variables and whose random numbers come from the block's streams.

Changing a rate never compiles anything again, and both engines draw the same masks. Keras' own
random layers differ between backends and change when jit compilation is switched on.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportOptionalOperand=false

import math
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from study import streams
from study.training import Training


class Rates(keras.layers.Layer):
    """The numbers of one training that its program reads from variables.

    Variables, none of them trainable: `dropout` (float32), `l1`, `l2` (float32), `dropout_key`
    (uint32, shape (2,)), `step` (uint32, the number of training steps so far).

    Parameters
    ----------
    dropping : bool
        Whether the network drops units at all; without it no masks are drawn, which gives the same
        numbers as a rate of 0.
    """

    def __init__(self, *, dropping: bool = True) -> None:
        super().__init__(name="rates")
        self.dropping = dropping
        self.dropout = self._number("dropout")
        self.l1 = self._number("l1")
        self.l2 = self._number("l2")
        self.dropout_key = self._number("dropout_key", (2,), "uint32")
        self.step = self._number("step", (), "uint32")

    def _number(self, name: str, shape: tuple[int, ...] = (), dtype: str = "float32") -> keras.Variable:
        return self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name)

    def assign(self, training: Training) -> None:
        """Take the rates and keys of `training` and go back to step 0."""
        penalties = training.regularizer.split("_")
        self.dropout.assign(training.dropout)
        self.l1.assign(training.regularizer_strength if "l1" in penalties else 0.0)
        self.l2.assign(training.regularizer_strength if "l2" in penalties else 0.0)
        self.dropout_key.assign(streams.key(training, "dropout"))
        self.step.assign(np.uint32(0))


class Dropout(keras.layers.Layer):
    """Inverted dropout (Srivastava et al. 2014) with the rate and the mask's key in `rates`.

    Parameters
    ----------
    rates : Rates
        Where rate, key and step are read.
    site : int
        Number of this layer within the network.
    """

    def __init__(self, rates: Rates, site: int) -> None:
        super().__init__(name=f"dropout_{site}")
        self.rates = rates
        self.site = site
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop units while training; the batch size must be known when traced."""
        if not training:
            return inputs
        count = math.prod(inputs.shape)
        u = streams.uniform(
            streams.bits(self.rates.dropout_key, self.rates.step, count, site=self.site, xp=ops), ops
        )
        kept = ops.reshape(ops.cast(u >= self.rates.dropout, inputs.dtype), inputs.shape)
        return inputs * kept / (1.0 - self.rates.dropout)

    def compute_output_spec(self, inputs: Any, training: bool = False) -> keras.KerasTensor:
        """Return the shape and dtype of the inputs."""
        del training
        return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)


def dropped(x: keras.KerasTensor, rates: Rates, site: int) -> keras.KerasTensor:
    """Add dropout where the program has any."""
    return Dropout(rates, site)(x) if rates.dropping else x


class Penalty(keras.regularizers.Regularizer):
    """`l1 * sum(|w|) + l2 * sum(w^2)` with both strengths in `rates`."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates

    def __call__(self, x: Any) -> Any:
        """Return the penalty of one kernel, a scalar."""
        return self.rates.l1 * ops.sum(ops.abs(x)) + self.rates.l2 * ops.sum(ops.square(x))


class FromTraining(keras.initializers.Initializer):
    """Marks a kernel whose initial values follow the training's own initializer.

    The values are drawn by `study.initializers.draw` and assigned before each training; until then
    the kernel is zero.
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Return zeros."""
        return ops.zeros(shape, dtype=dtype)


class GlorotFromStreams(keras.initializers.GlorotUniform):
    """Marks a kernel that starts from Glorot's uniform distribution whatever the training's initializer is.

    As with `FromTraining`, the kernel is zero until it is assigned: JAX would compile Keras' own draw, for
    a second, once for each shape.
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Return zeros."""
        return ops.zeros(shape, dtype=dtype)


BATCH_NORMALIZATION = {"momentum": 0.9, "epsilon": 1e-3}
"""Constants of batch normalization (Ioffe & Szegedy 2015). The momentum is below Keras' 0.99: short
trainings have a few hundred steps, in which the slower average never arrives."""


def normalize(x: keras.KerasTensor, *, batch_normalization: bool, scale: bool = True) -> keras.KerasTensor:
    """Add batch normalization where it is asked for; `scale`: with a learned factor for each channel."""
    if not batch_normalization:
        return x
    return keras.layers.BatchNormalization(**BATCH_NORMALIZATION, scale=scale)(x)


def activate(
    x: keras.KerasTensor, activation: Callable[[Any], Any], *, batch_normalization: bool
) -> keras.KerasTensor:
    """Add optional batch normalization, then the activation."""
    return keras.layers.Activation(activation)(normalize(x, batch_normalization=batch_normalization))


def dense(units: int, rates: Rates) -> keras.layers.Dense:
    """Return a hidden dense layer: the training's initializer and penalty on its kernel."""
    return keras.layers.Dense(units, kernel_initializer=FromTraining(), kernel_regularizer=Penalty(rates))


def logits(classes: int) -> keras.layers.Dense:
    """Return a dense output layer."""
    return keras.layers.Dense(classes, kernel_initializer=GlorotFromStreams())


def convolution(
    filters: int,
    size: int | tuple[int, int],
    rates: Rates,
    *,
    strides: int = 1,
    padding: Literal["same", "valid"] = "same",
    use_bias: bool = True,
) -> keras.layers.Conv2D:
    """Return a hidden convolution, by default one that keeps height and width; kernel as in `dense`."""
    return keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=FromTraining(),
        kernel_regularizer=Penalty(rates),
    )
