"""What a network is asked for, and the metrics by which each task is judged.

A data set has one task, and a sweep one metric of that task: a table never mixes two.
"""

from collections.abc import Mapping
from typing import Literal

Task = Literal["classification", "segmentation"]
"""One class per image, or foreground or background per pixel."""

CUTS = ("train", "validation", "test")

SCORES: Mapping[Task, tuple[str, ...]] = {"classification": ("accuracy",), "segmentation": ("dice", "iou")}
"""Scores in points (0 to 100), better when larger. The first one chooses epochs and tells divergence."""

LOSS_UNITS: Mapping[Task, str] = {"classification": "nats", "segmentation": "units"}
"""Cross-entropy is in nats; binary cross-entropy plus Dice loss adds nats to a share, and has no unit."""


def kinds(task: Task) -> tuple[str, ...]:
    """Return what is measured on every cut: the loss, then the scores."""
    return ("loss", *SCORES[task])


def unit_of(metric: str, task: Task) -> str:
    """Return the unit of a metric such as `test_accuracy` or `validation_loss`."""
    return LOSS_UNITS[task] if metric.endswith("loss") else "points"
