"""The home: one driver at a time, whoever looks on, and a folder that can be written or not."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.errors import InputError
from sweeps.home import Home

HOLD = """
import sys, time
from pathlib import Path
from sweeps.home import Home
home = Home(Path(sys.argv[1]))
home.prepare()
with home.locked("first"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that holds the home `tmp_path` for the sweep `first`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.faults
def test_a_second_driver_is_told_who_holds_the_home(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(InputError) as refused, home.locked("second"):
        pass
    assert re.search(
        rf"process {holder.pid} on \S+ runs first there since 20\d\d-\d\d-\d\dT[\d:]{{8}}\+00:00; wait for",
        str(refused.value),
    )
    assert home.is_running("first")
    assert not home.is_running("second")


@pytest.mark.faults
def test_the_lock_goes_with_a_killed_driver(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    home = Home(tmp_path)
    holder.kill()
    holder.wait()
    assert json.loads((tmp_path / ".lock-holder.json").read_text())["sweep"] == "first"
    assert not home.is_running("first")
    with home.locked("second"):
        assert home.is_running("second")
        assert not home.is_running("first")
    assert not home.is_running("second")


def test_looking_does_not_keep_a_driver_out(tmp_path: Path) -> None:
    """`status` looks at the lock; a driver that starts at that moment waits instead of giving up."""
    import fcntl
    import threading

    home = Home(tmp_path)
    home.prepare()
    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        release = threading.Timer(0.1, fcntl.flock, (file, fcntl.LOCK_UN))
        release.start()
        with home.locked("first"):
            release.join()


@pytest.mark.faults
@pytest.mark.parametrize("left", ["[]", "3", "null", '{"pid": 1}', "[" * 100_000], ids=range(5))
def test_a_holder_of_another_form_is_a_process_without_a_name(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setattr("sweeps.home._LOOKED_AT_SECONDS", 0.01)
    home = Home(tmp_path)
    (tmp_path / ".lock-holder.json").write_text(left)
    assert not home.is_running("first")
    with pytest.raises(InputError, match="another process is starting a sweep there"), home.locked("second"):
        pass
    holder.kill()


def test_a_new_or_unreadable_home_runs_nothing(tmp_path: Path) -> None:
    assert not Home(tmp_path / "nowhere").is_running("first")
    (tmp_path / ".lock-holder.json").write_text("{")
    (tmp_path / ".lock").touch()
    assert not Home(tmp_path).is_running("first")


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that this process may read and not write, also where the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    (folder / ".lock").touch()
    (folder / ".lock-holder.json").write_text('{"sweep": "first"}')
    folder.chmod(0o755 if root else 0o555)
    if root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.faults
def test_a_read_only_home_can_be_looked_at_and_not_used(read_only: Path) -> None:
    home = Home(read_only)
    assert not home.is_running("first")
    assert home.sweeps() == []
    for place in (home, Home(read_only / "new")):
        with pytest.raises(InputError, match=r"must be a folder that can be written, and it is not \(Perm"):
            place.prepare()


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"must be a folder that can be written.*--home"):
        Home(tmp_path / "file").prepare()


def test_sweeps_are_listed_as_they_changed_and_must_exist(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(InputError, match=r"it has no sweep yet; name one of them, or another home"):
        home.existing("late")
    for name in ("late", "early"):
        home.sweep(name).mkdir()
        home.ledger(name).touch()
    os.utime(home.ledger("early"))
    assert home.sweeps() == ["late", "early"]
    assert home.existing("late") == tmp_path / "late/ledger.jsonl"
    with pytest.raises(InputError, match=r"there is no sweep '\.\./x' in the home .*: it has late, early;"):
        home.existing("../x")
