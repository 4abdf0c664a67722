"""A user's own data set: a function ``package.module:function`` that returns arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from study.datacards import DataCard
from study.errors import InputError, in_a_line, said
from study.references import resolve

_REQUIRED = ("x_train", "y_train", "x_test", "y_test")
_OPTIONAL = ("x_validation", "y_validation")

VALIDATION_SHARE = 5
"""One in this many training images becomes validation where the function gives none ..."""

LARGEST_VALIDATION = 10_000
"""... and never more than this many."""


def own_arrays(name: str) -> dict[str, np.ndarray]:
    """Call the function and check what it returns.

    The function takes no argument and returns a mapping with `x_train`, `y_train`, `x_test`, `y_test` and,
    if it likes, `x_validation`, `y_validation`. Images have shape (n, height, width) or (n, height, width,
    channels) and are uint8, or floats in [0, 1]; labels have shape (n,) or (n, 1) and are the whole numbers
    0 to k - 1, each of which is in `y_train`.

    Returns
    -------
    dict of str to ndarray
        Images (n, height, width, channels), uint8 or float32; labels (n,), int32.

    Raises
    ------
    InputError
        If the function is not found, raises, or returns something else.
    """
    function = resolve(name)
    try:
        returned = function()
    except (Exception, SystemExit) as error:
        raise InputError(
            f"The data set {name} is called without arguments and must return arrays, but it raised "
            f"{type(error).__name__}: {said(error)}; try it alone first."
        ) from error
    given = _mapping(name, returned)
    arrays: dict[str, np.ndarray] = {}
    for part in _parts(given):
        arrays[f"x_{part}"] = _images(name, f"x_{part}", given[f"x_{part}"])
        arrays[f"y_{part}"] = _labels(name, f"y_{part}", given[f"y_{part}"])
    _check_together(name, arrays)
    return {key: array.astype(np.int32) if key.startswith("y") else array for key, array in arrays.items()}


def own_card(name: str, arrays: Mapping[str, np.ndarray]) -> DataCard:
    """Return the card of a user's own data set, from its checked arrays."""
    images = len(arrays["x_train"])
    taken = 0 if "x_validation" in arrays else min(images // VALIDATION_SHARE, LARGEST_VALIDATION)
    height, width, channels = arrays["x_train"].shape[1:]
    return DataCard(
        name=name,
        title=name,
        input_shape=(height, width, channels),
        classes=int(arrays["y_train"].max()) + 1,
        train_size=images - taken,
        validation_size=taken or len(arrays["x_validation"]),
        test_size=len(arrays["x_test"]),
        flip_allowed=False,
        licence="the user's own",
        source=name,
    )


def _mapping(name: str, returned: Any) -> Mapping[str, Any]:
    rule = f"The data set {name} must return a mapping with {', '.join(_REQUIRED)}"
    if not isinstance(returned, Mapping):
        raise InputError(f"{rule}, but it returned a {type(returned).__name__}; return a dict.")
    missing = [key for key in _REQUIRED if key not in returned]
    if missing:
        raise InputError(f"{rule}, but {', '.join(missing)} is missing; add it.")
    unknown = [str(key) for key in returned if key not in (*_REQUIRED, *_OPTIONAL)]
    if unknown:
        raise InputError(
            f"{rule} and at most {', '.join(_OPTIONAL)} beside, but it returned "
            f"{in_a_line(', '.join(unknown), 200)}."
        )
    if ("x_validation" in returned) != ("y_validation" in returned):
        raise InputError(
            f"The data set {name} must return both of {' and '.join(_OPTIONAL)}, or neither; add the other."
        )
    return returned


def _array(name: str, key: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except Exception as error:  # whatever an object's own conversion raises
        raise InputError(
            f"'{key}' of the data set {name} must be an array, but NumPy cannot make one of the "
            f"{type(value).__name__} that was returned ({said(error)})."
        ) from error


def _images(name: str, key: str, value: Any) -> np.ndarray:
    array = _array(name, key, value)
    rule = (
        f"'{key}' of the data set {name} must have shape (n, height, width) or (n, height, width, channels)"
    )
    if array.ndim not in (3, 4) or array.size == 0:
        raise InputError(f"{rule} and hold at least one image, but it has shape {array.shape}; reshape it.")
    if array.ndim == 3:
        array = array[..., None]
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            f"'{key}' of the data set {name} must be uint8, or floats in [0, 1], but it is {array.dtype}; "
            "convert it with astype."
        )
    if not np.isfinite(array).all():
        raise InputError(
            f"'{key}' of the data set {name} must be finite, but it holds NaN or infinity; clean it."
        )
    low, high = float(array.min()), float(array.max())
    if low < 0.0 or high > 1.0:
        raise InputError(
            f"'{key}' of the data set {name} must be uint8, or floats in [0, 1], but it runs from {low:g} to "
            f"{high:g}; scale it."
        )
    return array.astype(np.float32)


def _labels(name: str, key: str, value: Any) -> np.ndarray:
    array = _array(name, key, value)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise InputError(
            f"'{key}' of the data set {name} must be whole numbers of shape (n,), one class per image, but "
            f"it has shape {array.shape} and type {array.dtype}; for one-hot rows use argmax."
        )
    return array


def _check_together(name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Check what joins several arrays."""
    train = arrays["x_train"]
    classes = np.unique(arrays["y_train"])
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        shown = ", ".join(str(label) for label in classes[:8])
        raise InputError(
            f"'y_train' of the data set {name} must hold each of the labels 0 to k - 1 and at least two of "
            f"them, but it holds {shown}; number the classes from 0."
        )
    for part in _parts(arrays):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if len(images) != len(labels):
            raise InputError(
                f"'x_{part}' and 'y_{part}' of the data set {name} must be equally long, but there are "
                f"{len(images)} images and {len(labels)} labels."
            )
        if images.shape[1:] != train.shape[1:] or images.dtype != train.dtype:
            raise InputError(
                f"'x_{part}' of the data set {name} must be like 'x_train', whose images have shape "
                f"{train.shape[1:]} and type {train.dtype}, but its images have shape {images.shape[1:]} and "
                f"type {images.dtype}."
            )
        strange = np.setdiff1d(labels, classes)
        if len(strange):
            raise InputError(
                f"'y_{part}' of the data set {name} must hold only classes that 'y_train' holds, but it "
                f"holds {strange[0]}."
            )
    if "x_validation" not in arrays and len(train) < 2 * VALIDATION_SHARE:
        raise InputError(
            f"The data set {name} must have at least {2 * VALIDATION_SHARE} training images, as one in "
            f"{VALIDATION_SHARE} becomes validation, but it has {len(train)}; return 'x_validation' too."
        )


def _parts(given: Mapping[str, Any]) -> list[str]:
    return [part for part in ("train", "validation", "test") if f"x_{part}" in given]
