"""What MLflow shows: names, parameters, metrics, curves, tags and descriptions, as plain values."""

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_entries import entries_of, grouped, question_of, result_of, spec_with
from markdown_it import MarkdownIt
from mlflow.utils import validation
from small_specs import GONE, TUNED

from study import dashboard
from study.dashboard import (
    ChildRun,
    child_run,
    description,
    experiment_tags,
    parent_metrics,
    parent_tags,
    run_key,
)
from study.ledger import Entry
from study.question import Factor
from study.training import Configuration, Status
from study.tuning import Place
from sweeps.design import PlannedTraining

SPEC = spec_with()
QUESTION = question_of(SPEC)
ENTRIES = entries_of(SPEC)
GROUPS = grouped(ENTRIES)
TWICE = next(index for (index, _), group in GROUPS.items() if len(group) == 2)
ONCE = next(index for (index, _), group in GROUPS.items() if len(group) == 1)


def run_of(entries: list[Entry], **changes: Any) -> ChildRun:
    question = dataclasses.replace(QUESTION, **changes)
    return child_run(question, entries, started=1000.0, ended=1010.0)


def with_results(entries: list[Entry], *results: dict[str, Any]) -> list[Entry]:
    """Return entries whose results are changed, one dict of changes for each."""
    pairs = zip(entries, results, strict=True)
    return [dataclasses.replace(e, result=dataclasses.replace(e.result, **changes)) for e, changes in pairs]


def failed(entry: Entry, status: Status = Status.DIVERGED) -> dict[str, Any]:
    made = result_of(entry, 40.0, status)  # pyright: ignore[reportArgumentType]
    return {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}


def test_a_name_leads_with_what_tells_runs_apart() -> None:
    names = {key: run_of(group).name for key, group in GROUPS.items()}
    assert len(set(names.values())) == len(names)
    for (index, activation), name in names.items():
        levels = GROUPS[index, activation][0].configuration.levels
        assert name == f"{activation} #{index} · depth {levels['depth']} · {levels['optimizer']}"


def test_without_conditions_a_run_is_named_by_every_factor() -> None:
    nuisances = tuple(dataclasses.replace(factor, role="nuisance") for factor in QUESTION.factors)
    entry = GROUPS[ONCE, "mish"][0]
    levels = entry.configuration.levels
    name = run_of([entry], factors=nuisances).name
    rate = f"lr ×{levels['learning_rate']:.3g}"
    assert name == f"mish #{ONCE} · depth {levels['depth']} · {levels['optimizer']} · {rate}"


@pytest.mark.parametrize(
    ("factor", "level", "spoken"),
    [
        ({"name": "batch_size", "levels": (16, 64)}, 64, "batch 64"),
        ({"name": "learning_rate", "low": 0.1, "high": 9.0, "relative": True}, 0.123456, "lr ×0.123"),
        ({"name": "learning_rate", "low": 1e-5, "high": 1.0}, 1e-5, "lr 1e-05"),
        ({"name": "batch_normalization", "levels": (False, True)}, True, "batch norm"),
        ({"name": "batch_normalization", "levels": (False, True)}, False, "no batch norm"),
        ({"name": "regularizer", "levels": ("none", "l2")}, "none", "no regularizer"),
        ({"name": "regularizer", "levels": ("none", "l2")}, "l2", "l2"),
        ({"name": "input_noise", "levels": (0.0, 0.5)}, 0.5, "input noise 0.5"),
    ],
)  # fmt: skip
def test_levels_are_spoken(factor: dict[str, Any], level: Any, spoken: str) -> None:
    entry = dataclasses.replace(
        GROUPS[ONCE, "mish"][0], configuration=Configuration(index=7, levels={factor["name"]: level})
    )
    run = run_of([entry], factors=(Factor(role="condition", **factor),))
    assert run.name == f"mish #7 · {spoken}"
    assert run.parameters[factor["name"]] == (str(level).lower() if isinstance(level, bool) else str(level))


def test_parameters_are_the_keys_of_the_spec() -> None:
    run = run_of(GROUPS[ONCE, "mish"])
    assert list(run.parameters) == [
        "activation", "configuration", "depth", "optimizer", "learning_rate", "learning_rate_absolute"
    ]  # fmt: skip
    entry = GROUPS[ONCE, "mish"][0]
    assert run.parameters["configuration"] == f"{ONCE:05d}"
    assert float(run.parameters["learning_rate"]) == entry.configuration.levels["learning_rate"]
    assert float(run.parameters["learning_rate_absolute"]) == entry.training.learning_rate


def test_metrics_are_means_over_the_replicates_that_ended_ok() -> None:
    first, second = (entry.result.metrics["test_accuracy"] for entry in GROUPS[TWICE, "mish"])
    metrics = run_of(GROUPS[TWICE, "mish"]).metrics
    assert metrics["test_accuracy"] == pytest.approx((first + second) / 2, rel=1e-5)
    assert metrics["test_accuracy_sd"] == pytest.approx(abs(first - second) / math.sqrt(2), rel=1e-5)
    assert (metrics["failed"], metrics["replicates"], metrics["seconds"]) == (0, 2, 0.5)
    levels = GROUPS[TWICE, "mish"][0].configuration.levels
    assert metrics["factor/depth"] == levels["depth"]
    assert metrics["factor/learning_rate"] == levels["learning_rate"]
    assert "factor/optimizer" not in metrics

    one_failed = with_results(GROUPS[TWICE, "mish"], {}, failed(GROUPS[TWICE, "mish"][1]))
    run = run_of(one_failed)
    assert run.metrics["failed"] == 0.5
    assert run.metrics["test_accuracy"] == pytest.approx(first, rel=1e-5)
    assert "test_accuracy_sd" not in run.metrics
    assert not run.failed
    assert run.tags["status"] == "ok, diverged"
    assert run.tags["reason"] == "it ended as diverged"

    both_failed = with_results(GROUPS[TWICE, "mish"], *map(failed, GROUPS[TWICE, "mish"]))
    run = run_of(both_failed)
    assert run.failed
    assert run.metrics["failed"] == 1
    assert not {name for name in run.metrics if "accuracy" in name or "loss" in name}
    assert run.tags["status"] == "diverged"
    assert run.tags["reason"] == "it ended as diverged"


def test_numbers_have_six_digits_and_are_finite() -> None:
    curve = {"train_loss": (1 / 3, math.inf, math.nan), "empty": (), "lost": (math.nan,)}
    metrics = {"test_accuracy": 200 / 3, "test_loss": math.nan, "train_loss": math.inf}
    run = run_of(with_results(GROUPS[ONCE, "mish"], {"metrics": metrics, "curve": curve}))
    assert run.metrics["test_accuracy"] == 66.6667
    assert not {"test_loss", "train_loss"} & set(run.metrics)
    assert run.curves == {"epoch/train_loss": ((1, 0.333333),), "epoch/empty": (), "epoch/lost": ()}


def test_a_curve_is_the_mean_over_the_replicates_that_have_the_epoch() -> None:
    longer = {"curve": {"validation_accuracy": (10.0, 20.0, 30.0)}}
    shorter = {"curve": {"validation_accuracy": (20.0, math.nan)}}
    run = run_of(with_results(GROUPS[TWICE, "mish"], longer, shorter))
    assert run.curves == {"epoch/validation_accuracy": ((1, 15.0), (2, 20.0), (3, 30.0))}


def test_a_failed_replicate_bends_no_curve_but_is_drawn_alone() -> None:
    group = GROUPS[TWICE, "mish"]
    good = {"curve": {"validation_accuracy": (10.0, 20.0)}}
    run = run_of(with_results(group, good, failed(group[1])))
    assert run.curves == {"epoch/validation_accuracy": ((1, 10.0), (2, 20.0))}
    alone = run_of(with_results(group, *map(failed, group)))
    assert alone.curves == {"epoch/validation_accuracy": ((1, 20.0),)}


def test_the_content_changes_with_what_was_trained_and_came_out_and_with_nothing_else() -> None:
    group = GROUPS[TWICE, "mish"]
    run = run_of(group)
    assert run.key == run_key(group[0]) == f"{group[0].configuration.digest}/mish"
    timed = with_results(group, {"seconds": 99.0}, {"examples_per_second": 1.0})
    for same in (group[::-1], timed):
        assert run_of(same).content == run.content
    assert child_run(QUESTION, group, started=5.0, ended=6.0).content == run.content
    other = {"metrics": {**group[0].result.metrics, "test_loss": 0.25}}
    for changed in (group[:1], with_results(group, other, {}), with_results(group, {}, failed(group[1]))):
        assert run_of(changed).content != run.content
        assert run_of(changed).key == run.key


def test_the_content_changes_with_the_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    before = run_of(GROUPS[ONCE, "mish"]).content
    monkeypatch.setattr(dashboard, "LAYOUT", dashboard.LAYOUT + 1)
    assert run_of(GROUPS[ONCE, "mish"]).content != before


def test_activations_have_colours_of_their_own() -> None:
    spec = spec_with({"activations": ["relu", "swish", "tanh", "beta_mish(1.50)"]})
    runs = [child_run(question_of(spec), [entry], started=0, ended=1) for entry in entries_of(spec)[:5]]
    colours = [run.tags["mlflow.runColor"] for run in runs]
    assert len({run.parameters["activation"] for run in runs}) == len(set(colours)) == 5
    assert colours[0] == "#0072B2"
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)


def long(entries: list[Entry]) -> list[Entry]:
    return with_results(entries, *({"reason": f"{letter}" * 9000} for letter in "ab"[: len(entries)]))


def test_nothing_is_longer_than_mlflow_takes_and_no_name_is_one_it_refuses() -> None:
    levels = {**GROUPS[TWICE, "mish"][0].configuration.levels, "optimizer": "o" * 7000}
    group = [
        dataclasses.replace(e, configuration=Configuration(index=3, levels=levels))
        for e in long(GROUPS[TWICE, "mish"])
    ]
    run = run_of(group)
    assert len(run.name) == dashboard.NAME_LIMIT
    assert run.name.endswith("…")
    assert len(run.parameters["optimizer"]) == dashboard.PARAMETER_LIMIT == validation.MAX_PARAM_VAL_LENGTH
    assert len(run.tags["reason"]) == dashboard.TAG_LIMIT == validation.MAX_TAG_VAL_LENGTH
    assert dashboard.EXPERIMENT_TAG_LIMIT <= validation.MAX_EXPERIMENT_TAG_VAL_LENGTH
    rivals = ("beta_mish(1.50)", "my.module:bent", "relu")
    numbers = parent_metrics({f"difference/{rival}": 1.0 for rival in rivals})
    assert list(numbers) == ["difference/beta_mish 1.50", "difference/my.module:bent", "difference/relu"]
    for name in (*run.parameters, *run.metrics, *run.curves, *numbers):
        validation._validate_metric_name(name)
    for name in (*run.tags, *parent_tags(QUESTION), *experiment_tags(QUESTION)):
        validation._validate_tag_name(name)


def test_numbers_about_a_sweep_are_finite_and_of_six_digits() -> None:
    assert parent_metrics({"a": math.nan, "b": -math.inf, "c": 1 / 3, "d": 12}) == {"c": 0.333333, "d": 12}


def test_the_sweep_has_tags_to_search_by() -> None:
    tags = parent_tags(QUESTION)
    assert tags["focus"] == "mish"
    assert tags["rivals"] == "relu"
    assert (tags["dataset"], tags["architecture"], tags["design"]) == ("digits", "mlp", "paired")
    assert tags["delta"] == "1 point"
    assert parent_tags(dataclasses.replace(QUESTION, delta=0.5))["delta"] == "0.5 points"


SUMMARY = """
| Parameter | When mish wins |
|-----------|----------------|
| depth     | at 8           |

- At depth 8, mish beats relu.
"""


def test_the_description_leads_with_the_question_and_the_answer() -> None:
    question = dataclasses.replace(QUESTION, question="When does\nMish  win?", dataset_note="repaired")
    text = description(question, SUMMARY)
    lines = text.splitlines()
    assert lines[0] == "When does Mish win?"
    assert lines[2:7] == [
        "| Parameter | When mish wins |", "|---|---|", "| depth | at 8 |", "",
        "- At depth 8, mish beats relu.",
    ]  # fmt: skip
    assert "| Data, architecture | digits (repaired), `mlp` |" in lines
    assert "| Rows of the table | `depth`, `optimizer` |" in lines
    assert "| Design | paired: 4 configurations, 10 trainings |" in lines
    assert 'metrics."factor/depth" > 8' in text
    assert description(question).splitlines()[2] == "| | |"


def test_the_description_is_markdown_without_stray_line_breaks() -> None:
    page = MarkdownIt("commonmark").enable("table").render(description(QUESTION, SUMMARY))
    assert page.count("<table>") == 2
    items = re.findall(r"<li>(.*?)</li>", page, re.DOTALL)
    assert len(items) == 1 + 5
    assert not [item for item in items if "\n" in item]


def test_the_description_of_a_tuned_sweep_promises_no_pairs() -> None:
    text = description(question_of(spec_with({**TUNED, "replicated_share": GONE})))
    size = "5 tpe trials for each activation, 2 trainings of each winner on fresh seeds, searches: 1"
    assert f"| Design | tuned: {size} |" in text
    assert "| Rows of the table | the activations |" in text
    assert "Each activation was searched for itself: the parameter `part` says which trial" in text
    assert "same number" not in text


def test_with_halving_a_run_says_how_long_it_trained() -> None:
    tuning = {"trials": 9, "halving": 3, "confirm": 2}
    spec = spec_with({**TUNED, "replicated_share": GONE, "tuning": tuning, "epochs": 9})
    question = question_of(spec)
    assert "searches: 1, in rungs of 9 x 1, 3 x 3, 1 x 9 (trials x epochs)" in description(question)
    assert question.tuning is not None
    shown: list[tuple[str, str]] = []
    for place in (Place(0, 1, 4), Place(0, 1, 4, 1), Place(0, 1, None)):
        levels = {"depth": 3, "optimizer": "adam", "learning_rate": 1.0}
        configuration = Configuration(index=question.tuning.index(place), levels=levels)
        training = spec.training_for(configuration, 0, "relu")
        item = PlannedTraining(training=training, configuration=configuration)
        entry = Entry(training=training, configuration=configuration, adaptive=True, result=result_of(item))
        run = child_run(question, [entry], started=0.0, ended=1.0)
        shown.append((run.parameters["part"], run.parameters["epochs"]))
    assert shown == [("trial 5", "1"), ("trial 5", "3"), ("confirmation", "9")]


@pytest.mark.parametrize("limit", [700, 5000, 8000])
def test_a_long_description_ends_with_a_whole_line(limit: int) -> None:
    rows = "\n".join(f"| factor_{number} | at {number} |" for number in range(400))
    text = description(QUESTION, f"| Parameter | When mish wins |\n|---|---|\n{rows}", limit=limit)
    assert len(text) <= limit
    table, _, end = text.rpartition("\n\n")
    assert re.fullmatch(r"\| factor_\d+ \| at \d+ \|", table.splitlines()[-1])
    assert end == "… (cut here; the whole table is among the artifacts of the sweep's run)\n"


def test_the_saved_view_lists_the_runs_of_a_configuration_side_by_side() -> None:
    view = json.loads(experiment_tags(QUESTION)["mlflow.sharedViewState.mishstudy"])
    state = json.loads(view["state"])
    assert view["name"] == "Side by side"
    assert state["searchFilter"] == "tags.`mishstudy.kind` = 'configuration'"
    assert state["orderByKey"] == "params.`configuration`"
    assert state["selectedColumns"] == [
        "params.`activation`", "metrics.`test_accuracy`", "metrics.`test_accuracy_sd`",
        "params.`depth`", "params.`optimizer`", "metrics.`failed`", "tags.`status`",
    ]  # fmt: skip


SCRIPT = """
import dataclasses
from made_entries import entries_of, grouped, question_of, spec_with
from study.dashboard import child_run, experiment_tags, parent_tags
spec = spec_with()
question = question_of(spec)
runs = [child_run(question, group, started=1.0, ended=2.0) for group in grouped(entries_of(spec)).values()]
print([dataclasses.asdict(run) for run in runs], parent_tags(question), experiment_tags(question))
"""


def test_everything_is_the_same_under_another_hash_seed() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True,
            cwd=Path(__file__).parent, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "31337")
    }  # fmt: skip
    assert len(told) == 1
    assert "mish #0" in told.pop()
