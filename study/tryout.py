"""One look at a user's own activation and architecture, before anything is trained with them."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from study import activations, architectures, datasets, gains
from study.errors import InputError, said
from study.initial_values import schemes_of
from study.layers import Rates
from study.programs import program_of
from study.training import Training


def try_out(training: Training, dataset: datasets.Dataset) -> None:
    """Call the activation on a few numbers, build the network, and send one batch through it, both compiled.

    Raises
    ------
    InputError
        If either raises, or does not return what it should, or has nothing of which a gain is matched.
    """
    activation, card = activations.get(training.activation), dataset.card

    def checked(x: Any) -> Any:
        value = activation(x)
        if not hasattr(value, "shape"):
            raise InputError(
                f"the activation {training.activation} must return a tensor, and it returned a "
                f"{type(value).__name__}; end it with a return."
            )
        return value

    # Several columns: what keeps the first alone would pass with one, and the network would be blamed.
    numbers = np.linspace(-3.0, 3.0, 39, dtype=np.float32).reshape(13, 3)
    with _blamed_on(training.activation):
        alone = keras.Sequential([keras.Input(numbers.shape[1:]), keras.layers.Activation(checked)])
        values = alone.predict_on_batch(numbers)
    if values.shape != numbers.shape or not np.isfinite(values).all():
        raise InputError(
            f"the activation {training.activation} must map a tensor to finite numbers of the same "
            f"shape; on numbers from -3 to 3 of shape {numbers.shape} it gave shape {values.shape}."
        )
    if training.gain_matched_initialization:
        gains.gain(training.activation)
    with _blamed_on(training.architecture):
        program = program_of(training)
        rates = Rates(dropping=program.dropping)
        network = architectures.build(program, card.input_shape, card.logits, activation, rates)
        few = 32 if card.task == "classification" else 2
        logits = network.predict_on_batch(dataset.validation.x[:few])
    follows = any(scheme is None for _, scheme in schemes_of(network))
    if training.gain_matched_initialization and not follows:
        raise InputError(
            f"no kernel of {training.architecture} follows the training's initializer, so "
            "gain_matched_initialization would change nothing; give its hidden layers "
            "kernel_initializer=study.layers.FromTraining(), or remove the setting."
        )
    if card.task == "segmentation":
        return  # logits that happen to lie in [0, 1] are no sign of a sigmoid
    if np.all(logits >= 0.0) and np.allclose(logits.sum(axis=1), 1.0, atol=1e-3):
        raise InputError(
            f"{training.architecture} returns probabilities; an architecture ends in logits: "
            "remove the softmax of its last layer."
        )


@contextmanager
def _blamed_on(what: str) -> Iterator[None]:
    """Turn an exception in a user's own function into the user's mistake."""
    try:
        yield
    except InputError as error:
        raise InputError(said(error)) from error  # Keras puts words of its own around it
    except Exception as error:
        raise InputError(
            f"{what} raised {type(error).__name__} when tried on a small batch: {said(error)}"
        ) from error
