"""The data folder: what is found there, and what is refused."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_sets import one_sentence, sha256

from study.datasets import DATASETS, Dataset, content_digest, fetch, load, verify
from study.errors import InputError


def test_a_sound_file_is_found_and_verified(data_folder: Path) -> None:
    found = verify("mnist", data_folder)
    assert (found.place, found.path, found.checksum) == ("folder", data_folder / "mnist.npz", "equal")
    assert found.sentence == f"in {data_folder / 'mnist.npz'}; verified by SHA-256"


def test_digits_is_embedded_wherever_the_folder_is(tmp_path: Path) -> None:
    assert verify("digits", tmp_path).place == "embedded"
    assert verify("digits").checksum == "equal"


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "digits"])
def test_a_missing_set_says_what_to_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    found = verify(name, tmp_path)
    assert (found.place, found.path, found.checksum) == ("missing", None, "unknown")
    assert f"{name}.npz" in found.sentence


@pytest.mark.parametrize("use", [load, verify])
def test_a_folder_that_does_not_exist_is_refused(use: Callable[[str, Path], Any], tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="does not exist; create it, or name another one with --data or MISHSTUDY_DATA"
    ):
        use("mnist", tmp_path / "nowhere")


def test_labels_may_be_a_column_and_the_file_uncompressed(
    mnist: Dataset, mnist_arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    columns = {key: a[:, None] if key.startswith("y") else a for key, a in mnist_arrays.items()}
    np.savez(tmp_path / "mnist.npz", allow_pickle=False, **columns)
    assert content_digest("mnist", tmp_path) == mnist.digest


def refused(tmp_path: Path) -> str:
    """Return why `mnist.npz` in `tmp_path` is refused, the same way by `load`, `verify` and `fetch`."""
    with pytest.raises(InputError) as caught:
        load("mnist", tmp_path)
    message = str(caught.value)
    found = verify("mnist", tmp_path)
    assert (found.checksum, found.sentence) == ("different", message)
    with pytest.raises(InputError, match="mishstudy data fetch mnist"):
        fetch("mnist", tmp_path)
    assert str(tmp_path / "mnist.npz") in message
    assert one_sentence(message)
    return message


@pytest.mark.parametrize("kept", [0, 1, 1000, 0.5, 0.999])
def test_a_truncated_file_is_refused(kept: float, data_folder: Path, tmp_path: Path) -> None:
    whole = (data_folder / "mnist.npz").read_bytes()
    (tmp_path / "mnist.npz").write_bytes(whole[: int(kept if kept >= 1 else kept * len(whole))])
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9])
def test_a_damaged_byte_is_refused(place: float, data_folder: Path, tmp_path: Path) -> None:
    damaged = bytearray((data_folder / "mnist.npz").read_bytes())
    damaged[int(place * len(damaged))] ^= 0xFF
    (tmp_path / "mnist.npz").write_bytes(damaged)
    refused(tmp_path)


def with_pixel(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    x = arrays["x_test"].copy()
    x[7, 3, 3] ^= 1
    return {**arrays, "x_test": x}


def with_labels_swapped(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    y = arrays["y_train"].copy()
    y[[0, 1]] = y[[1, 0]]
    return {**arrays, "y_train": y}


@pytest.mark.parametrize(("alter", "key"), [(with_pixel, "x_test"), (with_labels_swapped, "y_train")])
def test_altered_contents_are_refused(
    alter: Callable[..., dict[str, np.ndarray]],
    key: str,
    mnist_arrays: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    altered = alter(mnist_arrays)
    np.savez(tmp_path / "mnist.npz", allow_pickle=False, **altered)
    message = refused(tmp_path)
    assert f"'{key}' must have the SHA-256 {sha256(mnist_arrays[key])}" in message
    assert f"it has {sha256(altered[key])}" in message


def test_arrays_of_another_shape_type_or_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=np.zeros((60_000, 28), np.uint8))
    assert "shape (60000, 28, 28) and type uint8, but it has shape (60000, 28) and type uint8" in refused(
        tmp_path
    )
    np.savez(path, x_train=np.zeros((60_000, 28, 28), np.float32))
    assert "but it has shape (60000, 28, 28) and type float32" in refused(tmp_path)
    np.savez(path, images=np.zeros(3, np.uint8), labels=np.zeros(3, np.uint8))
    assert "must hold 'x_train.npy', but it holds images.npy, labels.npy" in refused(tmp_path)


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_not_opened(tmp_path: Path) -> None:
    trap = np.empty((60_000, 28, 28), dtype=object)
    trap[0, 0, 0] = Touch(tmp_path / "opened")
    np.savez_compressed(tmp_path / "mnist.npz", x_train=trap)
    assert "but it has shape (60000, 28, 28) and type object" in refused(tmp_path)
    assert not (tmp_path / "opened").exists()


def npz_with_header(path: Path, header: bytes, body: bytes = b"") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", header + body)


def test_a_small_file_that_claims_a_huge_array_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 28, 28)}
    )
    npz_with_header(tmp_path / "mnist.npz", header.getvalue())
    assert "but it has shape (1000000000000, 28, 28)" in refused(tmp_path)


def test_a_header_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    header = b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little")
    npz_with_header(tmp_path / "mnist.npz", header, b" " * 2**24)
    assert "cannot be read" in refused(tmp_path)
