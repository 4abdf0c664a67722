"""Rows of text as the cells of a table, in whatever markup."""

from collections.abc import Callable

from analysis.tables.evidence import Rows


def escaped_cells(rows: Rows, escape: Callable[[str], str]) -> list[list[str]]:
    """Return the header and the rows as escaped cells."""
    return [[escape(cell) for cell in line] for line in (rows[0].keys(), *(row.values() for row in rows))]
