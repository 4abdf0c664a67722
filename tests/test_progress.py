"""What a person sees while a sweep runs: a bar in a terminal, whole plain lines elsewhere."""

import io
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_entries import question_of, spec_with
from rich.console import Console
from small_specs import GONE, PAIRED, TUNED
from sweep_runs import Sweep, run, write_spec

from study.ledger import Entry
from study.question import Question
from study.reports import EpochDone
from study.training import Status, TrainingResult
from sweeps import design, progress
from sweeps.progress import TerminalMonitor, duration
from sweeps.spec import parse

SPEC = parse(PAIRED.replace("configurations = 40", "configurations = 4"), "s.toml")
ITEMS = design.trainings(SPEC)


def question() -> Question:
    return SPEC.question_for_analysis(4, len(ITEMS))


def entries(failed: int = 0) -> Iterator[tuple[Entry, int]]:
    """Yield each training of the design with the number of whole configurations after it."""
    for number, item in enumerate(ITEMS):
        status = Status.DIVERGED if number < failed else Status.OK
        result = TrainingResult(digest=item.training.digest, status=status)
        entry = Entry(training=item.training, configuration=item.configuration, result=result)
        later = {each.configuration.index for each in ITEMS[number + 1 :]}
        yield entry, 4 - len(later)


@pytest.fixture
def page() -> io.StringIO:
    return io.StringIO()


def watch(page: io.StringIO, *, terminal: bool, width: int = 40, failed: int = 0) -> None:
    with TerminalMonitor("small", Console(file=page, width=width, force_terminal=terminal)) as monitor:
        monitor.begin(question(), 0, 3)
        monitor.epoch(EpochDone(epoch=1, epochs=15, trainings=6))
        for entry, whole in entries(failed):
            monitor.trained(entry, whole)
        monitor.check(1)
        monitor.checked()
        monitor.note("MLflow holds [all] of it.")


def test_plain_lines_are_few_and_whole(page: io.StringIO) -> None:
    watch(page, terminal=False)
    total = len(ITEMS)
    lines = page.getvalue().splitlines()
    assert lines[:2] == [
        "small: checking what is there ...",
        f"small: training {total} in 3 compiled programs.",
    ]
    assert re.fullmatch(
        rf"small: {total}/{total} trainings, 4/4 configurations, \d+ a minute, 0 s left", lines[2]
    )
    assert lines[3] == "small: repeating 1 training with the reference engine, to compare them."
    assert re.fullmatch(r"small: 1/1 repeated, \d+ a minute, 0 s left", lines[4])
    assert lines[5:] == ["MLflow holds [all] of it."]
    assert "\x1b" not in page.getvalue()


def test_plain_lines_come_every_few_seconds(page: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    watch(page, terminal=False, failed=2)
    lines = page.getvalue().splitlines()
    assert lines[2] == f"small: 0/{len(ITEMS)} trainings, 6 under way in epoch 1/15"
    assert len(lines) == 3 + len(ITEMS) + 3
    assert lines[3].startswith(f"small: 1/{len(ITEMS)} trainings, 0/4 configurations, ")
    assert lines[3].endswith(" left, 1 failed")
    assert lines[2 + len(ITEMS)].endswith(" left, 2 failed")


def test_a_resumed_sweep_says_what_is_there(page: io.StringIO) -> None:
    with TerminalMonitor("small", Console(file=page, width=40)) as monitor:
        monitor.begin(question(), 5, 1)
        entry, _ = next(entries())
        monitor.trained(entry, 2)
    total = len(ITEMS)
    assert f"small: 5 of {total} trainings are recorded; training {total - 5} in 1 compiled program.\n" in (
        page.getvalue()
    )


def test_with_halving_the_time_left_is_that_of_the_epochs_left(
    page: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training of the first rung is little of what there is to do."""
    tuning = {"trials": 9, "halving": 3, "confirm": 2}
    spec = spec_with({**TUNED, "replicated_share": GONE, "tuning": tuning, "epochs": 9})
    entry, _ = next(entries())
    now = 0.0
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with TerminalMonitor("small", Console(file=page, width=40)) as monitor:
        monitor.begin(question_of(spec), 0, 0)
        for _ in range(2 * 9):  # the first rung, a second each
            now += 1.0
            monitor.trained(entry, 0)
    # Left are 2 x (3 x 3 + 1 x 9 + 2 x 9) epochs, a second each; by the number of trainings it were 12 s.
    assert page.getvalue().splitlines()[-1].endswith("60 a minute, 72 s left")


def test_nothing_left_says_nothing(page: io.StringIO) -> None:
    with TerminalMonitor("small", Console(file=page)) as monitor:
        monitor.begin(question(), len(ITEMS), 0)
    assert page.getvalue() == "small: checking what is there ...\n"


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_gets_one_line_that_fits_and_goes(page: io.StringIO, width: int) -> None:
    watch(page, terminal=True, width=width, failed=1)
    shown = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]", page.getvalue())]
    bars = [line for line in shown if line.startswith("trainings ")]
    assert bars
    assert all(len(line.rstrip()) <= width for line in bars)
    assert any(re.search(rf"━.* {len(ITEMS)}/{len(ITEMS)} 4/4 configurations, ", line) for line in bars)
    assert bars[-1].rstrip().endswith("failed")
    assert "\x1b[?25h" in page.getvalue()
    assert not any("small: 4/4" in line for line in shown)


def test_spans_of_time_are_for_people() -> None:
    assert [duration(s) for s in (0.4, 40, 99, 100, 3600, 5939, 5999, 7500)] == [
        "0 s", "40 s", "99 s", "2 min", "60 min", "99 min", "1 h 40 min", "2 h 05 min",
    ]  # fmt: skip


@pytest.mark.slow
def test_standard_output_holds_the_table_alone_and_a_terminal_shows_the_bar(tmp_path: Path) -> None:
    """The real command in a real terminal: standard error is one, standard output is a pipe."""
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", "fit")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mishstudy", *map(str, sweep.arguments)],
        stdout=subprocess.PIPE, stderr=theirs, text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as driver:  # fmt: skip
        os.close(theirs)
        shown = "".join(read_all(ours))
        assert driver.stdout is not None
        table = driver.stdout.read()
    assert driver.returncode == 0
    assert "━" in shown
    assert "configurations, " in shown
    assert "Report: " in shown
    assert table == sweep.tables()[1]
    assert run(*sweep.arguments).stdout == table


def read_all(descriptor: int) -> Iterator[str]:
    """Yield what arrives at a terminal until its other end is closed."""
    while select.select([descriptor], [], [], 200)[0]:
        try:
            yield os.read(descriptor, 65536).decode(errors="replace")
        except OSError:
            return
