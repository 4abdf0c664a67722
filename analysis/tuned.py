"""The `tuned` design: the best trial of each activation after the same number of trials.

Every activation was searched for itself, and each setting was chosen after seeing results. There are
no pairs in that, and one training behind each winner: so there is a table and no verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.estimates import rounded
from analysis.levels import level_text
from study.question import Question
from study.training import Level, Status


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedBest:
    """The best trial of one activation in a `tuned` sweep.

    Parameters
    ----------
    activation : str
        Canonical name.
    trials : int
        Its first trials that were compared: as many as every activation has.
    failed : int
        Those among them that did not end with a result.
    configuration : str or None
        Digest of the best configuration; None where no trial ended with a result.
    levels : dict of str to Level
        Its levels in the order of the spec, unrounded.
    setting : str
        The levels as text; empty where there are none.
    selection : float or None
        What the trial was chosen by, see `selection_metric`.
    score : float or None
        The question's metric of that same trial.
    """

    activation: str
    trials: int
    failed: int
    configuration: str | None
    levels: Mapping[str, Level]
    setting: str
    selection: float | None
    score: float | None


def selection_metric(question: Question) -> str:
    """Return the column that trials are chosen by: the question's metric on the validation cut."""
    return f"validation_{question.metric.rpartition('_')[2]}"


def tuned_bests(runs: pd.DataFrame, question: Question) -> tuple[TunedBest, ...]:
    """Return the best trial of each activation, chosen on validation, at equal budget.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame of the design `tuned` that passes `analysis.frame.check_runs`, sorted.
    question : Question
        What is asked.

    Returns
    -------
    tuple of TunedBest
        Focus first, then the rivals. The first of equally good trials counts.
    """
    budget = min(int((runs["activation"] == name).sum()) for name in question.activations)
    return tuple(
        _best(runs.loc[runs["activation"] == name].head(budget), name, question)
        for name in question.activations
    )


def _best(trials: pd.DataFrame, activation: str, question: Question) -> TunedBest:
    ended = trials.loc[trials["status"] == Status.OK.value]
    chosen_by = selection_metric(question)
    values = ended[chosen_by] if question.higher_is_better else -ended[chosen_by]
    if not bool(values.notna().any()):
        return TunedBest(
            activation=activation,
            trials=len(trials),
            failed=len(trials) - len(ended),
            configuration=None,
            levels={},
            setting="",
            selection=None,
            score=None,
        )
    best = ended.iloc[int(np.nanargmax(values.to_numpy()))]
    levels: dict[str, Level] = {}
    for factor in question.factors:
        value = best[factor.name]
        levels[factor.name] = value.item() if hasattr(value, "item") else value
    texts = [
        f"{factor.name} {level_text(levels[factor.name])}{' × base' if factor.relative else ''}"
        for factor in question.factors
    ]
    return TunedBest(
        activation=activation,
        trials=len(trials),
        failed=len(trials) - len(ended),
        configuration=str(best["configuration"]),
        levels=levels,
        setting=", ".join(texts),
        selection=rounded(float(best[chosen_by])),
        score=rounded(float(best[question.metric])),
    )
