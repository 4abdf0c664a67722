"""A disk that takes no more, as the system says it: every file of the driver has a largest size."""

import os
import resource
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from made_entries import entries_of, question_of, spec_with
from simulated_record import FINGERPRINT
from sweep_runs import Sweep, run, timeless, write_spec

from study import ledger
from study.ledger import Entry, Ledger

pytestmark = pytest.mark.faults


@pytest.fixture
def largest_file() -> Iterator[Callable[[int], None]]:
    """Return what sets the size in bytes beyond which no file of this process grows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def digests(entries: Sequence[Entry]) -> list[str]:
    return [each.result.digest for each in entries]


def test_what_was_recorded_before_the_disk_was_full_is_there(
    tmp_path: Path, largest_file: Callable[[int], None]
) -> None:
    path, spec = tmp_path / "ledger.jsonl", spec_with({"configurations": 8})
    ledger.create(path, FINGERPRINT, "2026-01-01T00:00:00+00:00", question_of(spec))
    entries = entries_of(spec)
    waiting = iter(entries)
    with Ledger(path) as book:
        largest_file(path.stat().st_size + 4096)
        with pytest.raises(OSError, match="File too large"):
            deque(map(book.append, waiting), maxlen=0)
    largest_file(resource.RLIM_INFINITY)
    left = len(list(waiting)) + 1  # the one that was at hand is not recorded
    assert 0 < left < len(entries)
    assert digests(ledger.read(path).entries) == digests(entries[:-left])
    with Ledger(path) as book:
        book.append(*entries[-left:])
    assert digests(ledger.read(path).entries) == digests(entries)


@pytest.mark.slow
def test_a_sweep_on_a_full_disk_is_one_sentence_and_goes_on_when_there_is_room(
    finished_sweep: Callable[[str], Sweep], tmp_path: Path
) -> None:
    whole = finished_sweep("population")
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", "population")
    command = [sys.executable, "-m", "mishstudy", *map(str, sweep.arguments)]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 6; exec "$@"', "bash", *command],
        capture_output=True, text=True, env=dict(os.environ), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "could not be written (File too large); nothing that was recorded is lost" in done.stderr
    assert "Traceback" not in done.stderr
    run(*sweep.arguments)
    assert sweep.tables() == whole.tables()
    assert timeless(sweep.ledger) == timeless(whole.ledger)
