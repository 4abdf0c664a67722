"""Segmentation: loss and overlaps by hand and by others' code, and a small U-Net that learns discs."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score, jaccard_score, log_loss

from study import architectures, batches, segmentation, streams
from study.architectures.unet_size import unet_size
from study.curve import Curve
from study.cuts import Cut
from study.datacards import DATASETS, DataCard
from study.datasets import Dataset
from study.errors import InputError
from study.fit import CompiledProgram, FitEngine
from study.fit_steps import StudyModel
from study.layers import Rates
from study.objectives import Segmentation, objective_of, overlaps, segmentation_losses
from study.packing import groups
from study.programs import program_of
from study.tasks import CUTS, kinds, unit_of
from study.training import Status, Training

replace = dataclasses.replace


def random_masks(count: int = 20, size: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Return masks and logits of shape (count, size, size, 1); shares of foreground run from few to many."""
    rng = np.random.Generator(np.random.PCG64(11))
    shares = np.linspace(0.05, 0.9, count)[:, None, None, None]
    masks = (rng.random((count, size, size, 1)) < shares).astype(np.float32)
    masks[:, 0, 0], masks[:, 0, 1] = 1.0, 0.0
    return masks, rng.normal(0.0, 3.0, masks.shape).astype(np.float32)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 2, 2, 1)


def test_the_loss_by_hand() -> None:
    """Four pixels, p = 1/2, 1/2, 3/4, 1/4 and t = 1, 0, 1, 0: Dice loss 1 - 2 (5/4) / (2 + 2) = 3/8."""
    logits = column(0.0, 0.0, np.log(3.0), -np.log(3.0))
    expected = -(2 * np.log(0.5) + 2 * np.log(0.75)) / 4 + 3 / 8
    assert segmentation_losses(tf.constant(column(1, 0, 1, 0)), tf.constant(logits)).numpy() == pytest.approx(
        [expected], abs=1e-6
    )


def test_the_loss_is_keras_binary_cross_entropy_plus_keras_dice() -> None:
    masks, logits = random_masks()
    ours = segmentation_losses(tf.constant(masks), tf.constant(logits)).numpy()
    dice = keras.losses.Dice(axis=(1, 2, 3), reduction=None)(masks, keras.ops.sigmoid(logits))
    pairs = zip(masks, logits, strict=True)
    crossed = [float(keras.losses.BinaryCrossentropy(from_logits=True)(*pair)) for pair in pairs]
    # float32: a mean of 81 numbers in another order
    np.testing.assert_allclose(ours, np.asarray(dice) + crossed, rtol=1e-5)


def test_the_loss_is_finite_where_a_network_is_sure() -> None:
    sure = column(1e4, -1e4, 1e4, -1e4)
    with tf.GradientTape() as tape:
        logits = tf.Variable(sure)
        loss = segmentation_losses(tf.constant(column(0, 1, 1, 0)), logits)
    assert np.isfinite(loss.numpy()).all()
    gradient: Any = tape.gradient(loss, logits)
    assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize(
    ("truth", "found", "dice", "iou"),
    [
        ((1, 1, 0, 0), (1, 0, 1, 0), 1 / 2, 1 / 3),
        ((1, 1, 1, 0), (1, 1, 0, 0), 4 / 5, 2 / 3),
        ((1, 0, 0, 0), (0, 0, 0, 1), 0.0, 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 1), 0.0, 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 1.0, 1.0),
        ((1, 1, 1, 1), (1, 1, 1, 1), 1.0, 1.0),
    ],
)
def test_overlaps_by_hand(
    truth: tuple[float, ...], found: tuple[float, ...], dice: float, iou: float
) -> None:
    got = overlaps(tf.constant(column(*truth) > 0), tf.constant(column(*found) > 0))
    assert [float(each[0]) for each in got] == pytest.approx([dice, iou])


def test_sums_over_images_are_those_of_scikit_learn() -> None:
    masks, logits = random_masks()
    found = Segmentation().sums(tf.constant(masks[..., 0].astype(np.uint8)), tf.constant(logits))
    images = [(mask.ravel(), logit.ravel() >= 0) for mask, logit in zip(masks, logits, strict=True)]
    for score, total in ((f1_score, found[1]), (jaccard_score, found[2])):
        assert float(total) == pytest.approx(sum(score(*image) for image in images), rel=1e-6)
    probabilities = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
    crossed = [log_loss(m.ravel(), p.ravel()) for m, p in zip(masks, probabilities, strict=True)]
    both, sizes = (masks * probabilities).sum((1, 2, 3)), (masks + probabilities).sum((1, 2, 3))
    assert float(found[0]) == pytest.approx(sum(crossed) + float((1 - 2 * both / sizes).sum()), rel=1e-5)


def test_guessing_is_the_best_constant_answer() -> None:
    masks, _ = random_masks()
    guess = segmentation.guess(masks[..., 0].astype(np.uint8))
    objective, y = Segmentation(), tf.constant(masks[..., 0].astype(np.uint8))
    constant = [
        [float(each) / len(masks) for each in objective.sums(y, tf.fill(masks.shape, np.float32(level)))]
        for level in np.log(np.arange(0.01, 1.0, 0.01) / (1 - np.arange(0.01, 1.0, 0.01)))
    ]
    losses, dice, iou = np.array(constant).T
    assert guess["loss"] == pytest.approx(losses.min(), rel=1e-3)
    assert [guess["dice"], guess["iou"]] == pytest.approx([100 * dice.max(), 100 * iou.max()], rel=1e-5)


def test_metrics_of_a_task() -> None:
    assert kinds("segmentation") == ("loss", "dice", "iou")
    assert (unit_of("test_dice", "segmentation"), unit_of("test_loss", "segmentation")) == ("points", "units")
    assert (unit_of("test_accuracy", "classification"), unit_of("test_loss", "classification")) == (
        "points", "nats",
    )  # fmt: skip


# Discs


def discs(count: int, seed: int, size: int = 32) -> Cut:
    """Return noisy images of one bright disc each, and where it is."""
    rng = np.random.Generator(np.random.PCG64(seed))
    rows, columns = np.mgrid[:size, :size]
    centres, radii = rng.uniform(8, size - 8, (count, 2, 1, 1)), rng.uniform(3, 7, (count, 1, 1))
    y = ((rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < radii**2).astype(np.uint8)
    x = np.clip(0.35 * y + 0.3 + rng.normal(0.0, 0.15, y.shape), 0.0, 1.0)
    return Cut(x.astype(np.float32)[..., None], y)


DISCS = DataCard(
    name="discs",
    title="Discs",
    input_shape=(32, 32, 1),
    classes=2,
    train_size=64,
    validation_size=16,
    test_size=16,
    flip_allowed=True,
    licence="none",
    source="made up",
    task="segmentation",
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset(DISCS, discs(64, 1), discs(16, 2), discs(16, 3), "0" * 16)


@pytest.fixture(scope="module")
def disc_training() -> Training:
    return Training(
        dataset="discs",
        architecture="unet",
        architecture_arguments=(("levels", 1), ("width", 4)),
        activation="mish",
        epochs=2,
        batch_size=8,
        optimizer="adam",
        learning_rate=0.01,
        sweep_seed=7,
        configuration="0123456789abcdef",
        replicate=0,
    )


def test_a_segmentation_is_scored_as_scikit_learn_does(dataset: Dataset, disc_training: Training) -> None:
    """Its metrics and curve are those of its task, and the same again after another training."""
    compiled = CompiledProgram(program_of(disc_training), dataset)
    compiled.train(replace(disc_training, replicate=1))
    result = compiled.train(disc_training)
    assert result.status is Status.OK, result.reason
    assert set(result.metrics) == {f"{cut}_{kind}" for cut in CUTS for kind in kinds("segmentation")}
    assert set(result.curve) == set(Curve(disc_training, 0.0, "segmentation").values)
    assert result.metrics["validation_dice"] == result.curve["validation_dice"][-1]
    logits = compiled.model.network.predict_on_batch(dataset.test.x)[..., 0]
    for name, score in (("dice", f1_score), ("iou", jaccard_score)):
        values = [score(y.ravel(), z.ravel() >= 0) for y, z in zip(dataset.test.y, logits, strict=True)]
        # Points; a logit at 0 may fall on either side in a batch of another size.
        assert result.metrics[f"test_{name}"] == pytest.approx(100 * np.mean(values), abs=0.01)
    again = compiled.train(disc_training)
    assert (again.metrics, again.curve) == (result.metrics, result.curve)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["mish", "relu"])
def test_a_small_unet_learns_discs(dataset: Dataset, disc_training: Training, activation: str) -> None:
    engine = FitEngine()
    engine.hold("discs", None, dataset)
    training = replace(
        disc_training,
        activation=activation,
        epochs=15,
        augmentation="shift_flip",
        batch_normalization=True,
    )
    (result,) = engine.train(groups([training]))
    assert result.metrics["test_dice"] > 85.0, result.metrics
    assert result.metrics["test_dice"] > 3 * dataset.guess()["dice"]
    assert result.metrics["test_loss"] < 0.5 * dataset.guess()["loss"]


def test_masks_move_with_their_images(dataset: Dataset, disc_training: Training) -> None:
    """Images that are their own masks still are after the augmentation, which is that of the streams."""
    own = Cut(dataset.train.y[..., None].astype(np.float32), dataset.train.y)
    training = replace(disc_training, augmentation="shift_flip")
    program, rates, key = program_of(training), Rates(), streams.key(training, "augmentation")
    model = StudyModel(program, keras.Sequential(), rates, own, Segmentation())
    model.keys["augmentation"].assign(key)
    model.order.assign(np.arange(64, dtype=np.int32).reshape(8, 8))
    x, y = model.batch(tf.constant(0, tf.int64))
    expected = batches.augment(tf.constant(own.x[:8]), "shift_flip", key, np.uint32(0), keras.ops)
    assert np.array_equal(x, y)
    assert np.array_equal(x, expected)
    assert not np.array_equal(x, own.x[:8])


# The network


def network(training: Training, shape: tuple[int, int, int], **changes: Any) -> keras.Model:
    program = program_of(replace(training, **changes))
    return architectures.build(program, shape, 1, keras.ops.relu, Rates(dropping=program.dropping))


@pytest.mark.parametrize("levels", [1, 4])
def test_the_depth_is_five_times_the_levels_and_three(disc_training: Training, levels: int) -> None:
    built = network(
        disc_training, (16, 16, 1), architecture_arguments=(("levels", levels), ("width", 2)), dropout=0.1
    )

    def longest_path(tensor: Any) -> int:
        layer, node, _ = tensor._keras_history
        inputs = layer._inbound_nodes[node].input_tensors
        return int(hasattr(layer, "kernel")) + max(map(longest_path, inputs), default=0)

    assert longest_path(built.outputs[0]) == 5 * levels + 3


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(("levels", "width", "channels"), [(1, 4, 3), (3, 6, 1)])
def test_parameters_of_unet(
    disc_training: Training, levels: int, width: int, channels: int, normalized: bool
) -> None:
    arguments = (("levels", levels), ("width", width))
    built = network(
        disc_training, (16, 24, channels), architecture_arguments=arguments, batch_normalization=normalized
    )
    filters = [width * 2**level for level in range(levels + 1)]
    pairs = [*zip([channels, *filters], filters, strict=False)]
    convolutions = [*pairs, *[(f, f) for f in filters], *[(2 * f, f) for f in filters[:-1]]]
    convolutions += [(f, f) for f in filters[:-1]]
    expected = sum((9 * before + 1) * after for before, after in convolutions)
    expected += sum((4 * 2 * f + 1) * f for f in filters[:-1]) + width + 1
    if normalized:
        expected += 4 * (2 * sum(filters) + 4 * sum(filters[:-1]))
    assert built.count_params() == expected
    kernels = sum(weight.shape.num_elements() for weight in built.weights if weight.name == "kernel")
    assert unet_size((16, 24, channels), dict(arguments)).parameters == kernels
    assert built.output_shape == (None, 16, 24, 1)


def test_a_unet_of_full_size_is_that_of_the_tutorial(disc_training: Training) -> None:
    """Encoder 32 to 512, centre 1024: counted from the tutorial's layers."""
    built = network(
        disc_training,
        (256, 256, 3),
        architecture_arguments=(("levels", 5), ("width", 32)),
        batch_normalization=True,
    )
    centre = [layer for layer in built.layers if getattr(layer, "filters", 0) == 1024]
    assert len(centre) == 2
    assert sum(hasattr(layer, "kernel") for layer in built.layers) == 5 * 5 + 3


def test_an_image_that_cannot_be_halved_so_often_is_refused(disc_training: Training) -> None:
    with pytest.raises(
        InputError, match=r"levels = 3 needs a height and a width that 8 divides, .* 12x16 pixels"
    ):
        network(disc_training, (12, 16, 1), architecture_arguments=(("levels", 3), ("width", 2)))


def test_the_objective_is_that_of_the_task() -> None:
    assert objective_of(DISCS, "unet").task == "segmentation"
    assert objective_of(DATASETS["digits"], "mlp").task == "classification"
