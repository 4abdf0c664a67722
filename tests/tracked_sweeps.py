"""A small sweep handed over to the MLflow writer as the driver does, and what MLflow then holds of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from made_entries import entries_of, grouped, question_of, spec_with
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from study.dashboard import Results
from study.ledger import Entry
from study.question import Question
from study.tracking import Tracker, TrackerReport
from study.training import Status

SPEC = spec_with()
QUESTION = question_of(SPEC)
ENTRIES = entries_of(SPEC)
GROUPS = grouped(ENTRIES)


@contextmanager
def tracking(uri: str, folder: Path, question: Question = QUESTION) -> Iterator[Tracker]:
    tracker = Tracker(uri, folder / "home/artifacts", question, "name = 'small'\n", {"threads": 1})
    try:
        yield tracker
    finally:
        tracker.close()


def send(tracker: Tracker, entries: Sequence[Entry]) -> None:
    """Hand over entries as the driver does."""
    planned = {key: len(group) for key, group in GROUPS.items()}
    failed = 0
    for number, entry in enumerate(entries, 1):
        failed += entry.result.status is not Status.OK
        tracker.training(entry, planned[entry.configuration.index, entry.training.activation])
        tracker.progress(number, len(ENTRIES), failed)


def write(
    uri: str, folder: Path, entries: Sequence[Entry] = ENTRIES, results: Results | None = None
) -> TrackerReport:
    """Write a whole sweep and return the report at its end."""
    with tracking(uri, folder) as tracker:
        send(tracker, entries)
        return tracker.finish(results or Results())


def runs_of(uri: str, name: str = QUESTION.name, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], run_view_type=view))


def parent_of(uri: str) -> Run:
    (parent,) = [run for run in runs_of(uri) if "mlflow.parentRunId" not in run.data.tags]
    return parent


def children_of(uri: str) -> dict[str, Run]:
    """Return the child runs by name; no two have the same."""
    children = [run for run in runs_of(uri) if "mlflow.parentRunId" in run.data.tags]
    named = {str(run.info.run_name): run for run in children}
    assert len(named) == len(children)
    return named
