"""Data sets as the study uses them: found, verified, cut into train, validation and test, scaled.

The cuts are fixed: they depend on the labels and on seeds written down here, never on a sweep, and they
are the same bytes on every machine. Where a set has an official test part, that is the test cut. The test
cut serves the final figure of a training alone; what is chosen, is chosen on validation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from study import checksums, keras_data, own_data
from study.checksums import Agreement
from study.datacards import DATASETS, DataCard, published_card
from study.errors import InputError
from study.references import is_reference
from study.training import digest_of

__all__ = [
    "DATASETS",
    "Cut",
    "DataCard",
    "Dataset",
    "Found",
    "card_of",
    "content_digest",
    "fetch",
    "load",
    "stratified_order",
    "verify",
]

TEST_SEED = 20_191
"""Seed of the order from which the test cut of `digits` is taken, the first images."""

VALIDATION_SEED = 20_192
"""Seed of the order of the training part from which the validation cut is taken, the first images."""

TRAIN_SEED = 20_193
"""Seed of the order of what is left: the train cut."""

_FULL_PIXEL = 16
"""Value of a full pixel of `digits`."""

_SAYS: dict[str, str] = {
    "equal": "verified by SHA-256",
    "partly": "labels and 59,891 of the 60,000 images verified by SHA-256, nothing known of the other 109",
    "different": "the files there are not the published ones (SHA-256)",
}

Raw = dict[str, np.ndarray]
"""Arrays by name, `x_train`, `y_train`, ...; images of shape (n, height, width, channels)."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a data set.

    Parameters
    ----------
    x : ndarray of float32, shape (n, height, width, channels)
        Images, in [0, 1].
    y : ndarray of int32, shape (n,)
        Labels.
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set, ready to train on.

    Parameters
    ----------
    card : DataCard
        What is known of it. Its sizes are those of the whole cuts.
    train, validation, test : Cut
        The train cut is shorter than the card says where `train_size` asked for its first images.
    digest : str
        16 hexadecimal digits that stand for the contents of the whole cuts in their order.
    """

    card: DataCard
    train: Cut
    validation: Cut
    test: Cut
    digest: str

    def guess(self) -> dict[str, float]:
        """Return what a network scores that learned nothing but how frequent the classes are.

        Returns
        -------
        dict of str to float
            `accuracy`: the share of the most frequent class in the train cut, in points; `loss`: the
            entropy of the classes there, in nats.
        """
        shares = np.bincount(self.train.y) / len(self.train.y)
        shares = shares[shares > 0]
        return {
            "accuracy": round(100.0 * float(shares.max()), 6),
            "loss": round(-float(shares @ np.log(shares)), 6),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Where a data set is, and whether it is what it should be.

    Parameters
    ----------
    name : str
        Name of the data set.
    place : {"embedded", "folder", "keras cache", "missing"}
        `embedded`: it comes with an installed package.
    path : Path or None
        The file in the data folder, or the folder in which Keras keeps it.
    checksum : {"equal", "partly", "different", "unknown"}
        How its bytes compare with what was published; `unknown` where it is missing.
    sentence : str
        One line for people.
    """

    name: str
    place: Literal["embedded", "folder", "keras cache", "missing"]
    path: Path | None = None
    checksum: Agreement | Literal["different", "unknown"] = "unknown"
    sentence: str


def card_of(name: str) -> DataCard:
    """Return the card of a data set; a user's own function is called for it.

    Parameters
    ----------
    name : str
        Name in `DATASETS` or `package.module:function`.

    Raises
    ------
    InputError
        If there is no such data set, or the user's own is not usable.
    """
    if is_reference(name):
        return own_data.own_card(name, own_data.own_arrays(name))
    return published_card(name)


def load(name: str, folder: Path | None = None, train_size: int | None = None) -> Dataset:
    """Load a data set: from the data folder, else through Keras, which downloads it where it must.

    `digits` comes with scikit-learn, and a user's own function brings its arrays. Contents are compared with
    the published checksums; see `study.checksums.check` for what is known of CIFAR-10.

    Parameters
    ----------
    name : str
        Name in `DATASETS` or `package.module:function`.
    folder : Path or None
        Folder with `.npz` files in Keras' layout.
    train_size : int or None
        Take only the first images of the train cut; any such number of them is as balanced as the whole.

    Raises
    ------
    InputError
        If the data set is unknown, missing, damaged or not what it should be, or too small for `train_size`.
    """
    card, arrays = _source(name, folder)
    if train_size is not None and not 1 <= train_size <= card.train_size:
        raise InputError(
            f"'train_size' of {name} must be from 1 to {card.train_size}, the size of its train cut, but "
            f"{train_size} was given."
        )
    cuts = _cuts(card, arrays)
    digest = _digest(cuts)
    x, y = cuts["train"]
    cuts["train"] = (x[:train_size], y[:train_size])
    scaled = {part: _scaled(*cut, largest=_largest(card, cut[0])) for part, cut in cuts.items()}
    return Dataset(card, scaled["train"], scaled["validation"], scaled["test"], digest)


def content_digest(name: str, folder: Path | None = None) -> str:
    """Return `Dataset.digest` without scaling anything.

    Raises
    ------
    InputError
        As `load`.
    """
    return _digest(_cuts(*_source(name, folder)))


def verify(name: str, folder: Path | None = None) -> Found:
    """Look where a data set is and compare its contents with what was published; nothing is downloaded.

    A file in the data folder is read and its arrays are compared. Of what Keras keeps, the files are compared
    as they are; their arrays are compared when they are loaded.

    Parameters
    ----------
    name : str
        Name in `DATASETS`.
    folder : Path or None
        Data folder.

    Raises
    ------
    InputError
        If there is no such data set, or the folder does not exist.
    """
    card = published_card(name)
    path = keras_data.find(name, folder) if folder is not None and name in keras_data.FILE_NAMES else None
    if name == "digits" or path is not None:
        place = "embedded" if path is None else "folder"
        where = "comes with scikit-learn" if path is None else f"in {path}"
        try:
            agreement = _agreement(card, path)
        except InputError as error:
            return Found(name=name, place=place, path=path, checksum="different", sentence=str(error))
        return Found(
            name=name, place=place, path=path, checksum=agreement, sentence=f"{where}; {_SAYS[agreement]}"
        )
    kept = keras_data.KERAS_FILES.get(name, {})
    cache = keras_data.keras_folder()
    if kept and all((cache / file).is_file() for file in kept):
        checksum = "equal" if keras_data.sha256_of_files(kept, cache) else "different"
        sentence = f"in Keras' folder {cache}; {_SAYS[checksum]}"
        return Found(name=name, place="keras cache", path=cache, checksum=checksum, sentence=sentence)
    file = " or ".join(keras_data.FILE_NAMES[name])
    get = f"get it with 'mishstudy data fetch {name}' or put" if kept else "it cannot be downloaded; put"
    return Found(name=name, place="missing", sentence=f"not found; {get} {file} into the data folder")


def fetch(name: str, folder: Path) -> Path:
    """Get a data set through Keras' own loader and write it into the data folder, whole or not at all.

    Returns
    -------
    Path
        The file; where it was there already and is sound, nothing is downloaded.

    Raises
    ------
    InputError
        If the data set cannot be downloaded, is there already and damaged, or cannot be written.
    """
    card = published_card(name)
    if name not in keras_data.KERAS_FILES:
        why = (
            "comes with scikit-learn, so there is nothing to fetch"
            if name == "digits"
            else "is a copy that is published nowhere; fetch cifar10, or put the copy into the data folder"
        )
        raise InputError(f"'{name}' cannot be fetched: it {why}.")
    path = folder / keras_data.FILE_NAMES[name][0]
    if path.exists():
        _agreement(card, path)
        return path
    arrays = keras_data.download(card)
    checksums.check(name, arrays, keras_data.keras_copy(name))
    keras_data.write(path, arrays)
    return path


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


def _source(name: str, folder: Path | None) -> tuple[DataCard, Raw]:
    """Return the card and the checked arrays of a data set."""
    if is_reference(name):
        arrays = own_data.own_arrays(name)
        return own_data.own_card(name, arrays), arrays
    card = published_card(name)
    if name == "digits":
        return card, _digits(card)
    path = None if folder is None else keras_data.find(name, folder)
    if path is not None:
        arrays = keras_data.read(path, card)
    elif name in keras_data.KERAS_FILES:
        arrays = keras_data.download(card)
    else:
        raise InputError(
            f"'{name}' cannot be downloaded and must be in the data folder as "
            f"{' or '.join(keras_data.FILE_NAMES[name])}, but {_not_in(folder)}; name the folder that has it "
            "with --data or MISHSTUDY_DATA, or use 'cifar10'."
        )
    checksums.check(name, arrays, str(path or keras_data.keras_copy(name)))
    return card, {
        key: array.reshape(-1, *card.input_shape) if key.startswith("x") else array
        for key, array in arrays.items()
    }


def _not_in(folder: Path | None) -> str:
    return "no data folder was given" if folder is None else f"it is not in {folder}"


def _digits(card: DataCard) -> Raw:
    x, y = _embedded_digits()
    checksums.check("digits", {"x": x, "y": y}, "scikit-learn")
    order = stratified_order(y, TEST_SEED)
    test, rest = np.sort(order[: card.test_size]), np.sort(order[card.test_size :])
    x = x[..., None]
    return {"x_train": x[rest], "y_train": y[rest], "x_test": x[test], "y_test": y[test]}


def _embedded_digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)


def _agreement(card: DataCard, path: Path | None) -> Agreement:
    """Compare the contents of a data file, or of `digits` where there is none, with the checksums."""
    if path is None:
        x, y = _embedded_digits()
        return checksums.check(card.name, {"x": x, "y": y}, "scikit-learn")
    return checksums.check(card.name, keras_data.read(path, card), str(path))


def _cuts(card: DataCard, arrays: Raw) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images and labels of each cut, as they came, in their fixed order."""
    x, y = arrays["x_train"], arrays["y_train"]
    if "x_validation" in arrays:
        rest, validation = np.arange(len(y)), (arrays["x_validation"], arrays["y_validation"])
    else:
        order = stratified_order(y, VALIDATION_SEED)
        chosen, rest = order[: card.validation_size], np.sort(order[card.validation_size :])
        validation = (x[chosen], y[chosen])
    train = rest[stratified_order(y[rest], TRAIN_SEED)]
    return {
        "train": (x[train], y[train]),
        "validation": validation,
        "test": (arrays["x_test"], arrays["y_test"]),
    }


def _digest(cuts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    return digest_of(
        {
            part: [[list(array.shape), str(array.dtype), checksums.sha256(array)] for array in cut]
            for part, cut in cuts.items()
        }
    )


def _largest(card: DataCard, images: np.ndarray) -> int:
    """Return the largest value that a pixel can have."""
    if images.dtype != np.uint8:
        return 1
    return _FULL_PIXEL if card.name == "digits" else 255


def _scaled(x: np.ndarray, y: np.ndarray, *, largest: int) -> Cut:
    images = x.astype(np.float32)
    images /= np.float32(largest)
    return Cut(images, y.astype(np.int32))
