"""What the sweeps that ship ask and cost, as `mishstudy plan` says it: python benchmarks/sweep_costs.py.

Prints the table of docs/sweeps.md. Nothing is trained: times are what `plan` assumes in a home without
timings, on two cores of the machine and, at a rate that can be given (`--teraflops`), on a GPU.
"""

import argparse
import os
import tempfile
from pathlib import Path

from study.datacards import DATASETS
from sweeps.costs import GPU_TERAFLOPS
from sweeps.engines import choose
from sweeps.home import Home
from sweeps.plan import make_plan
from sweeps.spec import SweepSpec, load

ROOT = Path(__file__).parents[1]
SWEEPS, DOCS = ROOT / "sweeps", ROOT / "docs"
CORES = 2


def network(spec: SweepSpec) -> str:
    """Return the network with its depth, where that is fixed."""
    depth = spec.constants.get("depth")
    return spec.architecture if depth is None else f"{spec.architecture}, depth {depth}"


def varied(spec: SweepSpec) -> str:
    """Return how many settings there are of what."""
    names = [*spec.factors]
    if spec.searches is not None:
        return f"{spec.searches.repeats} searches of {spec.searches.trials} trials over {len(names)} settings"
    if spec.design == "paired":
        return f"{spec.configurations} draws of {len(names)} factors"
    levels = [len(factor.levels or ()) for factor in spec.factor_list]
    walks = ", ".join(f"{count} of `{name}`" for name, count in zip(names, levels, strict=True))
    return f"{walks or 'one'}, {spec.replicates} seeds"


def hours(value: float) -> str:
    """Return hours to two significant digits."""
    if value < 0.01:
        return "< 0.01"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def row(spec: SweepSpec, teraflops: float) -> str:
    """Return the line of one sweep."""
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(spec, Home(Path(folder)), *choose("auto", spec), teraflops=teraflops)
    page = f"results/{spec.name}.md"
    cells = [
        f"`{spec.name}`",
        spec.question,
        DATASETS[spec.dataset].title,
        network(spec),
        varied(spec),
        f"{plan.trainings:,}",
        hours(plan.cost.seconds / 3600),
        hours(plan.cost.gpu_seconds / 3600),
        f"[page]({page})" if (DOCS / page).exists() else "-",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What the sweeps that ship ask and cost.")
    parser.add_argument(
        "--teraflops", type=float, default=GPU_TERAFLOPS, help="assumed of one GPU, float32, sustained"
    )
    teraflops = parser.parse_args().teraflops
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    times = f"hours, {CORES} cores | hours, GPU at {teraflops:g} TFLOP/s"
    print(f"| sweep | question | data | network | settings | trainings | {times} | results |")
    print("|---|---|---|---|---|---:|---:|---:|---|")
    for path in sorted(SWEEPS.glob("*.toml")):
        print(row(load(path), teraflops), flush=True)


if __name__ == "__main__":
    main()
