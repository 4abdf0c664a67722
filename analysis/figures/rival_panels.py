"""A grid of panels, one per rival: what figures over time are drawn in, focus and rival in each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.criteria import CriteriaTable
from analysis.figures.style import FOCUS, RIVAL, TITLE_LETTER, WIDTH, fitted, put_legend

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3

LINES = {"focus": {"color": FOCUS, "linestyle": "-"}, "rival": {"color": RIVAL, "linestyle": (0, (4, 1.5))}}
"""How the line of either side is drawn."""


def rival_panels(
    table: CriteriaTable,
    heights: tuple[float, ...],
    *,
    what: str,
    last: int,
    handles: "Sequence[Artist] | None" = None,
) -> tuple["Figure", dict[str, tuple["Axes", ...]]]:
    """Return an empty figure and, for each rival, its panels from top to bottom.

    Parameters
    ----------
    table : CriteriaTable
        Names focus and rivals.
    heights : tuple of float
        Inches, one per panel of a rival. Panels of one kind share their axes.
    what : str
        Label of the horizontal axis, which counts from 1.
    last : int
        Its end.
    handles : sequence of Artist or None
        Entries of the legend; default: the lines of focus and rival.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    columns = min(len(table.rivals), _COLUMNS)
    blocks = -(-len(table.rivals) // columns)
    letters = int((WIDTH - 0.5) / columns / TITLE_LETTER) - len("against ")
    figure = Figure(figsize=(WIDTH, blocks * (sum(heights) + 0.6) + 0.4), layout="constrained")
    grid = np.empty((blocks * len(heights), columns), dtype=object)
    spec = figure.add_gridspec(*grid.shape, height_ratios=heights * blocks)
    panels: dict[str, tuple[Axes, ...]] = {}
    for place, rival in enumerate(table.rivals):
        block, column = divmod(place, columns)
        made: list[Axes] = []
        for part in range(len(heights)):
            first = next(iter(panels.values()))[part] if panels else None
            axes = figure.add_subplot(
                spec[block * len(heights) + part, column], sharex=made[0] if made else first, sharey=first
            )
            axes.tick_params(labelleft=column == 0, labelbottom=part == len(heights) - 1)
            axes.grid(axis="y")
            made.append(axes)
        made[0].set_title(f"against {fitted(rival, letters)}", loc="left")
        made[-1].set_xlim(0.5, last + 0.5)
        made[-1].xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        panels[rival] = tuple(made)
    figure.supxlabel(what, fontsize="medium")
    sides = [
        Line2D([], [], **LINES[side], label=name)
        for side, name in (("focus", fitted(table.focus, 28)), ("rival", "rival"))
    ]
    put_legend(figure, sides if handles is None else handles, table)
    return figure, panels
