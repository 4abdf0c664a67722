"""What an MLflow server means by its refusal, and that there is none."""

import os
from typing import Literal
from urllib.parse import urlsplit

from study.redaction import redact

_CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
_TOKEN = "MLFLOW_TRACKING_TOKEN"


def denial(
    error: BaseException, uri: str, experiment: str, needed: Literal["READ", "MANAGE"] = "MANAGE"
) -> str:
    """Return what the server refuses, and what to do about it, if that is what an error of MLflow says.

    Parameters
    ----------
    error : BaseException
        What a call of MLflow raised.
    uri : str
        Tracking URI of the server; it may hold a password, which is not shown.
    experiment : str
        What was to be read or written there.
    needed : {"READ", "MANAGE"}
        The permission for that, as MLflow calls it. A sweep deletes runs that it replaces, which EDIT does
        not include.

    Returns
    -------
    str
        The predicate of a sentence about the server, without its full stop; empty for any other error.
    """
    status = getattr(getattr(error, "response", None), "status_code", None)  # where it is an artifact's
    code = getattr(error, "error_code", "")
    if status == 401 or code == "UNAUTHENTICATED":
        return _unknown_user(uri)
    if status == 403 or code == "PERMISSION_DENIED":
        return (
            f"does not give this user the permission {needed} for the experiment {experiment!r}; ask its "
            "owner or who runs the server for it, or name another experiment or another server"
        )
    return ""


def unreachable(error: BaseException, uri: str) -> str:
    """Return that no server answers, and what to do about it, if that is what an error of MLflow says.

    Parameters
    ----------
    error : BaseException
        What a call of MLflow raised.
    uri : str
        Tracking URI of the server; what may be secret in it is not shown.

    Returns
    -------
    str
        A sentence without its full stop; empty where a server has answered, or `uri` is a database.

    Notes
    -----
    MLflow has no type of its own for this: it raises what it was told as text, and the error of the
    connection is behind it.
    """
    import requests

    behind: BaseException | None = error
    while uri.startswith("http") and behind is not None:
        if isinstance(behind, requests.ConnectionError | requests.Timeout):
            return f"no server answers at {redact(uri)}; check the address, and that the server runs"
        behind = behind.__cause__ or behind.__context__
    return ""


def _unknown_user(uri: str) -> str:
    """Return what is wrong with what MLflow sends: in this order it looks for a user."""
    from mlflow.utils.credentials import read_mlflow_creds

    names = " and ".join(_CREDENTIALS)
    if urlsplit(uri).username is not None:
        return "does not accept the user and the password in its address; correct them"
    if all(map(os.environ.get, _CREDENTIALS)):
        return f"does not accept the user and the password in {names}; correct them"
    if all(read_mlflow_creds()):
        return "does not accept the user and the password in ~/.mlflow/credentials; correct them"
    if os.environ.get(_TOKEN):
        return (
            f"does not accept the token in {_TOKEN}; correct it, or, where the server knows users and "
            f"passwords instead, unset it and set {names}"
        )
    return f"asks for a user and a password that it knows; set {names}"


def malformed_token() -> str:
    """Return what is wrong with a token that MLflow would send and no request can carry, else nothing."""
    token = os.environ.get(_TOKEN, "")
    if all(map(os.environ.get, _CREDENTIALS)) or all("!" <= each <= "~" for each in token):
        return ""
    return (
        f"{_TOKEN} holds a space, a line break or a letter that no token has; set it again, with nothing "
        "before or after the token"
    )
