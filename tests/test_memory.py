"""Too little memory makes packs smaller, once, and is no failure of a training."""

import resource
from pathlib import Path

import pytest
from sweep_runs import run, timeless

from study import ledger
from study.memory import free_bytes
from study.training import Status

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

if multiprocessing.parent_process() is not None:
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 500 * {MIB}, resource.RLIM_INFINITY))

def bent(x):
    return x * x
"""
"""An activation whose module leaves the training process 500 MiB to grow by, a real limit."""


def test_a_sweep_with_too_little_memory_goes_on_with_smaller_packs_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    spec, path = tmp_path / "wide.toml", tmp_path / "home/wide/ledger.jsonl"
    spec.write_text(SPEC)
    arguments = ("sweep", spec, "--home", tmp_path / "home", "--engine", "population")
    done = run(*arguments)
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
    again = run(*arguments)
    assert timeless(path) == lines
    assert "Memory did not suffice" not in again.stderr
