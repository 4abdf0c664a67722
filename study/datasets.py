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

from study import checksums, image_folders, keras_data, own_data, segmentation
from study.checksums import Agreement
from study.cuts import TEST_SEED, Cut, Raw, cuts_of, digest_of_cuts, scaled, stratified_order
from study.datacards import DATASETS, DataCard, published_card
from study.errors import InputError
from study.references import is_reference

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
    "verify",
]

_NOT_DOWNLOADED: Mapping[str, str] = {
    "digits": "it comes with scikit-learn, so there is nothing to fetch",
    "cifar10-repaired": "it is a copy that is published nowhere; fetch cifar10, or put the copy into "
    "the data folder",
}
"""Why a data set is neither downloaded nor made from pictures."""


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
            entropy of the classes there, in nats. Of a segmentation see `study.segmentation.guess`.
        """
        if self.card.task == "segmentation":
            return segmentation.guess(self.train.y)
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
    cuts = cuts_of(card, arrays)
    digest = digest_of_cuts(cuts)
    x, y = cuts["train"]
    cuts["train"] = (x[:train_size], y[:train_size])
    train, validation, test = (scaled(card, *cuts[part]) for part in ("train", "validation", "test"))
    return Dataset(card, train, validation, test, digest)


def content_digest(name: str, folder: Path | None = None) -> str:
    """Return `Dataset.digest` without scaling anything.

    Raises
    ------
    InputError
        As `load`.
    """
    return digest_of_cuts(cuts_of(*_source(name, folder)))


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
            name=name,
            place=place,
            path=path,
            checksum=agreement,
            sentence=f"{where}; {checksums.sentence(name, agreement)}",
        )
    kept = keras_data.KERAS_FILES.get(name, {})
    cache = keras_data.keras_folder()
    if kept and all((cache / file).is_file() for file in kept):
        checksum = "equal" if keras_data.sha256_of_files(kept, cache) else "different"
        sentence = f"in Keras' folder {cache}; {checksums.sentence(name, checksum)}"
        return Found(name=name, place="keras cache", path=cache, checksum=checksum, sentence=sentence)
    file = " or ".join(keras_data.FILE_NAMES[name])
    get = f"it cannot be downloaded; put {file} into the data folder"
    if kept:
        get = f"get it with 'mishstudy data fetch {name}' or put {file} into the data folder"
    elif name in image_folders.MAKERS:
        get = f"put {file} or its pictures into the data folder; 'mishstudy data fetch {name}' takes these"
    return Found(name=name, place="missing", sentence=f"not found; {get}")


def fetch(name: str, folder: Path) -> Path:
    """Get a data set and write it into the data folder, whole or not at all.

    It comes through Keras' own loader, or from the pictures in the folder of its name in the data folder.

    Returns
    -------
    Path
        The file; where it was there already and is sound, nothing is downloaded.

    Raises
    ------
    InputError
        If the data set cannot be downloaded, is there already and damaged, or cannot be written, or its
        pictures are missing or damaged.
    """
    card = published_card(name)
    if name in _NOT_DOWNLOADED:
        raise InputError(f"'{name}' cannot be fetched: {_NOT_DOWNLOADED[name]}.")
    path = folder / keras_data.FILE_NAMES[name][0]
    if path.exists():
        _agreement(card, path)
        return path
    if name in image_folders.MAKERS:
        pictures = folder / name
        arrays = image_folders.arrays_of(card, pictures)
        checksums.check(name, arrays, f"what was made from {pictures}")
    else:
        arrays = keras_data.download(card)
        checksums.check(name, arrays, keras_data.keras_copy(name))
    keras_data.write(path, arrays)
    return path


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
        other = (
            f"make it from its pictures with 'mishstudy data fetch {name}'"
            if name in image_folders.MAKERS
            else "use 'cifar10'"
        )
        raise InputError(
            f"'{name}' cannot be downloaded and must be in the data folder as "
            f"{' or '.join(keras_data.FILE_NAMES[name])}, but {_not_in(folder)}; name the folder that has it "
            f"with --data or MISHSTUDY_DATA, or {other}."
        )
    checksums.check(name, arrays, str(path or keras_data.keras_copy(name)))
    if name == "nuclei":
        arrays = _in_parts(arrays)
    return card, {
        key: array.reshape(-1, *card.input_shape) if key.startswith("x") else array
        for key, array in arrays.items()
    }


def _in_parts(arrays: Raw) -> Raw:
    """Return images and masks in two parts: those that the file has for validation are the test."""
    test = arrays["is_val"]
    return {
        f"{axis}_{part}": arrays[axis][rows]
        for part, rows in (("train", ~test), ("test", test))
        for axis in ("x", "y")
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
