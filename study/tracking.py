"""The MLflow writer: what a sweep shows in the dashboard, written off the training path.

One background thread owns every call to MLflow. The driver only puts jobs on its queue, so a server
that is slow or down delays the dashboard and never a training. Each job may be done twice without
harm: child runs are found again by their key, and one that a killed driver left unfinished, or
whose content has changed, is replaced. So the driver sends all it knows at every start.

MLflow is imported in `open_client` and nowhere else.
"""

import contextlib
import logging
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from study.dashboard import CONTENT, KEY, KIND, NAME_LIMIT, ChildRun, child_run, description, parent_tags, run_key
from study.errors import InputError, RunError
from study.ledger import Entry
from study.question import Question
from study.redaction import redact
from study.training import canonical_json

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

_logger = logging.getLogger(__name__)

# MLflow reads these variables; a user's own setting counts.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # we retry ourselves, and know what was written
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
_PROGRESS_SECONDS = 5.0
_FIRST_DELAY, _LAST_DELAY = 0.5, 30.0
_PAGE = 1000


def check_uri(uri: str) -> None:
    """Check that a tracking URI names something the writer can write to; nothing is contacted.

    Raises
    ------
    InputError
        If it is neither the URL of a server nor of a database, or its driver is not installed.
    """
    scheme, mark, rest = uri.partition("://")
    backend = scheme.partition("+")[0]
    shown = repr(redact(uri) if mark or "@" not in uri else "***")
    advice = "use sqlite:///path/to/mlflow.db or the URL of a server, such as http://localhost:5000."
    if not mark or scheme == "file":
        raise InputError(f"MLflow's file store is not supported, and the tracking URI {shown} names one; {advice}")
    if backend != "sqlite" and any(character.isspace() for character in uri):
        raise InputError(f"a tracking URI has no white space, and the one given ({scheme}://***) has; quote it as %20.")
    if scheme in ("http", "https"):
        try:
            parts = urlsplit(uri)
            valid = bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise InputError(f"the tracking URI {shown} has no valid host and port; write it like http://host:5000.")
    elif backend not in _DATABASES:
        known = ", ".join(("http", "https", *_DATABASES))
        raise InputError(f"the tracking URI {shown} has an unknown scheme (known: {known}); {advice}")
    else:
        _check_database(uri, shown)
        if backend == "sqlite":
            _check_sqlite_path(rest, shown)


def _check_database(uri: str, shown: str) -> None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        make_url(uri).get_dialect().import_dbapi()
    except ImportError as error:
        raise InputError(
            f"the tracking URI {shown} needs the Python package {error.name!r}, which is not installed; "
            f"install it, or name another driver, such as postgresql+psycopg2://..."
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            f"the tracking URI {shown} is not a database URL; write it like "
            "postgresql+psycopg2://user:password@host:5432/database."
        ) from None


def _check_sqlite_path(rest: str, shown: str) -> None:
    path = Path(rest.partition("?")[0].removeprefix("/"))
    if not rest.startswith("/") or path.name in ("", ":memory:") or path.is_dir():
        raise InputError(
            f"the tracking URI {shown} names no file for SQLite; write sqlite:///mlflow.db for a relative "
            "path or sqlite:////home/me/mlflow.db for an absolute one."
        )


def open_client(uri: str) -> "MlflowClient":
    """Return a client for `uri`, with MLflow's telemetry off and its log and links kept off the terminal.

    The client is explicit; MLflow's global tracking URI stays what it was.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowClient(tracking_uri=uri)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackerReport:
    """How far MLflow is.

    Parameters
    ----------
    uri : str
        The tracking URI, redacted.
    experiment : str
        Name of the experiment.
    written, pending : int
        Child runs that MLflow holds, and complete ones that wait to be written.
    refused : tuple of str
        One sentence for each piece of work that MLflow called invalid; it is not tried again.
    finished : bool
        Whether the parent run holds what `Tracker.finish` was given.
    problem : str
        Why nothing can be written at the moment; empty where all is well.
    """

    uri: str
    experiment: str
    written: int
    pending: int
    refused: tuple[str, ...]
    finished: bool
    problem: str

    @property
    def complete(self) -> bool:
        """Whether MLflow holds all that it was given, up to the end of the sweep."""
        return self.finished and not self.pending and not self.refused

    @property
    def sentence(self) -> str:
        """The report for people."""
        where = f"the experiment {self.experiment!r} at {self.uri}"
        if self.complete:
            return f"MLflow holds {self.written} runs and the results in {where}."
        missing = [f"{self.pending} runs"] if self.pending else []
        missing += [] if self.finished else ["the final results"]
        missing += [f"{len(self.refused)} pieces that it refused ({self.refused[0]})"] if self.refused else []
        reason = f" ({self.problem})" if self.problem else ""
        return (
            f"MLflow does not hold {' and '.join(missing)} yet in {where}{reason}; nothing is lost: "
            "run the same sweep again to catch up."
        )


@dataclass(slots=True)
class _Group:
    """What has come in of one child run."""

    entries: list[Entry] = field(default_factory=list)
    started: float = float("inf")


class Tracker:
    """Writes one sweep to MLflow from a thread of its own; every method returns at once unless it says so.

    Parameters
    ----------
    uri : str
        Tracking URI that passed `check_uri`.
    artifact_root : Path
        Folder for the artifacts of new experiments; an MLflow server (`http...`) keeps its own.
    question : Question
        Of the sweep; its name is the experiment's name.
    spec_text : str
        The spec file.
    fingerprint : dict
        The environment, as in the ledger's header.
    """

    def __init__(
        self, uri: str, artifact_root: Path, question: Question, spec_text: str, fingerprint: Mapping[str, Any]
    ) -> None:
        self._question = question
        self._uri = redact(uri)
        self._open = partial(_Sweep, uri, artifact_root, question, spec_text, fingerprint)
        self._sweep: _Sweep | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._groups: dict[str, _Group] = {}
        self._seen: set[str] = set()
        self._submitted = 0
        self._written = 0
        self._refused: list[str] = []
        self._finished = threading.Event()
        self._problem = ""
        self._progress: tuple[int, int, int] | None = None
        self._progress_due = 0.0
        self._jobs.put(lambda sweep: None)  # connect now, so that the dashboard shows a sweep that has begun
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)
        self._thread.start()

    def training(self, entry: Entry, planned: int) -> None:
        """Take one recorded training; a repeated one is ignored.

        Parameters
        ----------
        entry : Entry
            From this session or from the ledger.
        planned : int
            Number of trainings planned for the entry's configuration and activation; when all are
            in, their child run is written.
        """
        if entry.training.digest in self._seen:
            return
        self._seen.add(entry.training.digest)
        key, now = run_key(entry), time.time()
        group = self._groups.setdefault(key, _Group())
        group.entries.append(entry)
        group.started = min(group.started, now - entry.result.seconds)
        if len(group.entries) >= planned:
            del self._groups[key]
            run = child_run(self._question, group.entries, started=group.started, ended=now)
            self._submitted += 1
            self._jobs.put(partial(self._write_child, run))

    def progress(self, done: int, planned: int, failed: int) -> None:
        """Take the number of trainings done, planned and failed; only the newest is written."""
        self._progress = (done, planned, failed)

    def finish(
        self,
        artifacts: Mapping[str, "str | bytes | pd.DataFrame"],
        metrics: Mapping[str, float] | None = None,
        *,
        wait: float = 60.0,
    ) -> TrackerReport:
        """Write the results to the parent run and wait until all is written, `wait` seconds at most.

        Parameters
        ----------
        artifacts : dict of str to str, bytes or DataFrame
            Relative path with forward slashes to content; a frame is written as Parquet. One that is
            there already is replaced.
        metrics : dict of str to float, optional
            Numbers about the whole sweep; those that are not finite are left out.
        wait : float
            In seconds.
        """
        self._finished.clear()
        self._jobs.put(partial(self._write_end, dict(artifacts), dict(metrics or {})))
        self._finished.wait(wait)
        return self.report()

    def report(self) -> TrackerReport:
        """Return how far MLflow is now."""
        return TrackerReport(
            uri=self._uri,
            experiment=self._question.name,
            written=self._written,
            pending=self._submitted - self._written - len(self._refused),
            refused=tuple(self._refused),
            finished=self._finished.is_set(),
            problem=self._problem,
        )

    def close(self, *, wait: float = 10.0) -> None:
        """Stop the thread; it may write what it was given for `wait` seconds, unless MLflow is away."""
        self._jobs.put(None)
        if self._problem:
            self._stopping.set()
        self._thread.join(wait)
        self._stopping.set()

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            self._do(job)
        if self._sweep is not None and self._sweep.running:
            with contextlib.suppress(Exception):
                self._sweep.end("KILLED")

    def _next_job(self) -> "_Job | None":
        while True:
            due = self._progress_due - time.monotonic() if self._progress is not None else None
            if due is not None and due <= 0:
                return self._write_progress
            with contextlib.suppress(queue.Empty):
                # Progress has no message of its own, so the queue is looked at again and again.
                return self._jobs.get(timeout=_PROGRESS_SECONDS if due is None else due)

    def _do(self, job: "_Job") -> None:
        delay = _FIRST_DELAY
        while not self._stopping.is_set():
            try:
                if self._sweep is None:
                    self._sweep = self._open()
                job(self._sweep)
            except Exception as error:
                self._sweep = None
                reason = _reason(error)
                _logger.info("MLflow at %s: %s", self._uri, reason)
                if getattr(error, "error_code", None) in _REFUSED:
                    self._refused.append(reason)
                    return
                self._problem = reason
                self._stopping.wait(delay)
                delay = min(2 * delay, _LAST_DELAY)
            else:
                self._problem = ""
                return

    def _write_child(self, run: ChildRun, sweep: "_Sweep") -> None:
        sweep.write(run)
        self._written += 1

    def _write_progress(self, sweep: "_Sweep") -> None:
        progress, self._progress = self._progress, None
        self._progress_due = time.monotonic() + _PROGRESS_SECONDS
        if progress is not None:
            sweep.log_progress(*progress)

    def _write_end(
        self,
        artifacts: Mapping[str, "str | bytes | pd.DataFrame"],
        metrics: Mapping[str, float],
        sweep: "_Sweep",
    ) -> None:
        self._write_progress(sweep)
        sweep.log_results(artifacts, metrics)
        sweep.end("FINISHED")
        self._finished.set()
