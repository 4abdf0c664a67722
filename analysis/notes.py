"""What every rendering of the criteria table says beside it: settings and caveats, plain sentences."""

from typing import TYPE_CHECKING

from analysis.agreement import sentence
from analysis.profile import profile_notes
from analysis.statistics.compare import UNINFORMATIVE_LIMIT, Verdict
from analysis.statistics.pairs import FAILURES
from analysis.summaries import interval_text, joined, quantity_text, unit_name
from analysis.tuned_notes import tuned_notes
from study.references import is_reference
from study.training import Status

if TYPE_CHECKING:
    from analysis.criteria import CriteriaTable


def notes(table: "CriteriaTable") -> tuple[str, ...]:
    """Return the settings and caveats of a table; first what was run, then what limits it."""
    size = (
        f"{table.trainings} of {table.planned_trainings} trainings"
        if table.design == "tuned"
        else f"{table.configurations} of {table.planned_configurations} configurations, up to "
        f"{quantity_text(table.replicates, 'replicates')}, {table.trainings} of {table.planned_trainings} "
        "trainings"
    )
    better = "higher" if table.higher_is_better else "lower"
    data = [
        f"{what} {name}"
        for what, name in (("data set", table.dataset), ("architecture", table.architecture))
        if name
    ]
    metric = f"metric {table.metric} in {table.unit}, {better} is better."
    found = ["; ".join([size, f"design {table.design}", *data, metric])]
    if table.provisional:
        found.append("Provisional: planned trainings are missing; what is shown now may change.")
    found += _of_looks(table)
    found += profile_notes(table.profiled, table.metric)
    if table.dataset_note:
        found.append(table.dataset_note)
    if table.mixed:
        found.append(
            "The trainings come from more than one environment, so two of them may differ in more than their "
            "activation."
        )
    if table.agreement is not None:
        found.append(sentence(table.agreement, table.metric, table.unit, table.delta))
        if is_reference(table.architecture):
            found.append(
                "Keras' own random layers (Dropout and the like) in a network of your own draw other numbers "
                "in each engine, so the distance between the engines holds that chance too."
            )
    return (*found, *(tuned_notes(table) if table.design == "tuned" else _of_verdicts(table)))


def _of_looks(table: "CriteriaTable") -> list[str]:
    """Return what may be stopped on while trainings are missing, and what a sweep stopped on."""
    if not table.running or not table.running[0].configurations:
        return []
    said = [
        f"{one.verdict.words} {'over' if one.verdict is Verdict.WINS else 'against'} {one.rival}, "
        f"{interval_text(one, table.delta)} {table.unit}"
        for one in table.running
    ]
    first = table.running[0].configurations
    sequence = (
        f"over the first {first} of {table.planned_configurations} configurations of the design, by a "
        f"confidence sequence, which holds with 95 % however often one looks: {'; '.join(said)}."
    )
    if table.stopped_at is None:
        return [f"Safe to stop on is the overall row alone, {sequence}"]
    return [
        f"Stopped early (--until decided), at the first look that decides the overall row of every rival, "
        f"{sequence} The overall verdicts are these.",
        "All else is computed as if the number of configurations had been fixed, so the levels are "
        "exploratory: in simulated sweeps that stopped so, their 95 % intervals held the truth in 90 to "
        "96 %. The t interval of the overall row did in 78 to 97 %, and its p does not allow for the looks "
        "either: go by the sequence there. Without --until decided the same sweep goes on to its full size.",
    ]


def _of_verdicts(table: "CriteriaTable") -> list[str]:
    units = unit_name(table.design)
    delta, cap = (quantity_text(value, table.unit) for value in (table.delta, table.loss_cap))
    rows = table.headline + table.levels
    ignorant = sum((row.uninformative or 0.0) > UNINFORMATIVE_LIMIT for row in rows)
    fragile = sum(not all(row.stable_under.values()) for row in rows)
    difference = (
        f"A difference is the mean of {table.focus} over the configurations that ran with it minus that of "
        f"the rival over those that ran with the rival, positive where {table.focus} is better, with its 95 "
        f"% interval (Welch); a run that failed counts as {cap} behind those of the other side. What a "
        "setting does to every activation is not taken out, so it takes many more runs than with pairs; and "
        "it is fair only if the settings of all were drawn alike."
        if table.design == "unpaired"
        else f"A difference is the mean over {units} of {table.focus} minus the rival in the same block, "
        f"positive where {table.focus} is better, with its 95 % t interval; no pair counts for more than "
        f"{cap}."
    )
    found = [
        difference,
        f"Wins, loses: adjusted p at most {table.alpha:g}. Ties: shown to lie within {delta} either way. Not "
        f"enough evidence (not settled): neither, which is not a tie. Clear: the whole interval lies beyond "
        f"{delta}. p is adjusted by Holm over the overall rows and by "
        f"{'Holm' if table.strict else 'Benjamini and Hochberg'} over all level rows, intervals are not; no "
        f"verdict below {table.minimum_units} {units}.",
    ]
    if table.design in ("paired", "ofat"):
        found.append(
            ("Untuned but for what is profiled" if table.profiled else "Untuned")
            + ": focus and rival ran at equal settings, and a verdict says who wins there. Who wins when "
            "each has its own best setting is the question of the design tuned, and can differ."
        )
    found += _of_gates(table)
    if len(table.rivals) > 1:
        found.append(
            f"Where no rival is named, {table.focus} wins against each of them. Whoever is named as winning "
            f"elsewhere beats {table.focus} there; rivals are not compared with each other."
        )
    found.append(_failures(table))
    if table.dropped:
        found.append(
            f"Without a usable pair: up to {quantity_text(table.dropped, 'blocks')} per rival, of which one "
            "side is missing or was stopped by a fault of the machine."
        )
    if table.adaptive_excluded:
        found.append(
            f"Left out: {quantity_text(table.adaptive_excluded, 'trainings')} of an adaptive search, whose "
            "settings were chosen after seeing results."
        )
    if ignorant:
        found.append(
            f"In {quantity_text(ignorant, 'comparisons')} more than {UNINFORMATIVE_LIMIT * 100:.0f} % of the "
            "pairs say nothing, because both sides failed or stayed at chance; these are never called a tie."
        )
    if fragile:
        found.append(
            f"Fragile: {quantity_text(fragile, 'verdicts')} would be another at 0.6 or 2 times the cap, "
            "or when only better, equal and worse are counted; the evidence table says which."
        )
    for start, values in (
        ("Correlation of the two results of a block", table.pair_correlation),
        ("Correlation of a configuration's differences over its replicates", table.seed_correlation),
    ):
        known = [f"{value:.2f} ({rival})" for rival, value in values.items() if value is not None]
        if known:
            found.append(f"{start}: {joined(known)}.")
    if table.design == "ofat" and not table.levels:
        return found
    found.append(
        "Each level was moved alone away from the baseline, so a verdict holds at the baseline of the others "
        "alone, and the overall row averages over the levels that were walked. The baseline's trainings are "
        "in one row of every factor, so those rows are one result."
        if table.design == "ofat"
        else "Verdicts are averages over the other factors as they were drawn, for this data set, its one "
        "test set and this budget; another search space is another question."
    )
    return found


def _of_gates(table: "CriteriaTable") -> list[str]:
    """Return how gates, thresholds and trees are to be read, those that the table has."""
    tested = sum(gate.p_adjusted is not None for gate in table.gates)
    found: list[str] = []
    if tested:
        found.append(
            "Matters: a permutation test of whether the difference depends on the factor at all, adjusted "
            f"by Holm over {quantity_text(tested, 'tests')} (factors x rivals). No sign that it matters is "
            "not a proof that it does not, and holds for the tested values alone."
        )
    if table.thresholds:
        delta = quantity_text(table.delta, table.unit)
        found.append(
            f"A threshold is where the mean difference crosses {delta}, given as the last tested value on "
            "the losing side. Its 95 % set comes from an isotonic likelihood ratio; the gains on either side "
            "are from units that did not help to place it."
        )
    checked = [tree for tree in table.interactions if tree.p is not None]
    if any(tree.leaves for tree in checked):
        found.append(
            "Tree: two factors, shown where a second one tells more than the first by itself, on units that "
            "the tree has not seen as well; the gains of its leaves are from units that did not place its "
            "bounds. Only where it says that they act together do the two more than add up."
        )
    elif checked:
        found.append(
            "Tree: nowhere does a second factor tell more of the difference than one by itself does, so none "
            "is shown."
        )
    return found


def _failures(table: "CriteriaTable") -> str:
    """Return which activation failed how often; for none, what can be said about the rate (3 / n)."""
    units = max(row.units for row in table.headline)
    bound = f" (a rate below {300 / units:.2g} % with 95 %)" if units > 3 else ""
    parts: list[str] = []
    for activation, statuses in table.failures.items():
        counted = [f"{count} {status}" for status, count in statuses.items() if status in FAILURES]
        parts.append(f"{activation} {joined(counted) if counted else f'none{bound}'}")
    where = " at every learning rate of a block" if table.profiled else ""
    recorded = any(Status.FAILED.value in statuses for statuses in table.failures.values())
    who = "run that failed" if recorded else "training that diverged or ran out of memory or time"
    return (
        f"A {who}{where} is never left out; it loses "
        f"{quantity_text(table.loss_cap, table.unit)}. Failures: {'; '.join(parts)}."
    )
