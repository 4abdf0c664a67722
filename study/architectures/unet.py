"""U-Net: an encoder and a decoder with a bridge at every level, one logit per pixel.

References
----------
O. Ronneberger, P. Fischer and T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015, arXiv:1505.04597.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any

import keras

from study.errors import InputError
from study.layers import FromTraining, GlorotFromStreams, Penalty, Rates, activate, convolution, dropped


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    *,
    batch_normalization: bool,
    rates: Rates,
    levels: int,
    width: int,
) -> keras.Model:
    """Return the network.

    Each level of the encoder is two 3x3 convolutions and max pooling 2; the centre is two convolutions; each
    level of the decoder is a transposed 2x2 convolution with stride 2, the concatenation with what its
    level of the encoder had before pooling, and two convolutions. Filters double from level to level. After
    pooling and after the centre units are dropped. The depth is `5 levels + 3` weight layers.

    The original pads nothing, and so crops; this one keeps height and width. With 5 levels, a width of 32 and
    batch normalization, which there also follows the concatenation, it is the network of TensorFlow's
    tutorial on segmentation of 2018, which the original study's U-Net seems to be.

    Parameters
    ----------
    classes : int
        Number of logits of a pixel.
    levels : int
        How often height and width are halved.
    width : int
        Filters of the first level.

    Raises
    ------
    InputError
        If height or width cannot be halved so often.
    """
    height, across, _ = input_shape
    if height % 2**levels or across % 2**levels:
        raise InputError(
            f"unet with levels = {levels} needs a height and a width that {2**levels} divides, and these "
            f"images have {height}x{across} pixels; lower levels."
        )

    def twice(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
        for _ in range(2):
            convolved = convolution(filters, 3, rates)(x)
            x = activate(convolved, activation, batch_normalization=batch_normalization)
        return x

    inputs = keras.Input(input_shape)
    x, bridges = inputs, list[keras.KerasTensor]()
    for level in range(levels):
        x = twice(x, width * 2**level)
        bridges.append(x)
        x = dropped(keras.layers.MaxPooling2D(2)(x), rates, level)
    x = dropped(twice(x, width * 2**levels), rates, levels)
    for level, bridge in reversed(list(enumerate(bridges))):
        filters = width * 2**level
        x = keras.layers.Concatenate()([bridge, _upsampling(filters, rates)(x)])
        x = twice(activate(x, activation, batch_normalization=batch_normalization), filters)
    return keras.Model(inputs, keras.layers.Conv2D(classes, 1, kernel_initializer=GlorotFromStreams())(x))


def _upsampling(filters: int, rates: Rates) -> keras.layers.Conv2DTranspose:
    """Return a hidden transposed convolution that doubles height and width.

    Its kernel is (2, 2, outputs, inputs). Like Keras, the initializers take the last axis for the outputs.
    """
    return keras.layers.Conv2DTranspose(
        filters,
        2,
        strides=2,
        padding="same",
        kernel_initializer=FromTraining(),
        kernel_regularizer=Penalty(rates),
    )
