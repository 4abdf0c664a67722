"""Mini VGG: pairs of 3x3 convolutions between poolings (Simonyan & Zisserman 2014), made small."""

from collections.abc import Callable
from typing import Any

import keras

from study.architectures.widths import widened
from study.layers import Rates, convolution, dense, dropped, logits, normalize


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    *,
    batch_normalization: bool,
    rates: Rates,
    width_multiplier: float,
) -> keras.Model:
    """Return two stages of two convolutions (32, then 64 filters) and pooling, dense 512, logits.

    Normalization comes after the activation, as in the recipe. Dropout comes after either pooling and after
    the dense layer, with one rate; the recipe has 0.25, 0.25 and 0.5.
    """
    x = inputs = keras.Input(input_shape)

    def activated(x: keras.KerasTensor) -> keras.KerasTensor:
        return normalize(keras.layers.Activation(activation)(x), batch_normalization=batch_normalization)

    for site, filters in enumerate((32, 64)):
        for _ in range(2):
            x = activated(convolution(widened(filters, width_multiplier), 3, rates)(x))
        x = dropped(keras.layers.MaxPooling2D(2)(x), rates, site)
    x = activated(dense(widened(512, width_multiplier), rates)(keras.layers.Flatten()(x)))
    return keras.Model(inputs, logits(classes)(dropped(x, rates, 2)))
