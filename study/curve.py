"""What one training shows epoch by epoch: its curve, its checkpoint, and whether it has diverged."""

import math

from study.training import Training

EXPLOSION = 3.0
"""Training loss above this many times its first value counts as exploded (with chance accuracy)."""

SERIES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


class Curve:
    """Follows one training; every engine adds each epoch as it ends.

    Attributes
    ----------
    values : dict of str to list of float
        One value per epoch for each of `SERIES`, in nats or points.
    checkpoint_epoch : int
        The epoch to be scored, from 1; 0 before the first.
    diverged : str
        Why the training counts as diverged, empty as long as it does not.

    Parameters
    ----------
    training : Training
        Says which epoch is scored.
    classes, validation_size : int
        Of the data set: they say what chance is.
    """

    def __init__(self, training: Training, classes: int, validation_size: int) -> None:
        chance = 1.0 / classes
        error = math.sqrt(chance * (1.0 - chance) / validation_size)
        self._chance_limit = 100.0 * (chance + 3.0 * error)
        self._best = training.checkpoint == "best"
        self._exploded_epochs = 0
        self.values: dict[str, list[float]] = {name: [] for name in SERIES}
        self.checkpoint_epoch = 0
        self.diverged = ""

    def add(
        self, *, first_loss: float, loss: float, accuracy: float, finite: bool,
        validation_loss: float = math.nan, validation_accuracy: float = math.nan,
    ) -> bool:  # fmt: skip
        """Take one epoch.

        Parameters
        ----------
        first_loss : float
            Training loss of the very first batch, before any step, in nats.
        loss, accuracy : float
            Means over the training batches of the epoch, in nats and points.
        finite : bool
            Whether all weights are finite.
        validation_loss, validation_accuracy : float
            After the epoch, in nats and points; not looked at where the loss or a weight is not finite.

        Returns
        -------
        bool
            Whether this epoch is now the one to be scored.

        Notes
        -----
        Diverged: loss or weights not finite, or training loss above three times its first value with
        validation accuracy within three standard errors of chance, for two epochs running.
        """
        epoch = len(self.values["train_loss"]) + 1
        before = max([-1.0, *self.values["validation_accuracy"]])
        finite = finite and math.isfinite(loss)
        if not finite:
            validation_loss = validation_accuracy = math.nan
        for name, value in zip(SERIES, (loss, accuracy, validation_loss, validation_accuracy), strict=True):
            self.values[name].append(value)
        exploded = loss > EXPLOSION * first_loss and validation_accuracy <= self._chance_limit
        self._exploded_epochs = self._exploded_epochs + 1 if exploded else 0
        if not finite:
            self.diverged = f"loss or weights not finite in epoch {epoch}"
        elif self._exploded_epochs == 2:
            self.diverged = (
                f"training loss above {EXPLOSION:g} times its first value with chance accuracy "
                f"in epochs {epoch - 1} and {epoch}"
            )
        if self.diverged or (self._best and validation_accuracy <= before):
            return False
        self.checkpoint_epoch = epoch
        return True
