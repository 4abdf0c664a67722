"""Which parameters of runs from elsewhere are factors, and whether they are numbers, switches or names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.thresholds import MINIMUM_LEVELS
from analysis.summaries import joined, quantity_text
from study.errors import InputError
from study.foreign_runs import ForeignRuns, nearest, shown
from study.question import Factor
from study.training import Level, Status

MISSING = "missing"
"""The level of a run that has no value of a parameter."""
MAXIMUM_LISTED = 50
"""A number with more values is a range."""
MAXIMUM_NAMES = 20
"""A name with more values is matched but, unless it was asked for, has no rows."""
_LOG_RATIO = 100
_REPLICATE = re.compile(r"(^|[\W_])(seed|random_state|replicate|repetition|repeat|rep|fold)s?($|[\W_])", re.I)
_NO_VALUE = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
"""How writers put that a number or a switch has no value; among names `none` is a name."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.I)


def typed(values: pd.Series) -> pd.Series:
    """Return a parameter as numbers, switches or names.

    Where most values are numbers, or all are switches, words such as `none` and `nan` are missing values.

    Parameters
    ----------
    values : pandas.Series
        Text, or what a typed file holds; None, NaN and empty text are missing.

    Returns
    -------
    pandas.Series
        `int64`, `float64` or `bool` where every run has such a value, else text (dtype `str`), with
        `missing` for a missing value.
    """
    text = values.map(_text).astype("str")
    without = text.str.lower().isin(_NO_VALUE).to_numpy()
    known = text[~without]
    switches = len(known) > 0 and bool(known.str.lower().isin(["true", "false"]).all())
    missing = without if switches or _mostly_numbers(known) else (text == "").to_numpy()
    distinct = text[~missing].unique()
    if missing.any() or not len(distinct):
        return text.mask(missing, MISSING)
    if switches:
        return text.str.lower() == "true"
    if not all(map(_is_number, distinct)):
        return text
    numbers = text.astype("float64")
    if not np.isfinite(numbers).all():
        return text
    whole = all(each.lstrip("+-").isdigit() for each in distinct) and bool((numbers.abs() < 2**53).all())
    return numbers.astype("int64") if whole else numbers


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _mostly_numbers(known: pd.Series) -> bool:
    """Return whether more than half of the values are numbers."""
    return 2 * sum(map(_is_number, known)) > len(known)


def _in_order(level: Level) -> tuple[int, float, str]:
    """Return where a level stands: numbers by size, then names by letters, the missing one last."""
    if not isinstance(level, str):
        return 0, float(level), ""
    if _is_number(level):
        return 0, float(level), level
    return 2 if level == MISSING else 1, 0.0, level


def _text(value: object) -> str:
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value).strip()


def names_of(values: pd.Series) -> pd.Series:
    """Return the values of the treatment as names."""
    return values.map(_text).astype("str")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The factors with their values.

    Parameters
    ----------
    factors : tuple of Factor
        In the order in which they were given; by name where all were taken.
    levels : pandas.DataFrame
        A row per run and a column per factor.
    remarks : tuple of str
        How they were chosen, a sentence each.
    """

    factors: tuple[Factor, ...]
    levels: pd.DataFrame
    remarks: tuple[str, ...]


def chosen_factors(
    runs: ForeignRuns, names: Sequence[str] | None, treatment: pd.Series, replicate: str | None
) -> Chosen:
    """Return the factors that were asked for, or else every parameter that varies.

    Parameters
    ----------
    runs : ForeignRuns
        What was read.
    names : sequence of str or None
        The factors; None for every parameter that varies beside treatment and replicate. Of these are
        left out those that follow from the treatment (each of its values has one of theirs), and names
        of which nearly every run has its own.
    treatment : pandas.Series
        Value of the treatment of each run; its name is the parameter's.
    replicate : str or None
        The parameter that tells replicates apart.

    Raises
    ------
    InputError
        If a factor is unknown or does not vary, or what looks like a seed varies and no replicate is named.
    """
    parameters = runs.parameters
    if names is not None:
        for name in names:
            _check_factor(name, names, parameters, str(treatment.name), replicate)
        values = {name: typed(parameters[name]) for name in names}
        single = [name for name, value in values.items() if value.nunique() < 2]
        if single:
            raise InputError(
                f"a factor needs at least two levels, and {single[0]!r} is {values[single[0]].iloc[0]} in "
                "every run; leave it out of --factors."
            )
        return _chosen(values, _gaps(values, runs))
    kept: dict[str, pd.Series] = {}
    left_out: list[str] = []
    for name in sorted(map(str, parameters.columns)):
        value = typed(parameters[name])
        known = value.loc[value != MISSING] if value.dtype == "str" else value
        if name in (treatment.name, replicate) or len(known.unique()) < 2:
            continue
        seed = _REPLICATE.search(name) is not None
        if _follows(value, treatment):
            left_out.append(f"{name} (follows from {treatment.name})")
        elif value.dtype == "str" and len(known) > 2 and known.nunique() > 0.9 * len(known):
            left_out.append(f"{name} (each run has its own)")
        elif seed and replicate is not None and _follows(value, parameters[replicate]):
            left_out.append(f"{name} (follows from {replicate})")
        elif seed:
            raise InputError(
                f"the parameter {name!r} varies and looks like what tells replicates apart; add "
                f"--replicate {name}, or say with --factors which parameters are factors."
            )
        else:
            kept[name] = value
    remarks = [
        "Factors: every parameter that varies between the runs"
        + (f", but for {joined(left_out)}." if left_out else ".")
    ]
    many = [name for name, value in kept.items() if value.dtype == "str" and value.nunique() > MAXIMUM_NAMES]
    if many:
        remarks.append(
            f"{joined(many)}: more than {MAXIMUM_NAMES} names, so runs are matched by them without rows."
        )
    return _chosen(kept, [*remarks, *_gaps(kept, runs)], without_rows=many)


def _gaps(values: Mapping[str, pd.Series], runs: ForeignRuns) -> list[str]:
    """Return which factors some runs do not have, as a run that failed early, and what that makes of them."""
    failed = np.isnan(runs.metric) | (runs.status != Status.OK.value)
    parts: list[str] = []
    for name, value in values.items():
        missing = (value == MISSING).to_numpy() if value.dtype == "str" else np.zeros(len(value), dtype=bool)
        if missing.any():
            size = quantity_text(int(missing.sum()), "runs")
            parts.append(f"{name} ({size}, {(missing & failed).sum()} of them failed)")
    given = [f"Not given: {joined(parts)}; {MISSING!r} is a level of its own."] if parts else []
    return [*given, *filter(None, (_no_number(name, value) for name, value in values.items()))]


def _no_number(name: str, value: pd.Series) -> str:
    """Return why a factor of numbers enough for a threshold is taken as names; empty for any other."""
    if value.dtype != "str":
        return ""
    known = value[value != MISSING]
    number = np.array(list(map(_is_number, known)), dtype=bool)
    if known[number].nunique() < MINIMUM_LEVELS or not _mostly_numbers(known):
        return ""
    others = known[~number]
    other = str(others.iloc[0]) if len(others) else MISSING
    size = quantity_text(int((value == other).sum()), "runs")
    return (
        f"{name} is taken as names, so no threshold is sought along it: {shown(other)} ({size}) is not a "
        "number."
    )


def _follows(value: pd.Series, by: pd.Series) -> bool:
    return bool(value.groupby(by).nunique().max() == 1)


def _check_factor(
    name: str, names: Sequence[str], parameters: pd.DataFrame, treatment: str, replicate: str | None
) -> None:
    if name in (treatment, replicate):
        role = "treatment" if name == treatment else "replicate"
        raise InputError(f"{name!r} is the {role} and cannot be a factor as well; leave it out of --factors.")
    if list(names).count(name) > 1:
        raise InputError(f"--factors names {name!r} twice; leave one out.")
    if name not in parameters:
        raise InputError(
            f"no run has the parameter {name!r} of --factors; {nearest(name, map(str, parameters.columns))}"
        )
    if replicate is None and _REPLICATE.search(name):
        raise InputError(
            f"{name!r} of --factors looks like what tells replicates apart, and as a factor it would make "
            f"of every repetition independent evidence; give it as --replicate {name} instead, or rename it "
            "if it is a setting."
        )


def _chosen(values: dict[str, pd.Series], remarks: Sequence[str], without_rows: Sequence[str] = ()) -> Chosen:
    factors: list[Factor] = []
    columns: dict[str, pd.Series] = {}
    for name, value in values.items():
        role = "nuisance" if name in without_rows else "condition"
        levels: list[Level] = sorted(value.unique().tolist(), key=_in_order)
        if value.dtype.kind in "if" and len(levels) > MAXIMUM_LISTED:
            low, high = float(levels[0]), float(levels[-1])
            log = low > 0 and high / low >= _LOG_RATIO
            factors.append(Factor(name=name, role=role, low=low, high=high, log=log))
            columns[name] = value.astype("float64")
            continue
        factors.append(Factor(name=name, role=role, levels=tuple(levels)))
        columns[name] = value
    return Chosen(
        factors=tuple(factors),
        levels=pd.DataFrame(columns, index=next(iter(columns.values())).index if columns else None),
        remarks=tuple(remarks),
    )
