"""What a task of a Ray cluster costs beside its trainings: python benchmarks/cluster_costs.py.

A cluster on this machine with one core for tasks. A task takes what `--executor ray` gives one (a pack,
the data set by reference, the mailbox), trains nothing, says what an engine says in `--epochs` epochs, and
returns results with curves of as many; `nothing` is Ray's own empty task. Rounds in turn, median and range as
Markdown.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from study import datasets
from study.environment import processor
from study.packing import MEMBERS, Pack, packs
from study.reports import EpochDone
from study.training import Status, Training, TrainingResult
from sweeps.ray_tasks import Mailbox

BASE = Training(
    dataset="digits",
    train_size=None,
    architecture="mlp",
    architecture_arguments=(("depth", 4), ("width", 64)),
    activation="mish",
    epochs=20,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.001,
    sweep_seed=0,
    configuration="0" * 16,
    replicate=0,
)


def told(dataset: Any, given: Sequence[Pack], mailbox: Any, task: int, epochs: int) -> list[TrainingResult]:
    """Return what a task returns, training nothing."""
    del dataset
    for epoch in range(epochs):
        mailbox.put.remote(task, EpochDone(trainings=len(given[0].trainings), epoch=epoch + 1, epochs=epochs))
    curve = {name: (1.0,) * epochs for name in ("train_loss", "train_accuracy", "validation_loss")}
    metrics: dict[str, float] = dict.fromkeys(
        ("train_accuracy", "validation_accuracy", "test_accuracy", "test_loss"), 90.0
    )
    return [
        TrainingResult(
            digest=each.digest, status=Status.OK, metrics=metrics, curve=curve, checkpoint_epoch=epochs
        )
        for pack in given
        for each in pack.trainings
    ]


def nothing() -> None:
    """Do nothing."""


def main() -> None:
    """Measure and print."""
    import ray

    parser = argparse.ArgumentParser(description="What a task costs beside its trainings.")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    actor: Any = ray.remote(Mailbox)
    mailbox = actor.options(num_cpus=0).remote()
    dataset = ray.put(datasets.load("digits", None))
    members = MEMBERS["cpu"]
    trainings = [replace(BASE, replicate=number) for number in range(members)]
    work = packs(trainings, members)
    full: Any = ray.remote(told)
    empty: Any = ray.remote(nothing)
    sides: dict[str, Callable[[int], Any]] = {
        "nothing": lambda _: empty.remote(),
        f"a pack of {members}": lambda task: full.remote(dataset, work, mailbox, task, arguments.epochs),
    }
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(arguments.repeats + 1):
        for name, submit in sides.items():
            started = time.perf_counter()
            ray.get([submit(task) for task in range(arguments.tasks)])
            ray.get(mailbox.take.remote())
            if number:  # the first round starts the process
                taken[name].append(1e3 * (time.perf_counter() - started) / arguments.tasks)
    machine = f"{processor()}, {os.cpu_count()} cores; Ray {ray.__version__}"
    print(f"{arguments.tasks} tasks, {arguments.repeats} rounds; {machine}.\n")
    print("| task | ms (range) |\n|---|---:|")
    for name, times in taken.items():
        print(f"| {name} | {median(times):.2f} ({min(times):.2f} to {max(times):.2f}) |")


if __name__ == "__main__":
    main()
