"""The networks: functions from shape, activation and arguments to a Keras model that ends in logits.

A classification has a logit per class, a segmentation one per pixel.

Depth counts weight layers on the longest path, the output layer included.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from study import references
from study.errors import InputError
from study.programs import Program
from study.tasks import Task

if TYPE_CHECKING:
    import keras

    from study.layers import Rates


class Argument(NamedTuple):
    """One argument of an architecture, which a spec may vary as a factor.

    A whole number takes the values `minimum`, `minimum + step`, ... up to `maximum`.
    """

    type: type
    minimum: float
    maximum: float
    default: int | float | str | bool
    step: int = 1


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network of the catalogue.

    Parameters
    ----------
    description : str
        One sentence for people.
    module : str
        Module whose function `build` makes the network; imports Keras.
    arguments : dict of str to Argument
        What a spec may set beside the training's own keys.
    batch_normalization : bool
        Whether the published network has it, which is the default of a spec.
    smallest : int
        Smallest height and width of its inputs, in pixels.
    engines : tuple of str
        Those that can train it.
    task : {"classification", "segmentation"}
        What it is for.
    loss : {"cross_entropy", "margin"}
        What a classification lowers; the engine `population` has cross-entropy alone.
    """

    description: str
    module: str
    arguments: Mapping[str, Argument]
    batch_normalization: bool = False
    smallest: int = 1
    engines: tuple[str, ...] = ("fit", "population")
    task: Task = "classification"
    loss: Literal["cross_entropy", "margin"] = "cross_entropy"


_MULTIPLIER = Argument(float, 0.01, 16, 1.0)

ARCHITECTURES: Mapping[str, Architecture] = {
    "mlp": Architecture(
        "dense layers of equal width",
        "study.architectures.mlp",
        {"depth": Argument(int, 2, 1000, 4), "width": Argument(int, 1, 65536, 64)},
    ),
    "convmlp": Architecture(
        "two 5x5 convolutions, then dense layers: the network of the original depth study",
        "study.architectures.convmlp",
        {"depth": Argument(int, 4, 1000, 4), "width": Argument(int, 1, 65536, 500)},
    ),
    "lenet4": Architecture(
        "two 5x5 convolutions with pooling, one dense layer",
        "study.architectures.lenet4",
        {"width_multiplier": _MULTIPLIER},
        smallest=4,
    ),
    "mini_vgg": Architecture(
        "two pairs of 3x3 convolutions with pooling, one dense layer",
        "study.architectures.mini_vgg",
        {"width_multiplier": _MULTIPLIER},
        batch_normalization=True,
        smallest=4,
    ),
    "squeezenet": Architecture(
        "eight fire modules with simple bypass: the network of the original significance study",
        "study.architectures.squeezenet",
        {"width_multiplier": _MULTIPLIER},
        batch_normalization=True,
        smallest=8,
    ),
    "resnet_v1": Architecture(
        "three stages of residual blocks, activation after addition",
        "study.architectures.resnet_v1",
        {"depth": Argument(int, 8, 1202, 20, step=6), "width_multiplier": _MULTIPLIER},
        batch_normalization=True,
    ),
    "resnet_v2": Architecture(
        "three stages of residual bottlenecks, activation before convolution",
        "study.architectures.resnet_v2",
        {"depth": Argument(int, 11, 1001, 20, step=9), "width_multiplier": _MULTIPLIER},
        batch_normalization=True,
    ),
    "inception_resnet_v2": Architecture(
        "residual inception blocks, the stem made for images of 32x32",
        "study.architectures.inception_resnet_v2",
        {"depth": Argument(int, 32, 336, 176, step=16), "width_multiplier": _MULTIPLIER},
        batch_normalization=True,
        engines=("fit",),
    ),
    "capsule": Architecture(
        "four 3x3 convolutions, then capsules with routing by agreement",
        "study.architectures.capsule",
        {"routings": Argument(int, 1, 100, 3), "width_multiplier": _MULTIPLIER},
        smallest=14,
        engines=("fit",),
        loss="margin",
    ),
    "unet": Architecture(
        "an encoder and a decoder of 3x3 convolutions with bridges between them",
        "study.architectures.unet",
        {"levels": Argument(int, 1, 8, 5), "width": Argument(int, 1, 4096, 32)},
        batch_normalization=True,
        engines=("fit",),
        task="segmentation",
    ),
}


def build(
    program: Program,
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    rates: "Rates",
) -> "keras.Model":
    """Build the network of a program.

    Parameters
    ----------
    program : Program
        Names the architecture and its arguments.
    input_shape : tuple of int
        Height, width, channels.
    classes : int
        Number of logits, `DataCard.logits`: 1 is a segmentation, with one per pixel.
    activation : callable
        Tensor to tensor.
    rates : Rates
        Where the catalogue's layers read their rates. A user's own function gets the rates it has
        parameters for as plain numbers.

    Raises
    ------
    InputError
        If the images are too small or cannot be halved as often as the network does, or a user's own function
        does not take what the spec gives, or does not return a Keras model from `input_shape` to the logits.
    """
    arguments = dict(program.architecture_arguments)
    if ":" not in program.architecture:
        if complaint := too_small(program.architecture, input_shape):
            raise InputError(f"the architecture {program.architecture} {complaint}")
        module = importlib.import_module(ARCHITECTURES[program.architecture].module)
        return module.build(
            input_shape,
            classes,
            activation,
            batch_normalization=program.batch_normalization,
            rates=rates,
            **arguments,
        )
    return _build_own(program, input_shape, classes, activation, arguments)


def too_small(name: str, input_shape: tuple[int, int, int]) -> str | None:
    """Return why images of a shape are too small for an architecture of the catalogue, or None."""
    height, width, _ = input_shape
    smallest = ARCHITECTURES[name].smallest
    if min(height, width) >= smallest:
        return None
    return (
        f"needs images of at least {smallest}x{smallest} pixels, and these have {height}x{width}; "
        "choose another data set, or another architecture."
    )


def _build_own(
    program: Program,
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Callable[[Any], Any],
    arguments: dict[str, Any],
) -> "keras.Model":
    """Build a user's own network and check what came back."""
    import keras

    function = references.resolve(program.architecture)
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    unknown = sorted(name for name in arguments if name not in parameters and not takes_any)
    if unknown:
        raise InputError(
            f"{program.architecture} takes no argument {unknown[0]!r}, which the spec sets; "
            "add the parameter to the function or remove the key from the spec."
        )
    optional = {**dict(program.static), "batch_normalization": program.batch_normalization}
    arguments |= {name: value for name, value in optional.items() if name in parameters}
    network = function(input_shape, classes, activation, **arguments)
    if not isinstance(network, keras.Model):
        raise InputError(
            f"{program.architecture} must return a keras.Model, and it returned a {type(network).__name__}."
        )
    output, logits = (None, classes), "one logit per class, without softmax"
    if classes == 1:
        output, logits = (None, *input_shape[:2], 1), "one logit per pixel, without sigmoid"
    if tuple(network.output_shape) != output:
        raise InputError(
            f"{program.architecture} returned a model with output shape {network.output_shape}; "
            f"it must be {output}: {logits}."
        )
    return network
