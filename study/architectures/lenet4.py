"""LeNet-4: two convolutions, each with pooling, and one dense layer before the output."""

from collections.abc import Callable
from typing import Any

import keras

from study.architectures.widths import widened
from study.layers import Rates, activate, convolution, dense, dropped, logits


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    *,
    batch_normalization: bool,
    rates: Rates,
    width_multiplier: float,
) -> keras.Model:
    """Return conv 20@5x5, pool 2, conv 50@5x5, pool 2, dense 500, logits.

    Of LeCun et al. 1998 it has the layers, and of the Mish benchmark their sizes, activations and maximum
    pooling. Dropout comes after either pooling and after the dense layer; the original has none.
    """
    x = inputs = keras.Input(input_shape)
    for site, filters in enumerate((20, 50)):
        x = convolution(widened(filters, width_multiplier), 5, rates)(x)
        x = activate(x, activation, batch_normalization=batch_normalization)
        x = dropped(keras.layers.MaxPooling2D(2)(x), rates, site)
    x = dense(widened(500, width_multiplier), rates)(keras.layers.Flatten()(x))
    x = dropped(activate(x, activation, batch_normalization=batch_normalization), rates, 2)
    return keras.Model(inputs, logits(classes)(x))
