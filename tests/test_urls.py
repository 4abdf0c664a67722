"""URLs that a user gives: what is taken, what is refused and how, and that no password is ever shown."""

from pathlib import Path

import pytest

from study.errors import InputError
from study.urls import check_storage_url, check_tracking_uri

SECRET = "s3cret"

TAKEN = [
    "sqlite:///mlflow.db",
    "sqlite:////tmp/a folder/me@work/mlflow.db",
    "sqlite+pysqlite:///mlflow.db",
    f"postgresql+psycopg://me:{SECRET}@host:5432/db",
    "postgresql+psycopg://me:p%40ss%20word@host/db?sslmode=require",
]
SERVERS = [
    "http://localhost:5000",
    "https://mlflow.example.org/prefix",
    f"http://me:{SECRET}@host:5000",
    "http://[::1]:5000",
]

REFUSED = [
    (f"postgresql://me:my {SECRET}@host/db", "has white space; quote it as %20."),
    (f"postgresql+psycopg://me:p@{SECRET}@host/db", "has an @ too much; quote one in a name"),
    (f"oracle+nothing://me:{SECRET}@host/db", ""),
    (f"postgresql+nothing://me:{SECRET}@host/db", "is not a database URL; write it like postgresql+psycopg://"),
    (f"postgresql+pg8000://me:{SECRET}@host/db", "needs the Python package 'pg8000', which is not installed"),
    (f"postgresql+psycopg://me:{SECRET}@host:port/db", "is not a database URL; write it like postgresql+psycopg://"),
    (f"postgresql:/me:{SECRET}@host/db", ""),
    (f"postgresql:/host/db?password={SECRET}", ""),
    (f"postgresql://host/db?password=a {SECRET}", "has white space; quote it as %20."),
    (f"postgresql:///me:{SECRET}@@host/db", "has an @ too much"),
    (f"://me:{SECRET}@host/db", ""),
]  # fmt: skip
NO_FILE = [
    ("sqlite://", "names no file for SQLite; write sqlite:///mlflow.db for a relative path"),
    ("sqlite:///", "names no file for SQLite"),
    ("sqlite:///:memory:", "names no file for SQLite"),
    ("sqlite://mlflow.db", "names no file for SQLite"),
]  # fmt: skip
NO_TRACKING = [
    ("mlruns", "MLflow's file store is not supported, and the tracking URI 'mlruns' names one; use sqlite:///"),
    ("file:///tmp/mlruns", "MLflow's file store is not supported"),
    (f"me:{SECRET}@host:5000", "MLflow's file store is not supported, and the tracking URI '***' names one"),
    ("", "MLflow's file store is not supported"),
    ("databricks://profile", "has an unknown scheme (known: http, https, sqlite, postgresql, mysql, mssql)"),
    (f"http://me:{SECRET}@:5000", "is not one of a server; write it like http://host:5000."),
    (f"http://me:{SECRET}/x@host", "is not one of a server"),
    (f"http://me:{SECRET} x@host", "the tracking URI 'http://***' has white space; quote it as %20."),
    (f"http://host:5000/?token={SECRET}", "is not one of a server"),
    ("http://host:5000/#/experiments/1", "is not one of a server"),
    ("http://host:port", "is not one of a server"),
    ("http://host:70000", "is not one of a server"),
]  # fmt: skip


@pytest.mark.parametrize("url", [*TAKEN, *SERVERS])
def test_servers_and_databases_are_taken_for_mlflow(url: str) -> None:
    check_tracking_uri(url)


@pytest.mark.parametrize("url", TAKEN)
def test_databases_are_taken_for_optuna(url: str) -> None:
    check_storage_url(url)


@pytest.mark.parametrize(("url", "words"), [*REFUSED, *NO_FILE, *NO_TRACKING])
def test_what_mlflow_cannot_use_is_one_sentence_without_the_password(url: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        check_tracking_uri(url)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "the tracking URI '" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"), [*REFUSED, *NO_FILE, ("runs.db", "is not a database URL"), ("http://host:5000", "")]
)
def test_what_optuna_cannot_use_is_one_sentence_without_the_password(url: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        check_storage_url(url)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith("the storage URL '")


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no file for SQLite"):
        check_tracking_uri(f"sqlite:///{tmp_path}")
    with pytest.raises(InputError, match="names no file for SQLite"):
        check_storage_url(f"sqlite:///{tmp_path}")
