"""Opens MLflow and optuna-dashboard over a home, on localhost unless told otherwise."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from study.errors import InputError, RunError
from sweeps.home import Home


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


def servers(home: Home, host: str, mlflow_port: int, optuna_port: int) -> tuple[Server, ...]:
    """Return the two servers of a home.

    Raises
    ------
    InputError
        If the home holds no sweep, or a port is taken.
    """
    if not home.sweeps():
        raise InputError(f"the home {home.root} holds no sweep to show; run `mishstudy sweep` first.")
    for port in (mlflow_port, optuna_port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise InputError(
                    f"a server needs a free port, and {host}:{port} is not ({error.strerror}); "
                    "name others with --mlflow-port and --optuna-port."
                ) from error
    return (
        Server(
            "MLflow",
            (
                *(_program("mlflow"), "ui", "--backend-store-uri", home.tracking_uri),
                *("--host", host, "--port", str(mlflow_port)),
            ),
            host,
            mlflow_port,
        ),
        Server(
            "Optuna",
            (
                *(_program("optuna-dashboard"), str(home.journal)),
                *("--host", host, "--port", str(optuna_port)),
            ),
            host,
            optuna_port,
        ),
    )


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RunError(
            f"the program {name} is not installed beside {sys.executable}; install mishstudy again."
        )
    return found


def serve(opened: tuple[Server, ...], log: Path) -> None:
    """Run servers until one ends or the user interrupts; what they print goes to `log`.

    Raises
    ------
    RunError
        If a server ends by itself.
    """
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("ab") as output:
        running = [
            subprocess.Popen(  # a session of its own: Ctrl-C reaches us, and we stop the whole group
                server.command, stdout=output, stderr=output, env=environment, start_new_session=True
            )
            for server in opened
        ]
        try:
            while all(process.poll() is None for process in running):
                time.sleep(0.2)
        except KeyboardInterrupt:
            return
        finally:
            for process in running:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
            for process in running:
                process.wait(timeout=20)
    ended = next(
        server.title for server, process in zip(opened, running, strict=True) if process.returncode != -15
    )
    raise RunError(f"the {ended} server ended by itself; {log} has its last words.")
