"""The process that keeps the connection to a Ray cluster, so that the driver outlives it.

Ray ends the process that uses it, without a word to Python, when the head of the cluster has been away for a
minute. Here that is a child, and what it has sent before is recorded.
"""

import multiprocessing
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from study.errors import InputError, RunError
from study.packing import Group, Pack
from study.reports import Report
from study.training import Training, TrainingResult
from sweeps.ray_workers import Cluster, RayWorkers
from sweeps.training_process import Done, Ready, Refused, Setup, begin_as_child

_PATIENCE = 20.0
"""Seconds that the child has to end its tasks and to leave the cluster."""


@dataclass(frozen=True, slots=True)
class _Joined:
    """The child's word that the cluster is there, and what its first node says."""

    head: str
    ready: Ready


@dataclass(frozen=True, slots=True)
class _Failed:
    """The child's word that it cannot go on."""

    message: str


class RayProcess:
    """Runs trainings on a Ray cluster, from a child process; takes the place of `sweeps.workers.Workers`.

    Parameters
    ----------
    cluster, setup, retries, epoch_timeout
        See `sweeps.ray_workers.RayWorkers`.
    log : Path
        File that takes what Ray prints.
    report : callable
        Is told what the engines report.
    """

    def __init__(
        self,
        cluster: Cluster,
        setup: Setup,
        retries: int,
        epoch_timeout: float,
        *,
        log: Path,
        report: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self._arguments = (cluster, setup, retries, epoch_timeout, log)
        self._log = log
        self._report = report
        self._head = ""
        self._process: Any = None
        self._connection: Connection | None = None

    def start(self) -> Ready:
        """Join or start the cluster, and load the data set on one of its nodes.

        Raises
        ------
        InputError, RunError
            See `sweeps.ray_workers.RayWorkers.start`.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()
        joined = self._receive()
        assert isinstance(joined, _Joined)
        self._head = joined.head
        return joined.ready

    def check(self, trainings: Sequence[Training]) -> None:
        """Look at programs on one node, see `sweeps.executors.ChildExecutor.check`."""
        self._send("check", list(trainings))
        self._receive()

    def train(self, groups: Sequence[Group | Pack]) -> Iterator[TrainingResult]:
        """Yield one result per training, in order."""
        for together in self.train_together(groups):
            yield from together

    def train_together(self, groups: Sequence[Group | Pack]) -> Iterator[list[TrainingResult]]:
        """Train, see `sweeps.ray_workers.RayWorkers.train_together`.

        Raises
        ------
        RunError
            If the head of the cluster is lost, or the child.
        """
        self._send("train", list(groups))
        while not isinstance(word := self._receive(), Done):
            if isinstance(word, Report):
                self._report(word)
            else:
                yield word

    def stop(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._process is not None:
            self._process.terminate()  # Ray leaves the cluster at that
            self._process.join(_PATIENCE)
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

    def _receive(self) -> Any:
        assert self._connection is not None
        try:
            word = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise RunError(self._loss()) from None
        if isinstance(word, Refused):
            raise InputError(word.message)
        if isinstance(word, _Failed):
            raise RunError(word.message)
        return word

    def _loss(self) -> str:
        """Return what has happened to a child that is gone."""
        kept = "nothing that was recorded is lost"
        if self._head and not _answers(self._head):
            return (
                f"the head of the Ray cluster at {self._head} is lost, and the cluster with it; {kept}: "
                "start a cluster again, and run the same sweep again."
            )
        return (
            f"the process that keeps the connection to the Ray cluster ended by itself; {kept}: run the same "
            f"sweep again. {self._log} has its last words."
        )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def _serve(
    connection: Connection, cluster: Cluster, setup: Setup, retries: int, epoch_timeout: float, log: Path
) -> None:
    """Be the child: join the cluster, then answer until the driver is gone."""
    begin_as_child(log)
    workers = RayWorkers(cluster, setup, retries, epoch_timeout, connection.send)
    try:
        ready = workers.start()
        connection.send(_Joined(workers.head, ready))
        while True:
            task, work = connection.recv()
            if task == "check":
                workers.check(work)
            else:
                for together in workers.train_together(work):
                    connection.send(together)
            connection.send(Done())
    except InputError as error:
        connection.send(Refused(str(error)))
    except RunError as error:
        connection.send(_Failed(str(error)))
    except (EOFError, BrokenPipeError):
        return
    finally:
        workers.stop()
