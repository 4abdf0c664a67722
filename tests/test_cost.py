"""What an activation costs: planted times come back, packed members have none, nothing reaches the table."""

import csv
import dataclasses
import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from published_schemas import validator_of
from scipy import stats
from simulated_record import FINGERPRINT, simulated_record
from simulated_runs import Truth, simulate
from simulation_bounds import at_least
from tuned_runs import Searches, Surface, simulate_searches

from analysis.cost import ActivationCost, Cost, Estimate, RivalCost, cost_of
from analysis.criteria import criteria_table
from analysis.frame import curves_frame, runs_frame
from analysis.tables.cost import activation_rows, notes, rival_rows, sentences, to_csv, to_json, to_markdown
from analysis.tables.exports import to_json as table_json
from study.ledger import Entry, Record
from study.training import Status

EPOCHS = 6
WORLD = Truth(configurations=40, rivals=("relu", "swish"), factors=("depth",), replicates=2)
SLOWER = {"mish": 1.2, "relu": 1.0, "swish": 1.5}
"""Seconds of an epoch, beside what depth and noise make of it."""


def timed(record: Record, rng: np.random.Generator, spread: float = 0.05) -> Record:
    """Return `record` with planted seconds: by activation, by depth, with noise."""

    def change(entry: Entry) -> Entry:
        of_depth = 0.01 * float(entry.configuration.levels["depth"])
        one = of_depth * SLOWER[entry.training.activation] * np.exp(rng.normal(0, spread))
        result = dataclasses.replace(entry.result, seconds=EPOCHS * one, peak_memory_mib=700.0)
        return dataclasses.replace(entry, result=result)

    return dataclasses.replace(record, entries=tuple(map(change, record.entries)))


def made(truth: Truth = WORLD, seed: int = 3) -> Record:
    rng = np.random.default_rng(seed)
    return timed(simulated_record(simulate(truth, rng), truth.question, epochs=EPOCHS), rng)


def cost(record: Record) -> Cost:
    return cost_of(runs_frame(record), curves_frame(record), record)


@pytest.fixture(scope="module")
def record() -> Record:
    return made()


def test_the_ratio_is_the_t_interval_of_log_ratios_over_configurations(record: Record) -> None:
    runs = runs_frame(record)
    by_side = runs.pivot_table(index=["configuration", "block"], columns="activation", values="seconds")
    for one in cost(record).rivals:
        logs = np.log(by_side["mish"] / by_side[one.rival]).groupby("configuration").mean()
        low, high = stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs))
        wanted = np.exp([logs.mean(), low, high])
        found = one.epoch_ratio
        assert [found.value, found.low, found.high] == pytest.approx(list(wanted), rel=1e-5)
        assert (found.pairs, found.units) == (len(by_side), len(logs))
        assert found.value == pytest.approx(1.2 / SLOWER[one.rival], rel=0.02)


@pytest.mark.simulation
def test_the_interval_of_the_ratio_holds_the_planted_one() -> None:
    held: list[bool] = []
    for seed in range(200):
        first = cost(made(dataclasses.replace(WORLD, configurations=12), seed)).rivals[0].epoch_ratio
        assert first.low is not None
        assert first.high is not None
        held.append(first.low <= 1.2 <= first.high)
    at_least(0.95, held, "interval of the ratio holds it")


def test_seconds_and_target_of_an_activation_are_medians_and_counts(record: Record) -> None:
    found = cost(record)
    runs, curves = runs_frame(record), curves_frame(record)
    wide = curves.loc[curves["series"] == "validation_accuracy"].pivot_table(
        index="digest", columns="epoch", values="value"
    )
    own = runs.set_index("digest")
    final = wide[EPOCHS].groupby(own["activation"]).median()
    assert found.target == pytest.approx(final.min())
    for one in found.activations:
        mine = own.loc[own["activation"] == one.activation]
        epoch = mine["seconds"] / EPOCHS
        assert one.epoch_seconds == pytest.approx(epoch.median(), rel=1e-5)
        assert one.training_seconds == pytest.approx(mine["seconds"].median(), rel=1e-5)
        reaches = wide.loc[mine.index] >= found.target
        assert (one.reached, one.ended) == (int(reaches.any(axis=1).sum()), len(mine))
        first = (reaches.idxmax(axis=1) * epoch)[reaches.any(axis=1)]
        assert one.target_seconds == pytest.approx(first.median(), rel=1e-5)
        assert one.peak_memory_mib is None
    assert max(one.reached for one in found.activations) > len(own) // 6


def test_better_per_epoch_and_worse_per_second_is_said() -> None:
    """A gain of a point, bought with six times the seconds, on curves that have not settled."""
    truth = dataclasses.replace(WORLD, effect=lambda drawn: np.full(len(drawn), 1.0), replicates=1)
    record = made(truth)
    slow = tuple(
        dataclasses.replace(
            entry,
            result=dataclasses.replace(
                entry.result, seconds=entry.result.seconds * (6 if entry.training.activation == "mish" else 1)
            ),
        )
        for entry in record.entries
    )
    found = cost(dataclasses.replace(record, entries=slow))
    assert [one.equal_epochs.value for one in found.rivals] == pytest.approx([1.0, 1.0], abs=0.35)
    for sentence, one in zip(sentences(found), found.rivals, strict=True):
        assert f"against {one.rival}: better per epoch, worse per second" in sentence
    equal = cost(record).rivals[1]  # swish takes longer than mish: the gain only grows
    assert equal.equal_time.value is not None
    assert equal.equal_epochs.value is not None
    assert equal.equal_time.value > equal.equal_epochs.value


def test_at_equal_time_the_slower_side_stands_between_two_epochs() -> None:
    record = made(dataclasses.replace(WORLD, configurations=8, rivals=("relu",), replicates=1))
    runs = runs_frame(record)
    results = {entry.result.digest: entry.result for entry in record.entries}
    differences: list[float] = []
    for _, block in runs.groupby("block"):
        sides = {row.activation: results[str(row.digest)] for row in block.itertuples()}
        budget = min(side.seconds for side in sides.values())
        values = {
            name: np.interp(
                budget / (side.seconds / EPOCHS),
                range(EPOCHS + 1),
                [10.0, *side.curve["validation_accuracy"]],
            )
            for name, side in sides.items()
        }
        differences.append(float(np.clip(values["mish"] - values["relu"], -5, 5)))
    found = cost(record).rivals[0].equal_time
    assert found.value == pytest.approx(np.mean(differences), rel=1e-4)
    assert found.units == 8


def test_failures_lose_the_cap_in_the_differences_and_reach_no_target() -> None:
    record = made(dataclasses.replace(WORLD, failure_rate=0.3, replicates=1))
    table = criteria_table(runs_frame(record), record.question)
    found = cost(record)
    for one, row in zip(found.rivals, table.headline, strict=True):
        assert one.equal_epochs.pairs == row.pairs
        assert one.epoch_ratio.pairs < row.pairs
    assert any(one.timed < one.ended for one in found.activations)
    assert all(one.reached <= one.timed for one in found.activations)


@pytest.mark.parametrize(("configurations", "known"), [(5, False), (6, True)])
def test_with_fewer_units_than_a_verdict_needs_there_is_no_interval(configurations: int, known: bool) -> None:
    (one, *_) = cost(made(dataclasses.replace(WORLD, configurations=configurations))).rivals
    for found in (one.epoch_ratio, one.target_ratio, one.equal_epochs, one.equal_time):
        assert found.value is not None
        assert (found.low is not None) is (known and found.units >= 6)


def test_the_command_to_time_by_is_plain_text(record: Record) -> None:
    assert "\\`" not in to_markdown(cost(repeated(record)))


def repeated(record: Record) -> Record:
    """Return `record` as the population engine's, a few blocks of it repeated by the reference."""
    blocks = list(dict.fromkeys(entry.training.block for entry in record.entries))[:20]
    checks = {
        entry.result.digest: dataclasses.replace(entry.result, seconds=10 * entry.result.seconds, curve={})
        for entry in record.entries
        if entry.training.block in blocks
    }
    return dataclasses.replace(
        record,
        fingerprints=({**FINGERPRINT, "engine": "population"},),
        references=(FINGERPRINT,),
        checks=checks,
    )


def test_members_of_a_pack_have_no_time_but_what_the_reference_repeated_has(record: Record) -> None:
    found = cost(repeated(record))
    assert found.source == "repeated"
    assert [one.timed for one in found.activations] == [20, 20, 20]
    alone = cost(record)
    for few, every in zip(found.rivals, alone.rivals, strict=True):
        assert few.epoch_ratio.value == pytest.approx(every.epoch_ratio.value, rel=0.05)
    one, other = found.activations[0].epoch_seconds, alone.activations[0].epoch_seconds
    assert one is not None
    assert other is not None
    assert one > 4 * other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: dataclasses.replace(repeated(record), checks={}), "--engine fit"),
        (
            lambda record: dataclasses.replace(
                record, fingerprints=(FINGERPRINT, {**FINGERPRINT, "processor": "Another"})
            ),
            "several environments",
        ),
        (
            lambda record: dataclasses.replace(record, entries=()),
            "No timed training with a learning curve has ended yet.",
        ),
    ],
    ids=["packed", "mixed", "nothing yet"],
)
def test_where_nothing_can_be_said_a_sentence_says_why(
    record: Record, change: Callable[[Record], Record], words: str
) -> None:
    found = cost(change(record))
    assert (found.activations, found.rivals, found.target) == ((), (), None)
    assert words in " ".join(notes(found))
    assert "|" not in to_markdown(found)


def test_memory_is_shown_on_a_gpu_alone(record: Record) -> None:
    there = dataclasses.replace(record, fingerprints=({**FINGERPRINT, "device": "NVIDIA L4"},))
    assert [row["Peak memory"] for row in activation_rows(cost(there))] == ["700 MiB"] * 3
    assert "Peak memory" not in activation_rows(cost(record))[0]


def test_tuned_has_seconds_but_no_pairs() -> None:
    world = Searches(surfaces={"mish": Surface(), "relu": Surface()}, repeats=2, trials=5)
    runs = simulate_searches(world, np.random.default_rng(0))
    found = cost(simulated_record(runs, world.question))
    assert [one.timed for one in found.activations] == [16, 16]
    assert (rival_rows(found), sentences(found)) == ([], [])
    assert "Without pairs" in " ".join(notes(found))


def test_every_format_holds_the_numbers(record: Record) -> None:
    found = cost(record)
    markdown = to_markdown(found)
    for row in (*activation_rows(found), *rival_rows(found)):
        assert all(cell in markdown for cell in row.values())
    values = json.loads(to_json(found))
    assert values["schema"] == "mishstudy-cost/1"
    assert values["rivals"][0]["epoch_ratio"]["value"] == found.rivals[0].epoch_ratio.value
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [row["activation"] for row in rows] == ["mish", "relu", "swish"]
    assert float(rows[1]["epoch_ratio_value"]) == found.rivals[0].epoch_ratio.value
    assert rows[0]["epoch_ratio_value"] == ""


def test_json_follows_the_published_schema(record: Record) -> None:
    validator = validator_of("cost", Cost, RivalCost, ActivationCost, Estimate)
    written = json.loads(to_json(cost(record)))
    validator.validate(written)
    written["rivals"][0]["epoch_ratio"]["pairs"] = -1
    assert not validator.is_valid(written)


def test_seconds_never_move_the_table(record: Record) -> None:
    slower = timed(record, np.random.default_rng(9), spread=1.0)
    assert cost(slower) != cost(record)
    made_of = [table_json(criteria_table(runs_frame(one), one.question)) for one in (record, slower)]
    assert made_of[0] == made_of[1]


def test_a_training_that_only_the_sweep_ended_is_not_timed(record: Record) -> None:
    found = repeated(record)
    first = next(iter(found.checks))
    diverged = dataclasses.replace(found.checks[first], status=Status.DIVERGED, metrics={})
    changed = cost(dataclasses.replace(found, checks={**found.checks, first: diverged}))
    assert sum(one.timed for one in changed.activations) == 59
