"""What a criteria table costs: python benchmarks/table_costs.py. Ten factors, five rivals, simulated runs.

Prints processor seconds of the table alone and the peak memory of this process, as Markdown. The larger sweep
has 100,000 trainings.
"""

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from simulated_runs import Truth, simulate  # pyright: ignore[reportMissingImports] of the tests

from analysis.criteria import criteria_table
from study.environment import processor


def main() -> None:
    """Make a table of a small and of a large sweep."""
    print(f"{processor()}, {os.cpu_count()} cores.\n")
    print("| configurations | trainings | processor time, s | peak memory, MiB |")
    print("|---:|---:|---:|---:|")
    for configurations in (120, 16_667):
        truth = Truth(
            configurations=configurations,
            rivals=("relu", "swish", "gelu", "elu", "selu"),
            failure_rate=0.02,
            effect=lambda drawn: np.where(drawn["depth"] > 15, 1.0, -1.0),
        )
        runs = simulate(truth, np.random.default_rng(1))
        started = time.process_time()
        criteria_table(runs, truth.question)
        seconds = time.process_time() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {configurations} | {len(runs)} | {seconds:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
