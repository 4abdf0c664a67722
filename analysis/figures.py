"""Every figure of a sweep by name, with what a reader must know to read it.

Intervals, rates and verdicts are those of the criteria table. The same frames give the same bytes.
"""

from typing import TYPE_CHECKING

import pandas as pd

from analysis import forest, learning_curves, tuning_curves, win_rates
from analysis.criteria import CriteriaTable
from analysis.style import to_png, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TITLES", "all_figures", "captions", "to_png", "to_svg"]

TITLES = {
    "differences": "Difference by level",
    "win_rates": "Win rates",
    "tuning_curves": "Best found after so many trials",
    "learning_curves": "Learning curves",
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
        `tuning_curves` to `tuned`. None is empty: a sweep without a result has no figure.
    """
    drawn: dict[str, Figure | None]
    if table.design == "tuned":
        drawn = {"tuning_curves": tuning_curves.tuning_curves(runs, table)}
    else:
        drawn = {"differences": forest.forest(table), "win_rates": win_rates.win_rates(table)}
    drawn["learning_curves"] = learning_curves.learning_curves(runs, curves, table)
    return {name: figure for name, figure in drawn.items() if figure is not None}


def captions(table: CriteriaTable) -> dict[str, str]:
    """Return name of a figure -> how to read it."""
    return {
        "differences": forest.caption(table),
        "win_rates": win_rates.caption(table),
        "tuning_curves": tuning_curves.caption(table),
        "learning_curves": learning_curves.caption(table),
    }
