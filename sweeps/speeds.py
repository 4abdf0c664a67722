"""How long an engine takes, by a small model.

A cost per epoch, a cost per layer and step, arithmetic at a rate; a cost per program and its layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from study.packing import Group, Pack
from study.training import Training
from sweeps.operations import operations, scoring, size, steps


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
        """Return the time of one training, without building its program; scoring at its end is left out."""
        layer_steps = steps(training) * size(training)[0]
        overhead = training.epochs * self.epoch + layer_steps * self.layer_step
        return overhead + operations(training) / self.flops

    def scoring(self, training: Training) -> float:
        """Return the time of scoring a training at its end, which is no part of its recorded seconds."""
        return scoring(training) / self.flops

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
        epoch=0.006,
        layer_step=0.00009,
        flops=5e10,
        build=1.0,
        build_layer=0.15,
        start=8.0,
        process_mib=1300.0,
    ),
    "population": Speed(
        epoch=0.001,
        layer_step=0.000007,
        flops=5e10,
        build=1.4,
        build_layer=0.1,
        start=5.0,
        process_mib=700.0,
    ),
}
"""Measured on 2 cores of a cloud machine with `python benchmarks/step_costs.py`; see docs/performance.md."""


def of_programs(groups: Sequence[Group | Pack]) -> float:
    """Return the seconds to build the programs of groups, each once."""
    first = {group.program: group for group in groups}
    return sum(_speed(group).program(group.trainings[0]) for group in first.values())


def of_trainings(groups: Sequence[Group | Pack]) -> float:
    """Return the seconds that all places of groups take, those that are filled with repetitions too."""
    seconds = 0.0
    for group in groups:
        speed = _speed(group)
        places = group.members if isinstance(group, Pack) else group.trainings
        seconds += sum(speed.training(each) + speed.scoring(each) for each in places)
    return seconds


def _speed(group: Group | Pack) -> Speed:
    return SPEEDS["population" if isinstance(group, Pack) else "fit"]
