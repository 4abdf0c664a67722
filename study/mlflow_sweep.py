"""One sweep as MLflow holds it: an experiment, a parent run, its child runs. MLflow is imported here only."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.dashboard import (
    CONTENT,
    EXPERIMENT_TAG_LIMIT,
    KEY,
    KIND,
    NAME_LIMIT,
    NOTE,
    ChildRun,
    Results,
    description,
    experiment_tags,
    pages,
    parent_metrics,
    parent_tags,
)
from study.errors import InputError, RunError
from study.mlflow_database import make_whole
from study.mlflow_denial import denial, unreachable
from study.question import Question
from study.redaction import redact

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

# MLflow reads these variables; a user's own setting counts.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the writer retries itself: it knows what was written
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_PARENT = "mlflow.parentRunId"
_SWEEP = f"tags.`{KIND}` = 'sweep'"
_PAGE = 1000


def open_client(uri: str) -> "MlflowClient":
    """Return a client for `uri`, with telemetry off and MLflow's log and links kept off the terminal.

    The client is explicit: MLflow's global tracking URI stays what it was.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    make_whole(uri)
    if not uri.startswith(("http", "sqlite")):
        _check_reachable(uri)
    return MlflowClient(tracking_uri=uri)


def _check_reachable(uri: str) -> None:
    """Connect to a database once: MLflow would try for a minute and a half before it said anything."""
    from sqlalchemy import create_engine

    engine = create_engine(uri)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def find_pages(uri: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the pages of those sweeps that MLflow at `uri` holds: name of the sweep to `pages`."""
    client = open_client(uri)
    found: dict[str, dict[str, str]] = {}
    for name in names:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            continue
        runs = client.search_runs([experiment.experiment_id], _SWEEP, max_results=1)
        if runs:
            found[name] = pages(experiment.experiment_id, runs[0].info.run_id)
    return found


def set_aside(uri: str, name: str) -> bool:
    """Rename and delete the experiment of a sweep, where MLflow at `uri` has one, so that it is made anew.

    Returns
    -------
    bool
        Whether it showed the sweep as finished.

    Raises
    ------
    InputError
        If it does not permit that.
    RunError
        If it cannot be reached, or says no for another reason.
    """
    try:
        client = open_client(uri)
        found = client.get_experiment_by_name(name)
        if found is None:
            return False
        if found.lifecycle_stage != "active":
            client.restore_experiment(found.experiment_id)
        parents = client.search_runs([found.experiment_id], _SWEEP)
        client.rename_experiment(found.experiment_id, f"{name} (replaced, {found.experiment_id})")
        client.delete_experiment(found.experiment_id)
        return any(run.info.status == "FINISHED" for run in parents)
    except Exception as error:  # MLflow's, SQLAlchemy's or the network's
        if denied := denial(error, uri, name):
            raise InputError(f"MLflow at {redact(uri)} {denied}.") from None
        said = unreachable(error, uri) or redact(str(error)).strip().partition("\n")[0][:300]
        raise RunError(
            f"MLflow at {redact(uri)} must answer to be written anew, and it does not ({said}); "
            "nothing that was recorded is lost: try again when it answers."
        ) from None


@dataclass(slots=True)
class _Held:
    """A child run that MLflow holds; `content` is None for one that must be replaced."""

    run_id: str
    content: str | None


class MlflowSweep:
    """The sweep in MLflow, found or made.

    Nothing is retried here. After an exception the object is of no use: make a new one, which reads
    again what MLflow holds.

    Parameters
    ----------
    uri : str
        Tracking URI.
    artifact_root : Path
        Folder for the artifacts of a new experiment; an MLflow server (`http...`) keeps its own.
    question : Question
        Of the sweep; its name is the experiment's name.
    spec_text : str
        The spec file.
    fingerprint : dict
        The environment, JSON values.

    Raises
    ------
    RunError
        If the experiment was deleted in MLflow, or keeps its artifacts in another folder.
    mlflow.exceptions.MlflowException
        If MLflow cannot be reached, or says no.
    """

    def __init__(
        self,
        uri: str,
        artifact_root: Path,
        question: Question,
        spec_text: str,
        fingerprint: Mapping[str, Any],
    ) -> None:
        self._uri = uri
        self._question = question
        self._client = open_client(uri)
        self._experiment = self._find_experiment(artifact_root)
        self._describe_experiment()
        self._parent, self._status = self._find_parent()
        self._children = self._find_children()
        environment = json.dumps(dict(fingerprint), indent=2, sort_keys=True, ensure_ascii=False)
        self._log_artifacts({"spec.toml": spec_text, "environment.json": environment})

    def write(self, run: ChildRun) -> None:
        """Write a child run, unless MLflow holds one with its key and content."""
        from mlflow.entities import Metric, Param

        held = self._children.get(run.key)
        if held is not None and held.content == run.content:
            return
        self._begin()
        if held is not None:
            self._client.delete_run(held.run_id)
            del self._children[run.key]
        start, end = _milliseconds(run.started), _milliseconds(run.ended)
        metrics = [Metric(name, value, end, 0) for name, value in run.metrics.items()]
        for name, points in run.curves.items():
            pace = (end - start) / max((epoch for epoch, _ in points), default=1)
            metrics += [Metric(name, value, start + round(epoch * pace), epoch) for epoch, value in points]
        # Three calls are the fewest: each is a transaction, and the first already carries the key.
        tags = {**run.tags, _PARENT: self._parent}
        created = self._client.create_run(self._experiment, start_time=start, tags=tags, run_name=run.name)
        run_id = created.info.run_id
        self._client.log_batch(
            run_id, metrics=metrics, params=[Param(name, value) for name, value in run.parameters.items()]
        )
        self._client.set_terminated(run_id, "FAILED" if run.failed else "FINISHED", end)
        self._children[run.key] = _Held(run_id, run.content)

    def log_progress(self, done: int, planned: int, failed: int, epochs: int) -> None:
        """Write the numbers of trainings and of epochs to the parent run; `done` is the step."""
        numbers = {"trainings_done": done, "trainings_planned": planned, "trainings_failed": failed}
        self._log_metrics({**numbers, "epochs_trained": epochs}, step=done)

    def log_results(self, results: Results) -> None:
        """Write the results to the parent run, and their summary to the experiment's description too."""
        self._log_artifacts(results.artifacts)
        self._log_metrics(parent_metrics(results.metrics), step=0)
        self._client.set_tag(self._parent, NOTE, description(self._question, results.summary))
        self._describe_experiment(results.summary)

    def look_again(self) -> None:
        """Delete what is there twice: a request may come through after its answer was given up."""
        for run in list(self._search(_SWEEP)):
            if run.info.run_id != self._parent:
                self._client.delete_run(run.info.run_id)
        self._children = self._find_children()

    def end(self, status: str) -> None:
        """End the parent run; one that had finished and got no new child keeps its status and time."""
        if self._status == "RUNNING" or (status == "FINISHED" and self._status != status):
            self._client.set_terminated(self._parent, status)
            self._status = status

    def _begin(self) -> None:
        if self._status != "RUNNING":
            self._client.update_run(self._parent, status="RUNNING")
            self._status = "RUNNING"

    def _find_experiment(self, artifact_root: Path) -> str:
        name, uri = self._question.name, redact(self._uri)
        location = None if self._uri.startswith("http") else artifact_root.resolve().as_uri()
        found = self._client.get_experiment_by_name(name)
        if found is None:
            tags = experiment_tags(self._question)
            return self._client.create_experiment(name, artifact_location=location, tags=tags)
        experiment = f"the MLflow experiment {name!r} at {uri}"
        if found.lifecycle_stage != "active":
            raise RunError(
                f"{experiment} was deleted; bring it back with `mlflow experiments restore "
                f"--experiment-id {found.experiment_id}`, or use another tracking URI."
            )
        if location is not None and found.artifact_location != location:
            raise RunError(
                f"{experiment} keeps its artifacts in {found.artifact_location} and this home has them in "
                f"{location}: the home was moved, or two homes share the database; move it back, write the "
                f"experiment anew with `mishstudy rebuild {name}`, or use another tracking URI."
            )
        return found.experiment_id

    def _describe_experiment(self, summary: str = "") -> None:
        note = description(self._question, summary, limit=EXPERIMENT_TAG_LIMIT)
        self._client.set_experiment_tag(self._experiment, NOTE, note)

    def _find_parent(self) -> tuple[str, str]:
        """Return the id and the status of the parent run."""
        parents = list(self._search(_SWEEP))
        if not parents:
            parents = list(self._search(_SWEEP, deleted=True))[-1:]
            for run in parents:
                self._client.restore_run(run.info.run_id)
        tags = parent_tags(self._question)
        if not parents:
            name = self._question.name[:NAME_LIMIT]
            return self._client.create_run(self._experiment, tags=tags, run_name=name).info.run_id, "RUNNING"
        from mlflow.entities import RunTag

        for surplus in parents[:-1]:
            self._client.delete_run(surplus.info.run_id)
        parent = parents[-1].info
        self._client.log_batch(parent.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        return parent.run_id, parent.status

    def _find_children(self) -> dict[str, _Held]:
        children: dict[str, _Held] = {}
        surplus: list[_Held] = []
        for run in self._search(f"tags.`{KIND}` = 'configuration'"):
            tags = run.data.tags
            if KEY in tags:
                whole = run.info.status in ("FINISHED", "FAILED") and tags.get(_PARENT) == self._parent
                found = _Held(run.info.run_id, tags.get(CONTENT) if whole else None)
                if (other := children.get(tags[KEY])) is not None:
                    found, less = (other, found) if found.content is None else (found, other)
                    surplus.append(less)
                children[tags[KEY]] = found
        for each in surplus:
            self._client.delete_run(each.run_id)
        return children

    def _search(self, condition: str, *, deleted: bool = False) -> "Iterator[Run]":
        from mlflow.entities import ViewType

        view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
        token: str | None = None
        while True:
            page = self._client.search_runs([self._experiment], condition, view, _PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        from mlflow.entities import Metric

        now = _milliseconds(time.time())
        batch = [Metric(name, float(value), now, step) for name, value in metrics.items()]
        self._client.log_batch(self._parent, metrics=batch)

    def _log_artifacts(self, artifacts: "Mapping[str, str | bytes | pd.DataFrame]") -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in artifacts.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, str):
                    path.write_text(content, encoding="utf-8")
                elif isinstance(content, bytes):
                    path.write_bytes(content)
                else:
                    content.to_parquet(path, index=False)
            self._client.log_artifacts(self._parent, folder)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
