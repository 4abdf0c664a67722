"""What MLflow and Optuna hold of a sweep, made anew from its ledger."""

from collections.abc import Callable
from pathlib import Path

from study import ledger
from study.dashboard import Results
from study.errors import InputError
from study.ledger import Record
from study.mlflow_access import check_writable
from study.mlflow_sweep import set_aside
from study.urls import check_storage_url, check_tracking_uri
from sweeps import design
from sweeps.driver import Driver, Options
from sweeps.home import Home
from sweeps.looks import Looks
from sweeps.marker import Marker
from sweeps.monitor import Monitor
from sweeps.spec import parse
from sweeps.trials import delete_studies, open_storage


def rebuild(
    name: str,
    home: Home,
    monitor: Monitor,
    publish: Callable[[Record], Results],
    *,
    tracking_uri: str | None = None,
    storage: str | None = None,
) -> None:
    """Make MLflow's experiment and the Optuna studies of a sweep anew; nothing is trained.

    What MLflow had is renamed and deleted there, which `mlflow experiments restore` takes back. When the
    driver is killed meanwhile, the same command starts over. A sweep that has not come to its end is shown
    as one whose driver was stopped: without results, and killed. A pilot has its end where MLflow says so.

    Parameters
    ----------
    name : str
        A sweep of the home.
    home : Home
        Where it is; it may have been moved.
    monitor : Monitor
        Is told what happens.
    publish : callable
        Makes what MLflow shows on the parent run from the record.
    tracking_uri, storage : str or None
        Where MLflow and Optuna are; None for the home.

    Raises
    ------
    InputError
        If there is no such sweep, its ledger or its spec cannot be read, or MLflow refuses the user.
    RunError
        If MLflow or the storage do not answer.
    """
    check_tracking_uri(tracking_uri or home.tracking_uri)
    if storage is not None:
        check_storage_url(storage)
    path, stored = home.existing(name), home.spec(name)
    if not stored.exists():
        raise InputError(
            f"rebuild needs the spec that the ledger belongs to, and {stored} is missing; "
            "put it back, or run the sweep again with its spec, which stores it."
        )
    text = stored.read_text(encoding="utf-8")
    spec = parse(text, str(stored))
    home.prepare()
    with home.locked(name):
        record = ledger.read(path)
        check_writable(tracking_uri or home.tracking_uri, name)
        options = Options(
            engine=record.fingerprints[-1]["engine"],
            data=None,
            import_from=Path(),
            tracking_uri=tracking_uri,
            storage=storage,
        )
        marker = Marker(home, name, tracking_uri=tracking_uri, storage=storage)
        marker.remove()
        delete_studies(open_storage(home.journal, storage), name)
        finished = set_aside(tracking_uri or home.tracking_uri, name) or _is_whole(record)
        driver = Driver(spec, text, home, options, monitor, record.question, record)
        try:
            planned = [] if spec.design == "tuned" else design.trainings(spec)
            driver.train(planned, [], 0, Looks(at=(0,)))
            if driver.finish(publish(record) if finished else None, patient=True) and finished:
                marker.write()
        finally:
            driver.close()


def _is_whole(record: Record) -> bool:
    """Return whether the ledger holds all that was planned, or decided the answer."""
    return record.stopped_at is not None or len(record.entries) >= record.question.planned_trainings
