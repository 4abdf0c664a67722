"""Measure what `mishstudy plan` assumes without timings: python benchmarks/step_costs.py ENGINE.

Trains small networks on digits with one thread and fits by least squares with no negative part: an epoch
costs, a layer of a step costs, arithmetic runs at a rate; a program costs, and each of its layers. Prints
what `sweeps/speeds.py` assumes beside it and how far off either is.
"""

import argparse
import importlib
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from study.packing import MEMBERS, Group, Pack, groups, packs
from study.training import Status, Training
from sweeps import design
from sweeps.operations import operations, steps
from sweeps.spec import parse
from sweeps.speeds import SPEEDS
from sweeps.training_process import ENGINES

SPEC = """
name = "costs"
question = "What does a step cost?"
focus = "mish"
activations = ["relu"]
dataset = "digits"
architecture = "mlp"
configurations = 2
epochs = {epochs}
delta = 1.0
[factors.learning_rate]
role = "nuisance"
levels = [0.001, 0.002]
[fixed]
depth = {depth}
width = {width}
batch_size = {batch_size}
optimizer = "adam"
"""
DEPTHS, WIDTHS, BATCH_SIZES, EPOCHS = (3, 6, 12), (16, 128, 512), (16, 128), (2, 10)


def grouped(engine: str, training: Training) -> Sequence[Group | Pack]:
    """Return a full pack of the training's replicates, or three of them for an engine without packs."""
    members = [replace(training, replicate=number) for number in range(MEMBERS["cpu"])]
    return packs(members, MEMBERS["cpu"]) if engine == "population" else groups(members[:3])


def main() -> None:
    """Train the grid, fit, print."""
    parser = argparse.ArgumentParser(description="Measure what a step and a program cost.")
    parser.add_argument("engine", choices=sorted(ENGINES))
    name = parser.parse_args().engine
    module_name, class_name = ENGINES[name]
    module = importlib.import_module(module_name)
    module.configure(1)
    engine = getattr(module, class_name)()
    rows: list[list[float]] = []
    seconds: list[float] = []
    assumed: list[float] = []
    builds: list[tuple[int, float]] = []
    for depth, width, batch_size, epochs in itertools.product(DEPTHS, WIDTHS, BATCH_SIZES, EPOCHS):
        text = SPEC.format(depth=depth, width=width, batch_size=batch_size, epochs=epochs)
        training = design.trainings(parse(text, "costs"))[0].training
        results = list(engine.train(grouped(name, training)))
        assert all(result.status is Status.OK for result in results)
        rows.append([epochs, steps(training) * depth, operations(training)])
        seconds.append(min(result.seconds for result in results))
        assumed.append(SPEEDS[name].training(training))
        if results[0].build_seconds:
            builds.append((depth, results[0].build_seconds))
    # Relative errors count, not absolute ones: each row is divided by its own time.
    matrix, measured = np.asarray(rows), np.asarray(seconds)
    (epoch, layer, operation), _ = nnls(matrix / measured[:, None], np.ones(len(measured)))
    depths, times = np.asarray(builds).T
    (build, build_layer), _ = nnls(np.stack([np.ones_like(depths), depths], axis=1), times)
    fitted = matrix @ [epoch, layer, operation]
    speed = SPEEDS[name]
    print(f"| {name} | assumed | fitted here |")
    print("|---|---:|---:|")
    for field, value in (
        ("epoch", epoch),
        ("layer_step", layer),
        ("flops", 1.0 / operation if operation else float("inf")),
        ("build", build),
        ("build_layer", build_layer),
    ):
        print(f"| {field} | {getattr(speed, field):.2g} | {value:.2g} |")
    for title, guessed in (("fitted", fitted), ("assumed", np.asarray(assumed))):
        ratios = sorted(measured / guessed)
        print(
            f"\nMeasured over {title}: median {statistics.median(ratios):.2f}, "
            f"from {ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} trainings."
        )


if __name__ == "__main__":
    main()
