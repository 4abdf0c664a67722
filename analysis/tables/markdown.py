"""Text and tables in GitHub-flavoured Markdown. Names come from users and are escaped."""

import re

from analysis.tables.cells import escaped_cells
from analysis.tables.evidence import Rows


def markdown_escape(text: str) -> str:
    """Return `text` on one line so that Markdown shows it literally, at the start of a line or inside."""
    text = " ".join(text.split())
    text = re.sub(r"([\\`*|~])", r"\\\1", text).replace("&", "&amp;")
    text = re.sub(r"<(?=[A-Za-z/!?])", r"\\<", text)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)
    return re.sub(r"^(\d*)(?=[#>=+.)-]+ )", r"\1\\", text)


def markdown_table(rows: Rows) -> str:
    """Return rows as a table in GitHub-flavoured Markdown."""
    cells = escaped_cells(rows, markdown_escape)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
