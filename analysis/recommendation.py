"""The recommendation: a row per parameter, statements where there are any, level verdicts elsewhere."""

import dataclasses
from collections.abc import Mapping, Sequence

from analysis.statements import RIVAL, Findings, stands_on_levels, statement_evidence, statements
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.estimates import ALPHA
from analysis.statistics.gates import Gate
from analysis.statistics.thresholds import Threshold
from analysis.summaries import (
    NONE_SHOWN,
    FactorSummary,
    advice,
    evidence_text,
    joined,
    level_cells,
    level_sentences,
    level_summary,
    p_text,
    silence_sentence,
)
from study.question import Question


def recommend(
    comparisons: Sequence[Comparison],
    gates: Sequence[Gate],
    thresholds: Sequence[Threshold],
    question: Question,
    *,
    provisional: bool,
) -> tuple[FactorSummary, ...]:
    """Return the rows of the recommendation table: headline first, then factor by factor.

    Each parameter is summarised against all rivals together and, with several rivals, against each.

    Parameters
    ----------
    comparisons : sequence of Comparison
        All of the table, in its order.
    gates, thresholds : sequence
        All of the table; without any, the level verdicts stand in every row.
    question : Question
        What is asked.
    provisional : bool
        Whether planned trainings are missing.
    """
    by_parameter: dict[str | None, list[Comparison]] = {}
    for comparison in comparisons:
        by_parameter.setdefault(comparison.parameter, []).append(comparison)
    headline = {row.rival: row for row in by_parameter.get(None, [])}
    gate_of: dict[tuple[str | None, str], Gate] = {(gate.parameter, gate.rival): gate for gate in gates}
    threshold_of = {(found.parameter, found.rival): found for found in thresholds}
    factors = {factor.name: factor for factor in question.conditions}
    sides: list[str | None] = [None, *(question.rivals if len(question.rivals) > 1 else ())]
    summaries: list[FactorSummary] = []
    for parameter, rows in by_parameter.items():
        findings = {
            rival: Findings(
                factors[gate.parameter],
                tuple(row for row in rows if row.rival == rival),
                headline[rival],
                gate,
                threshold_of.get((gate.parameter, rival)),
            )
            for rival in question.rivals
            if (gate := gate_of.get((parameter, rival))) is not None
        }
        for side in sides:
            own = [row for row in rows if side is None or row.rival == side]
            plain = level_summary(own, side, question, provisional=provisional)
            about = {rival: found for rival, found in findings.items() if side in (None, rival)}
            summaries.append(_stated(plain, own, about, question, provisional=provisional))
    return tuple(summaries)


def _stated(
    plain: FactorSummary,
    rows: Sequence[Comparison],
    findings: Mapping[str, Findings],
    question: Question,
    *,
    provisional: bool,
) -> FactorSummary:
    """Return the summary of one parameter with statements in the place of the levels they replace."""
    tested = {
        rival: found.gate.p_adjusted for rival, found in findings.items() if found.gate.p_adjusted is not None
    }
    if not tested:
        return plain
    spoken = statements(list(findings.values()), question)
    wins: list[str] = []
    elsewhere: list[str] = []
    sentences: list[str] = []
    for one, rivals in spoken:
        everyone = len(rivals) == len(findings)
        names = joined(rivals)
        if one.wins:
            wins.append(one.wins if everyone else f"{one.link} {names}: {one.wins}")
        if one.elsewhere:
            elsewhere.append(one.elsewhere.replace(RIVAL, names))
        sentences.append(
            one.sentence.replace(RIVAL, "every rival" if everyone and len(rivals) > 1 else names)
        )
    named = {rival for _, rivals in spoken for rival in rivals}
    rest = [row for row in rows if row.rival not in named]
    if rest:
        listed = level_summary(rest, plain.rival, question, provisional=False)
        there, other = level_cells(False, listed.levels, len(findings))
        wins += [there] if there != NONE_SHOWN else []
        elsewhere += [other] if other != "-" else []
        sentences += level_sentences(rest, listed.levels, question, len(findings))
    about = [found for rival, found in findings.items() if rival in named]
    spoken_of = [row for found in about for row in (found.rows if found.gate.matters else [found.headline])]
    sentences += list(filter(None, [silence_sentence(spoken_of)]))
    for caveat in _caveats(rest, about, findings):
        (elsewhere or wins).append(caveat)
        sentences.append(f"{caveat[0].upper()}{caveat[1:]}.")
    not_run = [level.level for level in plain.levels if not level.run]
    if not_run and not rest:
        elsewhere.append(f"no pair: {', '.join(not_run)}")
        sentences.append(f"With {plain.parameter} {joined(not_run, 'or')}, there is no pair yet.")
    return dataclasses.replace(
        plain,
        wins="; ".join(wins) or NONE_SHOWN,
        elsewhere="; ".join(elsewhere) or "-",
        evidence=_evidence(rows, findings, named, question),
        sentence=advice(sentences, provisional=provisional),
        matters=_matters(tested),
    )


def _caveats(
    rest: Sequence[Comparison], spoken: Sequence[Findings], findings: Mapping[str, Findings]
) -> list[str]:
    """Return what must be known of levels that are listed: that they may not differ, that some are bins."""
    alike = [
        rival
        for rival, found in findings.items()
        if found.gate.p_adjusted is not None
        and not found.gate.matters
        and len({row.verdict for row in rest if row.rival == rival}) > 1
    ]
    against = f" against {joined(alike)}" if len(alike) < len(findings) else ""
    caveats = [f"the levels are not shown to differ{against}"] if alike else []
    listed = [row for row in rest if row.verdict is not Verdict.NOT_ENOUGH_EVIDENCE]
    for found in spoken:
        if stands_on_levels(found):
            listed += [row for row in found.rows if row.verdict in (Verdict.WINS, Verdict.LOSES)]
    ranges = any(found.factor.levels is None and not found.factor.integer for found in findings.values())
    if not ranges and any(row.level_low != row.level_high for row in listed):
        caveats.append("each range was tested as a whole")
    return caveats


def _matters(tested: Mapping[str, float]) -> str:
    """Return the cell `Matters?` from the adjusted p by rival, with the rivals where only some are meant."""
    smallest = p_text(min(tested.values()))
    passed = [rival for rival, p in tested.items() if p <= ALPHA]
    if not passed:
        return f"no sign (p {smallest})"
    return f"yes{f' against {joined(passed)}' if len(passed) < len(tested) else ''} (p {smallest})"


def _evidence(
    rows: Sequence[Comparison], findings: Mapping[str, Findings], spoken: set[str], question: Question
) -> str:
    """Return the weakest evidence of the statements, and that of the rivals of which levels are listed."""
    known: list[tuple[float, str]] = []
    rest = list(rows)
    for rival, found in findings.items():
        evidence = None
        if rival in spoken:
            evidence = statement_evidence(found, question, several=len(findings) > 1)
        if evidence is not None:
            known.append(evidence)
            rest = [row for row in rest if row.rival != rival]
    parts: list[str] = []
    if known:
        weakest = max(known)[1]
        parts.append(weakest if len(known) == 1 else f"weakest of {len(known)}: {weakest}")
    if rest:
        parts.append(evidence_text(rest, question, several=len(findings) > 1))
    return "; ".join(parts)
