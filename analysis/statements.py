"""One factor against a rival, or several alike, in words: from gate, threshold and levels.

A statement takes the place of the level verdicts where it says more than they do: a threshold, `any
tested value`, `any optimizer but nadam`. It never says more than the evidence: no threshold without a
gate that passed and a curve that crosses, and no winning side whose own interval includes 0.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.gates import Gate
from analysis.statistics.levels import number_text
from analysis.statistics.thresholds import RegionGain, Threshold
from analysis.summaries import (
    EVERY_LEVEL,
    amount_text,
    interval_text,
    joined,
    p_text,
    percent_text,
    quantity_text,
    support_text,
    unit_name,
)
from study.question import Factor, Question

RIVAL = "\0"
"""Stands in a statement for the rival; names are put there last, as they may hold any character."""
NO_SIGN = "no sign that it matters"
_OPEN = "open"
MINIMUM_LEVELS = 3
"""Fewer named levels are listed: `any but one` of two says less than the two."""
_NOUNS = {"depth": "layers", "width": "units", "batch_size": "examples"}
"""What the numbers of a factor count, where its name does not say it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything about one factor against one rival.

    Parameters
    ----------
    factor : Factor
        The condition.
    rows : tuple of Comparison
        Its levels.
    headline : Comparison
        The overall row of the rival.
    gate : Gate
        Of factor and rival.
    threshold : Threshold or None
        None where there is no place for one.
    """

    factor: Factor
    rows: tuple[Comparison, ...]
    headline: Comparison
    gate: Gate
    threshold: Threshold | None

    def levels(self, verdict: Verdict) -> list[str]:
        """Return the levels of a verdict that were run."""
        return [row.level or "" for row in self.rows if row.verdict is verdict and row.pairs]


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said; equal statements about several rivals are said once.

    Parameters
    ----------
    wins, elsewhere : str
        Cells of the row, empty where there is nothing to say.
    sentence : str
        The same as advice.
    link : {"over", "against"}
        What stands before the rivals in the first cell, where they must be named.
    """

    wins: str
    elsewhere: str
    sentence: str
    link: Literal["over", "against"] = "over"


def statements(findings: Sequence[Findings], question: Question) -> list[tuple[Statement, list[str]]]:
    """Return what is said of a factor, with the rivals it is said of; what is alike is said once.

    Rivals that are not named are those of which the level verdicts say it best.
    """
    groups: dict[Hashable, list[Findings]] = {}
    for found in findings:
        kind = _kind(found, question)
        if kind is not None:
            groups.setdefault(kind, []).append(found)
    spoken: list[tuple[Statement, list[str]]] = []
    for kind, group in groups.items():
        if isinstance(kind, Statement):
            said = kind
        else:
            said = _open(group, question) if kind == _OPEN else _threshold(group, question)
        spoken.append((said, [found.headline.rival for found in group]))
    return spoken


def _kind(found: Findings, question: Question) -> Hashable | None:
    """Return what rivals must share to be put in one statement, or the statement itself."""
    if found.gate.p_adjusted is None:
        return None
    if not found.gate.matters:
        return _without_sign(found, question)
    if found.threshold is None:
        return _any_but(found, question)
    if found.threshold.outcome == "not_one_threshold":
        return _not_one_threshold(found, question)
    inside = winning_side(found)
    if inside is None:
        return _not_shown(found, found.threshold, question)
    if found.threshold.outcome == "everywhere":
        return _everywhere(found.factor, found.threshold, inside, question)
    return found.threshold.direction


def winning_side(found: Findings) -> RegionGain | None:
    """Return the side of the threshold on which the focus wins; None where that is not shown."""
    if found.threshold is None or found.threshold.outcome not in ("threshold", "everywhere"):
        return None
    inside = found.threshold.inside
    return inside if inside is not None and inside.verdict is Verdict.WINS else None


def _without_sign(found: Findings, question: Question) -> Hashable | None:
    """Return the overall verdict as that of any tested value, unless some level contradicts it."""
    verdict, focus, name = found.headline.verdict, question.focus, found.factor.name
    if {row.verdict for row in found.rows} - {verdict, Verdict.NOT_ENOUGH_EVIDENCE}:
        return None
    if verdict is Verdict.NOT_ENOUGH_EVIDENCE:
        return _OPEN
    any_value = f"any tested value; {NO_SIGN}"
    wins, elsewhere, verb = {
        Verdict.WINS: (any_value, "", "beats"),
        Verdict.LOSES: ("", f"{RIVAL} at {any_value}", "loses to"),
        Verdict.TIES: ("", f"ties with {RIVAL} at {any_value}", "ties with"),
    }[verdict]
    return Statement(
        wins, elsewhere, f"At any tested {name}, {focus} {verb} {RIVAL}; no sign that {name} matters to that."
    )


def _open(group: Sequence[Findings], question: Question) -> Statement:
    """Return that neither the factor nor the overall row says anything, and how many more units would."""
    worst = max((found.headline for found in group), key=lambda row: row.units_to_settle or 0)
    more = ""
    if worst.units_to_settle is not None and worst.difference_to_settle is not None:
        more = (
            f": about {worst.units_to_settle - worst.units} more {unit_name(question.design)} would decide "
            f"{quantity_text(worst.difference_to_settle, question.unit)}"
        )
    return Statement(
        "",
        f"not settled against {RIVAL}{more}",
        f"Against {RIVAL} there is no sign that {group[0].factor.name} matters, and not enough "
        f"evidence{more}.",
    )


def _any_but(found: Findings, question: Question) -> Statement | None:
    """Return the exceptions where all other levels win; None where they are too many, or none."""
    wins, loses, ties, unsettled = (found.levels(verdict) for verdict in Verdict)
    exceptions = len(loses) + len(ties) + len(unsettled)
    few = len(wins) + exceptions < MINIMUM_LEVELS
    if found.factor.numeric or few or not (loses or ties) or len(wins) <= exceptions:
        return None
    kind, focus = found.factor.name, question.focus
    named = [f"{level} (loses)" for level in loses] + [f"{level} (ties)" for level in ties]
    cells = [f"any {kind} but {', '.join(named)}"]
    elsewhere: list[str] = []
    sentences = [f"With any {kind} but {joined([*loses, *ties, *unsettled])}, {focus} beats {RIVAL}."]
    if loses:
        elsewhere.append(f"{RIVAL} at {', '.join(loses)}")
        sentences.append(f"With {kind} {joined(loses, 'or')}, {focus} loses to {RIVAL}.")
    if ties:
        elsewhere.append(f"ties with {RIVAL} at {', '.join(ties)}")
        sentences.append(f"With {kind} {joined(ties, 'or')}, {focus} ties with {RIVAL}.")
    if unsettled:
        cells.append(f"{', '.join(unsettled)} not settled")
        sentences.append(f"With {kind} {joined(unsettled, 'or')}, there is not enough evidence.")
    return Statement("; ".join(cells), "; ".join(elsewhere), " ".join(sentences))


def _not_one_threshold(found: Findings, question: Question) -> Statement | None:
    """Return the levels that win where the curve is not monotone; None where none does."""
    wins, name = found.levels(Verdict.WINS), found.factor.name
    if not wins:
        return None
    if _is_everywhere(wins, found):
        return Statement(
            f"{EVERY_LEVEL} (not one threshold)",
            "",
            f"At every tested {name}, {question.focus} beats {RIVAL}, by more at some than at others; "
            f"along {name} there is not one threshold.",
        )
    elsewhere, sentence = _losses(found, question)
    return Statement(
        f"{', '.join(wins)} only (not one threshold)",
        elsewhere,
        f"Along {name} there is not one threshold: {question.focus} beats {RIVAL} at {joined(wins)} only."
        + sentence,
    )


def _losses(found: Findings, question: Question) -> tuple[str, str]:
    """Return where the focus loses as a cell and as a sentence that follows another; empty for nowhere."""
    levels = found.levels(Verdict.LOSES)
    if not levels:
        return "", ""
    where = f"At {found.factor.name} {joined(levels, 'or')}"
    return (
        f"{RIVAL} at {EVERY_LEVEL if _is_everywhere(levels, found) else ', '.join(levels)}",
        f" {where}, {question.focus} loses to {RIVAL}.",
    )


def _is_everywhere(levels: Sequence[str], found: Findings) -> bool:
    """Return whether levels are all that were tested, and more than one."""
    return len(levels) == sum(row.pairs > 0 for row in found.rows) > 1


def _not_shown(found: Findings, threshold: Threshold, question: Question) -> Statement | None:
    """Return that no threshold is shown; None where a level wins all the same, which then speaks."""
    if found.levels(Verdict.WINS):
        return None
    ends = [number_text(end, 3) for end in (threshold.tested_low, threshold.tested_high)]
    elsewhere, sentence = _losses(found, question)
    return Statement(
        f"not shown within {'-'.join(ends)}",
        elsewhere,
        f"The difference to {RIVAL} depends on {found.factor.name}, but nowhere from {' to '.join(ends)} is "
        f"it shown that {question.focus} gains {quantity_text(question.delta, question.unit)}.{sentence}",
        link="against",
    )


def _measure(factor: Factor, question: Question) -> str:
    """Return what follows a number of a factor, such as ` layers`; of runs from elsewhere it is not known."""
    noun = _NOUNS.get(factor.name) if question.architecture else None
    return " × base" if factor.relative else f" {noun}" if noun else ""


def _everywhere(factor: Factor, found: Threshold, inside: RegionGain, question: Question) -> Statement:
    assert found.first is not None
    upward = found.direction == "increasing"
    start, which, side = ("from", "lowest", "below") if upward else ("up to", "highest", "above")
    where = f"{start} {number_text(found.first, 3)}{_measure(factor, question)}, the {which} tested"
    end = found.high if upward else found.low
    if end is not None:
        where += f"; a threshold, if any, lies {side} {number_text(end, 3)}"
    return Statement(where, "", f"With {factor.name} {where}: {question.focus} {_gain(inside, question)}.")


def _threshold(group: Sequence[Findings], question: Question) -> Statement:
    """Return the threshold of one rival; of several, the one that all of them ask for.

    Of several, the least gain is named, and the range that holds the set of each.
    """
    factor = group[0].factor
    found = [one.threshold for one in group if one.threshold is not None]
    upward = found[0].direction == "increasing"
    point = number_text((max if upward else min)(one.point for one in found if one.point is not None), 3)
    lows, highs = ([getattr(one, end) for one in found] for end in ("low", "high"))
    low = None if None in lows else number_text(min(lows), 3)
    high = None if None in highs else number_text(max(highs), 3)
    within = f"up to {high}" if low is None else f"from {low} up" if high is None else f"{low} to {high}"
    within = f"95 % {'set' if len(found) == 1 else 'sets within'} {within}"
    tested = f"{number_text(found[0].tested_low, 3)} to {number_text(found[0].tested_high, 3)}"
    least = min((one.inside for one in found if one.inside), key=lambda side: side.difference or 0.0)
    gains = _gain(least, question) if len(found) == 1 else f"beats {RIVAL}"
    cells, words = _other_side(found, f"{'up to' if upward else 'from'} {point}", question)
    return Statement(
        f"{'more' if upward else 'less'} than {point}{_measure(factor, question)} ({within})",
        cells,
        f"With {factor.name} {'above' if upward else 'below'} {point} ({within}; tested {tested}), "
        f"{question.focus} {gains}; elsewhere {words}.",
    )


def _other_side(found: Sequence[Threshold], where: str, question: Question) -> tuple[str, str]:
    """Return what is said of the losing side, as a cell and as the end of a sentence."""
    by_verdict: dict[Verdict, list[str]] = {}
    for one in found:
        verdict = one.outside.verdict if one.outside is not None else Verdict.NOT_ENOUGH_EVIDENCE
        by_verdict.setdefault(verdict, []).append(one.rival)
    cells: list[str] = []
    words: list[str] = []
    for verdict in (Verdict.LOSES, Verdict.TIES, Verdict.NOT_ENOUGH_EVIDENCE, Verdict.WINS):
        if verdict not in by_verdict:
            continue
        names = joined(by_verdict[verdict])
        cell, word = {
            Verdict.LOSES: (f"{names} {where}", f"it loses to {names}"),
            Verdict.TIES: (f"ties with {names} {where}", f"it ties with {names}"),
            Verdict.NOT_ENOUGH_EVIDENCE: (
                f"not settled against {names} {where}",
                f"there is not enough evidence against {names}",
            ),
            Verdict.WINS: (f"over {names} by less {where}", f"it gains less over {names}"),
        }[verdict]
        cells.append(cell)
        words.append(word)
    return "; ".join(cells), joined(words)


def _gain(inside: RegionGain, question: Question) -> str:
    amount = amount_text(inside.difference or 0.0, question.delta)
    ends = [amount_text(end or 0.0, question.delta, signed=True) for end in (inside.low, inside.high)]
    return f"gains {amount} {question.unit} over {RIVAL} [{', '.join(ends)}]"


def stands_on_levels(found: Findings) -> bool:
    """Return whether what is said of a factor that matters lists its levels, not the sides of a threshold."""
    return found.gate.matters and winning_side(found) is None


def statement_evidence(found: Findings, question: Question, *, several: bool) -> tuple[float, str] | None:
    """Return what a statement stands on, after its p to find the weakest; None where it is the levels."""
    inside = winning_side(found)
    if not found.gate.matters and found.headline.p_adjusted is not None:
        return found.headline.p_adjusted, support_text(found.headline, "overall", question, several=several)
    if found.threshold is None or inside is None:
        return None
    outside = found.threshold.outside
    over = f" over {found.headline.rival}" if several else ""
    there = f"{interval_text(inside, question.delta)} {question.unit}{over} there"
    units = f"{inside.units}"
    if outside is not None and outside.units:
        there += f", {interval_text(outside, question.delta)} elsewhere"
        units += f" + {outside.units}"
    details = [
        f"p there {p_text(inside.p)}",
        f"win rate there {percent_text(inside.win_rate, inside.win_rate_low, inside.win_rate_high)}",
        f"{sum(row.pairs for row in found.rows)} pairs of {units} {unit_name(question.design)}",
    ]
    return (inside.p or 0.0), f"{there} ({'; '.join(details)})"
