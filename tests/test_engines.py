"""What every engine promises, tried on both; and which one is chosen."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from engine_children import Child, design, timeless
from small_specs import OWN, TUNED, edited

from study.errors import InputError
from study.optimizers import OPTIMIZERS
from study.reports import EpochDone
from study.training import Status, Training
from sweeps import engines
from sweeps.spec import parse
from sweeps.training_process import ENGINES

RESNET = {"architecture": "resnet_v1", "factors.depth.levels": [8, 20], "fixed": {}}
INCEPTION = {"architecture": "inception_resnet_v2", "factors.depth.levels": [32, 176], "fixed": {}}


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, child_of: Callable[[str], Child]) -> Child:
    """Return the training process of each engine in turn."""
    return child_of(request.param)


def test_learns_digits(engine: Child, training: Training) -> None:
    whole = replace(training, train_size=None, epochs=12)
    (result,) = engine.executor.train(engines.grouped(engine.engine, "cpu", [whole], ()))
    assert result.digest == whole.digest
    assert result.status is Status.OK
    assert result.metrics["test_accuracy"] > 93.0
    assert set(result.metrics) == {
        f"{cut}_{name}" for cut in ("train", "validation", "test") for name in ("accuracy", "loss")
    }
    assert list(result.curve) == ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    assert [len(series) for series in result.curve.values()] == [12] * 4
    assert result.curve["validation_accuracy"][-1] == result.metrics["validation_accuracy"]
    assert result.curve["validation_loss"][-1] == result.metrics["validation_loss"]
    assert result.checkpoint_epoch == 12
    assert result.seconds > 0
    assert result.build_seconds > 0
    assert result.examples_per_second > 0
    assert result.peak_memory_mib > 100


def test_each_epoch_is_reported(engine: Child, training: Training) -> None:
    blocks = [replace(training, replicate=i) for i in range(2)]
    groups = engines.grouped(engine.engine, "cpu", design(blocks, ("mish", "relu")), ())
    engine.reports.clear()
    engine.results(groups)
    side_by_side = 4 if engine.engine == "population" else 1
    expected = [EpochDone(trainings=side_by_side, epoch=i + 1, epochs=3) for i in range(3)]
    assert engine.reports == expected * (4 // side_by_side)


def test_results_come_in_the_order_of_the_groups(engine: Child, training: Training) -> None:
    blocks = [replace(training, batch_size=size, replicate=i) for size in (32, 64) for i in range(2)]
    groups = engines.grouped(engine.engine, "cpu", design(blocks, ("mish", "relu")), ())
    expected = [each.digest for group in groups for each in group.trainings]
    assert [result.digest for result in engine.executor.train(groups)] == expected


def test_a_training_does_not_depend_on_what_ran_before(engine: Child, training: Training) -> None:
    first = replace(training, dropout=0.2, regularizer="l2", regularizer_strength=1e-3, optimizer="nadam")
    others = [
        replace(first, replicate=1, learning_rate=0.05),
        replace(first, initializer="orthogonal", dropout=0.5),
        replace(first, configuration="another", learning_rate=1e6),
    ]
    (alone,) = engine.train(first)
    assert engine.train(*others, first)[-1] == alone


def test_settings_change_the_training_and_are_repeatable(engine: Child, training: Training) -> None:
    changed = [
        training,
        replace(training, dropout=0.4, batch_normalization=True, regularizer="l1", regularizer_strength=0.01),
        replace(training, input_noise=0.3, noise_at="test", mixup=0.4),
        replace(training, input_noise=0.3, augmentation="shift_flip"),
    ]
    first, second = engine.train(*changed), engine.train(*changed)
    assert {result.status for result in first} == {Status.OK}
    assert first == second
    assert len({result.metrics["test_loss"] for result in first}) == len(changed)


def test_best_checkpoint_scores_the_best_validation_epoch(engine: Child, training: Training) -> None:
    asked = [
        replace(training, checkpoint="best", epochs=12, learning_rate=0.05, replicate=i) for i in range(3)
    ]
    for result in engine.train(*asked):
        accuracies = result.curve["validation_accuracy"]
        assert result.checkpoint_epoch == 1 + accuracies.index(max(accuracies))
        assert result.metrics["validation_accuracy"] == max(accuracies)


def test_every_optimizer_trains(population: Child, training: Training) -> None:
    """Those of the reference are held to the same losses elsewhere."""
    asked = [
        replace(training, optimizer=name, learning_rate=3 * entry.learning_rate)
        for name, entry in OPTIMIZERS.items()
    ]
    for result in population.train(*asked):
        assert result.status is Status.OK
        assert result.curve["train_loss"][-1] < result.curve["train_loss"][0]


def test_divergence_is_found_by_one_rule(engine: Child, training: Training) -> None:
    """Numbers that overflow, a loss that explodes at chance, and a net that stays there, in one design."""
    asked = [
        replace(training, activation=activation, optimizer="sgd", learning_rate=rate, epochs=20)
        for rate in (1e10, 300.0, 1e-9)
        for activation in ("mish", "softsign")
    ]
    results = dict(zip(((t.learning_rate, t.activation) for t in asked), engine.train(*asked), strict=True))
    overflow = results[1e10, "mish"]
    assert overflow.status is Status.DIVERGED
    assert overflow.reason == "loss or weights not finite in epoch 1"
    assert overflow.metrics == {}
    assert overflow.checkpoint_epoch is None
    assert len(overflow.curve["train_loss"]) == 1
    assert math.isnan(overflow.curve["validation_loss"][0])
    exploded = results[300.0, "softsign"]
    assert exploded.status is Status.DIVERGED
    assert exploded.reason.startswith("training loss above 3 times its first value with chance accuracy")
    assert len(exploded.curve["train_loss"]) < 20
    for activation in ("mish", "softsign"):
        assert results[1e-9, activation].status is Status.OK
        assert results[1e-9, activation].metrics["test_accuracy"] < 35.0


def test_own_activation_and_architecture_train(engine: Child, training: Training) -> None:
    """Stock layers, dropout among them: the masks come from Keras, and start anew with each training."""
    own = replace(
        training, activation="own_parts:cubic", architecture="own_parts:net",
        architecture_arguments=(("width", 12),), dropout=0.1,
    )  # fmt: skip
    engine.executor.check([own])
    others = [replace(own, replicate=1), replace(own, learning_rate=1e6)]
    (result,) = engine.train(own)
    assert result.status is Status.OK, result.reason
    assert result.metrics["train_accuracy"] > 20
    assert engine.train(*others, own)[-1] == result
    (without,) = engine.train(replace(own, dropout=0.0))
    assert without.metrics["train_loss"] != result.metrics["train_loss"]


def test_activations_of_a_block_share_the_masks_of_stock_layers(engine: Child, training: Training) -> None:
    """One function under two names: whatever differs is chance that the two do not share."""
    own = replace(
        training, architecture="own_parts:net", architecture_arguments=(("width", 12),), dropout=0.4
    )
    one, other, another_block = engine.train(
        *design([own], ("own_parts:cubic", "own_parts:cubed")),
        replace(own, activation="own_parts:cubic", replicate=1),
    )
    assert one.metrics == pytest.approx(other.metrics, rel=1e-6)
    assert one.metrics != pytest.approx(another_block.metrics, rel=1e-3)


def test_a_training_that_raises_fails_and_the_rest_goes_on(engine: Child, training: Training) -> None:
    raising = replace(training, activation="own_parts:raising")
    groups = [
        *engines.grouped(engine.engine, "cpu", [raising], ()),
        *engines.grouped(engine.engine, "cpu", [training], ()),
    ]
    failed, trained = (timeless(result) for result in engine.executor.train(groups))
    assert failed.status is Status.ERROR
    assert failed.reason == "ValueError: no such luck"
    assert failed.metrics == failed.curve == {}
    assert trained == engine.train(training)[0]


def test_missing_data_is_one_sentence(engine: Child, training: Training) -> None:
    with pytest.raises(InputError, match="mnist"):
        engine.train(replace(training, dataset="mnist"))
    engine.executor.stop()
    engine.executor.start()
    assert engine.train(training)[0].status is Status.OK


@pytest.mark.parametrize(
    ("asked", "changes", "gpu", "name", "words"),
    [
        ("auto", {}, False, "population", "population (the faster one for mlp on a CPU)"),
        ("auto", {}, True, "population", "population (the faster one for mlp on a GPU)"),
        (
            "auto",
            {"architecture": "convmlp", "factors.depth": {"role": "condition", "levels": [4, 8]}},
            False,
            "fit",
            "fit (the faster one for convmlp on a CPU)",
        ),
        ("auto", RESNET, False, "fit", "fit (the faster one for resnet_v1 on a CPU)"),
        ("auto", INCEPTION, True, "fit", "fit (the engine that inception_resnet_v2 is for)"),
        ("fit", INCEPTION, True, "fit", "fit (asked for)"),
        ("fit", {}, False, "fit", "fit (asked for)"),
        ("population", {}, False, "population", "population (asked for)"),
        ("auto", TUNED, False, "fit", "fit (the sampler tpe chooses one setting after another)"),
        (
            "auto",
            {**TUNED, "tuning": {"trials": 5, "confirm": 2}},
            False,
            "population",
            "population (the faster one for mlp on a CPU)",
        ),
        (
            "auto",
            OWN,
            False,
            "fit",
            "fit (my_networks:wide is your own and may need TensorFlow; try --engine population)",
        ),
        ("population", OWN, False, "population", "population (asked for)"),
    ],
)
def test_the_engine_is_chosen_by_architecture_and_device(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    asked: str,
    changes: dict[str, object],
    gpu: bool,
    name: str,
    words: str,
) -> None:
    (tmp_path / "my_networks.py").write_text(
        "def wide(input_shape, classes, activation, depth):\n    raise NotImplementedError\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engines, "device_kind", lambda: "gpu" if gpu else "cpu")
    assert engines.choose(asked, parse(edited(changes), "small")) == (name, words)


@pytest.mark.parametrize(
    ("asked", "changes", "words"),
    [
        ("fast", {}, "--engine takes auto, fit or population, and 'fast' was given; leave it out for auto."),
        ("population", TUNED, "--engine population trains many configurations at once, and the sampler tpe"),
        (
            "population",
            INCEPTION,
            "--engine population does not train inception_resnet_v2, which is for fit alone; use fit",
        ),
    ],
)
def test_an_engine_that_cannot_is_refused(asked: str, changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        engines.choose(asked, parse(edited(changes), "small"))
