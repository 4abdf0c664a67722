"""Data files that nobody should trust: arrays or one sentence, without a pickle and in bounded memory."""

import dataclasses
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study import own_data
from study.datacards import published_card
from study.errors import InputError
from study.keras_data import official_shapes, read

SHORT = 120
LONG = 20 * SHORT
MOST_MEMORY = 2**21
"""Bytes that may be taken to read or to refuse the small files below; their bombs claim or hold far more."""

CARD = dataclasses.replace(
    published_card("mnist"), train_size=6, validation_size=2, test_size=3, input_shape=(4, 4, 1)
)
SHAPES = official_shapes(CARD)


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


SOUND = {f"{key}.npy": npy(np.ones(shape, np.uint8)) for key, shape in SHAPES.items()}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def refusal(path: Path, content: bytes) -> str | None:
    """Return the sentence with which a data file is refused, or None where its arrays are right."""
    path.write_bytes(content)
    try:
        arrays = read(path, CARD)
    except InputError as error:
        message = str(error)
        assert str(path) in message
        assert message.isprintable()
        assert message.endswith(".")
        assert len(message.replace(str(path), "")) < 700
        return message
    assert {key: array.shape for key, array in arrays.items()} == SHAPES
    assert all(array.dtype == np.uint8 for array in arrays.values())
    return None


@st.composite
def data_files(draw: st.DrawFn) -> bytes:
    """Return a data file with members exchanged, cut or renamed, and bytes changed."""
    members = dict(SOUND)
    names = sorted(members)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(names))
        change = draw(st.sampled_from(["cut", "bytes", "lose", "rename", "shape", "type", "noise"]))
        whole = bytearray(SOUND[name])
        if change == "cut":
            members[name] = bytes(whole[: draw(st.integers(0, len(whole)))])
        elif change == "bytes":
            for place in draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
                whole[place] = draw(st.integers(0, 255))
            members[name] = bytes(whole)
        elif change == "shape":
            shape = draw(st.lists(st.integers(0, 5), max_size=5))
            members[name] = npy(np.zeros(shape, np.uint8, order=draw(st.sampled_from("CF"))))
        elif change == "type":
            kind = draw(st.sampled_from(["i1", "<f4", "O", "U3", "M8[s]", "?", "V4", "<u2", "u1,u1"]))
            members[name] = npy(np.zeros(SHAPES[name.removesuffix(".npy")], kind), allow_pickle=True)
        elif change == "noise":
            members[name] = draw(st.binary(max_size=100))
        elif (content := members.pop(name, None)) and change == "rename":
            members[draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300))] = content
    method = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]))
    file = bytearray(zipped(members, method))
    for place in draw(st.lists(st.integers(0, len(file) - 1), max_size=3)):
        file[place] = draw(st.integers(0, 255))
    return bytes(file[: draw(st.just(len(file)) | st.integers(0, len(file)))])


def data_file(examples: int, path: Path) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(data_files() | st.binary(max_size=100))
    def check(content: bytes) -> None:
        refusal(path, content)

    check()


@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:Reading `.npy`")
def test_any_damaged_data_file_is_arrays_or_a_sentence(tmp_path: Path) -> None:
    data_file(SHORT, tmp_path / "mnist.npz")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:Reading `.npy`")
def test_many_damaged_data_files_are_arrays_or_sentences(tmp_path: Path) -> None:
    data_file(LONG, tmp_path / "mnist.npz")


def header(shape: str, kind: str = "'|u1'") -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HUGE = b"\x00" * 2**26
BOMBS = {
    "a right array with much behind it": (SOUND["x_train.npy"] + HUGE, None),
    "a huge shape": (header(f"({10**15}, 4, 4)") + HUGE, "has shape (1000000000000000, 4, 4)"),
    "a shape beyond every integer": (
        header(f"({10**30}, 4, 4)"),
        "has shape (1000000000000000000000000000000",
    ),
    "a negative shape": (header("(-1, 4, 4)") + HUGE, "has shape (-1, 4, 4)"),
    "a shape of many numbers": (header(str((1,) * 1200)) + HUGE, "has shape (1, 1, 1"),
    "nothing but zeros": (HUGE, "cannot be read"),
    "a header of 64 MiB": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**26) + HUGE, "cannot be read"),
    "brackets in brackets": (header("(" * 3000), "cannot be read"),
    "objects": (header("(8, 4, 4)", "'|O'") + b"cos\nabort\n(tR." + HUGE, "and type object"),
    "a string as long as memory": (header("(8, 4, 4)", "'|S1000000000'") + HUGE, "type |S1000000000"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_holds_much_takes_little_memory(name: str, tmp_path: Path) -> None:
    member, expected = BOMBS[name]
    content = zipped({**SOUND, "x_train.npy": member})
    assert len(content) < 100_000
    tracemalloc.start()
    try:
        message = refusal(tmp_path / "mnist.npz", content)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    assert message is None if expected is None else message is not None and expected in message


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_knows_no_bounds_is_refused(method: int, tmp_path: Path) -> None:
    content = zipped({**SOUND, "x_train.npy": SOUND["x_train.npy"] + HUGE}, method)
    tracemalloc.start()
    try:
        message = refusal(tmp_path / "mnist.npz", content)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    assert message is not None
    assert "'x_train.npy' must be stored or deflated, as NumPy writes it" in message


def test_names_in_a_data_file_are_shown_short_and_on_one_line(tmp_path: Path) -> None:
    message = refusal(
        tmp_path / "mnist.npz", zipped({f"\x1b[31m{n}\n" + "a" * 60_000: b"" for n in range(9)})
    )
    assert message is not None
    assert "must hold 'x_train.npy', but it holds [31m0 aaa" in message


@pytest.mark.parametrize(
    "raised",
    [
        ValueError("two\nlines\x1b[2J"),
        RuntimeError("x" * 100_000),
        SystemExit("no\r\nway"),
        KeyError("\u2028"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_an_own_data_set_raises_is_one_line(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> Any:
        raise raised

    monkeypatch.setattr(own_data, "resolve", lambda name: load)
    with pytest.raises(InputError) as caught:
        own_data.own_arrays("mine:load")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


RETURNED = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
) | st.builds(
    lambda shape, kind: np.zeros(shape, kind),
    st.lists(st.integers(0, 6), max_size=5),
    st.sampled_from(["u1", "i8", "f8", "f2", "O", "U2", "c8", "?", "M8[s]", "V3"]),
)


@settings(max_examples=SHORT, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from([*SHAPES, "x_validation", "y_validation"]), RETURNED) | RETURNED)
def test_whatever_an_own_data_set_returns_is_arrays_or_a_sentence(returned: Any) -> None:
    sound = {
        key: np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) % 2 for key, shape in SHAPES.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_data, "resolve", lambda name: lambda: returned)
        if isinstance(returned, dict) and not returned.keys() - {*SHAPES, "x_validation", "y_validation"}:
            returned = {**sound, **returned}
        try:
            arrays = own_data.own_arrays("mine:load")
        except InputError as error:
            message = str(error)
            assert message.isprintable()
            assert message.endswith(".")
            assert "mine:load" in message
        else:
            assert own_data.own_card("mine:load", arrays).classes >= 2
