"""The optimizers and every constant of theirs, written down.

Defaults have changed over the years (Adadelta, Adagrad, Adamax and Nadam started from another
learning rate before Keras 3), so nothing is left to a default here. The learning rate is a variable
of the optimizer; the other constants are fixed for each name.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportOptionalOperand=false

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer by its Keras class and constants.

    Parameters
    ----------
    keras_class : str
        Name in `keras.optimizers`, or `RectifiedAdam`, which is ours.
    learning_rate : float
        Base learning rate; a relative learning rate is a multiple of it.
    constants : dict of str to float or bool
        All other arguments.
    reference : str
        Where the rule comes from.
    """

    keras_class: str
    learning_rate: float
    reference: str
    constants: Mapping[str, float | bool] = field(default_factory=dict)


_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}

OPTIMIZERS: Mapping[str, Optimizer] = {
    "sgd": Optimizer("SGD", 0.01, "Robbins & Monro 1951", {"momentum": 0.0, "nesterov": False}),
    "momentum": Optimizer("SGD", 0.01, "Polyak 1964", {"momentum": 0.9, "nesterov": False}),
    "rmsprop": Optimizer(
        "RMSprop",
        0.001,
        "Tieleman & Hinton 2012",
        {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
    ),
    "adagrad": Optimizer(
        "Adagrad",
        0.01,
        "Duchi et al. 2011",
        {"initial_accumulator_value": 0.1, "epsilon": 1e-7},
    ),
    "adadelta": Optimizer("Adadelta", 1.0, "Zeiler 2012", {"rho": 0.95, "epsilon": 1e-7}),
    "adam": Optimizer("Adam", 0.001, "Kingma & Ba 2015", {**_ADAM, "amsgrad": False}),
    "adamax": Optimizer("Adamax", 0.002, "Kingma & Ba 2015, section 7.1", _ADAM),
    "nadam": Optimizer("Nadam", 0.002, "Dozat 2016", _ADAM),
    "adamw": Optimizer(
        "AdamW", 0.001, "Loshchilov & Hutter 2019", {**_ADAM, "weight_decay": 0.004, "amsgrad": False}
    ),
    "radam": Optimizer("RectifiedAdam", 0.001, "Liu et al. 2020", _ADAM),
    "lion": Optimizer("Lion", 0.0001, "Chen et al. 2023", {"beta_1": 0.9, "beta_2": 0.99}),
}


def build(name: str) -> "keras.optimizers.Optimizer":
    """Return a new Keras optimizer with the constants written here; its rate is assigned later."""
    import keras

    entry = OPTIMIZERS[name]
    keras_class: Any = (
        rectified_adam()
        if entry.keras_class == "RectifiedAdam"
        else getattr(keras.optimizers, entry.keras_class)
    )
    return keras_class(learning_rate=entry.learning_rate, **entry.constants)


def rectified_adam() -> type["keras.optimizers.Optimizer"]:
    """Return the class of Rectified Adam for Keras 3.

    The variance rectification of Liu et al. 2020 ("On the variance of the adaptive learning rate
    and beyond", ICLR, algorithm 2): while the length `rho_t` of the approximated moving average is
    at most 4, the step is momentum alone; afterwards Adam's step times
    `sqrt((rho_t - 4)(rho_t - 2) rho / ((rho - 4)(rho - 2) rho_t))`.
    """
    from keras import ops
    from keras.optimizers import Adam

    class RectifiedAdam(Adam):
        """Adam with the rectified variance of its first steps."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Update one variable."""
            rate = ops.cast(learning_rate, variable.dtype)
            gradient = ops.cast(gradient, variable.dtype)
            step = ops.cast(self.iterations + 1, variable.dtype)
            m = self._momentums[self._get_variable_index(variable)]
            v = self._velocities[self._get_variable_index(variable)]
            self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
            self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
            beta_2_power = ops.power(ops.cast(self.beta_2, variable.dtype), step)
            m_hat = m / (1.0 - ops.power(ops.cast(self.beta_1, variable.dtype), step))
            limit = 2.0 / (1.0 - self.beta_2) - 1.0
            length = limit - 2.0 * step * beta_2_power / (1.0 - beta_2_power)
            rectified = length > 4.0
            safe = ops.where(rectified, length, ops.full_like(length, 5.0))
            rectification = ops.sqrt(
                (safe - 4.0) * (safe - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * safe)
            )
            adapted = rectification * m_hat / (ops.sqrt(v / (1.0 - beta_2_power)) + self.epsilon)
            self.assign_sub(variable, rate * ops.where(rectified, adapted, m_hat))

    return RectifiedAdam
