"""What a person sees while a sweep runs: a live bar in a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from study.ledger import Entry
from study.question import Question
from study.reports import EpochDone
from study.training import Status

_LINE_SECONDS = 10.0
"""Shortest time between two plain lines."""


class TerminalMonitor:
    """Shows configurations done, trainings per minute and the remaining time.

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
        self._before = self._now = self._failed = self._whole = 0
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
        self._question, self._before = question, done
        self._started = self._last_line = time.monotonic()
        left = question.planned_trainings - done
        if not left:
            return
        again = f"{done} of {question.planned_trainings} trainings are recorded; " if done else ""
        compiled = f" in {programs} compiled program{'s' * (programs > 1)}" if programs else ""
        self._say(f"{question.name}: {again}training {left}{compiled}.")
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[pace]}{task.fields[epoch]}"),
            )
            self._progress = Progress(*columns, console=self._console, transient=True, expand=True)
            self._task = self._progress.add_task(
                "trainings", total=question.planned_trainings, completed=done, pace="starting", epoch=""
            )
            self._progress.start()

    def trained(self, entry: Entry, whole: int) -> None:
        """Count one training; `whole` configurations have all of theirs."""
        assert self._question is not None
        self._now += 1
        self._whole = whole
        self._failed += entry.result.status is not Status.OK
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=1, pace=self._pace(), epoch="")
        elif self._due():
            self._line(self._pace())

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

    def _line(self, pace: str) -> None:
        assert self._question is not None
        self._last_line = time.monotonic()
        done = self._before + self._now
        self._say(f"{self._name}: {done}/{self._question.planned_trainings} trainings, {pace}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def _due(self) -> bool:
        assert self._question is not None
        last = self._before + self._now == self._question.planned_trainings
        return last or time.monotonic() - self._last_line >= _LINE_SECONDS

    def _pace(self) -> str:
        assert self._question is not None
        elapsed = max(time.monotonic() - self._started, 1e-9)
        left = self._question.planned_trainings - self._before - self._now
        failed = f", {self._failed} failed" if self._failed else ""
        return (
            f"{self._whole}/{self._question.planned_configurations} configurations, "
            f"{60 * self._now / elapsed:.0f} a minute, {duration(elapsed / self._now * left)} left{failed}"
        )


def duration(seconds: float) -> str:
    """Return a time span for people, such as `2 h 05 min` or `40 s`."""
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
