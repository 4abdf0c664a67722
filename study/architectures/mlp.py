"""Dense layers of equal width."""

from collections.abc import Callable
from typing import Any

import keras

from study.layers import Rates, activate, dense, dropped, logits


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
    """Return a network of `depth - 1` hidden layers (dense, normalization, activation, dropout) and logits.

    Parameters
    ----------
    depth : int
        Weight layers, the output layer included; at least 2.
    width : int
        Units of each hidden layer.
    """
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    for layer in range(depth - 1):
        x = activate(dense(width, rates)(x), activation, batch_normalization=batch_normalization)
        x = dropped(x, rates, layer)
    return keras.Model(inputs, logits(classes)(x))
