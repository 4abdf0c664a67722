"""Sweeps on masks: which metrics, networks and engines they take, and the columns of their results."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from small_specs import GONE, PAIRED, edited

from analysis.frame import columns
from study.errors import InputError
from study.question import Question
from study.training import Configuration, TrainingResult
from sweeps import engines
from sweeps.operations import size
from sweeps.search_copies import value_of
from sweeps.spec import SweepSpec, parse

SEGMENTATION: dict[str, Any] = {
    "dataset": "nuclei",
    "architecture": "unet",
    "metric": {"name": "test_dice", "direction": "maximize"},
    "factors.depth": GONE,
    "factors.levels": {"role": "condition", "levels": [1, 3]},
    "fixed.width": 4,
}
"""Changes that make the small spec one on masks."""


def spec(**changes: Any) -> SweepSpec:
    return parse(edited(SEGMENTATION | changes), "s.toml")


def test_a_sweep_on_masks_is_compared_in_points_of_dice() -> None:
    question = spec().question_for_analysis(40, 80)
    assert (question.metric, question.unit, question.higher_is_better) == ("test_dice", "points", True)
    assert (question.task, question.chosen_by) == ("segmentation", "validation_dice")
    loss = spec(metric={"name": "test_loss", "direction": "minimize"}).question_for_analysis(40, 80)
    assert (loss.unit, loss.higher_is_better) == ("units", False)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {**SEGMENTATION, "metric": GONE},
            's.toml: metric.name is "test_accuracy", but nuclei is a segmentation, which has no accuracy; '
            'write name = "test_dice" and direction = "maximize" under [metric].',
        ),
        (
            {**SEGMENTATION, "metric": {"name": "validation_accuracy", "direction": "maximize"}},
            's.toml: metric.name is "validation_accuracy", but nuclei is a segmentation, which has no '
            'accuracy; write name = "test_dice".',
        ),
        (
            {"metric": {"name": "test_iou", "direction": "maximize"}},
            's.toml: metric.name is "test_iou", but digits is a classification, which has no iou; write '
            'name = "test_accuracy".',
        ),
        (
            {**SEGMENTATION, "metric": {"name": "test_dice", "direction": "minimize"}},
            's.toml: metric.direction is "minimize", but test_dice is better when it is larger; write '
            'direction = "maximize".',
        ),
        (
            {"dataset": "nuclei", "metric": SEGMENTATION["metric"]},
            's.toml: architecture is "mlp", but that is a network for classification, and nuclei is a '
            'segmentation; choose one of ["unet"].',
        ),
    ],
)
def test_what_does_not_fit_the_task_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(edited(changes), "s.toml")
    assert str(caught.value) == sentence


def test_a_unet_is_no_network_for_classes() -> None:
    changes = SEGMENTATION | {"dataset": "digits", "metric": GONE}
    with pytest.raises(
        InputError, match="that is a network for segmentation, and digits is a classification"
    ):
        parse(edited(changes), "s.toml")


def test_only_the_reference_engine_trains_masks() -> None:
    assert engines.choose("auto", spec()) == ("fit", "fit (it alone trains a segmentation)")
    assert engines.choose("fit", spec())[0] == "fit"
    with pytest.raises(InputError, match="--engine population trains classifications, and nuclei is a segm"):
        engines.choose("population", spec())


def test_the_columns_are_those_of_the_task() -> None:
    masks = columns(spec().question_for_analysis(40, 80))
    assert (masks["test_dice"].unit, masks["train_iou"].high, masks["test_loss"].unit) == (
        "points",
        100,
        "units",
    )
    assert "test_accuracy" not in masks
    classes = columns(parse(PAIRED, "s.toml").question_for_analysis(40, 80))
    assert not any("dice" in name or "iou" in name for name in classes)
    assert "test_accuracy" in classes


def test_a_question_of_an_older_ledger_is_a_classification() -> None:
    question = parse(PAIRED, "s.toml").question_for_analysis(40, 80)
    older = question.to_json()
    del older["task"]
    assert Question.from_json(older) == question


def test_digests_recorded_before_masks_were_known_are_the_same() -> None:
    training = parse(PAIRED, "s.toml").training_for(
        Configuration(index=0, levels={"depth": 3, "optimizer": "sgd", "learning_rate": 1.0}), 0, "mish"
    )
    assert training.digest == "ab265d36ca153550"


def test_time_and_memory_of_a_unet_grow_with_its_levels() -> None:
    """At 256x256 with 4 filters: 65,536 pixels x (9 x (1 + 4) x 4 + 29 x 16) and so on by hand."""
    levels = {"optimizer": "sgd", "learning_rate": 1.0, "levels": 1}
    training = spec().training_for(Configuration(index=0, levels=levels), 0, "mish")
    layers, multiply_adds = size(training)
    first, centre = 65_536 * (9 * 5 * 4 + 29 * 16), 16_384 * (9 * 12 * 8)
    assert layers == 8
    assert multiply_adds == pytest.approx(first + centre + 65_536 * 4)


def test_a_search_is_told_the_dice_coefficient() -> None:
    from study.ledger import Entry
    from study.training import Status

    configuration = Configuration(index=0, levels={"optimizer": "sgd", "learning_rate": 1.0, "levels": 1})
    training = spec().training_for(configuration, 0, "mish")
    metrics = {"validation_dice": 61.5, "validation_iou": 44.4, "validation_loss": 0.5}
    result = TrainingResult(digest=training.digest, status=Status.OK, metrics=metrics)
    entry = Entry(training=training, configuration=configuration, adaptive=True, result=result)
    assert math.isclose(value_of(entry), 61.5)


def test_the_example_in_the_docs_is_right() -> None:
    text = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    (example,) = [each for each in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "name = " in each]
    assert parse(example, "docs/data.md").task == "segmentation"
