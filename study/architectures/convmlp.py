"""The network of the original depth study: two convolutions, then dense layers of equal width."""

from collections.abc import Callable
from typing import Any

import keras

from study.layers import Rates, activate, convolution, dense, dropped, logits


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    *,
    batch_normalization: bool,
    rates: Rates,
    depth: int,
    width: int,
) -> keras.Model:
    """Return conv 20@5x5, conv 50@5x5, max pooling 2, dropout, `depth - 3` hidden dense layers, logits.

    The original's "15 layers" are 12 hidden dense layers. Convolutions are padded ("same"), which
    the original leaves open; only dense layers are normalized.

    Parameters
    ----------
    depth : int
        Weight layers, both convolutions and the output layer included; at least 4.
    width : int
        Units of each hidden dense layer; 500 in the original.
    """
    inputs = keras.Input(input_shape)
    x = keras.layers.Activation(activation)(convolution(20, 5, rates)(inputs))
    x = keras.layers.Activation(activation)(convolution(50, 5, rates)(x))
    x = keras.layers.MaxPooling2D(2)(x)
    x = dropped(x, rates, 0)
    x = keras.layers.Flatten()(x)
    for layer in range(1, depth - 2):
        x = activate(dense(width, rates)(x), activation, batch_normalization=batch_normalization)
        x = dropped(x, rates, layer)
    return keras.Model(inputs, logits(classes)(x))
