"""What a person sees while a sweep runs: a live bar in a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from study.ledger import Entry
from study.question import Question
from study.reports import EpochDone
from study.training import Status

_LINE_SECONDS = 10.0
"""Shortest time between two plain lines."""


class TerminalMonitor:
    """Shows trainings and configurations done, trainings per minute and the remaining time.

    Parameters
    ----------
    name : str
        Name of the sweep.
    console : Console, optional
        Where to write; standard error by default, so that standard output holds the table alone.
    """

    def __init__(self, name: str, console: Console | None = None) -> None:
        self._name = name
        self._console = console or Console(file=sys.stderr, highlight=False)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._question: Question | None = None
        self._what = "trainings"
        self._total = self._before = self._now = self._failed = self._whole = 0
        self._started = self._last_line = 0.0

    def __enter__(self) -> Self:
        self._say(f"{self._name}: checking what is there ...")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def begin(self, question: Question, done: int, programs: int) -> None:
        """Open the display."""
        self._question = question
        left = question.planned_trainings - done
        if not left:
            return
        again = f"{done} of {question.planned_trainings} trainings are recorded; " if done else ""
        compiled = f" in {programs} compiled program{'s' * (programs > 1)}" if programs else ""
        self._say(f"{question.name}: {again}training {left}{compiled}.")
        self._open("trainings", done, question.planned_trainings)

    def trained(self, entry: Entry, whole: int) -> None:
        """Count one training; `whole` configurations have all of theirs."""
        self._whole = whole
        self._failed += entry.result.status is not Status.OK
        self._count()

    def check(self, left: int) -> None:
        """Open the display of the check between the engines."""
        self.stop()
        again = f"{left} training{'s' * (left > 1)}"
        self._say(f"{self._name}: repeating {again} with the reference engine, to compare them.")
        self._open("repeated", 0, left)

    def checked(self) -> None:
        """Count one repeated training."""
        self._count()

    def epoch(self, done: EpochDone) -> None:
        """Show how far those are that are being trained."""
        under_way = f"{done.trainings} under way in epoch {done.epoch}/{done.epochs}"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, epoch=f"; {under_way}")
        elif time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line(under_way)

    def note(self, sentence: str) -> None:
        """Print one sentence, above the bar where there is one."""
        self._say(sentence)

    def stop(self) -> None:
        """Close the display."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _open(self, what: str, done: int, total: int) -> None:
        self._what, self._before, self._now, self._total = what, done, 0, total
        self._started = self._last_line = time.monotonic()
        if self._console.is_terminal:
            count = 2 * len(str(total)) + 1
            columns = (  # in a narrow terminal the end of the last one is cut, and nothing else
                TextColumn("{task.description}", table_column=Column(min_width=len(what))),
                BarColumn(bar_width=None, table_column=Column(min_width=4, ratio=1)),
                MofNCompleteColumn(table_column=Column(min_width=count, no_wrap=True)),
                TextColumn("{task.fields[pace]}{task.fields[epoch]}"),
            )
            self._progress = Progress(*columns, console=self._console, transient=True, expand=True)
            self._task = self._progress.add_task(what, total=total, completed=done, pace="starting", epoch="")
            self._progress.start()

    def _count(self) -> None:
        self._now += 1
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=1, pace=self._pace(), epoch="")
        elif self._before + self._now == self._total or time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line(self._pace())

    def _line(self, pace: str) -> None:
        self._last_line = time.monotonic()
        self._say(f"{self._name}: {self._before + self._now}/{self._total} {self._what}, {pace}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def _pace(self) -> str:
        assert self._question is not None
        elapsed = max(time.monotonic() - self._started, 1e-9)
        planned = self._question.planned_configurations
        whole = f"{self._whole}/{planned} configurations, " if self._what == "trainings" else ""
        failed = f", {self._failed} failed" if self._failed else ""
        pace, remaining = 60 * self._now / elapsed, duration(elapsed * self._left_over_done())
        return f"{whole}{pace:.0f} a minute, {remaining} left{failed}"

    def _left_over_done(self) -> float:
        """Return how much is left for each of what is done since the start; with halving in epochs."""
        assert self._question is not None
        done, tuning = self._before + self._now, self._question.tuning
        if tuning is None or tuning.halving is None:
            return (self._total - done) / self._now
        activations = len(self._question.activations)
        before, left = (tuning.epochs_after(each, activations) for each in (self._before, done))
        return left / (before - left)


def duration(seconds: float) -> str:
    """Return a time span for people, such as `2 h 05 min` or `40 s`."""
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
