"""How the table of a `tuned` sweep is to be read: what was searched, what a verdict is about."""

from typing import TYPE_CHECKING

from analysis.summaries import joined, quantity_text

if TYPE_CHECKING:
    from analysis.criteria import CriteriaTable
    from study.tuning import Tuning

NO_TUNING_CURVES = (
    "There are no tuning curves and no best of k trials: they take trials that were all trained in full, and "
    "with halving only those of the last rung were; a search of k trials would have had other rungs."
)
"""Why a search with halving has none."""


def tuned_notes(table: "CriteriaTable") -> list[str]:
    """Return how a `tuned` table is to be read."""
    assert table.tuning is not None
    kind = table.metric.rpartition("_")[2]
    delta, cap = (quantity_text(value, table.unit) for value in (table.delta, table.loss_cap))
    tuning = table.tuning
    found = [
        f"Every activation was searched for itself, with {quantity_text(tuning.trials, 'trials')} of the "
        f"sampler {tuning.sampler} in each search; the winner is the best one by validation {kind}. A trial "
        "that failed can not win and uses up its share. A winner was then trained again on "
        f"{quantity_text(tuning.confirm, 'fresh seeds')}, with new initial weights and batches: the "
        f"{table.metric} of the trial that won is partly luck, that on fresh seeds is not.",
        f"Wins, loses, ties tuned: as at equal settings (adjusted p at most {table.alpha:g}, Holm over the "
        f"rivals; ties within {delta} either way; a training that failed loses {cap}), but the unit is one "
        "whole search, repeated from other seeds: another search may find other winners, and a single one is "
        f"a single observation. No verdict below {table.minimum_units} searches.",
    ]
    if tuning.halving is not None:
        found.append(_of_halving(tuning, kind))
    if tuning.repeats == 1:
        found.append(
            "The comparison of the two winners is about these two settings: its unit is a fresh seed, and it "
            "says nothing of what another search would have found."
        )
    if tuning.adaptive:
        found.append(
            f"The sampler {tuning.sampler} chooses a trial by those before it, so trials are no independent "
            "draws, and a tuning curve has no band and the best of k trials no interval."
        )
    elif table.best_of:
        found.append(
            "Best of k trials: what a random search of k trials would end with, chosen on validation; its "
            "interval resamples the trials, and holds for each k by itself."
        )
    found.append(
        "Equal settings favour the activation that the defaults were made for, a search the one that is "
        "easier to tune. Who wins tuned and who wins untuned (the design paired) are two questions; if the "
        "answers differ, both are true."
    )
    return found


def _of_halving(tuning: "Tuning", kind: str) -> str:
    """Return what rungs a search had, what they took, and what that means for a verdict."""
    parts = zip(tuning.rung_trials, tuning.rung_epochs, strict=True)
    rungs = joined([f"{quantity_text(n, 'trials')} of {quantity_text(e, 'epochs')}" for n, e in parts])
    return (
        f"Successive halving: in each search every activation had {rungs}; the best trials of a rung by "
        f"validation {kind} were trained again from the same seeds, longer, and the winner is the best of "
        f"the last rung. That is {tuning.search_epochs} epochs for each activation in a search, and "
        f"{tuning.trials * (tuning.epochs or 0)} if every trial were trained in full. A setting that "
        "learns slowly at first is lost early, so a verdict is about searches of this kind. "
        f"{NO_TUNING_CURVES}"
    )
