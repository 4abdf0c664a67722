"""What a sweep would do and cost, before anything is trained."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from study import ledger
from study.training import Configuration
from sweeps import design
from sweeps.costs import Cost, cost_of
from sweeps.design import PlannedTraining
from sweeps.engines import device_kind
from sweeps.home import Home
from sweeps.spec import SweepSpec
from sweeps.workers import count_for


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
    checked = record.checks if record else ()
    # A search trains one after another.
    workers = 1 if spec.design == "tuned" else count_for(device_kind(), spec.threads)
    cost = cost_of([item.training for item in planned], known, home, engine, workers, checked)
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
    )


def planned_trainings(spec: SweepSpec) -> list[PlannedTraining]:
    """Return every training of a spec; for `tuned`, stand-ins for configurations not known yet."""
    return _tuned(spec) if spec.design == "tuned" else design.trainings(spec)


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
