"""Welch on configurations: what SciPy says, what every pair of runs says, and how a failure counts."""

import dataclasses

import jsonschema
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_runs import Truth, simulate
from test_criteria import SCHEMA

from analysis.criteria import CriteriaTable, criteria_table
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.unpaired import unpaired_comparisons
from analysis.tables import exports
from analysis.tables.terminal import render
from study.question import Question

TRUTH = Truth(configurations=60, factors=("depth", "optimizer"))
QUESTION = dataclasses.replace(TRUTH.question, design="unpaired")


def apart(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the frame with one activation left in each configuration, drawn at random."""
    names = sorted(frame["activation"].unique())
    configurations = frame["configuration"].unique()
    drawn = dict(zip(configurations, rng.choice(names, len(configurations)), strict=True))
    return frame.loc[frame["activation"] == frame["configuration"].map(drawn)].reset_index(drop=True)


def made(truth: Truth = TRUTH, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return apart(simulate(truth, rng), rng)


def headline(frame: pd.DataFrame, question: Question = QUESTION, chance: float | None = None) -> Comparison:
    return unpaired_comparisons(frame, question, chance=chance)[0]


def sides(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the means of the configurations of either side."""
    means = frame.groupby(["activation", "configuration"])["test_accuracy"].mean()
    return means["mish"], means["relu"]


def test_without_failures_it_is_welch_and_mann_whitney() -> None:
    frame = made()
    row, (mish, relu) = headline(frame), sides(frame)
    welch = stats.ttest_ind(mish, relu, equal_var=False)
    interval = welch.confidence_interval()
    assert row.difference == pytest.approx(mish.mean() - relu.mean(), rel=1e-5)
    assert (row.low, row.high) == pytest.approx((interval.low, interval.high), rel=1e-5)
    assert row.p == pytest.approx(welch.pvalue, rel=1e-5)
    upper = stats.ttest_ind(mish - 0.5, relu, equal_var=False, alternative="less").pvalue
    lower = stats.ttest_ind(mish + 0.5, relu, equal_var=False, alternative="greater").pvalue
    assert row.p_tie == pytest.approx(max(upper, lower), rel=1e-5)
    shares = stats.mannwhitneyu(mish, relu).statistic / len(mish) / len(relu)
    assert row.win_rate == pytest.approx(shares, rel=1e-5)
    assert row.pairs == row.units == min(len(mish), len(relu))
    assert (row.dropped, row.mcnemar_p, row.failure_share) == (0, None, 0.0)


def test_replicates_are_averaged_within_their_configuration() -> None:
    frame = made(dataclasses.replace(TRUTH, replicates=3, missing=0.2))
    row, (mish, relu) = headline(frame), sides(frame)
    assert row.p == pytest.approx(stats.ttest_ind(mish, relu, equal_var=False).pvalue, rel=1e-5)
    again = frame.assign(block=frame["block"] + "x", replicate=frame["replicate"] + 9)
    twice = headline(pd.concat([frame, again]))
    assert (twice.units, twice.p, twice.win_rate, twice.win_rate_low) == (
        row.units, row.p, row.win_rate, row.win_rate_low,
    )  # fmt: skip


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_it_is_the_mean_over_all_pairs_of_runs(step: float) -> None:
    """Every run of the focus against every run of the rival, by the rules of a paired difference."""
    frame = made(dataclasses.replace(TRUTH, failure_rate=0.2, replicates=2, spread=1.0, step=step))
    frame["weight"] = 1 / frame.groupby("configuration")["block"].transform("size")
    mish, relu = (frame.loc[frame["activation"] == name] for name in ("mish", "relu"))
    total = difference = wins = outcomes = from_failures = 0.0
    for _, ours in mish.iterrows():
        for _, theirs in relu.iterrows():
            weight = ours["weight"] * theirs["weight"]
            values = [None if run["status"] != "ok" else run["test_accuracy"] for run in (ours, theirs)]
            failed = any(value is None for value in values)
            gap = QUESTION.difference(*values) if failed else values[0] - values[1]
            total += weight
            difference += weight * gap
            from_failures += weight * gap * failed
            wins += weight * (1 + np.sign(gap)) / 2
            outcomes += weight * (int(gap >= 0.5) - int(gap <= -0.5))
    row = headline(frame)
    assert row.difference == pytest.approx(difference / total, rel=1e-5)
    assert row.win_rate == pytest.approx(wins / total, rel=1e-5)
    rest = abs(difference - from_failures)
    assert row.failure_share == pytest.approx(abs(from_failures) / (abs(from_failures) + rest), rel=1e-5)
    assert row.focus_failures == (mish["status"] != "ok").sum() > 0
    both = (mish["status"] != "ok").mean() * (relu["status"] != "ok").mean()
    assert row.uninformative == pytest.approx(both, rel=0.2)


def test_swapping_the_sides_turns_the_signs_and_lower_may_be_better() -> None:
    frame = made(dataclasses.replace(TRUTH, failure_rate=0.1))
    swapped = frame.assign(activation=frame["activation"].map({"mish": "relu", "relu": "mish"}))
    row, other = headline(frame), headline(swapped)
    assert row.difference == pytest.approx(-(other.difference or 0), rel=1e-5)
    assert row.p == pytest.approx(other.p, rel=1e-4)
    assert row.win_rate == pytest.approx(1 - (other.win_rate or 0), rel=1e-5)
    down = headline(
        frame.assign(test_accuracy=100 - frame["test_accuracy"]),
        dataclasses.replace(QUESTION, higher_is_better=False, unit="nats"),
    )
    assert down.difference == pytest.approx(row.difference, rel=1e-5)


def test_a_failure_never_helps_the_side_that_fails() -> None:
    frame = made()
    before = headline(frame).difference or 0.0
    mish = frame.index[frame["activation"] == "mish"]
    worst = frame.loc[mish, "test_accuracy"].idxmin()
    best_of_relu = frame.loc[frame["activation"] == "relu", "test_accuracy"].max()
    frame.loc[worst, "test_accuracy"] = best_of_relu + 1
    good = headline(frame).difference or 0.0
    frame.loc[worst, ["test_accuracy", "status"]] = [np.nan, "diverged"]
    assert (headline(frame).difference or 0.0) < good
    assert good > before


@pytest.mark.parametrize(("units", "verdict"), [(6, Verdict.NOT_ENOUGH_EVIDENCE), (29, Verdict.TIES)])
def test_where_nothing_varies_it_takes_as_many_units_as_with_pairs(units: int, verdict: Verdict) -> None:
    frame = made(Truth(configurations=2 * units + 20, spread=0.0, tau=0.0, noise=0.0, factors=("depth",)))
    frame = frame.groupby("activation").head(units)
    row = headline(frame, dataclasses.replace(QUESTION, factors=QUESTION.factors[:1]))
    assert (row.units, row.difference, row.verdict) == (units, 0.0, verdict)


def test_a_gap_without_any_spread_is_no_certainty() -> None:
    frame = made(Truth(configurations=60, spread=0.0, tau=0.0, noise=0.0, factors=("depth",)))
    frame.loc[frame["activation"] == "mish", "test_accuracy"] += 9.0
    row = headline(
        frame.groupby("activation").head(8), dataclasses.replace(QUESTION, factors=QUESTION.factors[:1])
    )
    assert row.p == pytest.approx(2 / 2**8)


def test_a_side_with_one_unit_or_none_has_no_interval() -> None:
    frame = made()
    mish, relu = (frame.loc[frame["activation"] == name] for name in ("mish", "relu"))
    one = headline(pd.concat([mish.head(1), relu]))
    assert (one.units, one.low, one.p, one.verdict) == (1, None, None, Verdict.NOT_ENOUGH_EVIDENCE)
    assert one.difference is not None
    none = headline(relu)
    assert (none.pairs, none.difference, none.win_rate, none.uninformative) == (0, None, None, None)


def test_pairs_at_chance_say_nothing() -> None:
    frame = made()
    frame.loc[frame["depth"] > 11, "test_accuracy"] = 10.0
    share = (frame["depth"] > 11).groupby(frame["activation"]).mean()
    assert headline(frame, chance=10.0).uninformative == pytest.approx(
        share["mish"] * share["relu"], rel=1e-5
    )
    assert headline(frame).uninformative == 0


@pytest.fixture(scope="module")
def table() -> CriteriaTable:
    gain = dataclasses.replace(
        TRUTH, configurations=200, spread=0.5, effect=lambda drawn: np.full(len(drawn), 2.0)
    )
    return criteria_table(made(gain), QUESTION)


def test_the_table_has_the_same_schema_and_comes_back(table: CriteriaTable) -> None:
    values = table.to_json()
    jsonschema.Draft202012Validator(SCHEMA).validate(values)
    assert CriteriaTable.from_json(values) == table
    assert table.headline[0].verdict is Verdict.WINS
    assert (
        table.gates
        == table.thresholds
        == table.interactions
        == table.pairing
        == table.trained_differences
        == ()
    )
    assert table.ranking is None
    assert len(table.failure_rates) == 2
    assert {row.parameter for row in table.levels} == {"depth", "optimizer"}


def test_every_form_says_that_it_is_unpaired(table: CriteriaTable) -> None:
    for text in (
        exports.to_markdown(table),
        exports.to_html(table),
        exports.to_latex(table),
        exports.to_json(table),
    ):
        assert "unpaired" in text.lower()
    assert "Unpaired: mish and its rivals ran at different settings" in exports.to_markdown(table)
    assert exports.to_csv(table).count("\n") == 1 + 1 + len(table.levels)
    assert "Runs per activation" in exports.evidence_rows(table)[0]
    assert "(Welch)" in " ".join(table.notes)
    assert render(table)
