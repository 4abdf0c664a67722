"""How close a population step comes to the machine's matrix rate: python benchmarks/matrix_rate.py.

The matrix rate is that of a float32 product of two 2048 x 2048 matrices in JAX, with the same threads and
precision as the engine. A step counts 6 operations per weight and example (forward, and backward to inputs
and weights) and nothing else, so that activations, optimizer, masks and batches all lower the share. The
second table takes one part of the step away at a time. Rates are the best of `--repeats` epochs, as
everything that disturbs makes them lower; the matrix rate is measured again beside each row. Prints Markdown.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from study import population
from study.environment import processor
from study.packing import packs
from study.training import Training

DEPTH, BATCH, IMAGES = 6, 128, 1024
BASE = Training(
    dataset="digits",
    train_size=IMAGES,
    architecture="mlp",
    architecture_arguments=(("depth", DEPTH), ("width", 128)),
    activation="mish",
    epochs=1,
    batch_size=BATCH,
    optimizer="adam",
    learning_rate=0.001,
    sweep_seed=0,
    configuration="0" * 16,
    replicate=0,
)
PARTS: dict[str, dict[str, Any]] = {
    "as the quickstart: mish, adam": {},
    "relu instead of mish": {"activation": "relu"},
    "plain SGD instead of Adam": {"optimizer": "sgd"},
    "both": {"activation": "relu", "optimizer": "sgd"},
    "with dropout": {"dropout": 0.2},
    "with batch normalization": {"batch_normalization": True},
    "with input noise": {"input_noise": 0.1},
    "with shifts": {"augmentation": "shift"},
    "with mixup": {"mixup": 0.2},
}


def best_of(repeats: int, call: Callable[[], float]) -> float:
    """Return the shortest of several times, in seconds."""
    return min(call() for _ in range(repeats))


def matrix_rate(repeats: int) -> float:
    """Return the rate of a large matrix product, in floating point operations per second."""
    import jax
    import jax.numpy as jnp

    size = 2048
    matrix = jnp.full((size, size), 0.5, jnp.float32)
    product = jax.jit(jnp.matmul)
    product(matrix, matrix).block_until_ready()

    def once() -> float:
        started = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        return time.perf_counter() - started

    return 2.0 * size**3 / best_of(repeats, once)


def step_rate(training: Training, members: int, repeats: int) -> tuple[float, float]:
    """Return the rate of an epoch of a pack, in operations per second, and the seconds to compile it."""
    import jax

    trainings = [replace(training, replicate=number) for number in range(members)]
    pack = packs(trainings, members)[0]
    engine = population.PopulationEngine()
    started = time.perf_counter()
    compiled = population.CompiledPopulation(pack, engine.load("digits", training.train_size))
    compiling = time.perf_counter() - started
    state, fixed = compiled._begin(pack)
    batches = compiled._batches(pack, 0)

    def once() -> float:
        nonlocal state
        started = time.perf_counter()
        state, seen = compiled._epoch(state, fixed, compiled._data, *batches)
        jax.block_until_ready((state, seen))
        return time.perf_counter() - started

    width = int(dict(training.architecture_arguments)["width"])
    weights = 64 * width + (DEPTH - 2) * width**2 + width * 10
    operations = 6.0 * weights * BATCH * (IMAGES // BATCH) * members
    return operations / best_of(repeats, once), compiling


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description="Share of the matrix rate that a population step reaches.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--widths", default="64,128,256,500,1024")
    parser.add_argument("--members", default="1,8,24,64,256")
    arguments = parser.parse_args()
    device = population.configure(arguments.threads)
    cores = os.cpu_count()
    print(f"{processor()}, {cores} cores, {device}, {arguments.threads} threads, float32.\n")
    print("| width | members | GFLOP/s | matrix rate beside | share | compiled in, s |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for width in map(int, arguments.widths.split(",")):
        for members in map(int, arguments.members.split(",")):
            if width**2 * members > 2**26:  # beyond a gigabyte of weights and moments
                continue
            training = replace(BASE, architecture_arguments=(("depth", DEPTH), ("width", width)))
            rate, compiling = step_rate(training, members, arguments.repeats)
            limit = matrix_rate(arguments.repeats)
            row = f"| {width} | {members} | {rate / 1e9:.1f} | {limit / 1e9:.1f} | {rate / limit:.0%}"
            print(f"{row} | {compiling:.1f} |", flush=True)
    print("\n| 24 members | width 128: share | width 500: share |")
    print("|---|---:|---:|", flush=True)
    for name, changes in PARTS.items():
        shares = [
            step_rate(
                replace(BASE, architecture_arguments=(("depth", DEPTH), ("width", width)), **changes),
                24,
                arguments.repeats,
            )[0]
            / matrix_rate(arguments.repeats)
            for width in (128, 500)
        ]
        print(f"| {name} | {shares[0]:.0%} | {shares[1]:.0%} |", flush=True)


if __name__ == "__main__":
    main()
