"""The report of a sweep: one HTML file that needs nothing else, for reading, sending and printing."""

from collections.abc import Mapping
from functools import partial
from importlib import resources
from importlib.metadata import version
from itertools import groupby
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from analysis.claims import Judgement
from analysis.cost import cost_of
from analysis.criteria import CriteriaTable
from analysis.figures import TITLES, all_figures, captions, to_svg
from analysis.figures.inline_svg import inline_svg
from analysis.profile import best_rows
from analysis.report import facts
from analysis.report.glossary import basics, explained
from analysis.tables import claims as claim_tables
from analysis.tables import cost as cost_tables
from analysis.tables.exports import Rows, sections, sentences, status_line, summary_rows, title
from study.ledger import Record


def report_html(
    table: CriteriaTable,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    record: Record,
    *,
    predicted: Mapping[str, Any] | None = None,
    drawings: Mapping[str, str] | None = None,
    judgement: Judgement | None = None,
) -> str:
    """Return the report as one HTML document without scripts, and with nothing to load.

    Parameters
    ----------
    table : CriteriaTable
        Made from `runs`.
    runs, curves : pandas.DataFrame
        What `analysis.frame.runs_frame` and `curves_frame` returned.
    record : Record
        The ledger that they come from.
    predicted : dict or None
        What the sweep was expected to cost, see `analysis.report.facts.costs`.
    drawings : dict of str to str or None
        Figures as SVG by name, where the caller has drawn them: see `analysis.figures.all_figures`.
    judgement : Judgement or None
        Published claims beside what the sweep says of them.

    Notes
    -----
    Seconds and memory stand in the report alone, and never in the table. Equal arguments give equal
    bytes.
    """
    if drawings is None:
        compared = best_rows(runs, record.question)
        drawings = {
            name: to_svg(figure)
            for name, figure in all_figures(compared, curves, table, record.question).items()
        }
    (caption, answer), *others = sections(table)
    cost = cost_of(runs, curves, record)
    apart = ("Against each rival", "Failures")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("analysis.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        table=table,
        title=title(table),
        status=status_line(table),
        sentences=sentences(table),
        caption=caption,
        answer=answer,
        each_rival=_by_rival(table),
        figures=_figures(table, drawings),
        basics=basics(table),
        evidence=[section for section in others if section[0] not in apart],
        failures=dict(others).get("Failures", []),
        explained=partial(explained, table=table),
        asked=facts.asked(table),
        factors=facts.factors(record),
        fixed=facts.fixed(record),
        outcomes=facts.outcomes(runs, table),
        statuses=facts.statuses(runs),
        reasons=facts.reasons(runs),
        missing_curves=facts.missing_curves(runs, curves),
        costs=facts.costs(runs, record, predicted),
        cost_sentences=cost_tables.sentences(cost),
        cost_by_activation=cost_tables.activation_rows(cost),
        cost_by_rival=cost_tables.rival_rows(cost),
        cost_notes=cost_tables.notes(cost),
        claims=claim_tables.claim_rows(judgement.covered, table) if judgement else [],
        claims_title=judgement.claims.title if judgement else "",
        claims_count=claim_tables.count_line(judgement) if judgement else "",
        claims_notes=claim_tables.notes(),
        basis=predicted["basis"] if predicted else "",
        environments=facts.environments(record),
        version=version("mishstudy"),
    )


def _by_rival(table: CriteriaTable) -> dict[str, Rows]:
    """Return the recommendation against each rival, without the column that names it; empty for one rival."""
    rows = summary_rows(table, each_rival=True)
    return {
        rival: [{heading: cell for heading, cell in row.items() if heading != "Rival"} for row in own]
        for rival, own in groupby(rows, key=lambda row: row["Rival"])
    }


def _figures(table: CriteriaTable, drawings: Mapping[str, str]) -> list[dict[str, str]]:
    said = captions(table)
    return [
        {
            "name": name,
            "title": TITLES[name],
            "caption": said[name],
            "svg": Markup(inline_svg(svg, name, TITLES[name])),
        }
        for name, svg in drawings.items()
    ]
