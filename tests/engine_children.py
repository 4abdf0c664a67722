"""One training process of each engine for all tests.

A framework takes seconds to start, and the two do not fit into one process.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from study.packing import Group, Pack
from study.reports import Report
from study.training import Training, TrainingResult
from sweeps.engines import grouped
from sweeps.executors import ChildExecutor
from sweeps.training_process import Setup

OWN = """
import keras
import numpy as np
from study.learned_activations import BetaMish, PReLU


def cubic(x):
    return x * x * x


def cubed(x):
    return x * x * x


def raising(x):
    raise ValueError("no such luck")


def net(input_shape, classes, activation, width, dropout=0.0):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(width, activation=activation, kernel_initializer="he_normal"),
        keras.layers.Dropout(dropout),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(classes),
    ])


def learned(input_shape, classes, activation):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(12, kernel_initializer="he_normal"),
        BetaMish(start=1.5, per="channel"),
        keras.layers.Dense(12, kernel_initializer="he_normal"),
        PReLU(),
        keras.layers.Dense(classes),
    ])
"""
"""A user's own module `own_parts`, which both processes can import."""


class Child:
    """The training process of one engine, with one thread; `reports` holds what it reported.

    Parameters
    ----------
    engine : str
        `fit` or `population`.
    folder : Path
        Takes the module `own_parts` and the process's log.
    """

    def __init__(self, engine: str, folder: Path) -> None:
        (folder / "own_parts.py").write_text(OWN)
        self.engine = engine
        self.reports: list[Report] = []
        setup = Setup(
            engine=engine, threads=1, dataset="digits", train_size=None, data=None, import_from=folder
        )
        self.executor = ChildExecutor(
            setup,
            log=folder / f"{engine}.log",
            report=self.reports.append,
            compiled=folder / "compiled",
        )
        self.executor.start()

    def train(self, *trainings: Training) -> list[TrainingResult]:
        """Return the result of each training; all of them are one design."""
        results = self.results(grouped(self.engine, "cpu", trainings, ()))
        return [results[training.digest] for training in trainings]

    def results(self, groups: Sequence[Group | Pack]) -> dict[str, TrainingResult]:
        """Return the results of groups by the digest of the training, without what is timed."""
        if not self.executor.is_running:  # it stops where a test leaves its results early
            self.executor.start()
        return {result.digest: timeless(result) for result in self.executor.train(groups)}


def timeless(result: TrainingResult) -> TrainingResult:
    """Return a result without what differs from run to run."""
    return replace(result, seconds=0.0, build_seconds=0.0, examples_per_second=0.0, peak_memory_mib=0.0)


def design(blocks: Iterable[Training], activations: Sequence[str]) -> list[Training]:
    """Return every block with every activation, in the order of a design."""
    return [replace(block, activation=name) for block in blocks for name in activations]


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
    """Return a process that holds an engine's framework; functions of a test's file run in it."""
    return ProcessPoolExecutor(1, get_context("spawn"), _set_up, (engine, 1, compiled))
