"""The URLs that a user gives, checked before anything is contacted; messages show them redacted."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from study.errors import InputError
from study.redaction import redact

_SCHEME = re.compile(r"[A-Za-z0-9+.-]*")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def check_tracking_uri(uri: str) -> None:
    """Check that an MLflow tracking URI names something that can be written to.

    Raises
    ------
    InputError
        If it is neither the URL of a server nor of a database, or its driver is not installed.
    """
    scheme, mark, _ = uri.partition("://")
    named = f"the tracking URI {_shown(uri)!r}"
    advice = "use sqlite:///path/to/mlflow.db or the URL of a server, such as http://localhost:5000."
    if not mark or scheme == "file":
        raise InputError(f"MLflow's file store is not supported, and {named} names one; {advice}")
    if scheme in ("http", "https"):
        _check_no_space(uri, named)
        try:
            parts = urlsplit(uri)
            valid = bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
        except ValueError:
            valid = False
        if not valid:
            raise InputError(f"{named} is not one of a server; write it like http://host:5000.")
    elif scheme.partition("+")[0] not in _DATABASES:
        known = ", ".join(("http", "https", *_DATABASES))
        raise InputError(f"{named} has an unknown scheme (known: {known}); {advice}")
    else:
        _check_database(uri, named)


def check_storage_url(url: str) -> None:
    """Check that an Optuna storage URL is one of a database.

    Raises
    ------
    InputError
        If it is not, is one in memory, which no dashboard could read, or its driver is not installed.
    """
    _check_database(url, f"the storage URL {_shown(url)!r}")


def _shown(url: str) -> str:
    """Return a URL for a message; of what is none, little, since a password in it would not be known."""
    if not any(each in url for each in "@?#="):
        return url
    scheme, mark, _ = url.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        return "***"
    return f"{scheme}://***" if any(map(str.isspace, url)) else redact(url)


def _check_no_space(url: str, named: str) -> None:
    """Refuse white space: in an error message such a URL, and a password in it, is not known as one."""
    if any(map(str.isspace, url)):
        raise InputError(f"{named} has white space; quote it as %20.")


def _check_database(url: str, named: str) -> None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    if not url.startswith("sqlite"):  # a path, and no password
        _check_no_space(url, named)
        if url.count("@") > 1:  # drivers cut at the first, and tell the rest of a password as the host
            raise InputError(f"{named} has an @ too much; quote one in a name or a password as %40.")
    try:
        make_url(url).get_dialect().import_dbapi()
    except ImportError as error:
        raise InputError(
            f"{named} needs the Python package {error.name!r}, which is not installed; install it, or name "
            "another driver, such as postgresql+psycopg://..."
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            f"{named} is not a database URL; write it like "
            "postgresql+psycopg://user:password@host:5432/database."
        ) from None
    if url.startswith("sqlite"):
        _check_sqlite_path(url.partition("://")[2], named)


def _check_sqlite_path(rest: str, named: str) -> None:
    path = Path(rest.partition("?")[0].removeprefix("/"))
    if not rest.startswith("/") or path.name in ("", ":memory:") or path.is_dir():
        raise InputError(
            f"{named} names no file for SQLite; write sqlite:///mlflow.db for a relative path or "
            "sqlite:////home/me/mlflow.db for an absolute one."
        )
