"""What trainings cost: time and memory.

Times come from one small model of a training (a cost per epoch, a cost per layer and step, arithmetic at a
rate; a cost per program and its layers), scaled by what trainings in the same home really took. Without such
timings the assumptions themselves are used, and printed.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from study import ledger
from study.architectures import ARCHITECTURES
from study.architectures.sizes import COUNTED, Size, size_of
from study.architectures.unet_size import unet_size
from study.datasets import DATASETS
from study.errors import InputError
from study.ledger import Entry
from study.packing import Group, Pack, groups
from study.programs import Program
from study.training import Status, Training
from sweeps import cross_check
from sweeps.engines import device_kind, grouped
from sweeps.home import Home
from sweeps.workers import units_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """What an engine takes, in seconds; times of a training are its share of those trained with it.

    Parameters
    ----------
    epoch, layer_step : float
        For each epoch, and for each weight layer of a step.
    flops : float
        Floating point operations per second.
    build, build_layer : float
        To build and compile a program, and for each of its weight layers.
    start : float
        To start the process.
    process_mib : float
        Memory of the process after some fifty programs, without data and networks, in MiB.
    """

    epoch: float
    layer_step: float
    flops: float
    build: float
    build_layer: float
    start: float
    process_mib: float

    def training(self, training: Training) -> float:
        """Return the time of one training, without building its program."""
        step = size(training)[0] * self.layer_step + arithmetic(training) / self.flops
        return training.epochs * self.epoch + steps(training) * step

    def program(self, training: Training) -> float:
        """Return the time to build the program of a training."""
        return self.build + self.build_layer * size(training)[0]

    @property
    def words(self) -> str:
        """The numbers, for people."""
        return (
            f"{self.epoch * 1e3:g} ms an epoch, {self.layer_step * 1e6:g} µs a layer of a step, "
            f"{self.flops / 1e9:g} GFLOP/s; {self.build:g} s a program and {self.build_layer:g} s for each "
            "of its layers"
        )


SPEEDS = {
    "fit": Speed(
        epoch=0.003,
        layer_step=0.00006,
        flops=8e10,
        build=0.4,
        build_layer=0.2,
        start=8.0,
        process_mib=1300.0,
    ),
    "population": Speed(
        epoch=0.0005,
        layer_step=0.000005,
        flops=8e10,
        build=0.8,
        build_layer=0.1,
        start=5.0,
        process_mib=700.0,
    ),
}
"""Measured on 2 cores of a cloud machine with `python benchmarks/step_costs.py`; see docs/performance.md."""


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
    training_seconds = _seconds(engine, left, scales)
    repeating = groups(repeated)
    check_scales, _ = _calibration(cross_check.REFERENCE, timed)
    check_seconds = _wall_clock(
        cross_check.REFERENCE, repeating, _seconds(cross_check.REFERENCE, repeating, check_scales), workers
    )
    missing = [each for each in trainings if each.digest not in done]
    operations = sum(steps(each) * arithmetic(each) for each in missing)
    return Cost(
        trainings=len(missing),
        programs=len(members),
        members_per_program=(sizes[0], int(median(sizes)), sizes[-1]),
        checks=len(repeated),
        workers=workers,
        seconds=_wall_clock(engine, left, training_seconds, workers) + check_seconds,
        check_seconds=check_seconds,
        training_seconds=training_seconds,
        memory_mib=SPEEDS[engine].process_mib + max(map(_memory_mib, trainings), default=0.0),
        basis=basis,
        gpu_seconds=operations / (teraflops * 1e12),
        gpu_basis=(
            f"Of a GPU there is the arithmetic alone, at an assumed {teraflops:g} TFLOP/s in float32 "
            f"({teraflops / _A100_TERAFLOPS:.0%} of what an A100 is specified for): a guess, never measured "
            "on a GPU. Expect two to four times as long, and more where networks are small."
        ),
    )


def _seconds(engine: str, left: Sequence[Group | Pack], scales: tuple[float, float]) -> float:
    """Return the time that an engine takes for groups in one process, its start left out."""
    speed = SPEEDS[engine]
    training_scale, build_scale = scales
    first = {group.program: group.trainings[0] for group in left}
    built = sum(speed.program(training) for training in first.values())
    places = (group.members if isinstance(group, Pack) else group.trainings for group in left)
    trained = sum(speed.training(each) for each in itertools.chain.from_iterable(places))
    return build_scale * built + training_scale * trained


def _wall_clock(engine: str, left: Sequence[Group | Pack], seconds: float, workers: int) -> float:
    """Return the time in several processes, their start included, of groups that take `seconds` in one."""
    if not left:
        return 0.0
    return SPEEDS[engine].start + seconds / min(workers, len(units_of(left, workers)))


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
    """Return the timed trainings of a home by their engine, and the ledgers that cannot be read."""
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
            timed[engines.pop()] += [each for each in record.entries if each.result.status is Status.OK]
    return timed, damaged


def steps(training: Training) -> int:
    """Return the number of steps of a training."""
    return training.epochs * (_images(training) // training.batch_size)


def arithmetic(training: Training) -> float:
    """Return the floating point operations of one step: forward, and backward to inputs and weights."""
    return 6.0 * size(training)[1] * training.batch_size


def _images(training: Training) -> int:
    card = DATASETS.get(training.dataset)
    whole = card.train_size if card else 10_000
    return min(training.train_size or whole, whole)


def size(training: Training) -> tuple[int, float]:
    """Return weight layers and multiply-adds per example; a user's own network counts as 4 x 256."""
    height, width_, channels = shape = _shape(training)
    arguments = dict(training.architecture_arguments)
    if (known := _known_size(training, shape)) is not None:
        return known.layers, known.multiply_adds
    if training.architecture not in ARCHITECTURES:
        arguments = {"depth": 4, "width": 256}
    depth, width = int(arguments["depth"]), int(arguments["width"])
    inputs, hidden, convolutions = height * width_ * channels, depth - 1, 0.0
    if training.architecture == "convmlp":
        convolutions = height * width_ * 25.0 * (channels * 20 + 20 * 50)
        inputs, hidden = (height // 2) * (width_ // 2) * 50, depth - 3
    dense = inputs * width + (hidden - 1) * width**2 + width * 10.0
    return depth, dense + convolutions


def _shape(training: Training) -> tuple[int, int, int]:
    card = DATASETS.get(training.dataset)
    return card.input_shape if card else (32, 32, 3)


def _known_size(training: Training, shape: tuple[int, int, int]) -> Size | None:
    """Return the size of a convolutional network of the catalogue; None for another one."""
    arguments = dict(training.architecture_arguments)
    if training.architecture == "unet":
        return unet_size(shape, arguments)
    return size_of(training.architecture, shape, arguments) if training.architecture in COUNTED else None


def _memory_mib(training: Training) -> float:
    card, shape = DATASETS.get(training.dataset), _shape(training)
    images = (card.train_size + card.validation_size + card.test_size) if card else 60_000
    numbers = 3 * images * math.prod(shape)
    if (known := _known_size(training, shape)) is not None:
        # Weights, gradients and slots; of each output, what comes of it and the gradients of both.
        numbers += 8 * known.parameters + 4 * training.batch_size * known.outputs
    else:
        numbers += 8 * size(training)[1]
    return 4 * numbers / 2**20
