"""The criteria table in a terminal, the answer first; and the overall rows of a sweep that is under way."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from analysis.criteria import CriteriaTable
from analysis.sequence import RunningHeadline
from analysis.summaries import interval_text
from analysis.tables.exports import sections, sentences, status_line, title
from study.question import Question

_LONG = 15
"""Only longer words are broken, so that names of any length leave room for the rest."""

_BETWEEN = 3
"""Characters that a column needs beside its words."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Rows whose words are broken only where the terminal is too narrow for them."""

    rows: list[dict[str, str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give the table that fits."""
        del console
        widths = self._widths(options.max_width)
        grid = Table(box=box.SIMPLE_HEAD, show_lines=True, pad_edge=False, expand=True)
        for heading in self.rows[0]:
            grid.add_column(Text(heading), overflow="fold", width=widths.get(heading))
        for row in self.rows:
            grid.add_row(*map(Text, row.values()))
        yield grid

    def _widths(self, room: int) -> dict[str, int]:
        """Return the width of each column: its longest word, and of what is left as much as its text needs.

        Empty where there is room for everything, or not even for the words.
        """
        cells = {heading: [heading, *(row[heading] for row in self.rows)] for heading in self.rows[0]}
        words = {
            heading: min(_LONG, max(len(word) for cell in column for word in cell.split()))
            for heading, column in cells.items()
        }
        more = {heading: max(map(len, column)) - words[heading] for heading, column in cells.items()}
        left = room - sum(words.values()) - _BETWEEN * len(words)
        if not 0 <= left < sum(more.values()):
            return {}
        return {
            heading: width + left * more[heading] // sum(more.values()) for heading, width in words.items()
        }


def render(table: CriteriaTable) -> RenderableType:
    """Return the recommendation, or verdicts when tuned with the winners, as something that Rich prints."""
    shown = sections(table)[: 2 if table.design == "tuned" else 1]
    head = [Text(title(table), style="bold"), Text(table.question)]
    head += [Text(line, style="yellow") for line in [status_line(table)] if line]
    head += [Text(sentence, style="bold") for sentence in sentences(table)[:1]]
    notes = [Text(f"• {note}", style="dim") for note in table.notes]
    return Group(*head, *(_Grid(rows) for _, rows in shown), *notes)


def render_running(rows: Sequence[RunningHeadline], question: Question, *, stopped: bool) -> RenderableType:
    """Return the overall rows of a sweep that is not whole as something that Rich prints."""
    first, planned = rows[0].configurations, question.planned_configurations
    grid = [
        {
            f"Overall, {'stopped early' if stopped else 'provisional'}": f"{question.focus} - {row.rival}",
            f"Difference in {question.unit} [95 %]": interval_text(row, question.delta),
            "Verdict": row.verdict.words,
            "Configurations": str(row.units),
        }
        for row in rows
    ]
    return Group(
        _Grid(grid),
        Text(
            f"Over the first {first} of {planned} configurations of the design, which are complete. The "
            "interval is a confidence sequence: it holds with 95 % however often one looks, so it is safe to "
            "stop on; `mishstudy sweep SPEC --until decided` does.",
            style="dim",
        ),
    )
