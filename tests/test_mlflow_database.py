"""MLflow's database in a file: whole or not at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.mlflow_database import make_whole

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
"""MLflow's queries use what SQLAlchemy deprecates."""


def test_a_kill_while_it_is_made_leaves_nothing_behind(tmp_path: Path) -> None:
    path, scratch = tmp_path / "mlflow.db", tmp_path / "scratch"
    scratch.mkdir()
    uri = f"sqlite:///{path}"
    code = f"from study.mlflow_database import make_whole\nmake_whole({uri!r})"
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(scratch)}
    ) as maker:
        while not any(each.stat().st_size for each in scratch.glob("*/mlflow.db")):
            assert maker.poll() is None
            time.sleep(0.001)
        maker.kill()
    assert maker.returncode == -signal.SIGKILL
    assert not path.exists()
    make_whole(uri)
    from mlflow import MlflowClient

    assert [each.name for each in MlflowClient(tracking_uri=uri).search_experiments()] == ["Default"]
    assert [each.name for each in tmp_path.iterdir() if each != scratch] == ["mlflow.db"]


def test_what_is_there_or_is_no_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"mine")
    for uri in (f"sqlite:///{path}", "http://localhost:1", "postgresql://u:p@localhost:1/x"):
        make_whole(uri)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]
