"""Whether an MLflow server lets us in, asked before anything is trained."""

import contextlib
import importlib
import os
import threading

from study.errors import InputError
from study.mlflow_sweep import open_client
from study.redaction import redact

_CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
_PATIENCE = 10.0
"""Seconds that the server has for its answer."""


def check_access(uri: str, experiment: str) -> None:
    """Check that an MLflow server does not refuse the user's password.

    One that is away, slow or in trouble passes, as a sweep waits for no server: the writer tries it again.

    Parameters
    ----------
    uri : str
        Tracking URI that passed `check_tracking_uri`; only a server (`http...`) is asked.
    experiment : str
        What it is asked for, whether it has it or not.

    Raises
    ------
    InputError
        If it does not accept the user and the password, or wants some and there are none.
    """
    if not uri.startswith("http"):
        return
    import_for_requests()
    client = open_client(uri)
    denials: list[str] = []

    def ask() -> None:
        try:
            client.get_experiment_by_name(experiment)
        except Exception as error:  # MLflow's, the network's, or one of a plug-in for credentials
            denials.append(denial(error))

    asking = threading.Thread(target=ask, name="mlflow-access", daemon=True)
    asking.start()
    asking.join(_PATIENCE)
    if any(denials):
        raise InputError(f"MLflow at {redact(uri)} {denials[0]}.")


def denial(error: BaseException) -> str:
    """Return what is wrong with user and password if that is what an error of MLflow says, else nothing."""
    status = getattr(getattr(error, "response", None), "status_code", None)  # where it is an artifact's
    if status != 401 and getattr(error, "error_code", "") != "UNAUTHENTICATED":
        return ""
    names = " and ".join(_CREDENTIALS)
    if all(map(os.environ.get, _CREDENTIALS)):
        return f"does not accept the user and the password in {names}; correct them"
    return f"asks for a user and a password that it knows; set {names}"


def import_for_requests() -> None:
    """Import what a request of MLflow imports where it is installed.

    Matplotlib breaks on an IPython that another thread has half imported.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("IPython")
