"""The rows that figures share with the table: overall, then each condition factor with its levels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.criteria import CriteriaTable
from analysis.figures.style import RULE, fitted
from analysis.statistics.compare import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 26
"""Characters of a row's label."""


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A row of a figure.

    Parameters
    ----------
    label : str
        Name of the factor or label of the level.
    comparisons : tuple of Comparison
        One per rival, in the order of the table; empty in the row that names a factor.
    """

    label: str
    comparisons: tuple[Comparison, ...] = ()


def level_rows(table: CriteriaTable) -> tuple[LevelRow, ...]:
    """Return the rows of a table with comparisons, from top to bottom."""
    rivals = len(table.rivals)
    rows = [LevelRow("overall", table.headline)]
    parameter = None
    for start in range(0, len(table.levels), rivals):
        region = table.levels[start : start + rivals]
        if region[0].parameter != parameter:
            parameter = region[0].parameter
            rows.append(LevelRow(str(parameter)))
        rows.append(LevelRow(str(region[0].level), region))
    return tuple(rows)


def name_rows(axes: "Axes", rows: tuple[LevelRow, ...], *, offset: float = 0.0) -> None:
    """Label the rows of a figure, row i at height `i + offset`, and turn the axis so that they go down."""
    labels = [fitted(row.label, LABEL) for row in rows]
    axes.set_yticks([place + offset for place in range(len(rows))], labels, rotation=0)
    axes.set_ylim(len(rows) - 0.5 + offset, -0.5 + offset)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        if not row.comparisons or row is rows[0]:
            label.set_fontweight("bold")


def rule_off(axes: "Axes", rows: tuple[LevelRow, ...], *, offset: float = 0.0) -> None:
    """Draw a rule above each row that names a factor."""
    for place, row in enumerate(rows):
        if not row.comparisons:
            axes.axhline(place - 0.5 + offset, color=RULE, linewidth=0.6)
