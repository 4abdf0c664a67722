"""The plan: the size of a design and what it costs; and how it is printed."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from simulated_record import FINGERPRINT
from small_specs import GONE, PAIRED, TUNED, edited
from sweep_runs import run

from study import ledger
from study.ledger import Entry, Ledger
from study.packing import MEMBERS
from study.programs import program_of
from study.training import Status, Training, TrainingResult
from study.tuning import Tuning
from sweeps import cross_check, design
from sweeps.costs import AROUND_SECONDS
from sweeps.design import PlannedTraining
from sweeps.engines import choose
from sweeps.home import Home
from sweeps.operations import operations, scoring
from sweeps.plan import Plan, make_plan, planned_trainings
from sweeps.plan_page import render
from sweeps.spec import SweepSpec, parse
from sweeps.speeds import SPEEDS, Speed
from sweeps.sweeper import planned_question


def planned(spec: SweepSpec, home: Path, engine: str = "fit") -> Plan:
    return make_plan(spec, Home(home), *choose(engine, spec))


def record(home: Path, spec: SweepSpec, entries: list[Entry], engine: str = "fit") -> None:
    """Write results into the ledger of a home, as a sweep of an engine does."""
    path = Home(home).ledger(spec.name)
    question = spec.question_for_analysis(spec.configurations, len(entries))
    ledger.create(path, {**FINGERPRINT, "engine": engine}, "2026-01-01T00:00:00+00:00", question)
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


def whole(speed: Speed, training: Training) -> float:
    """Return what a training takes by a speed, its scoring included."""
    return speed.training(training) + speed.scoring(training)


def assumed(speed: Speed, items: list[PlannedTraining]) -> tuple[float, float]:
    """Return what building the programs of trainings, and training them, takes by a speed."""
    first = {program_of(item.training): item.training for item in items}
    return sum(map(speed.program, first.values())), sum(whole(speed, item.training) for item in items)


def test_the_time_on_a_gpu_is_the_arithmetic_of_what_is_left_at_a_stated_rate(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    items = design.trainings(spec)
    plan = make_plan(spec, Home(tmp_path), *choose("fit", spec), teraflops=2.0)
    assert plan.cost.gpu_seconds == pytest.approx(
        sum(operations(item.training) + scoring(item.training) for item in items) / 2e12
    )
    assert "2 TFLOP/s" in plan.cost.gpu_basis
    assert "never measured" in plan.cost.gpu_basis
    assert planned(spec, tmp_path).cost.gpu_seconds == pytest.approx(plan.cost.gpu_seconds * 2 / 5)
    record(tmp_path, spec, [trained(item) for item in items])
    assert planned(spec, tmp_path).cost.gpu_seconds == 0.0


def test_the_size_of_a_paired_design_is_counted(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    plan, items = planned(spec, tmp_path), design.trainings(spec)
    programs = Counter(program_of(item.training) for item in items)
    sizes = sorted(programs.values())
    assert (plan.name, plan.design) == ("small", "paired")
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
    assert plan.cost.training_seconds < fit.cost.training_seconds / 3


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.plan.count_for", lambda *_: 1)


def test_several_processes_take_what_is_next_as_soon_as_they_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.plan.count_for", lambda *_: 3)
    spec = parse(PAIRED, "s.toml")
    items, speed = design.trainings(spec), SPEEDS["fit"]
    programs = {program_of(item.training) for item in items}
    alike = [[item for item in items if program_of(item.training) == program] for program in programs]
    longest = max(sum(assumed(speed, some)) for some in alike)
    cost = planned(spec, tmp_path).cost
    soonest = AROUND_SECONDS + speed.start + sum(assumed(speed, items)) / 3
    assert soonest - 1e-6 <= cost.seconds < soonest + longest


@pytest.mark.usefixtures("one_process")
def test_times_are_assumed_and_then_those_of_the_home(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    items, speed = design.trainings(spec), SPEEDS["fit"]
    build, train = assumed(speed, items)
    plan = planned(spec, tmp_path)
    assert plan.cost.training_seconds == pytest.approx(build + train)
    assert plan.cost.seconds == pytest.approx(AROUND_SECONDS + speed.start + build + train)
    assert plan.cost.basis == f"No timings in this home yet, so times are assumed: {speed.words}."

    other = parse(edited({"name": "other", "seed": 1}), "o.toml")
    done = [
        trained(item, seconds=3 * speed.training(item.training), build=2 * speed.program(item.training))
        for item in design.trainings(other)[:12]
    ]
    record(tmp_path, other, done)
    plan = planned(spec, tmp_path)
    assert plan.cost.training_seconds == pytest.approx(2 * build + 3 * train)
    assert plan.cost.basis == "Times are scaled by 12 trainings of the engine fit in this home."
    assert planned(spec, tmp_path, "population").cost.basis == (
        "This home has 0 of the 10 timings of the engine population that are needed, so times are assumed: "
        f"{SPEEDS['population'].words}."
    )


@pytest.mark.usefixtures("one_process")
def test_what_was_repeated_by_the_reference_times_it_too(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    other = parse(edited({"name": "other", "seed": 1}), "o.toml")
    assumed_check = planned(spec, tmp_path, "population").cost.check_seconds
    items, fast, slow = design.trainings(other)[:12], SPEEDS["population"], SPEEDS["fit"]
    record(
        tmp_path, other, [trained(item, seconds=fast.training(item.training)) for item in items], "population"
    )
    with Ledger(Home(tmp_path).ledger("other")) as book:
        for item in items:
            seconds, build = 3 * slow.training(item.training), 3 * slow.program(item.training)
            book.check(trained(item, seconds=seconds, build=build).result)
    cost = planned(spec, tmp_path, "population").cost
    assert cost.check_seconds - slow.start == pytest.approx(3 * (assumed_check - slow.start))
    assert cost.basis == "Times are scaled by 12 trainings of the engine population in this home."


def test_a_damaged_ledger_of_another_sweep_is_told_and_gives_no_timings(tmp_path: Path) -> None:
    spec = parse(PAIRED, "s.toml")
    record(tmp_path, parse(edited({"name": "other"}), "o.toml"), [])
    path = Home(tmp_path).ledger("other")
    path.write_bytes(b"0" + path.read_bytes()[1:])
    assert planned(spec, tmp_path).cost.basis == (
        f"No timings in this home yet, so times are assumed: {SPEEDS['fit'].words}. "
        f"The timings in {path} cannot be read."
    )


def refusal(command: str, spec: Path, home: Path) -> str:
    return run(command, spec, "--home", home, code=2).stderr.partition("mishstudy: ")[2]


def test_plan_refuses_what_sweep_refuses(tmp_path: Path) -> None:
    """A changed spec, with the older one beside the results and without it, and a missing function."""
    older, newer = parse(PAIRED, "s.toml"), edited({"delta": 2.0})
    items, home = design.trainings(older), tmp_path / "home"
    path = Home(home).ledger("small")
    ledger.create(path, FINGERPRINT, "2026-01-01T00:00:00+00:00", planned_question(older, items))
    with Ledger(path) as book:
        book.append(trained(items[0]))
    spec = tmp_path / "spec.toml"
    spec.write_text(newer)
    for stored in (False, True):
        if stored:
            Home(home).spec("small").write_text(PAIRED)
        told = [refusal(command, spec, home) for command in ("plan", "sweep")]
        assert told[0] == told[1]
        assert "small already has results that were made from another spec" in told[0]
        assert "delta: 1.0 -> 2.0" in told[0]
    (tmp_path / "mine.py").write_text("def there(x):\n    return x\n")
    spec.write_text(edited({"name": "own", "focus": "mine:missing"}))
    told = [refusal(command, spec, home) for command in ("plan", "sweep")]
    assert told[0] == told[1]
    assert "the module 'mine' has no function 'missing'" in told[0]


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


def test_tuned_counts_trials_and_promises_no_rows(tmp_path: Path) -> None:
    spec = parse(edited(TUNED), "s.toml")
    plan = planned(spec, tmp_path, "auto")
    assert (plan.trainings, plan.activations) == (3 * (5 + 2), 3)
    assert plan.tuning == Tuning(trials=5, sampler="tpe", repeats=1, confirm=2)
    assert "5 trials of the sampler tpe for each activation" in page(plan)
    assert plan.engine == "fit (the sampler tpe chooses one setting after another)"
    assert 0 < plan.cost.programs <= 15
    assert plan.cost.workers == 1
    some = planned_trainings(parse(edited({**TUNED, "seed": 5}), "s.toml"))[:4]
    record(tmp_path, spec, [trained(item) for item in some])
    assert planned(spec, tmp_path, "auto").recorded == 4


@pytest.mark.usefixtures("one_process")
def test_halving_counts_the_trainings_and_the_epochs_of_every_rung(tmp_path: Path) -> None:
    tuning = {"trials": 27, "confirm": 2, "repeats": 2}
    changes = {**TUNED, "epochs": 27, "factors.depth": GONE, "factors.optimizer": GONE}
    halved, full = (
        parse(edited({**changes, "tuning": each}), "s.toml") for each in ({**tuning, "halving": 3}, tuning)
    )
    plan = planned(halved, tmp_path, "fit")
    assert plan.trainings == 2 * 3 * (27 + 9 + 3 + 1 + 2)
    items = [item.training for item in planned_trainings(halved)]
    assert [each.epochs for each in items] == [1] * 162 + [3] * 54 + [9] * 18 + [27] * 6 + [27] * 12
    # The plan knows that most of them are short; what is compiled is the same.
    other = planned(full, tmp_path, "fit")
    assert plan.cost.programs == other.cost.programs
    one, all_ = (whole(SPEEDS["fit"], replace(items[0], epochs=epochs)) for epochs in (1, 27))
    per_epoch = (all_ - one) / 26
    saved = other.cost.training_seconds - plan.cost.training_seconds
    more = (27 + 9 + 3 + 1) - 27
    assert saved == pytest.approx(2 * 3 * ((729 - 108) * per_epoch - more * (one - per_epoch)))
    text = " ".join(page(plan).split())
    assert "27 x 1, then 9 x 3, then 3 x 9, then 1 x 27 (trials x epochs): 108 epochs for each" in text
    assert "729 if every trial were trained in full" in text
    assert "rungs" not in page(other)


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
    for width in (60, 80, 120):
        text = page(plan, width)
        assert max(map(len, text.splitlines())) <= width
        words = text.split()
        for word in ("configurations", "compiled", "trainings", "assumed:"):
            assert word in words
        assert f"{plan.cost.workers}, about {plan.cost.memory_mib:,.0f} MiB of memory each" in text
