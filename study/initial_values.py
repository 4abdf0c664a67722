"""Where the variables of a Keras network start: initializers, translated to draws from our streams."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from study import gains, initializers, streams
from study.errors import InputError
from study.layers import FromTraining, Rates
from study.training import Training


def draw(schemes: Sequence[tuple[Any, initializers.Scheme | None]], training: Training) -> list[np.ndarray]:
    """Return the initial value of each variable in a training, in the order of `schemes`.

    Parameters
    ----------
    schemes : sequence of (variable, Scheme or None)
        From `schemes_of`.
    training : Training
        Gives the key of the stream and the initializer of what is None.
    """
    return matched(schemes, draw_shared(schemes, training), training)


def draw_shared(
    schemes: Sequence[tuple[Any, initializers.Scheme | None]], training: Training
) -> list[np.ndarray]:
    """Return the values that all activations of a training's block share, before their gains are matched."""
    key = streams.key(training, "weights")
    own = initializers.INITIALIZERS[training.initializer]
    return [
        initializers.draw(scheme or own, tuple(variable.shape), key, number)
        for number, (variable, scheme) in enumerate(schemes)
    ]


def matched(
    schemes: Sequence[tuple[Any, initializers.Scheme | None]],
    values: Sequence[np.ndarray],
    training: Training,
) -> list[np.ndarray]:
    """Return the values of `draw_shared` as a training starts from them.

    With `gain_matched_initialization` what follows the training's initializer is multiplied by
    `study.gains.factor`, else all is left as it is.
    """
    if not training.gain_matched_initialization:
        return list(values)
    factor = gains.factor(training.activation, initializers.INITIALIZERS[training.initializer])
    return [
        value * factor if scheme is None else value
        for (_, scheme), value in zip(schemes, values, strict=True)
    ]


def schemes_of(network: keras.Model) -> list[tuple[Any, initializers.Scheme | None]]:
    """Return each variable of a network with how it starts; None stands for the training's initializer.

    The random layers of a user's own network draw from generators of Keras: their states are variables
    too, so that a training does not depend on the one before it.

    Raises
    ------
    InputError
        If an initializer of a user's own network has no translation.
    """
    found: list[tuple[Any, initializers.Scheme | None]] = []
    for layer in network._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, Rates):
            continue
        for variable in layer._trainable_variables + layer._non_trainable_variables:
            if getattr(variable, "dtype", "") != "float32":
                continue
            initializer = getattr(layer, f"{variable.name}_initializer", None)
            found.append((variable, _scheme(initializer, f"{layer.name}.{variable.name}")))
        found += [(generator.state, initializers.Scheme("bits", 0.0)) for generator in layer._seed_generators]
    return found


def _scheme(initializer: Any, where: str) -> initializers.Scheme | None:
    """Translate a Keras initializer; distribution and scale are Keras', the numbers are ours."""
    kinds = keras.initializers
    translations: list[tuple[type, Callable[[Any], initializers.Scheme | None]]] = [
        (FromTraining, lambda _: None),
        (kinds.Zeros, lambda _: initializers.Scheme("constant", 0.0)),
        (kinds.Ones, lambda _: initializers.Scheme("constant", 1.0)),
        (kinds.Constant, lambda i: initializers.Scheme("constant", float(i.value))),
        (kinds.Orthogonal, lambda i: initializers.Scheme("orthogonal", float(i.gain))),
        (kinds.VarianceScaling, _variance_scaling),
    ]
    for kind, translate in translations:
        if isinstance(initializer, kind):
            return translate(initializer)
    symmetric = {
        kinds.RandomNormal: lambda i: (i.mean, initializers.Scheme("normal", i.stddev)),
        kinds.TruncatedNormal: lambda i: (i.mean, initializers.Scheme("truncated_normal", i.stddev)),
        kinds.RandomUniform: lambda i: (i.minval + i.maxval, initializers.Scheme("uniform", i.maxval)),
    }
    for kind, translate in symmetric.items():
        if isinstance(initializer, kind):
            centre, scheme = translate(initializer)
            if centre == 0:
                return scheme
    source = "code of its layer" if initializer is None else type(initializer).__name__
    raise InputError(
        f"the initial value of {where} comes from {source}, which the shared streams cannot draw; use a "
        "layer with one of Keras' ten named initializers, zeros, ones or a constant, centred on 0."
    )


def _variance_scaling(initializer: Any) -> initializers.Scheme:
    fan = {"fan_in": "in", "fan_out": "out", "fan_avg": "avg"}[initializer.mode]
    distribution = "normal" if initializer.distribution == "untruncated_normal" else initializer.distribution
    return initializers.Scheme(distribution, float(initializer.scale), fan)  # type: ignore[arg-type]
