"""Every figure of a sweep by name, with what a reader must know to read it.

Intervals, rates and verdicts are those of the criteria table. The same frames give the same bytes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from analysis.criteria import CriteriaTable
from analysis.figures import (
    failure_cells,
    forest,
    learning_curves,
    ranking_diagram,
    running_sequence,
    tree_leaves,
    tuning_curves,
    turning_points,
    win_rates,
)
from analysis.figures.style import lay_out, to_pdf, to_png, to_svg
from analysis.summaries import unit_name
from study.question import Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS: "dict[str, Callable[[Figure], str | bytes]]" = {"svg": to_svg, "png": to_png, "pdf": to_pdf}
"""Ending of a file to what makes it of a figure."""

TITLES = {
    "differences": "Difference by level",
    "running": "The overall difference so far",
    "turning_points": "Where it turns",
    "win_rates": "Win rates",
    "failures": "Failures",
    "tree": "Two factors at once",
    "tuning_curves": "Best found after so many trials",
    "learning_curves": "Learning curves",
    "ranking": "Ranking of all activations",
}
"""Name of a figure, which is also that of its files, to its heading."""


def all_figures(
    runs: pd.DataFrame, curves: pd.DataFrame, table: CriteriaTable, question: Question
) -> dict[str, "Figure"]:
    """Draw every figure that there is something to draw for.

    Parameters
    ----------
    runs, curves : pandas.DataFrame
        What `analysis.frame.runs_frame` and `curves_frame` returned; of the runs of a profiled factor
        `analysis.profile.best_rows`.
    table : CriteriaTable
        Made from `runs`.
    question : Question
        What is asked.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        In the order of `TITLES`. Those before `tuning_curves` belong to the paired designs: `running` to a
        `paired` sweep that is not whole, `turning_points` to ordered factors that matter, `failures` to
        a sweep with any, `tree` to one with two factors that tell more than one. `tuning_curves` belongs to
        `tuned`, `ranking` to three and more activations of a finished sweep. None is empty: a sweep without
        a result has none.
    """
    drawn: dict[str, Figure | None]
    if table.design == "tuned":
        drawn = {"tuning_curves": tuning_curves.tuning_curves(table)}
    else:
        drawn = {
            "differences": forest.forest(table),
            "running": running_sequence.running_sequence(runs, table, question),
            "turning_points": turning_points.turning_points(runs, table, question),
            "win_rates": win_rates.win_rates(table),
            "failures": failure_cells.failure_cells(table),
            "tree": tree_leaves.tree_leaves(table),
        }
    drawn["learning_curves"] = learning_curves.learning_curves(runs, curves, table)
    if table.ranking is not None and len(table.rivals) > 1 and not table.provisional:
        drawn["ranking"] = ranking_diagram.ranking_diagram(table.ranking, table.focus)
    found = {name: figure for name, figure in drawn.items() if figure is not None}
    for figure in found.values():
        lay_out(figure)
    return found


def captions(table: CriteriaTable) -> dict[str, str]:
    """Return name of a figure -> how to read it."""
    found = {
        "differences": forest.caption(table),
        "running": running_sequence.caption(table),
        "turning_points": turning_points.caption(table),
        "win_rates": win_rates.caption(table),
        "failures": failure_cells.caption(table),
        "tree": tree_leaves.caption(table),
        "tuning_curves": tuning_curves.caption(table),
        "learning_curves": learning_curves.caption(table),
    }
    if table.ranking is not None:
        found["ranking"] = ranking_diagram.caption(table.ranking, unit_name(table.design))
    return found
