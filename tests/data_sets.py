"""Running the loaders in a process of their own, and what every message must be."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python from the repository's root, in a process of its own."""
    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def one_sentence(message: str) -> bool:
    return "\n" not in message and message.endswith((".", "?")) and "Traceback" not in message
