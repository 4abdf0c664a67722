"""The MLflow writer on the real MLflow: SQLite, a server, nothing at all; started again, paused, refused."""

import dataclasses
import json
import logging
import math
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from made_entries import entries_of, result_of, spec_with
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow_server import MlflowServer, free_port
from tracked_sweeps import (
    ENTRIES,
    GROUPS,
    QUESTION,
    SPEC,
    children_of,
    parent_of,
    runs_of,
    send,
    tracking,
    write,
)

from study.dashboard import Results
from study.mlflow_database import make_whole
from study.mlflow_sweep import find_pages
from study.training import Status, TrainingResult
from sweeps.design import PlannedTraining

# MLflow's own use of SQLAlchemy; the warning would end the writer's work where it is an error.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")

SECRET = "s3cret"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database without a sweep: to make one takes seconds, to copy it does not."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    make_whole(f"sqlite:///{path}")
    return path


@pytest.fixture
def uri(tmp_path: Path, empty: Path) -> str:
    (tmp_path / "home").mkdir()
    return f"sqlite:///{shutil.copy(empty, tmp_path / 'home/mlflow.db')}"


def artifacts_of(uri: str, folder: Path) -> dict[str, Path]:
    """Download the artifacts of the parent run."""
    target = folder / "downloaded"
    target.mkdir(exist_ok=True)
    root = Path(
        MlflowClient(tracking_uri=uri).download_artifacts(parent_of(uri).info.run_id, "", str(target))
    )
    return {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}


FRAME = pd.DataFrame({"depth": [3, 8], "test_accuracy": [97.5, math.nan]})
RESULTS = Results(
    summary="| Parameter | When mish wins |\n|---|---|\n| depth | at 8 |",
    metrics={"difference/relu": 1.5, "win_rate/relu": math.nan},
    artifacts={
        "table/criteria.md": "# The table\n",
        "figures/differences.png": b"\x89PNG",
        "runs.parquet": FRAME,
    },
)


def assert_laid_out(uri: str, folder: Path) -> None:
    """Check the layout: an experiment, a parent run, one child per configuration and activation."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    assert experiment.tags["mlflow.note.content"].startswith("When does Mish beat ReLU?\n\n| Parameter |")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    parent, children = parent_of(uri), children_of(uri)
    assert parent.info.run_name == "small"
    assert parent.data.tags["mlflow.note.content"].startswith("When does Mish beat ReLU?\n\n| Parameter |")
    assert parent.data.metrics.items() >= {
        "trainings_done": 10, "trainings_planned": 10, "trainings_failed": 0, "difference/relu": 1.5
    }.items()  # fmt: skip
    assert "win_rate/relu" not in parent.data.metrics
    files = artifacts_of(uri, folder)
    assert set(files) == {"spec.toml", "environment.json", *RESULTS.artifacts}
    assert files["spec.toml"].read_text() == "name = 'small'\n"
    assert json.loads(files["environment.json"].read_text()) == {"threads": 1}
    assert files["figures/differences.png"].read_bytes() == b"\x89PNG"
    pd.testing.assert_frame_equal(pd.read_parquet(files["runs.parquet"]), FRAME)
    assert len(children) == len(GROUPS) == 8
    for (index, activation), group in GROUPS.items():
        levels = group[0].configuration.levels
        child = children[f"{activation} #{index} · depth {levels['depth']} · {levels['optimizer']}"]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.params["activation"] == activation
        assert child.data.params["depth"] == str(levels["depth"])
        assert child.data.metrics["replicates"] == len(group)
        means = [entry.result.metrics["test_accuracy"] for entry in group]
        assert child.data.metrics["test_accuracy"] == pytest.approx(sum(means) / len(means), rel=1e-5)
        curve = client.get_metric_history(child.info.run_id, "epoch/validation_accuracy")
        assert [point.step for point in curve] == [1, 2]
        assert curve[0].timestamp < curve[1].timestamp == child.info.end_time
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}


def test_a_sweep_is_an_experiment_with_a_parent_and_a_run_per_configuration_and_activation(
    uri: str, tmp_path: Path
) -> None:
    report = write(uri, tmp_path, results=RESULTS)
    assert report.complete
    assert (report.written, report.pending, report.refused, report.problem) == (8, 0, (), "")
    assert report.sentence == f"MLflow holds 8 runs and the results in the experiment 'small' at {uri}."
    assert_laid_out(uri, tmp_path)
    parent = parent_of(uri).info
    assert find_pages(uri, ["small", "never run"]) == {
        "small": {
            "the results": f"#/experiments/{parent.experiment_id}/runs/{parent.run_id}"
            "?workflowType=machine_learning",
            "the runs side by side": f"#/experiments/{parent.experiment_id}/runs"
            "?workflowType=machine_learning&viewStateShareKey=mishstudy",
        }
    }


def test_the_tracking_uri_of_the_process_stays_what_it_was(uri: str, tmp_path: Path) -> None:
    import mlflow

    before = mlflow.get_tracking_uri()
    write(uri, tmp_path, ENTRIES[:1])
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None


def test_started_again_and_again_there_is_one_run_of_each(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path, ENTRIES[:3])
    write(uri, tmp_path)
    once = {run.info.run_id for run in runs_of(uri, view=ViewType.ALL)}
    assert write(uri, tmp_path, ENTRIES[::-1]).complete
    assert {run.info.run_id for run in runs_of(uri, view=ViewType.ALL)} == once
    assert len(once) == 1 + 8


def test_a_database_that_is_not_there_is_made_with_its_folder(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new/home/mlflow.db'}"
    assert write(uri, tmp_path).complete
    assert len(children_of(uri)) == 8


def test_an_entry_sent_twice_counts_once(uri: str, tmp_path: Path) -> None:
    with tracking(uri, tmp_path) as tracker:
        send(tracker, [*ENTRIES, *ENTRIES])
        assert tracker.finish(Results()).written == 8
    assert {run.data.metrics["replicates"] for run in children_of(uri).values()} == {1, 2}


def test_a_backlog_is_left_and_caught_up_with_by_who_has_time(uri: str, tmp_path: Path) -> None:
    entries = entries_of(spec_with({"configurations": 60, "replicated_share": 0.0}))
    with tracking(uri, tmp_path) as tracker:
        for entry in entries:
            tracker.training(entry, 1)
        while not tracker.report().written:
            time.sleep(0.05)
        report = tracker.finish(RESULTS, wait=0.1)
        started = time.monotonic()
    assert time.monotonic() - started < 3
    assert 0 < report.pending < len(entries)
    assert report.seconds_left
    assert (
        "it needs more time. Nothing is lost: run the same sweep again, which then waits" in report.sentence
    )
    assert parent_of(uri).info.status == "KILLED"
    with tracking(uri, tmp_path) as tracker:
        for entry in entries:
            tracker.training(entry, 1)
        assert tracker.finish(RESULTS, wait=2.0, patient=True).complete
    assert len(children_of(uri)) == len(entries)
    assert parent_of(uri).info.status == "FINISHED"


def test_a_run_whose_content_has_changed_is_replaced(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path)
    before = {name: run.info.run_id for name, run in children_of(uri).items()}

    def failing(item: PlannedTraining) -> TrainingResult:
        return result_of(item, 40.0, Status.DIVERGED if item.training.activation == "relu" else Status.OK)

    changed = [
        entry if entry.training.activation == "mish" else new
        for entry, new in zip(ENTRIES, entries_of(SPEC, failing), strict=True)
    ]
    assert write(uri, tmp_path, changed).complete
    after = children_of(uri)
    assert set(after) == set(before)
    same = {name for name in after if after[name].info.run_id == before[name]}
    assert same == {name for name in after if name.startswith("mish")}
    for name in set(after) - same:
        assert after[name].info.status == "FAILED"
        assert after[name].data.tags["status"] == "diverged"
        assert after[name].data.metrics["failed"] == 1
        assert "test_accuracy" not in after[name].data.metrics
    deleted = {run.info.run_id for run in runs_of(uri, view=ViewType.DELETED_ONLY)}
    assert deleted == {before[name] for name in set(after) - same}
    assert parent_of(uri).data.metrics["trainings_failed"] == 5


@pytest.mark.faults
def test_a_run_that_was_left_half_written_is_replaced(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path)
    before = children_of(uri)
    name, half = next(iter(before.items()))
    MlflowClient(tracking_uri=uri).update_run(half.info.run_id, status="RUNNING")
    assert write(uri, tmp_path).complete
    after = children_of(uri)
    assert after[name].info.run_id != half.info.run_id
    assert after[name].info.status == "FINISHED"
    assert {key for key in after if after[key].info.run_id != before[key].info.run_id} == {name}


@pytest.mark.faults
def test_a_driver_that_dies_after_the_last_run_leaves_a_sweep_that_can_be_finished(
    uri: str, tmp_path: Path
) -> None:
    with tracking(uri, tmp_path) as tracker:
        send(tracker, ENTRIES)
    assert parent_of(uri).info.status == "KILLED"
    before = {name: run.info.run_id for name, run in children_of(uri).items()}
    assert write(uri, tmp_path).complete
    assert {name: run.info.run_id for name, run in children_of(uri).items()} == before
    assert parent_of(uri).info.status == "FINISHED"


def test_a_sweep_that_ends_early_is_shown_as_killed_and_goes_on(uri: str, tmp_path: Path) -> None:
    with tracking(uri, tmp_path) as tracker:
        send(tracker, ENTRIES[:5])
    assert parent_of(uri).info.status == "KILLED"
    assert parent_of(uri).data.metrics["trainings_done"] == 5
    with tracking(uri, tmp_path) as tracker:
        send(tracker, ENTRIES)
        assert not tracker.report().complete
        assert tracker.finish(Results()).complete
    assert parent_of(uri).info.status == "FINISHED"
    assert parent_of(uri).data.metrics["trainings_done"] == 10


def test_a_finished_sweep_keeps_its_time_when_nothing_is_new(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path)
    ended = parent_of(uri).info.end_time
    write(uri, tmp_path)
    assert parent_of(uri).info.end_time == ended


def test_results_written_again_replace_the_old_ones(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path, results=RESULTS)
    newer = Results(
        summary="Better.",
        metrics={"difference/relu": 2.5},
        artifacts={"table/criteria.md": "# Newer\n", "runs.parquet": pd.DataFrame({"depth": [3]})},
    )
    write(uri, tmp_path, results=newer)
    files = artifacts_of(uri, tmp_path)
    assert files["table/criteria.md"].read_text() == "# Newer\n"
    assert len(pd.read_parquet(files["runs.parquet"])) == 1
    assert parent_of(uri).data.metrics["difference/relu"] == 2.5
    assert (
        parent_of(uri).data.tags["mlflow.note.content"].startswith("When does Mish beat ReLU?\n\nBetter.\n")
    )


def test_nothing_that_is_not_finite_reaches_the_database(uri: str, tmp_path: Path) -> None:
    def poisoned(item: PlannedTraining) -> TrainingResult:
        made = result_of(item)
        return dataclasses.replace(
            made,
            metrics={**made.metrics, "test_loss": math.inf, "train_loss": math.nan},
            curve={"train_loss": (math.inf, 1.0), "validation_loss": (math.nan, math.nan)},
            seconds=0.0,
        )

    numbers = {"a": math.inf, "b": -math.inf, "c": math.nan, "d": 1e300}
    entries = entries_of(SPEC, poisoned)
    assert write(uri, tmp_path, entries, Results(metrics=numbers)).complete
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
        rows = database.execute("select key, value, is_nan from metrics").fetchall()
    assert len(rows) > 8 * 5
    assert not [row for row in rows if row[2] or not math.isfinite(row[1]) or abs(row[1]) > 1e300]
    keys = {row[0] for row in rows}
    assert "d" in keys
    assert not keys & {"a", "b", "c", "test_loss", "train_loss", "epoch/validation_loss"}


def test_a_deleted_experiment_is_named_with_the_way_back_and_then_caught_up_with(
    uri: str, tmp_path: Path
) -> None:
    write(uri, tmp_path, ENTRIES[:2])
    client = MlflowClient(tracking_uri=uri)
    (number,) = [e.experiment_id for e in client.search_experiments() if e.name == "small"]
    client.delete_experiment(number)
    with tracking(uri, tmp_path) as tracker:
        send(tracker, ENTRIES)
        report = tracker.finish(Results(), wait=1.0)
        assert not report.complete
        assert report.pending == 8
        assert (
            f"was deleted; bring it back with `mlflow experiments restore --experiment-id {number}`"
            in report.problem
        )
        assert report.sentence.endswith("Nothing is lost: run the same sweep again to catch up.")
        client.restore_experiment(number)
        assert tracker.finish(Results()).complete
    assert len(children_of(uri)) == 8


def test_a_renamed_experiment_is_left_alone_and_the_sweep_written_anew(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path)
    client = MlflowClient(tracking_uri=uri)
    client.rename_experiment(parent_of(uri).info.experiment_id, "mine")
    assert write(uri, tmp_path).complete
    assert len(runs_of(uri)) == len(runs_of(uri, "mine")) == 9


def test_deleted_runs_come_back(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path)
    client, parent = MlflowClient(tracking_uri=uri), parent_of(uri).info.run_id
    client.delete_run(parent)
    client.delete_run(next(iter(GROUPS_RUNS := runs_of(uri))).info.run_id)
    assert len(GROUPS_RUNS) == 8
    assert write(uri, tmp_path).complete
    assert parent_of(uri).info.run_id == parent
    assert len(children_of(uri)) == 8


def test_a_moved_home_is_refused_with_the_reason(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path, ENTRIES[:1])
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "home").rename(moved / "home")
    with tracking(f"sqlite:///{moved / 'home/mlflow.db'}", moved) as tracker:
        report = tracker.finish(Results(), wait=1.0)
    assert f"keeps its artifacts in {(tmp_path / 'home/artifacts').as_uri()}" in report.problem
    assert "the home was moved" in report.problem


def test_work_that_mlflow_calls_invalid_is_told_and_holds_nothing_up(uri: str, tmp_path: Path) -> None:
    levels = {**ENTRIES[0].configuration.levels, "no(name": 1}
    bad = dataclasses.replace(
        ENTRIES[0], configuration=dataclasses.replace(ENTRIES[0].configuration, levels=levels)
    )
    with tracking(uri, tmp_path) as tracker:
        send(tracker, [bad, *ENTRIES[1:]])
        report = tracker.finish(Results())
    assert not report.complete
    assert report.finished
    assert (report.written, report.pending) == (7, 1)
    assert len(report.refused) == 1
    assert "no(name" in report.refused[0]
    assert report.sentence.startswith("MLflow does not hold 1 run yet in the experiment 'small'")
    assert len([run for run in children_of(uri).values() if run.info.status == "FINISHED"]) == 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Iterator[MlflowServer]:
    """Return a server that is not started yet."""
    made = MlflowServer(tmp_path_factory.mktemp("server"))
    shutil.copy(empty, made.folder / "server.db")
    yield made
    made.stop()


@pytest.mark.faults
def test_a_server_that_comes_up_late_gets_everything(server: MlflowServer, tmp_path: Path) -> None:
    server.stop()
    with tracking(server.url, tmp_path) as tracker:
        send(tracker, ENTRIES)
        started = time.monotonic()
        report = tracker.finish(RESULTS, wait=1.5)
        assert 1.4 < time.monotonic() - started < 3
        assert (report.written, report.pending, report.finished) == (0, 8, False)
        assert report.problem == f"MLflow at {server.url} could not be written: Connection refused."
        assert report.sentence == (
            f"MLflow does not hold 8 runs and the results yet in the experiment 'small' at {server.url}: "
            f"{report.problem} Nothing is lost: run the same sweep again to catch up."
        )
        server.start()
        assert tracker.finish(RESULTS, wait=60).complete
    assert_laid_out(server.url, tmp_path)
    assert (server.folder / "artifacts").exists()
    assert not (tmp_path / "home").exists()


@pytest.mark.faults
def test_a_server_that_hangs_in_the_middle_keeps_nobody_waiting(server: MlflowServer, tmp_path: Path) -> None:
    server.start()
    question = dataclasses.replace(QUESTION, name="paused")
    with tracking(server.url, tmp_path, question) as tracker:
        send(tracker, ENTRIES[:4])
        while not tracker.report().written:
            time.sleep(0.05)
        server.send(signal.SIGSTOP)
        try:
            started = time.monotonic()
            send(tracker, ENTRIES)
            handed = time.monotonic() - started
            report = tracker.finish(RESULTS, wait=1.0)
            waited = time.monotonic() - started
        finally:
            server.send(signal.SIGCONT)
        assert handed < 0.1
        assert 1.0 <= waited < 1.5
        assert not report.complete
        assert "it needs more time" in report.sentence or report.problem
        assert tracker.finish(RESULTS, wait=60).complete
    assert len(runs_of(server.url, "paused")) == 9


@pytest.mark.faults
@pytest.mark.slow
def test_a_server_that_goes_away_in_the_middle_loses_nothing(server: MlflowServer, tmp_path: Path) -> None:
    server.start()
    question = dataclasses.replace(QUESTION, name="lost")
    with tracking(server.url, tmp_path, question) as tracker:
        send(tracker, ENTRIES[:4])
        while not tracker.report().written:
            time.sleep(0.05)
        server.stop()
        send(tracker, ENTRIES)
        report = tracker.finish(RESULTS, wait=1.0)
        assert 0 < report.pending < 8
        assert report.problem.startswith(f"MLflow at {server.url} could not be written: ")
        started = time.monotonic()
        tracker.close()
        assert time.monotonic() - started < 2
    server.start()
    assert write(server.url, tmp_path).complete
    with tracking(server.url, tmp_path, question) as tracker:
        send(tracker, ENTRIES)
        assert tracker.finish(RESULTS, wait=60).complete
    runs = runs_of(server.url, "lost")
    assert len(runs) == 9
    assert {run.info.status for run in runs} == {"FINISHED"}


FIGURE = """
import sys
from pathlib import Path
from matplotlib.figure import Figure
import tracked_sweeps
with tracked_sweeps.tracking(sys.argv[1], Path(sys.argv[2])):
    assert sys.modules["IPython"].version_info
    Figure().savefig(Path(sys.argv[2], "figure.png"))
"""


@pytest.mark.faults
def test_closing_does_not_wait_for_what_is_away(tmp_path: Path) -> None:
    with tracking(f"http://127.0.0.1:{free_port()}", tmp_path) as tracker:
        send(tracker, ENTRIES)
        started = time.monotonic()
    assert time.monotonic() - started < 5


def test_figures_can_be_drawn_while_it_connects(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    subprocess.run([sys.executable, "-c", FIGURE, url, str(tmp_path)], check=True, cwd=Path(__file__).parent)
    assert (tmp_path / "figure.png").exists()


def password_urls() -> list[str]:
    return [
        f"http://me:{SECRET}@127.0.0.1:{free_port()}",
        f"postgresql+psycopg://me:{SECRET}@127.0.0.1:{free_port()}/mlflow",
    ]


@pytest.mark.parametrize("url", password_urls(), ids=["server", "database"])
def test_a_password_is_in_no_message(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), tracking(url, tmp_path) as tracker:
        send(tracker, ENTRIES[:2])
        report = tracker.finish(RESULTS, wait=3.0)
    assert report.problem
    assert "127.0.0.1" in report.problem
    said = "\n".join([report.sentence, repr(report), caplog.text])
    assert "could not be written" in said
    assert SECRET not in said


def test_a_password_reaches_no_run_and_no_file(server: MlflowServer, tmp_path: Path) -> None:
    server.start()
    question = dataclasses.replace(QUESTION, name="private")
    with tracking(server.url.replace("//", f"//me:{SECRET}@"), tmp_path, question) as tracker:
        send(tracker, ENTRIES)
        assert tracker.finish(RESULTS, wait=60).complete
    assert len(runs_of(server.url, "private")) == 9
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
