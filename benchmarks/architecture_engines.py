"""Which engine trains a network faster: python benchmarks/architecture_engines.py lenet4 resnet_v1 ...

Each engine trains in a process of its own, with one thread, two epochs of 256 images of digits: `fit` three
networks one after another, `population` three packs of eight. Prints seconds of a training (of a pack: its
share), smallest to largest, without building, and seconds to build.
"""

import argparse
import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from study.architectures import ARCHITECTURES
from study.packing import Group, Pack, groups, packs
from study.training import Training
from sweeps.training_process import ENGINES

REPEATS, MEMBERS = 3, 8


def training_of(name: str, width_multiplier: float) -> Training:
    """Return a short training of a network at its defaults."""
    entry = ARCHITECTURES[name]
    arguments = {key: argument.default for key, argument in entry.arguments.items()}
    if "width_multiplier" in arguments:
        arguments["width_multiplier"] = width_multiplier
    return Training(
        dataset="digits",
        train_size=256,
        architecture=name,
        architecture_arguments=tuple(sorted(arguments.items())),
        activation="mish",
        epochs=2,
        batch_size=32,
        optimizer="adam",
        learning_rate=0.001,
        batch_normalization=entry.batch_normalization,
        sweep_seed=1,
        configuration="0",
        replicate=0,
    )


def measure(engine_name: str, name: str, width_multiplier: float) -> None:
    """Train with one engine and print a line."""
    module_name, class_name = ENGINES[engine_name]
    module = importlib.import_module(module_name)
    module.configure(1)
    engine = getattr(module, class_name)()
    one = training_of(name, width_multiplier)
    count = REPEATS * (MEMBERS if engine_name == "population" else 1)
    trainings = [replace(one, replicate=number) for number in range(count)]
    taken: list[Group | Pack] = (
        [*packs(trainings, MEMBERS)] if engine_name == "population" else [*groups(trainings)]
    )
    results = list(engine.train(taken))
    seconds = [result.seconds for result in results]
    built = max(result.build_seconds for result in results)
    print(
        f"{name} x {width_multiplier:g}, {engine_name}: {min(seconds):.2f} to {max(seconds):.2f} s, "
        f"built in {built:.0f} s",
        flush=True,
    )


def main() -> None:
    """Measure the networks that are asked for with every engine that they are for."""
    parser = argparse.ArgumentParser(description="Which engine trains a network faster.")
    parser.add_argument("names", nargs="+", choices=sorted(ARCHITECTURES))
    parser.add_argument("--width-multiplier", type=float, default=1.0)
    parser.add_argument("--engine", choices=sorted(ENGINES), help="in this process, only this one")
    asked = parser.parse_args()
    for name in asked.names:
        if asked.engine:
            measure(asked.engine, name, asked.width_multiplier)
            continue
        for engine in ARCHITECTURES[name].engines:
            command = [sys.executable, __file__, name, "--engine", engine]
            command += ["--width-multiplier", str(asked.width_multiplier)]
            subprocess.run(command, check=True, cwd=Path(__file__).parents[1])


if __name__ == "__main__":
    main()
