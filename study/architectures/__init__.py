"""The networks: functions from shape, activation and arguments to a Keras model that ends in logits.

Depth counts weight layers on the longest path, the output layer included.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from study import references
from study.errors import InputError
from study.programs import Program

if TYPE_CHECKING:
    import keras

    from study.layers import Rates


class Argument(NamedTuple):
    """One argument of an architecture, which a spec may vary as a factor."""

    type: type
    minimum: float
    maximum: float
    default: int | float | str | bool


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
    """

    description: str
    module: str
    arguments: Mapping[str, Argument]


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
        Number of logits.
    activation : callable
        Tensor to tensor.
    rates : Rates
        Where the catalogue's layers read their rates. A user's own function gets the rates it has
        parameters for as plain numbers.

    Raises
    ------
    InputError
        If a user's own function does not take what the spec gives, or does not return a Keras model
        from `input_shape` to `classes` logits.
    """
    arguments = dict(program.architecture_arguments)
    if ":" not in program.architecture:
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
    if tuple(network.output_shape) != (None, classes):
        raise InputError(
            f"{program.architecture} returned a model with output shape {network.output_shape}; "
            f"it must be (None, {classes}): one logit per class, without softmax."
        )
    return network
