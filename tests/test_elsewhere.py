"""A sweep that goes on elsewhere: odd paths, other zones and clocks, a moved home, a read-only one."""

import ctypes
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sweep_ends import assert_the_same_end
from sweep_runs import SPEC, Sweep, run, start, timeless, wait_until, write_spec

from study.ledger_lines import encode

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ROOT = Path(__file__).parent.parent

FAR = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONUTF8": "0"}
"""Fourteen hours before Greenwich, and a terminal that knows ASCII alone."""
HERE = {"TZ": "America/St_Johns", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"}

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
"""What gives a process another clock."""


@pytest.fixture
def undisturbed(finished_sweep: Callable[[str], Sweep]) -> Sweep:
    """Return a finished sweep."""
    return finished_sweep("population")


@pytest.mark.timeout(900)
def test_odd_paths_zones_and_locales_move_nothing(tmp_path: Path) -> None:
    text = SPEC.replace("Does the loop hold?", "Hält die Schleife – в Москве, 東京?")
    undisturbed = Sweep(write_spec(tmp_path, text=text), tmp_path / "home", "population")
    run(*undisturbed.arguments)
    folder = tmp_path / "Müllers Läufe – 東京"
    sweep = Sweep(write_spec(folder, text=text), folder / "das zu Hause", "population")
    with start(*sweep.arguments, **FAR) as driver:
        wait_until(driver, lambda: sweep.recorded >= 1)
        driver.kill()
    run("status", "--home", sweep.home, **FAR)
    run(*sweep.arguments, **HERE)
    assert timeless(sweep.ledger) == timeless(undisturbed.ledger)
    assert sweep.tables() == undisturbed.tables()
    again = run(*sweep.arguments, **FAR)
    assert again.stdout == undisturbed.tables()[1]
    assert str(sweep.home) in again.stderr
    for kind, table in zip(("json", "md"), undisturbed.tables(), strict=True):
        path = folder / f"table.{kind}"
        run("table", "small", "--home", sweep.home, "--format", kind, "--out", path, **FAR)
        assert path.read_text(encoding="utf-8") == table


@pytest.fixture
def half(undisturbed: Sweep, tmp_path: Path) -> Sweep:
    """Return a sweep of which the second half is lost, in a home that was moved."""
    shutil.copytree(undisturbed.home, tmp_path / "moved")
    sweep = Sweep(write_spec(tmp_path), tmp_path / "moved", undisturbed.engine)
    lines = sweep.ledger.read_bytes().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if b'"kind":"training"' in line]
    sweep.ledger.write_bytes(b"".join(lines[: places[len(places) // 2]]))
    return sweep


@pytest.mark.parametrize("year", [1980, 2100])
def test_nothing_is_ordered_by_the_clock(undisturbed: Sweep, half: Sweep, year: int) -> None:
    """What was recorded and written before is of another time: the clock jumped between run and resume."""
    first, *rest = half.ledger.read_bytes().splitlines(keepends=True)
    header = json.loads(first.partition(b" ")[2])
    header["started"] = f"{year}-01-01T00:00:00+00:00"
    half.ledger.write_bytes(encode(header) + b"".join(rest))
    then = (year - 1970) * 365.25 * 24 * 3600
    for path in half.home.rglob("*"):
        os.utime(path, (then, then))
    run(*half.arguments, "--tracking-uri", f"sqlite:///{half.home / 'other.db'}")
    assert timeless(half.ledger) == timeless(undisturbed.ledger)
    assert half.tables() == undisturbed.tables()


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
@pytest.mark.timeout(900)
@pytest.mark.skipif(not FAKETIME, reason="needs libfaketime: Debian's package faketime")
def test_a_clock_that_jumps_while_a_sweep_runs_moves_nothing(undisturbed: Sweep, tmp_path: Path) -> None:
    """Years ahead once something is recorded, then years back; for driver, training processes and MLflow."""
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", undisturbed.engine)
    clock = tmp_path / "clock"
    clock.write_text("+0")
    faked = {
        "LD_PRELOAD": str(FAKETIME[0]), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    with start(*sweep.arguments, **faked) as driver:
        for jump, recorded in (("+4000d", 0), ("-4000d", 1)):
            wait_until(driver, lambda wanted=recorded: sweep.ledger.exists() and sweep.recorded >= wanted)
            (tmp_path / "next").write_text(jump)
            (tmp_path / "next").replace(clock)  # whole at any moment: it is read at every look at the time
        _, errors = driver.communicate(timeout=280)
    assert driver.returncode == 0, errors
    with closing(sqlite3.connect(sweep.home / "mlflow.db")) as database:
        ((last,),) = database.execute("SELECT max(end_time) FROM runs")
    assert abs(last / 1000 - time.time()) > 3000 * 24 * 3600, "the clock did not jump"
    assert_the_same_end(sweep, undisturbed)


def test_a_home_that_was_moved_goes_on_and_is_told_how_mlflow_does(undisturbed: Sweep, half: Sweep) -> None:
    done = run(*half.arguments)
    said = " ".join(done.stderr.split())
    assert "the home was moved" in said
    assert "`mishstudy rebuild small`" in said
    assert timeless(half.ledger) == timeless(undisturbed.ledger)
    assert half.tables() == undisturbed.tables()
    assert "MLflow holds 8 runs and the results" in " ".join(
        run("rebuild", "small", "--home", half.home).stderr.split()
    )
    assert "the home was moved" not in run(*half.arguments).stderr


def test_two_drivers_that_start_at_once_are_one_and_a_sentence(undisturbed: Sweep, tmp_path: Path) -> None:
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", "population")
    drivers = [start(*sweep.arguments) for _ in range(2)]
    told = [driver.communicate(timeout=280)[1] for driver in drivers]
    assert sorted(driver.returncode for driver in drivers) == [0, 2]
    winner, refused = sorted(range(2), key=lambda each: drivers[each].returncode)
    assert f"process {drivers[winner].pid} on " in told[refused]
    assert "runs small there since 20" in told[refused]
    assert "Traceback" not in told[refused]
    assert timeless(sweep.ledger) == timeless(undisturbed.ledger)
    assert sweep.tables() == undisturbed.tables()


@pytest.fixture
def read_only(undisturbed: Sweep) -> Iterator[Path]:
    """Give a copy of a home that may be read and not written by `without_rights`."""
    folder = Path(tempfile.mkdtemp())
    shutil.copytree(undisturbed.home, folder / "home")
    shutil.copy(undisturbed.spec, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


def give_up_roots_rights() -> None:
    """Let permissions hold for this process and what it runs, also where the tests run as root."""
    capability_dac_override, pr_capbset_drop = 1, 24
    ctypes.CDLL(None).prctl(pr_capbset_drop, capability_dac_override, 0, 0, 0)


def without_rights(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mishstudy", *map(str, arguments)], capture_output=True, text=True,
        check=False, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=give_up_roots_rights,
    )  # fmt: skip


def test_a_home_that_cannot_be_written_is_read_and_not_run(undisturbed: Sweep, read_only: Path) -> None:
    home = read_only / "home"
    shown = without_rights(read_only, "table", "small", "--home", home, "--format", "json")
    assert shown.stdout == undisturbed.tables()[0], shown.stderr
    assert "complete" in without_rights(read_only, "status", "small", "--home", home).stdout
    refused = without_rights(read_only, "sweep", "small.toml", "--home", home)
    assert refused.returncode == 2
    assert "must be a folder that can be written, and it is not (Permission denied)" in refused.stderr
    assert "Traceback" not in refused.stderr
