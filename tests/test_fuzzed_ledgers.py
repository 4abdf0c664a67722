"""Ledgers that were damaged or edited: a record, or one sentence with file and line."""

import copy
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_record import FINGERPRINT
from test_ledger import entry, written

from study import ledger
from study.errors import InputError
from study.ledger import Ledger, Record, curves_path
from study.ledger_lines import encode
from study.reports import Split
from study.training import Status, Training

SHORT = 120
LONG = 20 * SHORT

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def lines(tmp_path: Path, training: Training) -> list[bytes]:
    """Return the lines of a ledger with one of every kind."""
    entries = [entry(training, 0), entry(training, 1, Status.DIVERGED)]
    path = written(tmp_path / "whole" / "ledger.jsonl", entries)
    with Ledger(path) as book:
        book.split(Split(shape="a", blocks=3))
        book.reference({**FINGERPRINT, "threads": 2})
        book.check(entries[0].result)
        book.stop(1)
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def curves(lines: list[bytes], tmp_path: Path) -> list[bytes]:
    """Return the lines of the learning curves beside that ledger."""
    del lines
    return curves_path(tmp_path / "whole" / "ledger.jsonl").read_bytes().splitlines(keepends=True)


def checksummed(body: bytes) -> bytes:
    """Return a line that is whole whatever it holds."""
    return b"%08x %s\n" % (zlib.crc32(body), body)


def inner(value: Any) -> Iterator[Any]:
    """Yield every table and list in a value, itself included."""
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from inner(each)


@st.composite
def edited_lines(draw: st.DrawFn, line: bytes) -> bytes:
    """Return a line whose checksum is right and whose JSON differs in one place."""
    value = json.loads(line[9:])
    tables = [each for each in inner(value) if each]
    if not tables:
        return line
    table = draw(st.sampled_from(tables))
    key = draw(st.sampled_from(sorted(table) if isinstance(table, dict) else range(len(table))))
    change = draw(st.sampled_from(["drop", "replace", "add"]))
    if change == "drop":
        del table[key]
    elif change == "replace":
        table[key] = draw(VALUES)
    elif isinstance(table, dict):
        table[draw(st.text(max_size=4))] = draw(VALUES)
    else:
        table.insert(key, copy.deepcopy(table[key]))
    return checksummed(json.dumps(value).encode())


@st.composite
def damaged(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """Return a ledger in which lines were edited, cut, doubled, lost, moved or replaced by something else."""
    lines = [*lines]
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(["edit", "edit", "cut", "double", "lose", "move", "noise", "json"]))
        if change == "edit" and lines[place][8:9] == b" " and lines[place].endswith(b"}\n"):
            lines[place] = draw(edited_lines(lines[place]))
        elif change == "cut":
            lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
        elif change == "double":
            lines.insert(draw(st.integers(0, len(lines))), lines[place])
        elif change == "lose" and len(lines) > 1:
            del lines[place]
        elif change == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
        elif change == "noise":
            lines[place] = draw(st.binary(max_size=30)) + draw(st.sampled_from([b"", b"\n"]))
        elif change == "json":
            lines[place] = checksummed(json.dumps(draw(VALUES)).encode())
    return b"".join(lines)


def ends_well(path: Path) -> None:
    """Check that a ledger is read, and then can be gone on with, or that one sentence names its file."""
    try:
        record = ledger.read(path)
    except InputError as error:
        message = str(error)
        assert str(path) in message or str(curves_path(path)) in message
        assert message.endswith(".")
        assert message.isprintable()
        assert len(message.replace(str(path.parent), "")) < 500
        return
    assert isinstance(record, Record)
    with Ledger(path) as book:
        book.stop(1)
    assert ledger.read(path).stopped_at == 1


def damage(examples: int, path: Path, lines: list[bytes], curves: list[bytes]) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(damaged(lines) | st.binary(max_size=200), damaged(curves) | st.just(b"".join(curves)))
    def check(content: bytes, beside: bytes) -> None:
        path.write_bytes(content)
        curves_path(path).write_bytes(beside)
        ends_well(path)

    check()


def test_any_damaged_ledger_is_a_record_or_a_sentence(
    tmp_path: Path, lines: list[bytes], curves: list[bytes]
) -> None:
    damage(SHORT, tmp_path / "ledger.jsonl", lines, curves)


@pytest.mark.slow
@pytest.mark.long
def test_many_damaged_ledgers_are_records_or_sentences(
    tmp_path: Path, lines: list[bytes], curves: list[bytes]
) -> None:
    damage(LONG, tmp_path / "ledger.jsonl", lines, curves)


NOT_OURS = (
    "is whole, but holds something else than this version of mishstudy writes; use the version that wrote it"
)


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"3", b'"training"', b"{}", b'{"kind":[]}', b'{"kind":"lesson"}', b'{"kind":"training"}',
        b'{"kind":"training","index":0,"adaptive":false,"training":{},"result":{}}',
        b'{"kind":"configuration","index":true,"levels":{}}',
        b'{"kind":"configuration","index":0,"levels":[]}',
        b'{"kind":"configuration","index":0,"levels":{"depth":[2]}}',
        b'{"kind":"split","shape":"a"}', b'{"kind":"split","shape":"a","blocks":"3"}',
        b'{"kind":"check","result":{"digest":"a"}}',
        b'{"kind":"check","result":{"digest":"a","status":"good"}}',
        b'{"kind":"stop","configurations":null}', b'{"kind":"reference","fingerprint":3}',
        b'{"kind":"question","question":{}}',
    ],
)  # fmt: skip
def test_a_whole_line_of_another_form_is_named(tmp_path: Path, lines: list[bytes], body: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join([*lines[:3], checksummed(body), *lines[3:]]))
    with pytest.raises(InputError) as caught:
        ledger.read(path)
    assert str(caught.value).startswith(f"{path}, line 4 {NOT_OURS}, or restore the file from a copy")


@pytest.mark.parametrize("kind", ["header", "reference"])
@pytest.mark.parametrize(
    "change",
    [
        lambda fingerprint: fingerprint.pop("engine"),
        lambda fingerprint: fingerprint.pop("device"),
        lambda fingerprint: fingerprint.pop("data"),
        lambda fingerprint: fingerprint.update(data=[]),
        lambda fingerprint: fingerprint["data"].pop("guess"),
        lambda fingerprint: fingerprint["data"]["guess"].update(loss=None),
    ],
    ids=range(6),
)
def test_an_environment_of_another_form_is_named(
    tmp_path: Path, lines: list[bytes], kind: str, change: Callable[[dict[str, Any]], None]
) -> None:
    path = tmp_path / "ledger.jsonl"
    (place,) = [each for each, line in enumerate(lines) if f'"kind":"{kind}"'.encode() in line]
    value = json.loads(lines[place][9:])
    change(value["fingerprint"])
    lines[place] = encode(value)
    path.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=rf"line {place + 1} {NOT_OURS}, .* held the environment of the re"):
        ledger.read(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda training, result: training.update(epochs="many"),
        lambda training, result: training.update(depth=3),
        lambda training, result: training.pop("optimizer"),
        lambda training, result: result.update(metrics={"test_accuracy": "high"}),
        lambda training, result: result.update(seconds=None),
    ],
    ids=range(5),
)
def test_a_training_of_another_form_is_named_and_may_be_deleted(
    tmp_path: Path, lines: list[bytes], change: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    path = tmp_path / "ledger.jsonl"
    value = json.loads(lines[3][9:])
    change(value["training"], value["result"])
    path.write_bytes(b"".join([*lines[:3], checksummed(json.dumps(value).encode()), *lines[4:]]))
    with pytest.raises(InputError, match=rf"line 4 {NOT_OURS}, or restore"):
        ledger.read(path)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"9" * 5000], ids=["nested", "long number"])
def test_what_python_does_not_read_is_damage(tmp_path: Path, lines: list[bytes], body: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join([*lines[:3], checksummed(body), *lines[3:]]))
    with pytest.raises(InputError, match="line 4 is damaged"):
        ledger.read(path)


@pytest.mark.parametrize("body", [b"[]", b'{"digest":"a"}', b'{"digest":"a","curve":{"train_loss":["low"]}}'])
def test_a_learning_curve_of_another_form_is_named(
    tmp_path: Path, lines: list[bytes], curves: list[bytes], body: bytes
) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(lines))
    curves_path(path).write_bytes(b"".join([curves[0], checksummed(body), curves[1]]))
    with pytest.raises(InputError, match=rf"curves\.jsonl, line 2 {NOT_OURS}, .* no result is lost"):
        ledger.read(path)


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").mkdir()
    with pytest.raises(InputError, match=r"ledger\.jsonl cannot be read \(Is a directory\); restore"):
        ledger.read(tmp_path / "ledger.jsonl")
