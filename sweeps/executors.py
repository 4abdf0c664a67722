"""Where trainings run: a child process that holds the engine and is replaced when it dies.

The driver never imports a deep-learning framework. The child is pure: trainings in, results out.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from study.errors import InputError, RunError
from study.packing import Group, Pack
from study.reports import Report, Split
from study.training import Status, Training, TrainingResult
from sweeps.training_process import Done, Ready, Refused, Setup, serve

_COMPILED_BYTES = 2**30
"""Compiled programs beyond this are dropped, those that were used longest ago first."""


class _Nothing:
    """The child has said nothing yet."""


_NOTHING = _Nothing()


class ChildExecutor:
    """Runs trainings in one child process.

    Parameters
    ----------
    setup : Setup
        What it trains with.
    log : Path
        File that takes what the child's libraries print.
    report : callable
        Is told what the engine reports; the child goes on with smaller packs after it has returned.
    compiled : Path or None
        Folder in which compiled programs are kept from one process to the next.
    retries : int
        How often a training that took its process down, or hung, is tried again before that is its result.
        At least once: the second attempt is made alone, so that the right training is blamed.
    epoch_timeout : float
        Seconds in which a process at work says something: it has built a program, or an epoch has ended.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        log: Path,
        report: Callable[[Report], None] = lambda _: None,
        compiled: Path | None = None,
        retries: int = 1,
        epoch_timeout: float = float("inf"),
    ) -> None:
        self._report = report
        self._attempts = retries + 1
        self._epoch_timeout = epoch_timeout
        self._heard = time.monotonic()
        self._hung = False
        self._compiled = compiled
        self._setup = setup
        self._log = log
        self._process: Any = None
        self._connection: Connection | None = None
        self._ready = False

    @property
    def is_running(self) -> bool:
        """Whether there is a child, ready or not."""
        return self._process is not None

    @property
    def waitables(self) -> list[Any]:
        """What `multiprocessing.connection.wait` waits for after `steps` has yielded None."""
        return [self._connection, self._process.sentinel]

    @property
    def patience(self) -> float | None:
        """Seconds to wait for a child at work until it is taken for hung, as a timeout of `wait`."""
        left = self._heard + self._epoch_timeout - time.monotonic()
        return None if left == float("inf") else max(0.0, left)

    def start(self) -> Ready:
        """Start the child and load engine and data set.

        Raises
        ------
        InputError
            If the data set is not usable.
        RunError
            If the child dies while it starts.
        """
        self.launch()
        return self._await_ready()

    def launch(self) -> None:
        """Start the child and wait for nothing; `steps` waits for what `start` does."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with child_environment(self._setup.threads, self._compiled):
            arguments = (theirs, self._setup, self._log)
            self._process = context.Process(target=serve, args=arguments, daemon=True)
            self._process.start()
        theirs.close()
        self._connection = ours
        self._ready = False

    def _await_ready(self) -> Ready:
        answer = self._receive()
        self._ready = True
        if isinstance(answer, Ready):
            return answer
        raise RunError(
            f"the training process died while it started ({self._ending()}); {self._log} has its last words."
        )

    def check(self, trainings: Sequence[Training]) -> None:
        """Build the program of each of `trainings` and take one look at it, training nothing.

        Raises
        ------
        InputError
            If a user's own function is not usable.
        """
        self._send("check", list(trainings))
        if self._receive() is None:
            raise RunError(f"the training process died while it checked the spec ({self._ending()}).")

    def train(self, groups: Sequence[Group | Pack]) -> Iterator[TrainingResult]:
        """Train in order; a child that dies is replaced, and what it was at is tried once more.

        Yields
        ------
        TrainingResult
            One per training, in order. Closing the iterator early stops the child.
        """
        for together in self.train_together(groups):
            yield from together

    def train_together(self, groups: Sequence[Group | Pack]) -> Iterator[list[TrainingResult]]:
        """Train as `train` does, and yield in one list the results that have come in by the same time.

        None waits for a later one: where an engine is done with a pack, its results come in together.
        """
        for together in self.steps(groups):
            if together is None:
                wait(self.waitables, self.patience)
            else:
                yield together

    def steps(self, groups: Sequence[Group | Pack]) -> Iterator[list[TrainingResult] | None]:
        """Train as `train_together` does, and yield None instead of waiting for the child."""
        if not self._ready:
            self._await_ready()
        remaining, done, attempts, finished = list(groups), set[str](), 0, False
        try:
            while remaining:
                # The second attempt is made with one group alone: an engine that compiles ahead may have
                # died of a later one.
                sent = remaining[:1] if attempts else remaining
                self._send("train", sent)
                word = None
                for word in self._words():
                    if word is _NOTHING:
                        yield None
                        continue
                    if isinstance(word, list):
                        attempts = 0
                        new = [each for each in word if each.digest not in done]
                        done |= {each.digest for each in new}
                        if new:
                            yield new
                        continue
                    if isinstance(word, Report):
                        self._report(word)
                    if isinstance(word, Split):
                        remaining = _smaller(remaining, word)
                remaining = _left(remaining, done)
                if word is not None:
                    attempts = 0
                    continue
                attempts += 1
                if attempts == self._attempts:
                    attempts = 0
                    lost = [each for each in remaining[0].trainings if each.digest not in done]
                    lost = lost[: remaining[0].at_stake]
                    done |= {training.digest for training in lost}
                    yield [self._casualty(training) for training in lost]
                    remaining = _left(remaining, done)
                self._replace()
            finished = True
        finally:
            if not finished:
                self.stop()

    def _replace(self) -> None:
        """Start another child; one that dies while it starts is tried again as often as a training is."""
        for left in reversed(range(self._attempts)):
            self.stop()
            try:
                self.start()
                return
            except RunError:
                if not left:
                    raise

    def stop(self) -> None:
        """Stop the child at once."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, task: str, work: Sequence[Any]) -> None:
        """Give the child a task; where it has died, `_receive` is the one to notice."""
        assert self._connection is not None
        with suppress(BrokenPipeError):
            self._connection.send((task, work))
        self._heard, self._hung = time.monotonic(), False

    def _words(self) -> Iterator[list[TrainingResult] | Report | Done | _Nothing | None]:
        """Yield what the child says up to the end of a task; results that have come in together as a list."""
        assert self._connection is not None
        results: list[TrainingResult] = []
        while True:
            while not wait(self.waitables, timeout=0):
                if self.patience == 0.0:
                    self._hung = True
                    self._process.kill()
                    break
                yield _NOTHING
            self._heard = time.monotonic()
            try:
                word = self._receive()
            except InputError:
                if results:
                    yield results
                raise
            if isinstance(word, TrainingResult):
                results.append(word)
                if self._connection.poll():
                    continue
            if results:
                yield results
                results = []
            if not isinstance(word, TrainingResult):
                yield word
            if not isinstance(word, TrainingResult | Report):
                return

    def _receive(self) -> Any:
        """Return the child's next word, or None where it has died."""
        assert self._connection is not None
        wait([self._connection, self._process.sentinel])
        try:
            answer = self._connection.recv() if self._connection.poll() else None
        except (EOFError, ConnectionResetError):
            answer = None
        if isinstance(answer, Refused):
            raise InputError(answer.message)
        return answer

    def _ending(self) -> str:
        self._process.join()
        code = self._process.exitcode
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _casualty(self, training: Training) -> TrainingResult:
        times = f"{self._attempts} time{'s' * (self._attempts != 1)}"
        if self._hung:
            reason = f"no epoch ended within {self._epoch_timeout:g} s; tried {times}"
            return TrainingResult(digest=training.digest, status=Status.TIMEOUT, reason=reason)
        reason = f"the training process died {times} ({self._ending()})"
        return TrainingResult(digest=training.digest, status=Status.ERROR, reason=reason)


def _left(groups: Sequence[Group | Pack], done: set[str]) -> list[Group | Pack]:
    return [left for group in groups if (left := group.without(done)) is not None]


def _smaller(groups: Sequence[Group | Pack], split: Split) -> list[Group | Pack]:
    """Return the groups with the packs of one shape in parts."""
    found: list[Group | Pack] = []
    for group in groups:
        if isinstance(group, Pack) and group.shape == split.shape and group.blocks > split.blocks:
            found += group.in_parts(split.blocks)
        else:
            found.append(group)
    return found


@contextmanager
def child_environment(threads: int, compiled: Path | None) -> Iterator[None]:
    """Set what the child's libraries read while they load.

    What has its value already is left alone: a variable that is set while another thread looks for one can
    end the process, so who starts children beside threads of its own enters this before those.

    Parameters
    ----------
    threads : int
        Intra-op threads.
    compiled : Path or None
        Where compiled programs are kept.
    """
    wanted = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
    }
    if compiled is not None:
        wanted |= {
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_COMPILATION_CACHE_MAX_SIZE": str(_COMPILED_BYTES),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
    wanted = {name: value for name, value in wanted.items() if os.environ.get(name) != value}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
