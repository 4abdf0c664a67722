"""The criteria table as Markdown, CSV, JSON, LaTeX and HTML.

All of them show the cells of `summary_rows` and `evidence_rows`, for the design `tuned` those of
`analysis.tables.tuned` (CSV and JSON the numbers behind them), and are byte for byte equal for equal tables.
Numbers in the table have six significant digits; cells show one digit more than delta needs, and
p-values two. Names come from users and are escaped.
"""

import dataclasses
import html
import json
from collections.abc import Iterable

from analysis.criteria import CriteriaTable
from analysis.profile import profile_line
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.gates import Gate
from analysis.statistics.thresholds import Threshold
from analysis.summaries import friedman_text, interval_text, p_text, percent_text, remarks, unit_name
from analysis.tables import tuned
from analysis.tables.cells import escaped_cells
from analysis.tables.csv_text import csv_text
from analysis.tables.evidence import (
    OVERALL,
    Rows,
    failure_rows,
    gate_rows,
    interaction_rows,
    pairing_rows,
    profile_rows,
    ranking_rows,
)
from analysis.tables.latex import latex_escape, latex_header, latex_table
from analysis.tables.markdown import markdown_escape, markdown_table


def summary_rows(table: CriteriaTable, *, each_rival: bool = False) -> Rows:
    """Return the recommendation table as text: against every rival, or against each in turn.

    Headings: `Parameter`, `Rival` (only with `each_rival`), `When <focus> wins`, `Who wins elsewhere`,
    `Matters?`, `Evidence`. With a single rival there is nothing more to say about each, and `each_rival`
    gives no row.
    """
    mark = "provisional: " if table.provisional else ""
    return [
        {
            "Parameter": summary.parameter or OVERALL,
            **({"Rival": rival} if rival else {}),
            f"When {table.focus} wins": mark + summary.wins,
            "Who wins elsewhere": summary.elsewhere,
            "Matters?": summary.matters,
            "Evidence": summary.evidence,
        }
        for rival in (table.rivals if each_rival else (None,))
        for summary in table.summaries
        if summary.rival == rival
    ]


def verdict_text(comparison: Comparison, table: CriteriaTable) -> str:
    """Return the verdict of one comparison in words, with its size or what would settle it."""
    if not comparison.pairs:
        return "not run"
    text = comparison.verdict.words
    if comparison.size is not None:
        text += ", clear" if comparison.size == "clear" else ", size unclear"
    if comparison.verdict is Verdict.NOT_ENOUGH_EVIDENCE and comparison.units_to_settle is not None:
        where = "" if comparison.level is None else " at this level"
        text += f" (about {comparison.units_to_settle} {unit_name(table.design)}{where} would settle it)"
    return f"provisional: {text}" if table.provisional else text


def evidence_rows(table: CriteriaTable) -> Rows:
    """Return every comparison as text, one row each: headline first, then level by level."""
    rows: Rows = []
    for comparison in table.headline + table.levels:
        rate = (comparison.win_rate, comparison.win_rate_low, comparison.win_rate_high)
        rows.append(
            {
                "Parameter": comparison.parameter or OVERALL,
                "Level": comparison.level or "-",
                "Rival": comparison.rival,
                "Verdict": verdict_text(comparison, table),
                f"Difference in {table.unit} [95 %]": interval_text(comparison, table.delta),
                "Win rate [95 %]": percent_text(*rate),
                "Adj. p": p_text(comparison.p_adjusted),
                "Adj. p (tie)": p_text(comparison.p_tie_adjusted),
                f"Failed {table.focus}/rival": f"{comparison.focus_failures}/{comparison.rival_failures}",
                "Runs per activation" if table.design == "unpaired" else "Pairs": str(comparison.pairs),
                unit_name(table.design).capitalize(): str(comparison.units),
                "Remarks": "; ".join(remarks(comparison, table.design)) or "-",
            }
        )
    return rows


def title(table: CriteriaTable) -> str:
    """Return the heading of a table."""
    return (
        f"Does {table.focus} win when each is tuned?"
        if table.design == "tuned"
        else f"When does {table.focus} win?"
    )


def status_line(table: CriteriaTable) -> str:
    """Return what must be read before the table: provisional, adaptive and the like; empty for nothing."""
    parts: list[str] = []
    if table.provisional:
        parts.append(f"Provisional: {table.trainings} of {table.planned_trainings} trainings are in.")
    if table.stopped_at is not None:
        parts.append(
            f"Stopped early: the first {table.stopped_at} of {table.planned_configurations} configurations "
            "decided the overall row; what is said of levels and factors is exploratory."
        )
    parts += [profile_line(table.profiled)] if table.profiled else []
    if table.design == "tuned":
        parts.append(tuned.status(table))
    if table.design == "unpaired":
        parts.append(
            f"Unpaired: {table.focus} and its rivals ran at different settings, so means over different "
            "configurations are compared."
        )
    return " ".join(parts)


def sections(table: CriteriaTable) -> list[tuple[str, Rows]]:
    """Return the tables to show with their captions, the answer first; none is empty."""
    found = [
        ("Verdicts when tuned", tuned.verdict_rows(table)),
        ("Winners", tuned.winner_rows(table)),
        ("Best of k trials", tuned.best_of_rows(table)),
        ("Recommendation", summary_rows(table)),
        ("Against each rival", summary_rows(table, each_rival=True)),
        ("Chosen learning rates", profile_rows(table)),
        ("What matters", gate_rows(table)),
        ("Tree", interaction_rows(table)),
        ("Ranking", ranking_rows(table)),
        ("Failures", failure_rows(table)),
        ("Pairing", pairing_rows(table)),
        ("Evidence", evidence_rows(table)),
    ]
    return [(caption, rows) for caption, rows in found if rows]


def sentences(table: CriteriaTable) -> list[str]:
    """Return the rows of the recommendation as advice, the overall answer first; tuned, one per rival."""
    if table.design == "tuned":
        return tuned.sentences(table)
    return [summary.sentence for summary in table.summaries if summary.rival is None]


def answer_markdown(table: CriteriaTable) -> str:
    """Return the answer alone as GitHub-flavoured Markdown: status, recommendation, the same as sentences."""
    _, first = sections(table)[0]
    parts = [f"**{line}**" for line in [status_line(table)] if line]
    parts.append(markdown_table(first))
    if sentences(table):
        parts.append("\n".join(f"- {markdown_escape(sentence)}" for sentence in sentences(table)))
    return "\n\n".join(parts)


def to_markdown(table: CriteriaTable) -> str:
    """Return the table as GitHub-flavoured Markdown: the answer, why, every comparison, notes."""
    parts = [f"# {markdown_escape(title(table))}", markdown_escape(table.question), answer_markdown(table)]
    for caption, rows in sections(table)[1:]:
        parts += [f"## {caption}", markdown_table(rows)]
        if caption == "Ranking" and table.ranking is not None:
            parts += filter(None, [friedman_text(table.ranking.p)])
    parts += ["## Notes", "\n".join(f"- {markdown_escape(note)}" for note in table.notes)]
    return "\n\n".join(parts) + "\n"


def to_metrics(table: CriteriaTable) -> dict[str, float]:
    """Return numbers to sort sweeps by: `difference/<rival>`, `win_rate/<rival>`, `verdicts/<verdict>`.

    Difference and win rate are those of the headline; the verdicts are counted over the levels of the
    conditions and the rivals. For the design `tuned`: `tuned/<activation>`, the metric of its winners on
    fresh seeds, and `difference_tuned/<rival>`, both the mean over the repeats of the search.
    """
    numbers = tuned.metrics(table)
    for comparison in table.headline:
        numbers[f"difference/{comparison.rival}"] = comparison.difference
        numbers[f"win_rate/{comparison.rival}"] = comparison.win_rate
    if table.levels:
        reached = [comparison.verdict for comparison in table.levels]
        numbers |= {f"verdicts/{verdict}": reached.count(verdict) for verdict in Verdict}
    return {name: float(value) for name, value in numbers.items() if value is not None}


def to_csv(table: CriteriaTable) -> str:
    """Return every comparison as one CSV row: the fields of `Comparison`, headline first.

    `stable_under` is spread over columns `stable_under_...`, and the gate and threshold of a factor and
    rival stand beside each of its levels; an empty cell is a number that does not exist; `provisional`
    says whether planned trainings are missing. For the design `tuned`: the fields
    of `TunedBest`, a row per search and activation, its levels in a column per factor, and beside each rival
    the verdict when tuned.
    """
    gates = {(gate.parameter, gate.rival): gate for gate in table.gates}
    thresholds = {(found.parameter, found.rival): found for found in table.thresholds}
    rows = tuned.csv_rows(table)
    for comparison in () if table.tuned else table.headline + table.levels:
        key = (comparison.parameter or "", comparison.rival)
        rows.append(
            _csv_of_comparison(comparison, table) | _csv_of_factor(gates.get(key), thresholds.get(key))
        )
    columns = dict.fromkeys(name for row in rows for name in row)
    return csv_text([{**dict.fromkeys(columns), **row, "provisional": table.provisional} for row in rows])


def _csv_of_comparison(comparison: Comparison, table: CriteriaTable) -> dict[str, object]:
    row: dict[str, object] = {"focus": table.focus}
    for field in dataclasses.fields(comparison):
        value = getattr(comparison, field.name)
        if field.name == "stable_under":
            row |= {f"stable_under_{name}": value.get(name) for name in ("cap_0.6", "cap_2", "outcomes")}
        else:
            row[field.name] = value
    return row


def _csv_of_factor(gate: Gate | None, found: Threshold | None) -> dict[str, object]:
    fields = ("outcome", "direction", "point", "low", "high")
    return {
        "matters_p_adjusted": gate.p_adjusted if gate is not None else None,
        **{f"threshold_{name}": getattr(found, name) if found is not None else None for name in fields},
    }


def to_json(table: CriteriaTable) -> str:
    """Return the whole table as JSON, as `analysis/criteria.schema.json` describes it."""
    return json.dumps(table.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_latex(table: CriteriaTable) -> str:
    """Return the table as LaTeX for a document that loads the packages named in its first line."""
    heading = latex_escape(title(table) + (" (provisional)" if table.provisional else ""))
    parts: list[str] = []
    for caption, rows in sections(table):
        text = table.question if caption == "Recommendation" else f"{caption}."
        parts.append(latex_table(rows, f"{heading} {latex_escape(text)}"))
    remarks = [*filter(None, [status_line(table)]), *table.notes]
    notes = "\n".join(rf"\item {latex_escape(note)}" for note in remarks)
    parts.append("\\begin{itemize}\\raggedright\n" + notes + "\n\\end{itemize}")
    text = "\n".join(parts) + "\n"
    return f"{latex_header(text)}\n{text}"


def _html_table(cells: list[list[str]], caption: str) -> str:
    """Return one table; its class is the caption in lower case, words joined by `-`."""
    header, *rows = cells
    kind = caption.lower().replace(" ", "-")
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return (
        f'<table class="{kind}">\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def to_html(table: CriteriaTable) -> str:
    """Return the table as an HTML fragment in pure ASCII, without style or script."""

    def listed(items: Iterable[str]) -> str:
        return "<ul>\n" + "\n".join(f"<li>{html.escape(item)}</li>" for item in items) + "\n</ul>"

    parts = ['<section class="criteria">', f"<h2>{html.escape(title(table))}</h2>"]
    parts.append(f"<p>{html.escape(table.question)}</p>")
    parts += [
        f'<p class="status"><strong>{html.escape(line)}</strong></p>' for line in [status_line(table)] if line
    ]
    (caption, first), *others = sections(table)
    parts.append(_html_table(escaped_cells(first, html.escape), caption))
    parts += [listed(sentences(table))] if sentences(table) else []
    parts += [_html_table(escaped_cells(rows, html.escape), caption) for caption, rows in others]
    parts += [listed(table.notes), "</section>"]
    return "\n".join(parts).encode("ascii", "xmlcharrefreplace").decode() + "\n"
