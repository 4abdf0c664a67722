"""Figure: what so many trials are worth, in the design `tuned`, with bands where the search is random."""

from typing import TYPE_CHECKING

from analysis.criteria import CriteriaTable
from analysis.figures.learning_curves import series_of
from analysis.figures.rival_panels import LINES, rival_panels
from analysis.figures.style import INK, MUTED, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.statistics.best_of_k import TuningCurve

_FAR = 1e9
"""Where an open end of a band is drawn: beyond every figure."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    name = series_of(table)
    if table.tuning is not None and table.tuning.adaptive:
        over = "" if table.tuning.repeats == 1 else f" (median over {table.tuning.repeats} searches)"
        return (
            f"The best {name} among the first k trials of {table.focus} beside that of each rival{over}; a "
            "failed trial uses up its place. Each trial was chosen by those before it, so there is no band: "
            "how much another search would differ is not in this figure."
        )
    below = (
        f" Below: the difference in {table.metric} of the best of k, chosen on validation, with its 95 % "
        f"bootstrap interval for each k by itself; dotted lines at delta to either side."
        if table.best_of
        else ""
    )
    return (
        f"The median of the best {name} among k random trials of {table.focus} beside that of each rival. "
        "The band holds the whole curve with 95 % and asks nothing of how the trials are distributed; it is "
        f"open where so few trials do not bound it.{below}"
    )


def tuning_curves(table: CriteriaTable) -> "Figure | None":
    """Draw the tuning curves of a table; None where no trial ended with a result.

    Parameters
    ----------
    table : CriteriaTable
        Of the design `tuned`.
    """
    curves = {curve.activation: curve for curve in table.tuning_curves}
    if not any(point.value is not None for curve in curves.values() for point in curve.points):
        return None
    last = max(point.k for curve in curves.values() for point in curve.points)
    with drawing():
        heights = (1.8, 0.95) if table.best_of else (1.8,)
        figure, panels = rival_panels(table, heights, what="trials", last=last)
        for rival, axes in panels.items():
            for side, name in (("focus", table.focus), ("rival", rival)):
                if name in curves:
                    _curve(axes[0], curves[name], side)
            if table.best_of:
                _difference(axes[1], table, rival)
        first = next(iter(panels.values()))
        first[0].set_ylabel(f"best {series_of(table).replace('_', ' ')}")
        if table.best_of:
            first[1].set_ylabel("difference")
        for above, *_ in panels.values():
            above.set_ylim(*_limits(table))
    return figure


def _limits(table: CriteriaTable) -> tuple[float, float]:
    """Return the vertical range of the curves: theirs and a quarter more, whatever their bands do."""
    values = [p.value for curve in table.tuning_curves for p in curve.points if p.value is not None]
    room = max(0.25 * (max(values) - min(values)), table.delta)
    return min(values) - room, max(values) + room


def _curve(axes: "Axes", curve: "TuningCurve", side: str) -> None:
    known = [point for point in curve.points if point.value is not None]
    k = [point.k for point in known]
    axes.step(k, [point.value for point in known], where="post", **LINES[side])  # pyright: ignore[reportArgumentType]
    if all(point.low is None and point.high is None for point in known):
        return
    low = [-_FAR if point.low is None else point.low for point in known]
    high = [_FAR if point.high is None else point.high for point in known]
    axes.fill_between(k, low, high, step="post", color=LINES[side]["color"], alpha=0.14, linewidth=0)


def _difference(axes: "Axes", table: CriteriaTable, rival: str) -> None:
    found = [each for each in table.best_of if each.rival == rival]
    k = [each.k for each in found]
    axes.axhline(0, color=MUTED, linewidth=0.7)
    for edge in (-table.delta, table.delta):
        axes.axhline(edge, color=MUTED, linewidth=0.7, linestyle=":")
    axes.fill_between(
        k, [each.low for each in found], [each.high for each in found], color=INK, alpha=0.18, linewidth=0
    )
    axes.plot(k, [each.difference for each in found], color=INK, marker="o" if len(k) == 1 else "")
