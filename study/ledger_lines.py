"""The lines of a ledger: `<crc32 of the JSON, 8 hex digits> <canonical JSON>`, appended and never changed.

A driver that is killed while writing leaves a last line that is torn: it is recognised by its
missing newline or wrong checksum and dropped. A bad line anywhere else is damage.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from json import loads
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.training import canonical_json


def encode(value: Any) -> bytes:
    """Return one line: checksum, canonical JSON, newline."""
    body = canonical_json(value).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode(line: bytes) -> Any:
    """Return the value of one line without its newline, or None where the checksum says otherwise."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        return loads(body)
    except (ValueError, RecursionError):
        return None


def whole_lines(path: Path, advice: Callable[[bytes, int], str]) -> Iterator[tuple[Any, int, bytes]]:
    """Yield each whole line's value, its number and its bytes; stop before a torn last line.

    Parameters
    ----------
    path : Path
        Ledger or learning curves.
    advice : callable
        Says what to do about a damaged line with a number.

    Raises
    ------
    InputError
        If a line other than the last one is damaged, or the file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); restore the file from a copy.") from None
    with file:
        for number, line in enumerate(file, start=1):
            value = decode(line.removesuffix(b"\n")) if line.endswith(b"\n") else None
            if value is None:
                if file.read(1):
                    raise InputError(
                        f"{path}, line {number} is damaged (its checksum does not match); "
                        f"restore the file from a copy{advice(line, number)}."
                    )
                return
            yield value, number, line


def cut_torn_line(path: Path) -> None:
    """Truncate `path` to its last whole line; lines before the last one are not looked at."""
    if path.exists():
        content = path.read_bytes()
        end = content.rfind(b"\n") + 1
        last = content.rfind(b"\n", 0, max(0, end - 1)) + 1
        if end and decode(content[last : end - 1]) is None:
            end = last
        if end < len(content):
            with path.open("r+b") as file:
                file.truncate(end)
                os.fsync(file.fileno())
