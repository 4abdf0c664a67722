"""What a sweep must hold at its end, whatever happened to it."""

from collections import Counter

import optuna
from mlflow import MlflowClient
from optuna.storages.journal import JournalFileBackend
from sweep_runs import Sweep, timeless

from study import ledger


def assert_the_same_end(sweep: Sweep, undisturbed: Sweep) -> None:
    """Nothing is missing, nothing is there twice, and the table is that of an undisturbed run."""
    assert timeless(sweep.ledger) == timeless(undisturbed.ledger)
    assert ledger.read_curves(sweep.ledger) == ledger.read_curves(undisturbed.ledger)
    assert sweep.tables() == undisturbed.tables()
    assert_optuna_and_mlflow_hold(sweep)


def assert_optuna_and_mlflow_hold(sweep: Sweep) -> None:
    """Optuna has told every configuration, and MLflow has a run of each and activation, each once."""
    record = ledger.read(sweep.ledger)
    rows = sorted({entry.configuration.index for entry in record.entries})
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(sweep.home / "optuna.journal")))
    study = optuna.load_study(study_name=sweep.spec.stem, storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * len(rows)
    assert [trial.user_attrs["row"] for trial in study.trials] == rows
    client = MlflowClient(tracking_uri=f"sqlite:///{sweep.home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(sweep.spec.stem)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    statuses = Counter(each.info.status for each in runs)
    assert set(statuses) == {"FINISHED"}, statuses
    children = [each for each in runs if "mlflow.parentRunId" in each.data.tags]
    names = [each.info.run_name for each in children]
    assert len(names) == len(set(names)) == len(rows) * len(record.question.activations)
    assert len(runs) == len(children) + 1
