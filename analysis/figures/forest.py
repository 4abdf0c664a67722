"""Figure: by how much the focus is better, level by level, with intervals and verdicts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.criteria import CriteriaTable
from analysis.figures.level_rows import LABEL, level_rows, name_rows, rule_off
from analysis.figures.style import (
    BAND,
    FONT_SIZE,
    LABEL_LETTER,
    MARKS,
    MUTED,
    PAPER,
    TITLE_LETTER,
    WIDTH,
    drawing,
    fitted,
    put_legend,
    verdict_handles,
)
from analysis.statistics.compare import Comparison
from analysis.summaries import quantity_text, unit_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
"""Rivals side by side; more go below."""
_ROW, _MARGIN = 0.175, 0.6
"""Inches: height of a row, and what a panel needs beside its rows."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    rows = table.headline + table.levels
    parts = [
        f"Each mark is a mean difference with its 95 % interval; right of 0, {table.focus} is better. Shape "
        "and colour are the verdict. It rests on the adjusted p, so it may be open although an interval just "
        f"misses 0. The grey band, {quantity_text(table.delta, table.unit)} to either side, is too small to "
        "matter."
    ]
    if any(row.pairs and row.p_adjusted is None for row in rows):
        parts.append(
            f"A thin interval has fewer than {table.minimum_units} {unit_name(table.design)} and so no "
            "verdict; an arrow says that it goes on outside."
        )
    if _failed(rows):
        parts.append(f"At the right edge: pairs in which {table.focus}/the rival failed, where any did.")
    return " ".join(parts)


def _failed(rows: Sequence[Comparison]) -> bool:
    return any(row.focus_failures or row.rival_failures for row in rows)


def forest(table: CriteriaTable) -> "Figure | None":
    """Draw the paired differences of the design `paired` or `ofat`; None where there is no pair."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    if not any(row.pairs for row in table.headline):
        return None
    rows = level_rows(table)
    blocks = -(-len(table.rivals) // _COLUMNS)
    columns = -(-len(table.rivals) // blocks)
    room = (WIDTH - LABEL_LETTER * max(min(len(row.label), LABEL) for row in rows)) / columns
    limits = _limits(table)
    with drawing():
        height = blocks * (_ROW * len(rows) + _MARGIN) + 0.6
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = figure.subplots(blocks, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(table.rivals) :]:
            axes.set_visible(False)
        for place, rival in enumerate(table.rivals):
            axes = grid.flat[place]
            axes.set_title(fitted(rival, int(room / TITLE_LETTER) - 1), loc="left")
            axes.set_xlim(limits)
            axes.tick_params(axis="y", length=0)
            axes.tick_params(axis="x", labelbottom=place + columns >= len(table.rivals))
            rule_off(axes, rows)
            _draw(axes, [row.comparisons[place] if row.comparisons else None for row in rows], table, limits)
        for axes in grid[:, 0]:
            name_rows(axes, rows)
        focus = fitted(table.focus, LABEL)
        label = f"{focus} minus rival, in {table.unit}"
        if _failed(table.headline):
            label += f"; at the right edge: pairs in which {focus}/the rival failed"
        figure.supxlabel(label, fontsize=FONT_SIZE)
        band = Patch(color=BAND, linewidth=0, label=f"within {quantity_text(table.delta, table.unit)}")
        put_legend(figure, [*verdict_handles(), band], table)
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
                xytext=(6, 0),
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
