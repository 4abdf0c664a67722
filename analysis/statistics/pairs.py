"""Pairs: focus and rival within a block, their difference, and what a failure counts.

A failure is a loss, never a gap. Every statistic acts on these differences.
"""

import numpy as np
import pandas as pd

from study.question import Question
from study.training import Status

AT_CHANCE = 0.05
"""Share of the way from chance to perfect (Cohen's kappa) up to which a training stayed at chance."""
FAILURES = (Status.DIVERGED.value, Status.OOM.value, Status.TIMEOUT.value, Status.FAILED.value)
"""Statuses that are the activation's doing, at the declared budget (`failed`: taken to be). `error` is a
machine fault and drops the pair; `pruned` is refused by `analysis.frame.check_runs`."""


def _blocks(runs: pd.DataFrame, question: Question, rival: str) -> pd.DataFrame:
    """Return one row per block with at least one side, in the order of the design."""
    sides = runs.loc[~runs["adaptive"] & runs["activation"].isin([question.focus, rival])]
    factors = [factor.name for factor in question.factors]
    blocks = (
        sides[["block", "unit_id", "configuration", "index", "replicate", *factors]]
        .drop_duplicates("block")
        .sort_values(["index", "replicate", "block"])
        .set_index("block")
    )
    for side, activation in (("focus", question.focus), ("rival", rival)):
        one = sides.loc[sides["activation"] == activation].set_index("block")
        blocks[f"{side}_value"] = one[question.metric].astype("float64")
        blocks[f"{side}_status"] = one["status"]
    return blocks.reset_index()


def ended(status: pd.Series) -> pd.Series:
    """Return where a training ended, well or by a failure of its own: where it counts."""
    return status.isin((Status.OK.value, *FAILURES))


def _usable(blocks: pd.DataFrame) -> pd.Series:
    return ended(blocks["focus_status"]) & ended(blocks["rival_status"])


def pairs(runs: pd.DataFrame, question: Question, rival: str, *, chance: float | None = None) -> pd.DataFrame:
    """Return the pairs of focus and rival, one row per block in which both sides ended.

    Adaptive rows never enter, and a block with a machine fault (`error`) on either side is left out.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`.
    question : Question
        What is asked.
    rival : str
        One of its rivals.
    chance : float or None
        Value of the metric from guessing, in its unit (10 points with ten classes, or ln 10 nats).
        None: nothing is taken to be at chance.

    Returns
    -------
    pandas.DataFrame
        Sorted as the design. `block`, `unit_id`, `configuration`, `index`, `replicate`; the factors;
        `focus_value`, `rival_value` (the metric, NaN for a failure); `difference_raw` (focus minus
        rival, in the metric's unit); `difference` (positive = focus better, clipped to plus or minus
        `loss_cap`; a side that failed alone loses `loss_cap`; 0 where both failed); `outcome`
        (-1, 0, +1: worse by delta or more, neither, better by delta or more); `cause` (`quality`,
        `focus_failed`, `rival_failed`, `both_failed`); `uninformative` (both failed or both stayed
        at chance).
    """
    blocks = _blocks(runs, question, rival)
    found = blocks.loc[_usable(blocks)].reset_index(drop=True)
    focus_failed = found["focus_status"].isin(FAILURES).to_numpy()
    rival_failed = found["rival_status"].isin(FAILURES).to_numpy()
    focus = found["focus_value"].to_numpy()
    rival_values = found["rival_value"].to_numpy()
    failed = [focus_failed & rival_failed, focus_failed, rival_failed]
    raw = focus - rival_values
    oriented = raw if question.higher_is_better else -raw
    difference = np.select(
        failed,
        [0.0, -question.loss_cap, question.loss_cap],
        np.clip(oriented, -question.loss_cap, question.loss_cap),
    )
    found["difference_raw"] = raw
    found["difference"] = difference
    found["outcome"] = (difference >= question.delta).astype("int64") - (difference <= -question.delta)
    found["cause"] = np.select(failed, ["both_failed", "focus_failed", "rival_failed"], "quality")
    stuck = at_chance(np.stack([focus, rival_values]), question, chance).all(axis=0)
    found["uninformative"] = failed[0] | stuck
    return found.drop(columns=["focus_status", "rival_status"])


def at_chance(values: np.ndarray, question: Question, chance: float | None) -> np.ndarray:
    """Return where a metric stayed at what guessing gives; nowhere if that is not known."""
    if chance is None:
        return np.zeros(values.shape, dtype=bool)
    perfect = 100.0 if question.unit == "points" and question.higher_is_better else 0.0
    return (values - chance) / (perfect - chance) <= AT_CHANCE
