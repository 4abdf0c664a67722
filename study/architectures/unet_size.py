"""How large a U-Net is, by its formulas, for estimates of time and memory without Keras."""

from collections.abc import Mapping

from study.architectures.sizes import Size
from study.training import Level


def unet_size(input_shape: tuple[int, int, int], arguments: Mapping[str, Level]) -> Size:
    """Return the size of `study.architectures.unet`, biases apart.

    The encoder has two 3x3 convolutions at each height and width. Above the centre the decoder has a
    transposed 2x2 convolution and two 3x3 ones, of which the first sees the bridge too.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width, channels.
    arguments : dict of str to Level
        `levels` and `width`.
    """
    height, across, before = input_shape
    levels, width = int(arguments["levels"]), int(arguments["width"])
    multiply_adds, parameters, outputs = float(height * across * width), float(width), float(height * across)
    for level in range(levels + 1):
        pixels, filters = height * across / 4**level, width * 2**level
        encoder, decoder, upwards = 9 * (before + filters) * filters, 0, 0
        if level < levels:
            decoder, upwards = 9 * 3 * filters**2, 2 * filters**2
        multiply_adds += pixels * (encoder + decoder + upwards)
        parameters += encoder + decoder + 4 * upwards
        outputs += pixels * filters * (5 if level < levels else 2)
        before = filters
    return Size(5 * levels + 3, multiply_adds, parameters, outputs)
