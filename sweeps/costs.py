"""What trainings cost: time and memory.

Times are those of `sweeps.speeds`, scaled by what trainings in the same home really took. Without such
timings the assumptions themselves are used, and printed.
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from study import ledger
from study.datasets import DATASETS
from study.errors import InputError
from study.ledger import Entry
from study.packing import Group, Pack, groups
from study.programs import Program
from study.training import Status, Training
from sweeps import cross_check, speeds
from sweeps.engines import device_kind, grouped
from sweeps.home import Home
from sweeps.operations import input_shape, known_size, operations, scoring, size
from sweeps.speeds import SPEEDS
from sweeps.workers import units_of

AROUND_SECONDS = 8.0
"""Before the first training process starts and after the last one ends: imports, table, figures, report."""

GPU_TERAFLOPS = 5.0
"""What a GPU is taken to sustain in float32."""
_A100_TERAFLOPS = 19.5
"""What the data sheet of NVIDIA's A100 says of float32."""

_FEWEST_TIMINGS = 10
"""Fewer trainings than these say too little of a machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What is left of a sweep would cost.

    Parameters
    ----------
    trainings : int
        Trainings that are not recorded yet.
    programs : int
        Compiled programs of them.
    members_per_program : tuple of int
        Smallest, median and largest number of trainings left that share a program; those of a pack that
        holds one of them are all trained again.
    checks : int
        Trainings that the reference engine is still to repeat.
    workers : int
        Training processes side by side.
    seconds, check_seconds : float
        Estimated wall-clock time, and the part of it that the repetitions take.
    training_seconds : float
        Estimated time of all training processes together, without their start and the repetitions.
    memory_mib : float
        Estimated peak memory of each training process.
    basis : str
        Where the time comes from, in a sentence.
    gpu_seconds : float
        Time of the arithmetic alone on one GPU.
    gpu_basis : str
        What that rests on, in a sentence.
    """

    trainings: int
    programs: int
    members_per_program: tuple[int, int, int]
    checks: int
    workers: int
    seconds: float
    check_seconds: float
    training_seconds: float
    memory_mib: float
    basis: str
    gpu_seconds: float
    gpu_basis: str


def cost_of(
    trainings: Sequence[Training],
    done: Collection[str],
    home: Home,
    engine: str,
    workers: int,
    checked: Collection[str] = (),
    teraflops: float = GPU_TERAFLOPS,
) -> Cost:
    """Return the cost of `trainings`, a whole design, without those whose digests are in `done`.

    The same goes for the check between the engines and what is in `checked`; `workers` processes train. A GPU
    is taken to sustain `teraflops`.
    """
    left = grouped(engine, device_kind(), trainings, done)
    members = Counter[Program]()
    for group in left:
        members[group.program] += len(group.trainings)
    sizes = sorted(members.values()) or [0]
    checks = engine == cross_check.CHECKED and cross_check.is_possible()
    repeated = cross_check.missing(trainings, checked) if checks else []
    timed, damaged = _timings(home)
    scales, basis = _calibration(engine, timed)
    if damaged:
        basis += f" The timings in {' and '.join(map(str, damaged))} cannot be read."
    seconds = _seconds(units_of(left, workers), scales)
    check_scales, _ = _calibration(cross_check.REFERENCE, timed)
    repeating = units_of(groups(repeated), workers)
    check_seconds = _wall_clock(cross_check.REFERENCE, _seconds(repeating, check_scales), workers)
    missing = [each for each in trainings if each.digest not in done]
    around = AROUND_SECONDS if seconds or repeating else 0.0
    return Cost(
        trainings=len(missing),
        programs=len(members),
        members_per_program=(sizes[0], int(median(sizes)), sizes[-1]),
        checks=len(repeated),
        workers=workers,
        seconds=around + _wall_clock(engine, seconds, workers) + check_seconds,
        check_seconds=check_seconds,
        training_seconds=sum(seconds),
        memory_mib=SPEEDS[engine].process_mib + max(map(_memory_mib, trainings), default=0.0),
        basis=basis,
        gpu_seconds=sum(operations(each) + scoring(each) for each in missing) / (teraflops * 1e12),
        gpu_basis=(
            f"Of a GPU there is the arithmetic alone, at an assumed {teraflops:g} TFLOP/s in float32 "
            f"({teraflops / _A100_TERAFLOPS:.0%} of what an A100 is specified for): a guess, never measured "
            "on a GPU. Expect two to four times as long, and more where networks are small."
        ),
    )


def _seconds(units: Sequence[Sequence[Group | Pack]], scales: tuple[float, float]) -> list[float]:
    """Return the time that each of what a process is given at once takes, its start left out."""
    training_scale, build_scale = scales
    return [
        build_scale * speeds.of_programs(unit) + training_scale * speeds.of_trainings(unit) for unit in units
    ]


def _wall_clock(engine: str, seconds: Sequence[float], workers: int) -> float:
    """Return the time of processes that each take what is next as soon as they are free, start included."""
    if not seconds:
        return 0.0
    busy = [0.0] * workers
    for each in seconds:
        heapq.heappush(busy, heapq.heappop(busy) + each)
    return SPEEDS[engine].start + max(busy)


def _calibration(engine: str, timed: Mapping[str, list[Entry]]) -> tuple[tuple[float, float], str]:
    """Return actual over assumed time in this home, of a training and of a build, and a sentence about it."""
    speed = SPEEDS[engine]
    done = timed.get(engine, [])
    if len(done) < _FEWEST_TIMINGS:
        found = f"{len(done)} of the {_FEWEST_TIMINGS} timings of the engine {engine} that are needed"
        has = f"This home has {found}" if any(timed.values()) else "No timings in this home yet"
        return (1.0, 1.0), f"{has}, so times are assumed: {speed.words}."
    trained = median(entry.result.seconds / speed.training(entry.training) for entry in done)
    builds = [each for each in done if each.result.build_seconds > 0]
    built = [each.result.build_seconds / speed.program(each.training) for each in builds]
    basis = f"Times are scaled by {len(done)} trainings of the engine {engine} in this home."
    return (trained, median(built or [1.0])), basis


def _timings(home: Home) -> tuple[dict[str, list[Entry]], list[Path]]:
    """Return the finished trainings of a home by their engine, and the ledgers that cannot be read.

    What the reference engine repeats of a sweep of the other one is timed as well.
    """
    timed = defaultdict[str, list[Entry]](list)
    damaged: list[Path] = []
    for name in home.sweeps():
        try:
            record = ledger.read(home.ledger(name), curves=False)
        except InputError:
            damaged.append(home.ledger(name))
            continue
        engines = {fingerprint["engine"] for fingerprint in record.fingerprints}
        if len(engines) == 1:
            timed[engines.pop()] += record.entries
        timed[cross_check.REFERENCE] += [
            replace(each, result=record.checks[each.result.digest])
            for each in record.entries
            if each.result.digest in record.checks
        ]
    finished = {
        engine: [each for each in entries if each.result.status is Status.OK]
        for engine, entries in timed.items()
    }
    return finished, damaged


def _memory_mib(training: Training) -> float:
    card, shape = DATASETS.get(training.dataset), input_shape(training)
    images = (card.train_size + card.validation_size + card.test_size) if card else 60_000
    numbers = 3 * images * math.prod(shape)
    if (known := known_size(training)) is not None:
        # Weights, gradients and slots; of each output, what comes of it and the gradients of both.
        numbers += 8 * known.parameters + 4 * training.batch_size * known.outputs
    else:
        numbers += 8 * size(training)[1]
    return 4 * numbers / 2**20
