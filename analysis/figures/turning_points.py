"""Figure: how metric and difference move along each ordered factor that matters, and where they turn."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from analysis.criteria import CriteriaTable
from analysis.figures.rival_panels import LINES
from analysis.figures.style import (
    BAND,
    FONT_SIZE,
    INK,
    MUTED,
    TITLE_LETTER,
    WIDTH,
    drawing,
    fitted,
    put_legend,
)
from analysis.statistics.estimates import ALPHA, mean_test
from analysis.statistics.gates import MAXIMUM_GATE_LEVELS, Gate
from analysis.statistics.levels import number_text
from analysis.statistics.pairs import pairs
from analysis.statistics.thresholds import MAXIMUM_CUTS, MINIMUM_LEVELS, Threshold, level_curve
from analysis.statistics.units import unit_means, walk
from analysis.summaries import quantity_text, unit_name
from study.question import Question

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
"""Panels side by side; more go below."""
_HEIGHTS = (1.0, 1.25)
"""Inches: the metric above, the difference below."""


def _shown(table: CriteriaTable) -> list[Gate]:
    """Return the ordered factors that matter, each with a rival against whom."""
    return [gate for gate in table.gates if gate.matters and gate.ordered and gate.levels >= MINIMUM_LEVELS]


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        f"Above: mean {table.metric} at each level (at most {MAXIMUM_GATE_LEVELS} bins) with its 95 % t "
        "interval, over pairs in which both trained. Below: the mean difference within pairs, failures "
        f"counted, above 0 where {table.focus} is better; the step is the best curve that only rises or "
        f"only falls. The dotted line is {quantity_text(table.delta, table.unit)}; the grey field is the 95 "
        "% set of where the difference crosses it, the dashed line the last level before. Only factors that "
        f"matter are shown, averaged over all others; n counts {unit_name(table.design)}."
    )


def turning_points(runs: pd.DataFrame, table: CriteriaTable, question: Question) -> "Figure | None":
    """Draw the ordered factors whose gate passed, one panel per factor and rival; None where none did.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame of a paired design, one row per block and activation.
    table : CriteriaTable
        Made from `runs`.
    question : Question
        What is asked.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import NullLocator

    shown = _shown(table)
    if not shown:
        return None
    found = {(one.parameter, one.rival): one for one in table.thresholds}
    factors = {factor.name: factor for factor in question.conditions}
    columns = min(len(shown), _COLUMNS)
    blocks = -(-len(shown) // columns)
    letters = int((WIDTH - 0.5) / columns / TITLE_LETTER)
    with drawing():
        figure = Figure(figsize=(WIDTH, blocks * (sum(_HEIGHTS) + 0.85) + 0.4), layout="constrained")
        spec = figure.add_gridspec(2 * blocks, columns, height_ratios=_HEIGHTS * blocks)
        for place, gate in enumerate(shown):
            block, column = divmod(place, columns)
            above = figure.add_subplot(spec[2 * block, column])
            below = figure.add_subplot(spec[2 * block + 1, column], sharex=above)
            every = pairs(runs, question, gate.rival)
            units = walk(unit_means(every, question), factors[gate.parameter], question)
            threshold = found.get((gate.parameter, gate.rival))
            if threshold is not None and threshold.log:
                above.set_xscale("log")
                below.xaxis.set_major_formatter(lambda value, place: number_text(value))
                below.xaxis.set_minor_locator(NullLocator())
            _draw_metric(above, every.loc[every["unit_id"].isin(units["unit_id"])], gate)
            _draw_difference(below, units, gate, threshold, table)
            above.set_title(fitted(f"against {gate.rival}, n = {gate.units}", letters), loc="left")
            above.tick_params(labelbottom=False)
            below.set_xlabel(fitted(gate.parameter, letters))
            for axes in (above, below):
                axes.grid(axis="y")
            if column == 0:
                above.set_ylabel(fitted(table.metric.replace("_", " "), 16))
                below.set_ylabel("difference")
        handles = [
            *(
                Line2D([], [], **LINES[side], label=name)
                for side, name in (("focus", fitted(table.focus, 20)), ("rival", "rival"))
            ),
            Line2D([], [], color=INK, label="difference, monotone"),
            Patch(color=BAND, linewidth=0, label="where it turns, 95 %"),
        ]
        put_legend(figure, handles, table)
    return figure


def _binned(axis: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the code of each value's level, or bin of levels, and where to draw each."""
    code = level_curve(axis, values, MAXIMUM_GATE_LEVELS).code
    return code, np.array([np.median(axis[code == level]) for level in range(code.max() + 1)])


def _draw_metric(axes: "Axes", found: pd.DataFrame, gate: Gate) -> None:
    both = found.loc[found["cause"] == "quality"]
    if both.empty:
        return
    units = both.groupby("unit_id", sort=False)[[gate.parameter, "focus_value", "rival_value"]].mean()
    axis = units[gate.parameter].to_numpy(dtype="float64")
    code, places = _binned(axis, axis)
    for side in ("focus", "rival"):
        groups = units[f"{side}_value"].groupby(code)
        count = groups.count().to_numpy()
        half = special.stdtrit(np.maximum(count - 1, 1), 1 - ALPHA / 2) * groups.sem().to_numpy()
        middle = groups.mean().to_numpy()
        _intervals(axes, places, (middle - half, middle, middle + half), LINES[side])


def _draw_difference(
    axes: "Axes", units: pd.DataFrame, gate: Gate, threshold: Threshold | None, table: CriteriaTable
) -> None:
    axis = units[gate.parameter].to_numpy(dtype="float64")
    difference = units["difference"].to_numpy()
    code, places = _binned(axis, difference)
    inside = code == np.arange(code.max() + 1)[:, None]
    test = mean_test(difference, inside, bound=table.loss_cap, delta=table.delta)
    if threshold is not None and threshold.outcome == "not_one_threshold":
        axes.annotate(
            "not one turning point", (0, 1), xytext=(0, 3), xycoords="axes fraction",
            textcoords="offset points", color=MUTED, fontsize=FONT_SIZE - 1.5,
        )  # fmt: skip
    elif threshold is not None:
        low = axis.min() if threshold.low is None else threshold.low
        high = axis.max() if threshold.high is None else threshold.high
        axes.axvspan(low, high, color=BAND, linewidth=0, zorder=0)
        if threshold.point is not None:
            axes.axvline(threshold.point, color=MUTED, linewidth=0.8, linestyle="--", zorder=1)
    axes.axhline(0, color=MUTED, linewidth=0.7, zorder=1)
    axes.axhline(table.delta, color=MUTED, linewidth=0.9, linestyle=":", zorder=1)
    sign = -1.0 if gate.direction == "decreasing" else 1.0
    curve = level_curve(sign * axis, difference, MAXIMUM_CUTS)
    ends = sign * np.stack([curve.low, curve.high])
    order = np.argsort(ends[0])
    left, right = ends.min(axis=0)[order], ends.max(axis=0)[order]
    log = axes.get_xscale() == "log"
    between = np.sqrt(right[:-1] * left[1:]) if log else (right[:-1] + left[1:]) / 2
    edges = [left[0], *between, right[-1]]
    axes.stairs(curve.fitted[order], edges, baseline=None, color=INK, linewidth=1.4)
    _intervals(axes, places, (test.low, test.mean, test.high), {"color": INK, "linestyle": ""})


def _intervals(
    axes: "Axes", places: np.ndarray, ends: tuple[np.ndarray, np.ndarray, np.ndarray], look: Mapping[str, Any]
) -> None:
    """Draw means with their intervals, given as low, middle, high; none around a single unit."""
    low, middle, high = ends
    error = np.nan_to_num([middle - low, high - middle])
    axes.errorbar(places, middle, yerr=error, elinewidth=0.9, marker="o", markersize=3, **look)
