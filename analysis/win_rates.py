"""Figure: in how many pairs the focus is better, rival by rival and level by level."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.compare import Comparison
from analysis.criteria import CriteriaTable
from analysis.level_rows import level_rows, name_rows, rule_off
from analysis.style import (
    CELL_INK,
    FONT_SIZE,
    LABEL_LETTER,
    MARKS,
    PAPER,
    WIDTH,
    drawing,
    fitted,
    put_legend,
    verdict_handles,
)
from analysis.summaries import unit_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TINTS = ("#f0935a", "#fdfdfd", "#6fb1dc")
"""Rival ahead, even, focus ahead: pale enough for dark text."""
_ROW, _CELL = 0.19, 0.72
"""Inches: height of a row, least width of a cell."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        f"Each number is the share of the pairs, in %, in which {table.focus} is better at all, a tie "
        "counting half; blue is more than half, orange less. The sign is the verdict, which asks for more "
        f"than a share. A blank cell has fewer than {table.minimum_units} {unit_name(table.design)}."
    )


def win_rates(table: CriteriaTable) -> "Figure | None":
    """Draw the win rates of the design `paired` or `ofat`; None where no row has enough units."""
    import seaborn as sns
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    rows = level_rows(table)
    blank = [None] * len(table.rivals)
    cells = [[_judged(each) for each in row.comparisons] or blank for row in rows]
    rates = np.array(
        [[np.nan if each is None else 100 * (each.win_rate or 0) for each in line] for line in cells]
    )
    if np.isnan(rates).all():
        return None
    words = [[_words(each) for each in line] for line in cells]
    names = [fitted(rival, 20) for rival in table.rivals]
    cell = max(_CELL, LABEL_LETTER * max(map(len, names)) + 0.15)
    tilted = cell * len(names) > WIDTH - 2
    with drawing():
        width = 2.0 + (_CELL if tilted else cell) * len(names)
        height = _ROW * len(rows) + (1.6 if tilted else 0.85)
        figure = Figure(figsize=(max(width, 3.8), height), layout="constrained")
        axes = figure.subplots()
        sns.heatmap(
            rates,
            ax=axes,
            vmin=0,
            vmax=100,
            cmap=LinearSegmentedColormap.from_list("sides", _TINTS),
            annot=np.array(words),
            fmt="",
            annot_kws={"color": CELL_INK, "fontsize": FONT_SIZE - 0.5},
            mask=np.isnan(rates),
            cbar=False,
            linewidths=1.2,
            linecolor=PAPER,
        )
        name_rows(axes, rows, offset=0.5)
        rule_off(axes, rows, offset=0.5)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.set_xticks(
            np.arange(len(names)) + 0.5,
            names,
            rotation=40 if tilted else 0,
            ha="left" if tilted else "center",
        )
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        put_legend(figure, verdict_handles(), table)
    return figure


def _judged(comparison: Comparison) -> Comparison | None:
    """Return a comparison with enough units for a verdict, None for another."""
    return comparison if comparison.p_adjusted is not None else None


def _words(comparison: Comparison | None) -> str:
    if comparison is None or comparison.win_rate is None:
        return ""
    return f"{MARKS[comparison.verdict].glyph} {100 * comparison.win_rate:.0f}"
