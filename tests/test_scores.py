"""Several sweeps side by side: means over units, empty cells, the verdicts counted, what is refused."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from published_schemas import validator_of
from scipy import stats
from simulated_record import simulated_record, write_ledger
from simulated_runs import Truth, simulate
from tuned_runs import Searches, Surface, simulate_searches
from typer.testing import CliRunner

import mishstudy
from analysis.criteria import criteria_table
from analysis.scores import ActivationScore, Scores, SweepScores, Tally, scores, sweep_scores
from analysis.statistics.compare import Verdict
from analysis.tables.scores import notes, score_rows, tally_rows, to_csv, to_json, to_markdown
from study.errors import InputError
from study.question import Question

WORLD = Truth(configurations=40, replicates=2, factors=("depth",), rivals=("relu", "swish"))


def named(truth: Truth, name: str, **changes: object) -> Question:
    return dataclasses.replace(truth.question, name=name, **changes)  # pyright: ignore[reportArgumentType]


def row_of(truth: Truth, name: str, sweep: int = 3, **changes: object) -> SweepScores:
    runs, question = simulate(truth, np.random.default_rng(sweep)), named(truth, name, **changes)
    return sweep_scores(runs, criteria_table(runs, question))


@pytest.fixture(scope="module")
def sweeps() -> list[SweepScores]:
    gain = dataclasses.replace(WORLD, effect=lambda drawn: np.full(len(drawn), 3.0), rivals=("relu", "elu"))
    loss = dataclasses.replace(WORLD, effect=lambda drawn: np.full(len(drawn), -3.0), failure_rate=0.1)
    few = dataclasses.replace(WORLD, configurations=4)
    return [
        row_of(gain, "gain", dataset="one"),
        row_of(loss, "loss", dataset="two"),
        row_of(WORLD, "equal"),
        row_of(few, "few", metric="test_loss", higher_is_better=False, unit="nats", delta=0.1, loss_cap=1.0),
    ]


def test_a_cell_is_the_mean_over_configurations_with_its_t_interval(sweeps: list[SweepScores]) -> None:
    runs = simulate(WORLD, np.random.default_rng(3))
    for score in sweeps[2].scores:
        own = runs.loc[runs["activation"] == score.activation]
        means = own.groupby("configuration")["test_accuracy"].mean()
        low, high = stats.t.interval(0.95, len(means) - 1, means.mean(), stats.sem(means))
        assert (score.mean, score.low, score.high) == pytest.approx((means.mean(), low, high), rel=1e-5)
        assert (score.units, score.trainings, score.failed) == (40, 80, 0)


def test_verdicts_are_those_of_each_sweep_and_counted(sweeps: list[SweepScores]) -> None:
    found = scores(sweeps)
    assert found.activations == ("mish", "relu", "elu", "swish")
    counts = {one.rival: (one.wins, one.ties, one.losses, one.undecided) for one in found.tallies}
    assert sweeps[2].verdicts["relu"] is Verdict.TIES
    assert counts == {"relu": (1, 1, 1, 1), "elu": (1, 0, 0, 0), "swish": (0, 1, 1, 1)}


def test_a_sweep_without_an_activation_leaves_its_cell_empty(sweeps: list[SweepScores]) -> None:
    rows = score_rows(scores(sweeps))
    assert [row["elu"] == "" for row in rows] == [False, True, True, True]
    assert [row["swish"] == "" for row in rows] == [True, False, False, False]
    assert [row["Metric"] for row in rows[2:]] == [
        "test_accuracy (points)",
        "test_loss (nats, lower is better)",
    ]


def test_failures_stand_beside_the_mean(sweeps: list[SweepScores]) -> None:
    rows = score_rows(scores(sweeps))
    assert " failed" in rows[1]["mish"]
    assert "failed" not in rows[0]["mish"]


def test_a_sweep_that_is_not_finished_is_undecided() -> None:
    gain = dataclasses.replace(WORLD, effect=lambda drawn: np.full(len(drawn), 3.0))
    running = row_of(gain, "running", planned_trainings=10_000)
    assert running.verdicts["relu"] is Verdict.WINS
    found = scores([running])
    assert [(one.wins, one.undecided) for one in found.tallies] == [(0, 1), (0, 1)]
    assert score_rows(found)[0]["Sweep"] == "running (provisional)"
    assert "A sweep that is not finished is undecided." in notes(found)


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_tuned_sweep_shows_its_winners_on_fresh_seeds(repeats: int) -> None:
    world = Searches(surfaces={"mish": Surface(), "relu": Surface()}, repeats=repeats, trials=5)
    runs = simulate_searches(world, np.random.default_rng(0))
    table = criteria_table(runs, world.question)
    row = sweep_scores(runs, table)
    for score in row.scores:
        bests = [best for best in table.tuned if best.activation == score.activation]
        assert score.mean == pytest.approx(np.mean([best.mean for best in bests]), rel=1e-5)
        assert score.units == (world.confirm if repeats == 1 else repeats)
        assert score.low is not None
    assert row.verdicts == {one.rival: one.searches.verdict for one in table.tuned_verdicts}
    assert "tuned sweep" in " ".join(notes(scores([row])))


def test_a_sweep_is_counted_once_and_has_one_focus(sweeps: list[SweepScores]) -> None:
    with pytest.raises(InputError, match="'gain' was given twice"):
        scores([sweeps[0], sweeps[0]])
    other = dataclasses.replace(sweeps[1], scores=sweeps[1].scores[::-1])
    with pytest.raises(InputError, match="'loss' about swish, 'gain' about mish"):
        scores([sweeps[0], other])


def test_every_format_holds_the_same(sweeps: list[SweepScores]) -> None:
    found = scores(sweeps)
    markdown = to_markdown(found)
    for row in (*score_rows(found), *tally_rows(found)):
        assert all(cell in markdown for cell in row.values())
    values = json.loads(to_json(found))
    assert values["schema"] == "mishstudy-scores/1"
    assert values["sweeps"][0]["verdicts"] == {"relu": "wins", "elu": "wins"}
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert len(rows) == 4 * 3
    assert [row["verdict_of_focus"] for row in rows[:3]] == ["", "wins", "wins"]


def test_json_follows_the_published_schema(sweeps: list[SweepScores]) -> None:
    validator = validator_of("scores", Scores, ActivationScore, SweepScores, Tally)
    written = json.loads(to_json(scores(sweeps)))
    validator.validate(written)
    written["sweeps"][0]["verdicts"]["relu"] = "perhaps"
    assert not validator.is_valid(written)


def test_the_command_reads_ledgers(tmp_path: Path) -> None:
    small = dataclasses.replace(WORLD, configurations=8, replicates=1)
    for name in ("one", "two"):
        runs = simulate(small, np.random.default_rng(len(name)))
        write_ledger(tmp_path, simulated_record(runs, named(small, name)))
    home = ["--home", str(tmp_path)]
    done = CliRunner().invoke(mishstudy.app, ["scores", "one", "two", *home])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("# mish and its rivals, sweep by sweep")
    assert "Example: mishstudy scores" in CliRunner().invoke(mishstudy.app, ["scores", "--help"]).stdout
    refused = CliRunner().invoke(mishstudy.app, ["scores", "one", *home, "--format", "latex"])
    assert isinstance(refused.exception, InputError)
