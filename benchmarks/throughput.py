"""Trainings per hour of sweeps and of what one would write instead: python benchmarks/throughput.py WORKLOAD.

Every side trains the same settings on the same data for the same epochs and scores the same metric, each in
processes of its own that are timed from start to end, compile time and all. The sides run in turn,
`--repeats` times, the order turned round each time, and ratios are taken within a round. Peers:

- plain: the loop that the tutorials of Optuna, Keras and MLflow show together (`peers/plain.py`);
- processes: that loop in two processes at once, half of the trainings each, one thread each;
- tuner: KerasTuner's grid search (`peers/tuner.py`);
- torch: a hand-written PyTorch loop (`peers/torch_loop.py`).

The last two need `--peers PYTHON`: the interpreter of an environment with TensorFlow, Keras and what
`peers/requirements.txt` lists. Ours are `fit`, `population`, and `warm`: the latter with the programs that
the run before it compiled. The time that a sweep of `population` spends on its check against `fit` is
shown apart, and so is what the trainings took by themselves, compilation included, without processes that
start, ledger, MLflow, table, figures and report.

With `--of N` the peers train the first N only, and nothing once: their seconds for all are those for nothing,
and those beyond them in proportion. Prints Markdown.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median

import numpy as np

from study import datasets, ledger
from study.environment import processor
from study.training import Training
from sweeps import design
from sweeps.spec import parse

PEERS = Path(__file__).parent / "peers"
_UNIFORM = """
name = "uniform"
question = "How many equal programs train in an hour?"
focus = "mish"
activations = ["relu", "swish"]
dataset = "{dataset}"
train_size = {train_size}
architecture = "{architecture}"
configurations = {configurations}
replicated_share = 0.0
epochs = {epochs}
delta = 1.0
[factors.learning_rate]
role = "condition"
low = 0.5
high = 8.0
log = true
relative = true
[fixed]
depth = {depth}
width = {width}
batch_size = {batch_size}
"""

_DIGITS = {"architecture": "mlp", "dataset": "digits", "train_size": 1078, "configurations": 32, "epochs": 20}
_MNIST = {"architecture": "mlp", "dataset": "mnist", "train_size": 50_000, "configurations": 8, "epochs": 2}
_LARGE = {**_MNIST, "train_size": 12_800, "configurations": 4, "epochs": 1}
_SMALL = {"depth": 4, "width": 64, "batch_size": 64}
_WIDE = {"depth": 15, "width": 500, "batch_size": 128}
_LENET = {"architecture": "convmlp", "depth": 4, "width": 100, "batch_size": 64}

WORKLOADS: dict[str, str] = {
    "uniform-digits": _UNIFORM.format(**_DIGITS, **_SMALL),
    "uniform-mnist": _UNIFORM.format(**_MNIST, **_SMALL),
    "wide-mnist": _UNIFORM.format(**_LARGE, **_WIDE),
    "lenet-mnist": _UNIFORM.format(**{**_LARGE, **_LENET}),
    "joint-digits": Path("sweeps/quickstart.toml").read_text(encoding="utf-8"),
}
"""Name to spec: one program for all, on little and on more data; arithmetic as the limit, in dense layers
and in convolutions; a joint design."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One side of one round: seconds in all, of the trainings alone, of the check; mean test accuracy."""

    seconds: float
    accuracy: float
    training: float | None = None
    checking: float | None = None


def _timed(*commands: Sequence[str], environment: dict[str, str] | None = None) -> float:
    """Return the seconds that commands take side by side."""
    started = time.perf_counter()
    running = [
        subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **(environment or {})},
        )
        for command in commands
    ]
    for process in running:
        _, printed = process.communicate()
        if process.returncode:
            sys.exit(f"{process.args} failed: {printed.decode()[-2000:]}")
    return time.perf_counter() - started


def _handed_out(trainings: Sequence[Training], data: datasets.Dataset, folder: Path) -> Path:
    """Write what a peer is given to a folder."""
    folder.mkdir(parents=True)
    values = [training.to_json() for training in trainings]
    (folder / "trainings.json").write_text(json.dumps(values), encoding="utf-8")
    cuts = {"train": data.train, "validation": data.validation, "test": data.test}
    arrays = {f"x_{name}": cut.x for name, cut in cuts.items()}
    arrays |= {f"y_{name}": cut.y.astype(np.int64) for name, cut in cuts.items()}
    np.savez(folder / "data.npz", allow_pickle=False, **arrays)
    return folder


def peer(
    script: str,
    python: str,
    parts: int,
    trainings: Sequence[Training],
    of: int,
    data: datasets.Dataset,
    folder: Path,
) -> Timed:
    """Time a peer on the first `of` trainings, in `parts` processes at once, and scale it to all of them."""
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"} if parts > 1 else None

    def once(given: Sequence[Training], name: str) -> tuple[float, list[float]]:
        folders = [_handed_out(given[i::parts], data, folder / name / str(i)) for i in range(parts)]
        seconds = _timed(*([python, str(PEERS / script), str(each)] for each in folders), environment=threads)
        scores = [json.loads((each / "scores.json").read_text(encoding="utf-8")) for each in folders]
        return seconds, [score for part in scores for score in part]

    seconds, scores = once(trainings[:of], "first")
    if of < len(trainings):
        nothing, _ = once([], "nothing")
        seconds = nothing + (seconds - nothing) * len(trainings) / of
    return Timed(seconds, fmean(scores))


def ours(engine: str, spec: Path, home: Path) -> Timed:
    """Time a sweep: ledger, Optuna, MLflow, table and report are part of it."""
    command = [sys.executable, "-m", "mishstudy", "sweep", str(spec), "--home", str(home), "--engine", engine]
    seconds = _timed(command)
    record = ledger.read(next(home.glob("*/ledger.jsonl")), curves=False)
    results = [entry.result for entry in record.entries]
    scores = (result.metrics.get("test_accuracy", 0.0) for result in results)
    training, checking = (
        sum(result.seconds + result.build_seconds for result in some) if some else None
        for some in (results, record.checks.values())
    )
    return Timed(seconds, fmean(scores), training, checking)


def warm(spec: Path, home: Path, folder: Path) -> Timed:
    """Time a sweep of `population` in a home that has its compiled programs already."""
    folder.mkdir(parents=True)
    shutil.copytree(home / "compiled", folder / "compiled")
    return ours("population", spec, folder)


def main() -> None:
    """Time the sides in turn and print a table."""
    parser = argparse.ArgumentParser(description="Trainings per hour of every side.")
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", help="interpreter for the sides tuner and torch")
    parser.add_argument("--sides", help="comma-separated; all that can run by default")
    parser.add_argument("--configurations", type=int, help="other than the workload has")
    parser.add_argument("--epochs", type=int, help="other than the workload has")
    parser.add_argument("--of", type=int, help="trainings of a peer; all by default")
    arguments = parser.parse_args()
    text = WORKLOADS[arguments.workload]
    for key in ("configurations", "epochs"):
        if number := getattr(arguments, key):
            text = re.sub(rf"^{key} = \d+", f"{key} = {number}", text, flags=re.MULTILINE)
    spec = parse(text, arguments.workload)
    folder = os.environ.get("MISHSTUDY_DATA")
    data = datasets.load(spec.dataset, Path(folder) if folder else None, spec.train_size)
    trainings = [item.training for item in design.trainings(spec)]
    of = min(arguments.of or len(trainings), len(trainings))
    sides: dict[str, Callable[[Path], Timed]] = {
        "plain": partial(peer, "plain.py", sys.executable, 1, trainings, of, data),
        "processes": partial(peer, "plain.py", sys.executable, 2, trainings, of, data),
    }
    if arguments.peers:
        sides["tuner"] = partial(peer, "tuner.py", arguments.peers, 1, trainings, of, data)
        sides["torch"] = partial(peer, "torch_loop.py", arguments.peers, 1, trainings, of, data)
    rounds: dict[str, list[Timed]] = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "workload.toml"
        path.write_text(text, encoding="utf-8")
        for engine in ("fit", "population"):
            sides[engine] = lambda home, engine=engine: ours(engine, path, home)
        sides["warm"] = lambda home: warm(path, home.with_name("population"), home)
        chosen = arguments.sides.split(",") if arguments.sides else list(sides)
        cold = [side for side in chosen if side != "warm"]
        for number in range(arguments.repeats):
            turn = Path(name) / str(number)
            for side in [*(reversed(cold) if number % 2 else cold), *(set(chosen) - set(cold))]:
                rounds.setdefault(side, []).append(sides[side](turn / side))
                print(f"round {number + 1}: {side} {rounds[side][-1].seconds:.1f} s", file=sys.stderr)
    versions = ", ".join(f"{package} {version(package)}" for package in ("tensorflow", "jax", "keras"))
    machine = f"{processor()}, {os.cpu_count()} cores"
    print(f"\n{len(trainings)} trainings of {arguments.workload}, {of} of a peer; {machine}; {versions}.\n")
    print("| side | seconds (range) | in training | in the check | each | an hour | times plain | accuracy |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for side in chosen:
        seconds = [one.seconds for one in rounds[side]]
        pairs = zip(rounds.get("plain", rounds[side]), rounds[side], strict=True)
        ratios = [plain.seconds / one.seconds for plain, one in pairs]
        each = median(seconds) / len(trainings)
        print(
            f"| {side} | {_shown(seconds)} | {_shown([one.training for one in rounds[side]])} "
            f"| {_shown([one.checking for one in rounds[side]])} | {each:.3f} | {3600 / each:,.0f} "
            f"| {_shown(ratios)} | {fmean(one.accuracy for one in rounds[side]):.2f} |"
        )


def _shown(values: Sequence[float | None]) -> str:
    """Return median and range, or a dash where there is nothing."""
    known = [value for value in values if value is not None]
    return f"{median(known):.1f} ({min(known):.1f} to {max(known):.1f})" if known else "-"


if __name__ == "__main__":
    main()
