"""On a Ray cluster: the results of one process in its order, whichever node, process or driver is lost."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_children import design, timeless
from sweep_runs import SPEC, Sweep, run, start, wait_until, write_spec
from sweep_runs import timeless as timeless_ledger

from study.errors import InputError
from study.packing import groups, packs
from study.training import Status, Training
from sweeps.executors import ChildExecutor
from sweeps.ray_workers import Cluster, RayWorkers
from sweeps.training_process import Setup

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

OWN = """
import os
import time

import keras


def deadly(x):
    os._exit(3)


def sleeping(x):
    time.sleep(3600)
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Return a cluster on this machine that asks for a token: an idle head, two nodes of one core."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
        yield from _started()


def _started() -> Iterator[Any]:
    from ray.cluster_utils import Cluster as Nodes

    cluster = Nodes(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(OWN)
    return folder


def setup_of(engine: str, folder: Path) -> Setup:
    return Setup(engine=engine, threads=1, dataset="digits", train_size=128, data=None, import_from=folder)


@pytest.fixture
def opened(nodes: Any, folder: Path) -> Iterator[Any]:
    """Return a function that opens workers on the cluster; they are stopped at the end."""
    made: list[RayWorkers] = []

    def open_(engine: str, retries: int = 1, epoch_timeout: float = float("inf")) -> RayWorkers:
        cluster = Cluster(address=nodes.address)
        made.append(RayWorkers(cluster, setup_of(engine, folder), retries, epoch_timeout))
        made[-1].start()
        return made[-1]

    yield open_
    for each in made:
        each.stop()


@pytest.fixture
def programs(training: Training) -> list[Training]:
    """Return a design of four programs with two blocks of 2 activations."""
    blocks = [
        replace(
            training, train_size=128, architecture_arguments=(("depth", 3), ("width", width)), replicate=i
        )
        for width in (8, 12, 16, 20)
        for i in range(2)
    ]
    return design(blocks, ("mish", "relu"))


def test_tasks_give_the_results_of_one_process_in_its_order_and_survive_a_process_and_a_node(
    opened: Any, nodes: Any, programs: list[Training], folder: Path
) -> None:
    work = packs([replace(each, epochs=60) for each in programs], 4)
    alone = ChildExecutor(setup_of("population", folder), log=folder / "log")
    alone.start()
    expected = [timeless(result) for result in alone.train(work)]
    alone.stop()
    ray_workers = opened("population", retries=3)
    found, lost = [], []
    for together in ray_workers.train_together(work):
        found += together
        if not lost:
            training = [one for one in psutil.process_iter(["cmdline"]) if _is_training(one)]
            assert training
            training[0].kill()
            nodes.remove_node(nodes.list_all_nodes()[-1])
            lost.append(training[0])
    assert [timeless(result) for result in found] == expected
    nodes.add_node(num_cpus=1)


def _is_training(process: psutil.Process) -> bool:
    return (process.info["cmdline"] or [""])[0].startswith("ray::train")


def test_a_training_that_kills_its_process_or_hangs_is_an_outcome_and_the_rest_goes_on(
    opened: Any, training: Training
) -> None:
    asked = [
        replace(training, train_size=128, activation=name, replicate=i)
        for name in ("mish", "mine:deadly", "mine:sleeping", "relu")
        for i in range(2 if name == "mish" else 1)
    ]
    results = {result.digest: result for result in opened("fit", epoch_timeout=60.0).train(groups(asked))}
    by_name = {each.activation: results[each.digest] for each in asked}
    statuses = {name: result.status for name, result in by_name.items()}
    assert statuses == {
        "mish": Status.OK, "mine:deadly": Status.ERROR, "mine:sleeping": Status.TIMEOUT, "relu": Status.OK,
    }  # fmt: skip
    assert by_name["mine:deadly"].reason == "the training process died 2 times, or its node was lost"
    assert by_name["mine:sleeping"].reason == "no epoch ended within 60 s; tried 2 times"


def test_a_sweep_whose_driver_is_killed_goes_on_and_ends_as_one_without_a_cluster(
    nodes: Any, tmp_path: Path
) -> None:
    undisturbed = Sweep(write_spec(tmp_path, 8), tmp_path / "undisturbed", "population")
    run(*undisturbed.arguments)
    sweep = replace(undisturbed, home=tmp_path / "home")
    on_cluster = (*sweep.arguments, "--executor", "ray", "--address", nodes.address)
    with start(*on_cluster) as driver:
        wait_until(driver, lambda: sweep.recorded > 0)
        driver.kill()
    assert driver.returncode == -signal.SIGKILL
    kept = sweep.recorded
    done = run(*on_cluster)
    assert sweep.recorded == undisturbed.recorded >= kept
    assert timeless_ledger(sweep.ledger) == timeless_ledger(undisturbed.ledger)
    assert sweep.tables() == undisturbed.tables()
    assert "Report:" in done.stderr


@pytest.fixture
def own_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a cluster as `nodes`, to be broken."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    yield from _started()


def test_a_head_that_is_lost_ends_the_sweep_in_a_sentence_and_the_sweep_goes_on_elsewhere(
    own_nodes: Any, tmp_path: Path
) -> None:
    address = own_nodes.address
    spec = write_spec(tmp_path, 8, SPEC.replace("epochs = 3", "epochs = 400"))
    undisturbed = Sweep(spec, tmp_path / "undisturbed", "population")
    run(*undisturbed.arguments)
    sweep = replace(undisturbed, home=tmp_path / "home")
    on_cluster = (*sweep.arguments, "--executor", "ray", "--address", address, "--workers", "1")
    with start(*on_cluster, RAY_gcs_rpc_server_reconnect_timeout_s="3") as driver:
        wait_until(driver, lambda: sweep.recorded > 0)
        own_nodes.remove_node(own_nodes.head_node, allow_graceful=False)
        _, said = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert said.splitlines()[-1] == (
        f"mishstudy: the head of the Ray cluster at {address} is lost, and the cluster with it; "
        "nothing that was recorded is lost: start a cluster again, and run the same sweep again."
    )
    assert "Traceback" not in said
    assert 0 < sweep.recorded < undisturbed.recorded
    run(*sweep.arguments)
    assert timeless_ledger(sweep.ledger) == timeless_ledger(undisturbed.ledger)
    assert sweep.tables() == undisturbed.tables()


@pytest.mark.parametrize(
    ("address", "reason"),
    [("127.0.0.1:1", "Connection refused"), ("nowhere", "no host:port"), ("here:99999", "no host:port")],
)
def test_where_there_is_no_cluster_that_is_said(folder: Path, address: str, reason: str) -> None:
    workers = RayWorkers(Cluster(address=address), setup_of("population", folder), 1, 10.0)
    with pytest.raises(InputError, match=rf"there is none at '{address}' \(.*{reason}"):
        workers.start()
