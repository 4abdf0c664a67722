"""The networks of the catalogue by their formulas, and a user's own by their contract."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import keras
import pytest

from study import architectures
from study.architectures import ARCHITECTURES
from study.errors import InputError
from study.layers import Dropout, Rates
from study.programs import program_of
from study.training import Training

replace = dataclasses.replace

SHAPES = [(8, 8, 1), (9, 12, 3)]


def network(
    training: Training, shape: tuple[int, int, int] = (8, 8, 1), classes: int = 10, **changes: Any
) -> keras.Model:
    program = program_of(replace(training, **changes))
    rates = Rates(dropping=program.dropping)
    return architectures.build(program, shape, classes, keras.ops.relu, rates)


def arguments(depth: int, width: int) -> tuple[tuple[str, int], ...]:
    return (("depth", depth), ("width", width))


def longest_path(model: keras.Model) -> int:
    """Return the number of layers with a kernel on the longest path from the inputs to the output."""
    known: dict[int, int] = {}

    def below(tensor: Any) -> int:
        if id(tensor) not in known:
            layer, node, _ = tensor._keras_history
            inputs = layer._inbound_nodes[node].input_tensors
            known[id(tensor)] = int(hasattr(layer, "kernel")) + max(map(below, inputs), default=0)
        return known[id(tensor)]

    return below(model.outputs[0])


@pytest.mark.parametrize(
    ("name", "depth"), [("mlp", 2), ("mlp", 3), ("mlp", 15), ("convmlp", 4), ("convmlp", 15)]
)
def test_depth_is_the_weight_layers_of_the_longest_path(training: Training, name: str, depth: int) -> None:
    built = network(training, architecture=name, architecture_arguments=arguments(depth, 5), dropout=0.1)
    assert longest_path(built) == depth
    assert ARCHITECTURES[name].arguments["depth"].minimum <= depth


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(("depth", "width"), [(2, 7), (3, 7), (6, 16)])
@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_of_mlp(
    training: Training, shape: tuple[int, int, int], depth: int, width: int, normalized: bool
) -> None:
    built = network(
        training, shape, 4, architecture_arguments=arguments(depth, width), batch_normalization=normalized
    )
    hidden = depth - 1
    expected = (math.prod(shape) + 1) * width + (hidden - 1) * (width + 1) * width + (width + 1) * 4
    assert sum(v.value.shape.num_elements() for v in built.trainable_variables) == (
        expected + 2 * width * hidden * normalized  # scale and offset
    )
    assert built.count_params() == expected + 4 * width * hidden * normalized  # mean and variance too


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(("depth", "width"), [(4, 7), (6, 16)])
@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_of_convmlp(
    training: Training, shape: tuple[int, int, int], depth: int, width: int, normalized: bool
) -> None:
    built = network(
        training, shape, 4, architecture="convmlp", architecture_arguments=arguments(depth, width),
        batch_normalization=normalized,
    )  # fmt: skip
    height, breadth, channels = shape
    hidden = depth - 3
    convolutions = (25 * channels + 1) * 20 + (25 * 20 + 1) * 50
    flat = (height // 2) * (breadth // 2) * 50
    dense = (flat + 1) * width + (hidden - 1) * (width + 1) * width + (width + 1) * 4
    assert built.count_params() == convolutions + dense + 4 * width * hidden * normalized


@pytest.mark.parametrize(("name", "depth", "dropouts"), [("mlp", 5, 4), ("convmlp", 6, 4)])
def test_each_dropout_layer_has_a_site_of_its_own(
    training: Training, name: str, depth: int, dropouts: int
) -> None:
    def sites(rate: float) -> list[int]:
        built = network(training, architecture=name, architecture_arguments=arguments(depth, 5), dropout=rate)
        return [layer.site for layer in built.layers if isinstance(layer, Dropout)]

    assert len(set(sites(0.1))) == len(sites(0.1)) == dropouts
    assert sites(0.0) == []


@pytest.mark.parametrize("name", ["mlp", "convmlp"])
def test_penalties_are_on_the_hidden_kernels_alone(training: Training, name: str) -> None:
    program = program_of(replace(training, architecture=name, architecture_arguments=arguments(4, 5)))
    rates = Rates(dropping=False)
    built = architectures.build(program, (8, 8, 1), 10, keras.ops.relu, rates)
    rates.assign(replace(training, regularizer="l1_l2", regularizer_strength=1.0))
    for variable in built.trainable_variables:
        variable.assign(keras.ops.full(variable.shape, 2.0))
    *hidden, _ = [layer.kernel for layer in built.layers if hasattr(layer, "kernel")]
    assert len(built.losses) == len(hidden) == 3
    assert float(sum(built.losses)) == sum((2.0 + 4.0) * math.prod(kernel.shape) for kernel in hidden)


OWN = """
import keras

SEEN = []

def net(input_shape, classes, activation, width, dropout, batch_normalization, regularizer):
    SEEN.append((width, dropout, batch_normalization, regularizer))
    return plain(input_shape, classes, activation)

def plain(input_shape, classes, activation):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)])

def anything(input_shape, classes, activation, **arguments):
    SEEN.append(arguments)
    return plain(input_shape, classes, activation)

def five_logits(input_shape, classes, activation):
    return plain(input_shape, 5, activation)

def two_outputs(input_shape, classes, activation):
    one = plain(input_shape, classes, activation)
    return keras.Model(one.inputs, [one.outputs[0], one.outputs[0]])

def a_layer(input_shape, classes, activation):
    return keras.layers.Dense(classes)

def nothing(input_shape, classes, activation):
    pass
"""


@pytest.fixture
def own(training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    (tmp_path / "own_networks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return replace(training, architecture="own_networks:plain", architecture_arguments=())


def test_an_own_network_gets_the_rates_that_it_has_parameters_for(own: Training) -> None:
    import own_networks  # type: ignore[import-not-found]

    network(
        own, architecture="own_networks:net", architecture_arguments=(("width", 9),), dropout=0.25,
        batch_normalization=True, regularizer="l2",
    )  # fmt: skip
    assert own_networks.SEEN == [(9, 0.25, True, "l2")]


def test_an_own_network_that_takes_any_argument_gets_what_the_spec_sets(own: Training) -> None:
    import own_networks  # type: ignore[import-not-found]

    network(own, architecture="own_networks:anything", architecture_arguments=(("heads", 2),))
    assert own_networks.SEEN[-1] == {"heads": 2}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("five_logits", r"output shape \(None, 5\); it must be \(None, 10\): one logit per class"),
        ("two_outputs", "it must be .None, 10.: one logit per class, without softmax"),
        ("a_layer", "must return a keras.Model, and it returned a Dense"),
        ("nothing", "must return a keras.Model, and it returned a NoneType"),
    ],
)
def test_an_own_network_must_be_a_model_that_ends_in_logits(own: Training, name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=f"own_networks:{name} .*{sentence}"):
        network(own, architecture=f"own_networks:{name}")


def test_an_argument_that_an_own_network_does_not_take_is_refused(own: Training) -> None:
    with pytest.raises(InputError, match="own_networks:plain takes no argument 'depth', which the spec sets"):
        network(own, architecture_arguments=(("depth", 3),))
