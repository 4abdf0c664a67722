"""A pack against a loop of `model.fit` on the same device: python benchmarks/device_throughput.py.

For a GPU, though it runs on a CPU: it takes JAX, Keras and NumPy and makes its images up, so that neither
TensorFlow nor a data set need be there. *Loop* is Keras on JAX as one writes it, a network built, compiled
and fitted for each training; *compiled* is the second `fit` of one network, which compiles nothing. A pack's
time of a training is its share, scoring included, which the loop does not do; compilation stands beside it.
Float32 throughout, with JAX's highest precision of products: no TensorFloat-32. *Share* is that of the rate
of a large matrix product which a pack reaches, 6 operations counted per weight and image; of convolutions
there is none. What does not fit into memory is left out and said. Prints Markdown.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

import argparse
import os
import time
from dataclasses import replace

import numpy as np
from matrix_rate import matrix_rate

from study import population
from study.datacards import DataCard
from study.datasets import Cut, Dataset
from study.packing import packs
from study.programs import program_of
from study.training import Status, Training

IMAGES, SCORED = 8192, 256
NETWORKS: dict[str, tuple[str, dict[str, int | float], tuple[int, int, int]]] = {
    "15 x 500": ("mlp", {"depth": 15, "width": 500}, (28, 28, 1)),
    "4 x 64": ("mlp", {"depth": 4, "width": 64}, (28, 28, 1)),
    "LeNet": ("lenet4", {"width_multiplier": 1.0}, (28, 28, 1)),
    "ResNet-20": ("resnet_v1", {"depth": 20, "width_multiplier": 1.0}, (32, 32, 3)),
}


def made_up(shape: tuple[int, int, int]) -> Dataset:
    """Return random images of ten classes."""
    rng = np.random.default_rng(0)
    train, validation, test = (
        Cut(rng.standard_normal((size, *shape), np.float32), rng.integers(10, size=size).astype(np.int32))
        for size in (IMAGES, SCORED, SCORED)
    )
    card = DataCard(
        name="made-up", title="Made up", input_shape=shape, classes=10, train_size=IMAGES,
        validation_size=SCORED, test_size=SCORED, flip_allowed=False, licence="none", source="random numbers",
    )  # fmt: skip
    return Dataset(card, train, validation, test, "0" * 16)


def training_of(name: str, epochs: int, batch: int) -> Training:
    """Return a training of one of the networks."""
    architecture, arguments, _ = NETWORKS[name]
    return Training(
        dataset="made-up", train_size=None, architecture=architecture,
        architecture_arguments=tuple(sorted(arguments.items())), activation="mish", epochs=epochs,
        batch_size=batch, optimizer="adam", learning_rate=0.001, sweep_seed=0, configuration="0" * 16,
        batch_normalization=architecture == "resnet_v1", replicate=0,
    )  # fmt: skip


def loop(training: Training, data: Dataset) -> tuple[float, float]:
    """Return the seconds of a training of the loop, and of one whose network is compiled already."""
    import keras

    from study import activations, architectures
    from study.layers import Rates

    started = time.perf_counter()
    mish = activations.get(training.activation)
    model = architectures.build(program_of(training), data.card.input_shape, 10, mish, Rates(dropping=False))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(training.learning_rate), loss, metrics=["accuracy"])
    seconds: list[float] = []
    for _ in range(2):
        model.fit(
            data.train.x, data.train.y, batch_size=training.batch_size, epochs=training.epochs, verbose=0
        )
        seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
    return seconds[0], seconds[1]


def pack(training: Training, members: int, data: Dataset) -> tuple[float, float] | None:
    """Return the seconds to compile a pack and to train it; None where memory does not suffice."""
    together = packs([replace(training, replicate=number) for number in range(members)], members)[0]
    started = time.perf_counter()
    try:
        compiled = population.CompiledPopulation(together, data)
        compiling = time.perf_counter() - started
        started = time.perf_counter()
        results = list(compiled.train(together))
    except Exception as error:
        if population.is_out_of_memory(error):
            return None
        raise
    assert all(result.status in (Status.OK, Status.DIVERGED) for result in results)
    return compiling, time.perf_counter() - started


def weights_of(name: str) -> int | None:
    """Return the weights of a dense network in which an image takes part once each."""
    architecture, arguments, shape = NETWORKS[name]
    if architecture != "mlp":
        return None
    depth, width = int(arguments["depth"]), int(arguments["width"])
    return int(np.prod(shape)) * width + (depth - 2) * width**2 + width * 10


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="A pack against a loop of model.fit on the same device.")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="with commas between")
    parser.add_argument("--members", default="1,4,16,64,256,1024")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1, help="on a CPU")
    asked = parser.parse_args()
    device = population.configure(asked.threads)
    print(f"{device}, {os.cpu_count()} cores, float32, {asked.epochs} epochs of {IMAGES} images.\n")
    print(
        "| network | members | compiled in, s | a training, ms | loop, ms | compiled, ms | times loop "
        "| times compiled | share |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for name in asked.networks.split(","):
        data, training = made_up(NETWORKS[name][2]), training_of(name, asked.epochs, asked.batch)
        cold, warm = loop(training, data)
        for members in map(int, asked.members.split(",")):
            taken = pack(training, members, data)
            if taken is None:
                print(f"| {name} | {members} | does not fit into memory | | | | | | |", flush=True)
                break
            each, weights = taken[1] / members, weights_of(name)
            rate = 6.0 * weights * IMAGES * asked.epochs / each / matrix_rate(5) if weights else None
            print(
                f"| {name} | {members} | {taken[0]:.1f} | {1e3 * each:.1f} | {1e3 * cold:.0f} "
                f"| {1e3 * warm:.0f} | {cold / each:.1f} | {warm / each:.1f} "
                f"| {'-' if rate is None else f'{rate:.0%}'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
