"""The criteria table in a terminal."""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.criteria import CriteriaTable
from analysis.exports import summary_rows

_STYLES = {"wins": "bold green", "loses": "bold red", "ties": "cyan"}


def render(table: CriteriaTable) -> RenderableType:
    """Return the recommendation table as something that Rich prints."""
    rows = summary_rows(table)
    grid = Table(box=box.SIMPLE_HEAD, show_lines=True, pad_edge=False)
    for heading in rows[0]:
        grid.add_column(Text(heading), overflow="fold", ratio=3 if heading == "Evidence" else 2)
    for row in rows:
        grid.add_row(*(Text(str(cell)) for cell in row.values()))
    head = Text(table.question, style="bold")
    return Group(head, grid, Text("\n".join(table.notes), style="dim"))


def print_table(table: CriteriaTable, console: Console) -> None:
    """Print the table to a terminal."""
    console.print(render(table))
