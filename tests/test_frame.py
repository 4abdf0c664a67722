"""The runs frame: what a ledger becomes, and what is refused."""

import dataclasses
import math
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_record import FINGERPRINT
from simulated_runs import Truth, simulate

from analysis.criteria import criteria_table
from analysis.frame import check_runs, columns, curves_frame, runs_frame
from study import ledger
from study.errors import InputError
from study.ledger import Entry, Ledger, Record
from study.question import Factor, Question
from study.training import Configuration, Level, Status, Training, TrainingResult
from study.tuning import Tuning

QUESTION = Question(
    name="small",
    question="Which one?",
    focus="mish",
    rivals=("relu", "swish"),
    design="paired",
    dataset="digits",
    architecture="mlp",
    factors=(
        Factor(name="depth", role="condition", levels=(2, 4)),
        Factor(name="learning_rate", role="nuisance", low=0.1, high=10, log=True, relative=True),
        Factor(name="batch_normalization", role="condition", levels=(True, False)),
        Factor(name="optimizer", role="condition", levels=("adam", "sgd")),
    ),
    metric="test_accuracy",
    higher_is_better=True,
    unit="points",
    delta=1.0,
    loss_cap=10.0,
    planned_configurations=2,
    planned_trainings=6,
)
LEVELS: list[dict[str, Level]] = [
    {"depth": 4, "learning_rate": 1, "batch_normalization": True, "optimizer": "sgd"},
    {"depth": 2, "learning_rate": 0.5, "batch_normalization": False, "optimizer": "adam"},
]
METRICS = {
    f"{cut}_{kind}": value
    for cut in ("train", "validation", "test")
    for kind, value in (("accuracy", 90.0), ("loss", 0.3))
}


def entry(training: Training, index: int, activation: str, status: Status = Status.OK) -> Entry:
    configuration = Configuration(index=index, levels=LEVELS[index])
    mine = dataclasses.replace(training, configuration=configuration.digest, activation=activation)
    epochs = 3 if status is Status.OK else 1
    result = TrainingResult(
        digest=mine.digest,
        status=status,
        reason="" if status is Status.OK else "loss is not finite",
        metrics=METRICS if status is Status.OK else {},
        curve={
            "train_loss": (2.0, 1.0, 0.5)[:epochs],
            "validation_accuracy": (math.nan, 60.0, 90.0)[:epochs],
        },
        checkpoint_epoch=3 if status is Status.OK else None,
        seconds=1.5,
        examples_per_second=100.0,
        peak_memory_mib=300.0,
    )
    return Entry(training=mine, configuration=configuration, result=result)


@pytest.fixture
def record(training: Training) -> Record:
    entries = (
        entry(training, 1, "swish"),
        entry(training, 0, "relu", Status.DIVERGED),
        entry(training, 1, "mish"),
        entry(training, 0, "swish"),
        entry(training, 0, "mish"),
        entry(training, 1, "relu"),
    )
    return Record(question=QUESTION, fingerprints=(), entries=entries)


def test_a_ledger_becomes_one_row_per_training_in_the_order_of_the_question(record: Record) -> None:
    frame = runs_frame(record)
    assert list(frame.columns) == list(columns(QUESTION))
    assert list(frame["index"]) == [0, 0, 0, 1, 1, 1]
    assert list(frame["activation"]) == ["mish", "relu", "swish"] * 2
    assert list(frame["depth"]) == [4, 4, 4, 2, 2, 2]
    assert list(frame["unit_id"]) == list(frame["configuration"])
    assert frame["epochs_run"].tolist() == [3, 1, 3, 3, 3, 3]
    failed = frame.loc[1]
    assert failed["status"] == "diverged"
    assert failed["reason"] == "loss is not finite"
    assert failed[list(METRICS)].isna().all()
    assert pd.isna(failed["checkpoint_epoch"])


def test_dtypes_follow_the_factors(record: Record) -> None:
    frame = runs_frame(record)
    wanted = {name: column.dtype for name, column in columns(QUESTION).items()}
    assert wanted["depth"] == "int64"
    assert wanted["learning_rate"] == "float64"
    assert wanted["batch_normalization"] == "bool"
    assert wanted["optimizer"] == "str"
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == wanted


OFAT = dataclasses.replace(
    QUESTION, design="ofat", factors=QUESTION.factors[:1], baseline=(("depth", 2), ("learning_rate", 1))
)
"""One factor, so that any two configurations are a walk."""


def test_in_an_ofat_sweep_the_unit_is_level_and_replicate(record: Record) -> None:
    frame = runs_frame(dataclasses.replace(record, question=OFAT))
    assert list(frame["unit_id"]) == list(frame["block"])
    assert frame["unit_id"].nunique() == 2


def test_an_ofat_sweep_needs_its_baseline_and_moves_one_factor_at_a_time(record: Record) -> None:
    with pytest.raises(InputError, match=r"needs a baseline level for every factor.*none for depth; add it"):
        runs_frame(dataclasses.replace(record, question=dataclasses.replace(OFAT, baseline=())))
    baseline = tuple(LEVELS[1].items())
    joint = dataclasses.replace(QUESTION, design="ofat", baseline=baseline)
    with pytest.raises(
        InputError, match=r"'[0-9a-f]{16}' moves depth, learning_rate, .*optimizer; take it out"
    ):
        runs_frame(dataclasses.replace(record, question=joint))


def test_a_setting_that_two_searches_found_keeps_the_number_of_each_trial(record: Record) -> None:
    tuning = Tuning(trials=2, sampler="tpe", repeats=1, confirm=1)
    question = dataclasses.replace(QUESTION, design="tuned", tuning=tuning)
    entries = [
        dataclasses.replace(
            entry, adaptive=True, configuration=dataclasses.replace(entry.configuration, index=place)
        )
        for place, entry in enumerate(record.entries)
    ]
    frame = runs_frame(Record(question=question, fingerprints=(), entries=tuple(entries)))
    assert list(frame["index"]) == list(range(6))
    assert frame["configuration"].nunique() == 2


def test_an_empty_ledger_has_the_same_columns_and_types(record: Record) -> None:
    empty = runs_frame(dataclasses.replace(record, entries=()))
    assert len(empty) == 0
    assert list(empty.dtypes.astype(str)) == list(runs_frame(record).dtypes.astype(str))


def test_the_frame_comes_back_from_the_disk(record: Record, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as book:
        book.header(FINGERPRINT, "now")
        book.question(QUESTION)
        for one in record.entries:
            book.append(one)
    read = ledger.read(tmp_path / "ledger.jsonl")
    pd.testing.assert_frame_equal(runs_frame(read), runs_frame(record))
    pd.testing.assert_frame_equal(curves_frame(read), curves_frame(record))
    bare = runs_frame(ledger.read(tmp_path / "ledger.jsonl", curves=False))
    assert bare["epochs_run"].isna().all()


def test_a_setting_that_was_drawn_twice_is_one_configuration(record: Record, training: Training) -> None:
    other = Configuration(index=7, levels=LEVELS[0])
    late = dataclasses.replace(record.entries[4], configuration=other)
    frame = runs_frame(dataclasses.replace(record, entries=(*record.entries[:4], late, record.entries[5])))
    assert list(frame["index"]) == [0, 0, 0, 1, 1, 1]


def test_a_ledger_of_another_spec_is_refused(record: Record) -> None:
    question = dataclasses.replace(
        QUESTION, factors=(*QUESTION.factors, Factor(name="width", role="condition", levels=(8, 16)))
    )
    with pytest.raises(InputError, match="without the factor 'width'"):
        runs_frame(dataclasses.replace(record, question=question))


def test_curves_are_long_and_ordered(record: Record) -> None:
    curves = curves_frame(record)
    assert list(curves.columns) == [
        "digest", "activation", "configuration", "replicate", "epoch", "series", "value",
    ]  # fmt: skip
    assert len(curves) == 5 * 2 * 3 + 2
    first = curves.iloc[:6]
    assert list(first["activation"]) == ["mish"] * 6
    assert list(first["epoch"]) == [1, 2, 3, 1, 2, 3]
    assert list(first["series"]) == ["train_loss"] * 3 + ["validation_accuracy"] * 3
    np.testing.assert_array_equal(first["value"], [2.0, 1.0, 0.5, math.nan, 60.0, 90.0])
    assert list(curves.loc[6:7, "activation"]) == ["relu", "relu"]


def test_curves_of_nothing_have_the_same_columns(record: Record) -> None:
    empty = curves_frame(dataclasses.replace(record, entries=()))
    assert list(empty.columns) == list(curves_frame(record).columns)
    assert len(empty) == 0


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("status", 0, "crashed", "'status' must be one of ok, diverged.*, but holds 'crashed'"),
        ("activation", 0, "gelu", "'activation' must be one of mish, relu, swish, but holds 'gelu'"),
        ("activation", 0, "relu", "more than once"),
        ("test_accuracy", 0, 101.0, r"'test_accuracy' must lie in \[0, 100\] points, but holds 101.0"),
        ("test_accuracy", 0, -0.5, r"'test_accuracy' must lie in \[0, 100\] points, but holds -0.5"),
        ("test_loss", 0, math.inf, r"'test_loss' must lie in \[0, inf\] nats, but holds inf"),
        ("test_accuracy", 0, math.nan, "'test_accuracy' must be filled where the status is 'ok'"),
        ("test_accuracy", 1, 50.0, "'test_accuracy' must be NaN unless the status is 'ok'"),
        ("status", 1, "pruned", "have the status 'pruned'"),
        ("seconds", 0, -1.0, r"'seconds' must lie in \[0, inf\] s"),
        ("unit_id", 0, "elsewhere", "'block' must have one value each of configuration, unit_id"),
        ("depth", 0, 3, "'configuration' must have one value each of depth"),
        ("replicate", 0, -1, "'replicate' must lie in"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(
    record: Record, column: str, row: int, value: object, message: str
) -> None:
    frame = runs_frame(record)
    frame.loc[row, column] = value
    with pytest.raises(InputError, match=message):
        check_runs(frame, QUESTION)


def test_a_missing_column_a_wrong_dtype_and_an_unknown_metric_are_refused(record: Record) -> None:
    frame = runs_frame(record)
    with pytest.raises(InputError, match=r"lacks the column\(s\) depth, test_accuracy"):
        check_runs(frame.drop(columns=["depth", "seconds", "test_accuracy"]), QUESTION)
    with pytest.raises(InputError, match="'learning_rate' must be of dtype float64, but holds"):
        check_runs(frame.astype({"learning_rate": "str"}), QUESTION)
    with pytest.raises(InputError, match="'depth' must be of dtype int64, but holds float64"):
        check_runs(frame.astype({"depth": "float64"}), QUESTION)
    with pytest.raises(InputError, match="'adaptive' must be of dtype bool"):
        check_runs(frame.astype({"adaptive": "int64"}), QUESTION)
    with pytest.raises(InputError, match=r"lacks the column\(s\) test_f1"):
        check_runs(frame, dataclasses.replace(QUESTION, metric="test_f1"))
    frame["learning_rate"] = frame["learning_rate"].where(frame["index"] > 0)
    with pytest.raises(InputError, match="'learning_rate' must be filled"):
        check_runs(frame, QUESTION)


def test_a_pruned_training_of_an_adaptive_search_is_no_error(record: Record) -> None:
    frame = runs_frame(record)
    frame.loc[1, "status"] = "pruned"
    frame.loc[1, "adaptive"] = True
    check_runs(frame, QUESTION)


def test_a_frame_from_a_file_is_as_good_as_a_ledger() -> None:
    truth = Truth(configurations=20, failure_rate=0.1)
    frame = simulate(truth, np.random.default_rng(3))
    read = pd.read_csv(StringIO(frame.to_csv(index=False)))
    assert criteria_table(read, truth.question) == criteria_table(frame, truth.question)
