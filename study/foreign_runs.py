"""Runs that this tool did not write, as they were read: a row per run, before anything is typed or asked."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

MAXIMUM_RUNS = 200_000
"""More are not read into memory."""

_LONGEST_SHOWN = 40

UNFINISHED = frozenset({"running", "scheduled", "killed"})
"""MLflow's statuses of runs that came to no end of their own: how they would have ended is not known."""


@dataclass(frozen=True, slots=True)
class ForeignRuns:
    """What was read from an experiment or a file.

    Parameters
    ----------
    source : str
        Where from, for people, without credentials.
    name : str
        A short name of it.
    parameters : pandas.DataFrame
        A row per run, indexed from 0, and a column per parameter: text, or what a typed file holds;
        missing where a run has none. The treatment is there in every row.
    metric : numpy.ndarray of float, shape (runs,)
        As it was logged; NaN where there is none, or where it is not finite.
    status : numpy.ndarray of str, shape (runs,)
        `ok`, or in the words of the source how the run failed.
    remarks : tuple of str
        What was left out and how many, a sentence each.
    """

    source: str
    name: str
    parameters: pd.DataFrame
    metric: np.ndarray
    status: np.ndarray
    remarks: tuple[str, ...]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the fix for an unknown name: the nearest known one, else all of them, a dozen at most."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {shown(close[0])}?"
    some = ", ".join(map(shown, names[:12]))
    return f"choose one of {some}{' ...' if len(names) > 12 else ''}." if names else "there is none."


def shown(text: str) -> str:
    """Return what a run holds in quotes, on one line and not longer than 40 characters of it."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def left_out_remark(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a sentence on the runs that were left out, by reason; none where there are none."""
    parts = [f"{count} {reason}" for reason, count in counts.items() if count]
    return (f"Runs left out: {', '.join(parts)}.",) if parts else ()
