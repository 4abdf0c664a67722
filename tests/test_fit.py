"""The reference engine: real Keras, real TensorFlow, on digits."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from study import batches, initializers, streams
from study.errors import InputError
from study.packing import groups
from study.programs import program_of
from study.training import Status, Training, TrainingResult

if TYPE_CHECKING:
    from study.fit import FitEngine

replace = dataclasses.replace


@pytest.fixture(scope="module")
def engine() -> "FitEngine":
    from study.fit import FitEngine

    return FitEngine()


def train(engine: "FitEngine", *trainings: Training) -> list[TrainingResult]:
    """Train in the order given: each training is a group of its own."""
    return list(engine.train([group for each in trainings for group in groups([each])]))


def timeless(result: TrainingResult) -> TrainingResult:
    return replace(result, seconds=0.0, build_seconds=0.0, examples_per_second=0.0, peak_memory_mib=0.0)


def test_a_training_does_not_depend_on_the_programs_before(engine: "FitEngine", training: Training) -> None:
    first = replace(training, dropout=0.2, regularizer="l2", regularizer_strength=1e-3, optimizer="nadam")
    others = [
        replace(first, replicate=1, learning_rate=0.05),
        replace(first, initializer="orthogonal", dropout=0.5),
        replace(first, activation="relu"),
        replace(first, optimizer="sgd", learning_rate=1e6),
    ]
    alone = train(engine, first)[0]
    again = train(engine, *others, first)[-1]
    assert timeless(again) == timeless(alone)


def test_a_program_is_traced_once(engine: "FitEngine", training: Training) -> None:
    training = replace(training, dropout=0.1)
    trainings = [
        training,
        replace(training, learning_rate=0.1, dropout=0.3, initializer="he_normal"),
        replace(training, regularizer="l1_l2", regularizer_strength=0.01, replicate=3),
        replace(training, configuration="another", epochs=2),
    ]
    assert len({program_of(each) for each in trainings}) == 1
    train(engine, *trainings)
    assert engine._compiled is not None
    assert engine._compiled.model.traces == 1


def test_first_steps_equal_a_loop_in_numpy(engine: "FitEngine", training: Training) -> None:
    """The whole path against an independent implementation: weights, order, mask, loss, clipping, SGD."""
    chosen = replace(
        training, activation="tanh", optimizer="sgd", learning_rate=0.5, dropout=0.25, epochs=2,
        regularizer="l1_l2", regularizer_strength=1e-3, initializer="he_uniform",
        architecture_arguments=(("depth", 2), ("width", 16)), learning_rate_policy="one_cycle",
        gradient_clipping=0.8, gain_matched_initialization=True,
    )  # fmt: skip
    (result,) = train(engine, chosen)
    cut = engine.load("digits", chosen.train_size).train
    key = streams.key(chosen, "weights")
    w1 = initializers.draw(initializers.INITIALIZERS["he_uniform"], (64, 16), key, 0).astype(float)
    w2 = initializers.draw(initializers.INITIALIZERS["glorot_uniform"], (16, 10), key, 2).astype(float)
    w1 *= 1.592537 / np.sqrt(2.0)  # the gain of tanh for that of ReLU
    b1, b2 = np.zeros(16), np.zeros(10)
    losses, clipped = [], 0
    step = 0
    for epoch in range(2):
        for rows in batches.epoch_order(streams.key(chosen, "order"), epoch, len(cut.x), 32):
            x, y = cut.x[rows].reshape(32, 64).astype(float), np.eye(10)[cut.y[rows]]
            u = streams.uniform(streams.bits(streams.key(chosen, "dropout"), np.uint32(step), 32 * 16))
            mask = (u.reshape(32, 16) >= 0.25) / 0.75
            h = np.tanh(x @ w1 + b1)
            logits = (h * mask) @ w2 + b2
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            losses.append(-np.log((p * y).sum(1)).mean())
            d_logits = (p - y) / 32
            d_h = d_logits @ w2.T * mask * (1 - h**2)
            d_w1 = x.T @ d_h + 1e-3 * np.sign(w1) + 2e-3 * w1
            weights = (w1, b1, w2, b2)
            gradients = (d_w1, d_h.sum(0), (h * mask).T @ d_logits, d_logits.sum(0))
            norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
            clipped += norm > 0.8
            rise, fall = np.cos(np.pi * np.array([step / 15 / 0.3, (step / 15 - 0.3) / 0.7]))
            rate = 0.5 * ((1.04 - 0.96 * rise) / 2 if step / 15 < 0.3 else (1.0001 + 0.9999 * fall) / 2)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= rate * min(1.0, 0.8 / norm) * gradient
            step += 1
    assert 0 < clipped < step
    expected = [np.mean(losses[:8]), np.mean(losses[8:])]
    # float32 against float64 over 16 steps
    np.testing.assert_allclose(result.curve["train_loss"], expected, rtol=2e-5)


def test_a_program_without_dropout_gives_the_numbers_of_one_with_rate_0(training: Training) -> None:
    from study import datasets
    from study.fit import CompiledProgram

    data = datasets.load(training.dataset, train_size=training.train_size)
    plain = program_of(replace(training, dropout=0.0))
    assert not plain.dropping
    without, with_masks = (
        CompiledProgram(replace(plain, dropping=dropping), data).train(replace(training, dropout=0.0))
        for dropping in (False, True)
    )
    assert timeless(without) == timeless(with_masks)


def test_activations_of_a_block_share_weights_and_order(engine: "FitEngine", training: Training) -> None:
    """With a rate of 0 nothing is learned, so the networks must still be the initial ones."""
    frozen = replace(training, optimizer="sgd", learning_rate=0.0, epochs=1)
    weights = []
    for activation in ("mish", "relu"):
        train(engine, replace(frozen, activation=activation))
        assert engine._compiled is not None
        weights.append(engine._compiled.model.network.get_weights())
        order = engine._compiled.model.order.numpy()
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(order, batches.epoch_order(streams.key(frozen, "order"), 0, 256, 32))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"batch_normalization": True},
        {"input_noise": 0.3},
        {"input_noise": 0.3, "noise_at": "test"},
        {"augmentation": "shift"},
        {"mixup": 0.4},
        {"checkpoint": "best"},
        {"dropout": 0.4},
        {"regularizer": "l1", "regularizer_strength": 0.01},
        {"architecture": "convmlp", "architecture_arguments": (("depth", 4), ("width", 8))},
    ],
    ids=lambda change: "-".join(map(str, change)),
)
def test_each_setting_changes_the_training_and_is_repeatable(
    engine: "FitEngine",
    training: Training,
    change: dict[str, object],
) -> None:
    changed = replace(training, **change)  # type: ignore[arg-type]
    plain, first, second = train(engine, training, changed, changed)
    assert first.status is Status.OK
    assert timeless(first) == timeless(second)
    if "checkpoint" not in change:
        assert first.metrics != plain.metrics


@pytest.mark.parametrize("name", ["mlp", "convmlp"])
def test_depth_counts_weight_layers(name: str) -> None:
    from study import architectures
    from study.layers import Rates

    base = Training(
        dataset="digits", architecture=name, architecture_arguments=(("depth", 7), ("width", 12)),
        activation="relu", epochs=1, batch_size=8, optimizer="sgd", learning_rate=0.1, sweep_seed=0,
        configuration="c", replicate=0, batch_normalization=True,
    )  # fmt: skip
    network = architectures.build(program_of(base), (8, 8, 1), 10, lambda x: x, Rates())
    kernels = [v for v in network.trainable_variables if v.name == "kernel"]
    assert len(kernels) == 7
    assert network.output_shape == (None, 10)


OWN = """
import keras

def cubic(x):
    return x * x * x

def net(input_shape, classes, activation, width, dropout):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(width, activation=activation, kernel_initializer="he_normal"),
        keras.layers.Dropout(dropout, seed=3),
        keras.layers.Dense(classes),
    ])

def softmax_net(input_shape, classes, activation, width):
    model = net(input_shape, classes, activation, width, 0.0)
    return keras.Sequential([model, keras.layers.Softmax()])

def broken(x):
    raise ValueError("no such luck")

def wrong_shape(x):
    return x[:2]
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_parts"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"activation": "own_parts:broken"},
            "own_parts:broken raised ValueError when tried on a small batch: no such luck",
        ),
        ({"activation": "own_parts:wrong_shape"}, "must map a tensor to finite numbers of the same shape"),
        ({"architecture": "own_parts:softmax_net"}, "returns probabilities; an architecture ends in logits"),
        ({"architecture": "own_parts:net"}, "takes no argument 'depth'"),
    ],
)
def test_unusable_own_functions_are_one_sentence(
    engine: "FitEngine",
    training: Training,
    own_module: str,
    change: dict[str, str],
    sentence: str,
) -> None:
    arguments = (
        (("depth", 2), ("width", 8)) if change.get("architecture") == "own_parts:net" else (("width", 8),)
    )
    if "activation" in change:
        arguments = training.architecture_arguments
    own = replace(training, architecture_arguments=arguments, **change)
    with pytest.raises(InputError, match=sentence):
        engine.check([own])
