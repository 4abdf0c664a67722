"""The rule of divergence at its boundaries, and which epoch is scored."""

import dataclasses
import math

import pytest

from study.curve import Curve, chance_limit
from study.training import Training

CHANCE_LIMIT = 19.0
"""Points: with ten classes and 100 images, chance is 10 and a standard error 3."""
FIRST_LOSS = 2.0


@pytest.fixture
def curve(training: Training) -> Curve:
    return Curve(training, chance_limit(10, 100))


def add(curve: Curve, loss: float, accuracy: float, *, finite: bool = True) -> bool:
    return curve.add(
        first_loss=FIRST_LOSS,
        train={"loss": loss, "accuracy": 50.0},
        validation={"loss": 1.0, "accuracy": accuracy},
        finite=finite,
    )


JUST_ABOVE = math.nextafter(3 * FIRST_LOSS, math.inf)


@pytest.mark.parametrize(
    ("loss", "accuracy", "diverges"),
    [
        (JUST_ABOVE, CHANCE_LIMIT, True),
        (JUST_ABOVE, 0.0, True),
        (3 * FIRST_LOSS, CHANCE_LIMIT, False),  # exactly three times is not above
        (JUST_ABOVE, CHANCE_LIMIT + 0.01, False),
        (1e6, 100.0, False),
        (FIRST_LOSS, 0.0, False),  # stays at chance: that is a result
    ],
)
def test_diverged_means_exploded_and_at_chance(
    curve: Curve, loss: float, accuracy: float, diverges: bool
) -> None:
    add(curve, loss, accuracy)
    assert curve.diverged == ""
    add(curve, loss, accuracy)
    assert bool(curve.diverged) == diverges
    if diverges:
        assert curve.diverged == (
            "training loss above 3 times its first value with chance accuracy in epochs 1 and 2"
        )


def test_the_two_epochs_must_follow_each_other(curve: Curve) -> None:
    for _ in range(5):
        add(curve, 100.0, 10.0)
        add(curve, 100.0, 30.0)
        assert not curve.diverged
    add(curve, 100.0, 10.0)
    add(curve, 100.0, 10.0)
    assert curve.diverged.endswith("in epochs 11 and 12")


def test_chance_depends_on_the_classes_and_on_the_size_of_the_validation_cut(training: Training) -> None:
    """12 points are chance with 100 images and ten classes, but neither with 10,000 nor with twenty."""
    for classes, size, diverges in ((10, 100, True), (10, 10_000, False), (20, 1_000, False)):
        curve = Curve(training, chance_limit(classes, size))
        add(curve, 100.0, 12.0)
        add(curve, 100.0, 12.0)
        assert bool(curve.diverged) == diverges, (classes, size)


@pytest.mark.parametrize(
    ("loss", "finite"), [(math.nan, True), (math.inf, True), (-math.inf, True), (1.0, False)]
)
def test_one_epoch_that_is_not_finite_is_a_divergence(curve: Curve, loss: float, finite: bool) -> None:
    add(curve, 1.0, 90.0)
    assert not add(curve, loss, 90.0, finite=finite)
    assert curve.diverged == "loss or weights not finite in epoch 2"
    assert curve.checkpoint_epoch == 1
    assert [len(values) for values in curve.values.values()] == [2] * 4
    assert math.isnan(curve.values["validation_accuracy"][1])  # what was scored with such weights
    assert math.isnan(curve.values["validation_loss"][1])


def test_last_scores_every_epoch(curve: Curve) -> None:
    assert [add(curve, 1.0, accuracy) for accuracy in (50.0, 70.0, 60.0)] == [True] * 3
    assert curve.checkpoint_epoch == 3


def test_best_scores_the_first_of_the_best_epochs(training: Training) -> None:
    curve = Curve(dataclasses.replace(training, checkpoint="best"), CHANCE_LIMIT)
    scored = [add(curve, 1.0, accuracy) for accuracy in (0.0, 70.0, 60.0, 70.0, 69.0)]
    assert scored == [True, True, False, False, False]
    assert curve.checkpoint_epoch == 2


def test_the_epoch_that_diverges_is_never_scored(training: Training) -> None:
    for checkpoint in ("last", "best"):
        curve = Curve(dataclasses.replace(training, checkpoint=checkpoint), CHANCE_LIMIT)
        add(curve, 100.0, 10.0)
        assert not add(curve, 100.0, 18.0)
        assert curve.diverged
        assert curve.checkpoint_epoch == 1


def test_values_are_kept_as_they_came(curve: Curve) -> None:
    curve.add(
        first_loss=2.0,
        train={"loss": 1.5, "accuracy": 40.0},
        validation={"loss": 1.25, "accuracy": 55.0},
        finite=True,
    )
    assert curve.values == {
        "train_loss": [1.5], "train_accuracy": [40.0],
        "validation_loss": [1.25], "validation_accuracy": [55.0],
    }  # fmt: skip


def test_the_first_score_of_a_task_decides(training: Training) -> None:
    """Of a segmentation the Dice coefficient: it chooses the epoch and says what is at chance."""
    best = Curve(dataclasses.replace(training, checkpoint="best"), 13.0, "segmentation")
    diverging = Curve(training, 13.0, "segmentation")
    for dice, iou in ((12.0, 90.0), (13.0, 80.0)):
        measured = {"loss": 1.0, "dice": dice, "iou": iou}
        assert best.add(first_loss=1.0, train=measured, validation=measured, finite=True)
        diverging.add(first_loss=0.1, train=measured, validation=measured, finite=True)
    assert best.checkpoint_epoch == 2
    assert diverging.diverged.endswith("with chance dice in epochs 1 and 2")
    assert list(best.values) == [
        "train_loss", "train_dice", "train_iou", "validation_loss", "validation_dice", "validation_iou"
    ]  # fmt: skip
