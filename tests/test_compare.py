"""Pairs and comparisons: every rule on a small frame, and what must not change anything."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_runs import SPACE, Truth, simulate

from analysis.statistics.compare import Comparison, Verdict, comparisons
from analysis.statistics.levels import regions
from analysis.statistics.pairs import FAILURES, pairs
from study.question import Factor, Question
from study.training import Status

OK, DIVERGED, OOM, ERROR = "ok", "diverged", "oom", "error"
Side = tuple[str, float]


def runs_of(rows: list[tuple[Side, Side]], truth: Truth) -> pd.DataFrame:
    """Return a frame with one configuration per row: (status, accuracy) of focus and rival."""
    truth = dataclasses.replace(truth, configurations=len(rows))
    frame = simulate(truth, np.random.default_rng(0))
    statuses = [status for row in rows for status, _ in row]
    values = [value if status == OK else math.nan for row in rows for status, value in row]
    return frame.assign(status=statuses, test_accuracy=values)


SMALL = Truth(factors=("optimizer",))


def compared(
    frame: pd.DataFrame, question: Question, *, strict: bool = False, chance: float | None = None
) -> tuple[Comparison, ...]:
    paired = {rival: pairs(frame, question, rival, chance=chance) for rival in question.rivals}
    return comparisons(frame, paired, question, strict=strict)


def headline(frame: pd.DataFrame, question: Question, **options: float) -> Comparison:
    return compared(frame, question, **options)[0]


def test_every_kind_of_pair() -> None:
    rows = [
        ((OK, 90.0), (OK, 89.0)),
        ((OK, 90.0), (OK, 90.2)),
        ((OK, 90.0), (OK, 60.0)),
        ((DIVERGED, 0.0), (OK, 60.0)),
        ((OK, 10.0), (OOM, 0.0)),
        ((DIVERGED, 0.0), ("timeout", 0.0)),
    ]
    found = pairs(runs_of(rows, SMALL), SMALL.question, "relu")
    np.testing.assert_allclose(found["difference_raw"], [1.0, -0.2, 30.0, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(found["difference"], [1.0, -0.2, 5.0, -5.0, 5.0, 0.0])
    assert list(found["outcome"]) == [1, 0, 1, -1, 1, 0]
    assert list(found["cause"]) == ["quality"] * 3 + ["focus_failed", "rival_failed", "both_failed"]
    assert list(found["uninformative"]) == [False] * 5 + [True]
    assert list(found["unit_id"]) == [f"c{index:05d}" for index in range(6)]
    assert {"optimizer", "focus_value", "rival_value", "block", "replicate"} <= set(found.columns)


def test_which_statuses_are_failures_is_written_down() -> None:
    assert {*FAILURES, Status.OK, Status.ERROR, Status.PRUNED} == set(Status)


def test_a_machine_fault_or_an_absent_side_drops_the_pair_and_counts_it() -> None:
    rows = [((OK, 90.0), (OK, 89.0))] * 8 + [((ERROR, 0.0), (OK, 89.0)), ((OK, 90.0), (ERROR, 0.0))]
    frame = runs_of(rows, SMALL).drop(index=1)
    first = headline(frame, SMALL.question)
    assert len(pairs(frame, SMALL.question, "relu")) == first.pairs == first.units == 7
    assert first.dropped == 3
    assert first.difference == 1.0


def test_adaptive_rows_never_enter() -> None:
    frame = runs_of([((OK, 90.0), (OK, 89.0))] * 8, SMALL)
    frame.loc[frame["index"] < 3, "adaptive"] = True
    assert headline(frame, SMALL.question).pairs == 5
    assert headline(frame, SMALL.question).dropped == 0


def test_where_lower_is_better_the_smaller_value_wins() -> None:
    question = dataclasses.replace(SMALL.question, higher_is_better=False)
    found = pairs(runs_of([((OK, 1.0), (OK, 2.0)), ((DIVERGED, 0.0), (OK, 2.0))], SMALL), question, "relu")
    assert list(found["difference"]) == [1.0, -5.0]
    assert found["difference_raw"].iloc[0] == -1.0


@pytest.mark.parametrize(
    ("unit", "chance", "focus", "rival", "stuck"),
    [
        ("points", 10.0, 14.4, 9.7, True),
        ("points", 10.0, 14.6, 9.7, False),
        ("points", 50.0, 52.0, 50.0, True),
        ("points", 50.0, 53.0, 50.0, False),
        ("nats", math.log(10), 2.3, 2.25, True),
        ("nats", math.log(10), 2.3, 1.9, False),
        ("points", None, 10.0, 10.0, False),
    ],
)
def test_a_pair_at_chance_says_nothing(
    unit: str, chance: float | None, focus: float, rival: float, stuck: bool
) -> None:
    question = dataclasses.replace(SMALL.question, unit=unit, higher_is_better=unit == "points")
    found = pairs(runs_of([((OK, focus), (OK, rival))], SMALL), question, "relu", chance=chance)
    assert list(found["uninformative"]) == [stuck]


def test_replicates_are_averaged_within_their_configuration() -> None:
    truth = Truth(configurations=20, replicates=3, factors=("optimizer",))
    frame = simulate(truth, np.random.default_rng(1))
    wide = frame.pivot_table(index="block", columns="activation", values="test_accuracy")
    differences = (wide["mish"] - wide["relu"]).clip(-5, 5)
    means = differences.groupby(differences.index.str.partition("-").get_level_values(0)).mean()
    interval = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
    first = headline(frame, truth.question)
    assert (first.pairs, first.units) == (60, 20)
    assert first.difference == pytest.approx(means.mean(), rel=1e-5)
    assert (first.low, first.high) == pytest.approx((interval.low, interval.high), rel=1e-5)


def test_failure_counts_mcnemar_and_share() -> None:
    rows = (
        [((DIVERGED, 0.0), (OK, 90.0))] * 7
        + [((OK, 90.0), (DIVERGED, 0.0))]
        + [((DIVERGED, 0.0), (OOM, 0.0))] * 2
    )
    rows += [((OK, 90.0), (OK, 89.0))] * 30
    first = headline(runs_of(rows, SMALL), SMALL.question)
    assert (first.focus_failures, first.rival_failures, first.both_failed) == (9, 3, 2)
    assert first.mcnemar_p == pytest.approx(stats.binomtest(1, 8).pvalue, rel=1e-5)
    assert first.failure_share == pytest.approx(30 / (30 + 30))
    assert first.uninformative == pytest.approx(2 / 40)


def test_a_row_of_pairs_that_say_nothing_is_never_a_tie() -> None:
    rng = np.random.default_rng(4)
    trained = [((OK, 90.0 + rng.normal() / 50), (OK, 90.0)) for _ in range(75)]
    nothing = [((DIVERGED, 0.0), (DIVERGED, 0.0))]
    few = headline(runs_of(trained + nothing * 15, SMALL), SMALL.question)
    many = headline(runs_of(trained + nothing * 25, SMALL), SMALL.question)
    assert few.verdict is Verdict.TIES
    assert many.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert many.p_tie == 1.0
    assert many.units_to_settle is None


@pytest.mark.parametrize("units", range(8))
def test_few_units_make_no_verdict_and_no_nan(units: int) -> None:
    rows = [((OK, 92.0 + 0.1 * place), (OK, 90.0)) for place in range(units)]
    frame = runs_of(rows, SMALL) if rows else simulate(SMALL, np.random.default_rng(0)).head(0)
    first = headline(frame, SMALL.question)
    numbers = [value for value in dataclasses.astuple(first) if isinstance(value, float)]
    assert np.isfinite(numbers).all()
    assert first.units == units
    assert (first.difference is None) == (units == 0)
    assert (first.low is None) == (units < 2)
    assert (first.p_adjusted is None) == (units < 6)
    assert (first.verdict is Verdict.WINS) == (units >= 6)
    assert (first.size == "clear") == (units >= 6)
    assert (first.stable_under == {}) == (units < 6)


def test_the_verdict_is_repeated_under_other_caps_and_on_outcomes() -> None:
    """A steady loss of 0.9 points against rescues in a quarter of the pairs: the cap decides.

    The mean is (30 * cap - 90 * 0.9) / 120: +0.58 at a cap of 5 points, +0.08 at 3, +1.83 at 10.
    """
    rng = np.random.default_rng(0)
    rows = [((OK, 89.1 + rng.normal() / 5), (OK, 90.0)) for _ in range(90)]
    rows += [((OK, 90.0), (DIVERGED, 0.0)) for _ in range(30)]
    first = headline(runs_of(rows, SMALL), SMALL.question)
    assert first.verdict is Verdict.WINS
    assert first.stable_under == {"cap_0.6": False, "cap_2": True, "outcomes": False}
    rows = [((OK, 91.0 + rng.normal() / 5), (OK, 90.0)) for _ in range(30)]
    steady = headline(runs_of(rows, SMALL), SMALL.question)
    assert steady.stable_under == {"cap_0.6": True, "cap_2": True, "outcomes": True}


def test_a_win_within_delta_is_a_tie() -> None:
    rng = np.random.default_rng(0)
    rows = [((OK, 90.2 + 0.1 * rng.normal()), (OK, 90.0)) for _ in range(30)]
    first = headline(runs_of(rows, SMALL), SMALL.question)
    assert first.p is not None
    assert first.p < 1e-6
    assert first.verdict is Verdict.TIES


# What must not change anything.


NOISY = Truth(
    configurations=120, replicates=2, rivals=("relu", "swish"), failure_rate=0.05, missing=0.1, tau=2.0,
    effect=lambda configurations: np.where(configurations["depth"] > 15, 3.0, -1.5),
)  # fmt: skip


@pytest.fixture(scope="module")
def noisy() -> pd.DataFrame:
    return simulate(NOISY, np.random.default_rng(11))


def test_the_order_of_rows_changes_nothing(noisy: pd.DataFrame) -> None:
    shuffled = noisy.sample(frac=1, random_state=3)
    assert compared(shuffled, NOISY.question) == compared(noisy, NOISY.question)


def test_names_of_activations_change_nothing(noisy: pd.DataFrame) -> None:
    names = {"mish": "z", "relu": "y", "swish": "a"}
    renamed = noisy.assign(activation=noisy["activation"].map(names))
    question = dataclasses.replace(NOISY.question, focus="z", rivals=("y", "a"))
    back = [
        dataclasses.replace(row, rival={"y": "relu", "a": "swish"}[row.rival])
        for row in compared(renamed, question)
    ]
    assert tuple(back) == compared(noisy, NOISY.question)


def test_swapping_focus_and_rival_flips_signs_only(noisy: pd.DataFrame) -> None:
    truth = dataclasses.replace(NOISY, rivals=("relu",))
    frame = noisy.loc[noisy["activation"] != "swish"]
    swapped = dataclasses.replace(truth.question, focus="relu", rivals=("mish",))
    opposite = {Verdict.WINS: Verdict.LOSES, Verdict.LOSES: Verdict.WINS}
    verdicts = set()
    for one, other in zip(compared(frame, truth.question), compared(frame, swapped), strict=True):
        verdicts.add(one.verdict)
        assert other.verdict is opposite.get(one.verdict, one.verdict)
        assert (other.focus_failures, other.rival_failures) == (one.rival_failures, one.focus_failures)
        same = ["pairs", "units", "dropped", "both_failed", "size", "stable_under", "units_to_settle"]
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        close = ["p", "p_adjusted", "p_tie", "p_tie_adjusted", "deviation", "mcnemar_p", "failure_share"]
        assert [getattr(one, name) for name in close] == pytest.approx(
            [getattr(other, name) for name in close]
        )
        assert one.difference == pytest.approx(-(other.difference or 0.0))
        assert (one.low, one.high) == pytest.approx((-(other.high or 0.0), -(other.low or 0.0)))
        # Six significant digits of a rate near 1 are fewer than six of its complement.
        assert one.win_rate == pytest.approx(1 - (other.win_rate or 0.0), abs=1e-6)
        assert one.win_rate_low == pytest.approx(1 - (other.win_rate_high or 0.0), abs=1e-6)
    assert {Verdict.WINS, Verdict.LOSES, Verdict.NOT_ENOUGH_EVIDENCE} <= verdicts


def test_recording_every_training_twice_narrows_nothing(noisy: pd.DataFrame) -> None:
    copy = noisy.assign(
        replicate=noisy["replicate"] + 2, block=noisy["block"] + "-again", digest=noisy["digest"] + "-again"
    )
    doubled = pd.concat([noisy, copy], ignore_index=True)
    for one, two in zip(compared(noisy, NOISY.question), compared(doubled, NOISY.question), strict=True):
        assert two.pairs == 2 * one.pairs
        counted = {"pairs", "dropped", "focus_failures", "rival_failures", "both_failed"}
        for name in {field.name for field in dataclasses.fields(one)} - counted:
            assert getattr(two, name) == getattr(one, name), name


@pytest.mark.parametrize("side", ["mish", "relu"])
def test_a_failure_never_helps_the_side_that_fails(noisy: pd.DataFrame, side: str) -> None:
    question = NOISY.question
    before = headline(noisy, question).difference
    assert before is not None
    for place in noisy.index[(noisy["activation"] == side) & (noisy["status"] == OK)][:40]:
        failed = noisy.copy()
        failed.loc[place, "status"] = DIVERGED
        failed.loc[place, [name for name in failed if name.endswith(("_accuracy", "_loss"))]] = math.nan
        after = headline(failed, question).difference
        assert after is not None
        assert after <= before if side == "mish" else after >= before


def test_a_rival_that_was_never_run_leaves_the_others_alone(noisy: pd.DataFrame) -> None:
    question = dataclasses.replace(NOISY.question, rivals=("relu", "gelu"))
    rows = compared(noisy.loc[noisy["activation"] != "swish"], question)
    alone = compared(
        noisy.loc[noisy["activation"] != "swish"], dataclasses.replace(question, rivals=("relu",))
    )
    assert [row.difference for row in rows if row.rival == "relu"] == [row.difference for row in alone]
    assert all(
        row.pairs == 0 and row.verdict is Verdict.NOT_ENOUGH_EVIDENCE for row in rows if row.rival == "gelu"
    )


# Which configurations a row is about.


def labels(factor: Factor, values: list[object]) -> list[tuple[str | None, int]]:
    """Return the level labels of one factor and how many of the values lie in each."""
    question = dataclasses.replace(SMALL.question, factors=(factor,))
    found, inside = regions(pd.DataFrame({factor.name: pd.Series(values)}), question)
    assert inside[0].all()
    return [(region.level, int(row.sum())) for region, row in zip(found[1:], inside[1:], strict=True)]


def test_levels_keep_the_order_of_the_spec_and_those_never_run_stay_visible() -> None:
    factor = Factor(name="optimizer", role="condition", levels=("sgd", "nadam", "adam"))
    assert labels(factor, ["adam", "sgd", "adam"]) == [("sgd", 1), ("nadam", 0), ("adam", 2)]


def test_six_numbers_are_six_rows_and_seven_are_four_bins() -> None:
    six = Factor(name="width", role="condition", levels=(512, 16, 32, 64, 128, 256))
    assert [level for level, _ in labels(six, [16, 32])] == ["512", "16", "32", "64", "128", "256"]
    seven = dataclasses.replace(six, levels=(8, *(six.levels or ())))
    assert labels(seven, [8, 16, 32, 64, 128, 256, 512] * 8) == [
        ("8 to 16", 16), ("32", 8), ("64 to 128", 16), ("256 to 512", 16),
    ]  # fmt: skip


def test_a_range_becomes_bins_of_about_equal_counts() -> None:
    factor = Factor(name="learning_rate", role="condition", low=0.001, high=1.0, log=True, relative=True)
    values = (np.arange(1, 101) / 100).tolist()
    assert labels(factor, values) == [
        ("0.01 to 0.25 × base", 25), ("0.26 to 0.5 × base", 25),
        ("0.51 to 0.75 × base", 25), ("0.76 to 1 × base", 25),
    ]  # fmt: skip
    assert labels(factor, values[:13]) == [("0.01 to 0.06 × base", 6), ("0.07 to 0.13 × base", 7)]
    assert labels(factor, values[:3]) == [("0.01 to 0.03 × base", 3)]
    assert labels(factor, []) == [("0.001 to 1 × base", 0)]
    assert labels(factor, [0.5] * 40) == [("0.5 × base", 40)]


def test_a_short_range_of_whole_numbers_has_a_row_each() -> None:
    factor = Factor(name="depth", role="condition", low=2, high=10, integer=True, step=4)
    assert labels(factor, [2, 10, 10]) == [("2", 1), ("6", 0), ("10", 2)]
    long = dataclasses.replace(factor, high=40)
    assert len(labels(long, list(range(2, 41, 4)) * 6)) == 4


def test_switches_and_mixed_levels_have_readable_labels() -> None:
    switch = Factor(name="batch_normalization", role="condition", levels=(True, False))
    assert labels(switch, [True, False, True]) == [("on", 2), ("off", 1)]
    mixed = Factor(name="mixup", role="condition", levels=("none", 0.2))
    assert labels(mixed, ["none", "0.2", "0.2"]) == [("none", 1), ("0.2", 2)]


def test_a_level_outside_the_list_gets_a_row() -> None:
    factor = Factor(name="depth", role="condition", levels=(2, 8))
    assert labels(factor, [2, 4, 8]) == [("2", 1), ("4", 1), ("8", 1)]
    names = Factor(name="optimizer", role="condition", levels=("sgd", "adam"))
    assert labels(names, ["lion", "sgd"]) == [("sgd", 1), ("adam", 0), ("lion", 1)]


def test_nuisances_have_no_rows() -> None:
    assert labels(Factor(name="depth", role="nuisance", levels=(2, 8)), [2, 8]) == []


WALK = dataclasses.replace(
    SMALL.question,
    design="ofat",
    baseline=(("depth", 4), ("width", 16)),
    factors=(
        Factor(name="depth", role="condition", levels=(2, 4, 8)),
        Factor(name="width", role="condition", levels=(16, 32)),
    ),
)


def members(configurations: pd.DataFrame, question: Question) -> dict[str, list[int]]:
    """Return which configurations lie in each level row."""
    found, inside = regions(configurations, question)
    return {
        f"{region.parameter} {region.level}": row.nonzero()[0].tolist()
        for region, row in zip(found[1:], inside[1:], strict=True)
    }


def test_in_ofat_a_row_holds_its_own_walk_and_every_factor_shares_the_baseline() -> None:
    walks = pd.DataFrame({"depth": [4, 2, 8, 4], "width": [16, 16, 16, 32]})
    assert members(walks, WALK) == {
        "depth 2": [1], "depth 4": [0], "depth 8": [2], "width 16": [0], "width 32": [3],
    }  # fmt: skip


def test_in_ofat_the_baseline_is_the_stated_one_and_not_the_most_frequent_level() -> None:
    """Early in a sweep most configurations may sit away from it."""
    early = pd.DataFrame({"depth": [4, 4, 4], "width": [32, 32, 16]})
    assert members(early, WALK)["width 32"] == [0, 1]
    assert members(early, WALK)["depth 4"] == [2]


def test_in_ofat_the_baseline_may_be_a_switch_a_name_or_a_number_read_from_text() -> None:
    question = dataclasses.replace(
        WALK,
        baseline=(("batch_normalization", True), ("learning_rate", 0.1), ("mixup", 0.2)),
        factors=(
            Factor(name="batch_normalization", role="condition", levels=(True, False)),
            Factor(name="learning_rate", role="condition", levels=(0.1, 0.3)),
            Factor(name="mixup", role="condition", levels=("none", 0.2)),
        ),
    )
    walks = pd.DataFrame(
        {
            "batch_normalization": [True, False, True, True],
            "learning_rate": [0.1, 0.1, 0.30000000000000004, 0.1],
            "mixup": ["0.2", "0.2", "0.2", "none"],
        }
    )
    assert members(walks, question) == {
        "batch_normalization on": [0], "batch_normalization off": [1],
        "learning_rate 0.1": [0], "learning_rate 0.3": [2],
        "mixup none": [3], "mixup 0.2": [0],
    }  # fmt: skip


def test_in_ofat_every_level_has_a_row_and_every_replicate_is_a_unit() -> None:
    truth = Truth(replicates=12, factors=("depth", "optimizer"), design="ofat")
    frame = simulate(truth, np.random.default_rng(2))
    overall, *levels = compared(frame, truth.question)
    assert (overall.units, overall.pairs) == (16 * 12, 16 * 12)
    assert len(levels) == len(SPACE["depth"]) + len(SPACE["optimizer"]) == 17
    assert {row.units for row in levels} == {12}
