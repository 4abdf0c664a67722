"""The recommendation: one row per parameter, where the focus wins and who wins elsewhere, in words.

Nothing is computed here beyond what the comparisons hold. A level is on one side only if its verdict
is; what is not settled is listed as such.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from analysis.statistics.compare import UNINFORMATIVE_LIMIT, Comparison, Verdict
from analysis.statistics.levels import number_text
from study.question import Question, Structure

EVERYWHERE = "every configuration"
NONE_SHOWN = "none shown"
EVERY_LEVEL = "every tested level"

_PLURAL = re.compile(r"(?<=[a-z]{2}[a-hj-rtv-z])s$")
"""The s of a plural, and not that of loss, status, basis or ms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelVerdict:
    """The verdict at one level of a factor, against one rival or against all.

    Parameters
    ----------
    level : str
        Label of the level; `every configuration` in the headline.
    verdict : Verdict
        Against all rivals, by intersection-union (Berger 1982): `wins` if the focus wins against
        each; `loses` if it loses to any; `ties` if it wins against or ties with each, with at least
        one tie; else not enough evidence.
    run : bool
        False for a level of which no pair exists.
    wins_against, loses_to, ties_with, not_settled_against : tuple of str
        The rivals by name, in the order of the question.
    """

    level: str
    verdict: Verdict
    run: bool
    wins_against: tuple[str, ...] = ()
    loses_to: tuple[str, ...] = ()
    ties_with: tuple[str, ...] = ()
    not_settled_against: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FactorSummary:
    """One row of the recommendation table: a parameter, where the focus wins, who wins elsewhere.

    Parameters
    ----------
    parameter : str or None
        The condition factor; None for the headline (every configuration).
    rival : str or None
        One rival, or None for all rivals together. With a single rival there is only None.
    levels : tuple of LevelVerdict
        In the order of the spec.
    wins, elsewhere, evidence : str
        The cells `When <focus> wins`, `Who wins elsewhere` and `Evidence`, plain text. The evidence is
        the weakest that the row stands on: of its wins and of its losses, else of its ties, else the
        comparison that came nearest to a verdict.
    sentence : str
        The row as a sentence to act on, plain text.
    matters : str
        The cell `Matters?`: whether the difference depends on the parameter at all, with the adjusted
        p of its gate, the smallest over the rivals, and with the rivals where it does against some of
        them alone. `-` where that was not asked.
    """

    parameter: str | None
    rival: str | None
    levels: tuple[LevelVerdict, ...]
    wins: str
    elsewhere: str
    evidence: str
    sentence: str
    matters: str = "-"


def unit_name(design: Structure) -> str:
    """Return what the independent units of a design are called, in the plural."""
    if design == "unpaired":
        return "configurations per activation"
    return "replicates" if design == "ofat" else "configurations"


def pair_name(design: Structure) -> str:
    """Return what is counted where a table counts pairs, in the plural."""
    return "runs" if design == "unpaired" else "pairs"


def amount_text(value: float, delta: float, *, signed: bool = False) -> str:
    """Return a number in the metric's unit with one digit more than delta needs."""
    digits = max(0, 1 - math.floor(math.log10(delta)))
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def p_text(p: float | None) -> str:
    """Return a p-value to two significant digits, `-` where there is none."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def friedman_text(p: float | None) -> str:
    """Return the p-value of Friedman's test of the ranks as a sentence; empty where there is none."""
    return "" if p is None else f"Friedman's test that all are equal: p {p_text(p)}."


class _Estimate(Protocol):
    """A difference with its interval."""

    @property
    def difference(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def interval_text(comparison: _Estimate, delta: float) -> str:
    """Return the difference with its interval, such as `+0.42 [+0.20, +0.64]`; `-` without a pair."""
    if comparison.difference is None:
        return "-"
    middle = amount_text(comparison.difference, delta, signed=True)
    if comparison.low is None or comparison.high is None:
        return middle
    ends = ", ".join(amount_text(end, delta, signed=True) for end in (comparison.low, comparison.high))
    return f"{middle} [{ends}]"


def quantity_text(value: float, unit: str) -> str:
    """Return an amount of a unit that is given in the plural, such as `1 point` or `0.5 points`.

    A unit that does not look like a plural, such as `loss` or `ms`, stays as it is.
    """
    return f"{number_text(value)} {_PLURAL.sub('', unit) if value == 1 else unit}"


def joined(names: Sequence[str], last: str = "and") -> str:
    """Return names as prose: `a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def silence_text(comparison: Comparison) -> str:
    """Return which share of the pairs says nothing, where it is more than a tie may have; else empty."""
    share = comparison.uninformative or 0.0
    return f"{share * 100:.0f} % of the pairs say nothing" if share > UNINFORMATIVE_LIMIT else ""


def silence_sentence(comparisons: Sequence[Comparison]) -> str:
    """Return in how many pairs both sides failed or stayed at chance, where they are too many; else empty."""
    silent = [row for row in comparisons if silence_text(row)]
    if not silent:
        return ""
    worst = max(silent, key=lambda row: row.uninformative or 0.0)
    rivals = list(dict.fromkeys(row.rival for row in silent))
    levels = list(dict.fromkeys(row.level for row in silent if row.level is not None))
    where = f" at {worst.parameter} {joined(levels, 'or')}" if levels else ""
    most = "up to " if len(silent) > 1 else ""
    return (
        f"Against {joined(rivals, 'or')}{where}, {most}{silence_text(worst)}: both sides failed or stayed at "
        "chance."
    )


def percent_text(share: float | None, low: float | None, high: float | None, digits: int = 0) -> str:
    """Return a share with its interval in percent, `-` where there is none."""
    if share is None or low is None or high is None:
        return "-"
    middle, *ends = (f"{value * 100:.{digits}f}" for value in (share, low, high))
    return f"{middle} % [{', '.join(ends)}]"


def remarks(comparison: Comparison, design: Structure) -> tuple[str, ...]:
    """Return what a reader of one comparison must know beside its numbers, as short phrases."""
    found: list[str] = []
    if comparison.units and comparison.p_adjusted is None:
        found.append(f"too few {unit_name(design)} for a verdict")
    if silence := silence_text(comparison):
        found.append(f"{silence} (both failed or stayed at chance): never called a tie")
    decided = comparison.verdict in (Verdict.WINS, Verdict.LOSES)
    if decided and comparison.failure_share is not None and comparison.failure_share >= 0.5:
        found.append(f"{comparison.failure_share * 100:.0f} % of the difference comes from failures")
    names = {"cap_0.6": "at 0.6 times the cap", "cap_2": "at twice the cap", "outcomes": "on outcomes alone"}
    changed = [names[name] for name, stable in comparison.stable_under.items() if not stable]
    if changed:
        found.append(f"verdict changes {joined(changed)}")
    if comparison.dropped:
        found.append(f"{quantity_text(comparison.dropped, 'blocks')} without a pair")
    return tuple(found)


def level_verdict(comparisons: Sequence[Comparison]) -> LevelVerdict:
    """Combine the comparisons of one region, one per rival."""

    def rivals(verdict: Verdict) -> list[Comparison]:
        return [comparison for comparison in comparisons if comparison.verdict == verdict]

    wins, ties, loses = rivals(Verdict.WINS), rivals(Verdict.TIES), rivals(Verdict.LOSES)
    if loses:
        verdict = Verdict.LOSES
    elif len(wins) == len(comparisons):
        verdict = Verdict.WINS
    elif len(wins) + len(ties) == len(comparisons):
        verdict = Verdict.TIES
    else:
        verdict = Verdict.NOT_ENOUGH_EVIDENCE
    wins_against, ties_with, loses_to, not_settled_against = (
        tuple(comparison.rival for comparison in group)
        for group in (wins, ties, loses, rivals(Verdict.NOT_ENOUGH_EVIDENCE))
    )
    return LevelVerdict(
        level=comparisons[0].level or EVERYWHERE,
        verdict=verdict,
        run=any(comparison.pairs for comparison in comparisons),
        wins_against=wins_against,
        loses_to=loses_to,
        ties_with=ties_with,
        not_settled_against=not_settled_against,
    )


def _groups(levels: Sequence[LevelVerdict], attribute: str) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return (rivals, levels) with the same rivals together, most rivals first; levels that were run."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for level in levels:
        rivals = getattr(level, attribute)
        if level.run and rivals:
            groups.setdefault(rivals, []).append(level.level)
    return sorted(groups.items(), key=lambda group: -len(group[0]))


def level_cells(headline: bool, levels: Sequence[LevelVerdict], rivals: int) -> tuple[str, str]:
    """Return the cells `When <focus> wins` and `Who wins elsewhere`."""
    run = sum(level.run for level in levels)

    def said(attribute: str, all_rivals: str, some_rivals: str, link: str, everywhere: str) -> list[str]:
        """Put one kind of verdict in words; `{}` stands for the rivals."""
        found: list[str] = []
        for names, where in _groups(levels, attribute):
            who = (all_rivals if len(names) == rivals else some_rivals).format(joined(names))
            at = everywhere if len(where) == run > 1 else ", ".join(where)
            found.append(who or at if headline or not (who and at) else f"{who}{link}{at}")
        return found

    wins = said("wins_against", "overall" if headline else "", "over {}", ": ", EVERY_LEVEL)
    elsewhere = [
        *said("loses_to", "{}", "{}", " at ", EVERY_LEVEL),
        *said("ties_with", "ties with {}", "ties with {}", " at ", EVERY_LEVEL),
        *said("not_settled_against", "not settled", "not settled against {}", ": ", ""),
    ]
    not_run = [level.level for level in levels if not level.run]
    if not_run:
        elsewhere.append("no pair" if headline else f"no pair: {', '.join(not_run)}")
    return "; ".join(wins) or NONE_SHOWN, "; ".join(elsewhere) or "-"


def _doubt(comparison: Comparison) -> float:
    """Return the adjusted p-value of what a comparison says, of the nearest verdict where it says nothing."""
    p = comparison.p_adjusted if comparison.p_adjusted is not None else 1.0
    p_tie = comparison.p_tie_adjusted if comparison.p_tie_adjusted is not None else 1.0
    if comparison.verdict is Verdict.TIES:
        return p_tie
    return min(p, p_tie) if comparison.verdict is Verdict.NOT_ENOUGH_EVIDENCE else p


def support_text(comparison: Comparison, kind: str, question: Question, *, several: bool) -> str:
    """Return one comparison as evidence."""
    wins = comparison.verdict is Verdict.WINS
    doubt = _doubt(comparison)
    of_tie = comparison.p_tie_adjusted == doubt != comparison.p_adjusted
    parts = [
        f"{interval_text(comparison, question.delta)} {question.unit}",
        f"{'over' if wins else 'against'} {comparison.rival}" if several else "",
        f"at {comparison.level}" if comparison.level is not None else "",
    ]
    rate = percent_text(comparison.win_rate, comparison.win_rate_low, comparison.win_rate_high)
    details = [
        kind,
        f"adjusted p{' of a tie' if of_tie else ''} {p_text(doubt)}",
        f"win rate {rate}",
        f"{comparison.pairs} {pair_name(question.design)} of {comparison.units} {unit_name(question.design)}",
        silence_text(comparison),
        "" if all(comparison.stable_under.values()) else "fragile",
    ]
    return f"{' '.join(filter(None, parts))} ({'; '.join(filter(None, details))})"


def evidence_text(comparisons: Sequence[Comparison], question: Question, *, several: bool) -> str:
    """Return what a row stands on, see `FactorSummary`; with `several` rivals each is named."""
    judged = [row for row in comparisons if row.p_adjusted is not None]
    if not judged:
        against = (
            f" against {joined(list(dict.fromkeys(row.rival for row in comparisons)))}" if several else ""
        )
        return f"{'too few' if any(row.pairs for row in comparisons) else 'no'} pairs{against}"
    by_verdict = {verdict: [row for row in judged if row.verdict is verdict] for verdict in Verdict}
    found = [
        (by_verdict[Verdict.WINS], "weakest of {} wins"),
        (by_verdict[Verdict.LOSES], "weakest of {} losses"),
    ]
    if not any(pool for pool, _ in found):
        found = [(by_verdict[Verdict.TIES], "weakest of {} ties")]
    texts = [
        support_text(
            max(pool, key=_doubt), kind.format(len(pool)) if len(pool) > 1 else "", question, several=several
        )
        for pool, kind in found
        if pool
    ]
    nearest = "nearest to a verdict" if len(judged) > 1 else ""
    return "; ".join(texts) or support_text(min(judged, key=_doubt), nearest, question, several=several)


def _settling(comparisons: Sequence[Comparison], question: Question) -> str:
    """Return what would settle the open rows among `comparisons`, as a sentence; empty where unknown."""
    wanted = [comparison for comparison in comparisons if comparison.units_to_settle is not None]
    if not wanted:
        return ""
    worst = max(wanted, key=lambda comparison: comparison.units_to_settle or 0)
    where = f" at {worst.level}" if worst.level is not None else ""
    needed = f"{worst.units_to_settle} {unit_name(question.design)}"
    return (
        f"About {needed}{where} would settle {'it' if len(wanted) == 1 else 'all of it'} (now {worst.units})."
    )


def level_sentences(
    comparisons: Sequence[Comparison], levels: Sequence[LevelVerdict], question: Question, rivals_named: int
) -> list[str]:
    """Return level verdicts as advice; `rivals_named` is how many rivals `every rival` stands for."""
    focus, parameter = question.focus, comparisons[0].parameter
    run = [level.level for level in levels if level.run]

    def rivals(some: Sequence[str], everyone: str) -> str:
        return everyone if len(some) == rivals_named > 1 else joined(some)

    def where(some: Sequence[str]) -> str:
        if parameter is None:
            return f"On average over the {'configurations' if question.factors else 'replicates'}"
        return (
            f"At every tested {parameter}"
            if len(some) == len(run) > 1
            else f"With {parameter} {joined(some, 'or')}"
        )

    parts: list[str] = []
    for who, at in _groups(levels, "wins_against"):
        parts.append(f"{where(at)}, {focus} beats {rivals(who, 'every rival')}.")
    for who, at in _groups(levels, "loses_to"):
        verb = "beats" if len(who) == 1 else "each beat"
        parts.append(f"{where(at)}, {joined(who)} {verb} {focus}.")
    for who, at in _groups(levels, "ties_with"):
        parts.append(f"{where(at)}, {focus} and {joined(who)} differ too little to matter.")
    open_groups = _groups(levels, "not_settled_against")
    for who, at in open_groups:
        parts.append(f"{where(at)}, there is not enough evidence against {rivals(who, 'any rival')}.")
    parts += [_settling(comparisons, question)] if open_groups else []
    parts.append(silence_sentence(comparisons))
    not_run = [level.level for level in levels if not level.run]
    if not_run:
        parts.append(
            "There is no pair yet." if parameter is None else f"{where(not_run)}, there is no pair yet."
        )
    return list(filter(None, parts))


def advice(sentences: Sequence[str], *, provisional: bool) -> str:
    """Return sentences as one text, marked where planned trainings are missing."""
    return ("Provisional: " if provisional else "") + " ".join(sentences)


def level_summary(
    comparisons: Sequence[Comparison], rival: str | None, question: Question, *, provisional: bool
) -> FactorSummary:
    """Summarise the level verdicts of one parameter, against one rival or (None) against all."""
    by_level: dict[str | None, list[Comparison]] = {}
    for comparison in comparisons:
        by_level.setdefault(comparison.level, []).append(comparison)
    levels = tuple(level_verdict(group) for group in by_level.values())
    parameter = comparisons[0].parameter
    rivals = len({comparison.rival for comparison in comparisons})
    wins, elsewhere = level_cells(parameter is None, levels, rivals)
    return FactorSummary(
        parameter=parameter,
        rival=rival,
        levels=levels,
        wins=wins,
        elsewhere=elsewhere,
        evidence=evidence_text(comparisons, question, several=rivals > 1),
        sentence=advice(level_sentences(comparisons, levels, question, rivals), provisional=provisional),
    )
