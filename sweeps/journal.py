"""Optuna's journal file, in which much can be written at once."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

_STALE_LOCK_SECONDS = 5.0


class Journal(JournalStorage):
    """A journal file as a storage, opened by the holder of the home's lock.

    Parameters
    ----------
    path : Path
        The file. A lock that a killed driver left on it is removed, and a torn last line cut off, as Optuna
        would write on in the middle of it.

    Raises
    ------
    Exception
        Whatever reading lines raises that Optuna did not write.
    """

    def __init__(self, path: Path) -> None:
        _remove_dead_lock(path.with_name(path.name + ".lock"))
        if path.exists():
            whole, newline, _ = path.read_bytes().rpartition(b"\n")
            if newline:
                json.loads(whole.rpartition(b"\n")[2])  # Optuna would find out when it has written after it
            os.truncate(path, len(whole + newline))
        backend = _File(str(path))
        self.together = backend.together
        super().__init__(backend)


def _remove_dead_lock(lock: Path) -> None:
    """Remove a lock that is old, or stays the same while we wait: clocks go back, and a kill may be recent.

    A living holder, such as the dashboard, has it for milliseconds.
    """
    seen, since = None, time.monotonic()
    while (taken := _taken(lock)) is not None:
        if taken != seen:
            seen, since = taken, time.monotonic()
        if max(time.time() - taken, time.monotonic() - since) > _STALE_LOCK_SECONDS:
            lock.unlink(missing_ok=True)
            return
        time.sleep(0.05)


def _taken(lock: Path) -> float | None:
    """Return when a lock was taken, by the wall clock, or None where there is none."""
    try:
        return lock.lstat().st_mtime
    except FileNotFoundError:
        return None


class _File(JournalFileBackend):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._held: list[dict[str, Any]] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what comes within at its end, in one piece, and wait for the disk once.

        Optuna does not see it before.
        """
        if self._held is not None:
            yield
            return
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                self.append_logs(held)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        if self._held is None:
            super().append_logs(logs)
        else:
            self._held += logs
