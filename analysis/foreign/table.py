"""The criteria table of runs that this tool did not write: read, asked, and told how they were taken."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.criteria import CriteriaTable, criteria_table
from analysis.foreign.frame import Ask, foreign_frame
from analysis.foreign.run_files import read_file
from analysis.summaries import joined
from study.errors import InputError
from study.foreign_runs import ForeignRuns

_NEEDED = ("treatment", "focus", "metric", "delta")


def ask_of(options: Mapping[str, Any]) -> Ask:
    """Return the question that the options of the command line ask.

    Parameters
    ----------
    options : dict of str to object
        Fields of `Ask`; None for an option that was not given, the factors as text with commas.

    Raises
    ------
    InputError
        If one is missing that has no default.
    """
    missing = [f"--{name}" for name in _NEEDED if options[name] is None]
    if missing:
        why = ": the smallest difference that matters, in the metric's unit, chosen before looking"
        why = why if "--delta" in missing else ""
        raise InputError(f"for runs of your own table needs {joined(missing)} as well{why}.")
    given = options["factors"]
    factors = None if given is None else tuple(filter(None, map(str.strip, given.split(","))))
    return Ask(**{**options, "factors": factors})


def table_of_file(path: Path, ask: Ask, *, strict: bool = False) -> CriteriaTable:
    """Return the table of the runs in a CSV or Parquet file.

    Raises
    ------
    InputError
        If the file or the question is not right, or no factors are named: a file has columns of many kinds.
    """
    if ask.factors is None:
        raise InputError(
            "--runs needs --factors, since a file does not say which of its columns are settings; name them "
            'with commas between, or give --factors "" where all runs have the same.'
        )
    further = [*ask.factors, *([ask.replicate] if ask.replicate is not None else [])]
    return table_of_runs(read_file(path, ask.treatment, ask.metric, further), ask, strict=strict)


def table_of_runs(runs: ForeignRuns, ask: Ask, *, strict: bool = False) -> CriteriaTable:
    """Return the table of runs that were read; its notes begin with what was read and how it was taken.

    Raises
    ------
    InputError
        If the question does not fit the runs.
    """
    foreign = foreign_frame(runs, ask)
    made = criteria_table(foreign.frame, foreign.question, strict=strict, chance=ask.chance)
    return dataclasses.replace(made, notes=(*foreign.remarks, *made.notes))
