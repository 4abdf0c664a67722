"""Figure: the best that was found after so many trials, in the design `tuned`."""

from typing import TYPE_CHECKING

import pandas as pd

from analysis.criteria import CriteriaTable
from analysis.learning_curves import series_of
from analysis.rival_panels import LINES, rival_panels
from analysis.style import drawing
from study.training import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        f"The best {series_of(table)} among the first k trials of {table.focus} beside that of each rival; a "
        "failed trial uses up its place. One search stands behind each line: how much another one would "
        "differ is not known."
    )


def tuning_curves(runs: pd.DataFrame, table: CriteriaTable) -> "Figure | None":
    """Draw the running best over the trials; None where no trial ended with a result.

    Parameters
    ----------
    runs : pandas.DataFrame
        A runs frame of the design `tuned`.
    table : CriteriaTable
        Made from `runs`.
    """
    ended = runs["status"] == Status.OK.value
    if not ended.any():
        return None
    chosen_by = series_of(table)
    budget = table.tuned[0].trials  # the same for all
    with drawing():
        figure, panels = rival_panels(table, (1.8,), what="trials", last=budget)
        for rival, (axes,) in panels.items():
            for side, name in (("focus", table.focus), ("rival", rival)):
                mine = runs["activation"] == name
                values = runs[chosen_by].where(ended)[mine].head(budget).reset_index(drop=True)
                best = (values.cummax() if table.higher_is_better else values.cummin()).ffill()
                axes.step(best.index + 1, best, where="post", **LINES[side])
        next(iter(panels.values()))[0].set_ylabel(f"best {chosen_by.replace('_', ' ')}")
    return figure
