"""The `tuned` design: who wins when each activation is tuned, and what each search found.

Every setting was chosen after seeing results, so nothing here enters the paired comparison of equal
settings. Two questions are kept apart. Which of two *winners* is better is answered by training both on
fresh seeds. Whether tuning ends better with one activation than with the other is about the search as a
whole, and its unit is one whole repeat: a search that is done once is one observation.
"""

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from analysis.statistics.compare import Comparison, comparisons
from analysis.statistics.estimates import rounded
from analysis.statistics.levels import level_text
from analysis.statistics.pairs import pairs
from study.question import Question
from study.training import Level, Status


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedBest:
    """The winner of one search: the best trial of one activation by validation.

    Parameters
    ----------
    repeat : int
        Repeat of the whole search, from 1.
    activation : str
        Canonical name.
    trials : int
        Its first trials that were compared: as many as every activation has in that repeat. With halving all
        of them, once every activation has its last rung.
    failed : int
        Those among them that did not end with a result, with halving at any rung.
    configuration : str or None
        Digest of the best configuration; None where no trial ended with a result.
    levels : dict of str to Level
        Its levels in the order of the spec, unrounded.
    setting : str
        The levels as text; empty where there are none.
    selection : float or None
        What the trial was chosen by, see `Question.chosen_by`.
    score : float or None
        The question's metric of that same trial.
    confirmed, confirmed_failed : int
        Trainings of the winner on fresh seeds, and those among them that did not end with a result.
    mean, low, high : float or None
        The question's metric over those that did, and its 95 % t interval; of a single one only the mean.
    """

    repeat: int
    activation: str
    trials: int
    failed: int
    configuration: str | None
    levels: Mapping[str, Level]
    setting: str
    selection: float | None
    score: float | None
    confirmed: int
    confirmed_failed: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedVerdict:
    """The focus against one rival when both are tuned.

    Parameters
    ----------
    rival : str
        The rival.
    searches : Comparison
        Whether the focus wins tuned. Its unit is one repeat of the whole search: the difference of the two
        winners of that repeat on fresh seeds.
    winners : Comparison or None
        Which of the two winners is better, its unit a fresh seed; about these two settings and no other.
        None where the search was repeated.
    """

    rival: str
    searches: Comparison
    winners: Comparison | None


def placed(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return a frame of the design `tuned` with `repeat`, `rung` and `trial`, -1 for a confirmation."""
    assert question.tuning is not None
    places = [question.tuning.place(int(index)) for index in runs["index"]]
    return runs.assign(
        repeat=[place.repeat for place in places],
        rung=[place.rung for place in places],
        trial=[-1 if place.trial is None else place.trial for place in places],
    )


def equal_trials(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return the first trials of each repeat, as many as every activation has without a gap.

    With halving they are those of the last rung, of the repeats in which every activation has all of it:
    which trials came so far is known of whole rungs alone.

    Parameters
    ----------
    runs : pandas.DataFrame
        From `placed`.
    question : Question
        What is asked.

    Returns
    -------
    pandas.DataFrame
        Sorted by activation in the order of the question, repeat and trial.
    """
    assert question.tuning is not None
    order = {name: place for place, name in enumerate(question.activations)}
    last, needed = question.tuning.rungs - 1, question.tuning.rung_trials[-1]
    trials = runs.loc[(runs["trial"] >= 0) & (runs["rung"] == last)]
    trials = trials.assign(place=trials["activation"].map(order)).sort_values(["place", "repeat", "trial"])
    whole = trials
    if not last:  # the n-th trial of a search has the number n where none before it is missing
        whole = trials.loc[trials["trial"] == trials.groupby(["repeat", "activation"]).cumcount()]
    counts = whole.groupby(["repeat", "activation"]).size()
    every = pd.MultiIndex.from_product([sorted(set(trials["repeat"])), question.activations])
    budget = counts.reindex(every, fill_value=0).groupby(level=0).min()
    known = trials["repeat"].map(budget).fillna(0)
    return trials.loc[known == needed if last else trials["trial"] < known].drop(columns="place")


def tuned_bests(runs: pd.DataFrame, question: Question) -> tuple[TunedBest, ...]:
    """Return the winner of each search, chosen on validation, at equal budget.

    Parameters
    ----------
    runs : pandas.DataFrame
        From `placed`, sorted.
    question : Question
        What is asked.

    Returns
    -------
    tuple of TunedBest
        Repeat by repeat, focus first. The first of equally good trials counts.
    """
    assert question.tuning is not None
    keys = ["repeat", "activation"]
    compared = equal_trials(runs, question)
    whole = compared
    if question.tuning.halving is not None:
        whole = runs.loc[(runs["trial"] >= 0) & runs["repeat"].isin(compared["repeat"])]
    parts = [dict(iter(part.groupby(keys))) for part in (compared, whole, runs.loc[runs["trial"] < 0])]
    nothing = runs.head(0)
    found: list[TunedBest] = []
    for search in itertools.product(sorted(set(runs["repeat"])) or [0], question.activations):
        last, every, fresh = (part.get(search, nothing) for part in parts)
        found.append(_best(last, every, fresh, *search, question))
    return tuple(found)


def _best(
    last: pd.DataFrame,
    every: pd.DataFrame,
    fresh: pd.DataFrame,
    repeat: int,
    activation: str,
    question: Question,
) -> TunedBest:
    """Return the winner among the trials of the last rung; `every` has those of all rungs."""
    chosen = None
    if bool((last["status"] == Status.OK.value).any()):
        chosen = last.iloc[question.ranked(last["status"], last[question.chosen_by])[0]]
    levels: dict[str, Level] = {}
    for factor in question.factors if chosen is not None else ():
        value = chosen[factor.name]  # pyright: ignore[reportOptionalSubscript]
        levels[factor.name] = value.item() if hasattr(value, "item") else value
    texts = [
        f"{factor.name} {level_text(levels[factor.name])}{' × base' if factor.relative else ''}"
        for factor in question.factors
        if levels
    ]
    scores = fresh.loc[fresh["status"] == Status.OK.value, question.metric].to_numpy("float64")
    mean = float(scores.mean()) if len(scores) else float("nan")
    half = float("nan")
    if len(scores) > 1:
        half = float(special.stdtrit(len(scores) - 1, 0.975) * scores.std(ddof=1) / np.sqrt(len(scores)))
    return TunedBest(
        repeat=repeat + 1,
        activation=activation,
        trials=every["trial"].nunique(),
        failed=every.loc[every["status"] != Status.OK.value, "trial"].nunique(),
        configuration=None if chosen is None else str(chosen["configuration"]),
        levels=levels,
        setting=", ".join(texts),
        selection=None if chosen is None else rounded(float(chosen[question.chosen_by])),
        score=None if chosen is None else rounded(float(chosen[question.metric])),
        confirmed=len(fresh),
        confirmed_failed=len(fresh) - len(scores),
        mean=rounded(mean),
        low=rounded(mean - half),
        high=rounded(mean + half),
    )


def tuned_verdicts(
    runs: pd.DataFrame, question: Question, *, chance: float | None
) -> tuple[TunedVerdict, ...]:
    """Compare the focus with every rival when both are tuned.

    Parameters
    ----------
    runs : pandas.DataFrame
        From `placed`.
    question : Question
        What is asked.
    chance : float or None
        Value of the metric from guessing, in its unit.

    Returns
    -------
    tuple of TunedVerdict
        One per rival, p-values adjusted by Holm over the rivals. Confirmations are paired by their number:
        where two winners have the same setting they share all random numbers, elsewhere the pairs are
        independent trainings, and the interval is right in both cases.
    """
    assert question.tuning is not None
    fresh = runs.loc[runs["trial"] < 0]
    repeat = fresh["repeat"].astype("str")
    seed = repeat + "-" + fresh["replicate"].astype("str")
    searches = _compared(fresh, question, unit=repeat, block=seed, chance=chance)
    winners: tuple[Comparison | None, ...] = (None,) * len(searches)
    if question.tuning.repeats == 1:
        winners = _compared(fresh, question, unit=seed, block=seed, chance=chance)
    return tuple(
        TunedVerdict(rival=rival, searches=one, winners=other)
        for rival, one, other in zip(question.rivals, searches, winners, strict=True)
    )


def _compared(
    fresh: pd.DataFrame, question: Question, *, unit: pd.Series, block: pd.Series, chance: float | None
) -> tuple[Comparison, ...]:
    """Compare confirmations as blocks of a `paired` sweep without conditions, whose unit is `unit`."""
    asked = dataclasses.replace(question, design="paired", factors=(), tuning=None)
    blocks = fresh.assign(block=block, unit_id=unit, configuration=unit, adaptive=False)
    blocks["index"] = fresh["repeat"]
    paired = {rival: pairs(blocks, asked, rival, chance=chance) for rival in question.rivals}
    return comparisons(blocks, paired, asked)
