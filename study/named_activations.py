"""Activations of the catalogue as objects that Keras saves and reads back with a model."""

import keras

from study import activations
from study.elementary import Tensor
from study.errors import InputError
from study.references import is_reference


@keras.saving.register_keras_serializable("mishstudy")
class Named:
    """An activation of the catalogue by its name, for the argument `activation` of a Keras layer.

    A plain function is saved by its name alone, and Keras reads a name that is among its own back as its own
    function: `leaky_relu` comes back with the slope 0.2, and a bound parameter is not saved at all. This
    object is saved as itself. Whoever reads the model back imports this module first.

    Parameters
    ----------
    name : str
        As `study.activations.parse` takes it, such as ``"beta_mish(2)"``; the canonical name is kept. A
        user's own function is refused: reading a model must not import what its file names.

    Raises
    ------
    InputError
        If the catalogue has no such activation, or its parameter is outside its domain.

    Examples
    --------
    >>> layer = keras.layers.Dense(64, activation=Named("beta_mish(2)"))
    """

    def __init__(self, name: str) -> None:
        if is_reference(name):
            raise InputError(
                f"Named takes an activation of the catalogue, and '{name}' is your own function; hand that "
                "to the layer itself, and register it with keras.saving.register_keras_serializable."
            )
        self.name = activations.canonical(name)
        self._function = activations.get(self.name)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the activation of `x`: its shape and dtype."""
        return self._function(x)

    def __repr__(self) -> str:
        return f"Named({self.name!r})"

    def get_config(self) -> dict[str, str]:
        """Return what Keras writes into the file of a model."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, str]) -> "Named":
        """Make the object that `get_config` described."""
        return cls(**config)
