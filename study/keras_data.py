"""Data files in Keras' layout, and Keras' own loaders.

Keras' layout is one `.npz` file per data set with the arrays `x_train`, `y_train`, `x_test` and `y_test`.
A file is not trusted: names, sizes, shapes and types are read from its headers and compared with what they
must be before any array is, and nothing in it is ever unpickled.
"""

import contextlib
import getpass
import hashlib
import io
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from filelock import FileLock

from study.checksums import Arrays, remedy
from study.datacards import DataCard
from study.errors import InputError, in_a_line

FILE_NAMES: dict[str, tuple[str, ...]] = {
    "mnist": ("mnist.npz",),
    "fashion_mnist": ("fashion_mnist.npz",),
    "cifar10": ("cifar10.npz",),
    "cifar10-repaired": ("cifar10-repaired.npz", "cifar10.npz"),
    "cifar100": ("cifar100.npz",),
    "nuclei": ("nuclei.npz",),
    "carvana": ("carvana.npz",),
}
"""Names under which a data set is looked for in a data folder, the first one first."""

_CIFAR10_FOLDER = "cifar-10-batches-py-target"

KERAS_FILES: dict[str, dict[str, str]] = {
    "mnist": {"mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"},
    "fashion_mnist": {
        f"fashion-mnist/{file}-ubyte.gz": expected
        for file, expected in {
            "train-images-idx3": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        }.items()
    },
    "cifar10": {
        f"{_CIFAR10_FOLDER}_archive": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    },
    "cifar100": {
        "cifar-100-python-target_archive": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    },
}
"""Files that Keras keeps of a data set below its own data folder, and their SHA-256 as published."""

_HEADER_BYTES = 4096
"""More than the header of any array that is wanted; what does not fit is refused."""

_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compressions of which zipfile unpacks no more than it is asked for."""


def official_shapes(card: DataCard) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array: labels (n,), grey images and masks (n, height, width).

    `nuclei` has its images and masks in one array each, and an array that says which are for the test;
    `carvana` has a validation part.
    """
    height, width, channels = card.input_shape
    image = (height, width) if channels == 1 else (height, width, channels)
    label = () if card.task == "classification" else (height, width)
    train, validation, test = card.train_size, card.validation_size, card.test_size
    if card.name == "nuclei":
        whole = train + validation + test
        return {"x": (whole, *image), "y": (whole, *label), "is_val": (whole,)}
    parts = {"train": train + validation, "test": test}
    if card.name == "carvana":
        parts = {"train": train, "validation": validation, "test": test}
    return {
        f"{axis}_{part}": (size, *rest)
        for part, size in parts.items()
        for axis, rest in (("x", image), ("y", label))
    }


def find(name: str, folder: Path) -> Path | None:
    """Return the file of a data set in a data folder, or None.

    Raises
    ------
    InputError
        If the folder does not exist.
    """
    if not folder.is_dir():
        raise InputError(
            f"The data folder {folder} does not exist; create it, or name another one with --data or "
            "MISHSTUDY_DATA."
        )
    return next((folder / file for file in FILE_NAMES[name] if (folder / file).exists()), None)


def read(path: Path, card: DataCard) -> dict[str, np.ndarray]:
    """Read a data file; its contents are yet to be compared with the published checksums.

    Memory stays within the size of the arrays that are expected, whatever the file claims.

    Returns
    -------
    dict of str to ndarray of uint8
        In the shapes of `official_shapes`; `is_val` is bool.

    Raises
    ------
    InputError
        If the file cannot be read, or an array is missing, of another shape or of another type.
    """
    fix = f"{remedy(card.name)}."
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                key: _read_array(archive, f"{key}.npy", shape, path, fix)
                for key, shape in official_shapes(card).items()
            }
    except InputError:
        raise
    except Exception as error:  # damaged bytes can raise nearly anything in zipfile, zlib and NumPy
        raise InputError(
            f"{path} must be a .npz file with the arrays of {card.name}, but it cannot be read "
            f"({_reason(error)}): it is truncated, damaged or no such file; {fix}"
        ) from error


def _read_array(
    archive: zipfile.ZipFile, member: str, shape: tuple[int, ...], path: Path, fix: str
) -> np.ndarray:
    """Read one array, after its header, of which only the first bytes are looked at."""
    members = archive.namelist()
    if member not in members:
        there = in_a_line(", ".join(sorted(members)[:8]), 200) or "nothing"
        raise InputError(f"{path} must hold '{member}', but it holds {there}; {fix}")
    if archive.getinfo(member).compress_type not in _BOUNDED:
        raise InputError(
            f"'{member}' must be stored or deflated, as NumPy writes it, and in {path} it is not; {fix}"
        )
    with archive.open(member) as stream:
        head = io.BytesIO(stream.read(_HEADER_BYTES))
    version = np.lib.format.read_magic(head)
    parse = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    found_shape, _, found_type = parse(head)
    column = (*shape, 1) if len(shape) == 1 else shape
    wanted_type = np.dtype(bool if member == "is_val.npy" else np.uint8)
    if found_shape not in (shape, column) or found_type != wanted_type:
        raise InputError(
            f"'{member}' in {path} must have shape {shape} and type {wanted_type}, but it has shape "
            f"{in_a_line(str(found_shape), 200)} and type {in_a_line(str(found_type), 200)}; {fix}"
        )
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False).reshape(shape)


def download(card: DataCard) -> dict[str, np.ndarray]:
    """Get a data set through Keras, which takes it from its own folder or downloads it.

    Keras' messages go to the standard error.

    Returns
    -------
    dict of str to ndarray of uint8
        In the shapes of `official_shapes`; the contents are yet to be compared with the published checksums.

    Raises
    ------
    InputError
        If Keras fails, as it does without a network, or gives other arrays.
    """
    # Processes of a sweep that start together must not write the same file of Keras at once.
    lock = FileLock(Path(tempfile.gettempdir()) / f"mishstudy-{card.name}-{getpass.getuser()}.lock")
    try:
        with contextlib.redirect_stdout(sys.stderr), lock:
            import keras

            (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, card.name).load_data()
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise InputError(
            f"{card.name} is in no data folder and Keras could not get it ({_reason(error)}); put "
            f"{FILE_NAMES[card.name][0]} into a folder and name that folder with --data or MISHSTUDY_DATA."
        ) from error
    given = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    arrays: dict[str, np.ndarray] = {}
    for key, shape in official_shapes(card).items():
        array = np.asarray(given[key])
        if key.startswith("y") and array.dtype == np.int64 and array.min() >= 0 and array.max() <= 255:
            array = array.astype(np.uint8)  # as it comes from the lists in the archive of CIFAR-100
        if array.dtype != np.uint8 or array.shape not in (shape, (*shape, 1)):
            raise InputError(
                f"'{key}' of {card.name} must have shape {shape} and type uint8, but Keras gave shape "
                f"{array.shape} and type {array.dtype}; remove {keras_copy(card.name)} and try again."
            )
        arrays[key] = array.reshape(shape)
    return arrays


def write(path: Path, arrays: Arrays) -> None:
    """Write a data file whole or not at all; the same arrays give the same bytes.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as stream:
                np.savez_compressed(stream, allow_pickle=False, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({_reason(error)}); name a folder that is writable and has room."
        ) from error


def keras_folder() -> Path:
    """Return the folder in which Keras keeps its data sets: Keras' own rule, without importing it."""
    home = Path.home()
    writable = home if os.access(home, os.W_OK) else Path("/tmp")
    base = Path(os.environ.get("KERAS_HOME", writable / ".keras")).expanduser()
    if base.exists() and not os.access(base, os.W_OK):
        base = Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()) / ".keras"
    return base / "datasets"


def keras_copy(name: str) -> str:
    """Return the words for what Keras keeps of a data set."""
    return f"Keras' copy of {name} in {keras_folder()}"


def sha256_of_files(files: Mapping[str, str], folder: Path) -> bool:
    """Return whether each file below `folder` has the SHA-256 that it is listed with."""
    for file, expected in files.items():
        with (folder / file).open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != expected:
                return False
    return True


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    said = f": {in_a_line(lines[0], 200).rstrip('.')}" if lines else ""
    return f"{type(error).__name__}{said}"
