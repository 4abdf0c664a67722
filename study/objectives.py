"""What the reference engine minimizes and scores: one objective per task, in TensorFlow.

References
----------
F. Milletari, N. Navab and S.-A. Ahmadi, "V-Net", 3DV 2016, arXiv:1606.04797 (Dice loss).
L. R. Dice, "Measures of the Amount of Ecologic Association Between Species", Ecology 26, 1945.
S. Sabour, N. Frosst and G. E. Hinton, "Dynamic Routing Between Capsules", NeurIPS 2017, arXiv:1710.09829
(margin loss).
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

from abc import ABC, abstractmethod
from typing import Any

import keras
import tensorflow as tf

from study import datasets
from study.architectures import ARCHITECTURES
from study.curve import chance_limit
from study.datacards import DataCard
from study.segmentation import guess
from study.tasks import Task

_PIXELS = (1, 2, 3)

MARGIN, ABSENT_WEIGHT = 0.1, 0.5
"""Of the margin loss, as in Sabour et al. 2017 and in Keras' example."""


class Objective(ABC):
    """A loss and its scores; values come in the order of `study.tasks.kinds`, scores as shares of 1."""

    task: Task

    def minimized(self, targets: tf.Tensor, logits: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
        """Return what a step lowers, penalties apart: the loss of the batch, unless a subclass differs."""
        del targets, logits
        return loss

    @abstractmethod
    def targets(self, y: tf.Tensor) -> tf.Tensor:
        """Return labels or masks as float32 that can be mixed, in the shape of the logits."""

    @abstractmethod
    def batch(self, targets: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
        """Return the mean loss and scores of a training batch."""

    @abstractmethod
    def sums(self, y: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
        """Return loss and scores, summed over images."""

    @abstractmethod
    def chance(self, validation: datasets.Cut) -> float:
        """Return up to which validation score, in points, a network counts as at chance."""


class Classification(Objective):
    """Cross-entropy of the softmax, and accuracy.

    Parameters
    ----------
    classes : int
        Number of logits.
    """

    task = "classification"

    def __init__(self, classes: int) -> None:
        self._classes = classes

    def targets(self, y: tf.Tensor) -> tf.Tensor:
        """Return one-hot rows."""
        return tf.one_hot(y, self._classes)

    def batch(self, targets: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
        """Return cross-entropy and accuracy; of a mixed pair the larger part counts."""
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        hits = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return [loss, tf.reduce_mean(tf.cast(hits, tf.float32))]

    def sums(self, y: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
        """Return the sum of cross-entropies and the number of hits."""
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), y)
        return [tf.reduce_sum(losses), tf.reduce_sum(tf.cast(hits, tf.int32))]

    def chance(self, validation: datasets.Cut) -> float:
        """Return three standard errors above equally frequent classes."""
        return chance_limit(self._classes, len(validation.x))


class CapsuleClassification(Classification):
    """A classification that lowers the margin loss of its capsules' lengths.

    What is recorded are cross-entropy and accuracy, as of every other network.
    """

    def minimized(self, targets: tf.Tensor, logits: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
        """Return the margin loss; the logits are the log-odds of the lengths."""
        del loss
        return tf.reduce_mean(margin_losses(targets, tf.sigmoid(logits)))


class Segmentation(Objective):
    """Binary cross-entropy plus Dice loss, and the overlap of the masks."""

    task = "segmentation"

    def targets(self, y: tf.Tensor) -> tf.Tensor:
        """Return masks with a last axis."""
        return tf.cast(y, tf.float32)[..., None]

    def batch(self, targets: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
        """Return means over the images; of mixed masks the larger part counts as foreground."""
        losses, scores = segmentation_losses(targets, logits), overlaps(targets >= 0.5, logits >= 0.0)
        return [tf.reduce_mean(each) for each in (losses, *scores)]

    def sums(self, y: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
        """Return sums over the images."""
        targets = self.targets(y)
        losses, scores = segmentation_losses(targets, logits), overlaps(targets >= 0.5, logits >= 0.0)
        return [tf.reduce_sum(each) for each in (losses, *scores)]

    def chance(self, validation: datasets.Cut) -> float:
        """Return the Dice coefficient of calling every pixel foreground."""
        return guess(validation.y)["dice"]


def margin_losses(targets: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return the margin loss of each image: a capsule's length should be above 0.9, the others' below 0.1.

    `sum(t max(0, 1 - m - v)^2 + w (1 - t) max(0, v - m)^2)` with `v` the lengths, `t` the targets,
    `m = 0.1` and `w = 0.5`.

    Parameters
    ----------
    targets, lengths : tensor of float32, shape (n, classes)
        In [0, 1].

    Returns
    -------
    tensor of float32, shape (n,)
    """
    present = tf.square(tf.nn.relu(1.0 - MARGIN - lengths))
    absent = tf.square(tf.nn.relu(lengths - MARGIN))
    return tf.reduce_sum(targets * present + ABSENT_WEIGHT * (1.0 - targets) * absent, axis=1)


def segmentation_losses(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the loss of each image: mean binary cross-entropy over its pixels plus its Dice loss.

    The Dice loss is `1 - 2 sum(p t) / (sum(p) + sum(t))` with `p` the sigmoid of the logits, as Keras has it.

    Parameters
    ----------
    targets : tensor of float32, shape (n, height, width, 1)
        In [0, 1].
    logits : tensor of float32, shape (n, height, width, 1)

    Returns
    -------
    tensor of float32, shape (n,)
    """
    cross_entropies = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    dice_losses: Any = keras.losses.dice(targets, tf.sigmoid(logits), axis=_PIXELS)
    return tf.reduce_mean(cross_entropies, axis=_PIXELS) + dice_losses


def overlaps(truth: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return how two masks overlap, image by image; two empty masks agree.

    Parameters
    ----------
    truth, found : tensor of bool, shape (n, height, width, 1)

    Returns
    -------
    dice, iou : tensor of float32, shape (n,)
        The Dice coefficient `2 |A and B| / (|A| + |B|)` and the intersection over union.
    """
    both, size = (
        tf.reduce_sum(tf.cast(mask, tf.float32), axis=_PIXELS) for mask in (truth & found, truth | found)
    )
    empty = tf.equal(size, 0.0)
    dice = tf.where(empty, 1.0, tf.math.divide_no_nan(2.0 * both, both + size))
    return dice, tf.where(empty, 1.0, tf.math.divide_no_nan(both, size))


def objective_of(card: DataCard, architecture: str) -> Objective:
    """Return the objective of a data set's task, with the loss that an architecture is published with."""
    if card.task == "segmentation":
        return Segmentation()
    entry = ARCHITECTURES.get(architecture)
    capsules = entry is not None and entry.loss == "margin"
    return (CapsuleClassification if capsules else Classification)(card.logits)
