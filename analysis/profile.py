"""A profiled factor in the analysis: from every training to the rows that are compared.

Each activation of a block is trained at every level of the factor and counts with the level that did best on
validation. Pairs, verdicts, gates and all else are about those rows; this is the one place that makes them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.levels import number_text
from study.profile import best_tries
from study.question import Question
from study.training import Status

MOSTLY = 0.5
"""Share of the blocks from which on a level at the end of the list is worth a word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfiledLevel:
    """How one activation did at one level of the profiled factor.

    Parameters
    ----------
    parameter : str
        The factor.
    activation : str
        Canonical name.
    level : float
        The level, a multiple of the optimizer's base rate where `relative`.
    relative : bool
        See `level`.
    trainings, failed : int
        Trainings at that level, and those of them that did not end with a result.
    chosen : int
        Blocks in which it was the level with the best validation score. A block in which every level
        failed, or one has a machine fault, has none.
    """

    parameter: str
    activation: str
    level: float
    relative: bool
    trainings: int
    failed: int
    chosen: int


def best_rows(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return the rows that are compared: one per block and activation.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`.
    question : Question
        What is asked. Without a profiled factor every row is compared.

    Returns
    -------
    pandas.DataFrame
        Rows of `runs` in their order; see `study.profile.best_tries` for which. Where a level is missing
        there is no row, as nothing fair can be chosen yet.
    """
    if question.profile is None:
        return runs
    fixed = runs.loc[~runs["adaptive"]]
    places = best_tries(
        question,
        zip(fixed["block"], fixed["activation"], strict=True),
        fixed[question.profile.name],
        fixed["status"],
        fixed[question.chosen_by],
    )
    return fixed.iloc[np.array(places, dtype="int64")]


def profiled_levels(runs: pd.DataFrame, best: pd.DataFrame, question: Question) -> tuple[ProfiledLevel, ...]:
    """Return how each level did, activation by activation, focus first; empty without a profiled factor.

    Parameters
    ----------
    runs, best : pandas.DataFrame
        Every training, and what `best_rows` made of them.
    question : Question
        What is asked.
    """
    profile = question.profile
    if profile is None:
        return ()
    fixed = runs.loc[~runs["adaptive"]]
    keys = ["activation", profile.name]
    trained = fixed.groupby(keys).size()
    failed = fixed.loc[fixed["status"] != Status.OK.value].groupby(keys).size()
    chosen = best.loc[best["status"] == Status.OK.value].groupby(keys).size()
    return tuple(
        ProfiledLevel(
            parameter=profile.name,
            activation=activation,
            level=float(level),
            relative=profile.relative,
            trainings=int(trained.get((activation, level), 0)),
            failed=int(failed.get((activation, level), 0)),
            chosen=int(chosen.get((activation, level), 0)),
        )
        for activation in question.activations
        for level in profile.levels or ()
    )


def level_words(one: ProfiledLevel) -> str:
    """Return a level as people read it."""
    return f"{'× ' if one.relative else ''}{number_text(one.level)}"


def profile_line(levels: tuple[ProfiledLevel, ...]) -> str:
    """Return what is compared, a sentence for the head of a table; empty without a profiled factor."""
    if not levels:
        return ""
    count, name = len({one.level for one in levels}), levels[0].parameter.replace("_", " ")
    return f"Each activation at its best of {count} {name}s, chosen on validation."


def profile_notes(levels: tuple[ProfiledLevel, ...], metric: str) -> list[str]:
    """Return how a table of a profiled factor is to be read, and which activation wants a longer list."""
    if not levels:
        return []
    name = levels[0].parameter.replace("_", " ")
    found = [
        f"In every block each activation is trained at each {name} under the same random numbers, and its "
        f"{metric} is compared at the one with the best validation score. So verdicts are about activations "
        f"whose {name} is chosen from this list in this way; one that lacks a {name} or met a machine fault "
        "there is left out of its block."
    ]
    ends = {pick(one.level for one in levels) for pick in (min, max)}
    for one in levels:
        blocks = sum(other.chosen for other in levels if other.activation == one.activation)
        if one.level in ends and blocks and one.chosen / blocks >= MOSTLY:
            found.append(
                f"{one.activation} does best at the end of the list, {level_words(one)}, in "
                f"{one.chosen / blocks * 100:.0f} % of the blocks; a {name} beyond it may serve it better."
            )
    return found
