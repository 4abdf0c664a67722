"""What one training shows epoch by epoch: its curve, its checkpoint, and whether it has diverged."""

import math
from collections.abc import Mapping

from study.tasks import SCORES, Task, kinds
from study.training import Training

EXPLOSION = 3.0
"""Training loss above this many times its first value counts as exploded (with a score at chance)."""


def chance_limit(classes: int, images: int) -> float:
    """Return up to which accuracy, in points, a network counts as at chance: three standard errors above it.

    Parameters
    ----------
    classes : int
        Number of classes, taken as equally frequent.
    images : int
        Size of the cut on which the accuracy was measured.
    """
    chance = 1.0 / classes
    return 100.0 * (chance + 3.0 * math.sqrt(chance * (1.0 - chance) / images))


class Curve:
    """Follows one training; every engine adds each epoch as it ends.

    Attributes
    ----------
    values : dict of str to list of float
        One value per epoch for the loss and each score, in training and in validation: `train_loss`,
        `train_accuracy`, `validation_loss`, ...; scores in points.
    checkpoint_epoch : int
        The epoch to be scored, from 1; 0 before the first.
    diverged : str
        Why the training counts as diverged, empty as long as it does not.

    Parameters
    ----------
    training : Training
        Says which epoch is scored.
    chance_limit : float
        Up to which validation score, in points, the network counts as at chance.
    task : {"classification", "segmentation"}
        Its scores are followed; the first one decides.
    """

    def __init__(self, training: Training, chance_limit: float, task: Task = "classification") -> None:
        self._chance_limit = chance_limit
        self._best = training.checkpoint == "best"
        self._score = SCORES[task][0]
        self._exploded_epochs = 0
        self.values: dict[str, list[float]] = {
            f"{cut}_{kind}": [] for cut in ("train", "validation") for kind in kinds(task)
        }
        self.checkpoint_epoch = 0
        self.diverged = ""

    def add(
        self,
        *,
        first_loss: float,
        train: Mapping[str, float],
        validation: Mapping[str, float],
        finite: bool,
    ) -> bool:
        """Take one epoch.

        Parameters
        ----------
        first_loss : float
            Training loss of the very first batch, before any step.
        train : dict of str to float
            `loss` and each score, in points: means over the training batches of the epoch.
        validation : dict of str to float
            The same after the epoch; not looked at where the loss or a weight is not finite.
        finite : bool
            Whether all weights are finite.

        Returns
        -------
        bool
            Whether this epoch is now the one to be scored.

        Notes
        -----
        Diverged: loss or weights not finite, or training loss above three times its first value with
        the validation score at chance, for two epochs running.
        """
        epoch = len(self.values["train_loss"]) + 1
        before = max([-1.0, *self.values[f"validation_{self._score}"]])
        loss = train["loss"]
        finite = finite and math.isfinite(loss)
        if not finite:
            validation = dict.fromkeys(validation, math.nan)
        for cut, measured in (("train", train), ("validation", validation)):
            for kind, value in measured.items():
                self.values[f"{cut}_{kind}"].append(value)
        score = validation[self._score]
        exploded = loss > EXPLOSION * first_loss and score <= self._chance_limit
        self._exploded_epochs = self._exploded_epochs + 1 if exploded else 0
        if not finite:
            self.diverged = f"loss or weights not finite in epoch {epoch}"
        elif self._exploded_epochs == 2:
            self.diverged = (
                f"training loss above {EXPLOSION:g} times its first value with chance {self._score} "
                f"in epochs {epoch - 1} and {epoch}"
            )
        if self.diverged or (self._best and score <= before):
            return False
        self.checkpoint_epoch = epoch
        return True

    @property
    def checkpoint_scores(self) -> dict[str, float]:
        """Loss and scores, in points, of the checkpoint on the validation cut, as the metrics of a result."""
        at = self.checkpoint_epoch - 1
        return {name: values[at] for name, values in self.values.items() if name.startswith("validation_")}
