"""The report of a sweep: one HTML file that needs nothing else, for reading, sending and printing."""

from collections.abc import Mapping
from importlib import resources
from importlib.metadata import version
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from analysis import report_facts
from analysis.criteria import CriteriaTable
from analysis.exports import sections, sentences, status_line, title
from analysis.figures import TITLES, all_figures, captions, to_svg
from analysis.inline_svg import inline_svg
from analysis.style import MARKS
from analysis.summaries import unit_name
from study.ledger import Record
from study.training import Status


def report_html(
    table: CriteriaTable,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    record: Record,
    *,
    predicted: Mapping[str, Any] | None = None,
) -> str:
    """Return the report as one HTML document without scripts, links or anything to load.

    Parameters
    ----------
    table : CriteriaTable
        Made from `runs`.
    runs, curves : pandas.DataFrame
        What `analysis.frame.runs_frame` and `curves_frame` returned.
    record : Record
        The ledger that they come from.
    predicted : dict or None
        What the sweep was expected to cost, see `analysis.report_facts.costs`.

    Notes
    -----
    Seconds and memory stand in the report alone, and never in the table.
    """
    said = captions(table)
    figures = [
        {
            "name": name,
            "title": TITLES[name],
            "svg": Markup(inline_svg(to_svg(figure), name, f"{TITLES[name]}. {said[name]}")),
            "caption": said[name],
        }
        for name, figure in all_figures(runs, curves, table).items()
    ]
    (first, answer), *others = sections(table)
    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(resources.files("analysis").joinpath("report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        table=table,
        title=title(table),
        status=status_line(table),
        sentences=sentences(table),
        answer_caption=first,
        answer=answer,
        each_rival=dict(others).get("Against each rival", []),
        evidence=dict(others).get("Evidence", []),
        verdicts=[(mark.glyph, verdict.value, verdict.words) for verdict, mark in MARKS.items()],
        unit=unit_name(table.design).removesuffix("s"),
        figures=figures,
        asked=report_facts.asked(table),
        factors=report_facts.factors(record),
        fixed=report_facts.fixed(record),
        outcomes=report_facts.outcomes(runs, table, record),
        statuses=[
            (status.value, status.sentence) for status in Status if (runs["status"] == status.value).any()
        ],
        reasons=report_facts.reasons(runs, table),
        costs=report_facts.costs(runs, record, predicted),
        basis="" if predicted is None else predicted["basis"],
        environments=report_facts.environments(record),
        version=version("mishstudy"),
    )
