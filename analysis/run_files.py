"""Reading runs from a CSV or Parquet file, a row per run: only the columns that are asked for, no pickle."""

import codecs
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import InputError, said
from study.foreign_runs import MAXIMUM_RUNS, UNFINISHED, ForeignRuns, left_out_remark, nearest

STATUS = "status"
"""Column that says how a run ended, where there is one."""
_MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
_SEPARATORS = ",;\t"


def read_file(path: Path, treatment: str, metric: str, parameters: Sequence[str]) -> ForeignRuns:
    """Read the runs of a file.

    A row is a failure where the metric is empty or not finite, or where there is a column `status` and it
    holds another word than `ok`. (In a file that was exported from MLflow `FINISHED` is `ok` as well, and
    `RUNNING`, `SCHEDULED` and `KILLED` are unfinished: left out and counted.) Rows without a treatment are
    left out and counted.

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
        raise InputError(f"{path} cannot be read: {error.strerror or said(error)}; check the path.") from None
    if len(frame) > MAXIMUM_RUNS:
        raise InputError(f"{path} has more than {MAXIMUM_RUNS:,} rows; compare a part of them.")
    blank = frame[treatment].map(_is_missing).to_numpy(dtype=bool)
    unsaid = STATUS in wanted or STATUS not in frame
    word = pd.Series("ok", index=frame.index) if unsaid else frame[STATUS].map(str)
    unfinished = word.isin([each.upper() for each in UNFINISHED]).to_numpy() & ~blank
    used = frame.loc[~blank & ~unfinished].reset_index(drop=True)
    status = word.loc[~blank & ~unfinished].str.strip().str.lower().replace("finished", "ok")
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
                    rows.append([row[place] for place in places])
                if len(rows) > MAXIMUM_RUNS:
                    break
            return pd.DataFrame(rows, columns=columns, dtype="str")
    except UnicodeError:
        raise InputError(f"{path} is not UTF-8; save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV file: {said(error)}") from None


def _read_parquet(path: Path, wanted: list[str]) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            columns = _columns(path, file.schema_arrow.names, wanted)
            nested = [name for name in columns if pa.types.is_nested(file.schema_arrow.field(name).type)]
            if nested:
                raise InputError(f"the column {nested[0]!r} of {path} holds lists or records, not values.")
            if file.metadata.num_rows > MAXIMUM_RUNS:
                raise InputError(f"{path} has more than {MAXIMUM_RUNS:,} rows; compare a part of them.")
            return file.read(columns=columns).to_pandas(ignore_metadata=True)
    except pa.ArrowException as error:
        raise InputError(f"{path} is not a Parquet file that can be read: {said(error)}") from None


def _columns(path: Path, header: Sequence[str], wanted: list[str]) -> list[str]:
    """Return the columns to read; each must be there once."""
    for name in wanted:
        if name not in header:
            raise InputError(f"{path} has no column {name!r}; {nearest(name, header)}")
    columns = [*wanted, *([STATUS] if STATUS in header and STATUS not in wanted else [])]
    twice = [name for name in columns if list(header).count(name) > 1]
    if twice:
        raise InputError(f"{path} has more than one column {twice[0]!r}; rename all but one.")
    return columns


def _is_missing(value: object) -> bool:
    """Return whether a cell holds nothing."""
    return value is None or value is pd.NA or value != value or value == ""


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
                f"holds {text.iloc[wrong[0]]!r}; check --metric, or correct the file."
            )
    return np.where(np.isfinite(numbers), numbers, np.nan)
