"""Killed at any moment and started again, a sweep ends as if nothing had happened; real engines, real SIGKILL."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sweep_runs import recorded, run, start, tables, timeless, wait_until, write_spec

from study import ledger

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
"""MLflow's queries use what SQLAlchemy deprecates."""

QUICKSTART = Path(__file__).parent.parent / "sweeps/quickstart.toml"
ENGINES = ("fit", "population")


@dataclass(frozen=True)
class Place:
    """Where a sweep is run: its spec, its home, its engine."""

    spec: Path
    home: Path
    engine: str

    @property
    def arguments(self) -> tuple[object, ...]:
        return ("sweep", self.spec, "--home", self.home, "--engine", self.engine)

    @property
    def folder(self) -> Path:
        return self.home / self.spec.stem

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    def kill_when(self, condition: Callable[[], bool], hash_seed: int) -> bytes:
        """Start, SIGKILL the driver, see that the training process goes too; return the whole lines."""
        with start(*self.arguments, PYTHONHASHSEED=str(hash_seed)) as driver:
            wait_until(driver, condition)
            children = psutil.Process(driver.pid).children(recursive=True)
            driver.kill()
        assert driver.returncode == -signal.SIGKILL
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive
        written = self.ledger.read_bytes() if self.ledger.exists() else b""
        return written[: written.rfind(b"\n") + 1]


@pytest.fixture(scope="module", params=ENGINES)
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a finished sweep of each engine."""
    folder = tmp_path_factory.mktemp("undisturbed")
    place = Place(write_spec(folder), folder / "home", request.param)
    run(*place.arguments, PYTHONHASHSEED="1")
    return place


def assert_the_same_end(place: Place, undisturbed: Place) -> None:
    """Nothing is missing, nothing is there twice, and the table is that of an undisturbed run."""
    assert timeless(place.ledger) == timeless(undisturbed.ledger)
    assert ledger.read_curves(place.ledger) == ledger.read_curves(undisturbed.ledger)
    assert tables(place.home, place.spec.stem) == tables(undisturbed.home, undisturbed.spec.stem)
    assert_optuna_and_mlflow_hold(place.home, place.spec.stem, place.ledger)


def assert_optuna_and_mlflow_hold(home: Path, name: str, path: Path) -> None:
    import optuna
    from mlflow import MlflowClient
    from optuna.storages.journal import JournalFileBackend

    record = ledger.read(path)
    rows = sorted({entry.configuration.index for entry in record.entries})
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(home / "optuna.journal")))
    study = optuna.load_study(study_name=name, storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * len(rows)
    assert [trial.user_attrs["row"] for trial in study.trials] == rows
    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {each.info.status for each in runs} == {"FINISHED"}
    children = [each for each in runs if "mlflow.parentRunId" in each.data.tags]
    names = [each.info.run_name for each in children]
    assert len(names) == len(set(names)) == len(rows) * len(record.question.activations)
    assert len(runs) == len(children) + 1


def test_killed_at_every_stage_and_started_again_ends_the_same(undisturbed: Place, tmp_path: Path) -> None:
    place = Place(write_spec(tmp_path), tmp_path / "home", undisturbed.engine)
    report = place.folder / "report.html"
    whole = recorded(undisturbed.ledger)
    stages: dict[str, Callable[[], bool]] = {
        "the training process starts": (place.folder / "training.log").exists,
        "nothing is recorded": place.ledger.exists,
        "one training is recorded": lambda: recorded(place.ledger) >= 1,
        "more than half are recorded": lambda: recorded(place.ledger) > whole // 2,
        "all are recorded": lambda: recorded(place.ledger) == whole,
        "the report is written": report.exists,
    }
    kept = b""
    for hash_seed, condition in enumerate(stages.values()):
        report.unlink(missing_ok=True)
        before, kept = kept, place.kill_when(condition, hash_seed)
        assert kept.startswith(before)
    assert recorded(place.ledger) == whole
    assert not (place.folder / "published.json").exists()
    run(*place.arguments)
    assert place.ledger.read_bytes() == kept
    assert_the_same_end(place, undisturbed)


def test_the_training_process_is_replaced_when_it_is_killed(undisturbed: Place, tmp_path: Path) -> None:
    place = Place(write_spec(tmp_path), tmp_path / "home", undisturbed.engine)
    with start(*place.arguments) as driver:
        wait_until(driver, lambda: recorded(place.ledger) >= 1)
        (victim,) = [
            each for each in psutil.Process(driver.pid).children() if "spawn_main" in " ".join(each.cmdline())
        ]
        victim.kill()
        _, errors = driver.communicate(timeout=200)
    assert driver.returncode == 0, errors
    assert_the_same_end(place, undisturbed)


@pytest.mark.parametrize("stage", ["starting", "training", "publishing"])
def test_ctrl_c_stops_cleanly_and_says_how_to_resume(tmp_path: Path, stage: str) -> None:
    place = Place(write_spec(tmp_path, configurations=8), tmp_path / "home", "population")
    condition = {
        "starting": (place.folder / "training.log").exists,
        "training": lambda: recorded(place.ledger) >= 1,
        "publishing": (place.folder / "report.html").exists,
    }[stage]
    with start(*place.arguments) as driver:
        wait_until(driver, condition)
        children = psutil.Process(driver.pid).children(recursive=True)
        os.killpg(driver.pid, signal.SIGINT)
        output, errors = driver.communicate(timeout=100)
    assert driver.returncode == 130, errors
    assert output == ""
    assert f"Go on with: mishstudy sweep {place.spec} --home {place.home}" in errors
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert "RUNNING" not in parent_states(place.home)
    if stage != "starting":
        shown = run("status", "--home", place.home).stdout
        assert "running" not in shown
        assert "small" in shown


def parent_states(home: Path) -> set[str]:
    """Return the states of the runs of a home that are nobody's children."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    return {each.info.status for each in runs if "mlflow.parentRunId" not in each.data.tags}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quickstart_killed_several_times_ends_the_same(tmp_path: Path) -> None:
    homes = [Place(QUICKSTART, tmp_path / name, "auto") for name in ("undisturbed", "killed")]
    undisturbed, killed = homes
    run(*undisturbed.arguments)
    whole = recorded(undisturbed.ledger)
    kept = b""
    for hash_seed, share in enumerate((0.0, 0.1, 0.4, 0.8, 1.0)):
        before = kept
        kept = killed.kill_when(lambda: recorded(killed.ledger) > share * (whole - 1), hash_seed)  # noqa: B023
        assert kept.startswith(before)
    run(*killed.arguments)
    assert killed.ledger.read_bytes() == kept
    assert_the_same_end(killed, undisturbed)
