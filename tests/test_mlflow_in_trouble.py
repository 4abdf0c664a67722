"""An MLflow server that answers 500, loses answers or takes long: nobody waits, each run is there once."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy
from mlflow import MlflowClient
from mlflow_server import MlflowServer
from sweep_runs import Sweep, run, start, timeless, wait_until, write_spec
from tracked_sweeps import ENTRIES, QUESTION, runs_of, send, tracking

from study.dashboard import Results
from study.mlflow_database import make_whole

pytestmark = [
    pytest.mark.faults,
    # MLflow's queries use what SQLAlchemy deprecates.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

RUNS = 1 + 8
"""A parent, and one for each configuration and activation."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Return a server that runs."""
    made = MlflowServer(tmp_path_factory.mktemp("server"))
    make_whole(f"sqlite:///{made.folder / 'server.db'}")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def proxy(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """Return a proxy of the server that does nothing wrong yet."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    made = FaultyProxy(server.url)
    yield made
    made.close()


def assert_each_once(url: str, name: str) -> None:
    runs = runs_of(url, name)
    assert len({each.info.run_name for each in runs}) == len(runs) == RUNS
    assert {each.info.status for each in runs} == {"FINISHED"}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["refuse", "lose"])
@pytest.mark.parametrize("of", ["", "runs/create", "log-batch"])
def test_a_server_that_answers_500_for_a_while_holds_up_nobody_and_gets_each_run_once(
    proxy: FaultyProxy, tmp_path: Path, fault: str, of: str
) -> None:
    name = f"{fault} {of.replace('/', ' ')}"
    proxy.fault, proxy.of = fault, of
    with tracking(proxy.url, tmp_path, dataclasses.replace(QUESTION, name=name)) as tracker:
        started = time.monotonic()
        send(tracker, ENTRIES)
        assert time.monotonic() - started < 0.1
        while proxy.hit < 3:
            time.sleep(0.05)
        report = tracker.finish(Results(), wait=0.5)
        assert not report.complete
        assert "500" in report.problem
        assert "Nothing is lost: run the same sweep again" in report.sentence
        proxy.fault = ""
        assert tracker.finish(Results(), wait=60).complete
    assert_each_once(proxy.url, name)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["parent", "child"])
def test_a_run_whose_request_came_through_after_it_was_given_up_is_there_once(
    proxy: FaultyProxy, tmp_path: Path, what: str
) -> None:
    """A second is waited for, and the server takes two and a half: what was asked for twice is made twice."""
    with tracking(proxy.url, tmp_path, dataclasses.replace(QUESTION, name=f"late {what}")) as tracker:
        if what == "child":
            send(tracker, ENTRIES[:4])
            while not tracker.report().written:
                time.sleep(0.05)
        proxy.fault, proxy.of, proxy.seconds = "wait", "runs/create", 2.5
        send(tracker, ENTRIES)
        while proxy.hit < 2:
            time.sleep(0.05)
        proxy.fault = ""
        time.sleep(proxy.seconds)
        assert tracker.finish(Results(), wait=60).complete
    assert_each_once(proxy.url, f"late {what}")


@pytest.mark.slow
def test_a_slow_server_is_caught_up_with_by_the_next_driver(proxy: FaultyProxy, tmp_path: Path) -> None:
    question = dataclasses.replace(QUESTION, name="slow")
    proxy.fault, proxy.seconds = "wait", 0.3
    for share in (4, 8):
        with tracking(proxy.url, tmp_path, question) as tracker:
            started = time.monotonic()
            send(tracker, ENTRIES[:share])
            assert time.monotonic() - started < 0.1
            while not tracker.report().written:
                time.sleep(0.05)
            started = time.monotonic()
            assert not tracker.finish(Results(), wait=0.5).complete
        assert time.monotonic() - started < 5
    assert 0 < len(runs_of(proxy.url, "slow")) < RUNS
    with tracking(proxy.url, tmp_path, question) as tracker:
        send(tracker, ENTRIES)
        assert tracker.finish(Results(), wait=60).complete
    assert_each_once(proxy.url, "slow")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_sweep_whose_server_fails_while_its_driver_is_killed_ends_as_if_nothing_had_happened(
    finished_sweep: Callable[[str], Sweep], proxy: FaultyProxy, tmp_path: Path
) -> None:
    undisturbed = finished_sweep("population")
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", "population")
    arguments = (*sweep.arguments, "--tracking-uri", proxy.url)
    proxy.fault = "lose"
    with start(*arguments) as driver:
        wait_until(driver, lambda: sweep.recorded >= 1)
        driver.kill()
    proxy.fault, proxy.seconds = "wait", 0.5
    with start(*arguments) as driver:
        wait_until(driver, (sweep.folder / "report.html").exists)
        driver.kill()
    proxy.fault = "refuse"
    done = run(*arguments)
    assert "MLflow does not hold" in " ".join(done.stderr.split())
    assert timeless(sweep.ledger) == timeless(undisturbed.ledger)
    assert sweep.tables() == undisturbed.tables()
    proxy.fault = ""
    assert "MLflow holds 8 runs and the results" in " ".join(run(*arguments).stderr.split())
    client = MlflowClient(tracking_uri=proxy.url)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len({each.info.run_name for each in runs}) == len(runs) == RUNS
    assert {each.info.status for each in runs} == {"FINISHED"}
