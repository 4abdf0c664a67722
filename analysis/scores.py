"""Several sweeps side by side: what each activation reached in each, and how often the focus won.

A row is one sweep: one data set, one network, one metric. The means say how well an activation does there;
who wins is said by the verdict of the sweep, which compares within pairs.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analysis.criteria import CriteriaTable
from analysis.statistics.compare import Verdict
from analysis.statistics.estimates import rounded
from analysis.statistics.pairs import FAILURES, ended
from analysis.statistics.units import mean_of_units
from study.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivationScore:
    """What one activation reached in one sweep.

    Parameters
    ----------
    activation : str
        Canonical name.
    units : int
        Independent units with a result.
    mean, low, high : float or None
        Mean of the metric over these units with its 95 % t interval; None where there are too few.
    trainings, failed : int
        Trainings that ended, and those among them that failed and so are in no mean.
    """

    activation: str
    units: int
    mean: float | None
    low: float | None
    high: float | None
    trainings: int
    failed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepScores:
    """One row of the table: a sweep.

    Parameters
    ----------
    name, dataset, architecture, design : str
        Of the sweep.
    metric, unit : str
        What is measured, and its unit.
    higher_is_better : bool
        Direction of the metric.
    delta : float
        Smallest difference that matters, in that unit.
    provisional : bool
        Whether planned trainings are missing; the sweep is then undecided against every rival.
    scores : tuple of ActivationScore
        Focus first.
    verdicts : dict of str to Verdict
        Of the focus against each rival of the sweep, as its own table has them overall.
    """

    name: str
    dataset: str
    architecture: str
    design: Literal["ofat", "paired", "tuned", "unpaired"]
    metric: str
    unit: str
    higher_is_better: bool
    delta: float
    provisional: bool
    scores: tuple[ActivationScore, ...]
    verdicts: dict[str, Verdict]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Sweeps by the verdict of the focus against one rival; they add up to those that have the rival."""

    rival: str
    wins: int
    ties: int
    losses: int
    undecided: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """The table of several sweeps about one focus.

    Parameters
    ----------
    focus : str
        The activation that all sweeps ask about.
    activations : tuple of str
        Focus first, then every rival of any sweep in the order of appearance.
    sweeps : tuple of SweepScores
        In the order given.
    tallies : tuple of Tally
        One per rival.
    """

    focus: str
    activations: tuple[str, ...]
    sweeps: tuple[SweepScores, ...]
    tallies: tuple[Tally, ...]


def sweep_scores(runs: pd.DataFrame, table: CriteriaTable) -> SweepScores:
    """Return the row of one sweep.

    Parameters
    ----------
    runs : pandas.DataFrame
        What is compared: `analysis.frame.runs_frame`, of a profiled factor `analysis.profile.best_rows`.
    table : CriteriaTable
        Made of the same runs.
    """
    if table.design == "tuned":
        scores = tuple(_tuned_score(name, table) for name in (table.focus, *table.rivals))
        verdicts = {one.rival: one.searches.verdict for one in table.tuned_verdicts}
    else:
        counted = runs.loc[~runs["adaptive"] & ended(runs["status"])]
        scores = tuple(_score(name, counted, table.metric) for name in (table.focus, *table.rivals))
        verdicts = {row.rival: row.verdict for row in table.headline}
    return SweepScores(
        name=table.name,
        dataset=table.dataset,
        architecture=table.architecture,
        design=table.design,
        metric=table.metric,
        unit=table.unit,
        higher_is_better=table.higher_is_better,
        delta=table.delta,
        provisional=table.provisional,
        scores=scores,
        verdicts=verdicts,
    )


def _score(name: str, counted: pd.DataFrame, metric: str) -> ActivationScore:
    own = counted.loc[counted["activation"] == name]
    failed = own["status"].isin(FAILURES)
    trained = own.loc[~failed]
    mean, low, high = mean_of_units(trained[metric], trained["unit_id"])
    return ActivationScore(
        activation=name,
        units=trained["unit_id"].nunique(),
        mean=rounded(mean),
        low=rounded(low),
        high=rounded(high),
        trainings=len(own),
        failed=int(failed.sum()),
    )


def _tuned_score(name: str, table: CriteriaTable) -> ActivationScore:
    """Return what the winners of the searches reached on fresh seeds.

    The unit is a whole search; of a search that was done once, a fresh seed of its winner.
    """
    bests = [best for best in table.tuned if best.activation == name]
    means = pd.Series([best.mean for best in bests if best.mean is not None], dtype="float64")
    mean, low, high = (rounded(end) for end in mean_of_units(means, pd.Series(means.index)))
    trainings, failed = sum(best.confirmed for best in bests), sum(best.confirmed_failed for best in bests)
    units = len(means)
    if len(bests) == 1:
        (only,) = bests
        mean, low, high, units = only.mean, only.low, only.high, only.confirmed - only.confirmed_failed
    return ActivationScore(
        activation=name, units=units, mean=mean, low=low, high=high, trainings=trainings, failed=failed
    )


def scores(sweeps: Sequence[SweepScores]) -> Scores:
    """Put sweeps side by side and count their verdicts.

    Raises
    ------
    InputError
        If a sweep is there twice, or two ask about different activations.
    """
    names = [sweep.name for sweep in sweeps]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"scores counts each sweep once, and {twice[0]!r} was given twice; name it once.")
    asked = {sweep.scores[0].activation: sweep.name for sweep in reversed(sweeps)}
    if len(asked) > 1:
        about = ", ".join(f"{name!r} about {focus}" for focus, name in asked.items())
        raise InputError(
            f"scores counts the verdicts of one focus, and these ask {about}; name sweeps of one focus."
        )
    activations = tuple(dict.fromkeys(score.activation for sweep in sweeps for score in sweep.scores))
    return Scores(
        focus=activations[0],
        activations=activations,
        sweeps=tuple(sweeps),
        tallies=tuple(_tally(rival, sweeps) for rival in activations[1:]),
    )


def _tally(rival: str, sweeps: Sequence[SweepScores]) -> Tally:
    open_ = Verdict.NOT_ENOUGH_EVIDENCE
    counts = Counter(
        open_ if sweep.provisional else sweep.verdicts[rival] for sweep in sweeps if rival in sweep.verdicts
    )
    return Tally(
        rival=rival,
        wins=counts[Verdict.WINS],
        ties=counts[Verdict.TIES],
        losses=counts[Verdict.LOSES],
        undecided=counts[open_],
    )
