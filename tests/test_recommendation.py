"""The recommendation: what gate, threshold and levels are made to say, and what they must not say."""

import dataclasses

import numpy as np
import pytest
from simulated_runs import SPACE, Truth, simulate

from analysis.criteria import criteria_table
from analysis.recommendation import recommend
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.gates import Gate
from analysis.statistics.thresholds import RegionGain, Threshold
from analysis.summaries import FactorSummary
from study.question import Question

WINS, LOSES, TIES, OPEN = Verdict.WINS, Verdict.LOSES, Verdict.TIES, Verdict.NOT_ENOUGH_EVIDENCE
TRUTH = Truth(factors=("depth", "optimizer", "width", "mixup"))
ONE = TRUTH.question
TWO = dataclasses.replace(ONE, rivals=("relu", "swish {x}"))


def row(
    parameter: str | None, level: str | None, verdict: Verdict, rival: str = "relu", **values: object
) -> Comparison:
    difference = {WINS: 1.0, LOSES: -1.0}.get(verdict, 0.2)
    filled: dict[str, object] = {
        "rival": rival, "parameter": parameter, "level": level, "pairs": 30, "units": 30, "dropped": 0,
        "difference": difference, "low": difference - 0.3, "high": difference + 0.3, "deviation": 0.8,
        "win_rate": 0.6, "win_rate_low": 0.4, "win_rate_high": 0.8, "p": 0.01, "p_adjusted": 0.02,
        "p_tie": 0.9, "p_tie_adjusted": 0.03 if verdict is TIES else 0.95, "verdict": verdict, "size": None,
        "focus_failures": 0, "rival_failures": 0, "both_failed": 0, "mcnemar_p": 1.0, "failure_share": 0.0,
        "uninformative": 0.0, "units_to_settle": 70 if verdict is OPEN else None,
        "difference_to_settle": 0.5 if verdict is OPEN else None,
    }  # fmt: skip
    return Comparison(**{**filled, **values})  # pyright: ignore[reportArgumentType]


def gate(parameter: str, p: float, rival: str = "relu", *, ordered: bool = True, levels: int = 10) -> Gate:
    return Gate(
        parameter=parameter, rival=rival, ordered=ordered, units=120, levels=levels,
        direction="increasing" if ordered else None, p=p / 4, p_adjusted=p, matters=p <= 0.05,
    )  # fmt: skip


def side(verdict: Verdict, difference: float) -> RegionGain:
    return RegionGain(
        units=60, difference=difference, low=difference - 0.3, high=difference + 0.3, win_rate=0.8,
        win_rate_low=0.7, win_rate_high=0.9, p=0.001, verdict=verdict,
    )  # fmt: skip


def turned(rival: str = "relu", parameter: str = "depth", **values: object) -> Threshold:
    filled: dict[str, object] = {
        "parameter": parameter, "rival": rival, "direction": "increasing", "log": False, "tested_low": 2.0,
        "tested_high": 30.0, "outcome": "threshold", "point": 14.0, "first": 17.0, "low": 8.0, "high": 17.0,
        "monotone_p": 0.5, "inside": side(WINS, 0.94), "outside": side(LOSES, -0.61),
    }  # fmt: skip
    return Threshold(**{**filled, **values})  # pyright: ignore[reportArgumentType]


BINS = ("2 to 8", "11 to 14", "17 to 23", "26 to 30")


def said(
    levels: list[Comparison],
    gates: list[Gate],
    thresholds: tuple[Threshold, ...] = (),
    overall: Verdict = OPEN,
    question: Question = ONE,
) -> FactorSummary:
    """Return the row of the one parameter, against all rivals."""
    headline = [row(None, None, overall, rival) for rival in question.rivals]
    return next(
        found
        for found in recommend([*headline, *levels], gates, thresholds, question, provisional=False)
        if found.parameter is not None and found.rival is None
    )


def depth(verdicts: tuple[Verdict, ...] = (LOSES, OPEN, WINS, WINS), rival: str = "relu") -> list[Comparison]:
    return [row("depth", level, verdict, rival) for level, verdict in zip(BINS, verdicts, strict=True)]


def test_a_threshold_is_said_with_its_set_its_gain_and_who_wins_elsewhere() -> None:
    found = said(depth(), [gate("depth", 0.01)], (turned(),))
    assert found.wins == "more than 14 layers (95 % set 8 to 17)"
    assert found.elsewhere == "relu up to 14"
    assert found.matters == "yes (p 0.01)"
    assert found.evidence == (
        "+0.94 [+0.64, +1.24] points there, -0.61 [-0.91, -0.31] elsewhere "
        "(p there 0.001; win rate there 80 % [70, 90]; 120 pairs of 60 + 60 configurations)"
    )
    assert found.sentence == (
        "With depth above 14 (95 % set 8 to 17; tested 2 to 30), mish gains 0.94 points over relu "
        "[+0.64, +1.24]; elsewhere it loses to relu."
    )


def test_what_a_depth_of_runs_from_elsewhere_counts_is_not_known() -> None:
    foreign = dataclasses.replace(ONE, architecture="", dataset="")
    found = said(depth(), [gate("depth", 0.01)], (turned(),), question=foreign)
    assert found.wins == "more than 14 (95 % set 8 to 17)"


@pytest.mark.parametrize(
    ("values", "wins", "elsewhere"),
    [
        ({"low": None}, "more than 14 layers (95 % set up to 17)", "relu up to 14"),
        (
            {"direction": "decreasing", "outside": side(TIES, 0.1)},
            "less than 14 layers (95 % set 8 to 17)",
            "ties with relu from 14",
        ),
        (
            {"direction": "decreasing", "high": None, "outside": side(OPEN, 0.1)},
            "less than 14 layers (95 % set from 8 up)",
            "not settled against relu from 14",
        ),
        (
            {"outcome": "everywhere", "point": None, "first": 2.0, "low": None, "high": 8.0, "outside": None},
            "from 2 layers, the lowest tested; a threshold, if any, lies below 8",
            "-",
        ),
        (
            {"outcome": "everywhere", "point": None, "first": 30.0, "direction": "decreasing", "high": None},
            "up to 30 layers, the highest tested; a threshold, if any, lies above 8",
            "-",
        ),
    ],
)
def test_open_ends_and_the_other_direction(values: dict[str, object], wins: str, elsewhere: str) -> None:
    found = said(depth(), [gate("depth", 0.01)], (turned(**values),))
    assert (found.wins, found.elsewhere) == (wins, elsewhere)


def test_no_threshold_is_said_where_the_gate_or_the_winning_side_does_not_hold() -> None:
    levels = depth((OPEN, OPEN, OPEN, OPEN))
    for values in ({"outcome": "not_shown", "point": None}, {"inside": side(OPEN, 0.3)}):
        found = said(levels, [gate("depth", 0.01)], (turned(**values),))
        assert found.wins == "not shown within 2-30"
        assert "nowhere from 2 to 30 is it shown that mish gains 0.5 points" in found.sentence
    won = said(depth((LOSES, OPEN, WINS, WINS)), [gate("depth", 0.01)], (turned(outcome="not_shown"),))
    assert won.wins == "17 to 23, 26 to 30"
    flat = said(levels, [gate("depth", 0.4)], overall=WINS)
    assert "more than" not in flat.wins + flat.sentence


def test_a_curve_that_turns_twice_lists_its_winning_levels() -> None:
    found = said(
        depth((LOSES, WINS, WINS, OPEN)), [gate("depth", 0.01)], (turned(outcome="not_one_threshold"),)
    )
    assert found.wins == "11 to 14, 17 to 23 only (not one threshold)"
    assert found.elsewhere == "relu at 2 to 8"
    found = said(
        depth((WINS, WINS, WINS, WINS)), [gate("depth", 0.01)], (turned(outcome="not_one_threshold"),)
    )
    assert (found.wins, found.elsewhere) == ("every tested level (not one threshold)", "-")
    assert "At every tested depth, mish beats relu" in found.sentence


@pytest.mark.parametrize(
    ("overall", "wins", "elsewhere"),
    [
        (WINS, "any tested value; no sign that it matters", "-"),
        (LOSES, "none shown", "relu at any tested value; no sign that it matters"),
        (TIES, "none shown", "ties with relu at any tested value; no sign that it matters"),
        (
            OPEN,
            "none shown",
            "not settled against relu: about 40 more configurations would decide 0.5 points",
        ),
    ],
)
def test_a_factor_without_a_sign_says_the_overall_verdict(
    overall: Verdict, wins: str, elsewhere: str
) -> None:
    levels = depth((OPEN, overall, OPEN, OPEN))
    found = said(levels, [gate("depth", 0.62)], overall=overall)
    assert (found.wins, found.elsewhere, found.matters) == (wins, elsewhere, "no sign (p 0.62)")


def test_a_level_that_contradicts_the_overall_verdict_is_not_hidden() -> None:
    found = said(depth((LOSES, OPEN, OPEN, WINS)), [gate("depth", 0.06)], overall=WINS)
    assert found.wins == "26 to 30"
    assert found.elsewhere == (
        "relu at 2 to 8; not settled: 11 to 14, 17 to 23; the levels are not shown to differ"
    )
    assert found.matters == "no sign (p 0.06)"
    assert found.sentence.endswith("The levels are not shown to differ.")


def binned(verdicts: tuple[Verdict, ...]) -> list[Comparison]:
    """Return levels of which the row holds more than one tested value."""
    ends = [(2, 8), (11, 14), (17, 23), (26, 30)]
    return [
        dataclasses.replace(row, level_low=low, level_high=high)
        for row, (low, high) in zip(depth(verdicts), ends, strict=True)
    ]


@pytest.mark.parametrize("outcome", ["not_shown", "not_one_threshold"])
def test_bins_that_are_listed_are_said_to_be_bins(outcome: str) -> None:
    found = said(
        binned((WINS, OPEN, LOSES, LOSES)), [gate("depth", 0.01)], (turned(outcome=outcome, point=None),)
    )
    assert found.elsewhere.startswith("relu at 17 to 23, 26 to 30")
    assert found.elsewhere.endswith("; each range was tested as a whole")
    assert found.sentence.endswith("Each range was tested as a whole.")
    wins = said(
        binned((WINS, WINS, WINS, WINS)), [gate("depth", 0.01)], (turned(outcome=outcome, point=None),)
    )
    assert wins.wins.endswith("; each range was tested as a whole")
    assert wins.elsewhere == "-"
    by_threshold = said(binned((LOSES, LOSES, WINS, WINS)), [gate("depth", 0.01)], (turned(),))
    assert "as a whole" not in by_threshold.elsewhere


def test_the_sentence_of_one_rival_does_not_speak_of_the_others() -> None:
    levels = [*depth((OPEN, OPEN, OPEN, OPEN)), *depth((OPEN, OPEN, OPEN, WINS), "swish {x}")]
    gates = [gate("depth", 0.4), gate("depth", 0.002, "swish {x}")]
    other = turned("swish {x}", outcome="not_one_threshold", point=None)
    found = said(levels, gates, (other,), question=TWO)
    assert found.matters == "yes against swish {x} (p 0.002)"
    assert "Against relu there is no sign that depth matters, and not enough evidence: about 40" in (
        found.sentence
    )


def test_pairs_that_say_nothing_are_said_of_wins_too() -> None:
    said_of = recommend(
        [row(None, None, WINS, uninformative=0.79), *depth((WINS, WINS, WINS, WINS))],
        [gate("depth", 0.4)],
        (),
        ONE,
        provisional=False,
    )
    share = "Against relu, 79 % of the pairs say nothing: both sides failed or stayed at chance."
    for found in said_of:
        assert found.sentence.endswith(share)
        assert "79 % of the pairs say nothing" in found.evidence
    levels = [row("depth", "3", WINS, uninformative=0.3), row("depth", "8", LOSES, uninformative=0.5)]
    listed = said(levels, [])
    assert "Against relu at depth 3 or 8, up to 50 % of the pairs say nothing" in listed.sentence


def names(**verdicts: Verdict) -> list[Comparison]:
    levels = {str(level): WINS for level in SPACE["optimizer"]} | verdicts
    return [row("optimizer", level, verdict) for level, verdict in levels.items()]


def test_any_optimizer_but_nadam() -> None:
    passed = [gate("optimizer", 0.02, ordered=False, levels=7)]
    found = said(names(nadam=LOSES), passed)
    assert (found.wins, found.elsewhere) == ("any optimizer but nadam (loses)", "relu at nadam")
    assert found.sentence == (
        "With any optimizer but nadam, mish beats relu. With optimizer nadam, mish loses to relu."
    )
    more = said(names(nadam=TIES, adagrad=OPEN), passed)
    assert more.wins == "any optimizer but nadam (ties); adagrad not settled"
    assert "With optimizer adagrad, there is not enough evidence." in more.sentence
    many = said(names(nadam=LOSES, adagrad=OPEN, sgd=OPEN, adam=OPEN), passed)
    assert many.wins == "momentum, rmsprop, adamw"


def test_with_two_levels_the_level_rows_stay_the_evidence() -> None:
    levels = [row("mixup", "0", OPEN), row("mixup", "0.2", WINS)]
    found = said(levels, [gate("mixup", 0.01, levels=2)])
    assert (found.wins, found.elsewhere) == ("0.2", "not settled: 0")
    assert found.sentence.startswith("With mixup 0.2, mish beats relu.")


def test_a_level_that_was_never_run_stays_visible() -> None:
    levels = [*names(), row("optimizer", "lion", OPEN, pairs=0, units=0, p_adjusted=None)]
    found = said(levels, [gate("optimizer", 0.9, ordered=False)], overall=WINS)
    assert found.elsewhere == "no pair: lion"
    assert found.sentence.endswith("With optimizer lion, there is no pair yet.")


def test_against_all_rivals_the_threshold_is_the_one_that_each_asks_for() -> None:
    levels = [*depth(), *depth(rival="swish {x}")]
    gates = [gate("depth", 0.01), gate("depth", 0.003, "swish {x}")]
    other = turned(
        "swish {x}", point=17.0, low=14.0, high=20.0, outside=side(TIES, 0.1), inside=side(WINS, 2.0)
    )
    found = said(levels, gates, (turned(), other), question=TWO)
    assert found.wins == "more than 17 layers (95 % sets within 8 to 20)"
    assert found.elsewhere == "relu up to 17; ties with swish {x} up to 17"
    assert found.matters == "yes (p 0.003)"
    assert found.evidence.startswith("weakest of 2: +")
    assert found.sentence == (
        "With depth above 17 (95 % sets within 8 to 20; tested 2 to 30), mish beats every rival; "
        "elsewhere it loses to relu and it ties with swish {x}."
    )


def test_rivals_of_which_different_things_are_known_are_named() -> None:
    levels = [*depth(), *depth((OPEN, OPEN, OPEN, OPEN), "swish {x}")]
    gates = [gate("depth", 0.01), gate("depth", 0.7, "swish {x}")]
    found = said(levels, gates, (turned(),), question=TWO)
    assert found.wins == "over relu: more than 14 layers (95 % set 8 to 17)"
    assert "not settled against swish {x}: about 40 more configurations would decide 0.5 points" in (
        found.elsewhere
    )


def test_evidence_of_the_levels_of_one_rival_names_it_beside_others() -> None:
    levels = [*depth((OPEN, OPEN, OPEN, OPEN)), *depth((OPEN, OPEN, OPEN, WINS), "swish {x}")]
    gates = [gate("depth", 0.4), gate("depth", 0.03, "swish {x}", ordered=False)]
    found = said(levels, gates, question=TWO)
    assert "points over swish {x} at 26 to 30" in found.evidence


def test_without_gates_the_levels_speak() -> None:
    found = said(depth(), [])
    assert (found.wins, found.matters) == ("17 to 23, 26 to 30", "-")


def test_from_runs_to_words() -> None:
    truth = dataclasses.replace(
        TRUTH,
        configurations=240,
        effect=lambda drawn: np.where(drawn["depth"] > 15, 2.0, -1.0),
    )
    table = criteria_table(simulate(truth, np.random.default_rng(5)), truth.question)
    words = {found.parameter: found.wins for found in table.summaries}
    assert words["depth"].startswith("more than 14 layers (95 % set ")
    assert words["optimizer"] == "any tested value; no sign that it matters"
    assert words["width"] == "any tested value; no sign that it matters"
