"""The fast engine against the reference, and what a pack promises to each of its members."""

import itertools
import os
import pickle
import random
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_children import Child, design, timeless

from study.activations import ACTIVATIONS, canonical
from study.initializers import INITIALIZERS
from study.optimizers import OPTIMIZERS
from study.packing import Pack, packs
from study.reports import Report, Split
from study.training import Status, Training, TrainingResult

PARITY = 1e-5
"""Largest relative difference of a loss between the engines, at each of 50 steps."""

Level = dict[str, Any]
Factors = dict[str, tuple[Level, ...]]

STATIC: Factors = {
    "batch_normalization": ({"batch_normalization": False}, {"batch_normalization": True}),
    "dropout": ({}, {"dropout": 0.3}),
    "noise": ({}, {"input_noise": 0.2}, {"input_noise": 0.2, "noise_at": "test"}),
    "augmentation": ({}, {"augmentation": "shift"}, {"augmentation": "shift_flip"}),
    "mixup": ({}, {"mixup": 0.4}),
}
"""Factors that make another program of the fast engine."""

FEW: Factors = {
    "activation": tuple({"activation": name} for name in ("mish", "relu", "gelu")),
    "initializer": tuple({"initializer": name} for name in ("glorot_uniform", "he_normal", "orthogonal")),
    "regularizer": tuple(
        {"regularizer": name, "regularizer_strength": 1e-3} for name in ("none", "l1", "l1_l2")
    ),
}
"""Factors in which the members of one program differ, with some of their levels."""

# NOTE: Adadelta at its base rate of 1 crosses the edge of stability near step 40 of this training, where
# rounding errors grow tenfold a step in either engine.
OPTIMIZER: Factors = {
    "optimizer": tuple(
        {"optimizer": name, "learning_rate": 0.3 if name == "adadelta" else entry.learning_rate}
        for name, entry in OPTIMIZERS.items()
    )
}


def merged(factors: Factors, levels: Sequence[int]) -> Level:
    """Return the settings of one level per factor."""
    chosen = [values[level] for values, level in zip(factors.values(), levels, strict=True)]
    return {name: value for level in chosen for name, value in level.items()}


def crossed(factors: Factors) -> list[tuple[int, ...]]:
    """Return every combination of levels."""
    return list(itertools.product(*(range(len(levels)) for levels in factors.values())))


def covering(candidates: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return few of the candidates that hold each pair of levels that any of them holds; greedy."""
    held = {levels: set(itertools.combinations(enumerate(levels), 2)) for levels in candidates}
    wanted = set[Any]().union(*held.values())
    chosen: list[tuple[int, ...]] = []
    while wanted:
        chosen.append(max(held, key=lambda levels: len(held[levels] & wanted)))
        wanted -= held[chosen[-1]]
    return chosen


@pytest.fixture
def fifty(training: Training) -> Training:
    """Return a training of 50 steps, one an epoch, so that its curve holds the loss of each step."""
    return replace(training, epochs=50, batch_size=256, architecture_arguments=(("depth", 4), ("width", 16)))


@pytest.fixture
def both(child_of: Callable[[str], Child]) -> Callable[[Sequence[Training]], None]:
    """Return a function that trains with both engines at the same time and compares every number."""

    def compare(trainings: Sequence[Training]) -> None:
        with ThreadPoolExecutor() as threads:
            waiting = [threads.submit(child_of(name).train, *trainings) for name in ("fit", "population")]
        for training, reference, fast in zip(trainings, *(each.result() for each in waiting), strict=True):
            assert_equal(training, reference, fast)

    return compare


def assert_equal(training: Training, reference: TrainingResult, fast: TrainingResult) -> None:
    """Compare two results up to the order of floating-point sums: losses, and accuracies by the image.

    NOTE: the gradient of a bias before batch normalization is rounding error alone, of which most optimizers
    make whole steps. While it is trained the network does not see such a bias; when it is scored the moving
    averages lag a little behind it.
    """
    told = f"{training}\n{reference}\n{fast}"
    scores = 1e-3 if training.batch_normalization else 3 * PARITY
    assert (reference.status, reference.reason) == (fast.status, fast.reason), told
    assert reference.checkpoint_epoch == fast.checkpoint_epoch, told
    numbers = [(name, reference.curve[name], fast.curve[name]) for name in reference.curve]
    numbers += [(name, (reference.metrics[name],), (fast.metrics[name],)) for name in reference.metrics]
    assert {name for name, _, _ in numbers} == {*fast.curve, *fast.metrics}, told
    for name, expected, found in numbers:
        if name.endswith("accuracy"):
            np.testing.assert_allclose(found, expected, rtol=0, atol=100 / 256, err_msg=f"{name} {told}")
        else:
            steps = len(expected) > 1 and name == "train_loss"
            tolerance = PARITY if steps else scores
            np.testing.assert_allclose(found, expected, rtol=tolerance, err_msg=f"{name} {told}")


@pytest.mark.timeout(1200)
def test_loss_per_step_equals_that_of_the_reference(
    both: Callable[[Sequence[Training]], None], fifty: Training
) -> None:
    """Every pair of an optimizer or a factor's level with a level of another factor."""
    factors = OPTIMIZER | STATIC | FEW
    candidates = [
        optimizer + static + few
        for optimizer in crossed(OPTIMIZER)
        for static in covering(crossed(STATIC))
        for few in crossed(FEW)
    ]
    both([replace(fifty, **merged(factors, levels)) for levels in covering(candidates)])


def test_a_convolution_equals_that_of_the_reference(
    child_of: Callable[[str], Child], training: Training
) -> None:
    small = replace(
        training, train_size=64, batch_size=32, epochs=3, dropout=0.2,
        architecture="convmlp", architecture_arguments=(("depth", 4), ("width", 8)),
    )  # fmt: skip
    (reference,) = child_of("fit").train(small)
    assert_equal(small, reference, child_of("population").results(packs([small], 1))[small.digest])


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_optimizer_in_every_program_equals_the_reference(
    both: Callable[[Sequence[Training]], None], fifty: Training
) -> None:
    """All programs with all optimizers; activations, initializers and penalties take turns."""
    turns = zip(
        itertools.cycle(map(canonical, ACTIVATIONS)),
        itertools.cycle(INITIALIZERS),
        itertools.cycle(("none", "l1", "l2", "l1_l2", "none")),
        strict=False,
    )
    for static in crossed(STATIC):
        both(
            [
                replace(
                    fifty, **merged(STATIC, static), **merged(OPTIMIZER, optimizer),
                    activation=activation, initializer=initializer,
                    regularizer=regularizer, regularizer_strength=1e-3,
                )
                for optimizer, (activation, initializer, regularizer) in zip(
                    crossed(OPTIMIZER), turns, strict=False
                )
            ]
        )  # fmt: skip


# What goes on inside the engine: functions that run in a process of their own, for which JAX is set up.


def _set_up(engine: str, threads: int, compiled: Path) -> None:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(compiled)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    if engine == "population":
        from study import population

        population.configure(threads)
    else:
        from study import fit

        fit.configure(threads)


def process_with(engine: str, compiled: Path) -> ProcessPoolExecutor:
    """Return a process that holds an engine's framework; functions of this file run in it."""
    return ProcessPoolExecutor(1, get_context("spawn"), _set_up, (engine, 1, compiled))


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPoolExecutor]:
    """Return a process that holds JAX."""
    with process_with("population", tmp_path_factory.mktemp("compiled")) as pool:
        yield pool


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
            shared, configuration=f"{i:016x}", learning_rate=0.001 * (i + 1), optimizer=("adam", "sgd")[i % 2]
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
    assert len({(pack.program, pack.optimizers, pack.blocks) for pack in work}) == 1
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


def test_diverged_members_end_when_the_reference_says_so(
    both: Callable[[Sequence[Training]], None], training: Training
) -> None:
    """Each with its own epoch, in one pack with others that train on."""
    both(
        [
            replace(
                training, epochs=8, learning_rate=rate, optimizer=optimizer, activation=activation,
                checkpoint=checkpoint,
            )
            for rate in (1e-3, 1.0, 1e3, 1e6)
            for optimizer in ("sgd", "adam")
            for activation in ("mish", "softsign")
            for checkpoint in ("last", "best")
            if (rate, optimizer) not in {(1.0, "adam"), (1e3, "adam"), (1.0, "sgd")}
        ]
    )  # fmt: skip


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


def test_another_process_finds_the_programs_compiled_and_gives_the_same(
    blocks: list[Training], tmp_path: Path
) -> None:
    with process_with("population", tmp_path) as first, process_with("population", tmp_path) as second:
        cold, _, compiled = first.submit(_train_counting, [packed(blocks)]).result()
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


# Deep networks amplify rounding errors from step to step, so each step starts from the same state.

State = dict[str, list[np.ndarray]]


def _states(training: Training, steps: int) -> tuple[list[State], list[float]]:
    """Return what each step of the fast engine starts from, and the loss of each step."""
    import jax

    from study import datasets
    from study.population import CompiledPopulation

    data = datasets.load(training.dataset, train_size=training.train_size)
    (pack,) = packs([training], 1)
    compiled = CompiledPopulation(pack, data)
    state, fixed = compiled._begin(pack)
    states: list[State] = []
    losses: list[float] = []
    for step in range(steps):
        arrays = {"trainable": state["trainable"], "other": state["other"], "slots": state["slots"][0]}
        states.append({name: [np.array(each[0]) for each in values] for name, values in arrays.items()})
        state, seen = compiled._epoch(state, fixed, compiled._data, *compiled._batches(pack, step))
        losses.append(float(jax.device_get(seen["loss"])[0]))
    return states, losses


def _reference_steps(training: Training, states: list[State]) -> tuple[list[float], list[float]]:
    """Return the loss of one step of the reference from each state, and how far its weights are off.

    That is the norm of the difference to the next state over the norm of the step. Biases before batch
    normalization are left out: their gradients are rounding errors, see `assert_equal`.
    """
    from study import batches, datasets, streams
    from study.fit import CompiledProgram
    from study.programs import program_of

    data = datasets.load(training.dataset, train_size=training.train_size)
    compiled = CompiledProgram(program_of(training), data)
    model = compiled.model
    compiled.reset(training)
    rates = {id(variable) for variable in compiled.rates.variables}
    other = [each for each in model.network.non_trainable_variables if id(each) not in rates]
    variables = {
        "trainable": model.network.trainable_variables,
        "other": other,
        "slots": model.optimizer.variables,
    }
    losses: list[float] = []
    errors: list[float] = []
    for step, (state, after) in enumerate(itertools.pairwise(states)):
        for name, values in variables.items():
            for variable, value in zip(values, state[name], strict=True):
                variable.assign(value)
        model.rates.step.assign(np.uint32(step))
        key = streams.key(training, "order")
        model.order.assign(batches.epoch_order(key, step, len(data.train.x), training.batch_size))
        history = model.fit(compiled._step_numbers, steps_per_epoch=1, shuffle=False, verbose=0)
        losses.append(history.history["loss"][0])
        found, start, expected = (
            np.concatenate(
                [
                    np.ravel(value)
                    for variable, value in zip(variables["trainable"], values, strict=True)
                    if not (training.batch_normalization and variable.name == "bias")
                ]
            )
            for values in (variables["trainable"], state["trainable"], after["trainable"])
        )
        errors.append(float(np.linalg.norm(found - expected) / np.linalg.norm(expected - start)))
    return losses, errors


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPoolExecutor]:
    """Return a process that holds TensorFlow."""
    with process_with("fit", tmp_path_factory.mktemp("compiled")) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("batch_normalization", [False, True])
def test_each_step_of_a_deep_network_equals_the_reference_from_the_same_state(
    inside: ProcessPoolExecutor,
    reference: ProcessPoolExecutor,
    fifty: Training,
    optimizer: str,
    batch_normalization: bool,
) -> None:
    deep = replace(
        fifty, architecture_arguments=(("depth", 16), ("width", 32)), optimizer=optimizer, dropout=0.1,
        learning_rate=OPTIMIZERS[optimizer].learning_rate, batch_normalization=batch_normalization,
    )  # fmt: skip
    states, losses = inside.submit(_states, deep, 51).result()
    expected, errors = reference.submit(_reference_steps, deep, states).result()
    np.testing.assert_allclose(losses[:50], expected, rtol=PARITY)
    # Lion takes the sign: an element near 0 that turns makes twice its step.
    assert max(errors) < (0.05 if optimizer == "lion" else 1e-3)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_deep_networks_have_equal_distributions_over_seeds(
    child_of: Callable[[str], Child], training: Training
) -> None:
    """Free-running they part; neither engine is better, and their spread is the same."""
    from scipy import stats

    deep = [
        replace(
            training, train_size=512, epochs=8, architecture_arguments=(("depth", 12), ("width", 32)),
            batch_normalization=True, dropout=0.1, replicate=replicate,
        )
        for replicate in range(96)
    ]  # fmt: skip
    reference, fast = (
        np.array([result.metrics["test_loss"] for result in child_of(engine).train(*deep)])
        for engine in ("fit", "population")
    )
    assert np.any(np.abs(fast - reference) > 1e-4 * reference)
    assert stats.ttest_rel(fast, reference).pvalue > 0.001
    assert stats.ks_2samp(fast, reference).pvalue > 0.001
    assert 0.5 < np.std(fast) / np.std(reference) < 2.0


# Memory: what the compiler says a pack needs, what is free, and what happens where that is wrong.


@pytest.fixture
def large(training: Training) -> list[Training]:
    """Return eight blocks of which 24 members need some 400 MB, in arrays that are given back when freed."""
    shared = replace(
        training, epochs=1, batch_size=64, architecture_arguments=(("depth", 3), ("width", 1000))
    )
    return [replace(shared, replicate=i) for i in range(8)]


def _train_in_little_memory(
    work: Sequence[Pack], room: int, *, checked: bool
) -> tuple[list[TrainingResult], list[Report]]:
    """Return what is trained, and reported, when `room` bytes are left once the first pack is trained.

    The limit is the real one of the process. Without `checked` the engine believes that there is enough, as
    where another process takes the memory meanwhile, and the allocation itself fails.
    """
    from study import population

    reports: list[Report] = []
    honest = population._free_device_bytes
    results = population.PopulationEngine(None, reports.append).train(work)
    found = [timeless(next(results)) for _ in work[0].trainings]
    if not checked:
        population._free_device_bytes = lambda: 2**63
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, before[1]))
    try:
        found += map(timeless, results)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        population._free_device_bytes = honest
    return found, [report for report in reports if isinstance(report, Split)]


@pytest.mark.parametrize("checked", [True, False])
def test_a_pack_that_does_not_fit_asks_for_smaller_ones(
    inside: ProcessPoolExecutor, large: list[Training], checked: bool
) -> None:
    (pack,) = packs(design(large, THREE), 24)
    results, reports = inside.submit(_train_in_little_memory, [pack, pack], 2**20, checked=checked).result()
    assert [result.digest for result in results] == [each.digest for each in pack.trainings]
    assert {result.status for result in results} == {Status.OK}
    assert reports == [Split(shape=pack.shape, blocks=4)]


@pytest.mark.parametrize("checked", [True, False])
def test_a_block_that_does_not_fit_is_out_of_memory(
    inside: ProcessPoolExecutor, large: list[Training], checked: bool
) -> None:
    wide = replace(large[0], architecture_arguments=(("depth", 3), ("width", 2000)))
    (pack,) = packs(design([wide], THREE), 3)
    results, reports = inside.submit(_train_in_little_memory, [pack, pack], 2**20, checked=checked).result()
    assert [result.status for result in results] == [Status.OK] * 3 + [Status.OOM] * 3
    words = "MiB are free" if checked else "(Out of memory allocating|Unable to allocate)"
    assert all(re.search(words, result.reason) for result in results[3:])
    assert not reports
