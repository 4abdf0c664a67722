"""The criteria table as Markdown, CSV, JSON, LaTeX and HTML.

All of them show the cells of `summary_rows` and `evidence_rows` (CSV and JSON the numbers behind them)
and are byte for byte equal for equal tables. Numbers in the table have six significant digits; cells
show one digit more than delta needs, and p-values two. Names come from users and are escaped.
"""

import csv
import dataclasses
import html
import io
import json
import re
from collections.abc import Callable, Iterable

from analysis.compare import Comparison, Verdict
from analysis.criteria import CriteriaTable
from analysis.summaries import interval_text, p_text, remarks, unit_name

OVERALL = "(overall)"

Rows = list[dict[str, str]]
"""A table as text: one dict per row, column heading to cell."""


def summary_rows(table: CriteriaTable, *, each_rival: bool = False) -> Rows:
    """Return the recommendation table as text: against every rival, or against each in turn.

    Headings: `Parameter`, `Rival` (only with `each_rival`), `When <focus> wins`, `Who wins elsewhere`,
    `Evidence`. With a single rival there is nothing more to say about each, and `each_rival` gives no row.
    """
    mark = "provisional: " if table.provisional else ""
    return [
        {
            "Parameter": summary.parameter or OVERALL,
            **({"Rival": rival} if rival else {}),
            f"When {table.focus} wins": mark + summary.wins,
            "Who wins elsewhere": summary.elsewhere,
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
        text += f" (about {comparison.units_to_settle} {unit_name(table.design)} would settle it)"
    return f"provisional: {text}" if table.provisional else text


def evidence_rows(table: CriteriaTable) -> Rows:
    """Return every comparison as text, one row each: headline first, then level by level."""
    rows: Rows = []
    for comparison in table.headline + table.levels:
        rate = (comparison.win_rate, comparison.win_rate_low, comparison.win_rate_high)
        percent = [f"{value * 100:.0f}" for value in rate if value is not None]
        rows.append(
            {
                "Parameter": comparison.parameter or OVERALL,
                "Level": comparison.level or "-",
                "Rival": comparison.rival,
                "Verdict": verdict_text(comparison, table),
                f"Difference in {table.unit} [95 %]": interval_text(comparison, table.delta),
                "Win rate [95 %]": f"{percent[0]} % [{percent[1]}, {percent[2]}]" if percent else "-",
                "Adj. p": p_text(comparison.p_adjusted),
                "Adj. p (tie)": p_text(comparison.p_tie_adjusted),
                f"Failed {table.focus}/rival": f"{comparison.focus_failures}/{comparison.rival_failures}",
                "Pairs": str(comparison.pairs),
                unit_name(table.design).capitalize(): str(comparison.units),
                "Remarks": "; ".join(remarks(comparison, table.design)) or "-",
            }
        )
    return rows


def _title(table: CriteriaTable) -> str:
    return f"When does {table.focus} win?"


def _sentences(table: CriteriaTable) -> list[str]:
    return [summary.sentence for summary in table.summaries if summary.rival is None]


def _cells(rows: Rows, escape: Callable[[str], str]) -> list[list[str]]:
    """Return the header and the rows as escaped cells."""
    return [[escape(cell) for cell in line] for line in (rows[0].keys(), *(row.values() for row in rows))]


def markdown_escape(text: str) -> str:
    """Return `text` on one line so that Markdown shows it literally, at the start of a line or inside."""
    text = " ".join(text.split())
    text = re.sub(r"([\\`*|~])", r"\\\1", text).replace("&", "&amp;")
    text = re.sub(r"<(?=[A-Za-z/!?])", r"\\<", text)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)
    return re.sub(r"^(\d*)(?=[#>=+.)-]+ )", r"\1\\", text)


def _markdown_table(cells: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def to_markdown(table: CriteriaTable) -> str:
    """Return the table as GitHub-flavoured Markdown: recommendation, sentences, evidence, notes."""
    parts = [f"# {markdown_escape(_title(table))}", markdown_escape(table.question)]
    if table.provisional:
        parts.append(f"**Provisional: {table.trainings} of {table.planned_trainings} trainings are in.**")
    parts.append(_markdown_table(_cells(summary_rows(table), markdown_escape)))
    parts.append("\n".join(f"- {markdown_escape(sentence)}" for sentence in _sentences(table)))
    by_rival = summary_rows(table, each_rival=True)
    if by_rival:
        parts += ["## Against each rival", _markdown_table(_cells(by_rival, markdown_escape))]
    parts += ["## Evidence", _markdown_table(_cells(evidence_rows(table), markdown_escape))]
    parts += ["## Notes", "\n".join(f"- {markdown_escape(note)}" for note in table.notes)]
    return "\n\n".join(parts) + "\n"


def to_csv(table: CriteriaTable) -> str:
    """Return every comparison as one CSV row: the fields of `Comparison`, headline first.

    `stable_under` is spread over columns `stable_under_...`; an empty cell is a number that does not
    exist; `provisional` says whether planned trainings are missing.
    """
    rows: list[dict[str, object]] = []
    for comparison in table.headline + table.levels:
        row: dict[str, object] = {"focus": table.focus}
        for field in dataclasses.fields(comparison):
            value = getattr(comparison, field.name)
            if field.name == "stable_under":
                row |= {f"stable_under_{name}": value.get(name) for name in ("cap_0.6", "cap_2", "outcomes")}
            else:
                row[field.name] = value
        rows.append({**row, "provisional": table.provisional})
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_json(table: CriteriaTable) -> str:
    """Return the whole table as JSON, as `analysis/criteria.schema.json` describes it."""
    return json.dumps(table.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "×": r"$\times$",
    "β": r"$\beta$",
    "[": "{[}",  # an opening bracket after a line break would be read as its argument
}


def latex_escape(text: str) -> str:
    """Return `text` so that LaTeX sets it literally."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def _latex_table(cells: list[list[str]], columns: str, caption: str) -> str:
    header, *rows = [" & ".join(row) + r" \\" for row in cells]
    lines = [
        rf"\begin{{longtable}}{{{columns}}}",
        rf"\caption{{{caption}}} \\",
        r"\toprule",
        header,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *rows,
        r"\end{longtable}",
    ]
    return "\n".join(lines)


def to_latex(table: CriteriaTable) -> str:
    """Return the table as LaTeX for a document that loads `booktabs` and `longtable`."""
    title = latex_escape(_title(table) + (" (provisional)" if table.provisional else ""))
    wide = r"l p{0.2\linewidth} p{0.25\linewidth} p{0.35\linewidth}"
    main = _cells(summary_rows(table), latex_escape)
    parts = [
        r"% Needs \usepackage{booktabs,longtable}",
        _latex_table(main, wide, f"{title} {latex_escape(table.question)}"),
    ]
    by_rival = summary_rows(table, each_rival=True)
    if by_rival:
        parts.append(
            _latex_table(_cells(by_rival, latex_escape), f"l {wide}", f"{title} Against each rival.")
        )
    rows = evidence_rows(table)
    columns = " ".join(r"p{0.16\linewidth}" if name in ("Verdict", "Remarks") else "l" for name in rows[0])
    notes = "\n".join(rf"\item {latex_escape(note)}" for note in table.notes)
    parts += [
        r"{\footnotesize",
        _latex_table(_cells(rows, latex_escape), columns, f"{title} Evidence."),
        "}",
        "\\begin{itemize}\n" + notes + "\n\\end{itemize}",
    ]
    return "\n".join(parts) + "\n"


def _html_table(cells: list[list[str]], caption: str, kind: str) -> str:
    header, *rows = cells
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

    parts = ['<section class="criteria">', f"<h2>{html.escape(_title(table))}</h2>"]
    parts.append(f"<p>{html.escape(table.question)}</p>")
    if table.provisional:
        counts = f"{table.trainings} of {table.planned_trainings} trainings are in."
        parts.append(f'<p class="provisional"><strong>Provisional: {counts}</strong></p>')
    main = _cells(summary_rows(table), html.escape)
    parts += [_html_table(main, "Recommendation", "recommendation"), listed(_sentences(table))]
    by_rival = summary_rows(table, each_rival=True)
    if by_rival:
        parts.append(_html_table(_cells(by_rival, html.escape), "Against each rival", "by-rival"))
    parts.append(_html_table(_cells(evidence_rows(table), html.escape), "Evidence", "evidence"))
    parts += [listed(table.notes), "</section>"]
    return "\n".join(parts).encode("ascii", "xmlcharrefreplace").decode() + "\n"
