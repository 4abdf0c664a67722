"""The published protocol, repeated: one training per setting, and the higher number wins.

From a sweep with replicates one training of each activation is drawn per setting, as if that were all that
had been run, and judged as such studies are: without an interval, by the better result. Repeated, this
says how often a study of that kind contradicts the mean over all replicates, and the next one like it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.frame import check_runs, sorted_runs
from analysis.profile import best_rows
from analysis.statistics.compare import members
from analysis.statistics.estimates import rounded
from analysis.statistics.levels import Region, level_text
from analysis.statistics.pairs import FAILURES, ended
from analysis.statistics.shares import Share, share
from study.errors import InputError
from study.question import Question

RANGE = (0.05, 0.95)
"""Quantiles between which nine tenths of the studies lie."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SingleRunRow:
    """How single trainings judge the focus against one rival, at one setting or over all of them.

    Parameters
    ----------
    parameter, level : str or None
        The setting; both None for the count of settings won.
    rival : str
        What the focus is compared with.
    replicates : int
        Trainings of the side that has fewer, at the setting or the smallest number over all.
    difference : float or None
        Mean over the replicates of the focus minus that of the rival, positive = focus better, in the
        metric's unit; of the count of settings None.
    winner : str or None
        Who is better by the means over all replicates; of the count, who is better at more settings. None
        for a tie.
    flips : Share
        Studies that name another winner; one of the two a tie counts half.
    contradictions : Share
        Pairs of studies, on different trainings, that name different winners; one of the two a tie counts
        half.
    wrong : Share
        Single differences of delta or more in favour of the side that is not better by the means; where
        the means tie, such a difference counts half. Over all settings together: of all such differences.
    """

    parameter: str | None
    level: str | None
    rival: str
    replicates: int
    difference: float | None
    winner: str | None
    flips: Share
    contradictions: Share
    wrong: Share


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingsWon:
    """At how many settings one activation has the best result of all.

    Parameters
    ----------
    activation : str
        Canonical name.
    by_mean : float
        By the means over all replicates; a tie is shared.
    mean, low, high : float
        Over the studies, and the quantiles `RANGE` between which nine tenths of them lie.
    first : Share
        Studies in which it wins the most settings; a tie is shared.
    """

    activation: str
    by_mean: float
    mean: float
    low: float
    high: float
    first: Share


@dataclass(frozen=True, kw_only=True, slots=True)
class SingleRuns:
    """What studies with one training per setting say of a sweep.

    Parameters
    ----------
    name, focus : str
        The sweep, and the activation asked about.
    rivals : tuple of str
        What it is compared with.
    design : {"ofat", "paired"}
        In `ofat` a setting is a level of a condition factor, in `paired` a configuration.
    metric, unit : str
        What is compared, and its unit.
    delta : float
        Smallest difference that matters, in that unit.
    paired : bool
        Whether the activations of a study share their replicate, and so their random numbers.
    repeats, seed : int
        Number of pairs of studies, and what decides them.
    settings, left_out : int
        Settings in a study, and those that have not two trainings of every activation.
    trainings : int
        Trainings that the studies are drawn from.
    failed : int
        Those among them that failed.
    rows : tuple of SingleRunRow
        The count of settings first, then setting by setting, rival by rival.
    won : tuple of SettingsWon
        One per activation, focus first.
    """

    name: str
    focus: str
    rivals: tuple[str, ...]
    design: Literal["ofat", "paired"]
    metric: str
    unit: str
    delta: float
    paired: bool
    repeats: int
    seed: int
    settings: int
    left_out: int
    trainings: int
    failed: int
    rows: tuple[SingleRunRow, ...]
    won: tuple[SettingsWon, ...]


def single_runs(
    runs: pd.DataFrame, question: Question, *, paired: bool = False, repeats: int = 1000, seed: int = 0
) -> SingleRuns:
    """Draw pairs of studies with one training per setting and activation, and count what they say.

    Parameters
    ----------
    runs : pandas.DataFrame
        What `analysis.frame.runs_frame` returned.
    question : Question
        What was asked, with replicates.
    paired : bool
        Draw the same replicate of every activation, instead of one for each.
    repeats : int
        Pairs of studies, at least 1. The two of a pair share no training.
    seed : int
        Decides the draws.

    Raises
    ------
    InputError
        If the design has no replicates (`tuned`), or no setting has two trainings of every activation.

    Notes
    -----
    A failed training counts `loss_cap` below the lowest result of its setting. The means are over the
    trainings that are drawn from, so a study agrees with them a little more often than with the truth: at
    a setting with n replicates its own training is 1/n of the mean.
    """
    check_runs(runs, question)
    if question.design not in ("ofat", "paired"):
        raise InputError(
            f"flaw draws one of the replicates of a setting, and the design {question.design} has none; "
            "name a sweep of the design ofat or paired."
        )
    compared = best_rows(sorted_runs(runs, question), question)
    counted = compared.loc[~compared["adaptive"] & ended(compared["status"])]
    settings = _settings(counted, question)
    grids = {place: _scores(rows, question, paired=paired) for place, (_, rows) in enumerate(settings)}
    usable = {place: grid for place, grid in grids.items() if min(map(len, grid)) > 1}
    if not usable:
        raise InputError(
            "flaw needs a setting with two trainings of every activation, and the sweep "
            f"{question.name!r} has none; raise replicates in its spec, and run the spec again."
        )
    rng = np.random.default_rng(seed)
    drawn = np.stack([_studies(grid, repeats, rng, paired=paired) for grid in usable.values()], axis=1)
    means = np.array([[side.mean() for side in grid] for grid in usable.values()])
    names = [settings[place][0] for place in usable]
    sizes = [min(map(len, grid)) for grid in usable.values()]
    rows = [
        _row(
            Region(),
            rival,
            None,
            min(sizes),
            means[:, 0] - means[:, r],
            drawn[:, :, 0] - drawn[:, :, r],
            question,
        )
        for r, rival in enumerate(question.rivals, start=1)
    ]
    for s, (region, size) in enumerate(zip(names, sizes, strict=True)):
        for r, rival in enumerate(question.rivals, start=1):
            gap = means[[s], 0] - means[[s], r]
            rows.append(
                _row(region, rival, float(gap[0]), size, gap, drawn[:, [s], 0] - drawn[:, [s], r], question)
            )
    used = pd.concat([settings[place][1] for place in usable]).drop_duplicates("digest")
    return SingleRuns(
        name=question.name,
        focus=question.focus,
        rivals=question.rivals,
        design=question.design,
        metric=question.metric,
        unit=question.unit,
        delta=question.delta,
        paired=paired,
        repeats=repeats,
        seed=seed,
        settings=len(usable),
        left_out=len(settings) - len(usable),
        trainings=len(used),
        failed=int(used["status"].isin(FAILURES).sum()),
        rows=tuple(rows),
        won=_won(means, drawn[0], question.activations),
    )


def _settings(counted: pd.DataFrame, question: Question) -> list[tuple[Region, pd.DataFrame]]:
    """Return each setting with its trainings.

    In `ofat` a level of each condition factor, as in the table; the baseline is one of every factor, and
    is drawn anew for each, as in studies that ran it again for every curve.
    """
    by_configuration = dict(iter(counted.groupby("configuration", sort=False)))
    if question.design == "ofat" and question.conditions:
        regions, inside, configurations = members(counted, question)
        return [
            (region, by_configuration[configuration])
            for region, row in zip(regions[1:], inside[1:], strict=True)
            for configuration in configurations[row]
        ]
    return [
        (Region("configuration", _label(rows.iloc[0], question)), rows) for rows in by_configuration.values()
    ]


def _label(row: pd.Series, question: Question) -> str:
    levels = [f"{factor.name} {level_text(row[factor.name])}" for factor in question.factors]
    return f"{row['index']}: {', '.join(levels) or 'the only setting'}"


def _scores(rows: pd.DataFrame, question: Question, *, paired: bool) -> list[np.ndarray]:
    """Return the results of one setting, larger = better: of each activation, shape (replicates,).

    If `paired`, of the blocks that have every activation, in the order of the blocks.
    """
    sign = 1.0 if question.higher_is_better else -1.0
    failed = rows["status"].isin(FAILURES)
    scores = sign * rows[question.metric].astype("float64").where(~failed)
    lowest = 0.0 if bool(failed.all()) else float(scores.min())
    table = rows.assign(score=scores.where(~failed, lowest - question.loss_cap))
    if paired:
        table = table.loc[table.groupby("block")["activation"].transform("size") == len(question.activations)]
    return [
        table.loc[table["activation"] == name, "score"].to_numpy("float64") for name in question.activations
    ]


def _studies(
    grid: Sequence[np.ndarray], repeats: int, rng: np.random.Generator, *, paired: bool
) -> np.ndarray:
    """Return two different replicates of each activation, shape (2, activations, repeats)."""

    def two(size: int) -> np.ndarray:
        first = rng.integers(size, size=repeats)
        return np.stack([first, (first + 1 + rng.integers(size - 1, size=repeats)) % size])

    if paired:
        shared = two(len(grid[0]))
        return np.stack([side[shared] for side in grid], axis=1)
    return np.stack([side[two(len(side))] for side in grid], axis=1)


def _row(
    region: Region,
    rival: str,
    difference: float | None,
    replicates: int,
    gaps: np.ndarray,
    differences: np.ndarray,
    question: Question,
) -> SingleRunRow:
    """Judge the focus against one rival over some settings.

    Parameters
    ----------
    region : Region
        The setting, an empty one for all together.
    rival : str
        Its name.
    difference : float or None
        What is shown as the mean difference.
    replicates : int
        See `SingleRunRow`.
    gaps : numpy.ndarray, shape (settings,)
        Differences of the means.
    differences : numpy.ndarray, shape (2, settings, repeats)
        Those of single trainings, of the two studies of each repeat.
    question : Question
        What was asked.
    """
    settings, repeats = differences.shape[1:]
    truth = np.sign(np.sign(gaps).sum())
    said = np.sign(np.sign(differences).sum(axis=1))
    beyond = np.abs(differences[0]) >= question.delta
    against = np.abs(np.sign(differences[0]) - np.sign(gaps)[:, None]) / 2
    return SingleRunRow(
        parameter=region.parameter,
        level=region.level,
        rival=rival,
        replicates=replicates,
        difference=None if difference is None else rounded(difference),
        winner={1.0: question.focus, -1.0: rival}.get(float(truth)),
        flips=share(float(np.abs(said[0] - truth).sum() / 2), repeats),
        contradictions=share(float(np.abs(said[0] - said[1]).sum() / 2), repeats),
        wrong=share(float((beyond * against).sum()), settings * repeats),
    )


def _won(means: np.ndarray, study: np.ndarray, activations: tuple[str, ...]) -> tuple[SettingsWon, ...]:
    """Count the settings that each activation wins.

    Parameters
    ----------
    means : numpy.ndarray, shape (settings, activations)
        Over all replicates.
    study : numpy.ndarray, shape (settings, activations, repeats)
        Single results.
    activations : tuple of str
        Their names.
    """

    def shared(scores: np.ndarray, axis: int) -> np.ndarray:
        best = scores == scores.max(axis=axis, keepdims=True)
        return best / best.sum(axis=axis, keepdims=True)

    by_mean, counts = shared(means, 1).sum(axis=0), shared(study, 1).sum(axis=0)
    first = shared(np.round(counts, 9), 0).sum(axis=1)
    repeats = study.shape[-1]
    return tuple(
        SettingsWon(
            activation=name,
            by_mean=_number(by_mean[a]),
            mean=_number(counts[a].mean()),
            low=_number(np.quantile(counts[a], RANGE[0])),
            high=_number(np.quantile(counts[a], RANGE[1])),
            first=share(float(first[a]), repeats),
        )
        for a, name in enumerate(activations)
    )


def _number(value: float) -> float:
    found = rounded(float(value))
    assert found is not None
    return found
