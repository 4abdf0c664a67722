"""The cuts of a data set: which images are for training, validation and test, in which order, and scaled.

They depend on the labels and on seeds written down here, never on a sweep, and are the same bytes on every
machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from study import checksums
from study.datacards import DataCard
from study.training import digest_of

TEST_SEED = 20_191
"""Seed of the order from which the test cut of `digits` is taken, the first images."""

VALIDATION_SEED = 20_192
"""Seed of the order of the training part from which the validation cut is taken, the first images."""

TRAIN_SEED = 20_193
"""Seed of the order of what is left: the train cut."""

_FULL_PIXEL = 16
"""Value of a full pixel of `digits`."""

Raw = Mapping[str, np.ndarray]
"""Arrays by name, `x_train`, `y_train`, ...; images of shape (n, height, width, channels)."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a data set.

    Parameters
    ----------
    x : ndarray of float32, shape (n, height, width, channels)
        Images, in [0, 1].
    y : ndarray of int32, shape (n,), or of uint8, shape (n, height, width)
        Labels, or masks of which 1 is foreground and 0 background.
    """

    x: np.ndarray
    y: np.ndarray


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return a random order of which every first part is as balanced as the whole.

    Within a class the order is random. The `k`-th of the `n` images of a class, from 0, is placed at
    `(k + 1/2) / n` of the way, and images at the same place are in random order.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    seed : int
        Seed of PCG64, whose raw output is the same on every machine and under every version of NumPy.

    Returns
    -------
    ndarray of int64, shape (n,)
        Rows of `labels`.
    """
    shuffled = np.argsort(np.random.PCG64(seed).random_raw(len(labels)), kind="stable")
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels[shuffled] == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return shuffled[np.argsort(place, kind="stable")]


def cuts_of(card: DataCard, arrays: Raw) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images and labels of each cut, as they came, in their fixed order.

    Masks have no classes to be in proportion to: there the order is a random one.
    """
    x, y = arrays["x_train"], arrays["y_train"]
    if "x_validation" in arrays:
        rest, validation = np.arange(len(y)), (arrays["x_validation"], arrays["y_validation"])
    else:
        order = stratified_order(_strata(y), VALIDATION_SEED)
        chosen, rest = order[: card.validation_size], np.sort(order[card.validation_size :])
        validation = (x[chosen], y[chosen])
    train = rest[stratified_order(_strata(y[rest]), TRAIN_SEED)]
    return {
        "train": (x[train], y[train]),
        "validation": validation,
        "test": (arrays["x_test"], arrays["y_test"]),
    }


def _strata(y: np.ndarray) -> np.ndarray:
    return y if y.ndim == 1 else np.zeros(len(y), np.int32)


def digest_of_cuts(cuts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Return 16 hexadecimal digits that stand for the contents of the cuts in their order."""
    return digest_of(
        {
            part: [[list(array.shape), str(array.dtype), checksums.sha256(array)] for array in cut]
            for part, cut in cuts.items()
        }
    )


def scaled(card: DataCard, x: np.ndarray, y: np.ndarray) -> Cut:
    """Return a cut with its images in [0, 1]."""
    images = x.astype(np.float32)
    images /= _largest(card, x)
    return Cut(images, y.astype(np.int32) if card.task == "classification" else y)


def _largest(card: DataCard, images: np.ndarray) -> np.ndarray | np.float32:
    """Return what stands for 1, one number or one per image: the exposures of `nuclei` differ."""
    if images.dtype != np.uint8:
        return np.float32(1)
    if card.name == "nuclei":
        return np.maximum(images.max(axis=(1, 2, 3), keepdims=True), 1).astype(np.float32)
    return np.float32(_FULL_PIXEL if card.name == "digits" else 255)
