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
        lock = path.with_name(path.name + ".lock")
        if lock.is_symlink() and time.time() - lock.lstat().st_mtime > _STALE_LOCK_SECONDS:
            lock.unlink()
        if path.exists():
            whole, newline, _ = path.read_bytes().rpartition(b"\n")
            if newline:
                json.loads(whole.rpartition(b"\n")[2])  # Optuna would find out when it has written after it
            os.truncate(path, len(whole + newline))
        backend = _File(str(path))
        self.together = backend.together
        super().__init__(backend)


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
