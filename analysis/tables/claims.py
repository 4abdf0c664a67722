"""Judged claims as text: a row per claim, the evidence beside what was published."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from analysis.claims import Judged, Judgement, Standing, where_text
from analysis.criteria import CriteriaTable
from analysis.statistics.compare import Comparison
from analysis.summaries import interval_text, p_text
from analysis.tables.csv_text import csv_text
from analysis.tables.evidence import Rows
from analysis.tables.markdown import markdown_escape, markdown_table

SCHEMA = "mishstudy-claims/1"
"""Name and version of the JSON form."""

_SHOWN = 3
"""So many comparisons stand beside a claim; the table of the sweep has all."""


def claim_rows(judged: Sequence[Judged], table: CriteriaTable) -> Rows:
    """Return each claim with its source, what the sweep makes of it, and the evidence."""
    return [
        {
            "Claim": one.claim.text,
            "About": f"{where_text(one.claim)}; against {', '.join(one.claim.rivals)}",
            "Published": one.claim.published or "-",
            "Here": one.standing.words,
            "Evidence": _evidence(one, table),
            "Source": one.claim.source,
        }
        for one in judged
    ]


def count_line(judgement: Judgement) -> str:
    """Return how many claims stand how, as a sentence."""
    counts = Counter(one.standing for one in judgement.judged)
    parts = [f"{counts[standing]} {standing.words}" for standing in Standing]
    return f"Of {len(judgement.judged)} claims: {', '.join(parts)}."


def notes() -> tuple[str, ...]:
    """Return what must be known to read the rows."""
    return (
        "Supported: every comparison that the claim covers has its verdict. Contradicted: at least one has "
        "another. Undecided: some have not enough evidence, and none speaks against it. The verdicts are "
        "those of the criteria table, with the same adjustment.",
        "One sweep is one data set, one kind of network, one budget: it can contradict a general claim, and "
        "support it only there.",
    )


def to_markdown(judgement: Judgement, table: CriteriaTable) -> str:
    """Return the judged claims as GitHub-flavoured Markdown."""
    judged = judgement.judged
    heading = f"# {markdown_escape(judgement.claims.title)}, held against {markdown_escape(table.name)}"
    said = "\n".join(f"- {markdown_escape(note)}" for note in notes())
    parts = [heading, count_line(judgement), markdown_table(claim_rows(judged, table)), "## Notes", said]
    return "\n\n".join(parts) + "\n"


def to_csv(judgement: Judgement, table: CriteriaTable) -> str:
    """Return one row per claim as CSV."""
    judged = judgement.judged
    return csv_text(
        [{"Id": one.claim.id, **row} for one, row in zip(judged, claim_rows(judged, table), strict=True)]
    )


def to_json(judgement: Judgement, table: CriteriaTable) -> str:
    """Return the judged claims as JSON, with the comparisons as the criteria table has them."""
    values = {
        "schema": SCHEMA,
        "title": judgement.claims.title,
        "name": table.name,
        "focus": judgement.claims.focus,
        "provisional": table.provisional,
        "claims": [dataclasses.asdict(one) for one in judgement.judged],
    }
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[Judgement, CriteriaTable], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "json": to_json,
}


def _evidence(one: Judged, table: CriteriaTable) -> str:
    """Return the comparisons that decide first, those that speak against a claim before the others."""
    if not one.rows:
        return one.reason
    said = one.claim.says
    order = sorted(one.rows, key=lambda row: (row.verdict == said, row.verdict == "not_enough_evidence"))
    shown = [_comparison(row, table) for row in order[:_SHOWN]]
    if len(order) > _SHOWN:
        shown.append(f"and {len(order) - _SHOWN} more")
    return "; ".join([*([one.reason] if one.reason else []), *shown])


def _comparison(row: Comparison, table: CriteriaTable) -> str:
    where = "" if row.level is None else f"{row.level}: "
    return (
        f"{where}{row.verdict.words} against {row.rival}, {interval_text(row, table.delta)} {table.unit}, "
        f"adjusted p {p_text(row.p_adjusted)}"
    )
