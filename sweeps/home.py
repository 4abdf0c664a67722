"""The home: the folder that holds the sweeps, the Optuna journal, MLflow's database and its artifacts."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from study.errors import InputError

_JOURNAL = "optuna.journal"
_DATABASE = "mlflow.db"
_ARTIFACTS = "artifacts"
_COMPILED = "compiled"
_UI_LOG = "ui.log"
OWN_NAMES = frozenset(
    {_ARTIFACTS, _COMPILED, _UI_LOG, _JOURNAL, f"{_JOURNAL}.lock"}
    | {f"{_DATABASE}{end}" for end in ("", "-journal", "-shm", "-wal")}
)
"""What a home holds beside its sweeps, whose folders have other names; hidden files are left out."""

_LOOKED_AT_SECONDS = 0.5
"""How long a driver waits for the lock: longer than `is_running` ever holds it."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of a group of sweeps lives.

    Parameters
    ----------
    root : Path
        The folder, absolute.
    """

    root: Path

    @property
    def journal(self) -> Path:
        """Optuna's journal file."""
        return self.root / _JOURNAL

    @property
    def mlflow_database(self) -> Path:
        """MLflow's database."""
        return self.root / _DATABASE

    @property
    def tracking_uri(self) -> str:
        """The MLflow tracking URI of the database in this home."""
        return f"sqlite:///{self.mlflow_database}"

    @property
    def artifacts(self) -> Path:
        """Where MLflow puts the artifacts of local experiments."""
        return self.root / _ARTIFACTS

    @property
    def compiled(self) -> Path:
        """Where the training processes keep compiled programs."""
        return self.root / _COMPILED

    @property
    def ui_log(self) -> Path:
        """What the dashboards write."""
        return self.root / _UI_LOG

    def sweep(self, name: str) -> Path:
        """Return the folder of one sweep."""
        return self.root / name

    def ledger(self, name: str) -> Path:
        """Return the ledger of one sweep."""
        return self.sweep(name) / "ledger.jsonl"

    def spec(self, name: str) -> Path:
        """Return the copy of the spec that the sweep's results belong to."""
        return self.sweep(name) / "spec.toml"

    def sweeps(self) -> list[str]:
        """Return the names of the sweeps that have a ledger, the one that changed last at the end."""
        found = sorted(self.root.glob("*/ledger.jsonl"), key=lambda path: path.stat().st_ctime)
        return [path.parent.name for path in found]

    def existing(self, name: str) -> Path:
        """Return the ledger of a sweep that must exist.

        Raises
        ------
        InputError
            If there is none of that name; the message lists what there is.
        """
        known = self.sweeps()
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has no sweep yet"
            raise InputError(
                f"there is no sweep {name!r} in the home {self.root}: {has}; "
                "name one of them, or another home with --home."
            )
        return self.ledger(name)

    def is_running(self, name: str) -> bool:
        """Return whether a driver holds the home for the sweep `name`; nothing is written."""
        who = self._driver()
        try:
            lock = self._lock.open("rb")
        except OSError:
            return False
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return who.get("sweep") == name
        return False

    @property
    def _lock(self) -> Path:
        return self.root / ".lock"

    @property
    def _holder(self) -> Path:
        """Who holds the lock; a killed driver leaves it behind, so it means nothing without the lock."""
        return self.root / ".lock-holder.json"

    def _driver(self) -> dict[str, Any]:
        """Return what the driver that holds the lock wrote of itself; nothing where that cannot be read."""
        try:
            who = json.loads(self._holder.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return who if isinstance(who, dict) else {}

    def prepare(self) -> None:
        """Make the folder and check that it can be written.

        Raises
        ------
        InputError
            If it can not.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"the home {self.root} must be a folder that can be written, and it is not "
                f"({error.strerror}); name another one with --home."
            ) from error

    @contextmanager
    def locked(self, sweep: str) -> Iterator[None]:
        """Hold the home for one driver; the lock goes with the process, however it ends.

        Raises
        ------
        InputError
            If another driver holds it: who, and since when.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=_LOOKED_AT_SECONDS)
        except Timeout:
            who = self._driver()
            told = "another process is starting a sweep there"
            if {"pid", "host", "sweep", "since"} <= who.keys():
                told = f"process {who['pid']} on {who['host']} runs {who['sweep']} there since {who['since']}"
            raise InputError(
                f"one driver at a time may write to the home {self.root}, and {told}; "
                "wait for it, stop it, or use another --home."
            ) from None
        try:
            who = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "sweep": sweep,
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            self._holder.write_text(json.dumps(who), encoding="utf-8")
            yield
        finally:
            self._holder.unlink(missing_ok=True)
            lock.release()
