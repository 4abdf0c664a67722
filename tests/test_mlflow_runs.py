"""Experiments that a script of somebody's own logged: the real MLflow, on SQLite and behind a server."""

import math
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_entries import entries_of, grouped, question_of, result_of, spec_with
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow_server import MlflowServer, free_port

import study.mlflow_runs as mlflow_runs
from analysis.criteria import CriteriaTable, criteria_table
from analysis.foreign.frame import Ask
from analysis.foreign.table import table_of_runs
from analysis.frame import runs_frame
from study.dashboard import Results
from study.errors import InputError
from study.ledger import Record
from study.mlflow_runs import read_experiment
from study.tracking import Tracker
from study.training import Status, TrainingResult
from sweeps.design import PlannedTraining

# MLflow's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")

SECRET = "s3cret"
SCRIPT = Path(__file__).with_name("foreign_script.py")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the tracking URI of what the script logged; nobody writes there."""
    folder = tmp_path_factory.mktemp("mine")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    subprocess.run([sys.executable, SCRIPT, uri], cwd=folder, check=True, capture_output=True)
    return uri


def ask(**changes: object) -> Ask:
    given = {"treatment": "act", "focus": "mish", "metric": "val_score", "delta": 0.5, "replicate": "seed"}
    return Ask(**{**given, **changes})  # pyright: ignore[reportArgumentType]


def test_a_row_per_run_the_last_value_and_what_was_left_out(logged: str) -> None:
    runs = read_experiment("mine", logged, "act", "val_score")
    assert runs.source == f"the experiment 'mine' at {logged}"
    assert len(runs.parameters) == len(runs.metric) == 24 + 4
    assert runs.remarks == ("Runs left out: 1 without the parameter act, 2 unfinished or killed.",)
    rows = runs.parameters.assign(metric=runs.metric, status=runs.status)
    by = {(row["act"], row["layers"], row["seed"]): row for _, row in rows.iterrows()}
    assert by["mish", "16", "1"]["metric"] == pytest.approx(80 + 2 + 1.5 + 0.1)
    assert by["relu", "2", "2"]["status"] == "failed"
    for key in (("mish", "2", "2"), ("relu", "4", "2"), ("relu", "8", "2")):
        assert by[key]["status"] == "ok"
        assert math.isnan(by[key]["metric"])
    assert by["relu", "8", "2"][["epochs", "out"]].isna().all()


def test_the_table_takes_what_varies_and_counts_failures(logged: str) -> None:
    made = table_of_runs(read_experiment("mine", logged, "act", "val_score"), ask(factors=("layers",)))
    (row,) = made.headline
    assert (made.design, made.configurations, row.units, row.pairs) == ("paired", 6, 6, 13)
    assert (row.focus_failures, row.rival_failures, row.both_failed, made.dropped) == (1, 1, 1, 2)
    assert row.difference == pytest.approx(1.5 * (4 + 2 / 3 + 1) / 6, rel=0.2)
    notes = " ".join(made.notes)
    assert "28 runs of the experiment 'mine'" in notes
    assert "Runs that count as failed: 3 without a finite val_score and 1 with the status 'failed'." in notes


def test_without_a_list_constants_and_folders_are_no_factors(logged: str) -> None:
    made = table_of_runs(read_experiment("mine", logged, "act", "val_score"), ask())
    assert {gate.parameter for gate in made.gates} == {"layers"}
    assert "out (each run has its own)" in " ".join(made.notes)


def test_runs_come_in_pages(logged: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_experiment("mine", logged, "act", "val_score")
    monkeypatch.setattr(mlflow_runs, "_PAGE", 7)
    paged = read_experiment("mine", logged, "act", "val_score")
    np.testing.assert_array_equal(paged.metric, whole.metric)
    assert paged.parameters.equals(whole.parameters)
    monkeypatch.setattr(mlflow_runs, "MAXIMUM_RUNS", 20)
    with pytest.raises(InputError, match="the experiment has more than 20 runs; compare a part of them"):
        read_experiment("mine", logged, "act", "val_score")


def test_reading_writes_nothing(logged: str) -> None:
    path = Path(logged.removeprefix("sqlite:///"))
    before = path.read_bytes()
    read_experiment("mine", logged, "act", "val_score")
    assert path.read_bytes() == before


WRONG = [
    ("mien", "act", "val_score", "there is no experiment 'mien' at sqlite:///"),
    ("mien", "act", "val_score", "did you mean 'mine'?"),
    ("mine", "atc", "val_score", "has the parameter 'atc'; did you mean 'act'?"),
    ("mine", "act", "vall_score", "has the metric 'vall_score'; did you mean 'val_score'?"),
    ("Default", "act", "val_score", "the experiment 'Default' at sqlite:///"),
]


@pytest.mark.parametrize(("name", "treatment", "metric", "words"), WRONG)
def test_a_misspelt_name_is_one_sentence(
    logged: str, name: str, treatment: str, metric: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_experiment(name, logged, treatment, metric)
    assert words in str(caught.value)


def test_a_place_that_is_none_is_one_sentence_and_nothing_is_made_there(tmp_path: Path) -> None:
    (tmp_path / "mlruns").mkdir()
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("create table t (x)")
    (tmp_path / "text.db").write_text("this is no database, but long enough to be taken for one" * 50)
    before = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    for uri, words in (
        (f"sqlite:///{tmp_path / 'gone.db'}", "there is no file "),
        (f"sqlite:///{tmp_path / 'other.db'}", "has none of MLflow's tables; check --tracking-uri"),
        (f"sqlite:///{tmp_path / 'text.db'}", "could not be read: "),
        (str(tmp_path / "mlruns"), "copy it once with `mlflow migrate-filestore --source FOLDER"),
        ((tmp_path / "mlruns").as_uri(), "copy it once with `mlflow migrate-filestore --source FOLDER"),
        (f"ftp://me:{SECRET}@host/x", "has an unknown scheme"),
        (
            f"http://me:{SECRET}@127.0.0.1:{free_port()}",
            "could not be read: no server answers at http://***@127.0.0.1:",
        ),
        (f"http://me:{SECRET}@nowhere.invalid", "could not be read: no server answers at http://***@nowhere"),
        (f"postgresql+psycopg://me:{SECRET}@127.0.0.1:{free_port()}/db", "could not be read: "),
    ):
        with pytest.raises(InputError) as caught:
            read_experiment("mine", uri, "act", "val_score")
        assert words in str(caught.value)
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == before


def test_a_deleted_experiment_is_named(logged: str, tmp_path: Path) -> None:
    uri = f"sqlite:///{shutil.copy(logged.removeprefix('sqlite:///'), tmp_path / 'mlflow.db')}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(InputError, match="the experiment 'mine' was deleted; bring it back with"):
        read_experiment("mine", uri, "act", "val_score")


# This tool's own experiments.


def own_tables(
    folder: Path, result: Callable[[PlannedTraining], TrainingResult], **changes: object
) -> tuple[CriteriaTable, Callable[[], CriteriaTable]]:
    """Return the table of a sweep from its record, and what makes it from its MLflow experiment."""
    spec = spec_with({"configurations": 8, **changes})
    question, entries = question_of(spec), entries_of(spec, result)
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    tracker = Tracker(uri, folder / "artifacts", question, "name = 'small'\n", {})
    planned = {key: len(group) for key, group in grouped(entries).items()}
    for entry in entries:
        tracker.training(entry, planned[entry.configuration.index, entry.training.activation])
    report = tracker.finish(Results(), wait=120)
    tracker.close()
    assert report.complete, report.sentence
    ours = criteria_table(
        runs_frame(Record(question=question, fingerprints=(), entries=tuple(entries))), question
    )

    def theirs() -> CriteriaTable:
        read = read_experiment(question.name, uri, "activation", question.metric)
        return table_of_runs(
            read, Ask(treatment="activation", focus="mish", metric=question.metric, delta=question.delta)
        )

    return ours, theirs


def gains(item: PlannedTraining) -> TrainingResult:
    """Return a result in which Mish gains a little; all of one configuration failed with ReLU."""
    made = result_of(item)
    if item.training.activation == "relu" and item.configuration.index == 3:
        return result_of(item, status=Status.DIVERGED)
    value = 80 + (made.metrics["test_accuracy"] - 80) / 10 + 1.5 * (item.training.activation == "mish")
    return result_of(item, accuracy=value)


def test_our_own_experiment_gives_the_headline_of_our_own_table(tmp_path: Path) -> None:
    ours, make = own_tables(tmp_path, gains)
    theirs = make()
    assert (theirs.design, theirs.rivals, theirs.configurations) == (
        "paired",
        ours.rivals,
        ours.configurations,
    )
    assert {row.parameter for row in theirs.levels} >= {row.parameter for row in ours.levels}
    for mine, other in zip(ours.headline, theirs.headline, strict=True):
        assert (other.rival, other.verdict, other.units) == (mine.rival, mine.verdict, mine.units)
        for name in ("difference", "low", "high"):
            assert getattr(other, name) == pytest.approx(getattr(mine, name), abs=1e-4)
    assert "1 without the parameter activation" in " ".join(theirs.notes)


def test_a_mean_over_some_replicates_is_not_taken_for_a_run(tmp_path: Path) -> None:
    def half(item: PlannedTraining) -> TrainingResult:
        return result_of(item, status=Status.DIVERGED) if item.training.replicate == 1 else result_of(item)

    _, make = own_tables(tmp_path, half, configurations=2, replicated_share=0.5)
    with pytest.raises(
        InputError, match=r"is the mean of those of its replicates that did not fail; make the"
    ):
        make()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_more_than_a_thousand_runs_behind_a_server(tmp_path: Path) -> None:
    server = MlflowServer(tmp_path)
    server.start()
    try:
        client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'server.db'}")  # faster than by its server
        experiment = client.create_experiment("large")
        for number in range(1100):
            run = client.create_run(experiment).info.run_id
            act = "mish" if number % 2 else "relu"
            client.log_batch(
                run,
                metrics=[Metric("val_score", 80.0 + number % 7, 0, 0)],
                params=[Param("act", act), Param("layers", str(number // 2 % 50))],
            )
            client.set_terminated(run)
        runs = read_experiment("large", server.url, "act", "val_score")
    finally:
        server.stop()
    assert len(runs.parameters) == 1100
    made = table_of_runs(runs, ask(replicate=None))
    assert (made.configurations, made.headline[0].pairs) == (50, 550)
