"""One sweep killed at twenty random moments, driver and training process by turns, to its own end."""

import itertools
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sweep_ends import assert_the_same_end
from sweep_runs import SPEC, Sweep, run, start, write_spec

from study import ledger

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.long,
    # MLflow's queries use what SQLAlchemy deprecates.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

TEXT = SPEC.replace("levels = [2, 3]", "levels = [2, 3, 4, 5, 6, 7]")
"""Six programs: what is trained together is recorded together, and there is something to kill six times."""


def checks_of(sweep: Sweep) -> int:
    return sweep.ledger.read_bytes().count(b'"kind":"check"') if sweep.ledger.exists() else 0


def run_watched(sweep: Sweep) -> float:
    """Run a sweep to its end and return the seconds to its first training."""
    started, first = time.monotonic(), 0.0
    with start(*sweep.arguments) as driver:
        while driver.poll() is None:
            if not first and sweep.recorded:
                first = time.monotonic() - started
            time.sleep(0.02)
        assert driver.returncode == 0, driver.communicate()
    return first


def family_of(driver: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return the training process of a driver, where it has one that lives."""
    found: list[psutil.Process] = []
    for each in psutil.Process(driver.pid).children():
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(each.cmdline()):
                found.append(each)
    return found


def kill(driver: "subprocess.Popen[str]", who: str) -> str:
    """SIGKILL who is to be killed and is there; return who it was."""
    children = family_of(driver)
    who = who if children else "driver"
    if who != "driver":
        children[0].kill()
    if who != "child":
        driver.kill()
        driver.communicate(timeout=60)
        assert driver.returncode == -signal.SIGKILL
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive
    return who


def ended_by_itself(driver: "subprocess.Popen[str]") -> bool:
    """Return whether a driver came to its end; else it must have said that its first child was killed."""
    _, errors = driver.communicate(timeout=300)
    assert "Traceback" not in errors
    if driver.returncode == 0:
        return True
    assert driver.returncode == 1
    assert "the training process died while it" in errors
    assert "(SIGKILL)" in errors
    return False


@pytest.mark.timeout(900)
def test_a_sweep_killed_at_twenty_random_moments_ends_the_same(tmp_path: Path) -> None:
    draws = random.Random(20)
    undisturbed, sweep = (
        Sweep(write_spec(folder, 24, TEXT), folder / "home", "population")
        for folder in (tmp_path / "undisturbed", tmp_path / "killed")
    )
    first = run_watched(undisturbed)
    whole, repeated = undisturbed.recorded, checks_of(undisturbed)
    stages = draws.sample(["starting", "training"], counts=[6, 6], k=12)
    stages += ["checking"] * 4 + ["publishing"] * 4
    latest = {"starting": first, "training": 0.1 * first, "checking": 0.7 * first, "publishing": 1.0}
    hit, killed = Counter[str](), Counter[str]()
    kept, driver, before = b"", None, 0
    for number, (stage, who) in enumerate(zip(stages, itertools.cycle(("driver", "child", "both")))):
        if driver is None or driver.poll() is not None:
            assert driver is None or driver.returncode == -signal.SIGKILL or not ended_by_itself(driver)
            driver, before = start(*sweep.arguments, PYTHONHASHSEED=str(number)), sweep.recorded
        reached = {
            "starting": lambda: True,
            "training": lambda before=before: sweep.recorded > before or sweep.recorded == whole,
            "checking": lambda: sweep.recorded == whole,
            "publishing": lambda: sweep.recorded == whole and checks_of(sweep) == repeated,
        }[stage]
        while driver.poll() is None and not reached():
            time.sleep(0.005)
        until = time.monotonic() + draws.uniform(0.0, latest[stage])
        while driver.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        if driver.poll() is not None:
            continue
        written, checks = sweep.recorded, checks_of(sweep)
        killed[kill(driver, who)] += 1
        if written < whole:
            hit["training" if written > before else "starting"] += 1
        else:
            hit["publishing" if checks == repeated else "checking"] += 1
        before = sweep.recorded
        lines = sweep.ledger.read_bytes() if sweep.ledger.exists() else b""
        assert lines.startswith(kept)
        kept = lines[: lines.rfind(b"\n") + 1]
    assert sum(killed.values()) >= 18
    assert min(killed[who] for who in ("driver", "child", "both")) >= 3, killed
    assert min(hit[stage] for stage in latest) >= 2, hit
    assert driver is not None
    while driver.returncode == -signal.SIGKILL or not ended_by_itself(driver):
        driver = start(*sweep.arguments)
    run(*sweep.arguments)  # one that has nothing to train waits for MLflow
    digests = [entry.result.digest for entry in ledger.read(sweep.ledger).entries]
    assert len(digests) == len(set(digests)) == sweep.recorded == whole
    assert_the_same_end(sweep, undisturbed)
