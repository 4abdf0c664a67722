"""Reading runs from a CSV or Parquet file, a row per run: only the columns that are asked for, no pickle."""

import codecs
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from study.errors import InputError, said
from study.foreign_runs import MAXIMUM_RUNS, UNFINISHED, ForeignRuns, left_out_remark, nearest, shown

if TYPE_CHECKING:
    import pyarrow as pa

STATUS = "status"
"""Column that says how a run ended, where there is one."""
_MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
_WELL = frozenset({"finished", "success", "succeeded", "successful", "completed", "complete", "done"})
"""What others write for `ok`."""
_SEPARATORS = ",;\t"
_LONGEST_CELL = 1000
"""Characters of a value; a column of longer ones holds something else than settings."""


def read_file(path: Path, treatment: str, metric: str, parameters: Sequence[str]) -> ForeignRuns:
    """Read the runs of a file.

    A row is a failure where the metric is empty or not finite, or where there is a column `status` and it
    holds another word than `ok` or one that means the same, such as `completed`. (In a file that was
    exported from MLflow `RUNNING`, `SCHEDULED` and `KILLED` are unfinished: left out and counted.) Rows
    without a treatment are left out and counted.

    Parameters
    ----------
    path : Path
        `.csv` (UTF-8, or UTF-16 with its mark; separated by comma, semicolon or tab) or `.parquet`.
    treatment, metric : str
        Columns.
    parameters : sequence of str
        Further columns: factors and replicate.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or the metric is not a number.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise InputError(f"--runs takes a .csv or .parquet file, and {path} is neither; convert it.")
    if metric in (treatment, *parameters):
        raise InputError(f"--metric names {metric!r}, which is named as a setting as well; leave one out.")
    wanted = list(dict.fromkeys([treatment, metric, *parameters]))
    try:
        frame = _read_csv(path, wanted) if kind == ".csv" else _read_parquet(path, wanted)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or _cause(error)}; check the path."
        ) from None
    if len(frame) > MAXIMUM_RUNS:
        raise InputError(f"{path} has more than {MAXIMUM_RUNS:,} rows; compare a part of them.")
    blank = frame[treatment].map(_is_missing).to_numpy(dtype=bool)
    unsaid = STATUS in wanted or STATUS not in frame
    word = pd.Series("ok", index=frame.index) if unsaid else frame[STATUS].map(str)
    unfinished = word.isin([each.upper() for each in UNFINISHED]).to_numpy() & ~blank
    used = frame.loc[~blank & ~unfinished].reset_index(drop=True)
    status = word.loc[~blank & ~unfinished].str.strip().str.lower()
    status = status.mask(status.isin(_WELL), "ok")
    if used.empty:
        raise InputError(f"{path} has no row with a value of {treatment}.")
    return ForeignRuns(
        source=path.name,
        name=path.stem,
        parameters=used[[name for name in wanted if name != metric]],
        metric=_numbers(used[metric], path),
        status=status.to_numpy(dtype="object"),
        remarks=left_out_remark(
            {
                f"without a value of {treatment}": int(blank.sum()),
                "unfinished or killed": int(unfinished.sum()),
            }
        ),
    )


def _read_csv(path: Path, wanted: list[str]) -> pd.DataFrame:
    with path.open("rb") as file:
        start = file.read(2)
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    try:
        with path.open(encoding=encoding, newline="") as file:
            first = file.readline()
            file.seek(0)
            lines = csv.reader(file, delimiter=max(_SEPARATORS, key=first.count))
            header = next(lines, [])
            columns = _columns(path, header, wanted)
            places = [header.index(name) for name in columns]
            rows: list[list[str]] = []
            for row in lines:
                if row and len(row) != len(header):
                    raise InputError(
                        f"line {lines.line_num} of {path} has {len(row)} fields and its header "
                        f"{len(header)}; quote what holds a separator, or correct the file."
                    )
                if row:
                    rows.append([_cell(row[place], path, header[place]) for place in places])
                if len(rows) > MAXIMUM_RUNS:
                    break
            return pd.DataFrame(rows, columns=columns, dtype="str")
    except UnicodeError:
        raise InputError(f"{path} is not UTF-8; save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV file: {_cause(error)}; write it anew.") from None


def _read_parquet(path: Path, wanted: list[str]) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            schema, size, groups = file.schema_arrow, file.metadata.num_rows, file.metadata.num_row_groups
        columns = _columns(path, schema.names, wanted)
        kinds = {name: schema.field(name).type for name in columns}
        for name, kind in kinds.items():
            _check_kind(kind, path, name)
        if size > MAXIMUM_RUNS:
            raise InputError(f"{path} has more than {MAXIMUM_RUNS:,} rows; compare a part of them.")
        # As a dictionary, text that a page holds once takes its room once, however often it is repeated.
        text = [name for name, kind in kinds.items() if _is_text(kind)]
        parts = [_decoded(schema.empty_table().select(columns), path)]
        with parquet.ParquetFile(path, read_dictionary=text) as file:
            for group in range(groups):
                parts.append(_decoded(file.read_row_group(group, columns=columns), path))
        return pa.concat_tables(parts).to_pandas(ignore_metadata=True)
    except pa.ArrowException as error:
        raise InputError(
            f"{path} is not a Parquet file that can be read: {_cause(error)}; write it anew."
        ) from None


def _check_kind(kind: "pa.DataType", path: Path, column: str) -> None:
    from pyarrow import types

    if types.is_nested(kind):
        raise InputError(f"the column {column!r} of {path} holds lists or records, not values.")
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        raise InputError(f"the column {column!r} of {path} holds bytes, not values; write text.")


def _decoded(table: "pa.Table", path: Path) -> "pa.Table":
    """Return a part of a Parquet file in which dictionaries of text, which must be short, are plain text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(table.schema):
        coded = pa.types.is_dictionary(field.type)
        if not _is_text(field.type.value_type if coded else field.type):
            continue
        column = table.column(place)
        for chunk in column.chunks:
            longest = pc.max(pc.utf8_length(chunk.dictionary if coded else chunk))  # pyright: ignore[reportAttributeAccessIssue]
            _check_length(longest.as_py() or 0, path, field.name)
        table = table.set_column(place, field.name, column.cast(pa.string()))
    return table


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind)


def _check_length(length: int, path: Path, column: str) -> None:
    if length > _LONGEST_CELL:
        raise InputError(
            f"the column {shown(column)} of {path} holds a value of {length:,} characters, and a setting has "
            f"at most {_LONGEST_CELL:,}; name other columns."
        )


def _cell(text: str, path: Path, column: str) -> str:
    _check_length(len(text), path, column)
    return text


def _cause(error: Exception) -> str:
    return said(error).rstrip(".")


def _columns(path: Path, header: Sequence[str], wanted: list[str]) -> list[str]:
    """Return the columns to read; each must be there once."""
    if not header:
        raise InputError(f"{path} has no columns; write a header, and a row for each run.")
    for name in wanted:
        if name not in header:
            raise InputError(f"{path} has no column {name!r}; {nearest(name, header)}")
    columns = [*wanted, *([STATUS] if STATUS in header and STATUS not in wanted else [])]
    twice = [name for name in columns if list(header).count(name) > 1]
    if twice:
        raise InputError(f"{path} has more than one column {shown(twice[0])}; rename all but one.")
    return columns


def _is_missing(value: object) -> bool:
    """Return whether a cell holds nothing."""
    return value is None or value is pd.NA or value != value or (isinstance(value, str) and not value.strip())


def _numbers(values: pd.Series, path: Path) -> np.ndarray:
    """Return the metric; NaN where there is none, or where it is not finite."""
    if values.dtype.kind in "iuf":
        numbers = values.to_numpy(dtype="float64")
    else:
        text = values.map(lambda value: "" if _is_missing(value) else str(value).strip())
        text = text.mask(text.str.lower().isin(_MISSING), "nan")
        numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype="float64")
        wrong = np.flatnonzero(np.isnan(numbers) & (text != "nan").to_numpy())
        if len(wrong):
            raise InputError(
                f"the column {values.name!r} of {path} must hold numbers (or nothing, for a failure), and "
                f"holds {shown(text.iloc[wrong[0]])}; check --metric, or correct the file."
            )
    return np.where(np.isfinite(numbers), numbers, np.nan)
