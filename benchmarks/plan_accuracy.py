"""How far off `mishstudy plan` is: python benchmarks/plan_accuracy.py SWEEP...

Trains the first configuration of sweeps that ship on a few batches of random images, with `fit`, the
reference engine, in this process and with one thread. Prints what an epoch of them takes beside what `plan`
assumes, in seconds and in seconds of the processor, which other work on the machine disturbs less.
"""

import argparse
import importlib
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from study.cuts import Cut
from study.datacards import DATASETS
from study.datasets import Dataset
from study.engine import Engine
from study.packing import groups
from study.training import Status, Training
from sweeps.operations import size, step_operations, steps
from sweeps.plan import planned_trainings
from sweeps.spec import load
from sweeps.speeds import SPEEDS, Speed
from sweeps.training_process import ENGINES

SWEEPS = Path(__file__).parents[1] / "sweeps"
STEPS, EPOCHS = 6, (1, 3)
"""An epoch is this many batches; the difference of two lengths is free of what a training costs once."""


def made_up(training: Training) -> Dataset:
    """Return random images in the shape of a training's data, and next to nothing to score."""
    card, rng = DATASETS[training.dataset], np.random.default_rng(1)

    def cut(count: int) -> Cut:
        images = rng.random((count, *card.input_shape), np.float32)
        return Cut(images, rng.integers(0, card.classes, count).astype(np.int32))

    return Dataset(card, cut(training.train_size or 0), cut(16), cut(16), "0" * 16)


def epoch(engine: Engine, training: Training, repeats: int) -> tuple[float, float]:
    """Return what an epoch takes: the smallest of some repeats, in seconds and of the processor."""
    taken = {epochs: (float("inf"), float("inf")) for epochs in EPOCHS}
    list(engine.train(groups([training])))  # so that nothing is left to build
    for number in range(repeats):
        for epochs in EPOCHS:
            asked = replace(training, epochs=epochs, replicate=number)
            started = time.process_time()
            (result,) = engine.train(groups([asked]))
            used = time.process_time() - started
            assert result.status is not Status.ERROR, result.reason
            taken[epochs] = min(taken[epochs][0], result.seconds), min(taken[epochs][1], used)
    short, long = (taken[epochs] for epochs in EPOCHS)
    more = EPOCHS[1] - EPOCHS[0]
    return (long[0] - short[0]) / more, (long[1] - short[1]) / more


def epoch_assumed(speed: Speed, training: Training) -> float:
    """Return what `plan` assumes for an epoch without its validation images, which are left out here."""
    step = size(training)[0] * speed.layer_step + step_operations(training) / speed.flops
    return speed.epoch + steps(training) * step


def main() -> None:
    """Measure the sweeps that are asked for."""
    parser = argparse.ArgumentParser(description="How far off `mishstudy plan` is.")
    parser.add_argument("names", nargs="+", help="sweeps that ship")
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    module_name, class_name = ENGINES["fit"]
    module = importlib.import_module(module_name)
    module.configure(1)
    engine = getattr(module, class_name)()
    print("| sweep | images | assumed, s | measured, s | processor, s | processor / assumed |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in asked.names:
        first = planned_trainings(load(SWEEPS / f"{name}.toml"))[0].training
        training = replace(first, epochs=1, train_size=STEPS * first.batch_size, learning_rate=1e-4)
        engine.hold(training.dataset, training.train_size, made_up(training))
        assumed = epoch_assumed(SPEEDS["fit"], training)
        seconds, used = epoch(engine, training, asked.repeats)
        row = f"{assumed:.3f} | {seconds:.3f} | {used:.3f} | {used / assumed:.1f}"
        print(f"| `{name}` | {training.train_size} | {row} |", flush=True)


if __name__ == "__main__":
    main()
