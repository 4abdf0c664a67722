"""`mishstudy rebuild`: MLflow and Optuna hold again what they held, from the ledger alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient
from mlflow.entities import Experiment
from sweep_runs import Sweep, run

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
    study = optuna.load_study(study_name="small", storage=optuna.storages.JournalStorage(backend))
    return [
        (study.study_name, each.state.name, each.values, each.params, each.user_attrs)
        for each in study.get_trials()
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


def test_a_sweep_that_is_not_there_is_one_sentence(swept: Sweep) -> None:
    assert "there is no sweep 'smal'" in run("rebuild", "smal", "--home", swept.home, code=2).stderr


def test_a_missing_spec_is_one_sentence(copied: Path) -> None:
    (copied / "small" / "spec.toml").unlink()
    assert "spec.toml is missing" in run("rebuild", "small", "--home", copied, code=2).stderr
