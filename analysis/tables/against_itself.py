"""What the table says of an activation against itself: a row per row of the table, false verdicts first."""

import dataclasses
import json
from collections.abc import Callable, Mapping

from analysis.against_itself import AgainstItself, RowShares
from analysis.statistics.estimates import MINIMUM_UNITS
from analysis.statistics.shares import Share
from analysis.summaries import percent_text, quantity_text, unit_name
from analysis.tables.csv_text import csv_text, flat
from analysis.tables.evidence import OVERALL, Rows
from analysis.tables.markdown import markdown_escape, markdown_table

SCHEMA = "mishstudy-aa/1"
"""Name and version of the JSON form; `analysis/aa.schema.json` describes it."""


def share_text(one: Share) -> str:
    """Return a share with its interval in percent."""
    return percent_text(one.value, one.low, one.high, digits=1)


def verdict_rows(found: AgainstItself) -> Rows:
    """Return how often each row of the table had which verdict."""
    return [_row(one, found) for one in (found.headline, *found.levels)]


def _row(one: RowShares, found: AgainstItself) -> dict[str, str]:
    decidable = one.units >= MINIMUM_UNITS
    return {
        "Parameter": one.parameter or OVERALL,
        "Level": one.level or "-",
        unit_name(found.design).capitalize(): str(one.units),
        "False: wins or loses [95 %]": share_text(one.named) if decidable else "too few for a verdict",
        "Wins": _percent(one.wins),
        "Loses": _percent(one.loses),
        "Ties": _percent(one.ties),
        "Not enough evidence": _percent(one.not_enough_evidence),
    }


def _percent(one: Share) -> str:
    return f"{one.value * 100:.1f} %"


def family_rows(found: AgainstItself) -> Rows:
    """Return how often a family of rows said anything false, beside what it allows itself."""
    families = {
        "The overall row wins or loses": found.headline.named,
        "Any level wins or loses": found.any_level,
        "Any factor seems to matter": found.any_gate,
    }
    return [
        {
            "Said of equals": name,
            "Tables [95 %]": share_text(one),
            "Nominal": f"at most {found.nominal * 100:.0f} %",
        }
        for name, one in families.items()
        if one is not None
    ]


def notes(found: AgainstItself) -> list[str]:
    """Return what must be known to read the shares."""
    said = [
        f"Of each configuration the replicates of {found.activation} were split at random into two arms, "
        f"which differ by random numbers alone: {found.trainings} trainings of {found.configurations} "
        f"configurations, split {found.repeats} times (seed {found.seed}). Each split went through the "
        f"criteria table with delta = {quantity_text(found.delta, found.unit)} on {found.metric}.",
        "Intervals are Clopper and Pearson's. They cover the choice of the splits, given these trainings: "
        "more repeats make them narrower. All splits share the same trainings, so they do not show how much "
        "another sweep of this size would differ.",
        "The arms share the configuration and no seed, and each has half of the replicates: this is about "
        "the errors of the table at that size, not about the power of the sweep.",
    ]
    if found.any_level is None and found.levels:
        said.append(
            f"No level has the {MINIMUM_UNITS} {unit_name(found.design)} in either arm that a verdict needs, "
            "so the level rows say nothing here."
        )
    if found.strict:
        said.append("The level rows are adjusted by Holm (--strict).")
    return said


def to_markdown(found: AgainstItself) -> str:
    """Return the shares as GitHub-flavoured Markdown."""
    name = markdown_escape(found.activation)
    parts = [
        f"# {name} against {name}: how often is a winner named?",
        markdown_table(family_rows(found)),
        "## Row by row",
        markdown_table(verdict_rows(found)),
        "## Notes",
        "\n".join(f"- {markdown_escape(note)}" for note in notes(found)),
    ]
    return "\n\n".join(parts) + "\n"


def to_csv(found: AgainstItself) -> str:
    """Return one row per row of the table as CSV, the overall one first."""
    rows = [flat(dataclasses.asdict(one)) for one in (found.headline, *found.levels)]
    return csv_text(rows)


def to_json(found: AgainstItself) -> str:
    """Return everything as JSON: the fields of `analysis.against_itself.AgainstItself`."""
    values = {"schema": SCHEMA, **dataclasses.asdict(found)}
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[AgainstItself], str]] = {"md": to_markdown, "csv": to_csv, "json": to_json}
