"""What a sweep would do and cost, before anything is trained.

Times come from one small model of a training step (a cost per layer and arithmetic at a rate),
scaled by what trainings in the same home really took. Without such timings the assumptions
themselves are used, and printed.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from statistics import median, stdev
from typing import Any

from study import ledger
from study.architectures import ARCHITECTURES
from study.datasets import DATASETS
from study.ledger import Entry, Record
from study.question import Factor, Question
from study.training import Configuration, Status, Training
from sweeps import design
from sweeps.design import PlannedTraining
from sweeps.home import Home
from sweeps.spec import SweepSpec

SECONDS_PER_EPOCH = 0.003
SECONDS_PER_LAYER_STEP = 0.00006
FLOPS = 8e10
SECONDS_TO_BUILD = 0.4
SECONDS_TO_BUILD_A_LAYER = 0.2
SECONDS_TO_START = 8.0
PROCESS_MIB = 1300.0
"""Measured on 2 cores of a cloud machine, TensorFlow 2.21, 2026-11-24, with
`python benchmarks/step_costs.py`; see docs/performance.md."""

ASSUMED_SPREAD = {"points": 2.0, "nats": 0.1}
"""Standard deviation of a paired difference between configurations, where no results are at hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowPower:
    """What one row of the criteria table can detect.

    Parameters
    ----------
    parameter, level : str
        The row.
    configurations : int
        Units in it.
    detectable : float or None
        Difference found with probability 0.8 by a single two-sided test at 5 %, in the metric's
        unit; None below two units.
    """

    parameter: str
    level: str
    configurations: int
    detectable: float | None


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
        Smallest, median and largest number of trainings that share a program.
    seconds : float
        Estimated wall-clock time.
    memory_mib : float
        Estimated peak memory of the training process.
    basis : str
        Where the time comes from, in a sentence.
    """

    trainings: int
    programs: int
    members_per_program: tuple[int, int, int]
    seconds: float
    memory_mib: float
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a sweep would do.

    Parameters
    ----------
    name, design, engine : str
        As in the spec; the engine with why it was chosen.
    configurations, activations, blocks, trainings : int
        Size of the design; a block is a configuration with a replicate.
    recorded : int
        Trainings that the home holds already.
    cost : Cost
        Of what is left.
    spread, spread_basis : float, str
        Standard deviation of a paired difference that `rows` assumes, and where it comes from.
    unit : str
        Unit of the metric.
    rows : tuple of RowPower
        The headline and each level of each condition factor; none for `tuned`.
    """

    name: str
    design: str
    engine: str
    configurations: int
    activations: int
    blocks: int
    trainings: int
    recorded: int
    cost: Cost
    spread: float
    spread_basis: str
    unit: str
    rows: tuple[RowPower, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return asdict(self)


def make_plan(spec: SweepSpec, home: Home, engine: str) -> Plan:
    """Return the plan of a spec in a home; nothing is trained or written.

    Parameters
    ----------
    engine : str
        Sentence on the engine that will be used.
    """
    planned = planned_trainings(spec)
    path = home.ledger(spec.name)
    record = ledger.read(path, curves=False) if path.exists() else None
    known = {entry.training.digest for entry in record.entries} if record else set[str]()
    if spec.design == "tuned":
        known = {item.training.digest for item in planned[: len(known)]}
    question = spec.question_for_analysis(0, 0)
    spread, spread_basis = _spread(question, record)
    cost = cost_of(planned, known, home)
    return Plan(
        name=spec.name,
        design=spec.design,
        engine=engine,
        configurations=len({item.configuration.index for item in planned}),
        activations=len(spec.activations),
        blocks=len({item.training.block for item in planned}),
        trainings=len(planned),
        recorded=len(planned) - cost.trainings,
        cost=cost,
        spread=spread,
        spread_basis=spread_basis,
        unit=question.unit,
        rows=() if spec.design == "tuned" else tuple(_rows(spec, question, planned, spread)),
    )


def planned_trainings(spec: SweepSpec) -> list[PlannedTraining]:
    """Return every training of a spec; for `tuned`, stand-ins for configurations not known yet."""
    return _tuned(spec) if spec.design == "tuned" else design.trainings(spec)


def cost_of(planned: list[PlannedTraining], done: Collection[str], home: Home) -> Cost:
    """Return the cost of the trainings of `planned` whose digests are not in `done`."""
    groups = design.in_training_order(planned, done)
    sizes = sorted(len(group) for group in groups) or [0]
    training_scale, build_scale, basis = _calibration(home)
    seconds = sum(
        build_scale * build_seconds(group[0].training)
        + training_scale * sum(training_seconds(item.training) for item in group)
        for group in groups
    )
    return Cost(
        trainings=sum(sizes),
        programs=len(groups),
        members_per_program=(sizes[0], int(median(sizes)), sizes[-1]),
        seconds=seconds + (SECONDS_TO_START if groups else 0.0),
        memory_mib=PROCESS_MIB + max((_memory_mib(item.training) for item in planned), default=0.0),
        basis=basis,
    )


def training_seconds(training: Training) -> float:
    """Return the assumed time of one training, without building its program."""
    step = _size(training)[0] * SECONDS_PER_LAYER_STEP + arithmetic_of(training) / FLOPS
    return training.epochs * SECONDS_PER_EPOCH + steps_of(training) * step


def steps_of(training: Training) -> int:
    """Return the number of steps of a training."""
    return training.epochs * (_images(training) // training.batch_size)


def arithmetic_of(training: Training) -> float:
    """Return the floating point operations of one step: forward, and backward to inputs and weights."""
    return 6.0 * _size(training)[1] * training.batch_size


def build_seconds(training: Training) -> float:
    """Return the assumed time to build and trace the program of a training."""
    return SECONDS_TO_BUILD + SECONDS_TO_BUILD_A_LAYER * _size(training)[0]


def _images(training: Training) -> int:
    card = DATASETS.get(training.dataset)
    whole = card.train_size if card else 10_000
    return min(training.train_size or whole, whole)


def _size(training: Training) -> tuple[int, float]:
    """Return weight layers and multiply-adds per example; a user's own network counts as 4 x 256."""
    card = DATASETS.get(training.dataset)
    height, width_, channels = card.input_shape if card else (32, 32, 3)
    own = training.architecture not in ARCHITECTURES
    arguments = {"depth": 4, "width": 256} if own else dict(training.architecture_arguments)
    depth, width = int(arguments["depth"]), int(arguments["width"])
    inputs, hidden, convolutions = height * width_ * channels, depth - 1, 0.0
    if training.architecture == "convmlp":
        convolutions = height * width_ * 25.0 * (channels * 20 + 20 * 50)
        inputs, hidden = (height // 2) * (width_ // 2) * 50, depth - 3
    dense = inputs * width + (hidden - 1) * width**2 + width * 10.0
    return depth, dense + convolutions


def _memory_mib(training: Training) -> float:
    card = DATASETS.get(training.dataset)
    pixels = math.prod(card.input_shape) if card else 3072
    images = (card.train_size + card.validation_size + card.test_size) if card else 60_000
    return (3 * images * pixels * 4 + 8 * 4 * _size(training)[1]) / 2**20


def _calibration(home: Home) -> tuple[float, float, str]:
    """Return actual over assumed time in this home, of a training and of a build, and a sentence about it."""
    done = [
        entry
        for name in home.sweeps()
        for entry in ledger.read(home.ledger(name), curves=False).entries
        if entry.result.status is Status.OK
    ]
    if len(done) >= 10:
        trained = median(entry.result.seconds / training_seconds(entry.training) for entry in done)
        builds = [entry for entry in done if entry.result.build_seconds > 0]
        built = median(entry.result.build_seconds / build_seconds(entry.training) for entry in builds)
        return trained, built, f"Times are scaled by {len(done)} trainings in this home."
    return (
        1.0,
        1.0,
        (
            f"No timings in this home yet, so times are assumed: {SECONDS_PER_EPOCH * 1e3:g} ms an epoch, "
            f"{SECONDS_PER_LAYER_STEP * 1e3:g} ms a layer of a step, {FLOPS / 1e9:g} GFLOP/s; "
            f"{SECONDS_TO_BUILD:g} s a program and {SECONDS_TO_BUILD_A_LAYER:g} s for each of its layers."
        ),
    )


def _spread(question: Question, record: Record | None) -> tuple[float, str]:
    """Return the standard deviation of the configurations' paired differences, and a sentence about it."""
    differences = unit_differences(question, record.entries) if record else []
    if len(differences) >= 10:
        spread = stdev(differences)
        return spread, (
            f"Detectable differences use the spread of {len(differences)} configurations of this sweep: "
            f"{spread:.2g} {question.unit}."
        )
    spread = ASSUMED_SPREAD[question.unit]
    return spread, (
        f"Detectable differences assume that paired differences spread by {spread:g} {question.unit} between "
        "configurations."
    )


def unit_differences(question: Question, entries: Iterable[Entry]) -> list[float]:
    """Return the paired difference focus - first rival of each configuration that has both sides."""
    sides: dict[str, dict[str, float | None]] = {}
    for entry in entries:
        ok = entry.result.status is Status.OK
        value = entry.result.metrics[question.metric] if ok else None
        sides.setdefault(entry.training.block, {})[entry.training.activation] = value
    rival = question.rivals[0]
    means: dict[str, list[float]] = {}
    for block, values in sides.items():
        if question.focus in values and rival in values:
            difference = question.difference(values[question.focus], values[rival])
            means.setdefault(block.rpartition("-")[0], []).append(difference)
    return [sum(group) / len(group) for group in means.values()]


def _rows(
    spec: SweepSpec, question: Question, planned: list[PlannedTraining], spread: float
) -> Iterable[RowPower]:
    configurations = {item.configuration.index: item.configuration for item in planned}.values()
    per_unit = spec.replicates if spec.design == "ofat" else 1
    yield _row("all configurations", "", len(configurations) * per_unit, spread)
    for factor in question.conditions:
        counts = Counter(
            _label(factor, configuration) for configuration in _moved(question, factor, configurations)
        )
        for label in sorted(counts, key=lambda text: _place(factor, text)):
            yield _row(factor.name, label, counts[label] * per_unit, spread)


def _moved(
    question: Question, factor: Factor, configurations: Iterable[Configuration]
) -> Iterable[Configuration]:
    """Return what a row of `factor` rests on: everything, or with a baseline where it alone moves."""
    others = [(name, level) for name, level in question.baseline if name != factor.name]
    return [c for c in configurations if all(c.levels[name] == level for name, level in others)]


def _label(factor: Factor, configuration: Configuration) -> str:
    level = configuration.levels[factor.name]
    if factor.levels is not None or factor.low is None or factor.high is None:
        return str(level)
    edges = [design.level_at(factor, quarter / 4) for quarter in range(4)]
    place = sum(level >= edge for edge in edges[1:])  # type: ignore[operator]
    return f"quarter {place + 1} of {factor.low:g} to {factor.high:g}"


def _place(factor: Factor, label: str) -> float:
    labels = [str(level) for level in factor.levels or ()]
    return labels.index(label) if label in labels else float(label.split()[1])


def _row(parameter: str, level: str, units: int, spread: float) -> RowPower:
    if units < 2:
        return RowPower(parameter=parameter, level=level, configurations=units, detectable=None)
    from statsmodels.stats.power import TTestPower

    effect = TTestPower().solve_power(nobs=units, alpha=0.05, power=0.8)
    return RowPower(
        parameter=parameter, level=level, configurations=units, detectable=round(float(effect) * spread, 3)
    )


def _tuned(spec: SweepSpec) -> list[PlannedTraining]:
    """Return stand-ins for the trainings of a `tuned` sweep, whose configurations are not known yet."""
    assert spec.tuning is not None
    rows = design.sobol(len(spec.factor_list), spec.seed, max(0, math.ceil(math.log2(spec.tuning.trials))))
    planned: list[PlannedTraining] = []
    for number, row in enumerate(rows[: spec.tuning.trials]):
        levels = {f.name: design.level_at(f, float(u)) for f, u in zip(spec.factor_list, row, strict=True)}
        for place, activation in enumerate(spec.activations):
            configuration = Configuration(index=place * spec.tuning.trials + number, levels=levels)
            training = spec.training_for(configuration, 0, activation)
            planned.append(PlannedTraining(training=training, configuration=configuration))
    return planned
