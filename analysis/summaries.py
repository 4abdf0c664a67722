"""The recommendation: one row per parameter, where the focus wins and who wins elsewhere, in words.

Nothing is computed here beyond what the comparisons hold. A level is on one side only if its verdict
is; what is not settled is listed as such.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.compare import UNINFORMATIVE_LIMIT, Comparison, Verdict
from study.question import Design, Question

EVERYWHERE = "every configuration"
NONE_SHOWN = "none shown"


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
        The rivals by name, in the order of the question; those it loses to by margin, largest first.
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
        The cells `When <focus> wins`, `Who wins elsewhere` and `Evidence`, plain text.
    sentence : str
        The row as a sentence to act on, plain text.
    """

    parameter: str | None
    rival: str | None
    levels: tuple[LevelVerdict, ...]
    wins: str
    elsewhere: str
    evidence: str
    sentence: str


def unit_name(design: Design) -> str:
    """Return what the independent units of a design are called, in the plural."""
    return "replicates" if design == "ofat" else "configurations"


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


def interval_text(comparison: Comparison, delta: float) -> str:
    """Return the difference with its interval, such as `+0.42 [+0.20, +0.64]`; `-` without a pair."""
    if comparison.difference is None:
        return "-"
    middle = amount_text(comparison.difference, delta, signed=True)
    if comparison.low is None or comparison.high is None:
        return middle
    ends = ", ".join(amount_text(end, delta, signed=True) for end in (comparison.low, comparison.high))
    return f"{middle} [{ends}]"


def joined(names: Sequence[str], last: str = "and") -> str:
    """Return names as prose: `a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def remarks(comparison: Comparison, design: Design) -> tuple[str, ...]:
    """Return what a reader of one comparison must know beside its numbers, as short phrases."""
    found: list[str] = []
    if comparison.units and comparison.p_adjusted is None:
        found.append(f"too few {unit_name(design)} for a verdict")
    if comparison.uninformative is not None and comparison.uninformative > UNINFORMATIVE_LIMIT:
        found.append(
            f"{comparison.uninformative:.0%} of the pairs say nothing (both failed or stayed at chance): "
            "never called a tie"
        )
    decided = comparison.verdict in (Verdict.WINS, Verdict.LOSES)
    if decided and comparison.failure_share is not None and comparison.failure_share >= 0.5:
        found.append(f"{comparison.failure_share:.0%} of the difference comes from failures")
    names = {"cap_0.6": "at 0.6 times the cap", "cap_2": "at twice the cap", "outcomes": "on outcomes alone"}
    changed = [names[name] for name, stable in comparison.stable_under.items() if not stable]
    if changed:
        found.append(f"verdict changes {joined(changed)}")
    if comparison.dropped:
        found.append(f"{comparison.dropped} blocks without a pair")
    return tuple(found)


def _level_verdict(comparisons: Sequence[Comparison]) -> LevelVerdict:
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
    loses.sort(key=lambda comparison: comparison.difference or 0.0)
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


def _named(levels: Sequence[LevelVerdict], verdict: Verdict) -> list[str]:
    return [level.level for level in levels if level.run and level.verdict == verdict]


def _grouped(
    levels: Sequence[LevelVerdict], attribute: str, verdict: Verdict, last: str = "and"
) -> list[tuple[str, str]]:
    """Return (rivals, levels) as text, levels with the same rivals together, in order of appearance."""
    groups: dict[str, list[str]] = {}
    for level in levels:
        if level.verdict == verdict:
            groups.setdefault(joined(getattr(level, attribute), last), []).append(level.level)
    return [(rivals, ", ".join(names)) for rivals, names in groups.items()]


def _cells(parameter: str | None, levels: Sequence[LevelVerdict], rivals: int) -> tuple[str, str]:
    """Return the cells `When <focus> wins` and `Who wins elsewhere`."""
    elsewhere: list[str] = []
    if parameter is None:
        (level,) = levels
        wins = ""
        if level.wins_against:
            everyone = len(level.wins_against) == rivals
            wins = "overall" if everyone else f"overall against {joined(level.wins_against)}"
        if level.loses_to:
            elsewhere.append(f"{joined(level.loses_to)} overall")
        if level.ties_with:
            elsewhere.append(f"ties with {joined(level.ties_with)}")
        if level.not_settled_against:
            elsewhere.append(f"not settled against {joined(level.not_settled_against)}")
    else:
        won, run = _named(levels, Verdict.WINS), [level for level in levels if level.run]
        wins = "every tested level" if won and len(won) == len(run) else ", ".join(won)
        elsewhere += [f"{who} at {where}" for who, where in _grouped(levels, "loses_to", Verdict.LOSES)]
        elsewhere += [
            f"ties with {who} at {where}" for who, where in _grouped(levels, "ties_with", Verdict.TIES)
        ]
        not_settled = _named(levels, Verdict.NOT_ENOUGH_EVIDENCE)
        not_run = [level.level for level in levels if not level.run]
        elsewhere += [f"not settled: {', '.join(not_settled)}"] if not_settled else []
        elsewhere += [f"not run: {', '.join(not_run)}"] if not_run else []
    return wins or NONE_SHOWN, "; ".join(elsewhere) or "-"


def _evidence(comparisons: Sequence[Comparison], levels: Sequence[LevelVerdict], question: Question) -> str:
    """Return the weakest support of what a row says: of its wins, else losses, else ties.

    Where it says nothing, the comparison that came nearest to a verdict.
    """
    won = {level.level for level in levels if level.verdict == Verdict.WINS}
    headline = comparisons[0].parameter is None
    pools = {
        "weakest": [
            row for row in comparisons if row.verdict is Verdict.WINS and (headline or row.level in won)
        ],
        "weakest loss": [row for row in comparisons if row.verdict is Verdict.LOSES],
        "weakest tie": [row for row in comparisons if row.verdict is Verdict.TIES],
        "nearest to a verdict": [row for row in comparisons if row.p is not None],
    }
    name, pool = next(((name, pool) for name, pool in pools.items() if pool), ("", []))
    if not pool:
        return "too few pairs" if any(row.pairs for row in comparisons) else "no pairs"
    tie = name == "weakest tie"

    def doubt(row: Comparison) -> tuple[float, float]:
        p = row.p_tie_adjusted if tie else row.p_adjusted
        return (p, 0.0) if p is not None else (1.0, row.p or 0.0)

    chosen = min(pool, key=doubt) if name == "nearest to a verdict" else max(pool, key=doubt)
    several = len({row.rival for row in comparisons}) > 1
    label = " ".join(
        [
            *([name] if len(pool) > 1 or name == "nearest to a verdict" else []),
            *([f"at {chosen.level}"] if chosen.level is not None else []),
            *([f"over {chosen.rival}"] if several else []),
        ]
    )
    p = chosen.p_tie_adjusted if tie else chosen.p_adjusted
    return (
        f"{label + ': ' if label else ''}{interval_text(chosen, question.delta)} {question.unit}; "
        + (f"adjusted p{' of a tie' if tie else ''} {p_text(p)}; " if p is not None else "")
        + f"{chosen.pairs} pairs, {chosen.units} {unit_name(question.design)}"
    )


def _settling(comparisons: Sequence[Comparison], question: Question) -> str:
    """Return what would settle the open rows among `comparisons`, as a sentence; empty where unknown."""
    wanted = [comparison for comparison in comparisons if comparison.units_to_settle is not None]
    if not wanted:
        return ""
    worst = max(wanted, key=lambda comparison: comparison.units_to_settle or 0)
    where = f" at {worst.level}" if worst.level is not None else ""
    needed = f"{worst.units_to_settle} {unit_name(question.design)}"
    return f" About {needed}{where} would settle it (now {worst.units})."


def _sentence(
    comparisons: Sequence[Comparison],
    levels: Sequence[LevelVerdict],
    evidence: str,
    question: Question,
    *,
    provisional: bool,
) -> str:
    """Return a row as advice."""
    focus, parameter = question.focus, comparisons[0].parameter
    names = list(dict.fromkeys(comparison.rival for comparison in comparisons))
    everyone = names[0] if len(names) == 1 else "every rival"
    parts: list[str] = []
    if parameter is None:
        (level,) = levels
        if level.wins_against:
            against = everyone if len(level.wins_against) == len(names) else joined(level.wins_against)
            parts.append(f"Over every configuration {focus} beats {against} ({evidence}).")
        if level.loses_to:
            verb = "beat" if len(level.loses_to) > 1 else "beats"
            parts.append(f"Over every configuration {joined(level.loses_to)} {verb} {focus}.")
        if level.ties_with:
            parts.append(
                f"Between {focus} and {joined(level.ties_with, 'or')} the difference is too small to matter."
            )
        if level.not_settled_against:
            open_ = [
                comparison for comparison in comparisons if comparison.rival in level.not_settled_against
            ]
            parts.append(f"Against {joined(level.not_settled_against)} there is not enough evidence.")
            parts[-1] += _settling(open_, question)
    else:
        won, run = _named(levels, Verdict.WINS), [level for level in levels if level.run]
        if won and len(won) == len(run):
            parts.append(f"{focus} beats {everyone} at every tested level of {parameter} ({evidence}).")
        elif won:
            parts.append(
                f"With {parameter} {joined(won, 'or')}, use {focus}: it beats {everyone} there ({evidence})."
            )
        for who, where in _grouped(levels, "loses_to", Verdict.LOSES, "or"):
            parts.append(f"With {parameter} {where}, use {who} instead.")
        for who, where in _grouped(levels, "ties_with", Verdict.TIES):
            parts.append(f"With {parameter} {where}, {focus} and {who} differ too little to matter.")
        not_settled = _named(levels, Verdict.NOT_ENOUGH_EVIDENCE)
        if not_settled:
            open_ = [row for row in comparisons if row.level in not_settled]
            where = "any level" if len(not_settled) == len(run) else joined(not_settled)
            parts.append(f"For {parameter} there is not enough evidence at {where}.")
            parts[-1] += _settling(open_, question)
        not_run = [level.level for level in levels if not level.run]
        if not_run:
            parts.append(f"{parameter} {joined(not_run)} was never run.")
    return ("Provisional: " if provisional else "") + " ".join(parts)


def _summary(
    comparisons: Sequence[Comparison], rival: str | None, question: Question, *, provisional: bool
) -> FactorSummary:
    """Summarise the comparisons of one parameter."""
    by_level: dict[str | None, list[Comparison]] = {}
    for comparison in comparisons:
        by_level.setdefault(comparison.level, []).append(comparison)
    levels = tuple(_level_verdict(group) for group in by_level.values())
    parameter = comparisons[0].parameter
    rivals = len({comparison.rival for comparison in comparisons})
    wins, elsewhere = _cells(parameter, levels, rivals)
    evidence = _evidence(comparisons, levels, question)
    return FactorSummary(
        parameter=parameter,
        rival=rival,
        levels=levels,
        wins=wins,
        elsewhere=elsewhere,
        evidence=evidence,
        sentence=_sentence(comparisons, levels, evidence, question, provisional=provisional),
    )


def summarise(
    comparisons: Sequence[Comparison], question: Question, *, provisional: bool
) -> tuple[FactorSummary, ...]:
    """Return the rows of the recommendation table: headline first, then factor by factor.

    Each parameter is summarised against all rivals together and, with several rivals, against each.
    """
    by_parameter: dict[str | None, list[Comparison]] = {}
    for comparison in comparisons:
        by_parameter.setdefault(comparison.parameter, []).append(comparison)
    sides: list[str | None] = [None, *(question.rivals if len(question.rivals) > 1 else ())]
    return tuple(
        _summary(
            [comparison for comparison in group if rival is None or comparison.rival == rival],
            rival,
            question,
            provisional=provisional,
        )
        for group in by_parameter.values()
        for rival in sides
    )
