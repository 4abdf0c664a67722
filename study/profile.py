"""A profiled factor: each activation of a block counts at its best level, chosen on validation.

The rule is written once, for the loop, which works on ledger entries, and for the analysis of a frame.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from study.ledger import Entry
from study.question import Question
from study.training import Level, Status


def best_tries(
    question: Question,
    groups: Iterable[Hashable],
    levels: Iterable[Level],
    statuses: Iterable[str],
    scores: Iterable[float | None],
) -> list[int]:
    """Return which training of each group has the best validation score.

    Parameters
    ----------
    question : Question
        Has a `profile`.
    groups : iterable of Hashable
        Of each training: its block and activation.
    levels : iterable of Level
        Of each training: its level of the profiled factor.
    statuses : iterable of str
        Of each training: a `study.training.Status`.
    scores : iterable of float or None
        Of each training: the metric `Question.chosen_by`; read where the status is `ok`.

    Returns
    -------
    list of int
        Places of the trainings chosen, ascending: the first by `Question.ranked` in the order of the levels,
        so of equal scores, and where all failed, that at the earlier level. A group that lacks a level has
        nothing to choose from and no place.

    Notes
    -----
    A machine fault is chosen over everything: how that level would have done is not known, so the pair is
    left out as any pair with a machine fault is, rather than compared with one rate fewer.
    """
    assert question.profile is not None
    assert question.profile.levels is not None
    order = {level: place for place, level in enumerate(question.profile.levels)}
    tries: dict[Hashable, list[tuple[int, int, str, float | None]]] = defaultdict(list)
    for place, (group, level, status, score) in enumerate(zip(groups, levels, statuses, scores, strict=True)):
        tries[group].append((order[level], place, status, score))
    return sorted(_best(question, sorted(found)) for found in tries.values() if len(found) == len(order))


def _best(question: Question, tries: Sequence[tuple[int, int, str, float | None]]) -> int:
    """Return the place of the try that counts, of those of one group in the order of their levels."""
    _, places, statuses, scores = zip(*tries, strict=True)
    if Status.ERROR in statuses:
        return places[statuses.index(Status.ERROR)]
    return places[question.ranked(statuses, scores)[0]]


def best_entries(question: Question, entries: Iterable[Entry]) -> Sequence[Entry]:
    """Return the entries that count: the best of each block and activation, without a profiled factor all.

    Parameters
    ----------
    question : Question
        Of the sweep.
    entries : iterable of Entry
        In any order.
    """
    found = tuple(entries)
    if question.profile is None:
        return found
    name = question.profile.name
    best = best_tries(
        question,
        ((entry.training.block, entry.training.activation) for entry in found),
        (entry.profiled[name] for entry in found),
        (entry.result.status for entry in found),
        (entry.result.metrics.get(question.chosen_by) for entry in found),
    )
    return [found[place] for place in best]
