"""MLflow's database in a file: it appears whole or not at all."""

import shutil
import tempfile
from pathlib import Path


def make_whole(uri: str) -> None:
    """Make the SQLite file that `uri` names, with all of MLflow's tables; one that is there is left alone.

    MLflow makes its tables in dozens of steps, and never opens a file again whose maker was killed between
    two of them. So they are made in a folder for temporary files.
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
        made = Path(folder, "mlflow.db")
        MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
        shutil.copyfile(made, partial)
    if path.exists():
        partial.unlink()
    else:
        partial.replace(path)
