"""What the MLflow dashboard shows of a sweep: names, parameters, metrics, curves, tags, descriptions.

A sweep is an experiment with one parent run and one child run per (configuration, activation), where a
learning rate is profiled per (configuration, activation, rate). Here they are plain values;
`study.tracking` writes them. Parameters and metrics carry the spec's own keys.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from study.ledger import Entry
from study.question import Factor, Question
from study.training import Level, Status, TrainingResult, canonical_json, digest_of

if TYPE_CHECKING:
    import pandas as pd

LAYOUT = 2
"""Part of every child run's content: raised whenever this file shows something else, so that runs of an
older version are replaced."""

KIND = "mishstudy.kind"
KEY = "mishstudy.key"
CONTENT = "mishstudy.content"
"""Tags by which the writer finds its own runs again."""

NOTE = "mlflow.note.content"
"""Tag that MLflow shows as the description of a run or an experiment."""

NAME_LIMIT = 250
PARAMETER_LIMIT = 6000
TAG_LIMIT = 8000
EXPERIMENT_TAG_LIMIT = 5000
"""MLflow's limits, in characters."""

_SHORT = {
    "batch_normalization": "batch norm",
    "batch_size": "batch",
    "learning_rate": "lr",
    "regularizer_strength": "strength",
}
# Okabe and Ito's palette, told apart with every kind of colour vision; the focus gets the first one.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
VIEW = "mishstudy"
"""Identity of the saved view, in its tag and in links to it."""

_SOURCE = {"mlflow.source.name": "mishstudy", "mlflow.source.type": "LOCAL"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildRun:
    """One configuration with one activation, at one level of a profiled factor, over its replicates.

    Parameters
    ----------
    key : str
        `<configuration digest>/<activation>`, then `/<level>` of a profiled factor, in a `tuned` sweep
        `/<index>`; one run has it.
    name : str
        For people, such as `mish #12 · depth 8 · batch 64 · adam`; 12 is the row of the design. What tells
        runs apart comes first: the dashboard shows some 25 characters before a user widens the column.
    parameters : dict of str to str
        Activation, row of the design, every factor's level.
    metrics : dict of str to float
        Finite values of six significant digits: means over the replicates that ended `ok`,
        `<metric>_sd` over two or more of them (sample standard deviation), `failed` (share of the
        replicates), `replicates`, `seconds`, and `factor/<name>` for numeric factors, since MLflow
        sorts parameters as text.
    curves : dict of str to tuple of (int, float)
        `epoch/<series>`: (epoch from 1, mean over replicates), without values that are not finite.
    tags : dict of str to str
        Status, digests, what MLflow itself knows.
    failed : bool
        Whether no replicate ended `ok`.
    started, ended : float
        Seconds since 1970, UTC.
    """

    key: str
    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: Mapping[str, tuple[tuple[int, float], ...]]
    tags: Mapping[str, str]
    failed: bool
    started: float
    ended: float

    @property
    def content(self) -> str:
        """Digest of what was trained and came out; a run with the same key and content is left alone."""
        return self.tags[CONTENT]


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """What the parent run shows of a finished sweep.

    Parameters
    ----------
    summary : str
        The answer in Markdown; leads the description.
    metrics : dict of str to float
        Numbers to sort sweeps by; those that are not finite are left out.
    artifacts : dict of str to str, bytes or DataFrame
        Relative path with forward slashes to content; a frame is written as Parquet.
    """

    summary: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    artifacts: "Mapping[str, str | bytes | pd.DataFrame]" = field(default_factory=dict)


def run_key(entry: Entry) -> str:
    """Return the key of the child run that `entry` belongs to."""
    levels = map(_plain, entry.profiled.values())
    # A search may try a setting twice, and trains its winner again.
    trial = [str(entry.configuration.index)] if entry.adaptive else []
    return "/".join([entry.configuration.digest, entry.training.activation, *levels, *trial])


def child_run(question: Question, entries: Sequence[Entry], *, started: float, ended: float) -> ChildRun:
    """Describe the child run of one configuration and activation, and level of a profiled factor.

    Parameters
    ----------
    question : Question
        Of the sweep.
    entries : sequence of Entry
        At least one; all of one `run_key`, in any order.
    started, ended : float
        Seconds since 1970, UTC.
    """
    entries = sorted(entries, key=lambda entry: (entry.training.replicate, entry.training.digest))
    first = entries[0]
    results = [entry.result for entry in entries]
    activation = first.training.activation
    levels = _ordered(question, first.levels)
    # With leading zeros, since MLflow sorts text: runs of one configuration stand side by side.
    parameters = {"activation": activation, "configuration": f"{first.configuration.index:05d}"}
    if question.tuning is not None:
        place = question.tuning.place(first.configuration.index)
        part = "confirmation" if place.trial is None else f"trial {place.trial + 1}"
        parameters |= {"search": str(place.repeat + 1), "part": part}
        if question.tuning.halving is not None:
            parameters["epochs"] = str(first.training.epochs)
    parameters |= {name: _plain(level) for name, level in levels.items()}
    if any(factor.relative and factor.name == "learning_rate" for factor in question.varied):
        rates = dict.fromkeys(entry.training.learning_rate for entry in entries)
        parameters["learning_rate_absolute"] = ", ".join(map(_plain, rates))
    statuses = dict.fromkeys(status for status in Status for r in results if r.status is status)
    reasons = dict.fromkeys(result.reason for result in results if result.reason)
    tags = {
        **_SOURCE,
        KIND: "configuration",
        KEY: run_key(first),
        CONTENT: digest_of([LAYOUT, parameters, [_outcome(result) for result in results]]),
        "mishstudy.configuration": first.configuration.digest,
        "status": ", ".join(statuses),
        "adaptive": _plain(first.adaptive),
        "mlflow.runColor": _color(question, activation),
    }
    if reasons:
        tags["reason"] = " ".join(reasons)
    return ChildRun(
        key=run_key(first),
        name=_clip(_name(question, activation, levels, first.configuration.index), NAME_LIMIT),
        parameters={name: _clip(value, PARAMETER_LIMIT) for name, value in parameters.items()},
        metrics=_metrics(results) | _numeric(question, levels),
        curves=_curves(results),
        tags={name: _clip(value, TAG_LIMIT) for name, value in tags.items()},
        failed=all(result.status is not Status.OK for result in results),
        started=started,
        ended=ended,
    )


def parent_tags(question: Question) -> dict[str, str]:
    """Return the tags of the sweep's parent run."""
    tags = {
        **_SOURCE,
        KIND: "sweep",
        NOTE: description(question),
        "question": question.question,
        "focus": question.focus,
        "rivals": ", ".join(question.rivals),
        "design": question.design,
        "dataset": question.dataset,
        "architecture": question.architecture,
        "metric": question.metric,
        "delta": _smallest(question),
    }
    return {name: _clip(value, TAG_LIMIT) for name, value in tags.items()}


def parent_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the numbers about the whole sweep under names that MLflow takes, those that are finite."""
    return {
        re.sub(r"[^\w./: -]+", " ", name).strip(): _rounded(value)
        for name, value in metrics.items()
        if math.isfinite(value)
    }


def description(question: Question, summary: str = "", *, limit: int = TAG_LIMIT) -> str:
    """Return the sweep's description in Markdown: what is asked, `summary`, how to read the page.

    Lists of experiments show its first characters as plain text, and a page its first lines: the
    question, then the answer. Beyond `limit` characters it ends with the last line that fits.
    """
    direction = "higher" if question.higher_is_better else "lower"
    data = question.dataset + (f" ({question.dataset_note})" if question.dataset_note else "")
    size = f"{question.planned_configurations} configurations, {question.planned_trainings} trainings"
    if question.tuning is not None:
        size = (
            f"{question.tuning.trials} {question.tuning.sampler} trials for each activation, "
            f"{question.tuning.confirm} trainings of each winner on fresh seeds, searches: "
            f"{question.tuning.repeats}"
        )
        if question.tuning.halving is not None:
            rungs = zip(question.tuning.rung_trials, question.tuning.rung_epochs, strict=True)
            size += f", in rungs of {', '.join(f'{t} x {e}' for t, e in rungs)} (trials x epochs)"
    smallest = f"{_smallest(question)} is the smallest difference that matters"
    rows = question.conditions if question.design != "tuned" else ()
    at_each = f" and one {question.profile.name}" if question.profile is not None else ""
    numeric = next((f"factor/{factor.name}" for factor in question.factors if factor.numeric), "replicates")
    # Markdown for people pads the cells of a table; here every character counts.
    answer = re.sub(r" {2,}", " ", re.sub(r"-{4,}", "---", summary.strip()))
    guide = f"""\
| | |
|---|---|
| Asked about | {_code([question.focus])} |
| Compared with | {_code(question.rivals)} |
| Compared on | {_code([question.metric])}, {direction} is better; {smallest} |
| Data, architecture | {data}, {_code([question.architecture])} |
| Design | {question.design}: {size} |
| Varied | {_code(factor.name for factor in question.varied)} |
| Rows of the table | {_code(factor.name for factor in rows) or "the activations"} |

**How to read this page**

- The run **{question.name}** is the sweep: its progress while it runs; once it is done the criteria table,
  the report, the figures and the results (Parquet) among its artifacts. `spec.toml` there is what was asked.
- Every other run is one configuration with one activation{at_each}. {_numbers(question)}
- Metrics are means over the replicates that trained to the end, accuracies in points (0 to 100); `..._sd` is
  their standard deviation, `failed` the share that did not get there (tags `status` and `reason` say why),
  `epoch/...` their mean learning curves.
- MLflow sorts parameters as text. The columns `factor/...` are numbers: sort by them, or search for
  `params.activation = "{question.focus}" and metrics."{numeric}" > 8`.
- A difference between two runs on this page is one observation: a verdict takes the criteria table.
"""
    guide = guide.replace("\n  ", " ")  # the dashboard shows line breaks as they are
    text = "\n\n".join(filter(None, [" ".join(question.question.split()), answer, guide]))
    if len(text) <= limit:
        return text
    more = "\n\n… (cut here; the whole table is among the artifacts of the sweep's run)\n"
    return text[: text.rfind("\n", 0, limit - len(more))] + more


def experiment_tags(question: Question) -> dict[str, str]:
    """Return the tags of the sweep's experiment: its kind, and a saved view with the columns that matter.

    The view is what the dashboard's own menu "Views" stores. It lists the child runs by configuration.
    """
    columns = ["params.`activation`", f"metrics.`{question.metric}`", f"metrics.`{question.metric}_sd`"]
    columns += [f"params.`{factor.name}`" for factor in (*_telling(question), *_profile(question))]
    columns += ["metrics.`failed`", "tags.`status`"]
    state = {
        "searchFilter": f"tags.`{KIND}` = 'configuration'",
        "orderByKey": "params.`configuration`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": columns,
        "columnOrder": ["attributes.`Run Name`"],
        "columnWidths": {"attributes.`Run Name`": 360},
    }
    view = {"name": "Side by side", "createdAt": 0, "state": canonical_json(state)}
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{VIEW}": canonical_json(view),
    }


def pages(experiment: str, parent: str) -> dict[str, str]:
    """Return what there is to open of a sweep: title to address, relative to the server's."""
    kind = "workflowType=machine_learning"
    return {
        "the results": f"#/experiments/{experiment}/runs/{parent}?{kind}",
        "the runs side by side": f"#/experiments/{experiment}/runs?{kind}&viewStateShareKey={VIEW}",
    }


def _telling(question: Question) -> tuple[Factor, ...]:
    """Return the factors that a run is named by: a tuned sweep may have no conditions."""
    return question.conditions or question.factors


def _profile(question: Question) -> tuple[Factor, ...]:
    return question.varied[len(question.factors) :]


def _numbers(question: Question) -> str:
    if question.design == "tuned":
        return (
            "Each activation was searched for itself: the parameter `part` says which trial of the search a "
            "run is, or that it is the `confirmation`, its winner trained again on fresh seeds."
        )
    if question.profile is not None:
        name, chosen_by = question.profile.name, question.chosen_by
        return (
            f"There is one for each {name}, which its name says first: of the runs with the same number and "
            f"activation the one with the best `{chosen_by}` counts in the criteria table. The number is the "
            'row of the design. The saved view "Side by side" (menu **Views**) lists them by it.'
        )
    return (
        "The number in its name is the row of the design: runs with the same number differ in nothing but "
        'the activation, so compare them with each other. The saved view "Side by side" (menu **Views**) '
        "lists them so."
    )


def _smallest(question: Question) -> str:
    unit = question.unit.removesuffix("s") if question.delta == 1 else question.unit
    return f"{question.delta:g} {unit}"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _ordered(question: Question, levels: Mapping[str, Level]) -> dict[str, Level]:
    known = [factor.name for factor in question.varied if factor.name in levels]
    return {name: levels[name] for name in [*known, *sorted(set(levels) - set(known))]}


def _name(question: Question, activation: str, levels: Mapping[str, Level], index: int) -> str:
    named = [f for f in (*_profile(question), *_telling(question)) if f.name in levels]
    return " · ".join([f"{activation} #{index}", *(_spoken(f, levels[f.name]) for f in named)])


def _spoken(factor: Factor, level: Level) -> str:
    label = _SHORT.get(factor.name, factor.name.replace("_", " "))
    if isinstance(level, bool):
        return label if level else f"no {label}"
    if isinstance(level, str):
        return f"no {label}" if level == "none" else level
    return f"{label} {'×' if factor.relative else ''}{level if isinstance(level, int) else f'{level:.3g}'}"


def _plain(level: Level) -> str:
    return str(level).lower() if isinstance(level, bool) else str(level)


def _metrics(results: Sequence[TrainingResult]) -> dict[str, float]:
    ok = [result for result in results if result.status is Status.OK]
    metrics = {
        "failed": 1 - len(ok) / len(results),
        "replicates": float(len(results)),
        "seconds": fmean(result.seconds for result in results),
    }
    for name in sorted({name for result in ok for name in result.metrics}):
        values = _finite(result.metrics.get(name, math.nan) for result in ok)
        if values:
            metrics[name] = fmean(values)
        if len(values) > 1:
            metrics[f"{name}_sd"] = stdev(values)
    return {name: _rounded(value) for name, value in metrics.items()}


def _numeric(question: Question, levels: Mapping[str, Level]) -> dict[str, float]:
    factors = (factor for factor in question.varied if factor.numeric and factor.name in levels)
    return {f"factor/{factor.name}": float(levels[factor.name]) for factor in factors}


def _curves(results: Sequence[TrainingResult]) -> dict[str, tuple[tuple[int, float], ...]]:
    # A failed replicate is drawn only where there is nothing else to draw: it would bend the mean.
    drawn = [result for result in results if result.status is Status.OK] or results
    curves: dict[str, tuple[tuple[int, float], ...]] = {}
    for series in sorted({series for result in drawn for series in result.curve}):
        lines = [result.curve.get(series, ()) for result in drawn]
        points: list[tuple[int, float]] = []
        for epoch in range(max(map(len, lines))):
            values = _finite(line[epoch] for line in lines if epoch < len(line))
            if values:
                points.append((epoch + 1, _rounded(fmean(values))))
        curves[f"epoch/{series}"] = tuple(points)
    return curves


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")  # the dashboard shows every digit


def _outcome(result: TrainingResult) -> list[str | dict[str, str]]:
    metrics = {name: repr(float(value)) for name, value in result.metrics.items()}
    return [result.digest, result.status.value, metrics]


def _color(question: Question, activation: str) -> str:
    known = question.activations
    return _COLORS[known.index(activation) % len(_COLORS)] if activation in known else "#888888"


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
