"""The criteria table in a terminal: the answer, the recommendation, the notes."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.criteria import CriteriaTable
from analysis.exports import sections, sentences, status_line, title

_SHARES = {"Parameter": 1, "Activation": 1, "Trials": 1, "Failed": 1, "Evidence": 4}


def render(table: CriteriaTable) -> RenderableType:
    """Return the recommendation, or the best of each activation, as something that Rich prints."""
    (_, rows), *_others = sections(table)
    grid = Table(box=box.SIMPLE_HEAD, show_lines=True, pad_edge=False, expand=True)
    for heading in rows[0]:
        grid.add_column(Text(heading), overflow="fold", ratio=_SHARES.get(heading, 2))
    for row in rows:
        grid.add_row(*map(Text, row.values()))
    head = [Text(title(table), style="bold"), Text(table.question)]
    head += [Text(line, style="yellow") for line in [status_line(table)] if line]
    head += [Text(sentence, style="bold") for sentence in sentences(table)[:1]]
    notes = [Text(f"• {note}", style="dim") for note in table.notes]
    return Group(*head, grid, *notes)
