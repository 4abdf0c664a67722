"""Opens MLflow and optuna-dashboard over a home, on localhost unless told otherwise."""

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.errors import InputError, RunError
from sweeps.home import Home
from sweeps.process_groups import ProcessGroups

# Without these MLflow starts four workers and seven processes for jobs that a sweep never has: 2.5 GB
# and a minute instead of 0.5 GB and 16 s. A user's own setting counts.
_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


@dataclass(frozen=True, slots=True)
class Server:
    """One program that serves a page.

    Parameters
    ----------
    title : str
        For people.
    command : tuple of str
        Program and arguments, as its own documentation has them.
    host, port : str, int
        Where it listens.
    """

    title: str
    command: tuple[str, ...]
    host: str
    port: int

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{self.host}:{self.port}"

    def listens(self) -> bool:
        """Return whether the page can be opened, from this machine."""
        try:
            with socket.create_connection((self.host, self.port), timeout=5):
                return True
        except OSError:
            return False


def servers(home: Home, host: str, mlflow_port: int, optuna_port: int) -> tuple[Server, ...]:
    """Return the servers of a home: one for each store that it holds.

    Raises
    ------
    InputError
        If the home holds no sweep, or has given both stores to other servers, or a port is not free.
    """
    if not home.sweeps():
        raise InputError(f"the home {home.root} holds no sweep to show; run `mishstudy sweep` first.")
    found: list[Server] = []
    if home.mlflow_database.exists():
        command = (_program("mlflow"), "ui", "--backend-store-uri", home.tracking_uri, "--workers", "1")
        found.append(Server("MLflow", (*command, *_listen(host, mlflow_port)), host, mlflow_port))
    if home.journal.exists():
        command = (_program("optuna-dashboard"), str(home.journal))
        found.append(Server("Optuna", (*command, *_listen(host, optuna_port)), host, optuna_port))
    if not found:
        raise InputError(
            f"the sweeps in {home.root} were run with --tracking-uri and --storage, so there is nothing to "
            "show in the home; open the pages of those servers."
        )
    if mlflow_port == optuna_port:
        raise InputError(f"the two servers need a port each, and both were given {mlflow_port}.")
    for server in found:
        _check_free(server)
    return tuple(found)


def _listen(host: str, port: int) -> tuple[str, ...]:
    return "--host", host, "--port", str(port)


def _check_free(server: Server) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError as error:
            raise InputError(
                f"a server needs a free port, and {server.host}:{server.port} is not ({error.strerror}); "
                f"name another one with --{server.title.lower()}-port."
            ) from error


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RunError(
            f"the program {name} is not installed beside {sys.executable}; install mishstudy again."
        )
    return found


def addresses(home: Home, opened: Sequence[Server]) -> list[str]:
    """Return what to open, a line each: the servers and, in MLflow, every sweep."""
    lines: list[str] = []
    for server in opened:
        lines.append(f"{server.title}: {server.url}")
        if server.title == "MLflow":
            from study.mlflow_sweep import find_pages

            for name, pages in find_pages(home.tracking_uri, home.sweeps()).items():
                lines += [f"  {name}, {what}: {server.url}/{page}" for what, page in pages.items()]
    return lines


def serve(opened: Sequence[Server], log: Path, ready: Callable[[], None]) -> None:
    """Run servers until the user interrupts; what they print goes to `log`. None outlives this process.

    Parameters
    ----------
    opened : sequence of Server
        What to run.
    log : Path
        A file that is added to.
    ready : callable
        Is called once, when all pages can be opened.

    Raises
    ------
    RunError
        If a server ends by itself.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # a closed terminal stops them as Ctrl-C does
    waiting = list(opened)
    try:
        with log.open("ab") as output, ProcessGroups() as groups:
            for server in opened:
                groups.start(server.command, output, {**_ENVIRONMENT, **os.environ})
            while True:
                if waiting and not (waiting := [server for server in waiting if not server.listens()]):
                    ready()
                for server, process in zip(opened, groups.running, strict=True):
                    if process.poll() is not None:
                        raise RunError(
                            f"the {server.title} server ended by itself; {log} has its last words."
                        )
                time.sleep(0.2)
    except KeyboardInterrupt:
        return
