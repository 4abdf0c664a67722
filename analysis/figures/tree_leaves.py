"""Figure: what the leaves of each tree of two factors gain, and whether these act together."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.criteria import CriteriaTable
from analysis.figures.style import (
    BAND,
    FOCUS,
    FONT_SIZE,
    INK,
    MUTED,
    RIVAL,
    WIDTH,
    drawing,
    fitted,
    put_legend,
)
from analysis.summaries import quantity_text, unit_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW, _MARGIN = 0.24, 0.55
"""Inches: height of a leaf, and what a tree needs beside its leaves."""
_LABEL = 64
"""Characters of a leaf's conditions."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        "Each row is a leaf of a tree of two factors, drawn where the second one tells more of the "
        'difference than the first by itself. Where it says "no sign that they act together", the two may '
        "just add up: no proof of an interaction. The mark is the mean difference of the "
        f"{unit_name(table.design)} in the leaf, sorted by bounds that others have placed, with its 95 % "
        f"interval, right of 0 where {table.focus} is better; n is how many. The grey band, "
        f"{quantity_text(table.delta, table.unit)} to either side, is too small to matter."
    )


def tree_leaves(table: CriteriaTable) -> "Figure | None":
    """Draw the trees of a table one below the other; None where there is none."""
    from matplotlib.figure import Figure

    trees = [tree for tree in table.interactions if tree.leaves]
    if not trees:
        return None
    sizes = [len(tree.leaves) for tree in trees]
    with drawing():
        figure = Figure(figsize=(WIDTH, _ROW * sum(sizes) + _MARGIN * len(trees) + 0.2), layout="constrained")
        grid = figure.subplots(len(trees), 1, sharex=True, squeeze=False, height_ratios=sizes)
        for axes, tree in zip(grid.flat, trees, strict=True):
            axes.axvspan(-table.delta, table.delta, color=BAND, linewidth=0, zorder=0)
            axes.axvline(0, color=MUTED, linewidth=0.7, zorder=1)
            for place, leaf in enumerate(tree.leaves):
                if leaf.difference is None:
                    continue
                ends = [leaf.difference if end is None else end for end in (leaf.low, leaf.high)]
                color = FOCUS if ends[0] > 0 else RIVAL if ends[1] < 0 else INK
                axes.errorbar(
                    leaf.difference,
                    place,
                    xerr=np.abs([[leaf.difference - ends[0]], [ends[1] - leaf.difference]]),
                    marker="^" if ends[0] > 0 else "v" if ends[1] < 0 else "o",
                    color=color,
                    markersize=4.5,
                    elinewidth=1.3,
                )
            labels = [f"{fitted(' and '.join(leaf.where), _LABEL)}, n = {leaf.units}" for leaf in tree.leaves]
            axes.set_yticks(range(len(labels)), labels, fontsize=FONT_SIZE - 1)
            axes.set_ylim(len(labels) - 0.5, -0.5)
            axes.tick_params(axis="y", length=0)
            shown = "the two act together" if tree.together else "no sign that they act together"
            axes.set_title(f"against {fitted(tree.rival, 40)}: {shown}", loc="left")
        put_legend(figure, (), table)
        figure.supxlabel(f"{fitted(table.focus, 26)} minus rival, in {table.unit}", fontsize=FONT_SIZE)
    return figure
