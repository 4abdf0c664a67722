"""How large the convolutional networks of the catalogue are, for estimates of time and memory without Keras.

Counted once from the networks themselves at 32x32x3 with 10 classes, and scaled: with the number of pixels,
the blocks that `depth` gives and the width multiplier. That is exact where it was counted and good to a
tenth for images of 28x28 and other widths.
"""

from collections.abc import Mapping
from typing import NamedTuple

from study.training import Level


class Size(NamedTuple):
    """What a network has.

    Parameters
    ----------
    layers : int
        Layers with a kernel, on all paths.
    multiply_adds : float
        For one example, forward.
    parameters : float
        Numbers in the kernels.
    outputs : float
        Numbers that the layers with a kernel return for one example.
    """

    layers: int
    multiply_adds: float
    parameters: float
    outputs: float


class Counted(NamedTuple):
    """A network as counted: at its smallest depth, and what each step of `depth` adds."""

    smallest: Size
    step: Size = Size(0, 0, 0, 0)
    depth: tuple[int, int] = (0, 1)
    """Smallest depth and its step."""


COUNTED: Mapping[str, Counted] = {
    "lenet4": Counted(Size(4, 9_541_000, 1_631_500, 33_790)),
    "mini_vgg": Counted(Size(6, 26_579_968, 2_167_648, 98_826)),
    "squeezenet": Counted(Size(26, 52_543_488, 726_048, 365_728)),
    "resnet_v1": Counted(
        Size(10, 12_501_632, 77_360, 86_026), Size(6, 14_155_776, 96_768, 57_344), depth=(8, 6)
    ),
    "resnet_v2": Counted(
        Size(14, 34_523_648, 294_320, 327_690), Size(9, 31_719_424, 270_592, 196_608), depth=(11, 9)
    ),
    "inception_resnet_v2": Counted(
        Size(47, 3_218_586_624, 14_591_328, 3_766_282),
        Size(22, 830_996_480, 4_402_688, 1_662_976),
        depth=(32, 16),
    ),
    "capsule": Counted(Size(5, 57_867_008, 280_256, 155_008)),
}


def size_of(name: str, input_shape: tuple[int, int, int], arguments: Mapping[str, Level]) -> Size:
    """Return about how large a network of `COUNTED` is.

    Parameters
    ----------
    name : str
        Name in `COUNTED`.
    input_shape : tuple of int
        Height, width, channels.
    arguments : dict of str to Level
        The architecture's own arguments.
    """
    counted = COUNTED[name]
    smallest, step = counted.depth
    steps = (int(arguments.get("depth", smallest)) - smallest) // step
    layers, multiply_adds, parameters, outputs = (
        each + steps * more for each, more in zip(counted.smallest, counted.step, strict=True)
    )
    height, width, _ = input_shape
    pixels, multiplier = height * width / 1024, float(arguments["width_multiplier"])
    return Size(
        layers=int(layers),
        multiply_adds=multiply_adds * pixels * multiplier**2,
        parameters=parameters * multiplier**2,
        outputs=outputs * pixels * multiplier,
    )
