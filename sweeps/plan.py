"""What a sweep would do and cost, before anything is trained."""

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any

from study import ledger
from study.training import Configuration, Level
from study.tuning import Place, Tuning
from sweeps import design
from sweeps.costs import GPU_TERAFLOPS, Cost, cost_of
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
    configurations, activations, blocks, levels, trainings : int
        Size of the design; a block is a configuration with a replicate, and `levels` are those of a profiled
        factor, at each of which every activation of a block is trained: 1 without one.
    recorded : int
        Trainings that the home holds already.
    cost : Cost
        Of what is left.
    tuning : Tuning or None
        Size of a `tuned` sweep; None for the other designs.
    """

    name: str
    design: str
    engine: str
    configurations: int
    activations: int
    blocks: int
    levels: int
    trainings: int
    recorded: int
    cost: Cost
    tuning: Tuning | None

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return asdict(self)


def make_plan(
    spec: SweepSpec, home: Home, engine: str, why: str, *, teraflops: float = GPU_TERAFLOPS
) -> Plan:
    """Return the plan of a spec in a home; nothing is trained or written.

    Parameters
    ----------
    engine, why : str
        The engine that will be used, and a phrase that says why.
    teraflops : float
        What a GPU is taken to sustain.
    """
    planned = planned_trainings(spec)
    path = home.ledger(spec.name)
    record = ledger.read(path, curves=False) if path.exists() else None
    known = {entry.training.digest for entry in record.entries} if record else set[str]()
    if spec.design == "tuned":
        known = {item.training.digest for item in planned[: len(known)]}
    checked = record.checks if record else ()
    workers = count_for(device_kind(), spec.threads)
    if spec.searches is not None and spec.searches.adaptive:
        workers = 1  # as the driver has it
    trainings = [item.training for item in planned]
    cost = cost_of(trainings, known, home, engine, workers, checked, teraflops)
    return Plan(
        name=spec.name,
        design=spec.design,
        engine=why,
        configurations=len({item.configuration.index for item in planned}),
        activations=len(spec.activations),
        blocks=len({item.training.block for item in planned}),
        levels=1 if spec.profiled_factor is None else len(spec.profiled_factor.levels or ()),
        trainings=len(planned),
        recorded=len(planned) - cost.trainings,
        cost=cost,
        tuning=spec.searches,
    )


def planned_trainings(spec: SweepSpec) -> list[PlannedTraining]:
    """Return every training of a spec; for `tuned`, stand-ins for configurations not known yet."""
    return _tuned(spec) if spec.design == "tuned" else design.trainings(spec)


def _tuned(spec: SweepSpec) -> list[PlannedTraining]:
    """Return stand-ins for the trainings of a `tuned` sweep, whose configurations are not known yet.

    Those of a later rung are the first trials: which ones go on is not known either, only how many.
    """
    tuning, factors = spec.searches, spec.factor_list
    assert tuning is not None
    rows = design.sobol(len(factors), spec.seed, max(0, math.ceil(math.log2(tuning.trials))))
    drawn = [
        {factor.name: design.level_at(factor, float(u)) for factor, u in zip(factors, row, strict=True)}
        for row in rows[: tuning.trials]
    ]
    planned: list[PlannedTraining] = []
    steps: list[tuple[int | None, int, dict[str, Level], int]] = [
        (trial, rung, drawn[trial], 1)
        for rung, trials in enumerate(tuning.rung_trials)
        for trial in range(trials)
    ]
    for trial, rung, levels, trainings in [*steps, (None, 0, drawn[0], tuning.confirm)]:
        for repeat, place in itertools.product(range(tuning.repeats), range(len(spec.activations))):
            index = tuning.index(Place(repeat, place, trial, rung))
            configuration = Configuration(index=index, levels=levels)
            planned += [
                PlannedTraining(
                    training=spec.training_for(configuration, replicate, spec.activations[place]),
                    configuration=configuration,
                )
                for replicate in range(trainings)
            ]
    return planned
