"""Trainings as tasks of a Ray cluster: several GPUs of one box, several boxes, or both.

A task is a pure function, so Ray may run it on any node, and again where one was lost. The driver alone
writes, and gives results out in the order of the design.
"""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from study import environment
from study.errors import InputError, RunError
from study.packing import Group, Pack
from study.reports import Report
from study.training import Status, Training, TrainingResult, digest_of
from sweeps import ray_tasks
from sweeps.in_order import InOrder
from sweeps.ray_tasks import Trained
from sweeps.training_process import Ready, Refused, Setup

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOK_SECONDS = 0.5
"""Time between two looks at what tasks report."""

_PACKS, _TRAININGS = 4, 24
"""What a task has at most of one program: worth its compilation, and little to lose with a node."""

_AHEAD = 2
"""Tasks submitted for each that the cluster has room for: when one ends, the next one is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where tasks run.

    Parameters
    ----------
    address : str or None
        `host:port` of the head node, or `auto` for the cluster this machine belongs to; None starts one of
        this machine, for as long as the sweep runs.
    gpus_per_task : float
        Share of a GPU that a task takes; counts where the cluster has GPUs.
    tasks : int or None
        The most tasks at once; None for as many as there is room for.
    """

    address: str | None = None
    gpus_per_task: float = 1.0
    tasks: int | None = None


@dataclass(slots=True)
class _Task:
    """A task under way."""

    number: int
    groups: list[Group | Pack]
    attempts: int
    heard: float | None = None
    hung: bool = False


@dataclass(slots=True)
class _Work:
    """What is left: groups to be given to a task, and how often that was tried."""

    groups: list[Group | Pack]
    attempts: int = 0


class RayWorkers:
    """Runs trainings on a Ray cluster.

    Ray ends the whole process where it loses the head of the cluster, see `sweeps.ray_process`.

    Parameters
    ----------
    cluster : Cluster
        Where.
    setup : Setup
        What tasks are done with.
    retries : int
        How often a task is tried again whose process or node was lost; a training that takes its process
        down as often alone has failed.
    epoch_timeout : float
        Seconds in which a task that has begun says something.
    report : callable
        Is told what the engines report.
    """

    def __init__(
        self,
        cluster: Cluster,
        setup: Setup,
        retries: int,
        epoch_timeout: float,
        report: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._setup = setup
        self._retries = retries
        self._epoch_timeout = epoch_timeout
        self._report = report
        self._ready: Ready | None = None
        self._dataset: Any = None
        self._mailbox: Any = None
        self._numbers = 0

    def start(self) -> Ready:
        """Join or start the cluster, and load the data set on one of its nodes.

        Raises
        ------
        InputError
            If Ray is not installed, there is no cluster at the address, or the data set is not usable.
        RunError
            If the process that loads is lost.
        """
        ray = _ray()
        _join(ray, self._cluster)
        self._mailbox = (
            ray.remote(ray_tasks.Mailbox)
            .options(num_cpus=0, max_restarts=-1, scheduling_strategy=_here(ray))
            .remote()
        )
        ready, self._dataset = self._task(ray_tasks.load, num_returns=2).remote(self._setup)
        answer = _got(ray, ready)
        assert isinstance(answer, Ready)
        self._ready = answer
        return answer

    @property
    def head(self) -> str:
        """`host:port` of the head of the cluster that was joined."""
        return _ray().get_runtime_context().gcs_address

    def check(self, trainings: Sequence[Training]) -> None:
        """Look at programs on one node, see `sweeps.executors.ChildExecutor.check`."""
        _got(_ray(), self._task(ray_tasks.check).remote(self._setup, self._dataset, list(trainings)))

    def train(self, groups: Sequence[Group | Pack]) -> Iterator[TrainingResult]:
        """Yield one result per training, in order."""
        for together in self.train_together(groups):
            yield from together

    def train_together(self, groups: Sequence[Group | Pack]) -> Iterator[list[TrainingResult]]:
        """Train, and yield in one list the results that have come in and follow those yielded before.

        Where a task needs smaller packs, what is left is not trained, see `sweeps.workers.Workers`.
        """
        ray = _ray()
        in_order = InOrder(groups)
        waiting = deque(_Work(part) for part in _parts(groups))
        tasks: dict[Any, _Task] = {}
        try:
            while waiting or tasks:
                while waiting and len(tasks) < self._at_once(ray):
                    tasks |= [self._submit(waiting.popleft())]
                done, _ = ray.wait(list(tasks), timeout=_LOOK_SECONDS)
                self._look(ray, tasks)
                for reference in done:
                    task = tasks.pop(reference)
                    outcome = self._outcome(ray, reference)
                    if outcome is None:
                        again, lost = self._blamed(task)
                        waiting.extendleft(reversed(again))
                        in_order.take(lost)
                        continue
                    in_order.take(outcome.results)
                    for split in outcome.splits:
                        self._report(split)
                    if outcome.splits:
                        return
                if ready := in_order.ready():
                    yield ready
        finally:
            for reference in tasks:
                with suppress(Exception):
                    ray.cancel(reference, force=True)

    def stop(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._ready is not None or self._mailbox is not None:
            _ray().shutdown()
            self._ready = self._mailbox = self._dataset = None

    def _at_once(self, ray: Any) -> int:
        """Return how many tasks to have submitted, by the nodes that there are now."""
        there = ray.cluster_resources()
        room = int(there.get("CPU", 0.0)) // self._setup.threads
        if there.get("GPU", 0.0):
            room = min(room, int(there["GPU"] / self._cluster.gpus_per_task))
        ahead = _AHEAD * max(1, room)
        return ahead if self._cluster.tasks is None else min(ahead, self._cluster.tasks)

    def _task(self, function: Callable[..., Any], **options: Any) -> Any:
        """Return a function as a task with the room that a training takes."""
        ray = _ray()
        gpus = self._cluster.gpus_per_task if ray.cluster_resources().get("GPU") else 0
        threads = str(self._setup.threads)
        kind = "" if self._ready is None else f"-{digest_of(self._ready.machine['processor'])}"
        # Ray keeps processes of different variables apart, so that no process gets two engines.
        variables = {
            "MISHSTUDY_RAY_ENGINE": self._setup.engine,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "JAX_COMPILATION_CACHE_DIR": f"${{HOME}}/.cache/mishstudy/compiled{kind}",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads),
        }
        return ray.remote(function).options(
            num_cpus=self._setup.threads,
            num_gpus=gpus,
            max_retries=self._retries,
            runtime_env={"env_vars": variables},
            **options,
        )

    def _submit(self, work: _Work) -> tuple[Any, _Task]:
        self._numbers += 1
        reference = self._task(ray_tasks.train).remote(
            self._setup, self._dataset, work.groups, self._mailbox, self._numbers
        )
        return reference, _Task(self._numbers, work.groups, work.attempts)

    def _look(self, ray: Any, tasks: "Mapping[Any, _Task]") -> None:
        """Pass on what tasks report, and end those that have said nothing for too long."""
        by_number = {task.number: task for task in tasks.values()}
        now = time.monotonic()
        words: list[tuple[int, Report | None]] = []
        with suppress(ray.exceptions.RayError):  # the mailbox moves when its node is lost
            words = ray.get(self._mailbox.take.remote(), timeout=10 * _LOOK_SECONDS)
        for number, word in words:
            if (task := by_number.get(number)) is not None:
                task.heard = now
            if word is not None:
                self._report(word)
        for reference, task in tasks.items():
            if task.heard is not None and not task.hung and now - task.heard > self._epoch_timeout:
                task.hung = True
                ray.cancel(reference, force=True)

    def _outcome(self, ray: Any, reference: Any) -> Trained | None:
        """Return what came of a task, None where it was lost as often as it was tried."""
        try:
            outcome = ray.get(reference)
        except (ray.exceptions.RayTaskError, ray.exceptions.RuntimeEnvSetupError):
            raise
        except ray.exceptions.RayError:
            return None
        if isinstance(outcome, Refused):
            raise InputError(outcome.message)
        self._refuse_other_machine(outcome.ready)
        return outcome

    def _refuse_other_machine(self, ready: Ready) -> None:
        """Refuse results of a node that is not like the one that loaded the data."""
        assert self._ready is not None
        first, other = ({"device": each.device, **each.machine} for each in (self._ready, ready))
        if lines := environment.differences(first, other):
            raise InputError(
                "all nodes of a cluster train in one environment, and one of them differs from the first; "
                "make them alike, or give the sweep nodes of one kind:\n  " + "\n  ".join(lines)
            )

    def _blamed(self, task: _Task) -> tuple[list[_Work], list[TrainingResult]]:
        """Return what to try again of a task that was lost, and the results of the training it died of."""
        alone = _alone(task.groups)
        if len(alone) > 1:
            return [_Work([group]) for group in alone], []
        if task.hung and task.attempts < self._retries:
            return [_Work(task.groups, task.attempts + 1)], []
        (group,) = task.groups
        times = f"{self._retries + 1} time{'s' * (self._retries > 0)}"
        if task.hung:
            status, reason = Status.TIMEOUT, f"no epoch ended within {self._epoch_timeout:g} s; tried {times}"
        else:
            status, reason = Status.ERROR, f"the training process died {times}, or its node was lost"
        return [], [
            TrainingResult(digest=each.digest, status=status, reason=reason) for each in group.trainings
        ]


def _parts(groups: Sequence[Group | Pack]) -> Iterator[list[Group | Pack]]:
    """Yield what one task is given: neighbours of one program, not too many."""
    for _, run in groupby(groups, key=lambda group: group.program):
        packs: list[Group | Pack] = []
        for group in run:
            if isinstance(group, Pack):
                packs.append(group)
                continue
            for start in range(0, len(group.trainings), _TRAININGS):
                yield [replace(group, trainings=group.trainings[start : start + _TRAININGS])]
        for start in range(0, len(packs), _PACKS):
            yield packs[start : start + _PACKS]


def _alone(groups: Sequence[Group | Pack]) -> list[Group | Pack]:
    """Return groups in the smallest parts that are trained by themselves."""
    found: list[Group | Pack] = []
    for group in groups:
        if isinstance(group, Pack):
            found.append(group)
        else:
            found += [replace(group, trainings=(training,)) for training in group.trainings]
    return found


def _ray() -> Any:
    """Return Ray, which is loaded by those alone who use it.

    Raises
    ------
    InputError
        If it is not installed.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError(
            "--executor ray needs Ray, which is not installed; install it on every node with "
            "`.venv/bin/pip install 'ray>=2.51'`, or leave --executor out."
        ) from None
    return ray


def _join(ray: Any, cluster: Cluster) -> None:
    if cluster.address not in (None, "auto"):
        _refuse_silent(cluster.address)
    try:
        ray.init(
            address=cluster.address or "local",
            include_dashboard=False if cluster.address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(cluster.address, str(error).partition("\n")[0][:120]) from None


def _refuse_silent(address: str) -> None:
    """Refuse an address at which nothing listens: Ray would try it for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise _no_cluster(address, "that is no host:port")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise _no_cluster(address, error.strerror or "no answer") from None


def _no_cluster(address: str | None, reason: str) -> InputError:
    return InputError(
        "--address names the head of a Ray cluster as host:port, or auto, and there is none at "
        f"{address!r} ({reason}); start it with `ray start --head`, set RAY_AUTH_MODE=token if it asks for "
        "one, or leave --address out to use this machine alone."
    )


def _here(ray: Any) -> Any:
    """Return a strategy that keeps an actor on the driver's node, whose loss ends the sweep anyway."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)


def _got(ray: Any, reference: Any) -> Any:
    try:
        answer = ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        raise RunError(
            f"a task of the Ray cluster was lost before training began ({type(error).__name__}); "
            "`ray status` on its head says which nodes are alive."
        ) from None
    if isinstance(answer, Refused):
        raise InputError(answer.message)
    return answer
