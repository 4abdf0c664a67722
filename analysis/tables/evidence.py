"""The tables behind the recommendation as text: gates with thresholds, failures, ranking, trees, pairing."""

from analysis.criteria import CriteriaTable
from analysis.profile import level_words
from analysis.statistics.gates import Gate
from analysis.statistics.levels import number_text
from analysis.statistics.thresholds import RegionGain, Threshold
from analysis.summaries import amount_text, interval_text, joined, p_text, percent_text, unit_name

Rows = list[dict[str, str]]
"""A table as text: one dict per row, column heading to cell."""

OVERALL = "(overall)"
_OUTCOMES = {
    "everywhere": "every tested value",
    "not_shown": "not shown",
    "not_one_threshold": "not one threshold",
}


def gate_rows(table: CriteriaTable) -> Rows:
    """Return whether each factor matters against each rival; where any has one, with the thresholds."""
    found = {(one.parameter, one.rival): one for one in table.thresholds}
    return [_gate_row(gate, found.get((gate.parameter, gate.rival)), table) for gate in table.gates]


def _gate_row(gate: Gate, found: Threshold | None, table: CriteriaTable) -> dict[str, str]:
    units = unit_name(table.design).capitalize()
    row = {
        "Parameter": gate.parameter,
        "Rival": gate.rival,
        "Matters?": "not tested" if gate.p_adjusted is None else "yes" if gate.matters else "no sign",
        "Adj. p": p_text(gate.p_adjusted),
    }
    if not table.thresholds:
        return {**row, units: str(gate.units)}
    inside, outside = (found.inside, found.outside) if found is not None else (None, None)
    return {
        **row,
        "Threshold": _point(found),
        "95 % set": _set(found),
        f"Gain there in {table.unit} [95 %]": _gain(inside, table),
        "Win rate there [95 %]": _win_rate(inside),
        "Gain elsewhere [95 %]": _gain(outside, table),
        units: f"{inside.units} + {outside.units}" if inside and outside else str(gate.units),
    }


def _point(found: Threshold | None) -> str:
    if found is None:
        return "-"
    if found.point is None:
        return _OUTCOMES[found.outcome]
    return f"{'above' if found.direction == 'increasing' else 'below'} {number_text(found.point, 3)}"


def _set(found: Threshold | None) -> str:
    if found is None or found.outcome == "not_one_threshold":
        return "-"
    low, high = (None if end is None else number_text(end, 3) for end in (found.low, found.high))
    if low is None or high is None:
        return f"up to {high}" if high is not None else f"from {low} up" if low is not None else "any value"
    return f"{low} to {high}"


def _gain(side: RegionGain | None, table: CriteriaTable) -> str:
    return "-" if side is None else interval_text(side, table.delta)


def _win_rate(side: RegionGain | None) -> str:
    if side is None:
        return "-"
    return percent_text(side.win_rate, side.win_rate_low, side.win_rate_high, digits=1)


def failure_rows(table: CriteriaTable) -> Rows:
    """Return how often each activation failed, and its metric and difference where networks trained."""
    trained = {row.rival: row for row in table.trained_differences}
    rows: Rows = []
    for rate in table.failure_rates:
        metric = "-"
        if rate.metric is not None and rate.metric_low is not None and rate.metric_high is not None:
            texts = [amount_text(x, table.delta) for x in (rate.metric, rate.metric_low, rate.metric_high)]
            metric = f"{texts[0]} [{texts[1]}, {texts[2]}]"
        one = trained.get(rate.activation)
        share = None if one is None else one.failure_share
        rows.append(
            {
                "Activation": rate.activation,
                "Blocks" if table.profiled else "Trainings": str(rate.trainings),
                "Failed": str(rate.failed),
                "Failure rate [95 %]": percent_text(rate.rate, rate.low, rate.high, digits=1),
                "At chance": str(rate.stuck),
                f"{table.metric} where trained [95 %]": metric,
                f"{table.focus} minus it where both trained": (
                    "-" if one is None else interval_text(one, table.delta)
                ),
                "Share of failures in the difference": "-" if share is None else f"{share * 100:.0f} %",
            }
        )
    return rows


def profile_rows(table: CriteriaTable) -> Rows:
    """Return which level of a profiled factor each activation took how often, a row per activation.

    A cell holds the number of blocks, and in brackets the trainings at that level that failed, if any.
    """
    rows: dict[str, dict[str, str]] = {}
    for one in table.profiled:
        row = rows.setdefault(one.activation, {"Activation": one.activation})
        failed = f" ({one.failed} failed)" if one.failed else ""
        row[level_words(one)] = f"{one.chosen}{failed}"
    return list(rows.values())


def ranking_rows(table: CriteriaTable) -> Rows:
    """Return all activations by average rank, each with those it is not separated from."""
    if table.ranking is None:
        return []
    together: dict[str, list[str]] = {}
    for pair in table.ranking.pairs:
        if not pair.separated:
            together.setdefault(pair.better, []).append(pair.worse)
            together.setdefault(pair.worse, []).append(pair.better)
    return [
        {
            "Activation": entry.activation,
            "Average rank": f"{entry.average_rank:.2f}",
            "Not separated from": joined(together.get(entry.activation, [])) or "-",
        }
        for entry in table.ranking.activations
    ]


def interaction_rows(table: CriteriaTable) -> Rows:
    """Return the leaves of every tree that is shown."""
    return [
        {
            "Rival": tree.rival,
            "Where": " and ".join(leaf.where),
            f"Gain in {table.unit} [95 %]": interval_text(leaf, table.delta),
            unit_name(table.design).capitalize(): str(leaf.units),
            "Act together?": f"{'yes' if tree.together else 'no sign'} (p {p_text(tree.p_additive)})",
            "First split in 20 halves": ", ".join(f"{name} {count}" for name, count in tree.roots.items()),
            "Adj. p of a second factor": p_text(tree.p),
        }
        for tree in table.interactions
        for leaf in tree.leaves
    ]


def pairing_rows(table: CriteriaTable) -> Rows:
    """Return what pairing saves in every region with pairs enough to tell."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value + 0.0:.2f}".replace("-0.00", "0.00")

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value * 100:.0f} %".replace("-0 %", "0 %")

    return [
        {
            "Parameter": row.parameter or OVERALL,
            "Level": row.level or "-",
            "Rival": row.rival,
            "Pairs": str(row.pairs),
            "Correlation": number(row.correlation),
            "Variance saved": share(row.saved),
            "by the configuration": share(row.saved_by_configuration),
            "by the seed": share(row.saved_by_seed),
            "Correlation over seeds": number(row.seed_correlation),
        }
        for row in table.pairing
        if row.correlation is not None
    ]
