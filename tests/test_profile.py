"""A profiled learning rate: crossed with the activations of a block, reduced to the best on validation."""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from made_entries import entries_of, question_of, result_of, spec_with
from profiled_runs import RATES, Curves, simulate
from simulated_record import FINGERPRINT, simulated_record
from small_specs import GONE, PROFILED

from analysis.agreement import agreement_of
from analysis.criteria import CriteriaTable, criteria_table
from analysis.frame import check_runs, curves_frame, runs_frame
from analysis.profile import best_rows
from analysis.report.page import report_html
from analysis.sequence import complete_configurations, headlines_of
from analysis.tables import exports
from study import ledger
from study.dashboard import child_run, description, run_key
from study.errors import InputError
from study.ledger import Entry, Ledger, Record
from study.optimizers import OPTIMIZERS
from study.packing import packs
from study.profile import best_entries, best_tries
from study.question import Question
from study.training import Status
from sweeps import design
from sweeps.cross_check import chosen
from sweeps.design import PlannedTraining
from sweeps.home import Home
from sweeps.plan import make_plan
from sweeps.spec_changes import refuse_change, refuse_other_results
from sweeps.trials import block_value

LEVELS = [0.3, 1.0, 3.0]
SPEC = spec_with(PROFILED)
QUESTION = question_of(SPEC)
OK, DIVERGED, ERROR = Status.OK.value, Status.DIVERGED.value, Status.ERROR.value


def record_of(entries: Sequence[Entry], question: Question = QUESTION) -> Record:
    return Record(question=question, fingerprints=(FINGERPRINT,), entries=tuple(entries))


def made(item: PlannedTraining) -> Entry:
    result = result_of(item)
    # Validation and test are apart, so that choosing by the one and scoring by the other shows.
    metrics = {**result.metrics, "validation_accuracy": 170 - result.metrics["test_accuracy"]}
    return Entry(
        training=item.training,
        configuration=item.configuration,
        profiled=item.profiled,
        result=dataclasses.replace(result, metrics=metrics),
    )


ENTRIES = [made(item) for item in design.trainings(SPEC)]


def chosen_places(
    statuses: list[str], scores: list[float | None], question: Question = QUESTION
) -> list[int]:
    """Return which tries of one activation in one block, at the levels in turn, is taken."""
    return best_tries(question, ["side"] * len(scores), LEVELS[: len(scores)], statuses, scores)


@pytest.mark.parametrize(
    ("statuses", "scores", "place"),
    [
        ([OK, OK, OK], [80.0, 90.0, 85.0], 1),
        ([OK, OK, OK], [80.0, 90.0, 90.0], 1),  # equal: the earlier level
        ([DIVERGED, OK, DIVERGED], [None, 10.0, None], 1),  # a failure is worse than any score
        ([DIVERGED, "timeout", "oom"], [None] * 3, 0),
        ([OK, ERROR, OK], [80.0, None, 85.0], 1),  # a machine fault: its pair is left out
        ([DIVERGED, DIVERGED, ERROR], [None] * 3, 2),
    ],
)
def test_the_best_level_is_taken(statuses: list[str], scores: list[float | None], place: int) -> None:
    assert chosen_places(statuses, scores) == [place]


def test_a_loss_is_better_when_it_is_lower() -> None:
    question = dataclasses.replace(QUESTION, metric="test_loss", higher_is_better=False)
    assert chosen_places([OK, OK, OK], [0.5, 0.2, 0.4], question) == [1]


def test_with_a_level_missing_nothing_is_chosen() -> None:
    assert chosen_places([OK, OK], [80.0, 90.0]) == []


def test_ties_go_to_the_earlier_level_of_the_spec_in_any_order_of_rows() -> None:
    for order in ([2, 0, 1], [1, 2, 0]):
        levels = [LEVELS[place] for place in order]
        assert best_tries(QUESTION, [0, 0, 0], levels, [OK] * 3, [90.0] * 3) == [order.index(0)]


def test_every_activation_of_a_block_is_trained_at_every_level_on_the_same_streams() -> None:
    planned = design.trainings(SPEC)
    plain = spec_with({"factors.learning_rate": GONE})
    assert [each.levels for each in design.configurations(SPEC)] == [
        each.levels for each in design.configurations(plain)
    ]
    assert len(planned) == 3 * len(design.trainings(plain)) == QUESTION.planned_trainings
    assert len({item.training.digest for item in planned}) == len(planned)
    assert [factor.name for factor in QUESTION.factors] == ["depth", "optimizer"]
    blocks = {item.training.block: [] for item in planned}
    for item in planned:
        blocks[item.training.block].append(item)
    for items in blocks.values():
        base = OPTIMIZERS[items[0].training.optimizer].learning_rate
        assert [(item.training.learning_rate, item.training.activation) for item in items] == [
            *product([base * level for level in LEVELS], ["mish", "relu"])
        ]
        # All random numbers come from these three and the stream alone.
        assert (
            len({(i.training.sweep_seed, i.training.configuration, i.training.replicate) for i in items}) == 1
        )


def test_packs_hold_whole_blocks_and_a_program_has_more_members() -> None:
    trainings = [item.training for item in design.trainings(SPEC)]
    found = packs(trainings, 16)
    assert sorted(each.digest for pack in found for each in pack.trainings) == sorted(
        each.digest for each in trainings
    )
    for pack in found:
        assert pack.blocks == 6  # two blocks at three rates with two activations: 12 of 16 members
        assert set(Counter(each.block for each in pack.trainings).values()) == {6}
    assert len({pack.program for pack in found}) == len({each.architecture_arguments for each in trainings})
    assert packs(trainings, 4)[0].blocks == 3  # never less than a block


def test_the_check_between_the_engines_repeats_whole_blocks() -> None:
    picked = chosen([entry.training for entry in ENTRIES])
    assert set(Counter(each.block for each in picked).values()) == {6}


def test_frame_and_entries_choose_alike_whatever_their_order() -> None:
    runs = runs_frame(record_of(ENTRIES))
    assert list(runs["learning_rate"].head(6)) == [0.3, 0.3, 1.0, 1.0, 3.0, 3.0]
    best = best_rows(runs, QUESTION)
    assert len(best) == len(ENTRIES) / 3
    expected = runs.loc[runs.groupby(["block", "activation"])["validation_accuracy"].idxmax()]
    assert set(best["digest"]) == set(expected["digest"])
    assert {entry.result.digest for entry in best_entries(QUESTION, ENTRIES)} == set(best["digest"])
    backwards = record_of(ENTRIES[::-1])
    pd.testing.assert_frame_equal(runs_frame(backwards), runs)
    pd.testing.assert_frame_equal(curves_frame(backwards), curves_frame(record_of(ENTRIES)))


def test_without_a_profile_every_entry_and_row_counts() -> None:
    spec = spec_with()
    entries, question = entries_of(spec), question_of(spec)
    runs = runs_frame(record_of(entries, question))
    assert list(best_entries(question, entries)) == entries
    assert best_rows(runs, question) is runs


def test_optuna_is_told_the_difference_of_the_profiled_scores() -> None:
    for index in range(4):
        entries = [entry for entry in ENTRIES if entry.configuration.index == index]
        best = best_rows(runs_frame(record_of(ENTRIES)), QUESTION)
        mine = best.loc[best["index"] == index].pivot_table(
            index="block", columns="activation", values="test_accuracy"
        )
        told = block_value(QUESTION, entries)
        assert told.difference == pytest.approx((mine["mish"] - mine["relu"]).clip(-10, 10).mean())
        assert set(told.attributes["learning_rate mish"]) <= set(LEVELS)
        assert len(told.attributes["learning_rate mish"]) == len(mine)


def test_mlflow_has_a_run_for_each_rate_that_says_so() -> None:
    groups: dict[str, list[Entry]] = {}
    for entry in ENTRIES:
        groups.setdefault(run_key(entry), []).append(entry)
    assert len(groups) == 4 * 2 * 3
    for entries in groups.values():
        run = child_run(QUESTION, entries, started=0.0, ended=1.0)
        level = entries[0].profiled["learning_rate"]
        assert f" · lr ×{level:.3g} · " in run.name
        assert run.parameters["learning_rate"] == str(level)
        assert float(run.parameters["learning_rate_absolute"]) == entries[0].training.learning_rate
        assert run.metrics["factor/learning_rate"] == level
        assert run.metrics["replicates"] == len(entries) == design.replicates(SPEC, entries[0].configuration)
    assert "one learning_rate" in description(QUESTION)


def test_the_ledger_keeps_the_level(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger.create(path, FINGERPRINT, "2026-11-28", QUESTION)
    with Ledger(path) as file:
        file.append(*ENTRIES)
    read = ledger.read(path)
    assert read.question == QUESTION
    assert [entry.profiled for entry in read.entries] == [entry.profiled for entry in ENTRIES]


def test_a_plan_counts_every_training(tmp_path: Path) -> None:
    plan = make_plan(SPEC, Home(tmp_path), "fit", "because")
    assert (plan.levels, plan.trainings) == (3, len(ENTRIES))
    assert plan.trainings == plan.blocks * plan.activations * plan.levels == plan.cost.trainings


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": GONE},
        {
            **PROFILED,
            "factors.learning_rate": {**PROFILED["factors.learning_rate"], "levels": [0.3, 1.0, 2.0]},
        },
    ],
)
def test_another_profile_is_another_sweep(changes: dict[str, Any]) -> None:
    other = spec_with({**PROFILED, **changes})
    for older, newer in ((SPEC, other), (other, SPEC)):
        with pytest.raises(InputError, match=r"profile: |factors\.learning_rate\.levels: "):
            refuse_change(older, newer)
    with pytest.raises(InputError, match=r"profile: |factors\.learning_rate\.levels: "):
        refuse_other_results(record_of(ENTRIES), other, question_of(other))
    refuse_other_results(record_of(ENTRIES), SPEC, QUESTION)


def test_it_grows_like_any_paired_sweep() -> None:
    depths = {**PROFILED, "factors.depth": {"role": "condition", "levels": [3, 8, 12]}}
    small, larger = (spec_with({**depths, "configurations": size}) for size in (4, 6))
    planned = design.trainings(small)
    refuse_change(small, larger)
    record = record_of([made(item) for item in planned], question_of(small))
    refuse_other_results(record, larger, question_of(larger))
    assert design.trainings(larger)[: len(planned)] == planned


def test_a_frame_must_hold_what_is_chosen_by() -> None:
    runs = runs_frame(record_of(ENTRIES))
    with pytest.raises(InputError, match=r"lacks the column.* validation_accuracy"):
        check_runs(runs.drop(columns="validation_accuracy"), QUESTION)
    with pytest.raises(InputError, match="'validation_accuracy' must be filled"):
        check_runs(runs.assign(validation_accuracy=np.nan), QUESTION)
    with pytest.raises(InputError, match=r"'learning_rate' must be one of 0\.3, 1\.0, 3\.0"):
        check_runs(runs.assign(learning_rate=runs["learning_rate"].replace(0.3, 0.5)), QUESTION)
    with pytest.raises(InputError, match="more than once"):
        check_runs(pd.concat([runs, runs.head(1)]), QUESTION)


def test_a_configuration_is_complete_with_all_rates_of_all_activations() -> None:
    world = Curves(configurations=8, moves=0.2)
    record = simulated_record(simulate(world, np.random.default_rng(3)), world.question, epochs=2)
    for missing, whole in ((0, 8), (1, 7), (8, 7), (9, 6)):
        part = dataclasses.replace(record, entries=record.entries[: len(record.entries) - missing])
        best = best_rows(runs_frame(part), world.question)
        assert complete_configurations(best, world.question) == whole
        assert [row.configurations for row in headlines_of(part)] == [whole]


def test_both_engines_are_compared_at_what_each_would_choose() -> None:
    """A rate that only the reference's validation prefers moves its side of the pair."""
    checks = {entry.result.digest: entry.result for entry in ENTRIES}
    same = agreement_of(
        dataclasses.replace(record_of(ENTRIES, QUESTION), fingerprints=(FAST,), checks=checks)
    )
    assert same is not None
    assert same.pairs == len(ENTRIES) / 6
    assert (same.outcomes_differ, same.largest) == (0, 0.0)
    entry = max(
        (e for e in ENTRIES if e not in best_entries(QUESTION, ENTRIES) and e.training.activation == "mish"),
        key=lambda e: e.result.metrics["test_accuracy"],
    )
    metrics = {**entry.result.metrics, "validation_accuracy": 100.0}
    moved = {**checks, entry.result.digest: dataclasses.replace(entry.result, metrics=metrics)}
    other = agreement_of(dataclasses.replace(record_of(ENTRIES), fingerprints=(FAST,), checks=moved))
    assert other is not None
    assert other.outcomes_differ == 1


FAST = {**FINGERPRINT, "engine": "population"}


@pytest.fixture(scope="module")
def table() -> CriteriaTable:
    world = Curves(configurations=40, best=(0.0, 2.0), diverges=0.6)
    return criteria_table(simulate(world, np.random.default_rng(5)), world.question)


def test_every_form_of_the_table_says_what_was_chosen(table: CriteriaTable) -> None:
    schema = json.loads((Path(__file__).parent.parent / "analysis/criteria.schema.json").read_text("utf-8"))
    jsonschema.validate(table.to_json(), schema)
    assert CriteriaTable.from_json(json.loads(exports.to_json(table))) == table
    line = "Each activation at its best of 4 learning rates, chosen on validation."
    for text in (exports.to_markdown(table), exports.to_html(table), exports.to_latex(table)):
        assert line in text
        assert "Chosen learning rates" in text
        assert "at every learning rate of a block" in text
    (rows,) = [rows for caption, rows in exports.sections(table) if caption == "Chosen learning rates"]
    assert [row["Activation"] for row in rows] == ["mish", "relu"]
    counts = [[int(cell.split()[0]) for name, cell in row.items() if name != "Activation"] for row in rows]
    assert counts == [
        [one.chosen for one in table.profiled if one.activation == name] for name in ("mish", "relu")
    ]
    assert list(rows[0]) == ["Activation", *(f"× {rate:g}" for rate in RATES)]
    assert "failed)" in rows[1]["× 3"]


def test_an_activation_at_the_end_of_the_list_is_told(table: CriteriaTable) -> None:
    told = [note for note in table.notes if "at the end of the list" in note]
    assert len(told) == 1
    assert told[0].startswith("mish does best at the end of the list, × 0.1, in ")


def test_a_failure_is_one_at_every_rate(table: CriteriaTable) -> None:
    assert sum(one.failed for one in table.profiled) > 0
    assert table.failures == {"mish": {}, "relu": {}}
    assert [rate.failed for rate in table.failure_rates] == [0, 0]


def test_the_report_counts_all_trainings_and_shows_what_was_chosen() -> None:
    world = Curves(configurations=8)
    runs = simulate(world, np.random.default_rng(5))
    record = simulated_record(runs, world.question, epochs=2)
    frame = runs_frame(record)
    table = criteria_table(frame, world.question)
    page = report_html(table, frame, curves_frame(record), record, drawings={})
    assert "chosen on validation" in page
    assert "Chosen learning rates" in page
    assert '<td data-heading="Role">profiled</td>' in page
    assert f">{8 * 4 * 2} of {8 * 4 * 2}</td>" in page
