"""Figure: how often each activation failed, level by level."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.criteria import CriteriaTable
from analysis.figures.level_cells import level_cells
from analysis.figures.level_rows import LevelRow, level_rows
from analysis.statistics.compare import Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TINTS = ("#fdfdfd", "#e8a27a")
"""No failure, the most: darker is more, in grey as well, and pale enough for dark text."""


def caption(table: CriteriaTable) -> str:
    """Return how to read the figure."""
    return (
        "Each cell is the share of trainings, in %, that diverged or ran out of memory or time, with their "
        f"number; darker is more, an empty cell none. Those of {table.focus} are counted in its pairs with "
        f"{table.rivals[0]}."
    )


def failure_cells(table: CriteriaTable) -> "Figure | None":
    """Draw the failures of the design `paired` or `ofat`; None where none failed."""
    rows = level_rows(table)
    counts = np.array([_counts(row, table) for row in rows], dtype="float64")
    failed, pairs = counts[..., 0], counts[..., 1]
    if not np.nansum(failed):
        return None
    shares = np.divide(100 * failed, pairs, out=np.full(failed.shape, np.nan), where=pairs > 0)
    words = [
        [f"{share:.0f} % ({number:.0f})" if number > 0 else "" for share, number in zip(*line, strict=True)]
        for line in zip(shares, failed, strict=True)
    ]
    names = (table.focus, *table.rivals)
    return level_cells(
        rows, names, shares, words, tints=_TINTS, largest=float(np.nanmax(shares)), table=table
    )


def _counts(row: LevelRow, table: CriteriaTable) -> list[tuple[float, float]]:
    """Return failures and pairs, of the focus and of each rival; NaN in a row that names a factor."""
    if not row.comparisons:
        return [(np.nan, np.nan)] * (1 + len(table.rivals))
    first: Comparison = row.comparisons[0]
    return [
        (first.focus_failures, first.pairs),
        *((each.rival_failures, each.pairs) for each in row.comparisons),
    ]
