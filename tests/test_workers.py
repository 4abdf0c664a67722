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


def test_each_child_is_given_whole_programs(programs: list[Training]) -> None:
    work: list[Group | Pack] = [*packs(programs, 2)]
    assert len(work) == 9
    for count in (1, 2):
        assert units_of(work, count) == [work[:2], work[2:8], work[8:]]
    alone: list[Group | Pack] = [*groups(programs)]
    assert units_of(alone, 2) == [[group] for group in alone]


def test_a_run_that_takes_longer_than_compiling_it_again_is_shared(programs: list[Training]) -> None:
    long = [replace(each, epochs=20_000) for each in programs]
    work: list[Group | Pack] = [*packs(long, 2)]
    assert units_of(work, 1) == [work[:2], work[2:8], work[8:]]
    assert units_of(work, 2) == [work[:1], work[1:2], work[2:8:2], work[3:8:2], work[8:]]
    assert [len(unit) for unit in units_of(work[2:8], 4)] == [2, 2, 1, 1]
    alone: list[Group | Pack] = [*groups(long)]
    assert [len(unit[0].trainings) for unit in units_of(alone, 2)] == [2, 2, 3, 3, 3, 3, 1, 1]
    first, second = (unit[0].trainings for unit in units_of(alone[2:3], 2))
    assert (first, second) == (alone[2].trainings[::2], alone[2].trainings[1::2])


def test_a_run_that_is_a_small_part_of_the_work_is_not_shared(programs: list[Training]) -> None:
    long = [
        replace(each, epochs=20_000, batch_size=size)
        for size in (16, 24, 32, 40, 48, 56)
        for each in programs
    ]
    work: list[Group | Pack] = [*packs(long, 2)]
    assert all(len(unit) in (1, 2, 6) for unit in units_of(work, 2))
    assert len(units_of(work, 2)) == 18


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
