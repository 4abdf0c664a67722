"""Figure: in how many pairs the focus is better, rival by rival and level by level."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.criteria import CriteriaTable
from analysis.figures.level_cells import level_cells
from analysis.figures.level_rows import level_rows
from analysis.figures.style import MARKS, drawing, verdict_handles
from analysis.statistics.compare import Comparison
from analysis.summaries import unit_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TINTS = ("#ffe3bd", "#d3d2d0", "#5b9fd0")
"""Rival ahead, even, focus ahead: ever darker, so that grey has the same order, and pale enough for text."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        f"Each number is the share of the pairs, in %, in which {table.focus} is better at all, a tie "
        "counting half; blue is more than half, orange less, and the darker the higher. The sign is the "
        f"verdict, which asks for more than a share. A blank cell has fewer than {table.minimum_units} "
        f"{unit_name(table.design)}."
    )


def win_rates(table: CriteriaTable) -> "Figure | None":
    """Draw the win rates of the design `paired` or `ofat`; None where no row has enough units."""
    rows = level_rows(table)
    blank = [None] * len(table.rivals)
    cells = [[_judged(each) for each in row.comparisons] or blank for row in rows]
    rates = np.array(
        [[np.nan if each is None else 100 * (each.win_rate or 0) for each in line] for line in cells]
    )
    if np.isnan(rates).all():
        return None
    words = [[_words(each) for each in line] for line in cells]
    with drawing():
        handles = verdict_handles()
    return level_cells(
        rows, table.rivals, rates, words, tints=TINTS, largest=100, table=table, handles=handles
    )


def _judged(comparison: Comparison) -> Comparison | None:
    """Return a comparison with enough units for a verdict, None for another."""
    return comparison if comparison.p_adjusted is not None else None


def _words(comparison: Comparison | None) -> str:
    if comparison is None or comparison.win_rate is None:
        return ""
    return f"{MARKS[comparison.verdict].glyph} {100 * comparison.win_rate:.0f}"
