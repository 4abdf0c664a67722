"""The plan: the size of a design, what it costs, what it can detect; and how it is printed."""

import io
import json
from collections import Counter
from pathlib import Path
from statistics import stdev

import pytest
from rich.console import Console
from scipy import stats
from small_specs import OFAT, PAIRED, TUNED, edited
from statsmodels.stats.power import TTestPower

from study import ledger
from study.ledger import Entry, Ledger
from study.packing import MEMBERS
from study.programs import program_of
from study.training import Status, TrainingResult
from sweeps import cross_check, design
from sweeps.costs import SPEEDS, Speed
from sweeps.design import PlannedTraining
from sweeps.engines import choose
from sweeps.home import Home
from sweeps.plan import ASSUMED_SPREAD, Plan, make_plan, planned_trainings, unit_differences
from sweeps.plan_page import render
from sweeps.spec import SweepSpec, parse


def planned(spec: SweepSpec, home: Path, engine: str = "fit") -> Plan:
    return make_plan(spec, Home(home), *choose(engine, spec))


def record(home: Path, spec: SweepSpec, entries: list[Entry]) -> None:
    """Write results into the ledger of a home, as a sweep of the engine `fit` does."""
    path = Home(home).ledger(spec.name)
    question = spec.question_for_analysis(spec.configurations, len(entries))
    ledger.create(path, {"engine": "fit"}, "2026-01-01T00:00:00+00:00", question)
    with Ledger(path) as book:
        for entry in entries:
            book.append(entry)


def trained(
    item: PlannedTraining, accuracy: float | None = 90.0, *, seconds: float = 1.0, build: float = 0.0
) -> Entry:
    result = TrainingResult(
        digest=item.training.digest,
        status=Status.DIVERGED if accuracy is None else Status.OK,
        metrics={} if accuracy is None else {"test_accuracy": accuracy},
        seconds=seconds,
        build_seconds=build,
    )
    return Entry(training=item.training, configuration=item.configuration, result=result)


def assumed(speed: Speed, items: list[PlannedTraining]) -> tuple[float, float]:
    """Return what building the programs of trainings, and training them, takes by a speed."""
    first = {program_of(item.training): item.training for item in items}
    return sum(map(speed.program, first.values())), sum(speed.training(item.training) for item in items)


def test_the_size_of_a_paired_design_is_counted(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    plan, items = planned(spec, tmp_path), design.trainings(spec)
    programs = Counter(program_of(item.training) for item in items)
    sizes = sorted(programs.values())
    assert (plan.name, plan.design, plan.unit) == ("small", "paired", "points")
    assert plan.engine == "fit (asked for)"
    assert (plan.configurations, plan.activations, plan.trainings) == (40, 3, len(items))
    assert plan.blocks == len({item.training.block for item in items}) == len(items) // 3
    assert 40 < plan.blocks < 60
    assert plan.recorded == 0
    assert plan.cost.programs == len(programs) == 2 * 2 * 3
    assert plan.cost.members_per_program == (sizes[0], sizes[len(sizes) // 2], sizes[-1])
    assert plan.cost.trainings == sum(sizes) == len(items)
    assert plan.cost.checks == 0
    assert not list(tmp_path.iterdir())


def test_population_needs_few_programs_and_its_check_is_a_part_of_the_time(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    items = design.trainings(spec)
    fit, plan = planned(spec, tmp_path), planned(spec, tmp_path, "population")
    assert plan.cost.programs == 2
    assert plan.cost.members_per_program[0] >= MEMBERS["cpu"]
    assert plan.trainings == plan.cost.trainings == len(items)
    assert plan.cost.checks == len(cross_check.chosen([item.training for item in items])) > 0
    assert 0 < plan.cost.check_seconds < plan.cost.seconds
    assert plan.cost.seconds - plan.cost.check_seconds < fit.cost.seconds / 3


def test_times_are_assumed_and_then_those_of_the_home(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    items, speed = design.trainings(spec), SPEEDS["fit"]
    build, train = assumed(speed, items)
    plan = planned(spec, tmp_path)
    assert plan.cost.seconds == pytest.approx(speed.start + build + train)
    assert plan.cost.basis == f"No timings in this home yet, so times are assumed: {speed.words}."

    other = parse(edited({"name": "other", "seed": 1}), "o.toml")
    done = [
        trained(item, seconds=3 * speed.training(item.training), build=2 * speed.program(item.training))
        for item in design.trainings(other)[:12]
    ]
    record(tmp_path, other, done)
    plan = planned(spec, tmp_path)
    assert plan.cost.seconds == pytest.approx(speed.start + 2 * build + 3 * train)
    assert plan.cost.basis == "Times are scaled by 12 trainings of the engine fit in this home."
    assert "assumed" in planned(spec, tmp_path, "population").cost.basis


def test_what_is_recorded_costs_nothing_again(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    items = design.trainings(spec)
    record(tmp_path, spec, [trained(item) for item in items[:31]])
    plan = planned(spec, tmp_path)
    assert (plan.recorded, plan.cost.trainings) == (31, len(items) - 31)
    # A pack is trained whole, and what is recorded of it stays recorded.
    plan = planned(spec, tmp_path, "population")
    assert (plan.recorded, plan.cost.trainings) == (31, len(items) - 31)
    whole = tmp_path / "whole"
    record(whole, spec, [trained(item) for item in items])
    plan = planned(spec, whole)
    assert (plan.recorded, plan.cost.trainings, plan.cost.programs, plan.cost.seconds) == (
        len(items),
        0,
        0,
        0,
    )
    assert "none left to compile" in page(plan)


def test_detectable_differences_have_a_power_of_80_percent(tmp_path: Path) -> None:
    spec = parse(edited({"factors.learning_rate.role": "condition"}), "s.toml")
    plan = planned(spec, tmp_path)
    drawn = design.configurations(spec)
    headline, *rows = plan.rows
    assert (headline.parameter, headline.configurations) == ("all configurations", 40)
    found = {(row.parameter, row.level): row.configurations for row in rows}
    for name in ("depth", "optimizer"):
        levels = Counter(str(configuration.levels[name]) for configuration in drawn)
        assert {level: count for (parameter, level), count in found.items() if parameter == name} == levels
    quarters = [(level, count) for (parameter, level), count in found.items() if parameter == "learning_rate"]
    assert [level for level, _ in quarters] == [f"quarter {i} of 0.3 to 3" for i in (1, 2, 3, 4)]
    assert sum(count for _, count in quarters) == 40
    assert max(count for _, count in quarters) - min(count for _, count in quarters) <= 2
    for row in plan.rows:
        assert row.detectable is not None
        effect, n = row.detectable / ASSUMED_SPREAD["points"], row.configurations
        assert TTestPower().power(effect, n, 0.05) == pytest.approx(0.8, abs=1e-3)
        critical, shift = stats.t.ppf(0.975, n - 1), effect * n**0.5
        found_by_chance = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
        assert found_by_chance == pytest.approx(0.8, abs=1e-3)


def test_one_unit_detects_nothing(tmp_path: Path) -> None:
    plan = planned(parse(edited({"configurations": 1}), "s.toml"), tmp_path)
    assert [row.detectable for row in plan.rows] == [None, None, None]
    assert " - " in page(plan).splitlines()[-2]


def test_the_spread_is_that_of_the_results_once_there_are_ten(tmp_path: Path) -> None:
    spec = parse(edited({"configurations": 12, "replicated_share": 0}), "s.toml")
    items = design.trainings(spec)
    gains = [(item.configuration.index % 5) * (item.training.activation == "mish") for item in items]
    record(tmp_path, spec, [trained(item, 90.0 + gain) for item, gain in zip(items, gains, strict=True)])
    plan = planned(spec, tmp_path)
    assert plan.spread == pytest.approx(stdev([float(index % 5) for index in range(12)]))
    assert plan.spread_basis.startswith("Detectable differences use the spread of 12 configurations of this")
    assert planned(parse(PAIRED, "s.toml"), tmp_path / "empty").spread == ASSUMED_SPREAD["points"]


def test_a_configuration_is_the_mean_of_its_seeds_and_failures_count_the_cap(tmp_path: Path) -> None:
    spec = parse(edited({"configurations": 2, "replicates": 2, "replicated_share": 0}), "s.toml")
    values = {
        (0, 0, "mish"): 95.0, (0, 0, "relu"): 92.0, (0, 1, "mish"): 94.0, (0, 1, "relu"): 93.0,
        (1, 0, "mish"): None, (1, 0, "relu"): 92.0, (1, 1, "mish"): 94.0, (1, 1, "relu"): None,
    }  # fmt: skip
    entries = [
        trained(item, values[key])
        for item in design.trainings(spec)
        if (key := (item.configuration.index, item.training.replicate, item.training.activation)) in values
    ]
    question = spec.question_for_analysis(2, 12)
    assert unit_differences(question, entries) == [2.0, 0.0]
    assert unit_differences(question, entries[:1]) == []


def test_ofat_rows_rest_on_what_moves(tmp_path: Path) -> None:
    plan = planned(parse(edited(OFAT), "s.toml"), tmp_path)
    assert (plan.configurations, plan.trainings, plan.blocks) == (3, 90, 30)
    assert {(row.parameter, row.level): row.configurations for row in plan.rows} == {
        ("all configurations", ""): 30,
        ("depth", "3"): 10,
        ("depth", "8"): 10,
        ("optimizer", "sgd"): 10,
        ("optimizer", "adam"): 10,
    }


def test_tuned_counts_trials_and_promises_no_rows(tmp_path: Path) -> None:
    spec = parse(edited(TUNED), "s.toml")
    plan = planned(spec, tmp_path, "auto")
    assert (plan.trainings, plan.activations, plan.rows) == (15, 3, ())
    assert plan.engine == "fit (a tuned sweep trains one after another)"
    assert 0 < plan.cost.programs <= 15
    some = planned_trainings(parse(edited({**TUNED, "seed": 5}), "s.toml"))[:4]
    record(tmp_path, spec, [trained(item) for item in some])
    assert planned(spec, tmp_path, "auto").recorded == 4
    assert "detects" not in page(plan)


def page(plan: Plan, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(render(plan))
    return file.getvalue()


def test_the_plan_is_json_and_a_page_that_fits(tmp_path: Path) -> None:
    long = edited(
        {"factors.depth.levels": [2, 3, 4, 5], "name": "a-sweep-with-a-rather-long-name-for-a-sweep"}
    )
    plan = planned(parse(long, "s.toml"), tmp_path, "population")
    values = json.loads(json.dumps(plan.to_json()))
    assert values["trainings"] == plan.trainings
    assert values["cost"]["seconds"] == plan.cost.seconds
    assert values["rows"][0]["detectable"] == plan.rows[0].detectable
    for width in (60, 80, 120):
        text = page(plan, width)
        assert max(map(len, text.splitlines())) <= width
        words = text.split()
        for word in ("configurations", "compiled", "trainings", "optimizer", "points", "assumed:"):
            assert word in words
        assert f"about {plan.cost.memory_mib:,.0f} MiB" in text
