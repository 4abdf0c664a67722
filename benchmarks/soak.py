"""A long sweep under random faults: python benchmarks/soak.py --minutes 60.

The command line itself is run, with ledger, Optuna's journal, a real `mlflow server`, the cross-check and the
report; only the networks are a stub, in a real training process, which takes as long for each training as
makes the sweep last about `--minutes`. Of its trainings one in a hundred raises, the same ones in every run.
Meanwhile, at random moments drawn from `--seed`:

- the driver is killed (SIGKILL) and started again;
- the training process is killed;
- the MLflow server is killed, or stopped so that it answers nothing (SIGSTOP), and comes back later.

When the minutes are over the sweep runs to its end undisturbed, with the same command until MLflow has
everything. It is then compared with a run of the same sweep that nobody disturbed: no training is missing or
recorded twice, the ledger is the same apart from times, and the table is the same byte for byte in two
formats; MLflow must hold every run once. Prints Markdown; ends with 1 where anything differs.

With `--calm` nothing is killed: then memory and file handles are those of one driver that lives all the time.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from stub_specs import ACTIVATIONS, spec_text

from study import ledger
from study.environment import processor
from study.mlflow_database import make_whole
from study.packing import Group, Pack
from study.reports import EpochDone, Report
from study.training import Status, Training, TrainingResult
from sweeps import training_process

NAME = "soak"
_REPLICATES = 5
OF_A_CONFIGURATION = _REPLICATES * ACTIVATIONS
JIT_COMPILE = False
_PACE = "SOAK_MILLISECONDS"
_TIMED = ("seconds", "build_seconds", "examples_per_second", "peak_memory_mib")
_SAMPLES = 40


@dataclass(frozen=True, slots=True)
class StubData:
    """Stands for a data set that is loaded."""

    digest: str = "0" * 16

    def guess(self) -> dict[str, float]:
        """Return what guessing scores."""
        return {"accuracy": 10.0, "loss": 2.3}


class StubEngine:
    """Takes the place of an engine in the training process: results made from the digests of trainings."""

    def __init__(self, data: Path | None, report: Callable[[Report], None]) -> None:
        del data
        self._report = report
        self._pause = float(os.environ.get(_PACE, "0")) / 1000

    def load(self, dataset: str, train_size: int | None) -> StubData:
        """Return the data set's place holder."""
        del dataset, train_size
        return StubData()

    def check(self, trainings: Sequence[Training]) -> None:
        """Find nothing wrong."""

    def train(self, groups: Sequence[Group | Pack]) -> Iterator[TrainingResult]:
        """Give each training its result, those of a pack together at its end."""
        for group in groups:
            trainings = group.trainings
            if isinstance(group, Pack):
                time.sleep(self._pause * len(trainings))
                self._report(EpochDone(trainings=len(trainings), epoch=4, epochs=4))
            for training in trainings:
                if not isinstance(group, Pack):
                    time.sleep(self._pause)
                yield _result(training)


def _result(training: Training) -> TrainingResult:
    draw = int(training.digest[:8], 16)
    if draw % 100 == 0:
        return TrainingResult(
            digest=training.digest, status=Status.ERROR, reason="ValueError: raised on purpose"
        )
    score = 80.0 + draw % 1000 / 100
    metrics = {
        f"{cut}_{kind}": score for cut in ("train", "validation", "test") for kind in ("accuracy", "loss")
    }
    curve = {"train_loss": (2.0, 1.5, 1.2, 1.0), "validation_accuracy": (20.0, 50.0, 70.0, score)}
    return TrainingResult(
        digest=training.digest, status=Status.OK, metrics=metrics, curve=curve, checkpoint_epoch=4,
        seconds=0.01, examples_per_second=1000.0,
    )  # fmt: skip


def configure(threads: int) -> str:
    """Be an engine's module: name the device."""
    del threads
    return "cpu"


# The training process imports this file as its main module, so that it finds the stub too.
training_process.ENGINES.update(dict.fromkeys(("fit", "population"), ("__main__", "StubEngine")))


@dataclass
class MlflowServer:
    """An MLflow server that can be taken away."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Address for the driver."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, without waiting for it."""
        command = [
            *(str(Path(sys.executable).with_name("mlflow")), "server", "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"),
            *("--artifacts-destination", str(self.folder / "artifacts"), "--port", str(self.port)),
        ]
        variables = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env={**os.environ, **variables}
            )

    def keep(self) -> None:
        """Start it again where it has ended by itself, as on a database that a killed one left locked."""
        if self.process is not None and self.process.poll() is not None:
            self.start()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and its workers."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
        if number is signal.SIGKILL and self.process is not None:
            self.process.wait()
            self.process = None


@dataclass
class Soaked:
    """The sweep under faults, and what was seen of it."""

    folder: Path
    spec: Path
    options: argparse.Namespace
    server: MlflowServer
    milliseconds: float
    faults: Counter[str] = field(default_factory=Counter[str])
    samples: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])
    lives: int = 0
    born: float = 0.0
    driver: "subprocess.Popen[bytes] | None" = None
    began: float = field(default_factory=time.monotonic)

    @property
    def ledger(self) -> Path:
        """The ledger of the sweep."""
        return self.folder / "home" / NAME / "ledger.jsonl"

    def start_driver(self) -> None:
        """Start the same command again."""
        self.lives, self.born = self.lives + 1, time.monotonic()
        self.driver = _start(
            self.folder, self.spec, self.options, self.milliseconds, "--tracking-uri", self.server.url
        )

    def training_process(self) -> psutil.Process | None:
        """Return the child that trains, if there is one."""
        assert self.driver is not None
        try:
            children = psutil.Process(self.driver.pid).children()
            found = [each for each in children if "spawn_main" in " ".join(each.cmdline())]
        except psutil.Error:
            return None
        return found[0] if found else None

    def sample(self) -> None:
        """Note memory and file handles of the driver and its child."""
        assert self.driver is not None
        now = time.monotonic()
        trained = self.ledger.read_bytes().count(b'"kind":"training"') if self.ledger.exists() else 0
        numbers = [(now - self.began) / 60, self.lives, (now - self.born) / 60, trained]
        child = self.training_process()
        for number in (self.driver.pid, child.pid if child else None):
            numbers += _seen(number)
        self.samples.append(tuple(numbers))


def _seen(number: int | None) -> tuple[float, float, float]:
    """Return memory in MiB, file handles and threads of a process, where it lives."""
    nothing = float("nan")
    if number is None:
        return nothing, nothing, nothing
    try:
        process = psutil.Process(number)
        return process.memory_info().rss / 2**20, process.num_fds(), process.num_threads()
    except psutil.Error:
        return nothing, nothing, nothing


def _start(
    folder: Path, spec: Path, options: argparse.Namespace, milliseconds: float, *more: str
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, __file__, "--driver", "sweep", str(spec), "--home", str(folder / "home")]
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--engine", options.engine, *more], stdout=log, stderr=log, cwd=folder,
            env={**os.environ, _PACE: str(milliseconds), "MISHSTUDY_WORKERS": "1"}, start_new_session=True,
        )  # fmt: skip


def _disturb(soaked: Soaked, draws: random.Random) -> None:
    """Inject faults until the minutes are over; the driver that is left goes on."""
    end = soaked.began + 60 * soaked.options.minutes
    between = soaked.options.minutes * 60 / _SAMPLES
    back: list[tuple[float, Callable[[], None]]] = []
    next_fault, next_sample = _after(draws, soaked.options.every), time.monotonic() + between
    spared = 0.0
    while (now := time.monotonic()) < end:
        time.sleep(0.05)
        for due in [each for each in back if each[0] <= now]:
            due[1]()
            back.remove(due)
        soaked.server.keep()
        assert soaked.driver is not None
        if (code := soaked.driver.poll()) is not None:
            if code == 0:
                break
            soaked.faults[f"the driver ended by itself with {code}"] += 1
            soaked.start_driver()
        if now >= next_sample:
            soaked.sample()
            next_sample += between
        if soaked.options.calm or now < next_fault:
            continue
        next_fault = _after(draws, soaked.options.every)
        kind = draws.choice(("driver", "child", "child", "killed server", "stopped server"))
        if kind == "driver":
            soaked.driver.kill()
            soaked.driver.wait()
            soaked.start_driver()
        elif kind == "child":
            # A training whose process dies twice is itself to blame, so that the second one is not ours.
            child, recorded = soaked.training_process(), _size(soaked.ledger)
            if child is None or recorded == spared:
                continue
            child.kill()
            spared = recorded
        elif back or soaked.server.process is None:
            continue
        elif kind == "killed server":
            soaked.server.send(signal.SIGKILL)
            back.append((_after(draws, soaked.options.every), soaked.server.start))
        else:
            soaked.server.send(signal.SIGSTOP)
            back.append((_after(draws, soaked.options.every), lambda: soaked.server.send(signal.SIGCONT)))
        soaked.faults[kind] += 1
    for _, action in back:
        action()


def _after(draws: random.Random, mean: float) -> float:
    return time.monotonic() + draws.uniform(0.1, 1.9) * mean


def _size(path: Path) -> float:
    return path.stat().st_size if path.exists() else 0.0


def _to_the_end(soaked: Soaked) -> None:
    """Let the sweep end, and run it again until MLflow has everything."""
    soaked.milliseconds = 0.0
    marker = soaked.ledger.with_name("published.json")
    for _ in range(20):
        assert soaked.driver is not None
        while soaked.driver.poll() is None:
            soaked.server.keep()
            time.sleep(0.5)
        if soaked.driver.returncode == 0 and marker.exists():
            return
        soaked.start_driver()
    raise SystemExit(f"the sweep did not come to its end; see {soaked.folder / 'driver.log'}")


def _lines(path: Path) -> list[Any]:
    """Return the lines of a ledger without what is timed."""
    lines = [json.loads(line.partition(b" ")[2]) for line in path.read_bytes().splitlines()]
    for line in lines:
        line.pop("started", None)
        for key in _TIMED:
            line.get("result", {}).pop(key, None)
    return lines


def _table(home: Path, form: str) -> bytes:
    command = [sys.executable, "-m", "mishstudy", "table", NAME, "--home", str(home), "--format", form]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def _verdicts(soaked: Soaked, undisturbed: Path, planned: int) -> list[tuple[str, bool]]:
    """Return what must hold, and whether it does."""
    ours, theirs = soaked.ledger, undisturbed / "home" / NAME / "ledger.jsonl"
    digests = Counter(line["result"]["digest"] for line in _lines(ours) if line["kind"] == "training")
    entries = ledger.read(theirs).entries
    expected = {entry.result.digest for entry in entries}
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=soaked.server.url)
    experiment = client.get_experiment_by_name(NAME)
    assert experiment is not None
    runs, token = [], None
    while token is not None or not runs:
        page = client.search_runs([experiment.experiment_id], max_results=1000, page_token=token)
        runs += page
        if not (token := page.token):
            break
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    names = {run.info.run_name for run in children}
    homes = (soaked.folder / "home", undisturbed / "home")
    return [
        (
            f"all of the {planned} trainings are recorded",
            set(digests) == expected and len(expected) == planned,
        ),
        (
            "each is what the stub makes of it",
            all(entry.result.status is _result(entry.training).status for entry in entries),
        ),
        ("none is recorded twice", set(digests.values()) == {1}),
        ("the ledger is that of the undisturbed run, apart from times", _lines(ours) == _lines(theirs)),
        *(
            (
                f"the table ({form}) is the same, byte for byte",
                _table(homes[0], form) == _table(homes[1], form),
            )
            for form in ("json", "md")
        ),
        (
            f"MLflow holds each of {planned // _REPLICATES} runs once, and one parent",
            len(children) == len(names) == planned // _REPLICATES and len(runs) == len(children) + 1,
        ),
        ("no run is left running", {run.info.status for run in runs} <= {"FINISHED", "FAILED"}),
    ]


def _show(soaked: Soaked, verdicts: Sequence[tuple[str, bool]], planned: int, undisturbed: float) -> None:
    today, minutes = datetime.now(UTC).date().isoformat(), (time.monotonic() - soaked.began) / 60
    print(f"{planned} trainings, {processor()}, {os.cpu_count()} cores, {today}; `{' '.join(sys.argv)}`.\n")
    print(f"{minutes:.0f} minutes, and {undisturbed / 60:.0f} undisturbed; {soaked.lives} drivers.\n")
    if soaked.faults:
        print("| fault | times |\n|---|---:|")
    for kind, times in sorted(soaked.faults.items()):
        print(f"| {kind} | {times} |")
    print("\n| | |\n|---|---|")
    for what, holds in verdicts:
        print(f"| {what} | {'yes' if holds else '**NO**'} |")
    print(
        "\n| minute | driver | its minute | trained | driver, MiB | handles | threads "
        "| child, MiB | handles | threads |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for sample in soaked.samples:
        shown = [f"{value:.1f}" if place in (0, 2) else f"{value:.0f}" for place, value in enumerate(sample)]
        print(f"| {' | '.join('' if each == 'nan' else each for each in shown)} |")


def main() -> None:
    """Run the sweep undisturbed and under faults, compare, and print."""
    parser = argparse.ArgumentParser(description="A long sweep under random faults.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--trainings", type=int, default=20_000)
    parser.add_argument("--every", type=float, default=20.0, help="mean seconds between faults")
    parser.add_argument("--engine", choices=("fit", "population"), default="population")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calm", action="store_true", help="inject nothing")
    options = parser.parse_args()
    configurations = max(1, options.trainings // OF_A_CONFIGURATION)
    planned = configurations * OF_A_CONFIGURATION
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, each) for each in ("undisturbed", "soaked", "server")]
        for folder in folders:
            folder.mkdir()
        undisturbed, soaked_folder, server_folder = folders
        spec = Path(name, f"{NAME}.toml")
        settings = f"epochs = 4\nreplicates = {_REPLICATES}\nthreads = 1"
        text = spec_text(NAME, "Is anything lost?", configurations, settings=settings)
        spec.write_text(text, encoding="utf-8")
        began = time.monotonic()
        if code := _start(undisturbed, spec, options, 0.0).wait():
            raise SystemExit(
                f"the undisturbed sweep ended with {code}: {(undisturbed / 'driver.log').read_text()}"
            )
        alone = time.monotonic() - began
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server = MlflowServer(server_folder, probe.getsockname()[1])
        soaked = Soaked(soaked_folder, spec, options, server, 60_000 * options.minutes / planned)
        make_whole(f"sqlite:///{server_folder / 'server.db'}")  # MLflow's own half made one starts no more
        server.start()
        try:
            soaked.start_driver()
            _disturb(soaked, random.Random(options.seed))
            if server.process is None:
                server.start()
            _to_the_end(soaked)
            soaked_verdicts = _verdicts(soaked, undisturbed, planned)
        finally:
            server.send(signal.SIGKILL)
            if soaked.driver is not None and soaked.driver.poll() is None:
                soaked.driver.kill()
        _show(soaked, soaked_verdicts, planned, alone)
    sys.exit(0 if all(holds for _, holds in soaked_verdicts) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--driver"]:
        import mishstudy

        sys.argv[1:2] = []
        mishstudy.main()
    else:
        main()
