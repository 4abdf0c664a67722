"""The look at a user's own functions: each mistake is one sentence that names the function."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from study import datasets
from study.errors import InputError
from study.training import Training
from study.tryout import try_out

OWN = """
import keras
import numpy as np
from keras import ops

from study.layers import FromTraining

def smooth(x):
    return x + ops.tanh(x)

def nothing(x):
    return 0.0 * x

def sum_of_all(x):
    return ops.sum(x)

def one_short(x):
    return x[1:]

def first_column(x):
    return x[:, :1]

def no_return(x):
    ops.tanh(x)

def a_number(x):
    return 3.0

def logarithm(x):
    return ops.log(x)

def raising(x):
    raise ZeroDivisionError("no such luck")

def two_arguments(x, slope):
    return slope * x

def numpy_only(x):
    return np.maximum(x.numpy(), 0)

def net(input_shape, classes, activation, width=8, output=None, kernel="he_normal"):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(width, activation=activation, kernel_initializer=kernel),
        keras.layers.Dense(classes, activation=output),
    ])

def following(input_shape, classes, activation):
    return net(input_shape, classes, activation, kernel=FromTraining())

def probabilities(input_shape, classes, activation):
    return net(input_shape, classes, activation, output="softmax")

def five_logits(input_shape, classes, activation):
    return net(input_shape, 5, activation)

def no_model(input_shape, classes, activation):
    return net(input_shape, classes, activation).layers

def raising_net(input_shape, classes, activation):
    return net(input_shape, classes, activation, width=-3)

def raising_when_called(input_shape, classes, activation):
    def halve(x):
        return ops.reshape(x, (7, -1))
    inputs = keras.Input(input_shape)
    x = keras.layers.Lambda(halve, output_shape=(64,))(inputs)
    return keras.Model(inputs, keras.layers.Dense(classes)(x))

def foreign_weights(input_shape, classes, activation):
    return net(input_shape, classes, activation, kernel=keras.initializers.RandomNormal(mean=1.0))
"""


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


@pytest.fixture
def own(training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    (tmp_path / "tried.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return training


def changed(training: Training, **names: str) -> Training:
    """Return `training` with own functions in the place of ours."""
    references: dict[str, Any] = {key: f"tried:{name}" for key, name in names.items()}
    if "architecture" in names:
        references["architecture_arguments"] = ()
    return dataclasses.replace(training, **references)


def test_gains_are_matched_where_there_is_something_to_match(own: Training, digits: datasets.Dataset) -> None:
    matched = dataclasses.replace(own, gain_matched_initialization=True)
    try_out(changed(matched, activation="smooth"), digits)
    try_out(changed(matched, architecture="following"), digits)
    with pytest.raises(InputError, match="no kernel of tried:net follows the training's initializer"):
        try_out(changed(matched, architecture="net"), digits)
    with pytest.raises(InputError, match=r"whose gain lies between .* that of tried:nothing is inf"):
        try_out(changed(matched, activation="nothing"), digits)


def test_usable_functions_pass(own: Training, digits: datasets.Dataset) -> None:
    try_out(own, digits)
    try_out(changed(own, activation="smooth", architecture="net"), digits)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sum_of_all", r"must map a tensor to finite numbers of the same shape; .* it gave shape \(\)"),
        ("one_short", r"on numbers from -3 to 3 of shape \(13, 3\) it gave shape \(12, 3\)"),
        ("first_column", r"on numbers from -3 to 3 of shape \(13, 3\) it gave shape \(13, 1\)"),
        ("no_return", "must return a tensor, and it returned a NoneType; end it with a return.$"),
        ("a_number", "must return a tensor, and it returned a float; end it with a return.$"),
        ("logarithm", "must map a tensor to finite numbers of the same shape"),
        ("raising", "raised ZeroDivisionError when tried on a small batch: no such luck"),
        ("two_arguments", "raised TypeError when tried on a small batch: .*missing 1 required positional"),
        ("numpy_only", "raised AttributeError when tried on a small batch"),
    ],
)
def test_an_unusable_activation_is_named(
    own: Training, digits: datasets.Dataset, name: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=f"tried:{name} .*{sentence}"):
        try_out(changed(own, activation=name), digits)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("probabilities", "tried:probabilities returns probabilities; an architecture ends in logits"),
        ("five_logits", r"tried:five_logits returned a model with output shape \(None, 5\)"),
        ("no_model", "tried:no_model must return a keras.Model, and it returned a list"),
        ("raising_net", "tried:raising_net raised ValueError when tried on a small batch: .*units"),
        ("raising_when_called", "tried:raising_when_called raised .* when tried on a small batch"),
        ("foreign_weights", "dense.*kernel comes from RandomNormal, which the shared streams cannot draw"),
    ],
)
def test_an_unusable_architecture_is_named(
    own: Training, digits: datasets.Dataset, name: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        try_out(changed(own, architecture=name), digits)
