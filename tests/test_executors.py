"""The training process: replaced when it dies, refused work, and whom a death is blamed on."""

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from study.errors import InputError, RunError
from study.packing import groups, packs
from study.training import Status, Training, TrainingResult
from sweeps.executors import ChildExecutor, child_environment
from sweeps.training_process import Setup

MINE = """
import os, signal, time

def deadly(x):
    os.kill(os.getpid(), signal.SIGKILL)

def raising(x):
    raise ValueError("not this one")

def leaving(x):
    os._exit(7)

def sleeping(x):
    time.sleep(3600)
"""

Opener = Callable[..., ChildExecutor]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Return a function that makes an executor; what it makes is stopped afterwards."""
    (tmp_path / "mine.py").write_text(MINE)
    made: list[ChildExecutor] = []

    def make(
        engine: str = "fit", dataset: str = "digits", data: Path | None = None, **options: float
    ) -> ChildExecutor:
        setup = Setup(
            engine=engine, threads=1, dataset=dataset, train_size=256, data=data, import_from=tmp_path
        )
        executor = ChildExecutor(setup, log=tmp_path / "training.log", **options)
        made.append(executor)
        return executor

    yield make
    for executor in made:
        executor.stop()


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """Return what lists the training processes that a test has started."""

    def listed() -> list[psutil.Process]:
        return [each for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]

    earlier = listed()
    return lambda: [each for each in listed() if each not in earlier]


def outcomes(results: list[TrainingResult], asked: list[Training]) -> list[tuple[str, int, Status]]:
    """Return activation, replicate and status of each result; each training has exactly one."""
    by_digest = {each.digest: each for each in asked}
    assert sorted(by_digest) == sorted(result.digest for result in results)
    return [
        (by_digest[each.digest].activation, by_digest[each.digest].replicate, each.status) for each in results
    ]


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", [pytest.param("fit", marks=pytest.mark.long), "population"])
def test_a_training_that_hangs_is_a_timeout_and_the_rest_goes_on(
    opened: Opener, training: Training, engine: str
) -> None:
    names = ("relu", "mine:sleeping", "mish")
    asked = [
        dataclasses.replace(
            training, activation=name, architecture_arguments=(("depth", 3), ("width", 16 + i))
        )
        for i, name in enumerate(names)
    ]
    given = groups(asked) if engine == "fit" else [packs([each], 6)[0] for each in asked]
    executor = opened(engine, epoch_timeout=40.0)
    executor.start()
    results = list(executor.train(given))
    assert [status for *_, status in outcomes(results, asked)] == [Status.OK, Status.TIMEOUT, Status.OK]
    assert results[1].reason == "no epoch ended within 40 s; tried 2 times"


@pytest.mark.faults
@pytest.mark.slow
def test_a_training_that_kills_its_process_twice_is_an_error_and_the_rest_goes_on(
    opened: Opener, training: Training
) -> None:
    asked = [
        dataclasses.replace(training, activation=name, replicate=replicate)
        for name, replicates in (("mish", 2), ("mine:deadly", 1), ("mine:raising", 2), ("relu", 1))
        for replicate in range(replicates)
    ]
    executor = opened()
    executor.start()
    results = list(executor.train(groups(asked)))
    assert outcomes(results, asked) == [
        ("mish", 0, Status.OK),
        ("mish", 1, Status.OK),
        ("mine:deadly", 0, Status.ERROR),
        ("mine:raising", 0, Status.ERROR),
        ("mine:raising", 1, Status.ERROR),
        ("relu", 0, Status.OK),
    ]
    assert results[2].reason == "the training process died 2 times (SIGKILL)"
    assert {each.reason for each in results[3:5]} == {"ValueError: not this one"}


@pytest.mark.faults
@pytest.mark.slow
def test_a_pack_that_kills_its_process_is_lost_alone(opened: Opener, training: Training) -> None:
    """The engine compiles a pack while it trains the one before; the one before is not to blame."""
    slow = [
        dataclasses.replace(training, activation=name, replicate=i, epochs=500)
        for i in range(2)
        for name in ("mish", "relu")
    ]
    deadly = [
        dataclasses.replace(training, activation=name, batch_size=16) for name in ("mish", "mine:leaving")
    ]
    after = [dataclasses.replace(each, batch_size=64, epochs=2) for each in slow]
    executor = opened("population")
    executor.start()
    work = [*packs(slow, 4), *packs(deadly, 4), *packs(after, 4)]
    results = list(executor.train(work))
    asked = [*slow, *deadly, *after]
    statuses = [status for _, _, status in outcomes(results, asked)]
    assert statuses == [Status.OK] * 4 + [Status.ERROR] * 2 + [Status.OK] * 4
    assert {each.reason for each in results[4:6]} == {"the training process died 2 times (exit code 7)"}


@pytest.mark.faults
@pytest.mark.slow
def test_a_process_that_died_between_two_tasks_is_replaced(
    opened: Opener, children: Callable[[], list[psutil.Process]], training: Training
) -> None:
    executor = opened()
    executor.start()
    first = list(executor.train(groups([training])))
    (child,) = children()
    child.kill()
    child.wait()
    second = list(executor.train(groups([training])))
    (other,) = children()
    assert other.pid != child.pid
    timed = dict.fromkeys(("seconds", "build_seconds", "examples_per_second", "peak_memory_mib"), 0.0)
    assert dataclasses.replace(first[0], **timed) == dataclasses.replace(second[0], **timed)
    executor.stop()
    assert not children()


@pytest.mark.faults
@pytest.mark.slow
def test_a_process_that_is_killed_while_it_takes_the_place_of_another_is_replaced_too(
    opened: Opener, children: Callable[[], list[psutil.Process]], training: Training
) -> None:
    asked = [dataclasses.replace(training, replicate=i, epochs=50) for i in range(4)]
    executor = opened("population")
    executor.start()

    def kill_two() -> None:
        (first,) = children()
        first.kill()
        second = None
        while second is None:
            time.sleep(0.01)
            with suppress(psutil.Error):  # the first one is dead and still listed
                second = next((each for each in children() if each.pid != first.pid), None)
        second.kill()

    killer = threading.Thread(target=kill_two)
    killer.start()
    results = list(executor.train(packs(asked, 4)))
    killer.join()
    assert [status for *_, status in outcomes(results, asked)] == [Status.OK] * 4


def test_results_that_have_come_in_are_given_out_together(opened: Opener, training: Training) -> None:
    asked = [
        dataclasses.replace(training, activation=name, replicate=i)
        for i in range(6)
        for name in ("mish", "relu")
    ]
    executor = opened("population")
    executor.start()
    given: list[list[TrainingResult]] = []
    for together in executor.train_together(packs(asked, 12)):
        given.append(together)
        time.sleep(1.0)
    assert len(given) <= 2
    assert [each.digest for together in given for each in together] == [each.digest for each in asked]


def test_leaving_the_results_early_stops_the_process(
    opened: Opener, children: Callable[[], list[psutil.Process]], training: Training
) -> None:
    executor = opened()
    executor.start()
    results = executor.train(groups([dataclasses.replace(training, replicate=i) for i in range(50)]))
    next(iter(results))
    results.close()  # type: ignore[attr-defined]
    assert not children()


@pytest.mark.parametrize(
    ("activation", "words"),
    [
        ("mine:raising", "mine:raising raised ValueError when tried on a small batch: not this one"),
        ("mine:absent", "the module 'mine' has no function 'absent'"),
    ],
)
def test_a_function_that_cannot_be_used_is_refused_in_a_sentence(
    opened: Opener, training: Training, activation: str, words: str
) -> None:
    executor = opened("population")
    executor.start()
    with pytest.raises(InputError, match=words):
        executor.check([training, dataclasses.replace(training, activation=activation)])


@pytest.mark.faults
def test_a_process_that_dies_while_it_looks_is_one_sentence(opened: Opener, training: Training) -> None:
    executor = opened("population")
    executor.start()
    with pytest.raises(RunError, match=r"died while it checked the spec \(SIGKILL\)"):
        executor.check([dataclasses.replace(training, activation="mine:deadly")])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn"])
def test_a_damaged_data_file_is_refused_before_anything_is_trained(
    opened: Opener, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"mnist\.npz"):
        opened("population", dataset="mnist", data=tmp_path).start()


def test_a_process_that_cannot_start_says_where_its_last_words_are(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keras.py").write_text("raise SystemExit('this keras is broken')\n")
    with pytest.raises(RunError, match=r"died while it started \(exit code 1\); .*training\.log has"):
        opened().start()
    assert "this keras is broken" in (tmp_path / "training.log").read_text()


def test_the_environment_of_the_driver_is_left_alone(opened: Opener, training: Training) -> None:
    before = dict(os.environ)
    executor = opened("population")
    ready = executor.start()
    assert (ready.device, ready.jit) == ("cpu", True)
    assert ready.data["guess"].keys() >= {"accuracy", "loss"}
    assert dict(os.environ) == before


def test_what_the_environment_has_already_is_not_set_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setting one is not safe where another thread may look for one, as MLflow's does for the time zone."""
    before, changed = dict(os.environ), list[object]()
    with child_environment(1, tmp_path):
        assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path)
        with monkeypatch.context() as patch:
            for name in ("putenv", "unsetenv"):
                patch.setattr(os, name, lambda *given: changed.append(given))
            with child_environment(1, tmp_path):
                assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path)
    assert not changed
    assert dict(os.environ) == before
