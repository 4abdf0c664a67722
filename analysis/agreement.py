"""How far the two engines agree: trainings of a sweep beside what the reference engine made of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from analysis.statistics.estimates import rounded
from analysis.statistics.pairs import FAILURES
from analysis.summaries import amount_text, joined, quantity_text
from study.ledger import Entry, Record
from study.profile import best_entries
from study.question import Question
from study.training import Status, TrainingResult

REFERENCE = "fit"
"""The engine that needs no check."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """What the repeated blocks of a sweep say about its engine.

    Parameters
    ----------
    blocks, trainings : int
        How many were repeated; 0 where nothing was.
    statuses_differ : int
        Trainings that ended in another way.
    median, largest : float or None
        Of the distance between the two metrics of a training, in the unit of the metric, over trainings
        that ended well in both; None without any.
    pairs : int
        Pairs of the focus and a rival of which both sides were repeated.
    outcomes_differ : int
        Pairs whose difference lies below minus delta, within, or above delta, and elsewhere when repeated.
    rivals_differ : tuple of str
        Rivals against which the mean over these pairs does.
    """

    blocks: int
    trainings: int
    statuses_differ: int
    median: float | None
    largest: float | None
    pairs: int
    outcomes_differ: int
    rivals_differ: tuple[str, ...]


def agreement_of(record: Record) -> Agreement | None:
    """Return how far the engines agree on a sweep; None where the reference itself trained all of it."""
    if {fingerprint["engine"] for fingerprint in record.fingerprints} <= {REFERENCE}:
        return None
    question = record.question
    repeated = [entry for entry in record.entries if entry.training.digest in record.checks]
    checks = [replace(entry, result=record.checks[entry.training.digest]) for entry in repeated]
    both = [(ours.result, theirs.result) for ours, theirs in zip(repeated, checks, strict=True)]
    distances = [
        abs(ours.metrics[question.metric] - theirs.metrics[question.metric])
        for ours, theirs in both
        if ours.status is theirs.status is Status.OK
    ]
    blocks: dict[tuple[int, str], dict[str, tuple[TrainingResult, TrainingResult]]] = {}
    ours, theirs = (_by_side(best_entries(question, side)) for side in (repeated, checks))
    for side in ours:
        if side in theirs:
            blocks.setdefault(side[0], {})[side[1]] = ours[side], theirs[side]
    pairs = outcomes_differ = 0
    rivals_differ: list[str] = []
    for rival in question.rivals:
        found = [pair for block in blocks.values() if (pair := _differences(question, block, rival))]
        outcomes = [tuple(_outcome(value, question.delta) for value in pair) for pair in found]
        pairs += len(found)
        outcomes_differ += sum(ours != theirs for ours, theirs in outcomes)
        means = [_outcome(sum(side) / len(side), question.delta) for side in zip(*found, strict=True)]
        if len(set(means)) > 1:
            rivals_differ.append(rival)
    return Agreement(
        blocks=len(blocks),
        trainings=len(both),
        statuses_differ=sum(ours.status is not theirs.status for ours, theirs in both),
        median=rounded(median(distances)) if distances else None,
        largest=rounded(max(distances)) if distances else None,
        pairs=pairs,
        outcomes_differ=outcomes_differ,
        rivals_differ=tuple(rivals_differ),
    )


def _by_side(entries: Iterable[Entry]) -> dict[tuple[tuple[int, str], str], TrainingResult]:
    """Return the results by block and activation; a repeat of a search has blocks of its own."""
    trainings = ((entry.training, entry.result) for entry in entries)
    return {((each.sweep_seed, each.block), each.activation): result for each, result in trainings}


def _differences(
    question: Question, block: Mapping[str, tuple[TrainingResult, TrainingResult]], rival: str
) -> tuple[float, float] | None:
    """Return the paired difference of a block by either engine; None where a side says nothing."""
    if question.focus not in block or rival not in block:
        return None
    sides = list(zip(block[question.focus], block[rival], strict=True))
    results = [result for side in sides for result in side]
    if any(result.status is not Status.OK and result.status.value not in FAILURES for result in results):
        return None
    ours, theirs = (
        question.difference(*(result.metrics.get(question.metric) for result in side)) for side in sides
    )
    return ours, theirs


def _outcome(difference: float, delta: float) -> int:
    return (difference > delta) - (difference < -delta)


def sentence(agreement: Agreement, metric: str, unit: str, delta: float) -> str:
    """Return the agreement for people."""
    if not agreement.trainings:
        return (
            "No training was repeated with the reference engine (TensorFlow), so how far the fast engine "
            "agrees with it on this sweep is not known."
        )
    ended = (
        f"{agreement.statuses_differ} of them ended in another way"
        if agreement.statuses_differ
        else "each ended in the same way"
    )
    told = [
        f"{agreement.trainings} trainings in {quantity_text(agreement.blocks, 'blocks')}, picked by their "
        f"digest, were repeated with the reference engine; {ended}."
    ]
    if agreement.median is not None and agreement.largest is not None:
        told.append(
            f"The {metric} differs by {amount_text(agreement.median, delta)} {unit} in the median and by "
            f"{amount_text(agreement.largest, delta)} at most."
        )
    means = (
        f"the mean over these blocks does against {joined(agreement.rivals_differ)}"
        if agreement.rivals_differ
        else "the mean of no rival does"
    )
    told.append(
        f"Of {quantity_text(agreement.pairs, 'pairs')} {agreement.outcomes_differ} "
        f"{'falls' if agreement.outcomes_differ == 1 else 'fall'} on another side of "
        f"plus or minus {quantity_text(delta, unit)}; {means}."
    )
    return " ".join(told)
