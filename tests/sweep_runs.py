"""Sweeps of the command line in processes of their own, and what they leave behind."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPEC = """
name = "small"
question = "Does the loop hold?"
focus = "mish"
activations = ["relu"]
dataset = "digits"
train_size = 256
architecture = "mlp"
configurations = {configurations}
replicated_share = 0.3
epochs = 3
delta = 1.0
seed = 5
[factors.depth]
role = "condition"
levels = [2, 3]
[factors.learning_rate]
role = "nuisance"
low = 0.3
high = 3.0
log = true
relative = true
[fixed]
width = 16
"""

TIMED = ("seconds", "build_seconds", "examples_per_second", "peak_memory_mib")


def write_spec(folder: Path, configurations: int = 4, text: str = SPEC) -> Path:
    """Write the spec `small` into a folder."""
    path = folder / "small.toml"
    path.write_text(text.format(configurations=configurations))
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mishstudy", *map(str, arguments)]


def run(*arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; it must end with `code` and without a traceback."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start the command line in a session of its own, as a shell does."""
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment}, start_new_session=True,
    )  # fmt: skip


def wait_until(driver: subprocess.Popen[str], condition: Callable[[], bool], seconds: float = 200.0) -> None:
    """Wait until something has happened while the driver is running."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)


def recorded(ledger: Path) -> int:
    """Return how many lines of trainings a ledger has, whole ones or not."""
    return ledger.read_bytes().count(b'"kind":"training"') if ledger.exists() else 0


def timeless(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a ledger, or of its curves, without what is timed."""
    lines = [json.loads(line.partition(" ")[2]) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("started", None)
        for key in TIMED:
            line.get("result", {}).pop(key, None)
    return lines


def tables(home: Path, name: str = "small") -> list[str]:
    """Return the table of a sweep in two formats."""
    return [run("table", name, "--home", home, "--format", kind).stdout for kind in ("json", "md")]
