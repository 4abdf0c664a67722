"""The MLflow writer: what a sweep shows in the dashboard, written off the training path.

One background thread owns every call to MLflow. The driver only puts jobs on its queue, so a server
that is slow or down delays the dashboard and never a training. Each job may be done twice without
harm: child runs are found again by their key, and one that a killed driver left unfinished, or
whose content has changed, is replaced. So the driver sends all it knows at every start.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from study.dashboard import Results, child_run, run_key
from study.errors import RunError
from study.ledger import Entry
from study.mlflow_access import import_for_requests
from study.mlflow_denial import denial
from study.mlflow_sweep import MlflowSweep
from study.question import Question
from study.redaction import redact

_logger = logging.getLogger(__name__)

_INVALID = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
_FIRST_DELAY, _LAST_DELAY = 0.5, 30.0  # seconds between attempts
_LAST_WORD = 2.0  # seconds for it, after all else was given up

_Job = Callable[[MlflowSweep], None]


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
        Child runs that MLflow holds, and those that it does not hold yet.
    refused : tuple of str
        Why MLflow called a piece of work invalid, one sentence each; this tracker does not try it again.
    finished : bool
        Whether the parent run holds what `Tracker.finish` was given.
    ended : bool
        Whether that was results.
    problem : str
        Why nothing can be written at the moment; empty where all is well.
    seconds_left : float or None
        How long the pending runs take at the pace so far; None where none was written.
    """

    uri: str
    experiment: str
    written: int
    pending: int
    refused: tuple[str, ...]
    finished: bool
    ended: bool
    problem: str
    seconds_left: float | None

    @property
    def complete(self) -> bool:
        """Whether MLflow holds all that it was given, up to the end of the sweep."""
        return self.finished and not self.pending and not self.refused

    @property
    def sentence(self) -> str:
        """The report for people."""
        where = f"the experiment {self.experiment!r} at {self.uri}"
        if self.complete:
            results = " and the results" if self.ended else ""
            return f"MLflow holds {self.written} runs{results} in {where}."
        missing = ["1 run" if self.pending == 1 else f"{self.pending} runs"] if self.pending else []
        missing += [] if self.finished or not self.ended else ["the results"]
        why = self.problem or (self.refused[0] if self.refused else "")
        again = "run the same sweep again to catch up."
        if not why:
            minutes = round((self.seconds_left or 0) / 60)
            why = f"it needs {f'some {minutes} minutes' if minutes > 1 else 'more time'}."
            again = "run the same sweep again, which then waits until MLflow has everything."
        return (
            f"MLflow does not hold {' and '.join(missing) or 'everything'} yet in {where}: {why} "
            f"Nothing is lost: {again}"
        )


@dataclass(slots=True)
class _Group:
    """What has come in for one child run."""

    entries: list[Entry] = field(default_factory=list)
    started: float = float("inf")


class Tracker:
    """Writes one sweep to MLflow from a thread of its own; only `finish` and `close` wait, and not for ever.

    Parameters
    ----------
    uri : str
        Tracking URI that passed `check_tracking_uri`.
    artifact_root : Path
        Folder for the artifacts of a new experiment; an MLflow server (`http...`) keeps its own.
    question : Question
        Of the sweep; its name is the experiment's name.
    spec_text : str
        The spec file.
    fingerprint : dict
        The environment, as in the ledger's header.
    """

    def __init__(
        self,
        uri: str,
        artifact_root: Path,
        question: Question,
        spec_text: str,
        fingerprint: Mapping[str, Any],
    ) -> None:
        self._question = question
        self._uri = redact(uri)
        self._denial = partial(denial, uri=uri, experiment=question.name)
        self._open = partial(MlflowSweep, uri, artifact_root, question, spec_text, fingerprint)
        self._sweep: MlflowSweep | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._groups: dict[str, _Group] = {}
        self._seen: set[str] = set()
        self._submitted = 0
        self._written = 0
        self._connected = 0.0
        self._refused: list[str] = []
        self._problem = ""
        self._interrupted = False
        self._finished = False
        self._ended = True
        self._waited = False
        self._closing = False
        self._progress = (0, 0, 0, 0)
        self._progress_queued = False
        if uri.startswith("http"):
            import_for_requests()
        self._jobs.put(lambda _: None)  # connects: the dashboard shows a sweep that has only begun
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)
        self._thread.start()

    def training(self, entry: Entry, planned: int) -> None:
        """Take one recorded training; a repeated one is ignored.

        Parameters
        ----------
        entry : Entry
            From this session or from the ledger.
        planned : int
            Number of trainings planned for the entry's child run; when all are in, it is written.
        """
        if entry.result.digest in self._seen:
            return
        self._seen.add(entry.result.digest)
        key, now = run_key(entry), time.time()
        group = self._groups.setdefault(key, _Group())
        group.entries.append(entry)
        group.started = min(group.started, now - entry.result.seconds)
        if len(group.entries) >= planned:
            del self._groups[key]
            self._submitted += 1
            self._jobs.put(partial(self._write_child, group, now))

    def progress(self, done: int, planned: int, failed: int, epochs: int = 0) -> None:
        """Take the numbers of trainings, and of epochs that the engine trained since it was started.

        The newest ones are written, others may be skipped.
        """
        self._progress = (done, planned, failed, epochs)
        if not self._progress_queued:
            self._progress_queued = True
            self._jobs.put(self._write_progress)

    def finish(self, results: Results | None, *, wait: float = 30.0, patient: bool = False) -> TrackerReport:
        """Write the results to the parent run and wait until all is written.

        What the parent run has from an earlier call, such as an artifact of the same path, is replaced.

        Parameters
        ----------
        results : Results or None
            What the parent run shows; None for a sweep that has not come to its end, and is shown as killed.
        wait : float
            Seconds to wait at most.
        patient : bool
            Whether to wait for another `wait` seconds whenever MLflow got on, or connected, in the last ones.
        """
        settled = threading.Event()
        self._ended = results is not None
        self._jobs.put(self._look_again)
        self._jobs.put(partial(self._write_end, results))
        self._jobs.put(lambda _: settled.set())
        written = self._written
        while not settled.wait(wait) and patient and (self._written > written or self._is_connecting):
            written = self._written
        self._waited = True
        return self.report()

    def report(self) -> TrackerReport:
        """Return how far MLflow is now."""
        written, pending = self._written, self._submitted - self._written
        return TrackerReport(
            uri=self._uri,
            experiment=self._question.name,
            written=written,
            pending=pending,
            refused=tuple(self._refused),
            finished=self._finished,
            ended=self._ended,
            problem=self._problem,
            seconds_left=pending * (time.monotonic() - self._connected) / written if written else None,
        )

    @property
    def _is_connecting(self) -> bool:
        return self._sweep is None and not self._problem

    def close(self, *, wait: float = 10.0) -> None:
        """Stop the thread, which shows a sweep that is not finished as killed.

        It may write what is left for `wait` seconds, but not after `finish`, nor where MLflow is away.
        """
        self._closing = True
        self._jobs.put(None)
        if self._problem or self._waited:
            self._stopping.set()
        self._thread.join(wait)
        if self._thread.is_alive():
            self._stopping.set()
            self._thread.join(_LAST_WORD)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._do(job)
        if self._sweep is not None:
            with contextlib.suppress(Exception):
                self._sweep.end("KILLED")

    def _do(self, job: _Job) -> None:
        delay = _FIRST_DELAY
        refusals = 0
        while not self._stopping.is_set():
            try:
                if self._sweep is None:
                    self._sweep = self._open()
                    self._connected = time.monotonic()
                job(self._sweep)
            except Exception as error:
                # Connecting again tells a deleted experiment from work that is itself invalid.
                refusals += self._sweep is not None and getattr(error, "error_code", "") in _INVALID
                self._sweep = None
                reason = self._reason(error)
                if refusals == 2:
                    self._problem = ""
                    self._refused.append(reason)
                    return
                self._problem = reason
                self._interrupted = True
                _logger.info("%s", reason)
                if self._closing:
                    self._stopping.set()
                self._stopping.wait(delay)
                delay = min(2 * delay, _LAST_DELAY)
            else:
                self._problem = ""
                return

    def _reason(self, error: Exception) -> str:
        if isinstance(error, RunError):
            return str(error)
        if denied := self._denial(error):
            return f"MLflow at {self._uri} {denied}."
        said = redact(_words(error)).strip().partition("\n")[0] or type(error).__name__
        return f"MLflow at {self._uri} could not be written: {said[:300]}."

    def _write_child(self, group: _Group, ended: float, sweep: MlflowSweep) -> None:
        sweep.write(child_run(self._question, group.entries, started=group.started, ended=ended))
        self._written += 1

    def _write_progress(self, sweep: MlflowSweep) -> None:
        self._progress_queued = False  # first: a newer value from here on gets a job of its own
        sweep.log_progress(*self._progress)

    def _look_again(self, sweep: MlflowSweep) -> None:
        if self._interrupted:
            sweep.look_again()
            self._interrupted = False

    def _write_end(self, results: Results | None, sweep: MlflowSweep) -> None:
        if results is not None:
            sweep.log_results(results)
        sweep.end("KILLED" if results is None else "FINISHED")
        self._finished = True


def _words(error: BaseException) -> str:
    """Return what the system said of a file or a connection, where that is at the bottom, or the error."""
    root = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    return root.strerror if isinstance(root, OSError) and root.strerror else str(error)
