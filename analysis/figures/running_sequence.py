"""Figure: the overall difference so far, with the interval that may be looked at any time."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.criteria import CriteriaTable
from analysis.figures.rival_panels import rival_panels
from analysis.figures.style import INK, MUTED, drawing, fitted
from analysis.sequence import running_headlines
from analysis.statistics.pairs import pairs
from analysis.summaries import quantity_text
from study.question import Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKS = 25
"""Numbers of configurations at which the interval is drawn, evenly spread over ratios."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        f"The mean difference in {table.unit} over the first configurations of the design, above 0 where "
        f"{table.focus} is better, with its confidence sequence: with 95 % it holds the truth at every "
        "number of configurations and against every rival. Dotted lines at "
        f"{quantity_text(table.delta, table.unit)} to either side."
    )


def running_sequence(runs: pd.DataFrame, table: CriteriaTable, question: Question) -> "Figure | None":
    """Draw the overall rows of a `paired` sweep that is not whole; None for another, or before two units.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame with one row per block and activation.
    table : CriteriaTable
        Made from `runs`.
    question : Question
        What is asked.
    """
    last = max((row.configurations for row in table.running), default=0)
    if last < 2:
        return None
    looks = np.unique(np.geomspace(2, last, _LOOKS).round().astype("int64"))
    found = {rival: pairs(runs, question, rival) for rival in table.rivals}
    rows = [running_headlines(found, question, int(look)) for look in looks]
    with drawing():
        figure, panels = rival_panels(table, (1.5,), what="configurations", last=last, handles=())
        for place, (axes,) in enumerate(panels.values()):
            ends = np.array(
                [[one.low, one.difference, one.high] for one in (row[place] for row in rows)], dtype="float64"
            )
            axes.axhline(0, color=MUTED, linewidth=0.7)
            for edge in (-table.delta, table.delta):
                axes.axhline(edge, color=MUTED, linewidth=0.7, linestyle=":")
            axes.fill_between(looks, ends[:, 0], ends[:, 2], color=INK, alpha=0.15, linewidth=0)
            axes.plot(looks, ends[:, 1], color=INK)
        next(iter(panels.values()))[0].set_ylabel(f"{fitted(table.focus, 10)} - rival")
    return figure
