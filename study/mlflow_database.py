"""MLflow's database in a file: it appears whole or not at all."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path


def make_whole(uri: str) -> None:
    """Make the SQLite file that `uri` names, with all of MLflow's tables; one that is there is left alone.

    MLflow makes its tables in dozens of steps, and never opens a file again whose maker was killed between
    two of them. So they are made in a folder for temporary files. The file keeps a write-ahead log: writing a
    run waits for the disk a third as often, and who reads the dashboard keeps no one from writing.
    """
    from mlflow import MlflowClient
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    if url.get_backend_name() != "sqlite" or not url.database or Path(url.database).exists():
        return
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with tempfile.TemporaryDirectory() as folder:
        made, copy = Path(folder, "mlflow.db"), Path(folder, "copy.db")
        MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
        shutil.copyfile(made, copy)
        with closing(sqlite3.connect(copy)) as database:
            database.execute("PRAGMA journal_mode=WAL")
        shutil.copyfile(copy, partial)
    if path.exists():
        partial.unlink()
    else:
        # Of a file that was deleted: SQLite would take them for those of the new one.
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        partial.replace(path)
