"""The container files as their own programs read them: Docker Compose resolves, nothing is started."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docker"
COMPOSE = FOLDER / "compose.yaml"
DOCKERFILE = FOLDER / "Dockerfile"

VARIABLES = ("POSTGRES_PASSWORD", "MLFLOW_PORT", "SPECS", "SPEC", "GPU")
"""What `compose.yaml` reads."""


def program(name: str) -> str:
    """Return the path of a program that a package in this environment brings."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None and (sys.platform, os.uname().machine) != ("linux", "x86_64"):
        pytest.skip(f"{name} has no package for this kind of machine")
    assert found is not None, f"{name} is not installed; run `make setup`"
    return found


def compose_command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Docker Compose on our file with the variables given and no others."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.run(
        [program("docker-compose"), "--file", str(COMPOSE), "--env-file", os.devnull, *arguments],
        capture_output=True, text=True, check=False, env={**inherited, **variables},
    )  # fmt: skip


def services(**variables: str) -> dict[str, Any]:
    """Return the services, resolved and checked by Docker Compose."""
    done = compose_command("config", "--format", "json", "--no-path-resolution", **variables)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return json.loads(done.stdout.replace("$$", "$"))["services"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of the Dockerfile, continuation lines joined."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """The arguments, in the shell form or the JSON form."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)


def instructions() -> list[Instruction]:
    """Return the instructions of the Dockerfile in order."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [Instruction(*line.strip().split(maxsplit=1)) for line in lines if line.strip()]
