"""ResNet v1 for small images: convolution, normalization, activation (He et al. 2015, section 4.2)."""

from collections.abc import Callable
from typing import Any

import keras

from study.architectures.widths import widened
from study.layers import Rates, activate, convolution, dropped, logits, normalize

FILTERS = (16, 32, 64)
"""Filters of the three stages."""


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    *,
    batch_normalization: bool,
    rates: Rates,
    depth: int,
    width_multiplier: float,
) -> keras.Model:
    """Return a convolution, three stages of (depth - 2) / 6 residual blocks, global average, logits.

    A stage that begins with half the height and width has a convolution 1x1 in its first shortcut, as in
    Keras' example; the paper pads with zeros there. Dropout is between the two convolutions of a block, as
    in Zagoruyko & Komodakis 2016; the original has none.

    Parameters
    ----------
    depth : int
        Weight layers on the longest path, 6n + 2.
    """

    def activated(x: keras.KerasTensor) -> keras.KerasTensor:
        return activate(x, activation, batch_normalization=batch_normalization)

    inputs = keras.Input(input_shape)
    x = activated(convolution(widened(FILTERS[0], width_multiplier), 3, rates)(inputs))
    blocks = (depth - 2) // 6
    for site in range(len(FILTERS) * blocks):
        stage, block = divmod(site, blocks)
        filters = widened(FILTERS[stage], width_multiplier)
        halved = stage > 0 and block == 0
        strides = 2 if halved else 1
        y = activated(convolution(filters, 3, rates, strides=strides)(x))
        y = convolution(filters, 3, rates)(dropped(y, rates, site))
        y = normalize(y, batch_normalization=batch_normalization)
        shortcut = convolution(filters, 1, rates, strides=2)(x) if halved else x
        x = keras.layers.Activation(activation)(keras.layers.Add()([shortcut, y]))
    return keras.Model(inputs, logits(classes)(keras.layers.GlobalAveragePooling2D()(x)))
