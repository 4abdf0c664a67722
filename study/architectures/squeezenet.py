"""SqueezeNet with simple bypass (Iandola et al. 2016), in its form for images of 32x32."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any

import keras

from study.architectures.widths import widened
from study.layers import GlorotFromStreams, Rates, activate, convolution, dropped

FIRES = ((128, 16), (128, 16), (256, 32), (256, 32), (384, 48), (384, 48), (512, 64), (512, 64))
"""Filters that fire modules 2 to 9 return, and those they squeeze to."""

BYPASSED = (3, 5, 7)
POOLED = (4, 8)
"""Numbers of the fire modules with a bypass around them, and of those with pooling after them."""


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    *,
    batch_normalization: bool,
    rates: Rates,
    width_multiplier: float,
) -> keras.Model:
    """Return conv 96@3x3, pooling, eight fire modules, conv 1x1 to the classes, global average.

    Dropout comes after the last fire module, as in the paper; the network of the significance study has
    none. That network has no bypass around module 9 either, which the paper's has.
    """

    def convolved(x: keras.KerasTensor, filters: int, size: int) -> keras.KerasTensor:
        x = convolution(widened(filters, width_multiplier), size, rates)(x)
        return activate(x, activation, batch_normalization=batch_normalization)

    inputs = keras.Input(input_shape)
    x = keras.layers.MaxPooling2D(2)(convolved(inputs, 96, 3))
    for number, (filters, squeezed) in enumerate(FIRES, start=2):
        narrow = convolved(x, squeezed, 1)
        expanded = [convolved(narrow, filters // 2, size) for size in (1, 3)]
        wide = keras.layers.Concatenate()(expanded)
        x = keras.layers.Add()([wide, x]) if number in BYPASSED else wide
        if number in POOLED:
            x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Conv2D(classes, 1, kernel_initializer=GlorotFromStreams())(dropped(x, rates, 0))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
