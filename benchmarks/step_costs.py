"""Measure what `mishstudy plan` assumes where a home has no timings yet: python benchmarks/step_costs.py.

Trains small networks on digits with the reference engine, one thread, and fits by least squares with no
negative part: an epoch costs, a layer of a step costs, arithmetic runs at a rate; a program costs, and each
of its layers. Prints the constants of `sweeps/plan.py` and how far off they are.
"""

import itertools
import statistics

import numpy as np
from scipy.optimize import nnls

from study.fit import FitEngine, configure
from study.training import Status, TrainingResult
from sweeps import plan
from sweeps.spec import parse

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
REPEATS = 3


def main() -> None:
    """Train the grid, fit, print."""
    configure(1)
    engine = FitEngine()
    grid = list(itertools.product(DEPTHS, WIDTHS, BATCH_SIZES))
    step_rows: list[list[float]] = []
    build_rows: list[list[float]] = []
    seconds: list[float] = []
    builds: list[float] = []
    assumed: list[float] = []
    for depth, width, batch_size in grid:
        for epochs in EPOCHS:
            text = SPEC.format(depth=depth, width=width, batch_size=batch_size, epochs=epochs)
            training = plan.planned_trainings(parse(text, "costs"))[0].training
            results: list[TrainingResult] = list(engine.train([training] * REPEATS))
            assert all(result.status is Status.OK for result in results)
            steps, arithmetic = plan.steps_of(training), plan.arithmetic_of(training)
            step_rows.append([epochs, steps * depth, steps * arithmetic])
            seconds.append(min(result.seconds for result in results))
            assumed.append(plan.training_seconds(training))
            if results[0].build_seconds:
                build_rows.append([1.0, depth])
                builds.append(results[0].build_seconds)
    # Relative errors count, not absolute ones: each row is divided by its own time.
    weights = 1.0 / np.asarray(seconds)
    (epoch, layer, operation), _ = nnls(np.asarray(step_rows) * weights[:, None], np.ones(len(seconds)))
    (program, program_layer), _ = nnls(np.asarray(build_rows), np.asarray(builds))
    fitted = np.asarray(step_rows) @ [epoch, layer, operation]
    print("| constant of sweeps/plan.py | assumed | fitted here |")
    print("|---|---:|---:|")
    for name, value in (
        ("SECONDS_PER_EPOCH", epoch),
        ("SECONDS_PER_LAYER_STEP", layer),
        ("FLOPS", 1.0 / operation if operation else float("inf")),
        ("SECONDS_TO_BUILD", program),
        ("SECONDS_TO_BUILD_A_LAYER", program_layer),
    ):
        print(f"| {name} | {getattr(plan, name):.2g} | {value:.2g} |")
    for title, guessed in (("fitted", fitted), ("assumed", np.asarray(assumed))):
        ratios = sorted(np.asarray(seconds) / guessed)
        print(
            f"\nMeasured over {title}: median {statistics.median(ratios):.2f}, "
            f"from {ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} trainings."
        )


if __name__ == "__main__":
    main()
