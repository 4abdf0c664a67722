"""Data sets that are published as folders of pictures, made into the arrays of a data file.

`nuclei` and `carvana` cannot be downloaded by Keras. Who has the pictures puts them into a folder of that
name in the data folder, and `mishstudy data fetch` makes the file of them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from study.cuts import TEST_SEED, VALIDATION_SEED, stratified_order
from study.datacards import DataCard
from study.errors import InputError, said

_DARK = 100
"""Mean grey value below which a picture of `nuclei` shows bright nuclei on a dark background."""

_ANGLES = 16
"""Pictures of each car."""


def arrays_of(card: DataCard, folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a data file from the pictures in a folder.

    Parameters
    ----------
    card : DataCard
        Of `nuclei` or `carvana`; its sizes and its shape of an image are those that are made.
    folder : Path
        With `stage1_train/<id>/images/*.png` and `.../masks/*.png`, or with `train/*.jpg` and
        `train_masks/*_mask.gif`.

    Returns
    -------
    dict of str to ndarray
        In the shapes of `study.keras_data.official_shapes`.

    Raises
    ------
    InputError
        If the folder, a picture or a mask is missing, a picture cannot be read, or their number is not that
        of the card.
    """
    try:
        return MAKERS[card.name](card, folder)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises where a picture is damaged
        raise InputError(
            f"A picture in {folder} cannot be read ({said(error)}); get the pictures of {card.name} again."
        ) from error


def _nuclei(card: DataCard, folder: Path) -> dict[str, np.ndarray]:
    """Take the grey pictures of the card's size with a dark background; a mask is the union of its nuclei.

    Every fifth picture by its sorted name is for the test.
    """
    height, width, _ = card.input_shape
    images: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    for path in _some(folder / "stage1_train", "*/images/*.png"):
        image = _picture(path, "RGB")
        grey = image[..., 0]
        coloured = bool((image != grey[..., None]).any())
        if grey.shape != (height, width) or coloured or grey.mean() >= _DARK:
            continue
        parts = [_picture(each, "L") for each in _some(path.parent.parent / "masks", "*.png")]
        images.append(grey)
        masks.append(np.any(parts, axis=0).astype(np.uint8))
    is_val = np.arange(len(images)) % 5 == 4
    _check_number(card, folder, len(images))
    return {"x": np.stack(images), "y": np.stack(masks), "is_val": is_val}


def _carvana(card: DataCard, folder: Path) -> dict[str, np.ndarray]:
    """Take every picture, made smaller; the pictures of a car, from 16 sides, are all in one cut."""
    from PIL import Image

    height, width, _ = card.input_shape
    paths = _some(folder / "train", "*.jpg")
    _check_number(card, folder, len(paths))
    cars = sorted({path.stem.rpartition("_")[0] for path in paths})
    order = [cars[row] for row in stratified_order(np.zeros(len(cars), np.int32), TEST_SEED)]
    test = card.test_size // _ANGLES
    rest = [
        order[test:][row] for row in stratified_order(np.zeros(len(cars) - test, np.int32), VALIDATION_SEED)
    ]
    validation = card.validation_size // _ANGLES
    chosen = {"train": rest[validation:], "validation": rest[:validation], "test": order[:test]}
    arrays: dict[str, np.ndarray] = {}
    for part, wanted in chosen.items():
        mine = [path for path in paths if path.stem.rpartition("_")[0] in set(wanted)]
        masks = [folder / "train_masks" / f"{path.stem}_mask.gif" for path in mine]
        size, resampling = (width, height), Image.Resampling.BOX
        arrays[f"x_{part}"] = np.stack([_picture(path, "RGB", size, resampling) for path in mine])
        smaller = (_picture(path, "L", size, Image.Resampling.NEAREST) for path in masks)
        arrays[f"y_{part}"] = np.stack([(mask > 127).astype(np.uint8) for mask in smaller])
    return arrays


MAKERS: Mapping[str, Callable[[DataCard, Path], dict[str, np.ndarray]]] = {
    "nuclei": _nuclei,
    "carvana": _carvana,
}
"""Name of a data set to what makes its arrays of a folder."""


def _some(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a pattern in the order of their names, at least one."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise InputError(
            f"There are no pictures {folder / pattern}; put them there as docs/data.md shows, and try again."
        )
    return found


def _check_number(card: DataCard, folder: Path, found: int) -> None:
    whole = card.train_size + card.validation_size + card.test_size
    if found != whole:
        raise InputError(
            f"{folder} must hold the {whole:,} pictures of {card.name}, but it holds {found:,}; "
            "get the missing ones, and put nothing else there."
        )


def _picture(
    path: Path, mode: str, size: tuple[int, int] | None = None, resampling: int | None = None
) -> np.ndarray:
    """Return a picture as uint8: (height, width) in mode `L`, (height, width, 3) in mode `RGB`."""
    from PIL import Image

    with Image.open(path) as picture:
        converted = picture.convert(mode)
        return np.asarray(converted if size is None else converted.resize(size, resampling))
