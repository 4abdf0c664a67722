"""What the sweeper itself costs, with trainings that take no time: python benchmarks/sweeper_costs.py.

A stub stands for the training processes; ledger, Optuna's journal and MLflow on SQLite are the real ones.
Each stage is a process of its own:

1. run: a sweep of `--trainings`; a result comes alone (`--engine fit`) or with those of its pack;
2. resume: the same command after the last hundredth of the ledger was cut off;
3. catch up, with `--catch-up`: the same command, with nothing to train, waits until MLflow has everything;
4. again, likewise: the same command once more, with nothing left to do;
5. table: `mishstudy table` over the result.

Prints Markdown: the time of the whole stage; how long it took to the first training (in parentheses the
processor time of the driver's thread, imports included), on the driver's path for each, and from the last to
the end, waiting for MLflow included; how many runs MLflow got, and that over the time of the whole stage;
memory of the process after a tenth of the trainings, after half of them, and with the last.
"""

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from stub_specs import ACTIVATIONS, spec_text

from study.dashboard import Results
from study.environment import machine, processor
from study.ledger import Entry
from study.packing import Group, Pack
from study.question import Question
from study.reports import EpochDone
from study.training import Status, Training, TrainingResult
from sweeps import driver, sweeper
from sweeps.home import Home
from sweeps.spec import parse
from sweeps.training_process import Ready

OPTIMIZER = '[factors.optimizer]\nrole = "condition"\nlevels = ["sgd", "adam", "nadam"]'


class Stub:
    """Takes the place of the training processes: a result at once, made from the training's digest."""

    def __init__(self, *_: Any) -> None:
        self._curve = {"train_loss": (1.0,) * 20, "validation_accuracy": (90.0,) * 20}

    def start(self) -> Ready:
        """Be ready."""
        about = {"digest": "0" * 16, "guess": {"accuracy": 10.0, "loss": 2.3}}
        return Ready("cpu", False, about, machine("population"))

    def train(self, groups: Sequence[Group | Pack]) -> Iterator[TrainingResult]:
        """Give each training its result."""
        for results in self.train_together(groups):
            yield from results

    def train_together(self, groups: Sequence[Group | Pack]) -> Iterator[list[TrainingResult]]:
        """Give a pack's first result, then its others, as they come in from a training process."""
        for group in groups:
            results = [self._result(training) for training in group.trainings]
            if isinstance(group, Pack):
                yield results[:1]
                yield results[1:]
            else:
                yield from ([result] for result in results)

    def _result(self, training: Training) -> TrainingResult:
        score = 90.0 + int(training.digest[:4], 16) / 2**16
        metrics = {
            f"{cut}_{kind}": score for cut in ("train", "validation", "test") for kind in ("accuracy", "loss")
        }
        return TrainingResult(
            digest=training.digest, status=Status.OK, metrics=metrics, curve=self._curve, checkpoint_epoch=20
        )

    def stop(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Watch:
    """Notes when each training came, the driver's processor time up to the first, and the memory."""

    planned: int = 0
    processor: float = 0.0
    times: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def begin(self, question: Question, done: int, programs: int) -> None:
        """Take the size of the sweep."""
        del done, programs
        self.planned = question.planned_trainings

    def trained(self, entry: Entry, whole: int) -> None:
        """Note one training."""
        del entry, whole
        if not self.times:
            self.processor = time.thread_time()
        self.times.append(time.perf_counter())
        if len(self.times) % max(1, self.planned // 10) == 0:
            self.memory.append(_resident_mib())

    def note(self, sentence: str) -> None:
        """Print what is said about MLflow."""
        print(sentence, file=sys.stderr)

    def epoch(self, done: EpochDone) -> None:
        """Take no note."""

    def check(self, left: int) -> None:
        """Take no note."""

    def checked(self) -> None:
        """Take no note."""


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 2**20


def _sweep(home: Path, configurations: int, engine: str) -> None:
    """Run the sweep with the stub in this process and print a line of figures."""
    text = spec_text(
        "stub", "What does the sweeper cost?", configurations, settings="epochs = 20", factors=OPTIMIZER
    )
    options = sweeper.Options(engine=engine, data=None, import_from=home)
    watch, started = Watch(), time.perf_counter()
    with mock.patch.object(driver, "Workers", Stub):
        sweeper.run(parse(text, "stub"), text, Home(home), options, watch, lambda _: Results())
    ended, times = time.perf_counter(), watch.times
    each = 1e3 * (times[-1] - times[0]) / len(times) if times else 0.0
    before = times[0] - started if times else ended - started
    processor = watch.processor or time.thread_time()
    after = ended - times[-1] if times else 0.0
    memory = ", ".join(f"{watch.memory[i]:.0f}" for i in (0, 4, 9)) if len(watch.memory) > 9 else ""
    print(f"{len(times)} | {before:.1f} ({processor:.1f}) | {each:.2f} | {after:.1f} | {memory}")


def _cut(path: Path) -> None:
    """Take the last hundredth of the trainings away, and what follows them in the ledger."""
    lines = path.read_bytes().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if b'"kind":"training"' in line]
    path.write_bytes(b"".join(lines[: places[-len(places) // 100]]))


def _mlflow_runs(home: Path) -> int:
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        return database.execute("select count(*) from runs").fetchone()[0]


def main() -> None:
    """Run the stages and print a table."""
    parser = argparse.ArgumentParser(description="What ledger, Optuna and MLflow cost.")
    parser.add_argument("--trainings", type=int, default=10_000)
    parser.add_argument("--engine", choices=("fit", "population"), default="population")
    parser.add_argument("--catch-up", action="store_true")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configurations = arguments.trainings // ACTIVATIONS
    if arguments.home:
        _sweep(arguments.home, configurations, arguments.engine)
        return
    print(f"{configurations * ACTIVATIONS} trainings; {processor()}, {os.cpu_count()} cores.\n")
    print(
        "| stage | whole, s | trained | before the first, s | each, ms | after the last, s | memory, MiB "
        "| MLflow runs | a second |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    stages = ["run", "resume", *(["catch up", "again"] if arguments.catch_up else []), "table"]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "runs"
        itself = [sys.executable, __file__, *sys.argv[1:], "--home", str(home)]
        table = [sys.executable, "-m", "mishstudy", "table", "stub", "--home", str(home), "--format", "json"]
        written = 0
        for stage in stages:
            if stage == "resume":
                _cut(home / "stub" / "ledger.jsonl")
            started, before = time.perf_counter(), written
            done = subprocess.run(
                table if stage == "table" else itself, check=True, stdout=subprocess.PIPE, text=True
            )
            seconds, written = time.perf_counter() - started, _mlflow_runs(home)
            told = " | | | | " if stage == "table" else done.stdout.strip()
            pace = f"{written - before} | {(written - before) / seconds:.0f}"
            print(f"| {stage} | {seconds:.1f} | {told} | {pace} |", flush=True)


if __name__ == "__main__":
    main()
