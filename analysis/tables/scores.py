"""Several sweeps as one table: a row per sweep, a column per activation, and the verdicts counted."""

import dataclasses
import json
from collections.abc import Callable, Mapping

from analysis.scores import ActivationScore, Scores, SweepScores
from analysis.statistics.compare import Verdict
from analysis.summaries import amount_text
from analysis.tables.csv_text import csv_text
from analysis.tables.evidence import Rows
from analysis.tables.markdown import markdown_escape, markdown_table

SCHEMA = "mishstudy-scores/1"
"""Name and version of the JSON form; `analysis/scores.schema.json` describes it."""


def score_rows(found: Scores) -> Rows:
    """Return what each activation reached in each sweep; a cell is empty where it was not trained."""
    return [_row(sweep, found) for sweep in found.sweeps]


def _row(sweep: SweepScores, found: Scores) -> dict[str, str]:
    by_name = {score.activation: score for score in sweep.scores}
    direction = "" if sweep.higher_is_better else ", lower is better"
    return {
        "Sweep": sweep.name + (" (provisional)" if sweep.provisional else ""),
        "Data set": sweep.dataset,
        "Network": sweep.architecture,
        "Metric": f"{sweep.metric} ({sweep.unit}{direction})",
        "Design": sweep.design,
        **{name: _cell(by_name.get(name), sweep.delta) for name in found.activations},
    }


def _cell(score: ActivationScore | None, delta: float) -> str:
    if score is None:
        return ""
    known = [end for end in (score.mean, score.low, score.high) if end is not None]
    middle, *ends = [amount_text(end, delta) for end in known] or ["-"]
    failed = f", {score.failed} of {score.trainings} failed" if score.failed else ""
    return middle + (f" [{', '.join(ends)}]" if ends else "") + failed


def tally_rows(found: Scores) -> Rows:
    """Return how many sweeps the focus won, tied, lost and left open, against each rival."""
    return [
        {
            f"{found.focus} against": one.rival,
            "Wins": str(one.wins),
            "Ties": str(one.ties),
            "Losses": str(one.losses),
            "Undecided": str(one.undecided),
            "Sweeps": str(one.wins + one.ties + one.losses + one.undecided),
        }
        for one in found.tallies
    ]


def notes(found: Scores) -> list[str]:
    """Return what must be known to read the table."""
    said = [
        "A cell is the mean of the metric over the independent units of the sweep (configurations, "
        "replicates of a level, or searches), with the 95 % interval of Student's t. A failed training has "
        "no metric; where there are any they stand beside the mean, which then is over fewer settings.",
        "The intervals hold the spread of the settings, which all activations share. Whether two activations "
        "differ is not to be read off them: the verdicts are each sweep's own overall ones, from differences "
        "within pairs, failures counted, at its own delta.",
        "Nothing is averaged over the rows, which have different data, networks and metrics. Verdicts are "
        "not adjusted for the number of sweeps.",
    ]
    if any(sweep.provisional for sweep in found.sweeps):
        said.append("A sweep that is not finished is undecided.")
    if any(sweep.design == "tuned" for sweep in found.sweeps):
        said.append(
            "In a tuned sweep a cell is what the winner of each search reached on fresh seeds, and the "
            "verdict is that of the searches."
        )
    return said


def to_markdown(found: Scores) -> str:
    """Return the table as GitHub-flavoured Markdown."""
    parts = [
        f"# {markdown_escape(found.focus)} and its rivals, sweep by sweep",
        markdown_table(score_rows(found)),
        "## Verdicts counted",
        markdown_table(tally_rows(found)),
        "## Notes",
        "\n".join(f"- {markdown_escape(note)}" for note in notes(found)),
    ]
    return "\n\n".join(parts) + "\n"


def to_csv(found: Scores) -> str:
    """Return one row per sweep and activation as CSV; beside a rival the verdict of the focus against it."""
    shared = (
        "name",
        "dataset",
        "architecture",
        "design",
        "metric",
        "unit",
        "higher_is_better",
        "provisional",
    )
    rows: list[dict[str, object]] = []
    for sweep in found.sweeps:
        of_sweep = {name: getattr(sweep, name) for name in shared}
        for score in sweep.scores:
            verdict: Verdict | None = sweep.verdicts.get(score.activation)
            rows.append({**of_sweep, **dataclasses.asdict(score), "verdict_of_focus": verdict})
    return csv_text(rows)


def to_json(found: Scores) -> str:
    """Return everything as JSON: the fields of `analysis.scores.Scores`."""
    values = {"schema": SCHEMA, **dataclasses.asdict(found)}
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[Scores], str]] = {"md": to_markdown, "csv": to_csv, "json": to_json}
