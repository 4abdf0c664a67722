"""What a sweep would do, cost, and be able to detect, before anything is trained."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import stdev
from typing import Any

from study import ledger
from study.ledger import Entry, Record
from study.question import Factor, Question
from study.training import Configuration, Status
from sweeps import design
from sweeps.costs import Cost, cost_of
from sweeps.design import PlannedTraining
from sweeps.home import Home
from sweeps.spec import SweepSpec

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


def make_plan(spec: SweepSpec, home: Home, engine: str, why: str) -> Plan:
    """Return the plan of a spec in a home; nothing is trained or written.

    Parameters
    ----------
    engine, why : str
        The engine that will be used, and a phrase that says why.
    """
    planned = planned_trainings(spec)
    path = home.ledger(spec.name)
    record = ledger.read(path, curves=False) if path.exists() else None
    known = {entry.training.digest for entry in record.entries} if record else set[str]()
    if spec.design == "tuned":
        known = {item.training.digest for item in planned[: len(known)]}
    question = spec.question_for_analysis(0, 0)
    spread, spread_basis = _spread(question, record)
    checked = record.checks if record else ()
    cost = cost_of([item.training for item in planned], known, home, engine, checked)
    return Plan(
        name=spec.name,
        design=spec.design,
        engine=why,
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
