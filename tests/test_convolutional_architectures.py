"""The convolutional networks of the catalogue: published sizes, structure, and that each one learns."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine_children import Child
from test_architectures import longest_path

from study import architectures
from study.architectures import ARCHITECTURES
from study.architectures.capsule import Routing
from study.architectures.sizes import COUNTED, size_of
from study.errors import InputError
from study.initial_values import draw, schemes_of
from study.initializers import INITIALIZERS
from study.layers import Dropout, Rates
from study.programs import program_of
from study.training import Level, Training

replace = dataclasses.replace

MNIST, CIFAR = (28, 28, 1), (32, 32, 3)
NAMES = tuple(COUNTED)
HEAVY = "inception_resnet_v2"
EACH = [pytest.param(name, marks=pytest.mark.slow if name == HEAVY else ()) for name in NAMES]
"""Building the smallest of the heavy one takes a second."""


def settings(name: str, **changes: Level) -> tuple[tuple[str, Level], ...]:
    """Return the arguments of an architecture: its smallest depth, an eighth of the width, and changes."""
    arguments: dict[str, Level] = {key: each.default for key, each in ARCHITECTURES[name].arguments.items()}
    if "depth" in arguments:
        arguments["depth"] = int(ARCHITECTURES[name].arguments["depth"].minimum)
    return tuple(sorted({**arguments, "width_multiplier": 0.125, **changes}.items()))


def built(
    training: Training,
    name: str,
    shape: tuple[int, int, int] = (16, 16, 3),
    classes: int = 10,
    rates: Rates | None = None,
    *,
    batch_normalization: bool | None = None,
    dropout: float = 0.0,
    **changes: Any,
) -> keras.Model:
    """Return a network, normalized as it is published unless told otherwise."""
    published = ARCHITECTURES[name].batch_normalization
    asked = replace(
        training,
        architecture=name,
        architecture_arguments=settings(name, **changes),
        batch_normalization=published if batch_normalization is None else batch_normalization,
        dropout=dropout,
    )
    program = program_of(asked)
    rates = rates or Rates(dropping=program.dropping)
    return architectures.build(program, shape, classes, keras.ops.tanh, rates)


def trainable(network: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


@pytest.mark.parametrize(
    ("name", "shape", "arguments", "total", "trained"),
    [
        ("lenet4", MNIST, {}, 1_256_080, 1_256_080),  # the benchmark's own notebook
        ("resnet_v1", CIFAR, {"depth": 20}, 274_442, 273_066),  # Keras' cifar10_resnet, as are these
        ("resnet_v1", CIFAR, {"depth": 32}, 470_218, 467_946),
        ("resnet_v2", CIFAR, {"depth": 20}, 574_090, 570_602),
        ("resnet_v2", CIFAR, {"depth": 56}, 1_673_738, 1_663_338),
        ("capsule", CIFAR, {}, 280_640, 280_640),  # Keras' cifar10_cnn_capsule
        pytest.param(  # Keras' application without its output, 54,336,736, and ours
            HEAVY, CIFAR, {"depth": 176}, 54_336_736 + 1537 * 10, 54_291_562, marks=pytest.mark.slow
        ),
    ],
)
def test_parameters_are_the_published_ones(
    training: Training,
    name: str,
    shape: tuple[int, int, int],
    arguments: dict[str, Any],
    total: int,
    trained: int,
) -> None:
    network = built(training, name, shape, width_multiplier=1.0, **arguments)
    assert (network.count_params(), trainable(network)) == (total, trained)


def normal(inputs: int, filters: int, window: int = 9) -> int:
    """Return the parameters of a convolution and the two that are trained of each normalized channel."""
    return (inputs * window + 1) * filters + 2 * filters


def test_parameters_of_squeezenet(training: Training) -> None:
    """The PyTorch network that the study took has 0.78 million for 100 classes."""
    fires = [(96, 128, 16), (128, 128, 16), (128, 256, 32), (256, 256, 32), (256, 384, 48), (384, 384, 48)]
    fires += [(384, 512, 64), (512, 512, 64)]
    expected = normal(3, 96) + 513 * 100
    for inputs, outputs, squeezed in fires:
        half = outputs // 2
        expected += normal(inputs, squeezed, 1) + normal(squeezed, half, 1) + normal(squeezed, half)
    assert round(expected / 1e6, 2) == 0.78
    assert trainable(built(training, "squeezenet", CIFAR, 100, width_multiplier=1.0)) == expected


def test_parameters_of_mini_vgg(training: Training) -> None:
    expected = normal(1, 32) + normal(32, 32) + normal(32, 64) + normal(64, 64)
    expected += normal(7 * 7 * 64, 512, 1) + 513 * 10
    assert trainable(built(training, "mini_vgg", MNIST, width_multiplier=1.0)) == expected


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("resnet_v1", 8),
        ("resnet_v1", 20),
        ("resnet_v2", 11),
        ("resnet_v2", 20),
        pytest.param(HEAVY, 32, marks=pytest.mark.slow),
        pytest.param(HEAVY, 96, marks=pytest.mark.slow),
    ],
)
def test_depth_is_the_weight_layers_of_the_longest_path(training: Training, name: str, depth: int) -> None:
    assert longest_path(built(training, name, depth=depth)) == depth


@pytest.mark.parametrize(
    ("name", "depth"), [("lenet4", 4), ("mini_vgg", 6), ("squeezenet", 18), ("capsule", 5)]
)
def test_depth_of_the_networks_that_have_one(training: Training, name: str, depth: int) -> None:
    assert longest_path(built(training, name)) == depth


@pytest.mark.parametrize("name", EACH)
def test_the_width_multiplier_thins_every_hidden_layer_and_no_output(training: Training, name: str) -> None:
    def outputs(multiplier: float) -> list[int]:
        network = built(training, name, classes=7, width_multiplier=multiplier)
        return [layer.kernel.shape[-1] for layer in network.layers if hasattr(layer, "kernel")]

    whole, half = outputs(1.0), outputs(0.5)
    assert half[:-1] == [units // 2 for units in whole[:-1]]
    assert half[-1] == whole[-1]


@pytest.mark.parametrize("name", EACH)
def test_normalization_and_dropout_are_there_where_asked_for(training: Training, name: str) -> None:
    def kinds(network: keras.Model) -> list[type]:
        return [type(layer) for layer in network.layers]

    with_both = built(training, name, batch_normalization=True, dropout=0.1)
    without = built(training, name, batch_normalization=False)
    assert keras.layers.BatchNormalization in kinds(with_both)
    assert keras.layers.BatchNormalization not in kinds(without)
    assert Dropout not in kinds(without)
    sites = [layer.site for layer in with_both.layers if isinstance(layer, Dropout)]
    assert len(set(sites)) == len(sites) >= 1


@pytest.mark.parametrize("name", EACH)
def test_hidden_kernels_start_by_the_training_and_are_penalized_the_output_is_not(
    training: Training, name: str
) -> None:
    rates = Rates(dropping=False)
    network = built(training, name, rates=rates)
    found = schemes_of(network)
    assert {id(variable) for variable, _ in found} == {id(variable) for variable in network.variables}
    *hidden, output = [scheme for variable, scheme in found if variable.name == "kernel"]
    assert set(hidden) == {None}
    assert output == INITIALIZERS["glorot_uniform"]
    assert not any(np.asarray(variable).any() for variable, _ in found if variable.name == "kernel")
    rates.assign(replace(training, regularizer="l1", regularizer_strength=1.0))
    for (variable, _), value in zip(found, draw(found, training), strict=True):
        variable.assign(value)
    *kernels, _ = [layer.kernel for layer in network.layers if hasattr(layer, "kernel")]
    penalties = sum(float(keras.ops.sum(keras.ops.abs(kernel))) for kernel in kernels)
    assert float(sum(network.losses)) == pytest.approx(penalties, rel=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if ARCHITECTURES[name].smallest > 1])
def test_the_smallest_images_pass_and_smaller_ones_are_refused(training: Training, name: str) -> None:
    side = ARCHITECTURES[name].smallest
    assert built(training, name, (side, side, 1)).output_shape == (None, 10)
    with pytest.raises(InputError, match=f"{name} needs images of at least {side}x{side} pixels, and these"):
        built(training, name, (side + 9, side - 1, 1))


@pytest.mark.parametrize("name", [name for name in NAMES if ARCHITECTURES[name].smallest > 1])
def test_one_pixel_less_than_the_smallest_leaves_nothing(
    training: Training, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is that of the network and no guess."""
    monkeypatch.setattr(architectures, "too_small", lambda *_: None)

    def works(side: int) -> bool:
        try:
            network = built(training, name, (side, side, 1))
        except ValueError:
            return False
        return bool(np.isfinite(np.asarray(network(np.ones((2, side, side, 1), np.float32)))).all())

    assert works(ARCHITECTURES[name].smallest)
    assert not works(ARCHITECTURES[name].smallest - 1)


@pytest.mark.parametrize("name", EACH)
def test_one_step_moves_every_weight_and_lowers_the_loss(training: Training, name: str) -> None:
    """On the batch of the step, without normalization, whose statistics would move too."""
    network = built(training, name, batch_normalization=False)
    he = replace(training, initializer="he_normal")
    found = schemes_of(network)
    for (variable, _), value in zip(found, draw(found, he), strict=True):
        variable.assign(value)
    rng = np.random.default_rng(0)
    x, y = rng.random((16, 16, 16, 3), np.float32), rng.integers(0, 10, 16)

    def loss() -> Any:
        logits = network(x, training=True)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))

    with tf.GradientTape() as tape:
        before = loss()
    gradients = tape.gradient(before, network.trainable_variables)
    assert all(np.isfinite(gradient).all() and np.any(gradient) for gradient in map(np.asarray, gradients))
    norm = math.sqrt(sum(float(np.sum(np.square(gradient))) for gradient in gradients))
    for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.01 / norm * gradient)
    assert float(loss()) < float(before)


def lengths(predictions: np.ndarray, routings: int) -> np.ndarray:
    """Return the lengths of the capsules, written out from the example for one image at a time."""
    found: list[np.ndarray] = []
    for image in predictions.astype(np.float64):
        agreement, capsules = np.zeros(image.shape[:2]), np.zeros(image.shape[1:])
        for _ in range(routings):
            weights = np.exp(agreement - agreement.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            capsules = np.zeros(image.shape[1:])
            for position in range(len(image)):
                capsules += weights[position][:, None] * image[position]
            squared = (capsules**2).sum(axis=1, keepdims=True)
            capsules *= np.sqrt(squared) / (0.5 + squared)
            agreement = np.array([(capsules * predicted).sum(axis=1) for predicted in image])
        found.append(np.sqrt((capsules**2).sum(axis=1)))
    return np.array(found)


@pytest.mark.parametrize("routings", [1, 2, 3, 5])
def test_the_logits_of_capsules_are_the_log_odds_of_their_lengths(routings: int) -> None:
    predictions = np.random.default_rng(routings).normal(size=(3, 9, 4, 16)).astype(np.float32)
    logits = np.asarray(Routing(routings)(predictions))
    expected = lengths(predictions, routings)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, rtol=1e-4)


@pytest.mark.parametrize("name", EACH)
def test_the_size_for_estimates_is_that_of_the_network(training: Training, name: str) -> None:
    def counted(shape: tuple[int, int, int], **changes: Level) -> np.ndarray:
        """Return layers, multiply-adds, parameters and outputs of a network that is built."""
        network = built(training, name, shape, **changes)
        rows: list[tuple[int, int, int, int]] = []
        for layer in (layer for layer in network.layers if hasattr(layer, "kernel")):
            outputs, kernel = math.prod(layer.output.shape[1:]), math.prod(layer.kernel.shape)
            rows.append((1, outputs * kernel // layer.kernel.shape[-1], kernel, outputs))
        return np.sum(rows, axis=0)

    def estimated(shape: tuple[int, int, int], **changes: Level) -> np.ndarray:
        return np.array(size_of(name, shape, dict(settings(name, **changes))))

    whole: dict[str, Any] = {"width_multiplier": 1.0}
    np.testing.assert_array_equal(counted(CIFAR, **whole), estimated(CIFAR, **whole))
    if "depth" in ARCHITECTURES[name].arguments:
        argument = ARCHITECTURES[name].arguments["depth"]
        whole["depth"] = int(argument.minimum) + 2 * argument.step
        np.testing.assert_array_equal(counted(CIFAR, **whole), estimated(CIFAR, **whole))
    half: dict[str, Any] = {"width_multiplier": 0.5}
    layers, multiply_adds, *_ = counted(MNIST, **half) / estimated(MNIST, **half)
    assert layers == 1.0
    assert multiply_adds == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_each_trains_in_every_engine_that_it_is_for(
    child_of: Callable[[str], Child], training: Training, name: str
) -> None:
    """Eight pixels are too few for one of them, which is refused."""
    tiny = replace(
        training,
        architecture=name,
        architecture_arguments=settings(name, width_multiplier=0.1),
        batch_normalization=ARCHITECTURES[name].batch_normalization,
        train_size=32,
        epochs=1,
        dropout=0.1,
    )
    for engine in ARCHITECTURES[name].engines:
        if ARCHITECTURES[name].smallest > 8:
            with pytest.raises(InputError, match="needs images of at least 14x14 pixels, and these have 8x8"):
                child_of(engine).train(tiny)
            continue
        (result,) = child_of(engine).train(tiny)
        assert result.status == "ok", result.reason
        assert math.isfinite(result.metrics["test_loss"])
