"""All activations ranked against each other: Friedman's test, pairwise Wilcoxon tests, who is not separated.

The table asks about the focus alone; this asks about all of them at equal settings. What a critical
difference diagram shows is here, and `analysis.figures.ranking_diagram` draws it.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS, holm, rounded
from analysis.statistics.pairs import ended
from study.question import Question
from study.training import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedActivation:
    """One activation with its mean rank over units; 1 is best, equal scores share their ranks."""

    activation: str
    average_rank: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedPair:
    """Two activations compared.

    Parameters
    ----------
    better, worse : str
        By average rank.
    p, p_adjusted : float
        Of Wilcoxon's signed-rank test on unit means, raw and by Holm over all pairs.
    separated : bool
        Whether the adjusted p is at most `analysis.statistics.estimates.ALPHA`.
    """

    better: str
    worse: str
    p: float
    p_adjusted: float
    separated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """The ranking of all activations over the whole sweep.

    Parameters
    ----------
    units : int
        Independent units in which every activation ended in a result or a failure.
    dropped : int
        Blocks left out because an activation is missing or was stopped by a machine fault.
    statistic, p : float or None
        Friedman's test that all are equal; None with two activations.
    activations : tuple of RankedActivation
        Best first.
    pairs : tuple of RankedPair
        Every two of them.
    groups : tuple of tuple of str
        Longest runs of neighbours in rank of which no two are separated: the bars of the diagram.
    """

    units: int
    dropped: int
    statistic: float | None
    p: float | None
    activations: tuple[RankedActivation, ...]
    pairs: tuple[RankedPair, ...]
    groups: tuple[tuple[str, ...], ...]


def unit_scores(runs: pd.DataFrame, question: Question) -> tuple[pd.DataFrame, int]:
    """Return the mean score of each activation in each unit, larger = better.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`.
    question : Question
        What is asked.

    Returns
    -------
    scores : pandas.DataFrame
        A row per unit, a column per activation. A failure scores `loss_cap` less than the worst
        result of its block; where all failed, all score 0.
    dropped : int
        Blocks without a usable result of every activation.
    """
    used = runs.loc[~runs["adaptive"]]
    counted = used.loc[ended(used["status"])]
    sign = 1.0 if question.higher_is_better else -1.0
    values = (sign * counted[question.metric]).mask(counted["status"] != Status.OK.value, -np.inf)
    sides = {name: counted["activation"] == name for name in question.activations}
    blocks = counted["block"]
    score = pd.DataFrame(
        {name: pd.Series(values[side].to_numpy(), blocks[side]) for name, side in sides.items()}
    ).dropna()
    failed = np.isneginf(score)
    worst = score.mask(failed).min(axis=1).fillna(question.loss_cap)
    filled = score.mask(failed, worst - question.loss_cap, axis=0)
    unit = counted.drop_duplicates("block").set_index("block")["unit_id"].reindex(filled.index)
    return filled.groupby(unit).mean(), used["block"].nunique() - len(score)


def ranking(runs: pd.DataFrame, question: Question) -> Ranking | None:
    """Rank all activations; None with too few units for a test.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`.
    question : Question
        What is asked.

    Notes
    -----
    Friedman's test over units, then Wilcoxon's signed-rank test for every two, adjusted by Holm
    (Demsar 2006). Not Nemenyi's: its verdict on two depends on which others are in the pool (Benavoli
    et al. 2016).
    """
    from scipy import stats

    scores, dropped = unit_scores(runs, question)
    if len(scores) < MINIMUM_UNITS:
        return None
    # Scores that differ by a rounding alone are equal.
    values = np.round(scores.to_numpy(), 9)
    average = stats.rankdata(-values, axis=1).mean(axis=0)
    order = np.argsort(average, kind="stable")
    names = [question.activations[place] for place in order]
    sides = list(combinations(order, 2))
    p = np.array([_wilcoxon(values[:, first], values[:, second]) for first, second in sides])
    p_adjusted = holm(p)
    statistic = friedman_p = None
    if len(names) > 2:
        statistic, friedman_p = 0.0, 1.0
        if bool((values != values[:, :1]).any()):
            result = stats.friedmanchisquare(*values.T)
            statistic, friedman_p = rounded(float(result.statistic)), rounded(float(result.pvalue))
    pairs = tuple(
        RankedPair(
            better=question.activations[first],
            worse=question.activations[second],
            p=float(rounded(float(raw)) or 0.0),
            p_adjusted=float(rounded(float(adjusted)) or 0.0),
            separated=bool(adjusted <= ALPHA),
        )
        for (first, second), raw, adjusted in zip(sides, p, p_adjusted, strict=True)
    )
    return Ranking(
        units=len(scores),
        dropped=dropped,
        statistic=statistic,
        p=friedman_p,
        activations=tuple(
            RankedActivation(activation=name, average_rank=float(rounded(float(average[place])) or 0.0))
            for name, place in zip(names, order, strict=True)
        ),
        pairs=pairs,
        groups=_groups(names, pairs),
    )


def _wilcoxon(first: np.ndarray, second: np.ndarray) -> float:
    """Return the two-sided p of the signed-rank test; units without a difference say nothing."""
    from scipy import stats

    difference = first - second
    difference = difference[difference != 0]
    result: Any = stats.wilcoxon(difference) if len(difference) else None
    return 1.0 if result is None else float(result.pvalue)


def _groups(names: list[str], pairs: tuple[RankedPair, ...]) -> tuple[tuple[str, ...], ...]:
    apart = {(pair.better, pair.worse) for pair in pairs if pair.separated}
    found: list[tuple[str, ...]] = []
    reached = 0
    for start in range(len(names)):
        end = start + 1
        while end < len(names) and not any((other, names[end]) in apart for other in names[start:end]):
            end += 1
        if end - start > 1 and end > reached:
            found.append(tuple(names[start:end]))
            reached = end
    return tuple(found)
