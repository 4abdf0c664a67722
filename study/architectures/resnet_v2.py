"""ResNet v2 for small images: normalization and activation before each convolution (He et al. 2016)."""

from collections.abc import Callable
from typing import Any

import keras

from study.architectures.widths import widened
from study.layers import Rates, activate, convolution, dropped, logits

FIRST = 16
FILTERS = ((16, 64), (64, 128), (128, 256))
"""Filters inside the bottlenecks of the three stages, and those that they return."""


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
    """Return a convolution, three stages of (depth - 2) / 9 bottlenecks, global average, logits.

    A bottleneck is 1x1, 3x3, 1x1. The first one of a stage has a convolution 1x1 in its shortcut; the very
    first one is not activated again at its start. Dropout is before the 3x3 convolution, between the
    convolutions of a block as in Zagoruyko & Komodakis 2016; the original has none.

    Parameters
    ----------
    depth : int
        Weight layers on the longest path, 9n + 2.
    """

    def activated(x: keras.KerasTensor) -> keras.KerasTensor:
        return activate(x, activation, batch_normalization=batch_normalization)

    inputs = keras.Input(input_shape)
    x = activated(convolution(widened(FIRST, width_multiplier), 3, rates)(inputs))
    blocks = (depth - 2) // 9
    for site in range(len(FILTERS) * blocks):
        stage, block = divmod(site, blocks)
        inner, outer = (widened(filters, width_multiplier) for filters in FILTERS[stage])
        strides = 2 if stage > 0 and block == 0 else 1
        y = x if site == 0 else activated(x)
        y = activated(convolution(inner, 1, rates, strides=strides)(y))
        y = activated(convolution(inner, 3, rates)(dropped(y, rates, site)))
        y = convolution(outer, 1, rates)(y)
        shortcut = convolution(outer, 1, rates, strides=strides)(x) if block == 0 else x
        x = keras.layers.Add()([shortcut, y])
    x = keras.layers.GlobalAveragePooling2D()(activated(x))
    return keras.Model(inputs, logits(classes)(x))
