"""One run per setting, repeated: planted gaps come back as rates, exact cases by hand, what is refused."""

import csv
import dataclasses
import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from published_schemas import validator_of
from scipy import stats
from simulated_record import simulated_record, write_ledger
from simulated_runs import Truth, simulate
from simulation_bounds import at_least, at_most
from typer.testing import CliRunner

import mishstudy
from analysis.single_runs import SettingsWon, SingleRunRow, SingleRuns, single_runs
from analysis.statistics.shares import Share
from analysis.tables.single_runs import notes, setting_rows, to_csv, to_json, to_markdown, won_rows
from study.errors import InputError

OFAT = Truth(
    design="ofat", replicates=10, tau=0.0, factors=("augmentation", "mixup"), rivals=("relu", "swish")
)
GAP = 0.4
MANY = Truth(
    design="ofat", replicates=4000, tau=0.0, noise=0.5, factors=("mixup",),
    effect=lambda drawn: np.full(len(drawn), GAP),
)  # fmt: skip
"""A gap of 0.8 standard deviations of a training, and so many replicates that the means are the truth."""


def found_of(truth: Truth, sweep: int = 3, **options: Any) -> SingleRuns:
    return single_runs(simulate(truth, np.random.default_rng(sweep)), truth.question, **options)


def made(mish: Sequence[float | None], relu: Sequence[float | None]) -> pd.DataFrame:
    """Return the runs of one configuration; None is a failure."""
    truth = dataclasses.replace(ONE, replicates=len(mish))
    runs = simulate(truth, np.random.default_rng(0))
    values = {"mish": mish, "relu": relu}
    planted = [values[name][seed] for name, seed in zip(runs["activation"], runs["replicate"], strict=True)]
    scores = np.array([np.nan if value is None else value for value in planted])
    status = np.where(np.isnan(scores), "diverged", "ok")
    return runs.assign(**dict.fromkeys(METRICS, scores), status=status)


ONE = Truth(configurations=1, factors=("mixup",))
METRICS = [f"{cut}_{kind}" for cut in ("train", "validation", "test") for kind in ("accuracy", "loss")]


@pytest.fixture(scope="module")
def found() -> SingleRuns:
    return found_of(OFAT, repeats=400)


def within(found: float, wanted: float, repeats: int) -> None:
    """Check a rate to four standard errors."""
    assert abs(found - wanted) <= 4 * np.sqrt(wanted * (1 - wanted) / repeats)


@pytest.mark.parametrize("paired", [False, True])
def test_a_planted_gap_comes_back_as_the_rate_of_flips(paired: bool) -> None:
    """Phi(-gap / (sd sqrt 2)); two studies disagree where just one of them flips."""
    repeats, spread = 4000, MANY.noise * np.sqrt(2)
    flips = float(stats.norm.cdf(-GAP / spread))
    wrong = float(stats.norm.cdf(-(GAP + MANY.delta) / spread))
    _, *rows = found_of(MANY, repeats=repeats, paired=paired).rows
    assert len(rows) == 2
    for row in rows:
        assert row.winner == "mish"
        assert row.difference == pytest.approx(GAP, abs=0.05)
        within(row.flips.value, flips, repeats)
        within(row.contradictions.value, 2 * flips * (1 - flips), repeats)
        within(row.wrong.value, wrong, repeats)


def test_the_count_of_settings_is_judged_by_the_majority() -> None:
    """With three settings the wrong side has two or three of them."""
    truth = dataclasses.replace(MANY, factors=("mixup", "augmentation"), replicates=1000)
    repeats = 4000
    overall, *rows = found_of(truth, repeats=repeats).rows
    p = float(stats.norm.cdf(-GAP / (truth.noise * np.sqrt(2))))
    won = stats.binom(len(rows), p)
    # Four level rows, as the baseline is one of either factor: two each are a tie, which counts half.
    within(overall.flips.value, won.sf(2) + won.pmf(2) / 2, repeats)
    assert (overall.parameter, overall.difference, overall.winner) == (None, None, "mish")
    assert overall.wrong.of == len(rows) * repeats


def test_few_replicates_are_enumerated() -> None:
    """Every draw of two runs for either side, by hand."""
    mish, relu = [90.0, 91.0, 92.0], [89.0, 91.0, 91.6]
    (_, row) = single_runs(made(mish, relu), ONE.question, repeats=4000).rows
    truth = np.sign(np.mean(mish) - np.mean(relu))
    flips = [abs(np.sign(x - y) - truth) / 2 for x, y in itertools.product(mish, relu)]
    clashes = [
        abs(np.sign(x1 - y1) - np.sign(x2 - y2)) / 2
        for (x1, x2), (y1, y2) in itertools.product(
            itertools.permutations(mish, 2), itertools.permutations(relu, 2)
        )
    ]
    wrong = [x - y <= -ONE.delta for x, y in itertools.product(mish, relu)]
    assert row.difference == pytest.approx(np.mean(mish) - np.mean(relu), rel=1e-5)
    within(row.flips.value, float(np.mean(flips)), 4000)
    within(row.contradictions.value, float(np.mean(clashes)), 4000)
    within(row.wrong.value, float(np.mean(wrong)), 4000)
    (_, paired) = single_runs(made(mish, relu), ONE.question, repeats=4000, paired=True).rows
    within(paired.flips.value, (0 + 0.5 + 0) / 3, 4000)
    assert paired.wrong.count == 0


def test_a_failure_is_the_worst_result_and_two_of_them_tie() -> None:
    (_, row) = single_runs(made([None, None], [20.0, 21.0]), ONE.question, repeats=50).rows
    assert (row.winner, row.flips.count, row.contradictions.count) == ("relu", 0, 0)
    assert row.difference == pytest.approx(20 - ONE.loss_cap - 20.5)
    (_, both) = single_runs(made([None, None], [None, None]), ONE.question, repeats=50).rows
    assert (both.winner, both.flips.count, both.contradictions.count, both.wrong.count) == (None, 0, 0, 0)
    (_, some) = single_runs(made([95.0, None], [90.0, 90.0]), ONE.question, repeats=4000).rows
    within(some.contradictions.value, 1 - 1e-9, 4000)  # the two studies have the two trainings of mish
    within(some.wrong.value, 0.5, 4000)


def test_lower_is_better_turns_the_winner_round() -> None:
    runs = made([1.0, 1.1], [2.0, 2.1])
    asked = dataclasses.replace(ONE.question, higher_is_better=False)
    _, row = single_runs(runs, asked, repeats=20).rows
    assert (row.winner, row.difference) == ("mish", 1.0)
    _, row = single_runs(runs, ONE.question, repeats=20).rows
    assert (row.winner, row.difference) == ("relu", -1.0)


def test_settings_won_add_up_to_the_settings(found: SingleRuns) -> None:
    assert found.settings == 4
    for total in (
        sum(one.by_mean for one in found.won),
        sum(one.mean for one in found.won),
        found.settings * sum(one.first.count for one in found.won) / found.repeats,
    ):
        assert total == pytest.approx(found.settings, abs=1e-3)
    assert [one.activation for one in found.won] == ["mish", "relu", "swish"]


def test_the_rows_are_the_levels_of_the_table(found: SingleRuns) -> None:
    assert [(row.parameter, row.level, row.rival) for row in found.rows[2::2]] == [
        ("augmentation", "none", "relu"),
        ("augmentation", "shift", "relu"),
        ("mixup", "0", "relu"),
        ("mixup", "0.2", "relu"),
    ]
    assert {row.replicates for row in found.rows} == {10}
    assert found.trainings == 3 * 3 * 10


def test_in_a_paired_sweep_a_setting_is_a_configuration() -> None:
    truth = Truth(configurations=6, replicates=3, factors=("mixup", "optimizer"))
    runs = simulate(truth, np.random.default_rng(3))
    lonely = (runs["index"] == 2) & (runs["replicate"] > 0) & (runs["activation"] == "relu")
    found = single_runs(runs.loc[~lonely], truth.question, repeats=20)
    assert (found.settings, found.left_out) == (5, 1)
    assert found.rows[1].parameter == "configuration"
    assert str(found.rows[1].level).startswith("0: mixup 0")
    assert notes(found)[-1] == "1 setting without two trainings of every activation left out."


def test_a_sweep_without_factors_is_one_setting() -> None:
    found = found_of(dataclasses.replace(OFAT, factors=()), repeats=20)
    assert {row.level for row in found.rows} == {None, "0: the only setting"}
    assert found.settings == 1
    assert not any("baseline" in note for note in notes(found))


def test_the_seed_decides_and_not_the_order_of_rows(found: SingleRuns) -> None:
    runs = simulate(OFAT, np.random.default_rng(3))
    again = single_runs(runs.sample(frac=1.0, random_state=1), OFAT.question, repeats=400)
    assert again == found
    assert single_runs(runs, OFAT.question, repeats=400, seed=1).rows != found.rows


def test_without_replicates_it_is_one_sentence() -> None:
    with pytest.raises(InputError) as caught:
        found_of(dataclasses.replace(OFAT, replicates=1))
    assert "flaw needs a setting with two trainings of every activation" in str(caught.value)
    assert "raise replicates in its spec" in str(caught.value)


def test_every_format_holds_the_same(found: SingleRuns) -> None:
    markdown = to_markdown(found)
    for row in (*setting_rows(found), *won_rows(found)):
        assert all(cell in markdown for cell in row.values())
    values = json.loads(to_json(found))
    assert values["schema"] == "mishstudy-flaw/1"
    assert values["rows"][0]["flips"]["value"] == found.rows[0].flips.value
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [float(row["flips_value"]) for row in rows] == [row.flips.value for row in found.rows]


def test_json_follows_the_published_schema(found: SingleRuns) -> None:
    validator = validator_of("flaw", SingleRuns, SingleRunRow, SettingsWon, Share)
    written = json.loads(to_json(found))
    validator.validate(written)
    written["rows"][0]["replicates"] = 1
    assert not validator.is_valid(written)


def test_the_command_reads_a_ledger(tmp_path: Path) -> None:
    write_ledger(tmp_path, simulated_record(simulate(OFAT, np.random.default_rng(3)), OFAT.question))
    arguments = ["flaw", "simulated", "--home", str(tmp_path), "--repeats", "20"]
    done = CliRunner().invoke(mishstudy.app, arguments)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("# One run per setting: what would have been said of mish?")
    assert CliRunner().invoke(mishstudy.app, arguments).stdout == done.stdout
    assert "Example: mishstudy flaw" in CliRunner().invoke(mishstudy.app, ["flaw", "--help"]).stdout


@pytest.mark.simulation
def test_the_intervals_hold_the_rate_over_all_draws() -> None:
    """For one sweep: the rates in many draws, and intervals from few."""
    runs = simulate(OFAT, np.random.default_rng(3))
    many = single_runs(runs, OFAT.question, repeats=100_000).rows
    held: list[bool] = []
    for seed in range(1, 101):
        for row, wanted in zip(
            single_runs(runs, OFAT.question, repeats=60, seed=seed).rows, many, strict=True
        ):
            for name in ("flips", "contradictions", "wrong"):
                few = getattr(row, name)
                held.append(few.low <= getattr(wanted, name).value <= few.high)
    at_least(0.95, held, "interval from 60 draws holds the rate in 100,000")


@pytest.mark.simulation
def test_means_of_ten_flip_less_often_than_they_should_but_not_much() -> None:
    """What `docs/protocols.md` says of means that are no truth either, at a gap of 0.8 of a deviation."""
    truth = dataclasses.replace(MANY, replicates=10)
    wanted = float(stats.norm.cdf(-GAP / (truth.noise * np.sqrt(2))))
    rates = [
        row.flips.value for sweep in range(300) for row in found_of(truth, sweep=sweep, repeats=200).rows[1:]
    ]
    at_most(wanted, [bool(rate > 0.5) for rate in rates], "means of ten: flips in more than half")
    assert np.mean(rates) == pytest.approx(wanted, abs=0.03)
