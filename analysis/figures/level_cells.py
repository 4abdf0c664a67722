"""Coloured cells with text: a row per level of the table, a column per activation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.criteria import CriteriaTable
from analysis.figures.level_rows import LevelRow, name_rows, rule_off
from analysis.figures.style import (
    CELL_INK,
    FONT_SIZE,
    LABEL_LETTER,
    PAPER,
    WIDTH,
    drawing,
    fitted,
    put_legend,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_ROW, _CELL = 0.19, 0.72
"""Inches: height of a row, least width of a cell."""


def level_cells(
    rows: tuple[LevelRow, ...],
    names: Sequence[str],
    shares: np.ndarray,
    words: Sequence[Sequence[str]],
    *,
    tints: tuple[str, ...],
    largest: float,
    table: CriteriaTable,
    handles: "Sequence[Artist]" = (),
) -> "Figure":
    """Draw a share per row and name.

    Parameters
    ----------
    rows : tuple of LevelRow
        From top to bottom.
    names : sequence of str
        The columns, in the order of the cells.
    shares : numpy.ndarray, shape (rows, names)
        Percent, which give the colours; NaN for a blank cell.
    words : sequence of sequence of str
        What stands in each cell.
    tints : tuple of str
        Colours from 0 to `largest`, pale enough for dark text.
    largest : float
        Percent at the last tint.
    table : CriteriaTable
        What the figure is about.
    handles : sequence of Artist
        Entries of the legend.
    """
    import seaborn as sns
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    labels = [fitted(name, 20) for name in names]
    cell = max(_CELL, LABEL_LETTER * max(map(len, labels)) + 0.15)
    tilted = cell * len(labels) > WIDTH - 2
    with drawing():
        width = 2.0 + (_CELL if tilted else cell) * len(labels)
        height = _ROW * len(rows) + (1.6 if tilted else 0.85)
        figure = Figure(figsize=(max(width, 3.8), height), layout="constrained")
        axes = figure.subplots()
        sns.heatmap(
            shares,
            ax=axes,
            vmin=0,
            vmax=largest,
            cmap=LinearSegmentedColormap.from_list("shares", tints),
            annot=np.array(words),
            fmt="",
            annot_kws={"color": CELL_INK, "fontsize": FONT_SIZE - 0.5},
            mask=np.isnan(shares),
            cbar=False,
            linewidths=1.2,
            linecolor=PAPER,
        )
        name_rows(axes, rows, offset=0.5)
        rule_off(axes, rows, offset=0.5)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.set_xticks(
            np.arange(len(labels)) + 0.5,
            labels,
            rotation=40 if tilted else 0,
            ha="left" if tilted else "center",
        )
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        put_legend(figure, handles, table)
    return figure
