"""Sweeps of the command line in processes of their own, and what they leave behind."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
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

_TIMED = ("seconds", "build_seconds", "examples_per_second", "peak_memory_mib")


@dataclass(frozen=True)
class Sweep:
    """A sweep of the command line: its spec, its home, its engine."""

    spec: Path
    home: Path
    engine: str = "auto"

    @property
    def arguments(self) -> tuple[object, ...]:
        """What the command line is given to run or to resume it."""
        return ("sweep", self.spec, "--home", self.home, "--engine", self.engine)

    @property
    def folder(self) -> Path:
        return self.home / self.spec.stem

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def recorded(self) -> int:
        """How many lines of trainings the ledger has, whole ones or not."""
        return self.ledger.read_bytes().count(b'"kind":"training"') if self.ledger.exists() else 0

    def tables(self) -> list[str]:
        """Return its table in two formats."""
        name, kinds = self.spec.stem, ("json", "md")
        return [run("table", name, "--home", self.home, "--format", kind).stdout for kind in kinds]


def write_spec(folder: Path, configurations: int = 4, text: str = SPEC) -> Path:
    """Write the spec `small` into a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / "small.toml"
    path.write_text(text.format(configurations=configurations))
    return path


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mishstudy", *map(str, arguments)]


def run(*arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; it must end with `code` and without a traceback."""
    done = subprocess.run(
        _command(*arguments), capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start the command line in a session of its own, as a shell does."""
    return subprocess.Popen(
        _command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment}, start_new_session=True,
    )  # fmt: skip


def wait_until(driver: subprocess.Popen[str], condition: Callable[[], bool], seconds: float = 200.0) -> None:
    """Wait until something has happened while the driver is running."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)


def timeless(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a ledger, or of its curves, without what is timed."""
    lines = [json.loads(line.partition(" ")[2]) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("started", None)
        for key in _TIMED:
            line.get("result", {}).pop(key, None)
    return lines
