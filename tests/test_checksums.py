"""CIFAR-10 and its repaired copy, and what is known of CIFAR-100."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from data_sets import one_sentence, sha256

from study import checksums, keras_data
from study.datasets import DATASETS, load, verify
from study.errors import InputError


@pytest.fixture(scope="module")
def cifar10_arrays(data_folder: Path) -> dict[str, np.ndarray]:
    return keras_data.read(data_folder / "cifar10.npz", DATASETS["cifar10"])


def test_the_repaired_copy_is_refused_under_the_name_of_the_published_set(data_folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"109 of the 60,000 images come from a JPEG; use the name 'cifar10-repaired'"
    ):
        load("cifar10", data_folder)
    assert verify("cifar10", data_folder).checksum == "different"
    assert verify("cifar10-repaired", data_folder).checksum == "equal"


def test_the_published_set_is_known_by_labels_and_all_images_but_109(
    cifar10_arrays: dict[str, np.ndarray],
) -> None:
    other = dict(cifar10_arrays)
    for key, rows in checksums.REPAIRED_ROWS.items():
        other[key] = other[key].copy()
        other[key][list(rows)] ^= 1
    assert checksums.check("cifar10", other, "the file") == "partly"
    with pytest.raises(InputError, match="the file is the published CIFAR-10; use the name 'cifar10'"):
        checksums.check("cifar10-repaired", other, "the file")
    other["x_test"][0, 0, 0, 0] ^= 1
    for name in ("cifar10", "cifar10-repaired"):
        with pytest.raises(InputError, match="damaged or another data set"):
            checksums.check(name, other, "the file")


def test_altered_labels_of_cifar10_are_refused(cifar10_arrays: dict[str, np.ndarray]) -> None:
    labels = cifar10_arrays["y_test"].copy()
    labels[0] = 9
    for name in ("cifar10", "cifar10-repaired"):
        with pytest.raises(InputError, match="'y_test' must have the SHA-256"):
            checksums.check(name, {**cifar10_arrays, "y_test": labels}, "the file")


def test_one_repaired_half_is_not_the_published_set(cifar10_arrays: dict[str, np.ndarray]) -> None:
    mixed = {**cifar10_arrays, "x_test": cifar10_arrays["x_test"] ^ 1}
    with pytest.raises(InputError, match="use the name 'cifar10-repaired'"):
        checksums.check("cifar10", mixed, "the file")


def test_binary_object_names_are_git_s_own() -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    rng = np.random.Generator(np.random.PCG64(1))
    pixels = rng.integers(0, 256, (25, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, 25, dtype=np.uint8)
    files = [b"", b"", b""]
    for row in range(25):
        planes = b"".join(pixels[row, :, :, channel].tobytes() for channel in range(3))
        files[row // 10] += bytes([labels[row]]) + planes
    names = [
        subprocess.run([git, "hash-object", "--stdin"], input=file, capture_output=True, check=True).stdout
        for file in files
    ]
    assert checksums.binary_object_names(pixels, labels, batch=10) == tuple(n.decode().strip() for n in names)


def test_the_repaired_copy_may_lie_beside_the_published_one(data_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cifar10.npz").write_bytes(b"not looked at")
    (tmp_path / "cifar10-repaired.npz").symlink_to(data_folder / "cifar10.npz")
    assert verify("cifar10-repaired", tmp_path).path == tmp_path / "cifar10-repaired.npz"


def test_a_missing_repaired_copy_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"cannot be downloaded .* but it is not in .*; name the folder that has it"
    ):
        load("cifar10-repaired", tmp_path)


# CIFAR-100


@pytest.fixture(scope="module")
def cifar100_like(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """Return a folder with a file of CIFAR-100's shapes and class counts, not its images, and the arrays."""
    arrays = {
        "x_train": np.zeros((50_000, 32, 32, 3), np.uint8),
        "y_train": np.tile(np.arange(100, dtype=np.uint8), 500),
        "x_test": np.zeros((10_000, 32, 32, 3), np.uint8),
        "y_test": np.tile(np.arange(100, dtype=np.uint8), 100),
    }
    folder = tmp_path_factory.mktemp("cifar100")
    np.savez_compressed(folder / "cifar100.npz", allow_pickle=False, **arrays)
    return folder, arrays


def test_cifar100_is_known_by_its_test_labels(
    cifar100_like: tuple[Path, dict[str, np.ndarray]],
) -> None:
    folder, _ = cifar100_like
    with pytest.raises(InputError, match="'y_test' must have the SHA-256 4dad7d09") as caught:
        load("cifar100", folder)
    assert one_sentence(str(caught.value))
    assert verify("cifar100", folder).checksum == "different"


def test_the_classes_of_cifar100_are_counted(
    cifar100_like: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, arrays = cifar100_like
    monkeypatch.setitem(checksums.ARRAY_SHA256, "cifar100", {"y_test": sha256(arrays["y_test"])})
    assert checksums.check("cifar100", arrays, "the file") == "partly"
    assert checksums.sentence("cifar100", "partly").startswith("test labels verified by SHA-256; of the rest")
    labels = arrays["y_train"].copy()
    labels[7] = 8
    with pytest.raises(InputError, match="0 to 99 500 times, but it holds 7 499 times"):
        checksums.check("cifar100", {**arrays, "y_train": labels}, "the file")
