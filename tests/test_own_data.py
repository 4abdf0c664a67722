"""A user's own data set."""

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from data_sets import one_sentence

from study.datasets import card_of, content_digest, load
from study.errors import InputError


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
