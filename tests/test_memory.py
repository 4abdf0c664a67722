"""Too little memory makes packs smaller, once, and is no failure of a training."""

import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from engine_children import design
from engine_children import timeless as result_timeless
from sweep_runs import timeless

from study import ledger
from study.memory import free_bytes
from study.packing import Pack, packs
from study.reports import Report, Split
from study.training import Status, Training, TrainingResult

MIB = 2**20


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return the root of a machine, as far as memory is told there."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8192 kB\nMemAvailable:    4096 kB\n")
    (tmp_path / "proc/self/statm").write_text("100 50 20 1 0 30 0\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    return tmp_path


def test_the_free_memory_of_the_machine(machine: Path) -> None:
    assert free_bytes(machine) == 4 * MIB


def test_a_control_group_leaves_less(machine: Path) -> None:
    group = machine / "sys/fs/cgroup"
    (group / "memory.max").write_text("max\n")
    assert free_bytes(machine) == 4 * MIB
    (group / "memory.max").write_text(f"{3 * MIB}\n")
    (group / "memory.current").write_text(f"{2 * MIB}\n")
    (group / "memory.stat").write_text(f"anon {MIB}\ninactive_file {MIB // 2}\n")
    assert free_bytes(machine) == 3 * MIB // 2


def test_a_limit_of_the_process_leaves_less(machine: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 64 * MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        assert free_bytes(machine) == 4 * MIB
        assert 0 < free_bytes() <= 64 * MIB
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_system_that_tells_nothing_is_short_of_nothing(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) == 2**63


@pytest.fixture
def large(training: Training) -> list[Training]:
    """Return eight blocks of which 24 members need some 400 MB, in arrays that are given back when freed."""
    shared = replace(
        training, epochs=1, batch_size=64, architecture_arguments=(("depth", 3), ("width", 1000))
    )
    return [replace(shared, replicate=i) for i in range(8)]


def _train_in_little_memory(
    work: Sequence[Pack], room: int, *, checked: bool
) -> tuple[list[TrainingResult], list[Report]]:
    """Return what is trained, and reported, when `room` bytes are left once the first pack is trained.

    The limit is the real one of the process. Without `checked` the engine believes that there is enough, as
    where another process takes the memory meanwhile, and the allocation itself fails.
    """
    from study import population

    reports: list[Report] = []
    honest = population._free_device_bytes
    results = population.PopulationEngine(None, reports.append).train(work)
    found = [result_timeless(next(results)) for _ in work[0].trainings]
    if not checked:
        population._free_device_bytes = lambda: 2**63
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, before[1]))
    try:
        found += map(result_timeless, results)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        population._free_device_bytes = honest
    return found, [report for report in reports if isinstance(report, Split)]


@pytest.mark.faults
@pytest.mark.parametrize("checked", [True, False])
def test_a_pack_that_does_not_fit_asks_for_smaller_ones(
    inside: ProcessPoolExecutor, large: list[Training], checked: bool
) -> None:
    (pack,) = packs(design(large, ("mish", "relu", "swish")), 24)
    results, reports = inside.submit(_train_in_little_memory, [pack, pack], 2**20, checked=checked).result()
    assert [result.digest for result in results] == [each.digest for each in pack.trainings]
    assert {result.status for result in results} == {Status.OK}
    assert reports == [Split(shape=pack.shape, blocks=4)]


@pytest.mark.faults
@pytest.mark.parametrize("checked", [True, False])
def test_a_block_that_does_not_fit_is_out_of_memory(
    inside: ProcessPoolExecutor, large: list[Training], checked: bool
) -> None:
    wide = replace(large[0], architecture_arguments=(("depth", 3), ("width", 2000)))
    (pack,) = packs(design([wide], ("mish", "relu", "swish")), 3)
    results, reports = inside.submit(_train_in_little_memory, [pack, pack], 2**20, checked=checked).result()
    assert [result.status for result in results] == [Status.OK] * 3 + [Status.OOM] * 3
    words = "MiB are free" if checked else "(Out of memory allocating|Unable to allocate)"
    assert all(re.search(words, result.reason) for result in results[3:])
    assert not reports


SPEC = """
name = "wide"
question = "Does it fit?"
focus = "mish"
activations = ["mine:bent"]
dataset = "digits"
train_size = 64
architecture = "mlp"
configurations = 8
replicated_share = 0.0
epochs = 1
delta = 1.0
[factors.learning_rate]
role = "nuisance"
low = 0.3
high = 3.0
log = true
relative = true
[fixed]
depth = 3
width = 1000
batch_size = 64
"""

MINE = f"""
import multiprocessing
import resource
import subprocess
import sys

if multiprocessing.parent_process() is not None:
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 500 * {MIB}, resource.RLIM_INFINITY))

def bent(x):
    return x * x
"""
"""An activation whose module leaves the training process 500 MiB to grow by, a real limit."""


LARGE = """
import math
import sys

from mishstudy import main
from study import packing

packing.MEMBERS["cpu"], packing.ENOUGH["cpu"] = 24, math.inf
sys.argv[0] = "mishstudy"
main()
"""


def in_large_packs(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line with packs that are large for wide networks too, as those of a GPU are."""
    command = [sys.executable, "-c", LARGE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.faults
@pytest.mark.slow
def test_a_sweep_with_too_little_memory_goes_on_with_smaller_packs_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    spec, path = tmp_path / "wide.toml", tmp_path / "home/wide/ledger.jsonl"
    spec.write_text(SPEC)
    arguments = ("sweep", spec, "--home", tmp_path / "home", "--engine", "population")
    done = in_large_packs(*arguments)
    record = ledger.read(path)
    assert {entry.result.status for entry in record.entries} == {Status.OK}
    assert len(record.entries) == 16
    lines = timeless(path)
    splits = [number for number, line in enumerate(lines) if line["kind"] == "split"]
    sizes = [lines[number]["blocks"] for number in splits]
    assert sizes == [12 // 2**i for i in range(1, 1 + len(sizes))]
    assert record.sizes == {lines[splits[0]]["shape"]: sizes[-1]}
    # Written before it is used: everything was trained with the smaller size.
    assert max(splits) < next(number for number, line in enumerate(lines) if line["kind"] == "training")
    members = 2 * sizes[-1]
    assert f"Memory did not suffice; going on with {members} trainings at once." in done.stderr
    # A driver that is killed later finds the size in the ledger, and ends the same.
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-9]))
    again = in_large_packs(*arguments)
    assert timeless(path) == lines
    assert "Memory did not suffice" not in again.stderr
