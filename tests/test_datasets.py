"""Data sets: cuts, checksums, damaged files, Keras' own loaders, a user's own set."""

import gzip
import hashlib
import io
import itertools
import os
import shutil
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study import checksums, keras_data
from study.datasets import (
    DATASETS,
    Cut,
    Dataset,
    card_of,
    content_digest,
    fetch,
    load,
    stratified_order,
    verify,
)
from study.errors import InputError

ROOT = Path(__file__).parent.parent
UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def folder() -> Path:
    named = os.environ.get("MISHSTUDY_DATA")
    if not named:
        pytest.skip("MISHSTUDY_DATA names no folder with mnist.npz, fashion_mnist.npz and cifar10.npz")
    return Path(named)


@pytest.fixture(scope="session")
def mnist(folder: Path) -> Dataset:
    return load("mnist", folder)


@pytest.fixture(scope="session")
def mnist_arrays(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "mnist.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def cifar10_arrays(folder: Path) -> dict[str, np.ndarray]:
    return keras_data.read(folder / "cifar10.npz", DATASETS["cifar10"])


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python from the repository's root, in a process of its own."""
    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def one_sentence(message: str) -> bool:
    return "\n" not in message and message.endswith((".", "?")) and "Traceback" not in message


# Cards and names


def test_importing_datasets_loads_neither_sklearn_nor_keras() -> None:
    code = "import sys, study.datasets; print({'sklearn', 'keras', 'tensorflow'} & set(sys.modules))"
    assert run(code).stdout.strip() == "set()"


def test_only_the_repaired_copy_carries_a_note() -> None:
    notes = {name: card.note for name, card in DATASETS.items() if card.note}
    assert list(notes) == ["cifar10-repaired"]
    assert "109 of its 60,000 images" in notes["cifar10-repaired"]


def test_digits_may_not_be_flipped() -> None:
    assert not DATASETS["digits"].flip_allowed
    assert not DATASETS["mnist"].flip_allowed


@pytest.mark.parametrize("use", [card_of, load, verify, content_digest])
def test_an_unknown_name_suggests_the_nearest(use: Callable[[str], Any]) -> None:
    with pytest.raises(InputError, match=r"no data set 'fashion-mnist'; .* did you mean 'fashion_mnist'\?"):
        use("fashion-mnist")


# Cuts


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "cifar10"])
def test_cuts_have_the_sizes_shapes_types_and_values_of_the_card(
    name: str, request: pytest.FixtureRequest
) -> None:
    dataset = load(name, None if name == "digits" else request.getfixturevalue("folder"))
    card = dataset.card
    assert card == card_of(name)
    for part in ("train", "validation", "test"):
        cut: Cut = getattr(dataset, part)
        size = getattr(card, f"{part}_size")
        assert cut.x.shape == (size, *card.input_shape)
        assert cut.x.dtype == np.float32
        assert cut.y.shape == (size,)
        assert cut.y.dtype == np.int32
        assert (cut.x.min(), cut.x.max()) == (0.0, 1.0)
        assert np.array_equal(np.unique(cut.y), np.arange(card.classes))


def images(cut: Cut, largest: int) -> list[bytes]:
    """Return each image with its label as bytes."""
    pixels = np.rint(cut.x * largest).astype(np.uint8)
    return [x.tobytes() + bytes([y]) for x, y in zip(pixels, cut.y, strict=True)]


def test_the_cuts_of_digits_are_a_partition() -> None:
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    everything = images(Cut((bunch.images / 16)[..., None], bunch.target), 16)
    assert len(set(everything)) == 1797
    dataset = load("digits")
    parts = [images(cut, 16) for cut in (dataset.train, dataset.validation, dataset.test)]
    assert sorted(itertools.chain(*parts)) == sorted(everything)


def test_the_cuts_of_mnist_are_a_partition_of_its_training_part_and_the_official_test_part(
    mnist: Dataset, mnist_arrays: dict[str, np.ndarray]
) -> None:
    official = images(Cut(mnist_arrays["x_train"] / np.float32(255), mnist_arrays["y_train"]), 255)
    assert sorted(images(mnist.train, 255) + images(mnist.validation, 255)) == sorted(official)
    assert np.array_equal(mnist.test.x[..., 0], mnist_arrays["x_test"].astype(np.float32) / np.float32(255))
    assert np.array_equal(mnist.test.y, mnist_arrays["y_test"])


def off_balance(part: np.ndarray, whole: np.ndarray) -> float:
    """Return by how many images a class is off its share, at most."""
    return float(np.abs(np.bincount(part) - len(part) * np.bincount(whole) / len(whole)).max())


def test_digits_cuts_are_stratified() -> None:
    dataset = load("digits")
    cuts = [dataset.train.y, dataset.validation.y, dataset.test.y]
    assert all(off_balance(cut, np.concatenate(cuts)) <= 1 for cut in cuts)


def test_mnist_cuts_and_every_train_size_are_stratified(mnist: Dataset) -> None:
    whole = np.concatenate([mnist.train.y, mnist.validation.y])
    assert off_balance(mnist.validation.y, whole) <= 1
    assert off_balance(mnist.train.y, whole) <= 1
    assert all(off_balance(mnist.train.y[:n], mnist.train.y) <= 1 for n in range(100, 50_000, 577))


def test_the_cuts_never_change() -> None:
    assert stratified_order(np.array([0, 0, 0, 0, 1, 1, 2, 2, 2]), 7).tolist() == [3, 6, 4, 0, 8, 2, 5, 7, 1]
    digits = load("digits")
    assert digits.digest == "10bc17a10e87c4b8"
    assert sha256(digits.test.y) == "ab3450e7ddfce32a0b42132744a8467642e82222d2b6992311caded81a9414cb"
    assert sha256(digits.test.x) == "44bca3a2386bc6bb6a8cd6cb0ea5d6b61900a9e488b515dd92ad757708ffa86a"


def test_the_cuts_of_mnist_never_change(mnist: Dataset) -> None:
    assert mnist.digest == "84a3c4b22401dc26"
    assert sha256(mnist.train.y.astype(np.uint8))[:16] == "4b349967eaf3a772"
    assert sha256(mnist.validation.y.astype(np.uint8))[:16] == "7648e4d94ccd00a1"


def test_the_digest_is_the_same_in_another_process_and_for_every_train_size() -> None:
    code = "from study.datasets import content_digest; print(content_digest('digits'))"
    assert (
        run(code, PYTHONHASHSEED="4711").stdout.strip() == content_digest("digits") == load("digits").digest
    )
    assert load("digits", train_size=100).digest == load("digits").digest


def test_a_train_size_takes_the_first_images_and_leaves_the_other_cuts(mnist: Dataset, folder: Path) -> None:
    small, larger = (load("mnist", folder, train_size=n) for n in (1000, 2000))
    assert np.array_equal(larger.train.x[:1000], small.train.x)
    assert np.array_equal(mnist.train.y[:2000], larger.train.y)
    assert np.array_equal(mnist.validation.x, small.validation.x)
    assert small.card == mnist.card


@pytest.mark.parametrize("train_size", [0, -1, 1079])
def test_a_train_size_outside_the_cut_is_refused(train_size: int) -> None:
    with pytest.raises(InputError, match=f"from 1 to 1078, .* but {train_size} was given"):
        load("digits", train_size=train_size)


# Data folder


def test_a_sound_file_is_found_and_verified(folder: Path) -> None:
    found = verify("mnist", folder)
    assert (found.place, found.path, found.checksum) == ("folder", folder / "mnist.npz", "equal")
    assert found.sentence == f"in {folder / 'mnist.npz'}; verified by SHA-256"


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
def test_a_truncated_file_is_refused(kept: float, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "mnist.npz").read_bytes()
    (tmp_path / "mnist.npz").write_bytes(whole[: int(kept if kept >= 1 else kept * len(whole))])
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9])
def test_a_damaged_byte_is_refused(place: float, folder: Path, tmp_path: Path) -> None:
    damaged = bytearray((folder / "mnist.npz").read_bytes())
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


# CIFAR-10 and its repaired copy


def test_the_repaired_copy_is_refused_under_the_name_of_the_published_set(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"109 of the 60,000 images come from a JPEG; use the name 'cifar10-repaired'"
    ):
        load("cifar10", folder)
    assert verify("cifar10", folder).checksum == "different"
    assert verify("cifar10-repaired", folder).checksum == "equal"


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


def test_the_repaired_copy_may_lie_beside_the_published_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cifar10.npz").write_bytes(b"not looked at")
    (tmp_path / "cifar10-repaired.npz").symlink_to(folder / "cifar10.npz")
    assert verify("cifar10-repaired", tmp_path).path == tmp_path / "cifar10-repaired.npz"


def test_a_missing_repaired_copy_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"cannot be downloaded .* but it is not in .*; name the folder that has it"
    ):
        load("cifar10-repaired", tmp_path)


# Keras' own loaders


@pytest.mark.parametrize(
    ("name", "why"), [("digits", "nothing to fetch"), ("cifar10-repaired", "published nowhere")]
)
def test_what_cannot_be_fetched_says_why(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        fetch(name, tmp_path)


def test_a_sound_file_is_not_fetched_again(folder: Path) -> None:
    assert fetch("mnist", folder) == folder / "mnist.npz"


LOAD = """
import sys
from pathlib import Path
from study import datasets
from study.errors import InputError
try:
    datasets.load("mnist", Path(sys.argv[1]))
except InputError as error:
    print(error)
"""


def test_a_failed_download_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = run(
        LOAD,
        str(tmp_path / "data"),
        KERAS_HOME=str(tmp_path / "keras"),
        KERAS_BACKEND="numpy",
        https_proxy=UNREACHABLE,
        http_proxy=UNREACHABLE,
        no_proxy="",
    )
    message = done.stdout.strip()
    assert message.startswith("mnist is in no data folder and Keras could not get it (")
    assert "URL fetch failure on https://" in message
    assert message.endswith("put mnist.npz into a folder and name that folder with --data or MISHSTUDY_DATA.")
    assert one_sentence(message)
    assert list((tmp_path / "data").iterdir()) == []


FETCH = """
import sys
from pathlib import Path
from study import datasets
found = datasets.verify("fashion_mnist")
path = datasets.fetch("fashion_mnist", Path(sys.argv[1]))
print(found.place, found.checksum, path.name, datasets.content_digest("fashion_mnist"))
"""


def test_fetch_takes_what_keras_has_and_writes_it_into_the_folder(folder: Path, tmp_path: Path) -> None:
    keras = tmp_path / "keras" / "datasets" / "fashion-mnist"
    keras.mkdir(parents=True)
    with np.load(folder / "fashion_mnist.npz", allow_pickle=False) as arrays:
        for part, label in (("train", "train"), ("test", "t10k")):
            for key, kind, magic in (("x", "images-idx3", 3), ("y", "labels-idx1", 1)):
                array = arrays[f"{key}_{part}"]
                header = bytes([0, 0, 8, magic]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
                compressed = gzip.compress(header + array.tobytes(), 1)
                (keras / f"{label}-{kind}-ubyte.gz").write_bytes(compressed)
    done = run(
        FETCH,
        str(tmp_path / "new"),
        KERAS_HOME=str(tmp_path / "keras"),
        KERAS_BACKEND="numpy",
        https_proxy=UNREACHABLE,
    )
    digest = content_digest("fashion_mnist", folder)
    assert done.stdout.split() == ["keras", "cache", "different", "fashion_mnist.npz", digest], done.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["fashion_mnist.npz"]
    assert content_digest("fashion_mnist", tmp_path / "new") == digest


def test_files_of_keras_are_compared_with_the_published_ones(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert keras_data.sha256_of_files({"file": abc}, tmp_path)
    assert not keras_data.sha256_of_files({"file": abc.replace("a", "b")}, tmp_path)


def test_keras_folder_is_the_one_of_keras(tmp_path: Path) -> None:
    code = (
        "import os; os.environ.pop('KERAS_HOME', None)\n"
        "from study.keras_data import keras_folder; from keras.src.backend.config import keras_home\n"
        "print(keras_folder()); print(keras_home())"
    )
    ours, keras = run(code, HOME=str(tmp_path), KERAS_BACKEND="numpy").stdout.split()
    assert Path(ours) == Path(keras) / "datasets" == tmp_path / ".keras" / "datasets"


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file, not a folder")
    with pytest.raises(InputError, match=r"cannot be written .* name a folder that is writable"):
        keras_data.write(tmp_path / "occupied" / "mnist.npz", {"x_train": np.zeros(3, np.uint8)})
    (tmp_path / "mnist.npz").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        keras_data.write(tmp_path / "mnist.npz", {"x_train": np.zeros(3, np.uint8)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mnist.npz", "occupied"]


# A user's own data set


def own_arrays(count: int = 40, dtype: type = np.uint8) -> dict[str, np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(3))
    x = rng.integers(0, 256, (count + 10, 6, 5)).astype(dtype)
    y = np.arange(count + 10) % 3
    return {"x_train": x[:count], "y_train": y[:count], "x_test": x[count:], "y_test": y[count:]}


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], str]:
    """Return a function that makes a value (or a function) the user's own data set and returns its name."""

    def install(value: Any) -> str:
        module = types.ModuleType("own_images")
        vars(module)["data"] = value if callable(value) else lambda: value
        monkeypatch.setitem(sys.modules, "own_images", module)
        return "own_images:data"

    return install


def test_an_own_set_is_cut_and_scaled_like_any_other(own: Callable[[Any], str]) -> None:
    name = own(own_arrays())
    dataset = load(name, train_size=12)
    assert dataset.card == card_of(name)
    assert (dataset.card.train_size, dataset.card.validation_size, dataset.card.test_size) == (32, 8, 10)
    assert (dataset.card.input_shape, dataset.card.classes, dataset.card.note) == ((6, 5, 1), 3, "")
    assert dataset.train.x.shape == (12, 6, 5, 1)
    assert np.bincount(dataset.train.y).tolist() == [4, 4, 4]
    assert np.array_equal(dataset.test.x[..., 0], own_arrays()["x_test"].astype(np.float32) / np.float32(255))
    assert dataset.train.y.dtype == np.int32
    assert not dataset.card.flip_allowed


def test_an_own_validation_cut_is_kept(own: Callable[[Any], str]) -> None:
    arrays = own_arrays()
    validation = {"x_validation": arrays["x_train"][:5], "y_validation": arrays["y_train"][:5]}
    dataset = load(own({**arrays, **validation}))
    assert (dataset.card.train_size, dataset.card.validation_size) == (40, 5)
    assert dataset.validation.y.tolist() == arrays["y_train"][:5].tolist()


def test_own_floats_are_taken_as_they_are_and_lists_are_arrays(own: Callable[[Any], str]) -> None:
    arrays = own_arrays(dtype=np.float64)
    scaled = {key: a / 255 if key.startswith("x") else a for key, a in arrays.items()}
    dataset = load(own({key: array.tolist() for key, array in scaled.items()}))
    assert np.array_equal(dataset.test.x[..., 0], scaled["x_test"].astype(np.float32))


def test_the_digest_of_an_own_set_follows_its_contents(own: Callable[[Any], str]) -> None:
    arrays = own_arrays()
    first = content_digest(own(arrays))
    assert content_digest(own(own_arrays())) == first
    altered = {**arrays, "x_test": arrays["x_test"].copy()}
    altered["x_test"][0, 0, 0] ^= 1
    assert content_digest(own(altered)) != first


def without(key: str) -> dict[str, np.ndarray]:
    return {k: v for k, v in own_arrays().items() if k != key}


def changed(**values: Any) -> dict[str, Any]:
    return {**own_arrays(), **values}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1, 2], "must return a mapping with x_train, y_train, x_test, y_test, but it returned a list"),
        (without("y_test"), "y_test is missing"),
        (changed(x_val=0), "but it returned x_val"),
        (
            changed(x_validation=np.zeros((3, 6, 5), np.uint8)),
            "both of x_validation and y_validation, or neither",
        ),
        (changed(x_train=[[1], [1, 2]]), "'x_train' .* must be an array"),
        (changed(x_train=np.zeros((40, 30), np.uint8)), r"but it has shape \(40, 30\)"),
        (changed(x_test=np.zeros((0, 6, 5), np.uint8)), "at least one image"),
        (changed(x_train=np.zeros((40, 6, 5), np.int64)), "must be uint8, or floats in .* but it is int64"),
        (changed(x_train=np.full((40, 6, 5), np.nan)), "must be finite"),
        (changed(x_train=np.full((40, 6, 5), 255.0)), "runs from 255 to 255; scale it"),
        (changed(x_test=np.zeros((10, 5, 5), np.uint8)), "'x_test' .* must be like 'x_train'"),
        (
            changed(x_test=np.zeros((10, 6, 5))),
            r"type uint8, but its images have shape \(6, 5, 1\) and type float32",
        ),
        (changed(y_train=np.eye(3)[np.arange(40) % 3]), "for one-hot rows use argmax"),
        (changed(y_train=(np.arange(40) % 3).astype(float)), "whole numbers of shape"),
        (changed(y_train=np.arange(39) % 3), "there are 40 images and 39 labels"),
        (changed(y_train=np.arange(40) % 3 + 1), "it holds 1, 2, 3; number the classes from 0"),
        (changed(y_train=np.zeros(40, int)), "at least two of them, but it holds 0"),
        (changed(y_test=np.full(10, 7)), "only classes that 'y_train' holds, but it holds 7"),
        (changed(y_test=np.full(10, -1)), "but it holds -1"),
        (own_arrays(9), "at least 10 training images"),
        (lambda: 1 / 0, "it raised ZeroDivisionError: division by zero; try it alone first"),
        (lambda name: name, "called without arguments"),
    ],
)
def test_an_own_set_that_is_no_good_says_why(returned: Any, message: str, own: Callable[[Any], str]) -> None:
    name = own(returned)
    with pytest.raises(InputError, match=message) as caught:
        load(name)
    assert "own_images:data" in str(caught.value)
    assert one_sentence(str(caught.value))


def test_an_own_set_that_is_not_there_says_so() -> None:
    with pytest.raises(InputError, match="there is no module 'no_such_images'"):
        load("no_such_images:data")
