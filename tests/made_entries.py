"""Ledger entries of a small sweep, its design the real one, its results chosen by the test."""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from small_specs import edited

from study.ledger import Entry
from study.question import Question
from study.training import Status, TrainingResult
from sweeps import design
from sweeps.design import PlannedTraining
from sweeps.spec import SweepSpec, parse
from sweeps.sweeper import planned_question


def spec_with(changes: Mapping[str, Any] | None = None) -> SweepSpec:
    """Return a small `paired` spec: four configurations of two activations, one of them with two seeds."""
    small = {"configurations": 4, "activations": ["relu"], "replicated_share": 0.25, "epochs": 3, "seed": 7}
    return parse(edited({**small, **(changes or {})}), "small.toml")


def question_of(spec: SweepSpec) -> Question:
    return planned_question(spec, [] if spec.design == "tuned" else design.trainings(spec))


def result_of(
    item: PlannedTraining, accuracy: float | None = None, status: Status = Status.OK, **changes: Any
) -> TrainingResult:
    """Return a result; without an accuracy, one that depends on the training alone."""
    digits = hashlib.sha256(item.training.digest.encode()).digest()
    value = 80 + digits[0] / 25.6 if accuracy is None else accuracy
    ok = status is Status.OK
    metrics = {f"{cut}_accuracy": value for cut in ("train", "validation", "test")}
    metrics |= {f"{cut}_loss": 1 - value / 100 for cut in ("train", "validation", "test")}
    return dataclasses.replace(
        TrainingResult(
            digest=item.training.digest,
            status=status,
            reason="" if ok else f"it ended as {status}",
            metrics=metrics if ok else {},
            curve={"validation_accuracy": (value / 2, value) if ok else (value / 2, math.nan)},
            checkpoint_epoch=2 if ok else None,
            seconds=0.5,
        ),
        **changes,
    )


def entries_of(
    spec: SweepSpec, result: Callable[[PlannedTraining], TrainingResult] = result_of
) -> list[Entry]:
    """Return the entries of a whole sweep in the order of its design."""
    return [
        Entry(training=item.training, configuration=item.configuration, result=result(item))
        for item in design.trainings(spec)
    ]


def grouped(entries: Sequence[Entry]) -> dict[tuple[int, str], list[Entry]]:
    """Return the entries by row of the design and activation: what one child run is about."""
    groups: dict[tuple[int, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.configuration.index, entry.training.activation), []).append(entry)
    return groups
