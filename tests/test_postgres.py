"""A sweep on a real PostgreSQL server, through the commands of `docker/compose.yaml`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from container_files import FOLDER, services

from study import ledger

pytestmark = pytest.mark.postgres

PASSWORD = "s3cret/@:%41 #?&"
"""Has every character that a URL can stumble over."""

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
class Postgres:
    """A server of our own."""

    port: int

    @property
    def environment(self) -> dict[str, str]:
        """Where libpq finds the server under whatever host a URL names, and with which password."""
        return {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(self.port), "PGPASSWORD": PASSWORD}

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Return a URL with everything in it, as a user without such variables writes it."""
        return f"postgresql://mishstudy:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True, slots=True)
class Mlflow:
    """The MLflow server of the compose file."""

    url: str
    artifacts: Path
    log: Path


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return services(POSTGRES_PASSWORD=PASSWORD)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres_program(name: str) -> str:
    folders = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ["PATH"]]))
    assert found, f"{name} is missing; install Debian's package postgresql"
    return found


@contextmanager
def running(command: list[str], log: Path, stop: signal.Signals, **options: Any) -> Iterator[None]:
    """Run a server with its output in `log`, in a session of its own, and stop it."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **options)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(command: list[str], log: Path, **variables: str) -> None:
    """Wait until a health check passes."""
    deadline = time.monotonic() + 60
    while subprocess.run(
        command, capture_output=True, check=False, env={**os.environ, **variables}
    ).returncode:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def postgres(compose: dict[str, Any]) -> Iterator[Postgres]:
    """Start PostgreSQL with the user, databases and health check of the compose file.

    PostgreSQL refuses to run as root, and the user it then runs as may not enter pytest's folders.
    """
    service = compose["postgres"]
    settings = service["environment"]
    as_user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []}
    as_user = as_user if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="mishstudy-postgres-") as name:
        folder = Path(name)
        (folder / "password").write_text(settings["POSTGRES_PASSWORD"])
        if as_user:
            shutil.chown(folder, "postgres", "postgres")
            shutil.chown(folder / "password", "postgres", "postgres")
        subprocess.run(
            [
                *(postgres_program("initdb"), "--pgdata", str(folder / "data"), "--no-sync"),
                *("--auth=scram-sha-256", f"--username={settings['POSTGRES_USER']}"),
                f"--pwfile={folder / 'password'}",
            ],
            capture_output=True, check=True, cwd=folder, **as_user,
        )  # fmt: skip
        server = Postgres(free_port())
        command = [
            *(postgres_program("postgres"), "-D", str(folder / "data"), "-p", str(server.port), "-F"),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
        ]
        log = folder / "log"
        with running(command, log, signal.SIGINT, cwd=folder, **as_user):
            kind, *health = service["healthcheck"]["test"]
            assert kind == "CMD"
            wait_for(health, log, PGPORT=str(server.port))
            psql = ["psql", "--host=postgres", f"--username={settings['POSTGRES_USER']}", "--no-password"]
            for arguments in (
                ["--dbname=postgres", f"--command=CREATE DATABASE {settings['POSTGRES_DB']}"],
                [f"--dbname={settings['POSTGRES_DB']}", f"--file={FOLDER / 'databases.sql'}"],
            ):
                subprocess.run(
                    [*psql, "--set=ON_ERROR_STOP=1", *arguments],
                    capture_output=True, check=True, env={**os.environ, **server.environment},
                )  # fmt: skip
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


def test_the_databases_hold_the_sweep(swept: Path, postgres: Postgres, mlflow: Mlflow) -> None:
    import optuna
    from mlflow import MlflowClient

    assert len(ledger.read(swept / "swept/ledger.jsonl").entries) == 4
    assert not (swept / "mlflow.db").exists()
    assert not (swept / "optuna.journal").exists()
    storage = optuna.storages.RDBStorage(postgres.url("optuna"))
    try:
        study = optuna.load_study(study_name="swept", storage=storage)
        assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]
    finally:
        storage.remove_session()
        storage.engine.dispose()
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
        dump = subprocess.run(
            [
                *(postgres_program("pg_dump"), "--host=postgres", "--username=mishstudy"),
                *("--no-password", database),
            ],
            capture_output=True, check=True, env={**os.environ, **postgres.environment},
        ).stdout  # fmt: skip
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
