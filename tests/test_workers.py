"""Several training processes side by side: the same results in the same order, whatever happens to one."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from engine_children import design, timeless
from sweep_runs import Sweep, run, write_spec
from sweep_runs import timeless as timeless_ledger

from study.packing import Group, Pack, groups, packs
from study.training import Training
from sweeps.executors import ChildExecutor
from sweeps.training_process import Setup
from sweeps.workers import Workers, count_for, units_of

TWO = ("mish", "relu")


@pytest.fixture
def programs(training: Training) -> list[Training]:
    """Return a design of three programs with two, six and one blocks of 2 activations."""
    sizes = {8: 2, 16: 6, 12: 1}
    blocks = [
        replace(training, train_size=128, architecture_arguments=(("depth", 3), ("width", w)), replicate=i)
        for w, number in sizes.items()
        for i in range(number)
    ]
    return design(blocks, TWO)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Workers]:
    setup = Setup(
        engine="population", threads=1, dataset="digits", train_size=128, data=None, import_from=tmp_path
    )
    child = partial(ChildExecutor, setup, log=tmp_path / "log", compiled=tmp_path / "compiled")
    workers = Workers(child, 2)
    workers.start()
    yield workers
    workers.stop()


def test_each_child_is_given_whole_programs_and_a_part_of_a_long_one(programs: list[Training]) -> None:
    work: list[Group | Pack] = [*packs(programs, 2)]
    assert len(work) == 9
    assert units_of(work, 1) == [work[:2], work[2:8], work[8:]]
    assert units_of(work, 2) == [work[:2], work[2:8], work[8:]]
    longer: list[Group | Pack] = [*packs(programs[:2] + programs[4:], 1)]
    assert [len(unit) for unit in units_of(longer, 2)] == [1, 6, 1]
    assert [len(unit) for unit in units_of(work * 3, 2)] == [2, 6, 1, 2, 6, 1, 2, 6, 1]
    long = work[2:8] * 2
    assert units_of(long, 2) == [long[::2], long[1::2]]


def test_trainings_one_after_another_are_shared_out_too(programs: list[Training]) -> None:
    work: list[Group | Pack] = [*groups(programs)]
    parts = [group for unit in units_of(work, 2) for group in unit]
    assert all(len(unit) == 1 for unit in units_of(work, 2))
    assert sorted(len(part.trainings) for part in parts) == [1, 1, 2, 2, 6, 6]
    many = replace(work[0], trainings=tuple(programs[:16]))
    first, second = (unit[0].trainings for unit in units_of([many], 2))
    assert (first, second) == (many.trainings[::2], many.trainings[1::2])


@pytest.mark.slow
def test_two_give_the_results_of_one_in_the_same_order(two: Workers, programs: list[Training]) -> None:
    work = packs(programs, 4)
    expected = [timeless(result) for result in two._children[0].train(work)]
    assert [timeless(result) for result in two.train(work)] == expected


@pytest.mark.faults
@pytest.mark.slow
def test_one_of_two_is_killed_and_nothing_is_lost(two: Workers, programs: list[Training]) -> None:
    work = packs([replace(each, epochs=60) for each in programs], 4)
    expected = [timeless(result) for result in two._children[0].train(work)]
    found = []
    for together in two.train_together(work):
        if not found:
            os.kill(two._children[1]._process.pid, signal.SIGKILL)
        found += together
    assert [timeless(result) for result in found] == expected


def test_leaving_early_stops_all(two: Workers, programs: list[Training]) -> None:
    results = two.train(packs(programs, 4))
    next(results)
    results.close()
    assert [child._process for child in two._children] == [None, None]


def test_a_gpu_is_one_processs_and_a_core_each_is_the_most() -> None:
    assert count_for("gpu", 1) == 1
    assert count_for("cpu", 10**6) == 1
    assert 1 <= count_for("cpu", 1) <= (os.cpu_count() or 1)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["population", pytest.param("fit", marks=pytest.mark.long)])
def test_a_sweep_with_two_writes_the_ledger_of_one(engine: str, tmp_path: Path) -> None:
    ledgers = []
    for count in (1, 2):
        sweep = Sweep(write_spec(tmp_path, 6), tmp_path / str(count), engine)
        run(*sweep.arguments, "--workers", count)
        ledgers.append(timeless_ledger(sweep.ledger))
    assert ledgers[0] == ledgers[1]
