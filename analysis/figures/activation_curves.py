"""Activations and their derivatives, drawn in panels of one scale."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures.style import FOCUS, MUTED, RIVAL, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x, value and derivative."""

_COLUMNS = 6


def activation_curves(curves: Mapping[str, Curve]) -> "Figure":
    """Draw each function as a line and its derivative dashed, in a panel of its own.

    Parameters
    ----------
    curves : dict of str to Curve
        By name, in the order of the panels; at least one.
    """
    from matplotlib.figure import Figure

    with drawing():
        columns = min(_COLUMNS, len(curves))
        rows = -(-len(curves) // columns)
        side = 4.0 if columns == 1 else 2.4 if rows == 1 else 1.6
        figure = Figure(figsize=(side * columns, side * rows + 0.3), layout="constrained")
        panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
        for panel, (name, (x, value, slope)) in zip(panels, curves.items(), strict=False):
            panel.axhline(0, color=MUTED, linewidth=0.5)
            panel.plot(x, value, color=FOCUS, label="value", zorder=3)
            panel.plot(x, slope, color=RIVAL, linestyle="--", linewidth=1.0, label="derivative")
            panel.set_title(name)
            panel.set_xlim(x[0], x[-1])
            panel.set_ylim(-1.4, 3.0)
        for panel in panels[len(curves) :]:
            panel.set_axis_off()
        for panel in panels[max(0, len(curves) - columns) : len(curves)]:
            panel.tick_params(labelbottom=True)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
