"""Programs with all that they start, which end when whoever started them does, however that ends.

As a program of its own (`python process_groups.py`) this file is the guard: it reads the numbers of groups,
and stops them when its input ends. The system closes the other end of that pipe even for a process that
gets SIGKILL. The guard needs the standard library alone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Self

_GRACE = 10.0
"""Seconds that a program has to stop by itself."""


class ProcessGroups:
    """Starts programs, each in a session and a group of its own, and stops them at the end of `with`.

    Ctrl-C in the terminal reaches none of them. Where this process is killed, the guard stops them.
    """

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._guard = subprocess.Popen(
            [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        return self

    def start(self, command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]) -> None:
        """Start a program; what it prints goes to `output`."""
        assert self._guard.stdin is not None
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        self.running.append(process)
        self._guard.stdin.write(b"%d\n" % process.pid)
        self._guard.stdin.flush()

    def __exit__(self, *_: object) -> None:
        _stop([process.pid for process in self.running], self._take_exits)
        for process in self.running:
            process.wait()
        assert self._guard.stdin is not None
        self._guard.kill()  # before its input ends: the numbers may be given to others soon
        self._guard.wait()
        self._guard.stdin.close()

    def _take_exits(self) -> None:
        """Take the exits of leaders, without which their groups would stay."""
        for process in self.running:
            process.poll()


def _stop(groups: Sequence[int], take_exits: Callable[[], None] = lambda: None) -> None:
    """Stop the groups with all that is in them: a leader may end before its group does."""
    for group in groups:
        _signal(group, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline:
        take_exits()
        if not any([_signal(group, 0) for group in groups]):
            return
        time.sleep(0.1)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send a signal and return whether there was anyone to take it."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
        return True
    return False


def _guard(lines: Iterable[str]) -> None:
    _stop([int(line) for line in lines])


if __name__ == "__main__":
    _guard(sys.stdin)
