"""Figure: how the validation metric moves from epoch to epoch, focus beside each rival."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from analysis.criteria import CriteriaTable
from analysis.figures.rival_panels import LINES, rival_panels
from analysis.figures.style import FONT_SIZE, INK, MUTED, drawing
from analysis.summaries import quantity_text, unit_name
from analysis.tuned_notes import NO_TUNING_CURVES
from study.training import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def series_of(table: CriteriaTable) -> str:
    """Return the series of the curves that belongs to the metric of a table."""
    return f"validation_{table.metric.rpartition('_')[2]}"


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    name = series_of(table)
    if table.design == "tuned":
        halved = table.tuning is not None and table.tuning.halving is not None
        why = f" {NO_TUNING_CURVES}" if halved else ""
        return (
            f"The {name} of the trial that won of {table.focus} beside that of each rival, in the "
            f"{'last rung of the ' if halved else ''}first search. One training stands behind each line, so "
            f"there is no band, and crossings say little.{why}"
        )
    units = unit_name(table.design)
    failed = (
        f" A cross stands at the last epoch of a training that failed; failed 2/3: 2 of {table.focus}, 3 of "
        "the rival."
        if any(table.failures.values())
        else ""
    )
    return (
        f"Above: mean {name} over {units}; the band is its 95 % t interval, which is wide because {units} "
        "differ, not because the comparison is uncertain. Below: the mean difference within pairs with its "
        f"95 % t interval, above 0 where {table.focus} is better, at most "
        f"{quantity_text(table.loss_cap, table.unit)} a pair; dotted lines at "
        f"{quantity_text(table.delta, table.unit)} to either side. Only pairs in which both trained to the "
        f"end are in the lines; the verdicts count failures too, and come from {table.metric}.{failed}"
    )


def learning_curves(runs: pd.DataFrame, curves: pd.DataFrame, table: CriteriaTable) -> "Figure | None":
    """Draw the validation metric over epochs; None where nothing trained to the end.

    Parameters
    ----------
    runs, curves : pandas.DataFrame
        What `analysis.frame.runs_frame` and `curves_frame` returned.
    table : CriteriaTable
        Made from `runs`.
    """
    mine = curves.loc[curves["series"] == series_of(table)]
    if mine.empty:
        return None
    wide = mine.pivot_table(index="digest", columns="epoch", values="value", dropna=False)
    with drawing():
        if table.design == "tuned":
            return _of_best_trials(runs, wide, table)
        return _of_pairs(runs.loc[~runs["adaptive"]], wide, table)


def _of_pairs(runs: pd.DataFrame, wide: pd.DataFrame, table: CriteriaTable) -> "Figure | None":
    name = series_of(table)
    sign = 1 if table.higher_is_better else -1
    pairs = {rival: _pair_curves(runs, wide, table.focus, rival) for rival in table.rivals}
    if not any(len(units) for _, units in pairs.values()):
        return None
    figure, panels = rival_panels(table, (1.5, 0.95), what="epoch", last=int(wide.columns.max()))
    for rival, (above, below) in panels.items():
        found, units = pairs[rival]
        for side, values in found.items():
            _line_with_band(above, values, units, LINES[side])
        below.axhline(0, color=MUTED, linewidth=0.7)
        for edge in (-table.delta, table.delta):
            below.axhline(edge, color=MUTED, linewidth=0.7, linestyle=":")
        difference = (sign * (found["focus"] - found["rival"])).clip(-table.loss_cap, table.loss_cap)
        _line_with_band(below, difference, units, {"color": INK})
        failed = _mark_failures(above, runs, {"focus": table.focus, "rival": rival})
        size = quantity_text(len(set(units)), unit_name(table.design))
        lost = f", failed {failed['focus']}/{failed['rival']}" if any(failed.values()) else ""
        above.set_title(above.get_title(loc="left"), loc="left", pad=14)
        above.annotate(
            size + lost, (0, 1), xytext=(0, 3), xycoords="axes fraction", textcoords="offset points",
            color=MUTED, fontsize=FONT_SIZE - 1.5,
        )  # fmt: skip
    above, below = next(iter(panels.values()))
    above.set_ylabel(name.replace("_", " "))
    below.set_ylabel("difference")
    return figure


def _pair_curves(
    runs: pd.DataFrame, wide: pd.DataFrame, focus: str, rival: str
) -> tuple[dict[str, pd.DataFrame], np.ndarray]:
    """Return side -> curves of the pairs in which both trained to the end, and the unit of each pair.

    The curves have a row per block, the same ones on both sides, and a column per epoch.
    """
    ended = runs.loc[(runs["status"] == Status.OK.value) & runs["digest"].isin(wide.index)]
    blocks = {
        side: ended.loc[ended["activation"] == name].set_index("block")
        for side, name in (("focus", focus), ("rival", rival))
    }
    both = blocks["focus"].index.intersection(blocks["rival"].index)
    curves = {side: wide.loc[found.loc[both, "digest"]].set_axis(both) for side, found in blocks.items()}
    return curves, blocks["focus"].loc[both, "unit_id"].to_numpy()


def _line_with_band(axes: "Axes", curves: pd.DataFrame, units: np.ndarray, look: Mapping[str, Any]) -> None:
    """Draw the mean over units with its 95 % t interval; a point where there is but one epoch."""
    means = curves.groupby(units, sort=False).mean()
    count = means.count().to_numpy()
    middle = means.mean().to_numpy()
    error = means.std().to_numpy() / np.sqrt(np.maximum(count, 1))
    half = special.stdtrit(np.maximum(count - 1, 1), 0.975) * error
    epochs = means.columns.to_numpy()
    axes.fill_between(epochs, middle - half, middle + half, color=look["color"], alpha=0.18, linewidth=0)
    axes.plot(epochs, middle, marker="o" if len(epochs) == 1 else "", markersize=4, **look)


def _mark_failures(axes: "Axes", runs: pd.DataFrame, sides: Mapping[str, str]) -> dict[str, int]:
    """Put a cross at the last epoch of each failed training; return how many there are of either side."""
    counts: dict[str, int] = {}
    for height, (side, name) in enumerate(sides.items()):
        failed = runs.loc[(runs["activation"] == name) & (runs["status"] != Status.OK.value)]
        counts[side] = len(failed)
        epochs = failed["epochs_run"].dropna().astype("int64")
        axes.plot(
            epochs[epochs > 0],
            np.full(int((epochs > 0).sum()), 0.04 + 0.05 * height),
            linestyle="",
            marker="x",
            markersize=3.5,
            color=LINES[side]["color"],
            transform=axes.get_xaxis_transform(),
        )
    return counts


def _of_best_trials(runs: pd.DataFrame, wide: pd.DataFrame, table: CriteriaTable) -> "Figure | None":
    assert table.tuning is not None
    places = [table.tuning.place(int(index)) for index in runs["index"]]
    last = np.array([at.trial is not None and at.rung == table.tuning.rungs - 1 for at in places])
    curves: dict[str, pd.Series] = {}
    for best in table.tuned:
        same = (runs["activation"] == best.activation) & (runs["configuration"] == best.configuration)
        # By index and replicate the trials of the first search come before everything else of that setting.
        digests = runs.loc[same & last & (runs["status"] == Status.OK.value), "digest"]
        known = digests[digests.isin(wide.index)]
        if best.repeat == 1 and len(known):
            curves[best.activation] = wide.loc[known.iloc[0]]
    if not curves:
        return None
    figure, panels = rival_panels(table, (1.8,), what="epoch", last=int(wide.columns.max()))
    for rival, (axes,) in panels.items():
        for side, name in (("focus", table.focus), ("rival", rival)):
            if name in curves:
                one = curves[name].dropna()
                axes.plot(one.index, one, marker="o" if len(one) == 1 else "", markersize=4, **LINES[side])
    next(iter(panels.values()))[0].set_ylabel(series_of(table).replace("_", " "))
    return figure
