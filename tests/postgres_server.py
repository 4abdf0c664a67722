"""A real PostgreSQL server on loopback, with users, databases and health check of `docker/compose.yaml`."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from container_files import FOLDER
from mlflow_server import free_port

PASSWORD = "s3cret/@:%41 #?&"
"""Has every character that a URL can stumble over."""


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

    def refuse(self, database: str, refused: bool = True) -> None:
        """End every connection to a database and let nobody in, or let them in again."""
        self._command(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS {not refused}")
        if refused:
            named = f"FROM pg_stat_activity WHERE datname = '{database}'"
            self._command(f"SELECT pg_terminate_backend(pid) {named}")

    def _command(self, command: str) -> None:
        subprocess.run(
            [
                *("psql", "--host=postgres", "--username=mishstudy", "--no-password"),
                *("--dbname=postgres", "--set=ON_ERROR_STOP=1", f"--command={command}"),
            ],
            capture_output=True, check=True, env={**os.environ, **self.environment},
        )  # fmt: skip

    def dump(self, database: str) -> bytes:
        """Return all that a database holds."""
        return subprocess.run(
            [
                *(_program("pg_dump"), "--host=postgres", "--username=mishstudy"),
                *("--no-password", database),
            ],
            capture_output=True, check=True, env={**os.environ, **self.environment},
        ).stdout  # fmt: skip


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


@contextmanager
def postgres_server(service: Mapping[str, Any]) -> Iterator[Postgres]:
    """Run a server as a service of the compose file.

    PostgreSQL refuses to run as root, and the user it then runs as may not enter pytest's folders.
    """
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
                *(_program("initdb"), "--pgdata", str(folder / "data"), "--no-sync"),
                *("--auth=scram-sha-256", f"--username={settings['POSTGRES_USER']}"),
                f"--pwfile={folder / 'password'}",
            ],
            capture_output=True, check=True, cwd=folder, **as_user,
        )  # fmt: skip
        server = Postgres(free_port())
        command = [
            *(_program("postgres"), "-D", str(folder / "data"), "-p", str(server.port), "-F"),
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


def _program(name: str) -> str:
    folders = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ["PATH"]]))
    assert found, f"{name} is missing; install Debian's package postgresql"
    return found
