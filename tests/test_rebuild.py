"""`mishstudy rebuild`: MLflow and Optuna hold again what they held, from the ledger alone."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient
from mlflow.entities import Experiment
from sweep_runs import SPEC, Sweep, run, start, wait_until, write_spec

from study.mlflow_sweep import open_client

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy"
)  # MLflow's own use of SQLAlchemy

RunContent = tuple[str, str, dict[str, str], dict[str, float], frozenset[tuple[str, str]]]
TrialContent = tuple[str, str, list[float] | None, dict[str, Any], dict[str, Any]]


def opened(home: Path) -> tuple[MlflowClient, Experiment]:
    """Return MLflow of a home, and the experiment of the sweep."""
    client = open_client(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    return client, experiment


def held_by_mlflow(home: Path) -> list[RunContent]:
    """Return all runs of the sweep without what names or times them and the driver's progress."""
    client, experiment = opened(home)
    return sorted(
        (
            each.data.tags["mlflow.runName"],
            each.info.status,
            each.data.params,
            {name: value for name, value in each.data.metrics.items() if name != "epochs_trained"},
            frozenset(item for item in each.data.tags.items() if item[0] != "mlflow.parentRunId"),
        )
        for each in client.search_runs([experiment.experiment_id])
    )


def held_by_optuna(home: Path) -> list[TrialContent]:
    """Return all trials of the sweep without what times them."""
    backend = optuna.storages.journal.JournalFileBackend(str(home / "optuna.journal"))
    storage = optuna.storages.JournalStorage(backend)
    return [
        (name, each.state.name, each.values, each.params, each.user_attrs)
        for name in sorted(optuna.get_all_study_names(storage))
        for each in optuna.load_study(study_name=name, storage=storage).get_trials()
    ]


@pytest.fixture
def swept(finished_sweep: Callable[[str], Sweep]) -> Sweep:
    """Return a finished sweep."""
    return finished_sweep("population")


@pytest.fixture
def copied(swept: Sweep, tmp_path: Path) -> Path:
    """Return a copy of the home of a finished sweep: a home that was moved."""
    return shutil.copytree(swept.home, tmp_path / "moved")


@pytest.mark.faults
def test_what_was_lost_or_changed_is_there_again(swept: Sweep, copied: Path) -> None:
    runs, trials = held_by_mlflow(swept.home), held_by_optuna(swept.home)
    client, experiment = opened(copied)
    first, second, *_ = client.search_runs([experiment.experiment_id])
    client.delete_run(first.info.run_id)
    client.log_metric(second.info.run_id, "test_accuracy", 0.0)
    (copied / "optuna.journal").unlink()

    done = run("rebuild", "small", "--home", copied)

    assert f"sqlite:///{copied / 'mlflow.db'}" in done.stderr
    assert held_by_mlflow(copied) == runs
    assert held_by_optuna(copied) == trials
    assert opened(copied)[1].artifact_location == (copied / "artifacts").as_uri()
    assert (
        run("table", "small", "--home", copied).stdout == run("table", "small", "--home", swept.home).stdout
    )
    assert (copied / "small" / "ledger.jsonl").read_bytes() == swept.ledger.read_bytes()


@pytest.mark.slow
@pytest.mark.faults
def test_a_sweep_that_was_stopped_is_shown_as_it_was_and_goes_on(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, text=SPEC.replace("epochs = 3", "epochs = 200"))
    sweep = Sweep(spec, tmp_path / "home", "fit")
    with start(*sweep.arguments, MISHSTUDY_WORKERS="1") as driver:
        wait_until(driver, lambda: sweep.recorded >= 3)
        time.sleep(0.3)  # Optuna is told, and the next one is trained
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=60)
    assert driver.returncode == 130
    recorded = sweep.recorded
    runs, trials = held_by_mlflow(sweep.home), held_by_optuna(sweep.home)
    assert [status for name, status, *_ in runs if name == "small"] == ["KILLED"]
    assert {state for _, state, *_ in trials} >= {"RUNNING", "WAITING"}

    done = run("rebuild", "small", "--home", sweep.home)

    assert f"MLflow holds {len(runs) - 1} runs in the experiment" in done.stderr
    assert held_by_mlflow(sweep.home) == runs
    assert held_by_optuna(sweep.home) == trials
    run(*sweep.arguments)
    assert sweep.recorded > recorded
    assert {status for _, status, *_ in held_by_mlflow(sweep.home)} == {"FINISHED"}


@pytest.mark.slow
def test_a_pilot_is_shown_as_it_was(tmp_path: Path) -> None:
    sweep = Sweep(write_spec(tmp_path, 8), tmp_path / "home", "fit")
    run(*sweep.arguments, "--pilot", 6)
    runs, trials = held_by_mlflow(sweep.home), held_by_optuna(sweep.home)
    run("rebuild", "small", "--home", sweep.home)
    assert held_by_mlflow(sweep.home) == runs
    assert held_by_optuna(sweep.home) == trials


@pytest.mark.slow
def test_searches_are_shown_as_they_were(tmp_path: Path) -> None:
    text = SPEC.replace("configurations = {configurations}\nreplicated_share = 0.3", 'design = "tuned"')
    text += '[tuning]\ntrials = 9\nsampler = "random"\nhalving = 3\nconfirm = 2\n'
    sweep = Sweep(write_spec(tmp_path, text=text.replace("epochs = 3", "epochs = 9")), tmp_path / "home")
    run(*sweep.arguments)
    runs, trials, table = held_by_mlflow(sweep.home), held_by_optuna(sweep.home), sweep.tables()
    assert {name for name, *_ in trials} == {"small/mish", "small/relu"}
    (sweep.home / "optuna.journal").unlink()
    run("rebuild", "small", "--home", sweep.home)
    assert held_by_mlflow(sweep.home) == runs
    assert held_by_optuna(sweep.home) == trials
    assert sweep.tables() == table


def test_a_sweep_that_is_not_there_is_one_sentence(swept: Sweep) -> None:
    assert "there is no sweep 'smal'" in run("rebuild", "smal", "--home", swept.home, code=2).stderr


def test_a_missing_spec_is_one_sentence(copied: Path) -> None:
    (copied / "small" / "spec.toml").unlink()
    assert "spec.toml is missing" in run("rebuild", "small", "--home", copied, code=2).stderr
