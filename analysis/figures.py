"""Every figure of a sweep by name, with what a reader must know to read it.

Intervals, rates and verdicts are those of the criteria table. The same frames give the same bytes.
"""

from typing import TYPE_CHECKING

import pandas as pd

from analysis import forest, learning_curves, ranking_diagram, tuning_curves, win_rates
from analysis.criteria import CriteriaTable
from analysis.style import lay_out, to_png, to_svg
from analysis.summaries import unit_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TITLES", "all_figures", "captions", "to_png", "to_svg"]

TITLES = {
    "differences": "Difference by level",
    "win_rates": "Win rates",
    "tuning_curves": "Best found after so many trials",
    "learning_curves": "Learning curves",
    "ranking": "Ranking of all activations",
}
"""Name of a figure, which is also that of its files, to its heading."""


def all_figures(runs: pd.DataFrame, curves: pd.DataFrame, table: CriteriaTable) -> dict[str, "Figure"]:
    """Draw every figure that there is something to draw for.

    Parameters
    ----------
    runs, curves : pandas.DataFrame
        What `analysis.frame.runs_frame` and `curves_frame` returned.
    table : CriteriaTable
        Made from `runs`.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        In the order of `TITLES`. `differences` and `win_rates` belong to the paired designs,
        `tuning_curves` to `tuned`, `ranking` to three and more activations of a
        finished sweep. None is empty: a sweep without a result has no figure.
    """
    drawn: dict[str, Figure | None]
    if table.design == "tuned":
        drawn = {"tuning_curves": tuning_curves.tuning_curves(runs, table)}
    else:
        drawn = {"differences": forest.forest(table), "win_rates": win_rates.win_rates(table)}
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
        "win_rates": win_rates.caption(table),
        "tuning_curves": tuning_curves.caption(table),
        "learning_curves": learning_curves.caption(table),
    }
    if table.ranking is not None:
        found["ranking"] = ranking_diagram.caption(table.ranking, unit_name(table.design))
    return found
