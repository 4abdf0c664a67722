"""Which trainings share one compiled program.

Numbers that a program reads from variables (the learning rate of each step, dropout, penalties, noise, mixing
coefficients, the norm of clipping, initial weights, streams) cost nothing to change. What is left makes
another program.
"""

from dataclasses import asdict, dataclass
from typing import Any

from study.training import Level, Training


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What is built into a compiled program of the `fit` engine.

    Parameters
    ----------
    dataset, train_size, architecture, architecture_arguments, activation, batch_size, optimizer, \
    batch_normalization, augmentation
        As in `study.training.Training`.
    dropping, noisy, mixed, clipping : bool
        Whether units are dropped, noise is added to the training inputs, pairs of examples are mixed,
        gradients are clipped.
    static : tuple of (str, Level)
        Rates handed to a user's own architecture as plain numbers.
    """

    dataset: str
    train_size: int | None
    architecture: str
    architecture_arguments: tuple[tuple[str, Level], ...]
    activation: str
    batch_size: int
    optimizer: str
    batch_normalization: bool
    augmentation: str
    dropping: bool
    noisy: bool
    mixed: bool
    static: tuple[tuple[str, Level], ...]
    clipping: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; without `clipping` as they are in older ledgers."""
        values = asdict(self)
        if not self.clipping:
            del values["clipping"]
        return values


def program_of(training: Training) -> Program:
    """Return the program that trains `training`; a pure function of the training."""
    own = ":" in training.architecture
    static: dict[str, Level] = {
        "dropout": training.dropout,
        "initializer": training.initializer,
        "regularizer": training.regularizer,
        "regularizer_strength": training.regularizer_strength,
    }
    return Program(
        dataset=training.dataset,
        train_size=training.train_size,
        architecture=training.architecture,
        architecture_arguments=training.architecture_arguments,
        activation=training.activation,
        batch_size=training.batch_size,
        optimizer=training.optimizer,
        batch_normalization=training.batch_normalization,
        augmentation=training.augmentation,
        dropping=training.dropout > 0,
        noisy=training.input_noise > 0 and training.noise_at == "train",
        mixed=training.mixup > 0,
        static=tuple(sorted(static.items())) if own else (),
        clipping=training.gradient_clipping > 0,
    )
