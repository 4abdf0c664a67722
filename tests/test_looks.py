"""When a sweep ends: looks at the first configurations, whatever ends first; then with the real loop."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_entries import entries_of, question_of, result_of, spec_with
from simulated_record import FINGERPRINT
from sweep_runs import Sweep, run, start, timeless, wait_until, write_spec

from analysis.sequence import decided
from study import ledger
from study.errors import InputError
from study.ledger import Entry, Record
from study.training import TrainingResult
from sweeps import design
from sweeps.design import PlannedTraining
from sweeps.looks import Looks, pilot, until_decided, whole_design
from sweeps.spec import SweepSpec

SPEC = spec_with({"configurations": 40})
PLANNED = design.trainings(SPEC)
ABOUT = Record(question=question_of(SPEC), fingerprints=(FINGERPRINT,), entries=())


def by_digest(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.training.digest: entry for entry in entries}


def trained_through(
    looks: Looks, spec: SweepSpec, result: Callable[[PlannedTraining], TrainingResult]
) -> int:
    """Return where a sweep ends whose trainings come back in any order, some of them unasked."""
    everything, recorded = by_digest(entries_of(spec, result)), dict[str, Entry]()
    planned, order = design.trainings(spec), random.Random(3)
    about = Record(question=question_of(spec), fingerprints=(FINGERPRINT,), entries=())
    end, missing = looks.due(about, planned, recorded)
    while missing:
        assert all(item.configuration.index < end for item in missing)
        surplus = order.sample(sorted(everything), 3)
        for digest in order.sample([item.training.digest for item in missing], len(missing)) + surplus:
            recorded[digest] = everything[digest]
        end, missing = looks.due(about, planned, recorded)
    return end


def test_without_a_rule_the_whole_design_is_due() -> None:
    looks = whole_design(ABOUT.question)
    assert looks.due(ABOUT, PLANNED, {}) == (40, PLANNED)
    recorded = by_digest(entries_of(SPEC))
    missing = recorded.pop(PLANNED[7].training.digest)
    assert looks.due(ABOUT, PLANNED, recorded) == (40, [PLANNED[7]])
    recorded[PLANNED[7].training.digest] = missing
    assert looks.due(ABOUT, PLANNED, recorded) == (40, [])


def test_a_pilot_is_the_first_configurations_with_all_their_seeds() -> None:
    looks = pilot(ABOUT.question, 8)
    end, wanted = looks.due(ABOUT, PLANNED, {})
    assert (end, looks.pilot) == (8, True)
    assert wanted == PLANNED[: len(wanted)]
    assert {item.configuration.index for item in wanted} == set(range(8))
    assert PLANNED[len(wanted)].configuration.index == 8
    assert looks.due(ABOUT, PLANNED, by_digest(entries_of(SPEC)[: len(wanted)])) == (8, [])


@pytest.mark.parametrize(
    ("planned", "asked", "words"),
    [
        (40, 5, "from 6 to the 40 configurations of the spec, and 5 was given; 15 are a good start."),
        (10, 0, "from 6 to the 10 configurations of the spec, and 0 was given; 10 are a good start."),
        (10, 11, "from 6 to the 10 configurations of the spec, and 11 was given; 10 are a good start."),
        (
            4,
            4,
            "at least 6 configurations, and the spec has 4; leave the option out, or raise configurations.",
        ),
    ],
)
def test_a_pilot_has_its_bounds(planned: int, asked: int, words: str) -> None:
    question = replace(ABOUT.question, planned_configurations=planned)
    with pytest.raises(InputError) as refused:
        pilot(question, asked)
    assert str(refused.value) == f"--pilot takes {words}"


def test_looks_are_taken_at_20_and_whenever_there_are_a_quarter_more() -> None:
    asked: list[int] = []

    def never(record: Record) -> bool:
        indices = {entry.configuration.index for entry in record.entries}
        assert indices == set(range(len(indices)))
        assert [entry.training for entry in record.entries] == [
            item.training for item in PLANNED if item.configuration.index in indices
        ]
        asked.append(len(indices))
        return False

    looks = until_decided(ABOUT.question, never)
    assert looks.at == (20, 25, 32, 40)
    assert looks.due(ABOUT, PLANNED, by_digest(entries_of(SPEC))) == (40, [])
    assert asked == [20, 25, 32]


@pytest.mark.parametrize(("gain", "end"), [(9.0, 20), (0.0, 50), (0.9, 63)])
def test_where_a_sweep_ends_depends_on_the_first_configurations_alone(gain: float, end: int) -> None:
    """The cap is 10 points and delta is 1: a large gain, no difference at all, and one near delta."""

    def result(item: PlannedTraining) -> TrainingResult:
        wobble = (item.configuration.index % 3 - 1) * 0.1
        return result_of(item, 80.0 + (gain + wobble) * (item.training.activation == "mish"))

    for size in (64, 70):
        spec = spec_with({"configurations": size})
        found = trained_through(until_decided(question_of(spec), decided), spec, result)
        assert found == end


STOPS = """
name = "small"
question = "Does it stop?"
focus = "mish"
activations = ["sigmoid"]
dataset = "digits"
train_size = 256
architecture = "mlp"
configurations = {configurations}
replicated_share = 0.1
epochs = 4
delta = 1.0
loss_cap = 2.0
seed = 5
[factors.depth]
role = "condition"
levels = [3, 4]
[factors.learning_rate]
role = "nuisance"
low = 0.8
high = 1.2
relative = true
[fixed]
width = 16
"""


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_sweep_stops_early_says_so_is_killed_grows_and_goes_on(tmp_path: Path) -> None:
    def made(name: str) -> Sweep:
        (tmp_path / name).mkdir()
        return Sweep(write_spec(tmp_path / name, 40, STOPS), tmp_path / name / "home", "population")

    first, second = made("first"), made("second")
    done = run(*first.arguments, "--until", "decided")
    record = ledger.read(first.ledger)
    end, planned = record.stopped_at, record.question.planned_trainings
    assert end is not None
    assert end < 40
    assert len(record.entries) < planned
    said = f"the first {end} of 40 configurations decide"
    assert f"Stopped early: {said}" in " ".join(done.stderr.split())
    assert "Stopped early: the first" in done.stdout
    assert "Stopped early (--until decided)" in (first.folder / "report.html").read_text()
    table = json.loads(first.tables()[0])
    assert (table["stopped_at"], table["provisional"]) == (end, False)
    assert [row["verdict"] for row in table["running"]] == ["wins"] == [table["headline"][0]["verdict"]]
    assert "stopped early: decided" in " ".join(
        run("status", "--home", first.home, COLUMNS="200").stdout.split()
    )

    before = first.ledger.read_bytes()
    assert run(*first.arguments, "--until", "decided").stdout == done.stdout
    assert first.ledger.read_bytes() == before

    with start(*second.arguments, "--until", "decided") as driver:
        wait_until(driver, lambda: second.recorded > len(record.entries) // 2)
        driver.kill()
        driver.communicate()
    assert run(*second.arguments, "--until", "decided").stdout == done.stdout
    assert second.tables() == first.tables()
    kinds = ("training", "stop", "check")
    killed, undisturbed = (
        [line for line in timeless(sweep.ledger) if line["kind"] in kinds] for sweep in (second, first)
    )
    assert killed == undisturbed

    whole = made("whole")
    run(*whole.arguments)
    run(*first.arguments)
    assert first.recorded == planned
    assert ledger.read(first.ledger).stopped_at is None
    assert json.loads(first.tables()[0]) == json.loads(whole.tables()[0])


@pytest.mark.slow
@pytest.mark.long
def test_a_pilot_is_no_waste_and_changes_no_result(tmp_path: Path) -> None:
    sweep = Sweep(write_spec(tmp_path, 16, STOPS), tmp_path / "home", "population")
    done = run(*sweep.arguments, "--pilot", "6")
    indices = {entry.configuration.index for entry in ledger.read(sweep.ledger).entries}
    assert indices >= set(range(6))
    assert done.stdout == ""
    (next_command,) = [line for line in done.stderr.splitlines() if line.startswith("Pilot:")]
    assert " plan " in next_command
    assert "--pilot 6" in next_command
    planned = run("plan", sweep.spec, "--home", sweep.home, "--pilot", 6, "--json").stdout
    assert "Measured on 6 configurations" in json.loads(planned)["deviation_basis"]
    run(*sweep.arguments)
    whole = Sweep(write_spec(tmp_path, 16, STOPS), tmp_path / "whole", "population")
    run(*whole.arguments)
    assert sweep.tables() == whole.tables()
