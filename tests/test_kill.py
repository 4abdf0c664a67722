"""Killed at any moment and started again, a sweep ends as if nothing had happened: both engines, SIGKILL."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sweep_ends import assert_the_same_end
from sweep_runs import SPEC, Sweep, run, start, timeless, wait_until, write_spec

pytestmark = [
    pytest.mark.faults,
    # MLflow's queries use what SQLAlchemy deprecates.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

QUICKSTART = Path(__file__).parent.parent / "sweeps/quickstart.toml"


def kill_when(sweep: Sweep, condition: Callable[[], bool], hash_seed: int) -> bytes:
    """Start, SIGKILL the driver, see that the training process goes too; return the ledger's whole lines."""
    with start(*sweep.arguments, PYTHONHASHSEED=str(hash_seed)) as driver:
        wait_until(driver, condition)
        children = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
    assert driver.returncode == -signal.SIGKILL
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    written = sweep.ledger.read_bytes() if sweep.ledger.exists() else b""
    return written[: written.rfind(b"\n") + 1]


@pytest.mark.parametrize(
    ("engine", "every"),
    [
        ("population", False),
        pytest.param("population", True, marks=(pytest.mark.slow, pytest.mark.long)),
        pytest.param("fit", True, marks=(pytest.mark.slow, pytest.mark.long)),
    ],
)
def test_killed_at_stage_after_stage_and_started_again_ends_the_same(
    finished_sweep: Callable[[str], Sweep], tmp_path: Path, engine: str, every: bool
) -> None:
    undisturbed = finished_sweep(engine)
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", undisturbed.engine)
    report = sweep.folder / "report.html"
    whole = undisturbed.recorded
    stages: dict[str, Callable[[], bool]] = {
        "nothing is recorded": sweep.ledger.exists,
        "more than half are recorded": lambda: sweep.recorded > whole // 2,
        "all are recorded": lambda: sweep.recorded == whole,
        "one is repeated by the reference": lambda: b'"kind":"check"' in sweep.ledger.read_bytes(),
        "the report is written": report.exists,
    }
    if engine == "fit":
        del stages["one is repeated by the reference"]
    if not every:
        stages = {name: stages[name] for name in ("more than half are recorded",)}
    kept = b""
    for hash_seed, condition in enumerate(stages.values()):
        report.unlink(missing_ok=True)
        before, kept = kept, kill_when(sweep, condition, hash_seed)
        assert kept.startswith(before)
    assert not (sweep.folder / "published.json").exists()
    run(*sweep.arguments)
    ended = sweep.ledger.read_bytes()
    assert ended == kept if every else ended.startswith(kept)
    assert sweep.recorded == whole
    assert_the_same_end(sweep, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fit", "population"])
def test_the_training_process_is_replaced_when_it_is_killed(
    finished_sweep: Callable[[str], Sweep], tmp_path: Path, engine: str
) -> None:
    undisturbed = finished_sweep(engine)
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", undisturbed.engine)
    with start(*sweep.arguments) as driver:
        wait_until(driver, lambda: sweep.recorded >= 1)
        (victim,) = [
            each for each in psutil.Process(driver.pid).children() if "spawn_main" in " ".join(each.cmdline())
        ]
        victim.kill()
        _, errors = driver.communicate(timeout=200)
    assert driver.returncode == 0, errors
    assert_the_same_end(sweep, undisturbed)


@pytest.mark.parametrize(
    "stage", ["starting", "training", pytest.param("publishing", marks=pytest.mark.slow)]
)
def test_ctrl_c_stops_cleanly_and_says_how_to_resume(tmp_path: Path, stage: str) -> None:
    sweep = Sweep(write_spec(tmp_path), tmp_path / "home", "population")
    condition = {
        "starting": (sweep.folder / "training.log").exists,
        "training": lambda: sweep.recorded >= 1,
        "publishing": (sweep.folder / "report.html").exists,
    }[stage]
    with start(*sweep.arguments) as driver:
        wait_until(driver, condition)
        children = psutil.Process(driver.pid).children(recursive=True)
        os.killpg(driver.pid, signal.SIGINT)
        output, errors = driver.communicate(timeout=100)
    assert driver.returncode == 130, errors
    assert output == ""
    again = " ".join([sys.executable, "-m", "mishstudy", *map(str, sweep.arguments)])
    assert f"nothing that was recorded is lost. Go on with: {again}\n" in errors
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert "RUNNING" not in parent_states(sweep.home)
    if stage != "starting":
        shown = run("status", "--home", sweep.home).stdout
        assert "running" not in shown
        assert "small" in shown


def parent_states(home: Path) -> set[str]:
    """Return the states of the runs of a home that are nobody's children."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    return {each.info.status for each in runs if "mlflow.parentRunId" not in each.data.tags}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_quickstart_killed_several_times_ends_the_same(tmp_path: Path) -> None:
    homes = [Sweep(QUICKSTART, tmp_path / name, "auto") for name in ("undisturbed", "killed")]
    undisturbed, killed = homes
    run(*undisturbed.arguments)
    whole = undisturbed.recorded
    kept = b""
    for hash_seed, share in enumerate((0.0, 0.5, 1.0)):
        before = kept
        kept = kill_when(killed, lambda: killed.recorded > share * (whole - 1), hash_seed)  # noqa: B023
        assert kept.startswith(before)
    run(*killed.arguments)
    assert killed.ledger.read_bytes().startswith(kept)
    assert_the_same_end(killed, undisturbed)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("sampler", "engine"), [("random", "fit"), ("random", "population"), ("tpe", "fit")])
def test_a_search_that_is_killed_in_its_trials_and_in_its_confirmations_ends_the_same(
    tmp_path: Path, sampler: str, engine: str
) -> None:
    """Digits, the real engine: what a trial tries depends on those before it, also after SIGKILL."""
    text = SPEC.replace("configurations = {configurations}\nreplicated_share = 0.3", 'design = "tuned"')
    text += f'[tuning]\ntrials = 11\nsampler = "{sampler}"\nconfirm = 2\n'
    undisturbed, sweep = (
        Sweep(write_spec(folder, text=text), folder / "home", engine)
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    run(*undisturbed.arguments)
    whole = timeless(undisturbed.ledger)
    assert undisturbed.recorded == 2 * (11 + 2)
    kept = b""
    for number, recorded in enumerate((2 * 10 + 1, 2 * 11 + 2)):
        written = kill_when(sweep, lambda at=recorded: sweep.recorded >= at, number)
        assert written.startswith(kept)
        kept = written
    run(*sweep.arguments)
    assert timeless(sweep.ledger) == whole
    assert sweep.tables() == undisturbed.tables()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_search_with_halving_that_is_killed_in_every_rung_ends_the_same(tmp_path: Path) -> None:
    """Digits, the real engine: 9 x 1, 3 x 3 and 1 x 9 epochs of each activation, then the confirmations."""
    text = SPEC.replace("configurations = {configurations}\nreplicated_share = 0.3", 'design = "tuned"')
    text = text.replace("epochs = 3", "epochs = 9")
    text += "[tuning]\ntrials = 9\nhalving = 3\nconfirm = 2\n"
    undisturbed, sweep = (
        Sweep(write_spec(folder, text=text), folder / "home") for folder in (tmp_path / "a", tmp_path / "b")
    )
    run(*undisturbed.arguments)
    assert undisturbed.recorded == 2 * (9 + 3 + 1 + 2)
    kept = b""
    for number, recorded in enumerate((2 * 4, 2 * 9 + 2, 2 * 12 + 1, 2 * 13 + 1)):
        written = kill_when(sweep, lambda at=recorded: sweep.recorded >= at, number)
        assert written.startswith(kept)
        kept = written
    run(*sweep.arguments)
    assert timeless(sweep.ledger) == timeless(undisturbed.ledger)
    assert sweep.tables() == undisturbed.tables()
