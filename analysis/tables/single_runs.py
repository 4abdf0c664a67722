"""What studies with one training per setting say: a row per setting and rival, and the settings won."""

import dataclasses
import json
from collections.abc import Callable, Mapping

from analysis.single_runs import SingleRunRow, SingleRuns
from analysis.statistics.levels import number_text
from analysis.summaries import amount_text, quantity_text
from analysis.tables.against_itself import share_text
from analysis.tables.csv_text import csv_text, flat
from analysis.tables.evidence import OVERALL, Rows
from analysis.tables.markdown import markdown_escape, markdown_table

SCHEMA = "mishstudy-flaw/1"
"""Name and version of the JSON form; `analysis/flaw.schema.json` describes it."""


def setting_rows(found: SingleRuns) -> Rows:
    """Return how single trainings judge each setting, the count of settings first."""
    return [_row(one, found) for one in found.rows]


def _row(one: SingleRunRow, found: SingleRuns) -> dict[str, str]:
    difference = "-" if one.difference is None else amount_text(one.difference, found.delta, signed=True)
    delta = quantity_text(found.delta, found.unit)
    return {
        "Parameter": one.parameter or OVERALL,
        "Level": one.level or "most settings",
        "Rival": one.rival,
        "Replicates": str(one.replicates),
        f"Mean difference in {found.unit}": difference,
        "Better by the means": one.winner or "tie",
        "One run says otherwise [95 %]": share_text(one.flips),
        "Two studies disagree [95 %]": share_text(one.contradictions),
        f"Wrong by {delta} or more [95 %]": share_text(one.wrong),
    }


def won_rows(found: SingleRuns) -> Rows:
    """Return at how many settings each activation is the best of all."""
    return [
        {
            "Activation": one.activation,
            "Settings won by the means": f"{number_text(one.by_mean, 3)} of {found.settings}",
            "By one run each (mean)": number_text(one.mean, 3),
            "Nine tenths of the studies": f"{number_text(one.low, 3)} to {number_text(one.high, 3)}",
            "Studies it comes out first in [95 %]": share_text(one.first),
        }
        for one in found.won
    ]


def notes(found: SingleRuns) -> list[str]:
    """Return what must be known to read the rows."""
    together = (
        "the same replicate for every activation"
        if found.paired
        else "a replicate of its own for each activation"
    )
    said = [
        f"A study has one training of each activation at each of {found.settings} settings, {together}. They "
        f"are drawn from {found.trainings} trainings, {found.failed} of them failed; the better result "
        f"wins. {found.repeats} pairs of studies (seed {found.seed}), the two of a pair on different "
        "trainings.",
        "A failed training counts as the worst result. Where one of two outcomes is a tie, half is counted.",
        "Overall is who is better at more settings, and its last column is over all single differences.",
        "Intervals are Clopper and Pearson's and cover the drawing, given these trainings. The means are no "
        "truth either: with few replicates they, too, would come out otherwise in another sweep, and a "
        "winner by the means is not a verdict. That is in the criteria table.",
    ]
    if found.design == "ofat" and found.settings > 1:
        said.append("The baseline is a level of every parameter and is drawn anew for each.")
    if found.left_out:
        left = quantity_text(found.left_out, "settings")
        said.append(f"{left} without two trainings of every activation left out.")
    return said


def to_markdown(found: SingleRuns) -> str:
    """Return the rows as GitHub-flavoured Markdown."""
    parts = [
        f"# One run per setting: what would have been said of {markdown_escape(found.focus)}?",
        markdown_table(setting_rows(found)),
        "## Settings won",
        markdown_table(won_rows(found)),
        "## Notes",
        "\n".join(f"- {markdown_escape(note)}" for note in notes(found)),
    ]
    return "\n\n".join(parts) + "\n"


def to_csv(found: SingleRuns) -> str:
    """Return one row per setting and rival as CSV, the count of settings first."""
    return csv_text([flat({"focus": found.focus, **dataclasses.asdict(one)}) for one in found.rows])


def to_json(found: SingleRuns) -> str:
    """Return everything as JSON: the fields of `analysis.single_runs.SingleRuns`."""
    values = {"schema": SCHEMA, **dataclasses.asdict(found)}
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[SingleRuns], str]] = {"md": to_markdown, "csv": to_csv, "json": to_json}
