"""What can be done about a line of a ledger that cannot be used, by what can still be read of it."""

import re

_MADE_AGAIN = {
    "training": "its training will be done again",
    "check": "the reference engine will repeat its training again",
    "split": "how much fits into the memory will be found again",
    "stop": "whether the sweep may stop early will be found again",
}
"""What becomes of the lines that may be deleted, by their kind."""
_HELD = {
    "header": "the environment of the results",
    "question": "the question of the sweep",
    "reference": "the environment of the repeated trainings",
}
"""What the lines hold that cannot be made again, by their kind."""
_FIRST_KINDS = {1: "header", 2: "question"}
"""Kinds of the lines that every ledger begins with."""
_KIND = re.compile(rb'"kind":"([a-z]+)"')
_INDEX = re.compile(rb'"index":(\d+)')


def ledger_advice(line: bytes, number: int) -> str:
    """Return what else can be done about a damaged line of a ledger, by what can still be read of it.

    Two lines that have become one, by a damaged end, are treated as the worse of them.
    """
    kinds = {found.decode() for found in _KIND.findall(line)}
    if not kinds and number in _FIRST_KINDS:
        kinds = {_FIRST_KINDS[number]}
    if not kinds or kinds - {*_MADE_AGAIN, *_HELD, "configuration"}:
        return ", as what the line held cannot be told; without a copy, give the spec another name"
    if lost := [what for kind, what in _HELD.items() if kind in kinds]:
        return f", as the line held {lost[0]}; without a copy, give the spec another name"
    if kinds <= _MADE_AGAIN.keys():
        return f", or delete that line: {' and '.join(_MADE_AGAIN[kind] for kind in sorted(kinds))}"
    index = _INDEX.search(line)
    return f", or delete that line{with_its_trainings(index[1].decode() if index else 'N')}"


def with_its_trainings(index: int | str) -> str:
    """Return how the trainings of a configuration without its line are deleted."""
    return (
        f' and every training of its configuration (lines with "kind":"training" and "index":{index}), '
        "which will be done again"
    )


def curve_advice(line: bytes, number: int) -> str:
    """Return what else can be done about a damaged line of the learning curves."""
    del line, number
    return ", or delete that line: no result is lost, and the report will be without that learning curve"
