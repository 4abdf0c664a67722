"""A sweep on a real PostgreSQL server, through the commands of `docker/compose.yaml`."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from container_files import services
from mlflow_server import free_port
from postgres_server import PASSWORD, Postgres, postgres_server, running, wait_for
from sweep_runs import SPEC as SMALL
from sweep_runs import Sweep, run, start, timeless, wait_until
from sweep_runs import write_spec as write_small

from study import ledger

pytestmark = pytest.mark.postgres

SPEC = """
name = "{name}"
question = "Does a sweep hold on PostgreSQL?"
focus = "mish"
activations = ["relu"]
dataset = "digits"
train_size = 128
architecture = "mlp"
configurations = 2
replicated_share = 0.0
epochs = 2
delta = 1.0
[factors.depth]
role = "condition"
levels = [2, 3]
[fixed]
width = 8
"""


@dataclass(frozen=True, slots=True)
class Mlflow:
    """The MLflow server of the compose file."""

    url: str
    artifacts: Path
    log: Path


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return services(POSTGRES_PASSWORD=PASSWORD)


@pytest.fixture(scope="module")
def postgres(compose: dict[str, Any]) -> Iterator[Postgres]:
    with postgres_server(compose["postgres"]) as server:
        yield server


@pytest.fixture(scope="module")
def mlflow(
    compose: dict[str, Any], postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mlflow]:
    """Start the MLflow server with the command and the health check of the compose file."""
    folder = tmp_path_factory.mktemp("mlflow")
    service = compose["mlflow"]
    server = Mlflow(f"http://127.0.0.1:{free_port()}", folder / "artifacts", folder / "log")
    ours = {
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=5000": f"--port={server.url.rpartition(':')[2]}",
        "--artifacts-destination=/artifacts": f"--artifacts-destination={server.artifacts}",
    }
    assert set(ours) <= set(service["command"])
    command = [*service["entrypoint"], *(ours.get(word, word) for word in service["command"])]
    command[0] = str(Path(sys.executable).with_name(command[0]))
    variables = {**os.environ, **service["environment"], **postgres.environment}
    kind, python, *health = service["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    health = [word.replace("http://127.0.0.1:5000/", f"{server.url}/") for word in health]
    with running(command, server.log, signal.SIGTERM, cwd=folder, env=variables):
        wait_for([sys.executable, *health], server.log)
        yield server


def sweep(
    *arguments: str, environment: Mapping[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run `mishstudy sweep`; no output may ever hold the password."""
    done = subprocess.run(
        [sys.executable, "-m", "mishstudy", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert not holds_password((done.stdout + done.stderr).encode())
    return done


def holds_password(content: bytes) -> bool:
    return any(each.encode() in content for each in (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD)))


def write_spec(folder: Path, name: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(SPEC.format(name=name))
    return path


@pytest.fixture(scope="module")
def swept(
    compose: dict[str, Any],
    postgres: Postgres,
    mlflow: Mlflow,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Run the command of the sweeper and return its home."""
    folder = tmp_path_factory.mktemp("swept")
    word, spec, storage, tracking = compose["sweeper"]["command"]
    assert (word, spec, tracking) == ("sweep", "/specs/quickstart.toml", "--tracking-uri=http://mlflow:5000")
    arguments = [str(write_spec(folder, "swept")), storage, f"--tracking-uri={mlflow.url}"]
    home = folder / "home"
    for repeated in (False, True):
        before = (home / "swept/ledger.jsonl").read_bytes() if repeated else b""
        done = sweep(word, *arguments, "--home", str(home), environment=postgres.environment)
        assert ("swept: training" in done.stderr) is not repeated
        assert (home / "swept/ledger.jsonl").read_bytes().startswith(before)
    assert before == (home / "swept/ledger.jsonl").read_bytes()
    return home


def states_of(postgres: Postgres, name: str) -> list[str]:
    """Return what Optuna's database says of the trials of a study."""
    import optuna

    storage = optuna.storages.RDBStorage(postgres.url("optuna"))
    try:
        study = optuna.load_study(study_name=name, storage=storage)
        return [trial.state.name for trial in study.trials]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_the_databases_hold_the_sweep(swept: Path, postgres: Postgres, mlflow: Mlflow) -> None:
    from mlflow import MlflowClient

    assert len(ledger.read(swept / "swept/ledger.jsonl").entries) == 4
    assert not (swept / "mlflow.db").exists()
    assert not (swept / "optuna.journal").exists()
    assert states_of(postgres, "swept") == ["COMPLETE"] * 2
    client = MlflowClient(tracking_uri=mlflow.url)
    experiment = client.get_experiment_by_name("swept")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 5
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    listed = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert "spec.toml" in listed
    assert list(mlflow.artifacts.rglob("spec.toml"))


def test_the_server_answers_to_its_names_only(mlflow: Mlflow) -> None:
    def status(host: str) -> int:
        path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
        request = urllib.request.Request(mlflow.url + path, headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert [status(host) for host in ("mlflow:5000", "localhost:5000", "127.0.0.1:6001")] == [200, 200, 200]
    assert status("elsewhere.example") == 403


def test_the_optuna_dashboard_opens_the_database(swept: Path, postgres: Postgres, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    command = [
        *(str(Path(sys.executable).with_name("optuna-dashboard")), "--port", str(port)),
        "postgresql+psycopg://mishstudy@postgres/optuna",
    ]
    fetch = (
        f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/api/studies').read().decode())"
    )
    with running(command, log, signal.SIGTERM, env={**os.environ, **postgres.environment}):
        wait_for([sys.executable, "-c", fetch], log)
        studies = subprocess.run([sys.executable, "-c", fetch], capture_output=True, text=True, check=True)
    assert '"swept"' in studies.stdout


def test_a_password_in_a_url_is_shown_and_kept_nowhere(
    postgres: Postgres, mlflow: Mlflow, swept: Path, tmp_path: Path
) -> None:
    spec, home = write_spec(tmp_path, "direct"), tmp_path / "home"
    sweep(
        *("sweep", str(spec), "--home", str(home)),
        *("--storage", postgres.url("optuna"), "--tracking-uri", postgres.url("mlflow")),
    )
    written = [
        path for root in (home, swept, mlflow.artifacts, mlflow.log) for path in (root, *root.rglob("*"))
    ]
    files = [path for path in written if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if holds_password(path.read_bytes())]
    for database in ("optuna", "mlflow"):
        dump = postgres.dump(database)
        assert b"direct" in dump
        assert not holds_password(dump)


@pytest.mark.parametrize(
    ("database", "password", "words"),
    [
        ("optuna", "wr0ng", 'password authentication failed for user "mishstudy"'),
        ("nothing", PASSWORD, 'database "nothing" does not exist'),
    ],
)
def test_a_storage_that_can_not_be_opened_is_one_sentence(
    postgres: Postgres, tmp_path: Path, database: str, password: str, words: str
) -> None:
    spec, home = write_spec(tmp_path, "refused"), tmp_path / "home"
    url = postgres.url(database, password)
    done = sweep("sweep", str(spec), "--home", str(home), "--storage", url, code=2)
    (sentence,) = [line for line in done.stderr.splitlines() if line != "refused: checking what is there ..."]
    assert sentence.startswith(
        f"mishstudy: the Optuna storage postgresql://***@127.0.0.1:{postgres.port}/{database} must be"
    )
    assert words in sentence
    assert "wr0ng" not in done.stdout + done.stderr
    assert not (home / "refused").exists()


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_a_storage_that_goes_away_in_mid_sweep_ends_it_in_a_sentence_and_it_goes_on(
    postgres: Postgres, tmp_path: Path
) -> None:
    text = SMALL.replace("levels = [2, 3]", "levels = [2, 3, 4, 5]")
    undisturbed, cut_off = (
        Sweep(write_small(tmp_path / name, 8, text), tmp_path / name / "home", "fit")
        for name in ("undisturbed", "cut_off")
    )
    run(*undisturbed.arguments)
    arguments = (*cut_off.arguments, "--storage", postgres.url("optuna"))
    with start(*arguments) as driver:
        wait_until(driver, lambda: cut_off.recorded >= 1)
        postgres.refuse("optuna")
        try:
            _, errors = driver.communicate(timeout=200)
        finally:
            postgres.refuse("optuna", False)
    assert driver.returncode == 1
    assert "Traceback" not in errors
    assert not holds_password(errors.encode())
    assert "the Optuna storage" in errors
    assert cut_off.recorded < undisturbed.recorded
    run(*arguments)
    assert timeless(cut_off.ledger) == timeless(undisturbed.ledger)
    assert cut_off.tables() == undisturbed.tables()
    assert states_of(postgres, "small") == ["COMPLETE"] * 8
