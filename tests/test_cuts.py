"""The cuts: partitions, in proportion to the classes, the same bytes everywhere."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_sets import run, sha256

from study.cuts import Cut, stratified_order
from study.datasets import Dataset, card_of, content_digest, load
from study.errors import InputError


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "cifar10-repaired"])
def test_cuts_have_the_sizes_shapes_types_and_values_of_the_card(
    name: str, request: pytest.FixtureRequest
) -> None:
    dataset = load(name, None if name == "digits" else request.getfixturevalue("data_folder"))
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


def test_a_train_size_takes_the_first_images_and_leaves_the_other_cuts(
    mnist: Dataset, data_folder: Path
) -> None:
    small, larger = (load("mnist", data_folder, train_size=n) for n in (1000, 2000))
    assert np.array_equal(larger.train.x[:1000], small.train.x)
    assert np.array_equal(mnist.train.y[:2000], larger.train.y)
    assert np.array_equal(mnist.validation.x, small.validation.x)
    assert small.card == mnist.card


@pytest.mark.parametrize("train_size", [0, -1, 1079])
def test_a_train_size_outside_the_cut_is_refused(train_size: int) -> None:
    with pytest.raises(InputError, match=f"from 1 to 1078, .* but {train_size} was given"):
        load("digits", train_size=train_size)


def test_the_cuts_of_the_nuclei_are_those_of_the_file_and_never_change(data_folder: Path) -> None:
    dataset = load("nuclei", data_folder)
    with np.load(data_folder / "nuclei.npz", allow_pickle=False) as file:
        x, y, is_val = (file[key] for key in ("x", "y", "is_val"))
    assert dataset.digest == "ad58294dec0e7cd7"
    assert np.array_equal(dataset.test.y, y[is_val])
    whole = np.concatenate([dataset.train.y, dataset.validation.y])
    assert sorted(map(bytes, whole)) == sorted(map(bytes, y[~is_val]))
    for cut in (dataset.train, dataset.validation, dataset.test):
        assert (cut.x.dtype, cut.y.dtype) == (np.float32, np.uint8)
        assert (cut.x.max(axis=(1, 2, 3)) == 1.0).all()  # each image by its own maximum
        assert set(np.unique(cut.y)) == {0, 1}
    pixels = np.rint(dataset.test.x[3, ..., 0] * x[is_val][3].max())
    assert np.array_equal(pixels, x[is_val][3])
