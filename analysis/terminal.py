"""The criteria table in a terminal: the answer, the recommendation, the notes."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.criteria import CriteriaTable
from analysis.exports import sections, sentences, status_line, title

_NAMES = ("Parameter", "Activation", "Trials", "Failed")
"""Columns of names and numbers, which are not broken unless they are long; the others share what is left."""

_LONG = 24


def render(table: CriteriaTable) -> RenderableType:
    """Return the recommendation, or the best of each activation, as something that Rich prints."""
    (_, rows), *_others = sections(table)
    grid = Table(box=box.SIMPLE_HEAD, show_lines=True, pad_edge=False, expand=True)
    for heading in rows[0]:
        if heading in _NAMES:
            longest = max(len(row[heading]) for row in rows)
            grid.add_column(Text(heading), overflow="fold", min_width=min(longest, _LONG))
        else:
            grid.add_column(Text(heading), overflow="fold", ratio=2 if heading == "Evidence" else 1)
    for row in rows:
        grid.add_row(*map(Text, row.values()))
    head = [Text(title(table), style="bold"), Text(table.question)]
    head += [Text(line, style="yellow") for line in [status_line(table)] if line]
    head += [Text(sentence, style="bold") for sentence in sentences(table)[:1]]
    notes = [Text(f"• {note}", style="dim") for note in table.notes]
    return Group(*head, grid, *notes)
