"""An activation against itself: how often the table would name a winner where there is none.

The trainings of one activation are split at random into two arms, and both go through the criteria table
as if they were two activations. Whatever it says other than "ties" or "not enough evidence" is false.
"""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.criteria import CriteriaTable, criteria_table
from analysis.frame import check_runs, sorted_runs, unit_of
from analysis.profile import best_rows
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS
from analysis.statistics.pairs import ended
from analysis.statistics.shares import Share, share
from study.errors import InputError
from study.question import Question

ARMS = ("first arm", "second arm")


@dataclass(frozen=True, kw_only=True, slots=True)
class RowShares:
    """How often one row of the table had each verdict.

    Parameters
    ----------
    parameter, level : str or None
        The row; both None for the headline.
    units : int
        Independent units of the row in every repeat; with fewer than `MINIMUM_UNITS` it has no verdict.
    named : Share
        Wins or loses: a false verdict.
    wins, loses, ties, not_enough_evidence : Share
        Of the repeats; they add up to 1.
    """

    parameter: str | None
    level: str | None
    units: int
    named: Share
    wins: Share
    loses: Share
    ties: Share
    not_enough_evidence: Share


@dataclass(frozen=True, kw_only=True, slots=True)
class AgainstItself:
    """What the table says of an activation against itself.

    Parameters
    ----------
    name : str
        The sweep.
    activation : str
        Whose trainings were split.
    design : {"ofat", "paired"}
        Of the sweep.
    metric, unit : str
        What is compared, and its unit.
    delta : float
        Smallest difference that matters, in that unit.
    nominal : float
        Share of tables with a false verdict that each family of rows allows itself.
    strict : bool
        Whether the level rows were adjusted by Holm.
    repeats, seed : int
        Number of random splits, and what decides them.
    configurations, trainings : int
        Configurations that could be split, and the trainings that are in each table.
    headline : RowShares
        The row over every configuration.
    levels : tuple of RowShares
        The rows of the levels, in the order of the table.
    any_level : Share or None
        Tables in which at least one level wins or loses; None where no level has units enough.
    any_gate : Share or None
        Tables that say of at least one factor that it matters; None without a tested factor.
    """

    name: str
    activation: str
    design: Literal["ofat", "paired"]
    metric: str
    unit: str
    delta: float
    nominal: float
    strict: bool
    repeats: int
    seed: int
    configurations: int
    trainings: int
    headline: RowShares
    levels: tuple[RowShares, ...]
    any_level: Share | None
    any_gate: Share | None


def arms(own: pd.DataFrame, question: Question, rng: np.random.Generator) -> pd.DataFrame:
    """Split the replicates of each configuration at random into two arms.

    Parameters
    ----------
    own : pandas.DataFrame
        Rows of one activation in a runs frame of `question`, one per block.
    question : Question
        Says what a unit is.
    rng : numpy.random.Generator
        Decides every split.

    Returns
    -------
    pandas.DataFrame
        A runs frame of two activations, `ARMS`. A block holds one training of either arm. They share the
        configuration and no random numbers. Of an odd number of replicates one is left out at random.
    """
    shuffled = own.iloc[rng.permutation(len(own))]
    groups = shuffled.groupby("configuration", sort=False)
    place, size = groups.cumcount(), groups["block"].transform("size")
    pair = (place // 2).astype("int64")
    configuration = shuffled["configuration"]
    block = configuration + "-" + pair.astype("str")
    units = [unit_of(question.design, *names) for names in zip(configuration, block, strict=True)]
    arm = np.where(place % 2 == 0, *ARMS)
    made = shuffled.assign(replicate=pair, block=block, unit_id=units, activation=arm)
    return made.loc[pair < size // 2].reset_index(drop=True)


def against_itself(
    runs: pd.DataFrame,
    question: Question,
    *,
    activation: str | None = None,
    repeats: int = 200,
    seed: int = 0,
    chance: float | None = None,
    strict: bool = False,
) -> AgainstItself:
    """Make the criteria table of an activation against itself, again and again, and count what it says.

    Parameters
    ----------
    runs : pandas.DataFrame
        What `analysis.frame.runs_frame` returned.
    question : Question
        What was asked, with replicates.
    activation : str or None
        One of the question's; None for the focus.
    repeats : int
        Number of random splits, at least 1.
    seed : int
        Decides them.
    chance : float or None
        Value of the metric from guessing, in its unit.
    strict : bool
        Adjust the level rows by Holm.

    Raises
    ------
    InputError
        If the design has no replicates to split (`tuned`), the activation is none of the sweep's, or
        too few replicates ended for any verdict.

    Notes
    -----
    Two arms of one activation differ by nothing but random numbers, so the verdicts of the table are
    false by construction, whatever the trainings are worth and however they are distributed. Given the
    trainings, the splits are independent draws, and the intervals are about all splits of these
    trainings. They say nothing of how another sweep would have come out.
    """
    check_runs(runs, question)
    activation = question.focus if activation is None else activation
    if question.design not in ("ofat", "paired"):
        raise InputError(
            f"aa splits the replicates of a configuration, and the design {question.design} has none; "
            "name a sweep of the design ofat or paired."
        )
    if activation not in question.activations:
        raise InputError(
            f"--activation takes one of {', '.join(question.activations)}, and {activation!r} was given; "
            "name one of those."
        )
    compared = best_rows(sorted_runs(runs, question), question)
    kept = ~compared["adaptive"] & ended(compared["status"]) & (compared["activation"] == activation)
    own = compared.loc[kept]
    halves = own.groupby("configuration").size() // 2
    possible = int(halves.sum() if question.design == "ofat" else (halves > 0).sum())
    if possible < MINIMUM_UNITS:
        what = "pairs of replicates" if question.design == "ofat" else "configurations with two replicates"
        raise InputError(
            f"aa needs at least {MINIMUM_UNITS} {what} of {activation} for any verdict, and the sweep "
            f"{question.name!r} has {possible}; raise replicates in its spec, and run the spec again."
        )
    rng = np.random.default_rng(seed)
    tables: list[CriteriaTable] = []
    for _ in range(repeats):
        split = arms(own, question, rng)
        asked = dataclasses.replace(
            question,
            focus=ARMS[0],
            rivals=ARMS[1:],
            profile=None,
            planned_configurations=split["configuration"].nunique(),
            planned_trainings=len(split),
        )
        tables.append(criteria_table(split, asked, chance=chance, strict=strict))
    first = tables[0]
    headline, *levels = (
        _row_shares([(*table.headline, *table.levels)[place] for table in tables])
        for place in range(1 + len(first.levels))
    )
    decidable = any(row.units >= MINIMUM_UNITS for row in levels)
    named = [any(row.verdict in _NAMED for row in table.levels) for table in tables]
    tested = any(gate.p_adjusted is not None for gate in first.gates)
    opened = [any(gate.matters for gate in table.gates) for table in tables]
    return AgainstItself(
        name=question.name,
        activation=activation,
        design=question.design,
        metric=question.metric,
        unit=question.unit,
        delta=question.delta,
        nominal=ALPHA,
        strict=strict,
        repeats=repeats,
        seed=seed,
        configurations=first.configurations,
        trainings=first.trainings,
        headline=headline,
        levels=tuple(levels),
        any_level=share(sum(named), repeats) if decidable else None,
        any_gate=share(sum(opened), repeats) if tested else None,
    )


_NAMED = (Verdict.WINS, Verdict.LOSES)


def _row_shares(rows: list[Comparison]) -> RowShares:
    """Return the shares of one row of the table over the repeats."""
    counts = Counter(row.verdict for row in rows)
    shares = {verdict.value: share(counts[verdict], len(rows)) for verdict in Verdict}
    return RowShares(
        parameter=rows[0].parameter,
        level=rows[0].level,
        units=rows[0].units,
        named=share(sum(counts[verdict] for verdict in _NAMED), len(rows)),
        **shares,
    )
