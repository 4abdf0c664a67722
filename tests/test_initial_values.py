"""How every variable of a network starts, whoever built the network."""

import dataclasses
import itertools
from typing import Any

import keras
import numpy as np
import pytest

from study import architectures, initializers, streams
from study.errors import InputError
from study.initial_values import draw, schemes_of
from study.initializers import INITIALIZERS, Scheme
from study.layers import Rates
from study.programs import program_of
from study.training import Training

replace = dataclasses.replace


def stack(*layers: Any, shape: tuple[int, ...] = (8, 8, 1)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers])


def schemes(*layers: Any) -> dict[str, Scheme | None]:
    return {variable.name: scheme for variable, scheme in schemes_of(stack(*layers))}


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_keras_initializer_of_a_name_means_our_scheme_of_that_name(name: str) -> None:
    assert schemes(keras.layers.Dense(4, kernel_initializer=name))["kernel"] == INITIALIZERS[name]


@pytest.mark.parametrize(
    ("initializer", "scheme"),
    [
        (keras.initializers.RandomNormal(0.0, 0.2), Scheme("normal", 0.2)),
        (keras.initializers.RandomUniform(-0.3, 0.3), Scheme("uniform", 0.3)),
        (keras.initializers.TruncatedNormal(0.0, 0.1), Scheme("truncated_normal", 0.1)),
        (keras.initializers.Orthogonal(gain=2.0), Scheme("orthogonal", 2.0)),
        (keras.initializers.Constant(0.25), Scheme("constant", 0.25)),
        (
            keras.initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal"),
            Scheme("normal", 3.0, "out"),
        ),
        (keras.initializers.VarianceScaling(3.0, "fan_avg", "uniform"), Scheme("uniform", 3.0, "avg")),
    ],
)
def test_arguments_of_keras_initializers_are_kept(initializer: Any, scheme: Scheme) -> None:
    """The translation against Keras itself: the same spread, and the same largest value to 1 %."""
    assert schemes(keras.layers.Dense(4, kernel_initializer=initializer))["kernel"] == scheme
    shape = (300, 200)
    theirs = np.asarray(initializer(shape))
    ours = initializers.draw(scheme, shape, np.array([1, 2], np.uint32), 0)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02, abs=1e-12)
    if scheme.distribution in ("uniform", "truncated_normal"):
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (
            keras.layers.Dense(4, name="tilt", kernel_initializer=keras.initializers.RandomNormal(0.1, 0.2)),
            "the initial value of tilt.kernel comes from RandomNormal, which the shared streams cannot draw",
        ),
        (
            keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomUniform(0.0, 0.2)),
            "comes from RandomUniform",
        ),
        (
            keras.layers.Dense(8, kernel_initializer="identity"),
            "comes from Identity.*use a layer with one of Keras' ten named initializers",
        ),
        (
            keras.layers.DepthwiseConv2D(3, name="thin"),
            "the initial value of thin.kernel comes from code of its layer",
        ),
    ],
)
def test_what_the_streams_cannot_draw_is_one_sentence(layer: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        schemes_of(stack(layer))


def test_every_variable_of_the_catalogue_starts_as_its_paper_says(training: Training) -> None:
    """Hidden kernels by the training's initializer, the output's by Glorot's, the rest at 0 or 1."""
    normalized = replace(
        training, batch_normalization=True, dropout=0.1, initializer="he_uniform", architecture="convmlp",
        architecture_arguments=(("depth", 5), ("width", 30)),
    )  # fmt: skip
    network = architectures.build(program_of(normalized), (8, 8, 1), 10, keras.ops.relu, Rates())
    found = schemes_of(network)
    values = draw(found, normalized)
    variables = {id(variable) for variable, _ in found}
    assert variables == {id(v) for v in network.variables if v.path.partition("/")[0] != "rates"}
    *hidden, output = [i for i, (variable, _) in enumerate(found) if variable.name == "kernel"]
    assert len(hidden) == 4
    assert {found[i][1] for i in hidden} == {None}
    assert found[output][1] == INITIALIZERS["glorot_uniform"]
    for i in hidden:
        fan_in, _ = initializers.fans(values[i].shape)
        assert np.abs(values[i]).max() == pytest.approx(np.sqrt(6 / fan_in), rel=0.05)
    starts = {"bias": 0.0, "beta": 0.0, "moving_mean": 0.0, "gamma": 1.0, "moving_variance": 1.0}
    for (variable, _), value in zip(found, values, strict=True):
        assert value.shape == tuple(variable.shape)
        if variable.name != "kernel":
            np.testing.assert_array_equal(value, starts[variable.name])


def test_each_variable_has_its_own_place_in_the_stream_of_weights(training: Training) -> None:
    network = stack(
        keras.layers.Flatten(), *(keras.layers.Dense(64, kernel_initializer="he_normal") for _ in range(3))
    )
    found = schemes_of(network)
    values = draw(found, training)
    key = streams.key(training, "weights")
    for place in (0, 2, 4):
        expected = initializers.draw(INITIALIZERS["he_normal"], (64, 64), key, place)
        np.testing.assert_array_equal(values[place], expected)
    for a, b in itertools.combinations(values[::2], 2):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.1
    for same in (replace(training, activation="relu"), replace(training, learning_rate=1.0)):
        np.testing.assert_array_equal(draw(found, same)[2], values[2])
    assert not np.array_equal(draw(found, replace(training, replicate=1))[2], values[2])


def test_stock_random_layers_start_from_the_stream_whatever_they_drew_before(training: Training) -> None:
    network = stack(
        keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0, seed=3)
    )
    x = np.ones((4, 8, 8, 1), np.float32)
    found = schemes_of(network)
    assert [variable.name for variable, _ in found] == ["seed_generator_state"] * 2

    def masks(chosen: Training) -> list[np.ndarray]:
        for (variable, _), value in zip(found, draw(found, chosen), strict=True):
            variable.assign(value)
        return [np.asarray(network(x, training=True)) for _ in range(2)]

    first, second = masks(training)
    assert not np.array_equal(first, second)
    for again, once in zip(masks(replace(training, activation="relu")), (first, second), strict=True):
        np.testing.assert_array_equal(again, once)
    assert not np.array_equal(masks(replace(training, replicate=1))[0], first)
