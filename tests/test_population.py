"""What a pack promises to each of its members, whoever the neighbours are and whatever happens."""

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_children import Child, design, process_with, timeless

from study.packing import Pack, packs
from study.schedules import POLICIES
from study.training import Status, Training, TrainingResult


def _train(work: Sequence[Pack]) -> list[list[TrainingResult]]:
    """Return the results of each pack; a program that serves several packs is compiled once."""
    from study.population import PopulationEngine

    results = PopulationEngine().train(work)
    return [[timeless(next(results)) for _ in pack.trainings] for pack in work]


THREE = ("mish", "relu", "swish")


@pytest.fixture
def blocks(training: Training) -> list[Training]:
    """Return eight blocks of one program with everything in it, of shapes that fill no vector register."""
    shared = replace(
        training, train_size=130, batch_size=13, epochs=2, dropout=0.2, input_noise=0.1, mixup=0.3,
        augmentation="shift", batch_normalization=True,
        architecture_arguments=(("depth", 3), ("width", 17)),
    )  # fmt: skip
    return [
        replace(
            shared,
            configuration=f"{i:016x}",
            learning_rate=0.001 * (i + 1),
            optimizer=("adam", "sgd")[i % 2],
            learning_rate_policy=tuple(POLICIES)[i % 4],
            gradient_clipping=(0.0, 0.2, 5.0)[i % 3],
            gain_matched_initialization=i % 4 > 1,
        )
        for i in range(8)
    ]


def packed(blocks: Sequence[Training]) -> Pack:
    """Return the one pack that holds every block with three activations, filled up to 24 members."""
    (pack,) = packs(design(blocks, THREE), 24)
    return pack


def test_a_result_is_the_same_whoever_the_neighbours_are(
    inside: ProcessPoolExecutor, blocks: list[Training]
) -> None:
    """In any order, padded or not, and beside members that diverge: bit for bit."""
    reference, *others = [
        blocks,
        *(random.Random(seed).sample(blocks, 8) for seed in range(3)),
        blocks[1::-1],
        blocks[4:6],
        [blocks[7], *(replace(each, configuration=f"new-{i}") for i, each in enumerate(blocks[:7]))],
        [*blocks[2:4], *(replace(each, learning_rate=1e6) for each in blocks[4:])],
    ]
    work = [packed(reference), *map(packed, others)]
    assert len({(pack.shape, pack.blocks) for pack in work}) == 1
    results = inside.submit(_train, work).result()
    expected = {result.digest: result for result in results[0]}
    assert len(expected) == 24
    for found, common in zip(results[1:], (24, 24, 24, 6, 6, 3, 6), strict=True):
        shared = [result for result in found if result.digest in expected]
        assert len(shared) == common
        for result in shared:
            assert result == expected[result.digest]
    diverged = [result for result in results[-1] if result.digest not in expected]
    assert {Status.DIVERGED} == {result.status for result in diverged if result.status is not Status.OK}
    assert sum(result.status is Status.DIVERGED for result in diverged) >= 6


@pytest.mark.faults
@pytest.mark.slow
def test_a_pack_goes_on_where_it_was_killed(population: Child, blocks: list[Training]) -> None:
    """The process is killed while it trains; what is recorded is given out once and all is as without."""
    work = packs(design([replace(each, epochs=40) for each in blocks], THREE), 6)
    undisturbed = population.results(work)
    executor, results = population.executor, list[TrainingResult]()
    for result in executor.train(work):
        results.append(timeless(result))
        if len(results) in (1, 8):
            os.kill(executor._process.pid, signal.SIGKILL)
    assert [result.digest for result in results] == list(undisturbed)
    assert {result.digest: result for result in results} == undisturbed
    done = list(undisturbed)[:8]
    left = [pack for pack in work if pack.without(done)]
    assert len(left) == len(work) - 1
    resumed = population.results(left)
    assert resumed == {digest: undisturbed[digest] for digest in resumed}
    assert set(resumed) | set(done) == set(undisturbed)


def _compilations(work: Sequence[Pack]) -> tuple[int, int, int]:
    """Return how often an epoch and a score are traced, and what is compiled after the first pack."""
    import jax

    from study.population import PopulationEngine
    from study.steps import Steps

    traced = {"epoch": 0, "score": 0}
    compiled: list[str] = []

    def counting(name: str) -> Any:
        original = getattr(Steps, name)

        def counted(*arguments: Any) -> Any:
            traced[name] += 1
            return original(*arguments)

        return original, counted

    originals = {name: counting(name) for name in traced}
    for name, (_, counted) in originals.items():
        setattr(Steps, name, counted)
    jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: compiled.append(event))
    try:
        results = PopulationEngine().train(work)
        for _ in work[0].trainings:
            next(results)
        before = compiled.count("/jax/core/compile/backend_compile_duration")
        assert before > 0
        assert len(list(results)) == sum(len(pack.trainings) for pack in work[1:])
    finally:
        for name, (original, _) in originals.items():
            setattr(Steps, name, original)
    after = compiled.count("/jax/core/compile/backend_compile_duration") - before
    return traced["epoch"], traced["score"], after


def test_a_program_is_compiled_once_for_all_packs_of_its_shape(
    inside: ProcessPoolExecutor, blocks: list[Training]
) -> None:
    varied = [
        replace(
            each, initializer=initializer, dropout=strength,
            regularizer="l2", regularizer_strength=strength,
        )
        for each in blocks
        for initializer in ("glorot_uniform", "orthogonal")
        for strength in (0.1, 0.2)
    ]  # fmt: skip
    work = packs(design(varied, THREE), 24)
    assert len(work) == 4
    work = [*work, *(replace(pack, best=True, epochs=3) for pack in work[:1])]
    traces = inside.submit(_compilations, work).result()
    # Keeping the best weights is a program of its own, for any pack.
    assert traces in {(1, 1, 0), (1, 1, 1)}


def _train_counting(work: Sequence[Pack]) -> tuple[list[list[TrainingResult]], int, int]:
    """Return the results of each pack, and how many programs were found compiled and how many were not."""
    import jax

    events: list[str] = []
    jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
    results = _train(work)
    hits, misses = (events.count(f"/jax/compilation_cache/cache_{each}") for each in ("hits", "misses"))
    return results, hits, misses


@pytest.mark.slow
def test_another_process_finds_the_programs_compiled_wherever_the_home_is_now(
    blocks: list[Training], tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with process_with("population", here) as first:
        cold, _, compiled = first.submit(_train_counting, [packed(blocks)]).result()
    shutil.copytree(here, there)
    with process_with("population", there) as second:
        warm, found, compiled_again = second.submit(_train_counting, [packed(blocks)]).result()
    assert compiled >= 2
    assert (found, compiled_again) == (compiled, 0)
    assert warm == cold


WITHOUT_TENSORFLOW = """
import pickle, sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from study import population
population.configure(1)
with open(sys.argv[1], "rb") as file:
    work = pickle.load(file)
results = list(population.PopulationEngine().train(work))
assert not any(name.partition(".")[0] == "tensorflow" for name in sys.modules)
with open(sys.argv[1], "wb") as file:
    pickle.dump(results, file)
"""


def test_trains_the_same_without_tensorflow_and_under_another_hash_seed(
    inside: ProcessPoolExecutor, blocks: list[Training], tmp_path: Path
) -> None:
    here: Future[list[list[TrainingResult]]] = inside.submit(_train, [packed(blocks)])
    file = tmp_path / "work.pickle"
    file.write_bytes(pickle.dumps([packed(blocks)]))
    subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, file], check=True,
        env={**os.environ, "PYTHONHASHSEED": "31337"},
    )  # fmt: skip
    there: list[TrainingResult] = pickle.loads(file.read_bytes())
    assert [timeless(result) for result in there] == here.result()[0]
