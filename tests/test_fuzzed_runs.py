"""Files of runs from anywhere: a table that can be written in every form, or one sentence."""

import csv
import dataclasses
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from foreign_sweeps import grid
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from analysis.foreign.frame import Ask
from analysis.foreign.table import table_of_file
from analysis.tables import exports
from study.errors import InputError

SHORT = 40
LONG = 20 * SHORT

HEADER = ["act", "layers", "opt", "lr", "seed", "score", "status"]
ROWS = grid().assign(status="ok")[HEADER].astype("str").to_numpy().tolist()
CELLS = st.sampled_from(
    [
        "", " ", "nan", "inf", "-inf", "1e999", "-0", "0x10", "1_000", "9" * 400, "1e308", "5e-324", "None",
        "TRUE", "mish", "relu", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a\nb", "a\x00b", "\u202e",
        "'--", '"', "x" * 2000, "running", "failed", "missing", "80,5", "🙂", "{}", "%s", "\\end{table}",
        "| a |",
    ]
) | st.text(st.characters(codec="utf-8"), max_size=6)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Return a header and rows of runs in which cells, rows and columns were changed."""
    header, rows = [*HEADER], [[*row] for row in ROWS]
    rows = rows[: draw(st.just(len(rows)) | st.integers(0, 8))]
    for _ in range(draw(st.integers(0, 4))):
        change = draw(st.sampled_from(["cell", "column", "column", "double", "lose", "header", "short"]))
        place = draw(st.integers(0, len(header) - 1))
        if change == "header":
            header[place] = draw(CELLS | st.sampled_from(HEADER))
        elif change == "column":
            some = draw(st.lists(CELLS, min_size=1, max_size=4))
            for number, row in enumerate(rows):
                row[place:] = [some[number % len(some)], *row[place + 1 :]]
        elif rows:
            number = draw(st.integers(0, len(rows) - 1))
            if change == "cell":
                rows[number][place:] = [draw(CELLS), *rows[number][place + 1 :]]
            elif change == "double":
                rows.append([*rows[number]])
            elif change == "short":
                rows[number] = rows[number][:place]
            else:
                del rows[number]
    return [header, *rows]


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """Return such a table as CSV, sometimes in another encoding, with bytes changed or cut."""
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    separator = draw(st.sampled_from(",,;\t|"))
    csv.writer(text, delimiter=separator, quoting=quoting).writerows(draw(tables()))
    if draw(st.integers(0, 4)) < 4:
        return text.getvalue().encode()
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]))
    content = bytearray(text.getvalue().encode(encoding))
    for place in draw(st.lists(st.integers(0, len(content) - 1), max_size=2)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.just(len(content)) | st.integers(0, len(content)))])


SOME_TEXT = ["mish", "<b>", "x" * 2000, "\x00"]
COLUMNS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int64(), [0, 2**60]),
    (pa.float16(), [np.float16(0.5), np.float16("inf")]),
    (pa.float64(), [1e308, -0.0, float("nan"), 5e-324]),
    (pa.bool_(), [True, False]),
    (pa.date32(), [0, 1]),
    (pa.timestamp("us"), [0, 1]),
    (pa.decimal128(20, 3), [Decimal("0.125"), Decimal("1e9")]),
    (pa.null(), [None, None]),
    (pa.binary(), [b"mish", b"\xff"]),
    (pa.list_(pa.int8()), [[1], []]),
    (pa.string(), SOME_TEXT),
    (pa.large_string(), SOME_TEXT),
    (pa.dictionary(pa.int8(), pa.string()), SOME_TEXT),
    (pa.dictionary(pa.int8(), pa.int64()), [1, 2]),
]


@st.composite
def parquet_files(draw: st.DrawFn) -> bytes:
    """Return runs as Parquet with columns of any type, with bytes changed or cut."""
    frame = grid().assign(status="ok")
    columns: dict[str, Any] = {name: pa.array(frame[name]) for name in frame}
    for _ in range(draw(st.integers(0, 3))):
        kind, values = draw(st.sampled_from(COLUMNS))
        made = [None if draw(st.booleans()) else value for value in values]
        columns[draw(st.sampled_from([*columns, "new"]))] = pa.array(made * (len(frame) // len(made)), kind)
    stream = io.BytesIO()
    parquet.write_table(pa.table(columns), stream)
    if draw(st.integers(0, 4)) < 4:
        return stream.getvalue()
    content = bytearray(stream.getvalue())
    for place in draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.just(len(content)) | st.integers(0, len(content)))])


def ask(factors: list[str], **given: Any) -> Ask:
    return Ask(treatment="act", focus="mish", metric="score", factors=tuple(factors), **given)


FACTORS = st.lists(st.sampled_from(["layers", "opt", "lr", "status", "new"]), max_size=3, unique=True)
LIKELY_FACTORS = st.lists(st.sampled_from(["layers", "opt", "lr"]), min_size=1, unique=True)
ASKS = st.builds(
    ask, factors=LIKELY_FACTORS, delta=st.floats(0.1, 2), replicate=st.sampled_from([None, "seed"])
) | st.builds(
    ask,
    factors=FACTORS,
    delta=st.floats(0.1, 2) | st.floats(1e-9, 1e9) | st.floats(),
    replicate=st.sampled_from([None, "seed", "opt"]),
    scale=st.sampled_from([None, None, 100.0, 1e300]),
    loss_cap=st.sampled_from([None, None, 5.0, float("inf")]),
    lower_is_better=st.sampled_from([None, True, False]),
    chance=st.sampled_from([None, None, 10.0, float("nan"), float("inf"), -1.0]),
    unit=st.sampled_from([None, "points", "<b>", ""]),
)


def ends_well(path: Path, ask: Ask) -> bool:
    """Return whether a table is made of a file, which can be written, or else check the sentence."""
    try:
        made = table_of_file(path, ask)
    except InputError as error:
        message = str(error)
        assert message.isprintable(), message
        assert message.endswith((".", "?")), message
        assert len(message.replace(str(path), "")) < 1000, message
        return False
    for form in (exports.to_markdown, exports.to_csv, exports.to_json, exports.to_latex, exports.to_html):
        form(made).encode()
    return True


FILES = {"csv": csv_files(), "parquet": parquet_files()}


def any_file(suffix: str, examples: int, folder: Path) -> None:
    path = folder / f"runs.{suffix}"

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(FILES[suffix], ASKS)
    def check(content: bytes, ask: Ask) -> None:
        path.write_bytes(content)
        ends_well(path, ask)

    check()


@pytest.mark.parametrize("suffix", FILES)
def test_any_file_of_runs_is_a_table_or_a_sentence(suffix: str, tmp_path: Path) -> None:
    any_file(suffix, SHORT, tmp_path)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("suffix", FILES)
def test_many_files_of_runs_are_tables_or_sentences(suffix: str, tmp_path: Path) -> None:
    any_file(suffix, LONG, tmp_path)


RIGHT = ask(["layers", "opt", "lr"], delta=0.5, replicate="seed")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_value_of_more_than_a_thousand_characters_is_no_setting(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"runs.{suffix}"
    frame = grid().assign(opt=["é" * 1001, "adam"] * 32)
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    with pytest.raises(
        InputError, match="holds a value of 1,001 characters, and a setting has at most 1,000"
    ):
        table_of_file(path, RIGHT)


def test_text_that_a_parquet_file_repeats_takes_the_memory_of_one(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    many = 50_000
    long = pa.array(["x" * 1_000_000]).dictionary_encode()
    repeated = pa.DictionaryArray.from_arrays(pa.array(np.zeros(many, np.int32)), long.dictionary)
    columns = {"act": repeated, "score": np.zeros(many), "layers": repeated, "opt": repeated, "lr": repeated}
    parquet.write_table(pa.table({**columns, "seed": np.zeros(many)}), path)
    assert path.stat().st_size < 2_000_000
    before = pa.total_allocated_bytes()
    with pytest.raises(InputError, match=r"the column 'act' of .* holds a value of 1,000,000 characters"):
        table_of_file(path, RIGHT)
    assert pa.default_memory_pool().max_memory() - before < 200_000_000  # repeated, it is 50 GB


def test_parquet_files_with_any_kind_of_text_in_parts_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    frame, made = grid(), []
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        columns = {name: pa.array(frame[name]) for name in frame}
        columns |= {name: pa.array(frame[name].tolist(), kind) for name in ("act", "opt")}
        parquet.write_table(pa.table(columns), path, row_group_size=20)
        made.append(exports.to_json(table_of_file(path, RIGHT)))
    assert made[0] == made[1] == made[2]


def test_a_treatment_of_blanks_is_none(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    pd.concat([grid(), grid(seeds=1).assign(act=" ")]).to_csv(path, index=False)
    made = table_of_file(path, RIGHT)
    assert "Runs left out: 32 without a value of act." in made.notes
    assert " " not in made.rivals


def test_bytes_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    grid().assign(opt=[b"adam"] * 64).to_parquet(path)
    with pytest.raises(InputError, match=r"the column 'opt' of .* holds bytes, not values; write text"):
        table_of_file(path, RIGHT)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": 1e300}, "--scale must lie between 1e-100 and 1e+100, and is 1e+300."),
        ({"delta": 1e-300}, "--delta must lie between 1e-100 and 1e+100, and is 1e-300."),
        ({"scale": 1e99}, "'score' reaches "),
        (
            {"chance": 100.0},
            "--chance must be a number from 0 to less than 100, which is perfect; it is 100.",
        ),
        (
            {"chance": float("nan")},
            "--chance must be a number from 0 to less than 100, which is perfect; it is nan.",
        ),
        (
            {"chance": 0.0, "lower_is_better": True},
            "--chance must be a number above 0, which is perfect; it is 0.",
        ),
    ],
    ids=range(6),
)
def test_numbers_that_cannot_be_compared_are_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "runs.csv"
    grid().to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        table_of_file(path, dataclasses.replace(RIGHT, **changes))
    assert words in str(caught.value)


def test_a_loss_called_points_has_its_best_value_at_zero(tmp_path: Path) -> None:
    """So a chance of 100 is no division by nothing."""
    path = tmp_path / "runs.csv"
    grid().to_csv(path, index=False)
    table_of_file(path, dataclasses.replace(RIGHT, chance=100.0, lower_is_better=True, unit="points"))
