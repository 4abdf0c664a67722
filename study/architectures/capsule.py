"""A convolutional network that ends in capsules with routing (Sabour et al. 2017), as in Keras' example."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOptionalOperand=false

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from study.architectures.widths import widened
from study.layers import GlorotFromStreams, Rates, activate, convolution, dropped

DIMENSION = 16
"""Numbers of each class's capsule."""

SMALLEST = 1e-7
"""Added to squared lengths, as Keras' epsilon in the example."""


def _squared_length(vectors: Any) -> Any:
    return ops.sum(ops.square(vectors), axis=2, keepdims=True) + SMALLEST


class Routing(keras.layers.Layer):
    """Routing by agreement: what every position predicts for every capsule becomes one vector a capsule.

    As in the example the agreement of a round replaces that of the round before; in the paper they add up.

    Parameters
    ----------
    routings : int
        Rounds, at least 1; in the first one all capsules count alike.
    """

    def __init__(self, routings: int) -> None:
        super().__init__()
        self.routings = routings

    def call(self, inputs: Any) -> Any:
        """Return log-odds, shape (batch, capsules), of predictions of shape (batch, positions, capsules, d).

        The length of a squashed capsule, `s / (s + 1/2)` with `s` its squared length before, stands for the
        probability that the class is present: its log-odds are `log(2 s)`.
        """
        vectors = ops.sum(inputs, axis=1) / inputs.shape[2]
        for _ in range(self.routings - 1):
            squared = _squared_length(vectors)
            squashed = vectors * ops.sqrt(squared) / (0.5 + squared)
            coupling = ops.softmax(ops.einsum("bcd,bpcd->bpc", squashed, inputs), axis=2)
            vectors = ops.einsum("bpc,bpcd->bcd", coupling, inputs)
        return ops.log(2.0 * _squared_length(vectors)[..., 0])

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Return the shape and dtype of the log-odds."""
        return keras.KerasTensor((inputs.shape[0], inputs.shape[2]), dtype=inputs.dtype)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    *,
    batch_normalization: bool,
    rates: Rates,
    routings: int,
    width_multiplier: float,
) -> keras.Model:
    """Return two convolutions of 64 filters, average pooling, two of 128, and a capsule a class.

    Convolutions are 3x3 and not padded. Each position is a capsule of as many numbers as there are filters;
    all positions share the weights to the capsules of the classes. The logits are the log-odds of the
    capsules' lengths, which is what the margin loss is of (`study.objectives`). Dropout comes after the
    pooling and after the last convolution; the example has none.

    Parameters
    ----------
    routings : int
        Rounds of routing; 3 in the example.
    """
    x = inputs = keras.Input(input_shape)
    for site, filters in enumerate((64, 128)):
        for _ in range(2):
            x = convolution(widened(filters, width_multiplier), 3, rates, padding="valid")(x)
            x = activate(x, activation, batch_normalization=batch_normalization)
        x = dropped(keras.layers.AveragePooling2D(2)(x) if site == 0 else x, rates, site)
    x = keras.layers.Reshape((-1, x.shape[-1]))(x)
    x = keras.layers.Dense(classes * DIMENSION, use_bias=False, kernel_initializer=GlorotFromStreams())(x)
    x = keras.layers.Reshape((-1, classes, DIMENSION))(x)
    return keras.Model(inputs, Routing(routings)(x))
