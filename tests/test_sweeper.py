"""The loop, with the real engine, the real Optuna and the real MLflow: killed, resumed, refused."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study import ledger
from study.training import Status

SPEC = """
name = "small"
question = "Does the loop hold?"
focus = "mish"
activations = ["relu"]
dataset = "digits"
train_size = 256
architecture = "mlp"
configurations = {configurations}
replicated_share = 0.3
epochs = 3
delta = 1.0
seed = 5
[factors.depth]
role = "condition"
levels = [2, 3]
[factors.learning_rate]
role = "nuisance"
low = 0.3
high = 3.0
log = true
relative = true
[fixed]
width = 16
"""


def write_spec(folder: Path, configurations: int = 4, text: str = SPEC) -> Path:
    path = folder / "small.toml"
    path.write_text(text.format(configurations=configurations))
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mishstudy", *map(str, arguments)]


def run(*arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def start(spec: Path, home: Path) -> subprocess.Popen[bytes]:
    """Start a sweep and return its driver."""
    arguments = command("sweep", spec, "--home", home)
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def timeless(path: Path) -> list[object]:
    """Return the lines of a ledger without what is timed."""
    lines = [json.loads(line.partition(" ")[2]) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("started", None)
        for key in ("seconds", "build_seconds", "examples_per_second", "peak_memory_mib"):
            line.get("result", {}).pop(key, None)
    return lines


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a spec and its finished home."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run("sweep", write_spec(folder), "--home", folder / "home", PYTHONHASHSEED="1")
    return folder


def table(folder: Path) -> str:
    return run("table", "small", "--home", folder / "home", "--format", "json").stdout


def test_a_second_run_trains_nothing_and_prints_the_same(undisturbed: Path) -> None:
    before = (undisturbed / "home/small/ledger.jsonl").read_bytes()
    started = time.monotonic()
    again = run("sweep", undisturbed / "small.toml", "--home", undisturbed / "home")
    first_start = time.monotonic() - started
    assert (undisturbed / "home/small/ledger.jsonl").read_bytes() == before
    assert "training" not in again.stderr.replace("trainings", "")
    assert again.stdout == run("table", "small", "--home", undisturbed / "home", "--format", "md").stdout
    assert first_start < 60


def test_another_process_and_hash_seed_write_the_same_ledger(undisturbed: Path, tmp_path: Path) -> None:
    run("sweep", write_spec(tmp_path), "--home", tmp_path / "home", PYTHONHASHSEED="31337")
    for name in ("ledger.jsonl", "curves.jsonl"):
        assert timeless(tmp_path / "home/small" / name) == timeless(undisturbed / "home/small" / name)
    assert table(tmp_path) == table(undisturbed)


@pytest.mark.parametrize("recorded", [0, 1, 4, 9])
def test_killed_at_any_moment_and_started_again_ends_the_same(
    undisturbed: Path, tmp_path: Path, recorded: int
) -> None:
    """SIGKILL the driver once `recorded` trainings are in the ledger, then start it again."""
    spec, path = write_spec(tmp_path), tmp_path / "home/small/ledger.jsonl"
    driver = start(spec, tmp_path / "home")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and driver.poll() is None:
        if path.exists() and path.read_bytes().count(b'"kind":"training"') >= recorded:
            break
        time.sleep(0.01)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    kept = path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1]
    run("sweep", spec, "--home", tmp_path / "home")
    assert path.read_bytes().startswith(kept)
    assert timeless(path) == timeless(undisturbed / "home/small/ledger.jsonl")
    assert table(tmp_path) == table(undisturbed)
    assert_optuna_and_mlflow_hold(tmp_path / "home", trials=4)


def assert_optuna_and_mlflow_hold(home: Path, trials: int) -> None:
    import optuna
    from mlflow import MlflowClient
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(home / "optuna.journal")))
    study = optuna.load_study(study_name="small", storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * trials
    assert [trial.user_attrs["row"] for trial in study.trials] == list(range(trials))
    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("small")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1 + 2 * trials
    assert {r.info.status for r in runs} == {"FINISHED"}


def test_the_training_process_is_replaced_when_it_dies(undisturbed: Path, tmp_path: Path) -> None:
    import psutil

    spec, path = write_spec(tmp_path), tmp_path / "home/small/ledger.jsonl"
    driver = start(spec, tmp_path / "home")
    while not (path.exists() and path.read_bytes().count(b'"kind":"training"') >= 2):
        time.sleep(0.01)
        assert driver.poll() is None
    victims = [p for p in psutil.Process(driver.pid).children() if "spawn_main" in " ".join(p.cmdline())]
    assert len(victims) == 1
    victims[0].kill()
    assert driver.wait(timeout=120) == 0
    assert timeless(path) == timeless(undisturbed / "home/small/ledger.jsonl")


def test_the_training_process_dies_with_the_driver(tmp_path: Path) -> None:
    import psutil

    spec = write_spec(tmp_path, configurations=200)
    driver = start(spec, tmp_path / "home")
    path = tmp_path / "home/small/ledger.jsonl"
    while not (path.exists() and path.read_bytes().count(b'"kind":"training"') >= 1):
        time.sleep(0.05)
        assert driver.poll() is None
    children = psutil.Process(driver.pid).children(recursive=True)
    assert children
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_ctrl_c_stops_cleanly_and_says_how_to_resume(undisturbed: Path, tmp_path: Path) -> None:
    spec, path = write_spec(tmp_path), tmp_path / "home/small/ledger.jsonl"
    driver = subprocess.Popen(
        command("sweep", spec, "--home", tmp_path / "home"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not (path.exists() and path.read_bytes().count(b'"kind":"training"') >= 1):
        time.sleep(0.01)
        assert driver.poll() is None
    os.killpg(driver.pid, signal.SIGINT)
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == 130, errors
    assert f"Go on with: {sys.executable} -m mishstudy sweep {spec} --home {tmp_path / 'home'}" in errors
    assert "Traceback" not in errors
    run("sweep", spec, "--home", tmp_path / "home")
    assert timeless(path) == timeless(undisturbed / "home/small/ledger.jsonl")


def test_a_sweep_may_grow(tmp_path: Path) -> None:
    run("sweep", write_spec(tmp_path, 2), "--home", tmp_path / "home")
    path = tmp_path / "home/small/ledger.jsonl"
    small = path.read_bytes()
    spec = write_spec(tmp_path, 4, SPEC.replace('["relu"]', '["relu", "tanh"]'))
    run("sweep", spec, "--home", tmp_path / "home")
    assert path.read_bytes().startswith(small)
    record = ledger.read(path)
    assert record.question.rivals == ("relu", "tanh")
    assert len({entry.training.block for entry in record.entries}) * 3 == len(record.entries)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("seed = 5", "seed = 6"), r"seed: 5 -> 6"),
        (("epochs = 3", "epochs = 4"), r"epochs: 3 -> 4"),
        (("delta = 1.0", "delta = 0.5"), r"delta: 1(\.0)? -> 0\.5"),
        (("levels = [2, 3]", "levels = [2, 4]"), r"\[2, 3\] -> \[2, 4\]"),
        (('"relu"', '"tanh"'), r"relu.* -> .*tanh"),
    ],
)
def test_changing_a_spec_with_results_is_refused(
    undisturbed: Path, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    before = (undisturbed / "home/small/ledger.jsonl").read_bytes()
    spec = write_spec(tmp_path, text=SPEC.replace(*change))
    done = run("sweep", spec, "--home", undisturbed / "home", code=2)
    assert re.search(words, done.stderr), done.stderr
    assert (undisturbed / "home/small/ledger.jsonl").read_bytes() == before


def cut_ledger(home: Path) -> None:
    """Take the last training away, so that there is something to train."""
    path = home / "small/ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))


def test_another_environment_is_refused_unless_accepted(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, 1)
    run("sweep", spec, "--home", tmp_path / "home")
    cut_ledger(tmp_path / "home")
    path = tmp_path / "home/small/ledger.jsonl"
    first, *rest = path.read_bytes().splitlines(keepends=True)
    header = json.loads(first.partition(b" ")[2])
    header["fingerprint"]["versions"]["keras"] = "3.0.0"
    path.write_bytes(ledger.encode(header) + b"".join(rest))
    done = run("sweep", spec, "--home", tmp_path / "home", code=2)
    assert re.search(r"versions\.keras: 3\.0\.0 -> 3\.", done.stderr), done.stderr
    assert "--accept-mixed" in done.stderr
    accepted = run("sweep", spec, "--home", tmp_path / "home", "--accept-mixed")
    assert ledger.read(path).mixed
    assert "environment" in accepted.stdout


def test_an_edited_activation_of_ones_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def bent(x):\n    return x * x\n")
    spec = write_spec(tmp_path, 1, SPEC.replace('"relu"', '"mine:bent"'))
    run("sweep", spec, "--home", tmp_path / "home")
    entries = ledger.read(tmp_path / "home/small/ledger.jsonl").entries
    assert {entry.training.activation for entry in entries} == {"mish", "mine:bent"}
    assert {entry.result.status for entry in entries} <= {Status.OK, Status.DIVERGED}
    cut_ledger(tmp_path / "home")
    (tmp_path / "mine.py").write_text("def bent(x):\n    return 2 * x * x\n")
    done = run("sweep", spec, "--home", tmp_path / "home", code=2)
    assert "own.mine:bent: " in done.stderr


def test_two_drivers_on_one_home_are_refused(tmp_path: Path) -> None:
    from sweeps.home import Home

    home = Home(tmp_path / "home")
    home.prepare()
    with home.locked("another"):
        done = run("sweep", write_spec(tmp_path, 1), "--home", home.root, code=2)
    assert f"process {os.getpid()} on " in done.stderr
    assert "runs another there since 20" in done.stderr
    assert not home.ledger("small").exists()


def test_a_training_that_raises_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import tensorflow as tf\n"
        "def wide(x):\n"
        "    if x.shape[-1] == 32 and x.shape[0] == 64:\n"
        "        raise ValueError('too wide')\n"
        "    return tf.tanh(x)\n"
    )
    text = SPEC.replace('"relu"', '"mine:wide"').replace("[fixed]\nwidth = 16\n", "")
    text += '[factors.width]\nrole = "condition"\nlevels = [16, 32]\n'
    run("sweep", write_spec(tmp_path, 4, text), "--home", tmp_path / "home")
    results = {
        (entry.training.activation, entry.configuration.levels["width"]): entry.result
        for entry in ledger.read(tmp_path / "home/small/ledger.jsonl").entries
    }
    assert results["mine:wide", 32].status is Status.ERROR
    assert "too wide" in results["mine:wide", 32].reason
    assert results["mine:wide", 16].status is Status.OK
    assert results["mish", 32].status is Status.OK


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_tuned_gives_each_activation_the_same_budget_and_resumes(tmp_path: Path, sampler: str) -> None:
    text = SPEC.replace("configurations = {configurations}\nreplicated_share = 0.3", 'design = "tuned"')
    text += f'[tuning]\ntrials = 3\nsampler = "{sampler}"\n'
    spec = write_spec(tmp_path, text=text)
    run("sweep", spec, "--home", tmp_path / "home")
    path = tmp_path / "home/small/ledger.jsonl"
    whole = timeless(path)
    entries = ledger.read(path).entries
    assert [e.training.activation for e in entries] == ["mish", "relu"] * 3
    assert all(e.adaptive for e in entries)
    assert len({e.training.digest for e in entries}) == 6
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]))
    run("sweep", spec, "--home", tmp_path / "home")
    assert timeless(path) == whole


def test_optuna_is_told_the_paired_difference(undisturbed: Path) -> None:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    home = undisturbed / "home"
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(home / "optuna.journal")))
    trials = optuna.load_study(study_name="small", storage=storage).trials
    entries = ledger.read(home / "small/ledger.jsonl").entries
    for trial in trials:
        mine = [e for e in entries if e.configuration.index == trial.user_attrs["row"]]
        assert dict(mine[0].configuration.levels) == trial.params
        value = {
            (e.training.activation, e.training.replicate): e.result.metrics["test_accuracy"] for e in mine
        }
        seeds = {replicate for _, replicate in value}
        expected = sum(value["mish", r] - value["relu", r] for r in seeds) / len(seeds)
        assert trial.value == pytest.approx(expected)
        assert trial.user_attrs["failed mish"] == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quickstart_killed_several_times_ends_the_same(tmp_path: Path) -> None:
    spec = Path(__file__).parent.parent / "sweeps/quickstart.toml"
    homes = {name: tmp_path / name for name in ("undisturbed", "killed")}
    run("sweep", spec, "--home", homes["undisturbed"])
    path = homes["killed"] / "quickstart/ledger.jsonl"
    kept = b""
    for recorded in (1, 40, 90, 91, 188):
        driver = start(spec, homes["killed"])
        while not (path.exists() and path.read_bytes().count(b'"kind":"training"') >= recorded):
            time.sleep(0.02)
            assert driver.poll() is None
        driver.kill()
        driver.wait()
        now = path.read_bytes()
        kept, before = now[: now.rfind(b"\n") + 1], kept
        assert kept.startswith(before)
    run("sweep", spec, "--home", homes["killed"])
    assert path.read_bytes().startswith(kept)
    assert timeless(path) == timeless(homes["undisturbed"] / "quickstart/ledger.jsonl")
    tables = {
        run("table", "quickstart", "--home", home, "--format", "json").stdout for home in homes.values()
    }
    assert len(tables) == 1
