"""Inception-ResNet v2 (Szegedy et al. 2016) for images of 32x32.

The blocks, their filters and scales are those of Keras' application of that name, which has 10, 20 and 10
of them. The stem's strides and poolings are left out, so that the three stages see 32x32, 16x16 and 8x8
where the original has 35x35, 17x17 and 8x8 for images of 299x299; everything is padded.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

from collections.abc import Callable, Sequence
from typing import Any

import keras

from study.architectures.widths import widened
from study.layers import Rates, convolution, dropped, logits, normalize

Size = int | tuple[int, int]
Branch = Sequence[tuple[int, Size]]
"""Filters and window of each convolution of a branch."""

STEM: Branch = ((32, 3), (32, 3), (64, 3), (80, 1), (192, 3))

MIXED: Sequence[Branch] = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)))
MIXED_POOLED = 64
"""Branches of the mixed block after the stem, and the filters of its branch with average pooling."""

BLOCKS: Sequence[tuple[Sequence[Branch], float]] = (
    ((((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))), 0.17),
    ((((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))), 0.1),
    ((((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))), 0.2),
)
"""Branches of the residual blocks of each stage, and what their sum is scaled by."""

REPEATS = (1, 2, 1)
"""Residual blocks of each stage, as shares of the number that `depth` gives."""

REDUCTIONS: Sequence[Sequence[Branch]] = (
    (((384, 3),), ((256, 1), (256, 3), (384, 3))),
    (((256, 1), (384, 3)), ((256, 1), (288, 3)), ((256, 1), (288, 3), (320, 3))),
)
"""Branches of the blocks that halve height and width between stages, beside maximum pooling."""

LAST = 1536


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
    """Return stem, three stages of residual inception blocks, conv 1536@1x1, global average, logits.

    With n = depth / 16 - 1 the stages have n, 2n and n blocks. Normalization has no learned scale, and what
    is normalized no bias, as in the original. Dropout is before the logits.

    Parameters
    ----------
    depth : int
        Weight layers on the longest path, 16n + 16; 176 in Keras' application, 96 in the paper.
    """

    def convolved(x: keras.KerasTensor, filters: int, size: Size, strides: int = 1) -> keras.KerasTensor:
        wide = widened(filters, width_multiplier)
        x = convolution(wide, size, rates, strides=strides, use_bias=not batch_normalization)(x)
        x = normalize(x, batch_normalization=batch_normalization, scale=False)
        return keras.layers.Activation(activation)(x)

    def branched(x: keras.KerasTensor, branches: Sequence[Branch], strides: int = 1) -> list[Any]:
        """Return the end of each branch; its last convolution has the strides."""
        ends: list[Any] = []
        for branch in branches:
            end = x
            for place, (filters, size) in enumerate(branch, start=1):
                end = convolved(end, filters, size, strides if place == len(branch) else 1)
            ends.append(end)
        return ends

    inputs = keras.Input(input_shape)
    (x,) = branched(inputs, [STEM])
    pooled = keras.layers.AveragePooling2D(3, strides=1, padding="same")(x)
    x = keras.layers.Concatenate()([*branched(x, MIXED), convolved(pooled, MIXED_POOLED, 1)])
    stages = len(BLOCKS)
    for stage, (branches, scale) in enumerate(BLOCKS):
        blocks = REPEATS[stage] * (depth // 16 - 1)
        for block in range(1, blocks + 1):
            joined = keras.layers.Concatenate()(branched(x, branches))
            added = convolution(x.shape[-1], 1, rates)(joined)
            last = stage == stages - 1 and block == blocks
            x = keras.layers.Add()([x, added if last else keras.layers.Rescaling(scale)(added)])
            x = x if last else keras.layers.Activation(activation)(x)
        if stage < stages - 1:
            pooled = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
            x = keras.layers.Concatenate()([*branched(x, REDUCTIONS[stage], strides=2), pooled])
    x = keras.layers.GlobalAveragePooling2D()(convolved(x, LAST, 1))
    return keras.Model(inputs, logits(classes)(dropped(x, rates, 0)))
