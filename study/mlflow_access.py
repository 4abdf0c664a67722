"""Whether an MLflow server lets us in, asked before anything is trained."""

import contextlib
import importlib
import threading
from collections.abc import Callable
from functools import partial

from study.errors import InputError
from study.mlflow_denial import denial, malformed_token
from study.mlflow_sweep import open_client
from study.redaction import redact

_PATIENCE = 10.0
"""Seconds that the server has for its answers."""


def check_readable(uri: str, experiment: str) -> None:
    """Check that an MLflow server does not refuse to show an experiment.

    One that is away, slow or in trouble passes: the call that follows says so.

    Parameters
    ----------
    uri : str
        Tracking URI that passed `check_tracking_uri`; only a server (`http...`) is asked.
    experiment : str
        What it is asked for, whether it has it or not.

    Raises
    ------
    InputError
        If it does not accept the user and the password or the token, wants some and there are none, or
        does not let this user read.
    """
    _check(uri, experiment, _read, partial(denial, needed="READ"))


def check_writable(uri: str, experiment: str) -> None:
    """Check that an MLflow server does not refuse a sweep that is to be written, as `check_readable` does.

    One that is away, slow or in trouble passes, as a sweep waits for no server: the writer tries it again.
    Nothing is written here: the server is asked for what it refuses to everybody, since it says that
    something is not permitted before it says that it is not valid.
    """
    _check(uri, experiment, _write_nothing, denial)


def _check(
    uri: str,
    experiment: str,
    ask: Callable[[str, str], None],
    refusal: Callable[[BaseException, str, str], str],
) -> None:
    if not uri.startswith("http"):
        return
    if malformed := malformed_token():
        raise InputError(f"{malformed}.")
    import_for_requests()
    denials: list[str] = []

    def note_denial() -> None:
        try:
            ask(uri, experiment)
        except Exception as error:  # MLflow's, the network's, or one of a plug-in for credentials
            denials.append(refusal(error, uri, experiment))

    asking = threading.Thread(target=note_denial, name="mlflow-access", daemon=True)
    asking.start()
    asking.join(_PATIENCE)
    if any(denials):
        raise InputError(f"MLflow at {redact(uri)} {denials[0]}.")


def _read(uri: str, experiment: str) -> None:
    open_client(uri).get_experiment_by_name(experiment)


def _write_nothing(uri: str, experiment: str) -> None:
    found = open_client(uri).get_experiment_by_name(experiment)
    from mlflow.entities import ExperimentTag
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.utils.credentials import get_default_host_creds

    store = RestStore(partial(get_default_host_creds, uri))  # the client refuses what is not valid by itself
    if found is None:
        store.create_experiment("")
    else:
        store.set_experiment_tag(found.experiment_id, ExperimentTag("", ""))


def import_for_requests() -> None:
    """Import what a request of MLflow imports where it is installed.

    Matplotlib breaks on an IPython that another thread has half imported.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("IPython")
