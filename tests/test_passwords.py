"""A tracking server that asks for a password, by the commands of the documentation, on PostgreSQL."""

import base64
import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import optuna
import pytest
from container_files import ROOT, services
from mlflow_server import free_port
from packaging.requirements import Requirement
from postgres_server import PASSWORD, Postgres, postgres_server, running
from sweep_runs import SPEC, Sweep, write_spec

from study import ledger

pytestmark = [pytest.mark.postgres, pytest.mark.faults]

ADMIN, OLD, NEW, OTHER = (f"{name} s3cret/@:%41 \\#?&'\"" for name in ("admin's", "old", "new", "other"))
"""Passwords with every character that something can stumble over."""

CONFIGURATIONS = 4
RUNS = 2 * CONFIGURATIONS + 1

ASKS = (
    "asks for a user and a password that it knows; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
)
REFUSES = (
    "does not accept the user and the password in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; "
    "correct them."
)
CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"


def documented() -> list[tuple[str, str]]:
    """Return kind and content of each block of the section."""
    text = (ROOT / "docs/gpu.md").read_text(encoding="utf-8")
    section = text.partition("\n## A server with passwords\n")[2].partition("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Server:
    """The tracking server, and where its users run their commands."""

    port: int
    folder: Path
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def certificate(self) -> str:
        return str(self.folder / "certificate.pem")

    def here(self, text: str) -> str:
        """Return commands with names and ports of this machine."""
        for there, here in (
            ("tracking.example", "localhost"),
            (":5000", f":{self.port}"),
            ("--port 5000", f"--port {self.port}"),
            ("--host 0.0.0.0", "--host 127.0.0.1"),
            ("\nmlflow server", "\nexec mlflow server"),  # so that a signal reaches it
            ("\nmishstudy sweep", "\nexec mishstudy sweep"),
        ):
            text = text.replace(there, here)
        return text

    def do(self, text: str, *typed: str) -> None:
        """Run commands, and type what they ask for."""
        subprocess.run(
            ["bash", "-euc", self.here(text)], cwd=self.folder, env=self.environment, check=True,
            input="".join(f"{each}\n" for each in typed), text=True, capture_output=True,
            start_new_session=True,
        )  # fmt: skip

    def ask(
        self,
        path: str,
        user: str,
        password: str,
        method: str = "GET",
        fields: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Send a request as a user and return the answer."""
        target, body = f"{self.url}/api/2.0/{path}", None
        if method == "GET":
            target += f"?{urlencode(fields or {})}"
        else:
            body = json.dumps(fields).encode()
        request = urllib.request.Request(target, body, method=method)
        request.add_header("Authorization", authorization(user, password))
        request.add_header("Content-Type", "application/json")
        context = ssl.create_default_context(cafile=self.certificate)
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.read()

    def runs(self, password: str) -> list[dict[str, Any]]:
        """Return the runs of the sweep."""
        listed = self.ask("mlflow/experiments/search", "me", password, "POST", {"max_results": 100})
        found = [
            each["experiment_id"] for each in json.loads(listed)["experiments"] if each["name"] == "small"
        ]
        if not found:
            return []
        asked = self.ask("mlflow/runs/search", "me", password, "POST", {"experiment_ids": found})
        return json.loads(asked).get("runs", [])


def authorization(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server(services(POSTGRES_PASSWORD=PASSWORD)["postgres"]) as server:
        yield server


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start the server and make its users, with the commands of the documentation."""
    pytest.importorskip("flask_wtf", reason="MLflow's users need the package Flask-WTF")
    (_, once), (_, users), (_, serve), (_, user), *_ = documented()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = {**inherited, **postgres.environment, "PATH": path}
    made = Server(free_port(), tmp_path_factory.mktemp("server"), environment)
    install, openssl = once.split("\n", 1)
    (package,) = [each for each in map(Requirement, requires("mlflow") or ()) if "auth" in str(each.marker)]
    assert shlex.split(install) == ["python", "-m", "pip", "install", f"{package.name}{package.specifier}"]
    made.do(openssl)
    (made.folder / "users.ini").write_text(users)
    reader, writer = os.pipe()
    os.write(writer, f"{ADMIN}\n".encode())
    os.close(writer)
    command = ["bash", "-euc", made.here(serve)]
    with running(command, made.log, signal.SIGTERM, cwd=made.folder, env=environment, stdin=reader):
        os.close(reader)
        deadline = time.monotonic() + 120
        while not answers(made):
            assert time.monotonic() < deadline, made.log.read_text()
            time.sleep(0.2)
        made.do(user, ADMIN, OLD)
        other = {"username": "other", "password": OTHER}
        made.ask("mlflow/users/create", "admin", ADMIN, "POST", other)
        yield made


def answers(server: Server) -> bool:
    with suppress(OSError):
        return bool(server.ask("mlflow/users/current", "admin", ADMIN))
    return False


def start(
    server: Server, sweep: Sweep, password: str | None, output: Path, user: str = "me", token: str = ""
) -> "subprocess.Popen[bytes]":
    """Run the command of the documentation, where there is a password with the lines that ask for it."""
    text = documented()[4][1].replace(
        "sweeps/quickstart.toml",
        f"{sweep.spec} --engine fit --storage postgresql+psycopg://mishstudy@postgres/optuna",
    )
    if password is None:
        given = f" MLFLOW_TRACKING_TOKEN={token}" if token else ""
        text = f"\nexport {CERTIFICATE}=certificate.pem{given}\n{text.splitlines()[-1]}"
    text = text.replace("USERNAME=me", f"USERNAME={user}")
    reader, writer = os.pipe()
    os.write(writer, f"{password}\n".encode())
    os.close(writer)
    with output.open("wb") as file:
        started = subprocess.Popen(
            ["bash", "-euc", server.here(text)], cwd=server.folder, stdin=reader, stdout=file, stderr=file,
            env={**server.environment, "MISHSTUDY_HOME": str(sweep.home)}, start_new_session=True,
        )  # fmt: skip
    os.close(reader)
    return started


def ended(started: "subprocess.Popen[bytes]") -> int:
    """Wait for a command and return its exit code."""
    try:
        return started.wait(120)
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)


def words(output: Path) -> str:
    """Return what a command said, in one line."""
    text = output.read_text()
    assert "Traceback" not in text
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("password", "sentence"), [(None, ASKS), ("wr0ng password", REFUSES)], ids=["none", "wrong"]
)
def test_without_the_right_password_nothing_is_trained(
    server: Server, tmp_path: Path, password: str | None, sentence: str
) -> None:
    sweep = Sweep(write_spec(tmp_path, CONFIGURATIONS), tmp_path / "home")
    assert ended(start(server, sweep, password, tmp_path / "output")) == 2
    assert words(tmp_path / "output").endswith(f"mishstudy: MLflow at {server.url} {sentence}")
    assert not sweep.folder.exists()


def test_without_the_right_token_nothing_is_trained(server: Server, tmp_path: Path) -> None:
    sweep = Sweep(write_spec(tmp_path, CONFIGURATIONS), tmp_path / "home")
    assert ended(start(server, sweep, None, tmp_path / "output", token="wr0ng")) == 2
    said = words(tmp_path / "output")
    assert f"mishstudy: MLflow at {server.url} does not accept the token in MLFLOW_TRACKING_TOKEN; " in said
    assert "wr0ng" not in said
    assert not sweep.folder.exists()


def test_the_refusal_is_as_documented() -> None:
    kind, text = documented()[-1]
    assert kind == "text"
    assert " ".join(text.split()) == f"mishstudy: MLflow at https://tracking.example:5000 {REFUSES}"


def command_lines() -> set[bytes]:
    """Return the command lines of all processes of the machine."""
    found: set[bytes] = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.add(path.read_bytes())
    return found


@dataclass(frozen=True)
class Swept:
    """A sweep whose password was changed after its first training, and the two that came after it.

    Parameters
    ----------
    sweep : Sweep
        Where it is.
    outputs : Path
        Folder with what the three commands said: `changed`, `old` and `new`.
    codes : dict of str to int
        Their exit codes.
    at_change, in_between : int, int
        Trainings recorded, and runs that MLflow held, when the password was changed, and afterwards.
    ledger : bytes
        The ledger after the first command.
    seen : set of bytes
        Command lines of all processes while the first one ran.
    """

    sweep: Sweep
    outputs: Path
    codes: dict[str, int]
    at_change: int
    in_between: int
    ledger: bytes
    seen: set[bytes]


@pytest.fixture(scope="module")
def swept(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    folder = tmp_path_factory.mktemp("swept")
    slow = SPEC.replace("epochs = 3", "epochs = 400")
    sweep = Sweep(write_spec(folder / "spec", CONFIGURATIONS, slow), folder / "home")
    outputs = folder / "outputs"
    outputs.mkdir()
    seen: set[bytes] = set()
    driver = start(server, sweep, OLD, outputs / "changed")
    while not (sweep.recorded and server.runs(OLD)):
        assert driver.poll() is None, (outputs / "changed").read_text()
        seen |= command_lines()
    new = {"username": "me", "password": NEW}
    server.ask("mlflow/users/update-password", "admin", ADMIN, "PATCH", new)
    at_change = sweep.recorded
    while driver.poll() is None:
        seen |= command_lines()
        time.sleep(0.05)
    first, held = sweep.ledger.read_bytes(), len(server.runs(NEW))
    codes = {"changed": driver.returncode}
    for name, password in (("old", OLD), ("new", NEW)):
        codes[name] = ended(start(server, sweep, password, outputs / name))
    return Swept(sweep, outputs, codes, at_change, held, first, seen)


def test_a_password_that_is_changed_in_the_middle_delays_the_dashboard_only(
    server: Server, swept: Swept
) -> None:
    assert swept.codes == {"changed": 0, "old": 2, "new": 0}
    record = ledger.read(swept.sweep.ledger)
    assert 0 < swept.at_change < len(record.entries) == record.question.planned_trainings
    assert 0 < swept.in_between < RUNS
    said = words(swept.outputs / "changed")
    assert re.search(r"MLflow does not hold \d+ runs and the results yet in the experiment 'small' at", said)
    why = f"MLflow at {server.url} {REFUSES} Nothing is lost: run the same sweep again to catch up."
    assert f"at {server.url}: {why}" in said
    assert said.count("MLFLOW_TRACKING_PASSWORD") == 1
    assert words(swept.outputs / "old").endswith(f"mishstudy: MLflow at {server.url} {REFUSES}")
    assert swept.sweep.ledger.read_bytes() == swept.ledger
    assert f"MLflow holds {RUNS - 1} runs and the results in" in words(swept.outputs / "new")


def test_who_may_not_write_to_the_experiment_trains_nothing(
    server: Server, swept: Swept, tmp_path: Path
) -> None:
    """The experiment `small` belongs to another user by now."""
    runs = server.runs(NEW)
    sweep = Sweep(write_spec(tmp_path, CONFIGURATIONS), tmp_path / "home")
    assert ended(start(server, sweep, OTHER, tmp_path / "output", user="other")) == 2
    assert words(tmp_path / "output").endswith(
        f"mishstudy: MLflow at {server.url} does not give this user the permission MANAGE for the experiment "
        "'small'; ask its owner or who runs the server for it, or name another experiment or another server."
    )
    assert not sweep.folder.exists()
    assert server.runs(NEW) == runs


def test_runs_artifacts_and_trials_are_on_the_servers(
    server: Server, postgres: Postgres, swept: Swept
) -> None:
    runs = server.runs(NEW)
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    assert len({run["info"]["run_name"] for run in runs}) == len(runs) == RUNS
    (parent,) = [
        run["info"] for run in runs if "mlflow.parentRunId" not in {tag["key"] for tag in run["data"]["tags"]}
    ]
    for path, kept in (
        ("report.html", swept.sweep.folder / "report.html"),
        ("spec.toml", swept.sweep.folder / "spec.toml"),
    ):
        where = f"mlflow-artifacts/artifacts/{parent['experiment_id']}/{parent['run_id']}/artifacts/{path}"
        assert server.ask(where, "me", NEW) == kept.read_bytes()
    table = {"run_id": parent["run_id"], "path": "table"}
    asked = server.ask("mlflow/artifacts/list", "me", NEW, fields=table)
    assert "table/criteria.json" in {each["path"] for each in json.loads(asked)["files"]}
    assert list((server.folder / "artifacts").rglob("criteria.json"))
    assert not [*swept.sweep.home.rglob("criteria.json"), *swept.sweep.home.glob("mlflow.db*")]
    storage = optuna.storages.RDBStorage(postgres.url("optuna"))
    try:
        states = [each.state.name for each in optuna.load_study(study_name="small", storage=storage).trials]
    finally:
        storage.remove_session()
        storage.engine.dispose()
    assert states == ["COMPLETE"] * CONFIGURATIONS
    assert not (swept.sweep.home / "optuna.journal").exists()


def test_other_users_see_the_sweep_and_do_not_change_it(server: Server, swept: Swept) -> None:
    run = server.runs(NEW)[0]["info"]["run_id"]
    assert run.encode() in server.ask("mlflow/runs/get", "other", OTHER, fields={"run_id": run})
    tag = {"run_id": run, "key": "mine", "value": "yes"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.ask("mlflow/runs/set-tag", "other", OTHER, "POST", tag)
    with refused.value:
        assert refused.value.code == 403


def holds_password(content: bytes) -> bool:
    """Return whether there is a password in any form in which a program may have written it."""
    for password in (ADMIN, OLD, NEW, OTHER, PASSWORD):
        forms = {password, quote(password), quote(password, safe=""), json.dumps(password)[1:-1]}
        forms |= {shlex.quote(password), repr(password)[1:-1]}
        forms |= {authorization(user, password).split()[1] for user in ("admin", "me", "other")}
        if any(form.encode() in content for form in forms):
            return True
    return False


def test_the_passwords_are_written_and_shown_nowhere(
    server: Server, postgres: Postgres, swept: Swept
) -> None:
    written = [
        path
        for root in (swept.sweep.home, swept.outputs, server.folder)
        for path in root.rglob("*")
        if path.is_file()
    ]
    assert len(written) > 10
    assert server.log in written
    assert not [path for path in written if holds_password(path.read_bytes())]
    assert not holds_password(json.dumps(server.runs(NEW), ensure_ascii=False).encode())
    for database in ("optuna", "mlflow"):
        dumped = postgres.dump(database)
        assert b"small" in dumped
        assert not holds_password(dumped)


def test_the_passwords_are_in_no_list_of_processes(swept: Swept) -> None:
    ours = [line for line in swept.seen if str(swept.sweep.spec).encode() in line]
    assert any(b"mishstudy" in line for line in ours)
    assert any(b"--app-name\0basic-auth" in line for line in swept.seen)
    assert any(b"multiprocessing" in line for line in swept.seen)
    assert not [line for line in swept.seen if holds_password(line)]


def test_a_password_would_be_found_in_any_form() -> None:
    """What the two tests above look with."""
    for form in (OLD, quote(OLD), json.dumps({"a": NEW}), authorization("me", NEW), repr(ADMIN)):
        assert holds_password(f"before {form} after".encode())
    assert not holds_password(b"old s3cret")
