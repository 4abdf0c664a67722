"""Figure: by how much the focus is better, level by level, with intervals and verdicts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.compare import Comparison
from analysis.criteria import CriteriaTable
from analysis.level_rows import level_rows, name_rows, rule_off
from analysis.style import BAND, FONT_SIZE, MARKS, MUTED, PAPER, WIDTH, drawing, fitted
from analysis.summaries import quantity_text, unit_name

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
"""Rivals side by side; more go below."""
_ROW, _MARGIN = 0.175, 0.6
"""Inches: height of a row, and what a panel needs beside its rows."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        f"Each mark is a mean difference with its 95 % interval; right of 0, {table.focus} is better. Shape "
        "and colour are the verdict. It rests on the adjusted p, so it may be open although an interval just "
        f"misses 0. The grey band, {quantity_text(table.delta, table.unit)} to either side, is too small to "
        f"matter. A thin interval without a verdict has fewer than {table.minimum_units} "
        f"{unit_name(table.design)}; one with an arrow goes on outside. At the right edge: pairs in which "
        f"{table.focus} / the rival failed, where any did."
    )


def forest(table: CriteriaTable) -> "Figure":
    """Draw the paired differences of a table of the design `paired` or `ofat`."""
    from matplotlib.figure import Figure

    rows = level_rows(table)
    blocks = -(-len(table.rivals) // _COLUMNS)
    columns = -(-len(table.rivals) // blocks)
    limits = _limits(table)
    with drawing():
        height = blocks * (_ROW * len(rows) + _MARGIN) + 0.6
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = figure.subplots(blocks, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(table.rivals) :]:
            axes.set_visible(False)
        for place, rival in enumerate(table.rivals):
            axes = grid.flat[place]
            axes.set_title(f"against {fitted(rival, 64 // columns - 8)}", loc="left")
            axes.set_xlim(limits)
            axes.tick_params(axis="y", length=0)
            rule_off(axes, rows)
            _draw(axes, [row.comparisons[place] if row.comparisons else None for row in rows], table, limits)
        name_rows(grid[0, 0], rows)
        figure.supxlabel(f"{fitted(table.focus, 24)} minus rival, in {table.unit}", fontsize=FONT_SIZE)
        figure.legend(handles=_legend(table), loc="outside upper center", ncols=5, columnspacing=1.4)
    return figure


def _limits(table: CriteriaTable) -> tuple[float, float]:
    """Return the ends of the axis: every mark, the intervals of rows with a verdict, never past the cap."""
    every = table.headline + table.levels
    judged = [row for row in every if row.p_adjusted is not None]
    ends = [row.difference for row in every] + [end for row in judged for end in (row.low, row.high)]
    ends = [end for end in ends if end is not None]
    low, high = min([*ends, -2 * table.delta]), max([*ends, 2 * table.delta])
    room = 0.06 * (high - low)
    cap = table.loss_cap
    return max(low - room, -1.06 * cap), min(high + room, 1.06 * cap)


def _draw(
    axes: "Axes",
    column: Sequence[Comparison | None],
    table: CriteriaTable,
    limits: tuple[float, float],
) -> None:
    """Draw the comparisons with one rival; None stands for a row that names a factor."""
    axes.axvspan(-table.delta, table.delta, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=0.7, zorder=1)
    for verdict, mark in MARKS.items():
        of_verdict = [
            (place, row)
            for place, row in enumerate(column)
            if row is not None and row.verdict is verdict and row.difference is not None
        ]
        for judged in (True, False):
            found = [(place, row) for place, row in of_verdict if (row.p_adjusted is not None) is judged]
            if not found:
                continue
            middle = np.array([row.difference for _, row in found], dtype="float64")
            low, high = (
                np.array([getattr(row, end) for _, row in found], dtype="float64") for end in ("low", "high")
            )
            axes.errorbar(
                middle,
                [place for place, _ in found],
                xerr=np.nan_to_num([middle - low, high - middle]),
                fmt=mark.marker,
                color=mark.color,
                markerfacecolor=mark.color if mark.filled else PAPER,
                markersize=4.5 if judged else 3.5,
                markeredgewidth=0.9,
                elinewidth=1.3 if judged else 0.5,
                zorder=3,
            )
    _mark_beyond(axes, column, limits)
    for place, row in enumerate(column):
        if row is None:
            continue
        if not row.pairs:
            axes.text(0, place, "not run", ha="center", va="center", color=MUTED, fontsize=FONT_SIZE - 1.5)
        if row.focus_failures or row.rival_failures:
            axes.annotate(
                f"{row.focus_failures}/{row.rival_failures}",
                (1.0, place),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                color=MUTED,
                fontsize=FONT_SIZE - 1.5,
            )


def _mark_beyond(axes: "Axes", column: Sequence[Comparison | None], limits: tuple[float, float]) -> None:
    """Put an arrow where an interval goes on outside the axis."""
    low, high = limits
    for place, row in enumerate(column):
        if row is None or row.low is None or row.high is None:
            continue
        color = MARKS[row.verdict].color
        if row.low < low:
            axes.plot(low, place, marker="<", color=color, markersize=3, clip_on=False)
        if row.high > high:
            axes.plot(high, place, marker=">", color=color, markersize=3, clip_on=False)


def _legend(table: CriteriaTable) -> list["Artist"]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = [
        Line2D(
            [], [], linestyle="", marker=mark.marker, color=mark.color, markersize=4.5, label=verdict.words,
            markerfacecolor=mark.color if mark.filled else PAPER, markeredgewidth=0.9,
        )
        for verdict, mark in MARKS.items()
    ]  # fmt: skip
    return [*marks, Patch(color=BAND, linewidth=0, label=f"within {quantity_text(table.delta, table.unit)}")]
