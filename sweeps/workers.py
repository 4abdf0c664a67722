"""Several training processes side by side; their results come out in the order of the design.

A result does not depend on which process trains it, nor on what that trained before, so the number of
processes moves no result and is no part of a sweep's environment.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from multiprocessing.connection import wait

from study.memory import free_bytes
from study.packing import Group, Pack
from study.reports import Report, Split
from study.training import Training, TrainingResult
from sweeps import speeds
from sweeps.executors import ChildExecutor
from sweeps.in_order import InOrder
from sweeps.training_process import Ready

_PROCESS_BYTES = 2 * 2**30
"""Free memory for which there is one process more; what a pack needs is asked of the compiled program."""

_LARGE = 0.25
"""Part of each process's share of the work: a run of one program that takes longer is shared by all."""


def count_for(kind: str, threads: int) -> int:
    """Return how many training processes this machine has room for.

    Parameters
    ----------
    kind : {"cpu", "gpu"}
        A GPU is one process's.
    threads : int
        Of each process.
    """
    if kind == "gpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // threads, free_bytes() // _PROCESS_BYTES))


class Workers:
    """Runs trainings in up to `count` child processes; takes the place of one `ChildExecutor`.

    Parameters
    ----------
    child : callable
        Makes a child that is not started, given what it reports to as `report`.
    count : int
        The most processes at once; there are no more than there is work for.
    report : callable
        Is told what the engines report.
    """

    def __init__(
        self,
        child: Callable[..., ChildExecutor],
        count: int,
        report: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self._children = [child(report=self._hear) for _ in range(count)]
        self._report = report
        self._split = False

    def start(self) -> Ready:
        """Start the children, and wait for the first, see `ChildExecutor.start`."""
        for child in self._children[1:]:
            child.launch()
        return self._children[0].start()

    def check(self, trainings: Sequence[Training]) -> None:
        """Look at programs in the first child, see `ChildExecutor.check`."""
        self._children[0].check(trainings)

    def train_together(self, groups: Sequence[Group | Pack]) -> Iterator[list[TrainingResult]]:
        """Train, and yield in one list the results that have come in and follow those yielded before.

        A result that comes early is held back until those before it in `groups` are there; a killed driver
        has to train it again. Where several children work and one needs smaller packs, all of them stop and
        what is left is not trained: it is to be grouped anew, so that no pack of the old size is recorded
        after the smaller size is.
        """
        self._split = False
        in_order = InOrder(groups)
        units = deque(units_of(groups, len(self._children)))
        children = self._children[: max(1, len(units))]
        busy: dict[ChildExecutor, Iterator[list[TrainingResult] | None]] = {}
        finished = False
        try:
            for child in children:
                if not child.is_running:
                    child.launch()
            while units or busy:
                for child in children:
                    if units and child not in busy:
                        busy[child] = child.steps(units.popleft())
                for child, steps in list(busy.items()):
                    while (results := next(steps, _ENDED)) is not None:
                        if results is _ENDED:
                            del busy[child]
                            break
                        in_order.take(results)
                if self._split and len(children) > 1:
                    return
                if ready := in_order.ready():
                    yield ready
                elif busy and not (units and len(busy) < len(children)):
                    patience = [left for child in busy if (left := child.patience) is not None]
                    wait([each for child in busy for each in child.waitables], min(patience, default=None))
            finished = True
        finally:
            for child in self._children[0 if not finished else 1 :]:
                child.stop()

    def train(self, groups: Sequence[Group | Pack]) -> Iterator[TrainingResult]:
        """Yield one result per training, in order."""
        for together in self.train_together(groups):
            yield from together

    def _hear(self, report: Report) -> None:
        self._report(report)
        self._split |= isinstance(report, Split)

    def stop(self) -> None:
        """Stop the children at once."""
        for child in self._children:
            child.stop()


_ENDED: list[TrainingResult] = []
"""Stands for the end of what a child was given."""


def units_of(groups: Sequence[Group | Pack], count: int) -> list[list[Group | Pack]]:
    """Return what is given to one child at a time: groups that share a program, so that it is compiled once.

    A run of one program that is a large part of the work, and takes longer than compiling it for each child,
    is shared: every child gets a part. The parts are interleaved, so that the children are at about the same
    place of the design.
    """
    runs = [list(run) for _, run in groupby(groups, key=lambda group: group.program)]
    if count == 1:
        return runs
    seconds = [speeds.of_trainings(run) for run in runs]
    large = _LARGE * sum(seconds) / count
    units: list[list[Group | Pack]] = []
    for run, taken in zip(runs, seconds, strict=True):
        shared = taken > large and taken > count * speeds.of_programs(run)
        units += _parts(run, count) if shared else [run]
    return units


def _parts(run: list[Group | Pack], count: int) -> list[list[Group | Pack]]:
    """Return a run in up to `count` interleaved parts."""
    if isinstance(run[0], Pack):
        return [run[i::count] for i in range(min(count, len(run)))]
    (group,) = run  # `fit` has one group of a program
    number = min(count, len(group.trainings))
    return [[replace(group, trainings=group.trainings[i::number])] for i in range(number)]
