"""What a ledger would hold of a simulated runs frame: the record, and its learning curves."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study.ledger import Entry, Ledger, Record
from study.question import Question
from study.training import Configuration, Level, Status, Training, TrainingResult

FINGERPRINT: dict[str, Any] = {
    "python": "3.12.4",
    "system": "Linux x86_64",
    "processor": "Simulated CPU",
    "device": "cpu",
    "threads": 1,
    "engine": "fit",
    "jit": False,
    "versions": {"keras": "3.15.1", "numpy": "2.3.5"},
    "own": {},
    "data": {"digest": "5eed5eed5eed5eed", "guess": {"accuracy": 10.0, "loss": 2.3026}},
}


def simulated_record(runs: pd.DataFrame, question: Question, epochs: int = 6) -> Record:
    """Return the record of `runs`, its curves rising to the validation accuracy.

    A training that failed has a curve of one to three epochs, whose last value is not finite. With halving
    each rung has its own epochs.
    """
    return Record(
        question=question,
        fingerprints=(FINGERPRINT,),
        entries=tuple(
            _entry(row, question, number, epochs) for number, row in enumerate(runs.to_dict(orient="records"))
        ),
    )


def write_ledger(home: Path, record: Record) -> None:
    """Write a record where a home has the ledger of its sweep."""
    with Ledger(home / record.question.name / "ledger.jsonl") as ledger:
        ledger.header(FINGERPRINT, "2026-11-29T12:00:00+00:00")
        ledger.question(record.question)
        ledger.append(*record.entries)


def _entry(row: dict[str, Any], question: Question, number: int, epochs: int) -> Entry:
    levels: dict[str, Level] = {}
    for factor in question.varied:
        value = row[factor.name]
        levels[factor.name] = value.item() if hasattr(value, "item") else value
    profile = question.profile
    profiled = {} if profile is None else {profile.name: levels.pop(profile.name)}
    ok = row["status"] == Status.OK.value
    top = row["validation_accuracy"] if ok else 40.0
    tuning = question.tuning
    if tuning is not None and tuning.halving is not None:
        at = tuning.place(int(row["index"]))
        epochs = tuning.rung_epochs[-1 if at.trial is None else at.rung]
    rising = [float(top * (1 - 0.5**epoch)) for epoch in range(1, epochs + 1)]
    training = Training(
        dataset=question.dataset,
        architecture=question.architecture,
        architecture_arguments=(("activation_of_output", "softmax"), ("depth", levels.get("depth", 3))),
        activation=row["activation"],
        epochs=epochs,
        batch_size=int(levels.get("batch_size", 32)),
        optimizer=str(levels.get("optimizer", "adam")),
        learning_rate=0.01,
        sweep_seed=2026,
        configuration=row["configuration"],
        replicate=row["replicate"],
    )
    result = TrainingResult(
        digest=row["digest"],
        status=Status(row["status"]),
        reason=row["reason"],
        metrics={name: float(row[name]) for name in _METRICS} if ok else {},
        curve={"validation_accuracy": tuple(rising if ok else [*rising[: number % 3], np.nan])},
        checkpoint_epoch=epochs if ok else None,
        seconds=2.0,
        build_seconds=0.5 if number == 0 else 0.0,
        examples_per_second=1000.0,
        peak_memory_mib=500.0,
    )
    return Entry(
        training=training,
        configuration=Configuration(index=int(row["index"]), levels=levels),
        profiled=profiled,
        adaptive=bool(row["adaptive"]),
        result=result,
    )


_METRICS = [f"{cut}_{kind}" for cut in ("train", "validation", "test") for kind in ("accuracy", "loss")]
