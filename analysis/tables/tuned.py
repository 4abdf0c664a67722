"""What is said of a `tuned` sweep: the verdicts when tuned, the winners, the best of k, in words and cells.

A verdict of this design always carries the word *tuned*, so that none is taken for one of equal settings.
"""

import dataclasses
from typing import TYPE_CHECKING

from analysis.statistics.compare import Comparison, Verdict
from analysis.summaries import amount_text, interval_text, p_text, quantity_text

if TYPE_CHECKING:
    from analysis.criteria import CriteriaTable
    from analysis.statistics.tuned import TunedBest, TunedVerdict

Rows = list[dict[str, str]]

_WINNER = {Verdict.WINS: "better", Verdict.LOSES: "worse", Verdict.TIES: "equal"}
_BEST_OF = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Numbers of trials that the table shows; the figure shows all."""


def verdict_words(verdict: "TunedVerdict") -> str:
    """Return the verdict about the searches, such as `wins tuned`."""
    if verdict.searches.verdict is Verdict.NOT_ENOUGH_EVIDENCE:
        return verdict.searches.verdict.words
    size = verdict.searches.size
    words = f"{verdict.searches.verdict.words} tuned"
    return words if size is None else f"{words}, {'clear' if size == 'clear' else 'size unclear'}"


def verdict_rows(table: "CriteriaTable") -> Rows:
    """Return the verdicts when tuned as text, one row per rival."""
    mark = "provisional: " if table.provisional else ""
    rows: Rows = []
    for verdict in table.tuned_verdicts:
        searches, shown = verdict.searches, verdict.winners or verdict.searches
        said = mark + verdict_words(verdict) + _more(searches)
        row = {"Rival": verdict.rival, f"{table.focus} tuned": said}
        if verdict.winners is not None:
            row["Winners of this search"] = mark + _of_winners(verdict.winners, table)
        row |= {
            f"Difference in {table.unit} [95 %]": interval_text(shown, table.delta),
            "Adj. p": p_text(shown.p_adjusted),
            "Adj. p (tie)": p_text(shown.p_tie_adjusted),
            "Searches": str(searches.units),
            "Fresh seeds": str(shown.pairs),
            f"Failed {table.focus}/rival": f"{shown.focus_failures}/{shown.rival_failures}",
        }
        rows.append(row)
    return rows


def _more(searches: Comparison) -> str:
    if searches.verdict is not Verdict.NOT_ENOUGH_EVIDENCE or searches.units_to_settle is None:
        return ""
    return f" (about {searches.units_to_settle} searches would settle it)"


def _of_winners(winners: Comparison, table: "CriteriaTable") -> str:
    found = _WINNER.get(winners.verdict)
    return "not settled" if found is None else f"that of {table.focus} is {found}"


def winner_rows(table: "CriteriaTable") -> Rows:
    """Return the winner of each search as text; none unless the design is `tuned`."""

    def score(value: float | None) -> str:
        return "-" if value is None else amount_text(value, table.delta)

    kind = table.metric.rpartition("_")[2]
    several = table.tuning is not None and table.tuning.repeats > 1
    return [
        {
            "Activation": best.activation,
            **({"Search": str(best.repeat)} if several else {}),
            "Setting": best.setting or "-",
            f"Chosen by validation {kind}": score(best.selection),
            f"{table.metric} of that trial": score(best.score),
            f"{table.metric} on fresh seeds [95 %]": _fresh(best, table.delta),
            "Fresh seeds": str(best.confirmed),
            "Failed there": str(best.confirmed_failed),
            "Trials": str(best.trials),
            "Failed trials": str(best.failed),
        }
        for best in table.tuned
    ]


def _fresh(best: "TunedBest", delta: float) -> str:
    if best.mean is None:
        return "-"
    if best.low is None or best.high is None:
        return amount_text(best.mean, delta)
    mean, low, high = (amount_text(value, delta) for value in (best.mean, best.low, best.high))
    return f"{mean} [{low}, {high}]"


def best_of_rows(table: "CriteriaTable") -> Rows:
    """Return the difference of the best of k trials as text, for some k and the largest."""
    last = {found.rival: found.k for found in table.best_of}
    return [
        {
            "Rival": found.rival,
            "Best of": quantity_text(found.k, "trials"),
            f"Difference in {table.unit} [95 %]": interval_text(found, table.delta),
            "From trials": str(found.trials),
        }
        for found in table.best_of
        if found.k in _BEST_OF or found.k == last[found.rival]
    ]


def status(table: "CriteriaTable") -> str:
    """Return what must be read before the table of a `tuned` sweep."""
    found = ["Tuned: each activation was searched for its own best setting, so nothing here is untuned."]
    if table.tuning is not None and table.tuning.repeats < table.minimum_units:
        searches = "One search" if table.tuning.repeats == 1 else f"{table.tuning.repeats} searches"
        found.append(
            f"{searches} for each activation can not say who wins tuned; it takes {table.minimum_units} "
            "(repeats under [tuning])."
        )
    return " ".join(found)


def sentences(table: "CriteriaTable") -> list[str]:
    """Return the answer against each rival as a sentence."""
    return [_sentence(verdict, table) for verdict in table.tuned_verdicts]


def _sentence(verdict: "TunedVerdict", table: "CriteriaTable") -> str:
    assert table.tuning is not None
    focus, rival, searches = table.focus, verdict.rival, verdict.searches
    mark = "Provisional: " if table.provisional else ""
    trials = f"{quantity_text(table.tuning.trials, f'{table.tuning.sampler} trials')} each"
    if table.tuning.halving is not None:
        trials += f", halved by {table.tuning.halving} in {quantity_text(table.tuning.rungs, 'rungs')}"
    gain = f"{interval_text(searches, table.delta)} {table.unit} over {searches.units} searches"
    said = {
        Verdict.WINS: f"{focus} wins tuned over {rival}: with {trials}, {gain}.",
        Verdict.LOSES: f"{focus} loses tuned to {rival}: with {trials}, {gain}.",
        Verdict.TIES: f"Tuned, {focus} and {rival} tie: with {trials}, {gain}.",
        Verdict.NOT_ENOUGH_EVIDENCE: f"Whether {focus} wins tuned over {rival} is not settled"
        f"{_more(searches)}.",
    }[searches.verdict]
    if verdict.winners is None or verdict.winners.difference is None:
        return mark + said
    winners = verdict.winners
    numbers = f"{interval_text(winners, table.delta)} {table.unit} on {winners.units} fresh seeds"
    found = {
        Verdict.WINS: f"that of {focus} is better than that of {rival}",
        Verdict.LOSES: f"that of {focus} is worse than that of {rival}",
        Verdict.TIES: f"those of {focus} and {rival} are equal",
        Verdict.NOT_ENOUGH_EVIDENCE: f"those of {focus} and {rival} are not told apart",
    }[winners.verdict]
    return f"{mark}{said} Of the two winners that this one search found, {found}: {numbers}."


def metrics(table: "CriteriaTable") -> dict[str, float | None]:
    """Return numbers to sort sweeps by: `tuned/<activation>` and `difference_tuned/<rival>`."""
    found: dict[str, float | None] = {}
    for name in dict.fromkeys(best.activation for best in table.tuned):
        means = [best.mean for best in table.tuned if best.activation == name and best.mean is not None]
        found[f"tuned/{name}"] = sum(means) / len(means) if means else None
    for verdict in table.tuned_verdicts:
        found[f"difference_tuned/{verdict.rival}"] = verdict.searches.difference
    return found


def csv_rows(table: "CriteriaTable") -> list[dict[str, object]]:
    """Return a row per search and activation: the fields of `TunedBest`, and beside a rival its verdict."""
    verdicts = {verdict.rival: verdict for verdict in table.tuned_verdicts}
    rows: list[dict[str, object]] = []
    for best in table.tuned:
        row: dict[str, object] = {f.name: getattr(best, f.name) for f in dataclasses.fields(best)}
        row |= row.pop("levels")  # pyright: ignore[reportOperatorIssue]
        for name, of in (("tuned", "searches"), ("winners", "winners")):
            verdict = verdicts.get(best.activation)
            found = getattr(verdict, of) if verdict is not None else None
            row |= {
                f"{name}_{field}": getattr(found, field) if found is not None else None
                for field in ("verdict", "difference", "low", "high", "p_adjusted", "units")
            }
        rows.append(row)
    return rows
