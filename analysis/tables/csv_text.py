"""Rows as CSV: a column for every name that occurs, in order; an empty cell where there is none."""

import csv
import io
from collections.abc import Mapping, Sequence


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV with a header."""
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def flat(values: Mapping[str, object]) -> dict[str, object]:
    """Return values with those of an inner record spread over columns of their own, `outer_inner`."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= {f"{name}_{part}": number for part, number in value.items()}
        else:
            found[name] = value
    return found
