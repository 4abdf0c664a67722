"""The check between the engines: which blocks, what is recorded, what the table says of it."""

import dataclasses
import re
from pathlib import Path

import pytest
from engine_children import design
from sweep_runs import Sweep, run, start, timeless, wait_until, write_spec
from test_ledger import QUESTION

from analysis.agreement import Agreement, agreement_of, sentence
from study import ledger
from study.ledger import Entry, Record
from study.training import Configuration, Status, Training, TrainingResult
from sweeps import cross_check

ACTIVATIONS = ("mish", "relu", "swish")


def blocks(training: Training, count: int) -> list[Training]:
    return [dataclasses.replace(training, configuration=f"{i:016x}") for i in range(count)]


def test_a_tenth_of_the_blocks_is_chosen_as_a_whole(training: Training) -> None:
    asked = design(blocks(training, 2000), ACTIVATIONS)
    chosen = cross_check.chosen(asked)
    assert [each for each in asked if each in set(chosen)] == chosen
    # Three standard deviations of a binomial count.
    assert len(chosen) % 3 == 0
    assert abs(len(chosen) / 3 - 200) < 3 * (2000 * 0.1 * 0.9) ** 0.5
    assert len({each.block for each in chosen}) == len(chosen) / 3


def test_the_choice_hangs_on_block_and_seed_alone(training: Training) -> None:
    asked = design(blocks(training, 200), ACTIVATIONS)
    chosen = cross_check.chosen(asked)
    assert cross_check.chosen(asked[::-1]) == chosen[::-1]
    assert set(cross_check.chosen(asked[:300])) <= set(chosen)
    faster = [dataclasses.replace(each, learning_rate=9.0) for each in asked]
    assert [each.block for each in cross_check.chosen(faster)] == [each.block for each in chosen]
    seeded = [dataclasses.replace(each, sweep_seed=8) for each in asked]
    assert [each.block for each in cross_check.chosen(seeded)] != [each.block for each in chosen]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_at_least_one_block_is_chosen(training: Training, count: int) -> None:
    chosen = cross_check.chosen(design(blocks(training, count), ACTIVATIONS))
    assert len(chosen) >= 3
    assert cross_check.chosen([]) == []


def test_what_is_checked_is_not_missing(training: Training) -> None:
    asked = design(blocks(training, 20), ACTIVATIONS)
    first, *others = cross_check.chosen(asked)
    assert cross_check.missing(asked, {first.digest}) == others


def record_of(
    training: Training, *engines: str, values: list[dict[str, tuple[float | None, float | None]]]
) -> Record:
    """Return a record: a block per item, activation to the two engines' accuracies; None diverged."""
    entries: list[Entry] = []
    checks: dict[str, TrainingResult] = {}
    for block, sides in zip(blocks(training, len(values)), values, strict=True):
        for activation, pair in sides.items():
            one = dataclasses.replace(block, activation=activation)
            ours, theirs = (
                TrainingResult(
                    digest=one.digest,
                    status=Status.DIVERGED if value is None else Status.OK,
                    metrics={} if value is None else {"test_accuracy": value},
                )
                for value in pair
            )
            checks[one.digest] = theirs
            configuration = Configuration(index=len(entries), levels={})
            entries.append(Entry(training=one, configuration=configuration, result=ours))
    fingerprints = tuple({"engine": engine} for engine in engines)
    return Record(question=QUESTION, fingerprints=fingerprints, entries=tuple(entries), checks=checks)


def test_agreement_is_counted_by_hand(training: Training) -> None:
    """Delta is one point: differences 2.0 and 0.5, 0 and 0, and a rival that diverged in one engine alone."""
    record = record_of(
        training,
        "population",
        values=[
            {"mish": (92.0, 91.5), "relu": (90.0, 91.0)},
            {"mish": (80.0, 80.0), "relu": (80.0, 80.25)},
            {"mish": (70.0, 70.0), "relu": (70.0, None)},
        ],
    )
    found = agreement_of(record)
    assert found == Agreement(
        blocks=3,
        trainings=6,
        statuses_differ=1,
        median=0.25,  # of 0, 0, 0.25, 0.5, 1
        largest=1.0,
        pairs=3,
        outcomes_differ=2,
        rivals_differ=("relu",),  # 2/3 of a point, and 10.25/3 of them
    )
    assert sentence(found, "test_accuracy", "points", 1.0) == (
        "6 trainings in 3 blocks, picked by their digest, were repeated with the reference engine; 1 of them "
        "ended in another way. The test_accuracy differs by 0.2 points in the median and by 1.0 at most. "
        "Of 3 pairs 2 fall on another side of plus or minus 1 point; the mean over these blocks does against "
        "relu."
    )


def test_engines_that_agree(training: Training) -> None:
    same = {"mish": (92.0, 92.0), "relu": (90.0, 90.0)}
    found = agreement_of(record_of(training, "fit", "population", values=[same, same]))
    assert found is not None
    assert (found.largest, found.outcomes_differ, found.rivals_differ) == (0.0, 0, ())
    assert sentence(found, "test_accuracy", "points", 1.0).endswith("; the mean of no rival does.")
    one = dataclasses.replace(found, blocks=1, pairs=1, outcomes_differ=1)
    assert "Of 1 pair 1 falls on another side" in sentence(one, "test_accuracy", "points", 1.0)


def test_the_reference_itself_needs_no_check(training: Training) -> None:
    assert agreement_of(record_of(training, "fit", values=[{"mish": (1.0, 1.0), "relu": (1.0, 1.0)}])) is None


def test_a_sweep_without_a_check_says_so(training: Training) -> None:
    record = record_of(training, "population", values=[{"mish": (1.0, 1.0), "relu": (1.0, 1.0)}])
    found = agreement_of(dataclasses.replace(record, checks={}))
    assert found is not None
    assert "how far the fast engine agrees with it on this sweep is not known" in sentence(
        found, "test_accuracy", "points", 1.0
    )


@pytest.mark.faults
@pytest.mark.slow
def test_a_sweep_is_checked_and_a_kill_repeats_nothing(tmp_path: Path) -> None:
    sweep = Sweep(write_spec(tmp_path, 12), tmp_path / "home", "population")
    home, path = sweep.home, sweep.ledger
    planned = run("plan", sweep.spec, "--home", home).stdout
    checks = int(re.search(r"to repeat (\d+) trainings with the", planned)[1])  # type: ignore[index]
    assert checks >= 2
    with start(*sweep.arguments) as driver:
        wait_until(driver, lambda: path.exists() and b'"kind":"check"' in path.read_bytes())
        driver.kill()
    assert path.read_bytes().count(b'"kind":"check"') < checks
    before, trained = path.read_bytes(), sweep.recorded
    assert "stopped" in run("status", "small", "--home", home).stdout
    done = run(*sweep.arguments)
    left = checks - before.count(b'"kind":"check"')
    assert f"repeating {left} trainings with the reference" in done.stderr
    assert path.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert sweep.recorded == trained
    assert "complete" in run("status", "small", "--home", home).stdout
    record = ledger.read(path)
    assert len(record.checks) == checks
    assert [fingerprint["engine"] for fingerprint in record.references] == ["fit"]
    assert record.references[0]["versions"]["tensorflow"]
    results = {entry.training.digest: entry.result for entry in record.entries}
    for digest, check in record.checks.items():
        assert check.status is results[digest].status is Status.OK
        for name, value in check.metrics.items():
            tolerance = {"abs": 0.3} if name.endswith("accuracy") else {"rel": 1e-3}
            assert results[digest].metrics[name] == pytest.approx(value, **tolerance)
    assert f"{checks} trainings in {checks // 2} blocks, picked by their digest" in done.stdout
    lines = timeless(path)
    run(*sweep.arguments)
    assert timeless(path) == lines


WITHOUT_TENSORFLOW = """
from importlib.machinery import PathFinder

found = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] == "tensorflow" else found(name, path, target)

PathFinder.find_spec = find_spec
"""


@pytest.mark.slow
def test_without_tensorflow_a_sweep_is_trained_and_says_that_it_was_not_checked(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TENSORFLOW)
    spec = write_spec(tmp_path, 2)
    arguments = ("sweep", spec, "--home", tmp_path / "home")
    done = run(*arguments, PYTHONPATH=str(tmp_path))
    assert "TensorFlow is not installed, so the two engines are not compared" in done.stderr
    assert "No training was repeated with the reference engine" in done.stdout
    record = ledger.read(tmp_path / "home/small/ledger.jsonl")
    assert {entry.result.status for entry in record.entries} == {Status.OK}
    assert record.fingerprints[0]["engine"] == "population"
    assert not record.checks
    assert "repeat" not in run("plan", spec, "--home", tmp_path / "home", PYTHONPATH=str(tmp_path)).stdout
    # With TensorFlow the check is made up for.
    done = run(*arguments)
    assert "repeating" in done.stderr
    assert ledger.read(tmp_path / "home/small/ledger.jsonl").checks
