"""What a node of a Ray cluster does: pure functions of trainings, in processes that Ray keeps and replaces.

Imported by Ray's processes; nothing here knows the sweep.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.errors import InputError
from study.packing import Group, Pack
from study.reports import Report, Split
from study.training import Training, TrainingResult
from sweeps.training_process import Ready, Refused, Setup, loaded_engine

if TYPE_CHECKING:
    from study.datasets import Dataset
    from study.engine import Engine


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a task; `splits` where memory did not suffice, and what is left is to be grouped anew."""

    results: list[TrainingResult]
    splits: list[Split]
    ready: Ready


class Mailbox:
    """An actor that takes what tasks report while they are at it, until the driver asks."""

    def __init__(self) -> None:
        self._words: list[tuple[int, Report | None]] = []

    def put(self, task: int, word: Report | None) -> None:
        """Take a word of a task; None for its start."""
        self._words.append((task, word))

    def take(self) -> list[tuple[int, Report | None]]:
        """Return what came since the last call."""
        words, self._words = self._words, []
        return words


class _Words:
    """Where the engine of this process reports to: the task that it is at."""

    def __init__(self) -> None:
        self._mailbox: Any = None
        self._task = 0
        self.splits: list[Split] = []

    def begin(self, mailbox: Any, task: int) -> None:
        """Hear for a task from here on, and say that it has begun."""
        self._mailbox, self._task, self.splits = mailbox, task, []
        mailbox.put.remote(task, None)

    def hear(self, word: Report) -> None:
        """Keep a split until the end of the task, and pass on everything else."""
        if isinstance(word, Split):
            self.splits.append(word)
        elif self._mailbox is not None:
            self._mailbox.put.remote(self._task, word)


_words = _Words()
_kept: "dict[Setup, tuple[Engine, Ready]]" = {}
"""The engine that this process holds; Ray gives a process the tasks of one engine alone."""


def load(setup: Setup) -> "tuple[Ready | Refused, Dataset | None]":
    """Load engine and data set; the data set goes to the object store, and from there once to each node."""
    try:
        engine, ready = _engine(setup, None)
        return ready, engine.load(setup.dataset, setup.train_size)
    except InputError as error:
        return Refused(str(error)), None


def check(setup: Setup, dataset: "Dataset", trainings: Sequence[Training]) -> Refused | None:
    """Look at the program of each training, as `sweeps.executors.ChildExecutor.check` does."""
    try:
        _engine(setup, dataset)[0].check(trainings)
    except InputError as error:
        return Refused(str(error))
    return None


def train(
    setup: Setup, dataset: "Dataset", groups: Sequence[Group | Pack], mailbox: Any, task: int
) -> Trained | Refused:
    """Train groups; what is reported meanwhile goes to the mailbox."""
    _words.begin(mailbox, task)
    try:
        engine, ready = _engine(setup, dataset)
        return Trained(list(engine.train(groups)), _words.splits, ready)
    except InputError as error:
        return Refused(str(error))


def _engine(setup: Setup, held: "Dataset | None") -> "tuple[Engine, Ready]":
    if setup not in _kept:
        if setup.import_from.is_dir():
            sys.path.insert(0, str(setup.import_from))
        _kept[setup] = loaded_engine(setup, _words.hear, held)
    return _kept[setup]
