"""What is made of a record: the table, the report, the figures, and what MLflow shows on the parent run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mishstudy.output import say

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.claims import Claims, Judgement
    from analysis.criteria import CriteriaTable
    from study.dashboard import Results
    from study.ledger import Record
    from sweeps.home import Home


PUBLISHED = Path(__file__).parent.parent / "sweeps" / "claims" / "mish-2019.toml"
"""What was published of Mish, as it is held against every sweep about it."""


def claims_of(path: Path) -> "Claims":
    """Return the claims of a file."""
    from analysis.claim_files import read_claims
    from study.activations import canonical
    from study.architectures import ARCHITECTURES

    arguments = {name for entry in ARCHITECTURES.values() for name in entry.arguments}
    return read_claims(path, canonical=canonical, arguments=arguments)


def criteria(record: "Record", *, strict: bool = False) -> "CriteriaTable":
    """Return the criteria table of a record."""
    from analysis.agreement import agreement_of
    from analysis.criteria import criteria_table
    from analysis.frame import runs_frame

    return criteria_table(
        runs_frame(record),
        record.question,
        mixed=record.mixed,
        agreement=agreement_of(record),
        strict=strict,
        chance=record.chance,
        stopped_at=record.stopped_at,
    )


def report_page(home: "Home", record: "Record", *, strict: bool) -> str:
    """Return the report of a record as HTML."""
    from analysis.frame import curves_frame, runs_frame
    from analysis.report.page import report_html

    made, runs, curves = criteria(record, strict=strict), runs_frame(record), curves_frame(record)
    judgement = _judgement(record, made)
    return report_html(made, runs, curves, record, predicted=_predicted(home, record), judgement=judgement)


def drawn(record: "Record", made: "CriteriaTable") -> "dict[str, Figure]":
    """Return all figures of a record: title to figure."""
    from analysis.figures import all_figures
    from analysis.frame import curves_frame, runs_frame
    from analysis.profile import best_rows

    question = record.question
    return all_figures(best_rows(runs_frame(record), question), curves_frame(record), made, question)


def publish(home: "Home") -> "Callable[[Record], Results]":
    """Return what makes the results for MLflow's parent run, and the report in the home."""

    def results(record: "Record") -> "Results":
        from analysis.cost import cost_of
        from analysis.figures import all_figures, to_png, to_svg
        from analysis.frame import curves_frame, runs_frame
        from analysis.profile import best_rows
        from analysis.report.page import report_html
        from analysis.tables import claims as claim_tables
        from analysis.tables import exports
        from analysis.tables.cost import to_markdown
        from study.dashboard import Results

        made, runs, curves = criteria(record), runs_frame(record), curves_frame(record)
        figures = all_figures(best_rows(runs, record.question), curves, made, record.question)
        drawings = {title: to_svg(figure) for title, figure in figures.items()}
        judgement = _judgement(record, made)
        page = report_html(
            made,
            runs,
            curves,
            record,
            predicted=_predicted(home, record),
            drawings=drawings,
            judgement=judgement,
        )
        (home.sweep(record.question.name) / "report.html").write_text(page, encoding="utf-8")
        artifacts: dict[str, str | bytes | pd.DataFrame] = {
            "table/criteria.md": exports.to_markdown(made),
            "table/criteria.html": exports.to_html(made),
            "table/criteria.json": exports.to_json(made),
            "table/criteria.csv": exports.to_csv(made),
            "runs.parquet": runs,
            "cost.md": to_markdown(cost_of(runs, curves, record)),
            "report.html": page,
        }
        if judgement is not None:
            artifacts["claims.md"] = claim_tables.to_markdown(judgement, made)
        artifacts |= {f"figures/{title}.svg": drawing for title, drawing in drawings.items()}
        artifacts |= {f"figures/{title}.png": to_png(figure) for title, figure in figures.items()}
        return Results(
            summary=exports.answer_markdown(made), metrics=exports.to_metrics(made), artifacts=artifacts
        )

    return results


def _judgement(record: "Record", made: "CriteriaTable") -> "Judgement | None":
    """Return published claims beside what a sweep says of them; None where it asks about another focus."""
    from analysis.claims import judge, shared_settings

    published = claims_of(PUBLISHED)
    if made.focus != published.focus:
        return None
    return judge(published, made, record.question, shared_settings(record))


def _predicted(home: "Home", record: "Record") -> dict[str, Any] | None:
    """Return what a sweep was expected to cost, or None where that was not kept or cannot be read."""
    path = home.sweep(record.question.name) / "plan.json"
    if not path.exists():
        return None
    needed = {"trainings", "programs", "training_seconds", "memory_mib", "basis"}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        values = None
    if isinstance(values, dict) and needed <= values.keys():
        return values
    say(f"{path} is damaged or of another version; the report is without the expected costs.")
    return None
