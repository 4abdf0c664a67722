"""MLflow's database in a file: whole or not at all."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from study.mlflow_database import make_whole

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
"""MLflow's queries use what SQLAlchemy deprecates."""


@pytest.mark.faults
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
    assert [each.name for each in tmp_path.iterdir() if each != scratch] == ["mlflow.db"]
    from mlflow import MlflowClient

    assert [each.name for each in MlflowClient(tracking_uri=uri).search_experiments()] == ["Default"]


@pytest.mark.faults
def test_it_keeps_a_write_ahead_log_and_takes_up_none_of_a_deleted_file(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    uri = f"sqlite:///{path}"
    make_whole(uri)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        database.execute("update experiments set name = 'of the deleted file'")
        database.commit()
        log = tmp_path / "mlflow.db-wal"
        kept = log.read_bytes()
        assert kept
    path.unlink()
    log.write_bytes(kept)  # as a killed process leaves it
    make_whole(uri)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("select name from experiments").fetchall() == [("Default",)]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_is_there_or_is_no_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"mine")
    for uri in (f"sqlite:///{path}", "http://localhost:1", "postgresql://u:p@localhost:1/x"):
        make_whole(uri)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]
