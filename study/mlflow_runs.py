"""Reading the runs of an MLflow experiment that any script wrote; nothing is written there."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from study.dashboard import KIND
from study.errors import InputError
from study.foreign_runs import MAXIMUM_RUNS, UNFINISHED, ForeignRuns, left_out_remark, nearest
from study.mlflow_access import check_readable
from study.mlflow_denial import unreachable
from study.mlflow_sweep import open_client
from study.redaction import redact
from study.training import Status
from study.urls import check_tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE = 1000
_PARENT = "mlflow.parentRunId"
_LARGEST = 1e308
"""MLflow's databases keep an infinite metric as the largest float."""
_OURS = ("configuration", "learning_rate_absolute")
"""Parameters of this tool's own runs that follow from the others."""


def read_experiment(name: str, uri: str, treatment: str, metric: str) -> ForeignRuns:
    """Read the runs of an experiment, a page at a time.

    A run that ended without a finite value of the metric, or as `FAILED`, is a failure; a tag `status`
    takes the place of MLflow's own. Left out and counted are runs that are unfinished or were killed,
    runs without the treatment, and parents of runs that are used. Deleted runs are not seen.

    Parameters
    ----------
    name : str
        Name of the experiment.
    uri : str
        MLflow tracking URI of a server or a database.
    treatment : str
        The parameter whose values are compared.
    metric : str
        The metric they are compared by; its last value counts.

    Raises
    ------
    InputError
        If there is no such server, database, experiment, parameter or metric, or it cannot be read.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    source = f"the experiment {name!r} at {redact(uri)}"
    if Path(re.sub("^file:(//)?", "", uri)).is_dir():
        raise InputError(
            f"MLflow's file store is not read, and {uri!r} is one; copy it once with `mlflow "
            "migrate-filestore --source FOLDER --target sqlite:///mlflow.db` (FOLDER holds mlruns), and name "
            "the copy."
        )
    check_tracking_uri(uri)
    check_readable(uri, name)
    try:
        if not uri.startswith("http"):
            _check_database(uri)
        client = open_client(uri)
        runs = list(_runs(client, _find(client, name, uri), treatment, metric))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        said = unreachable(error, uri) or redact(" ".join(str(error).split()))[:300]
        raise InputError(f"{source} could not be read: {said}.") from None
    return _selected(source, name, runs, treatment, metric)


def _check_database(uri: str) -> None:
    """Check that a database has MLflow's tables: MLflow would make them."""
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise InputError(f"there is no file {url.database}; check the path in --tracking-uri.")
    engine = create_engine(url)
    try:
        if not inspect(engine).has_table("experiments"):
            raise InputError(f"{redact(uri)} has none of MLflow's tables; check --tracking-uri.")
    finally:
        engine.dispose()


def _find(client: "MlflowClient", name: str, uri: str) -> str:
    """Return the id of an experiment."""
    found = client.get_experiment_by_name(name)
    if found is None:
        names = [each.name for each in client.search_experiments(max_results=_PAGE)]
        raise InputError(f"there is no experiment {name!r} at {redact(uri)}; {nearest(name, names)}")
    if found.lifecycle_stage != "active":
        raise InputError(
            f"the experiment {name!r} was deleted; bring it back with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`."
        )
    return found.experiment_id


@dataclass(frozen=True, slots=True)
class _Run:
    """What is kept of a run.

    Parameters
    ----------
    id : str
        MLflow's.
    parent : str or None
        Id of the run it is nested in.
    status : str
        See `_status`.
    treatment : str or None
        None where the run has none.
    parameters : dict of str to str
        All of them.
    metric : float or None
        None where it was never logged.
    metrics : frozenset of str
        Names of all metrics; many runs share one.
    """

    id: str
    parent: str | None
    status: str
    treatment: str | None
    parameters: Mapping[str, str]
    metric: float | None
    metrics: frozenset[str]


def _runs(client: "MlflowClient", experiment: str, treatment: str, metric: str) -> Iterator[_Run]:
    names: dict[frozenset[str], frozenset[str]] = {}
    token: str | None = None
    read = 0
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        for run in page:
            data = run.data
            _check_replicates(run)
            logged = frozenset(data.metrics)
            yield _Run(
                run.info.run_id,
                data.tags.get(_PARENT),
                _status(run),
                data.params.get(treatment) or None,
                _parameters(run),
                data.metrics.get(metric),
                names.setdefault(logged, logged),
            )
        read, token = read + len(page), page.token
        if read > MAXIMUM_RUNS:
            raise InputError(f"the experiment has more than {MAXIMUM_RUNS:,} runs; compare a part of them.")
        if not token:
            return


def _selected(source: str, name: str, runs: Sequence[_Run], treatment: str, metric: str) -> ForeignRuns:
    """Return the runs that enter, and count the others."""
    if not runs:
        raise InputError(f"{source} has no runs.")
    treated = [run for run in runs if run.treatment is not None]
    if not treated:
        known = {parameter for run in runs for parameter in run.parameters}
        raise InputError(f"no run of {source} has the parameter {treatment!r}; {nearest(treatment, known)}")
    ended = [run for run in treated if run.status not in UNFINISHED]
    if all(run.metric is None for run in ended):
        known = {each for run in treated for each in run.metrics}
        raise InputError(f"no ended run of {source} has the metric {metric!r}; {nearest(metric, known)}")
    parents = {run.parent for run in ended}
    used = [run for run in ended if run.id not in parents]
    left_out = {
        f"without the parameter {treatment}": len(runs) - len(treated),
        "unfinished or killed": len(treated) - len(ended),
        "parents of others": len(ended) - len(used),
    }
    values = np.array([np.nan if run.metric is None else run.metric for run in used], dtype="float64")
    return ForeignRuns(
        source=source,
        name=name,
        parameters=pd.DataFrame([run.parameters for run in used], dtype="object"),
        metric=np.where(np.abs(values) < _LARGEST, values, np.nan),
        status=np.array([run.status for run in used], dtype="object"),
        remarks=left_out_remark(left_out),
    )


def _status(run: "Run") -> str:
    """Return `ok`, or how a run failed or was stopped."""
    tag = run.data.tags.get("status", "")
    word = tag if tag in set(Status) else run.info.status.lower()
    return "ok" if word == "finished" else word


def _check_replicates(run: "Run") -> None:
    """Refuse a run of this tool's own that shows the mean over some of its replicates, as others failed."""
    if KIND in run.data.tags and "ok, " in run.data.tags.get("status", ""):
        raise InputError(
            f"the run {run.info.run_name!r} is the mean of those of its replicates that did not fail; make "
            "the table with `mishstudy table NAME`, or with --runs from the sweep's artifact runs.parquet."
        )


def _parameters(run: "Run") -> dict[str, str]:
    ours = _OURS if KIND in run.data.tags else ()
    return {
        sys.intern(name): sys.intern(value) for name, value in run.data.params.items() if name not in ours
    }
