"""`ui`: what it starts and refuses, that nothing outlives it, and what a browser sees of a real sweep."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import psutil
import pytest
from mlflow_server import free_port

from study import ledger
from study.errors import InputError
from sweeps.dashboards import servers
from sweeps.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with a ledger and with both stores; what is in them does not matter here."""
    made = Home(tmp_path / "home")
    made.sweep("small").mkdir(parents=True)
    for path in (made.ledger("small"), made.mlflow_database, made.journal):
        path.touch()
    return made


def test_the_servers_are_started_as_their_documentation_says(home: Home) -> None:
    ports = (free_port(), free_port())
    mlflow, optuna = servers(home, "127.0.0.1", *ports)
    beside = Path(sys.executable).parent
    assert mlflow.command == (
        *(str(beside / "mlflow"), "ui", "--backend-store-uri", f"sqlite:///{home.root / 'mlflow.db'}"),
        *("--workers", "1", "--host", "127.0.0.1", "--port", str(ports[0])),
    )
    assert optuna.command == (
        *(str(beside / "optuna-dashboard"), str(home.root / "optuna.journal")),
        *("--host", "127.0.0.1", "--port", str(ports[1])),
    )
    assert [server.title for server in (mlflow, optuna)] == ["MLflow", "Optuna"]
    assert [server.url for server in (mlflow, optuna)] == [f"http://127.0.0.1:{port}" for port in ports]


@pytest.mark.parametrize(("gone", "left"), [("optuna.journal", "MLflow"), ("mlflow.db", "Optuna")])
def test_a_store_that_is_elsewhere_has_no_server_here(home: Home, gone: str, left: str) -> None:
    (home.root / gone).unlink()
    (server,) = servers(home, "127.0.0.1", free_port(), free_port())
    assert server.title == left


def test_a_home_without_a_sweep_has_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no sweep to show; run `mishstudy sweep` first\."):
        servers(Home(tmp_path), "127.0.0.1", free_port(), free_port())


def test_a_home_whose_stores_are_elsewhere_has_nothing_to_show(home: Home) -> None:
    home.journal.unlink()
    home.mlflow_database.unlink()
    with pytest.raises(InputError, match="were run with --tracking-uri and --storage, so there is nothing"):
        servers(home, "127.0.0.1", free_port(), free_port())


@pytest.mark.parametrize("which", ["mlflow", "optuna"])
def test_a_port_that_is_taken_is_named_with_the_option_to_change_it(home: Home, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = (taken, free_port()) if which == "mlflow" else (free_port(), taken)
        with pytest.raises(InputError) as caught:
            servers(home, "127.0.0.1", *ports)
    assert str(caught.value) == (
        f"a server needs a free port, and 127.0.0.1:{taken} is not (Address already in use); "
        f"name another one with --{which}-port."
    )


def test_one_port_is_not_enough_for_both(home: Home) -> None:
    port = free_port()
    with pytest.raises(InputError, match=f"need a port each, and both were given {port}"):
        servers(home, "127.0.0.1", port, port)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--mlflow-port=70000", "less than or equal to 65535"),
        ("--optuna-port=0", "greater than or equal to 1"),
    ],
)
def test_what_is_no_port_is_refused(home: Home, option: str, words: str) -> None:
    command = [sys.executable, "-m", "mishstudy", "ui", "--home", str(home.root), option]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in re.sub(r"[│\s]+", " ", done.stderr)


@dataclass
class Served:
    """A process that serves two small servers, and what it started: a guard, two pages with a child each."""

    process: "subprocess.Popen[str]"
    log: Path
    family: list[psutil.Process]

    @property
    def second(self) -> psutil.Process:
        return [each for each in self.family if each.ppid() == self.process.pid][2]

    def gone(self) -> bool:
        _, alive = psutil.wait_procs(self.family, timeout=5)
        return not alive


@contextmanager
def serving(folder: Path, how: str = "gentle") -> Iterator[Served]:
    """Serve until both pages answer and both have a child."""
    log, ports = folder / "log", (str(free_port()), str(free_port()))
    command = [sys.executable, str(Path(__file__).with_name("small_servers.py")), "serve", str(log), how]
    with subprocess.Popen(
        [*command, *ports], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while log.read_text().count("child") < 2:
            time.sleep(0.02)
        served = Served(process, log, psutil.Process(process.pid).children(recursive=True))
        assert len(served.family) == 5
        yield served


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_servers_and_their_children(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as served:
        served.process.send_signal(number)
        assert served.process.wait(timeout=10) == 0
        assert served.gone()


@pytest.mark.faults
def test_servers_and_their_children_end_when_who_started_them_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.process.kill()
        assert served.process.wait(timeout=10) == -signal.SIGKILL
        assert served.gone()


@pytest.mark.faults
@pytest.mark.slow
def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, "stubborn") as served:
        started = time.monotonic()
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(timeout=20) == 0
        assert time.monotonic() - started > 5
        assert served.gone()


@pytest.mark.faults
def test_a_server_that_ends_by_itself_takes_the_other_with_it_and_is_named(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.second.kill()
        _, told = served.process.communicate(timeout=20)
        assert served.process.returncode == 1
        assert told == f"the Second server ended by itself; {served.log} has its last words.\n"
        assert served.gone()


def test_a_server_that_never_comes_up_is_named(tmp_path: Path) -> None:
    log, ports = tmp_path / "log", (str(free_port()), str(free_port()))
    command = [sys.executable, str(Path(__file__).with_name("small_servers.py")), "serve", str(log), "brief"]
    done = subprocess.run([*command, *ports], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == f"the Second server ended by itself; {log} has its last words.\n"
    assert done.stdout == ""


SPEC = """
name = "browsed"
question = "Does Mish beat ReLU on a handful of digits?"
focus = "mish"
activations = ["relu"]
dataset = "digits"
train_size = 256
architecture = "mlp"
configurations = 4
replicated_share = 0.0
epochs = 3
delta = 1.0
seed = 5
[factors.depth]
role = "condition"
levels = [2, 3]
[factors.optimizer]
role = "condition"
levels = ["sgd", "adam"]
[fixed]
width = 16
"""


@dataclass
class Opened:
    """`mishstudy ui` over a home with a real sweep, and the pages that it named."""

    process: "subprocess.Popen[str]"
    home: Path
    pages: dict[str, str]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a small sweep and return its home."""
    folder = tmp_path_factory.mktemp("browsed")
    (folder / "browsed.toml").write_text(SPEC)
    command = [sys.executable, "-m", "mishstudy", "sweep", str(folder / "browsed.toml")]
    done = subprocess.run(
        [*command, "--home", str(folder / "home")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "home"


@pytest.fixture(scope="module")
def opened(swept: Path) -> Iterator[Opened]:
    """Start `ui` and wait until it says that the pages can be opened."""
    ports = ["--mlflow-port", str(free_port()), "--optuna-port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-m", "mishstudy", "ui", "--home", str(swept), *ports],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said: list[str] = []
        while not said or "Ctrl-C stops what was started." not in said[-1]:
            said.append(process.stderr.readline())
            assert said[-1], f"{said} {(swept / 'ui.log').read_text()}"
        lines = [line.strip().partition(": http") for line in said]
        yield Opened(process, swept, {what: f"http{rest}" for what, mark, rest in lines if mark})
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def seen(url: str, folder: Path) -> str:
    """Return the text of a page as headless Chromium has rendered it, white space made single."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "Chromium is missing; install Debian's package chromium"
    page = subprocess.run(
        [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={folder / 'chromium'}", "--window-size=2600,1600"),
            *("--virtual-time-budget=20000", "--run-all-compositor-stages-before-draw"),
            *("--dump-dom", url),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    page = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


RUNS = [f"{activation} #{row} · depth" for activation in ("mish", "relu") for row in range(4)]


@pytest.mark.browser
def test_mlflow_lists_the_runs_side_by_side(opened: Opened, tmp_path: Path) -> None:
    text = seen(opened.pages["browsed, the runs side by side"], tmp_path)
    for words in ("Side by side", "Does Mish beat ReLU on a handful of digits?", *RUNS):
        assert words in text
    for column in ("test_accuracy", "failed", "activation", "depth", "optimizer", "status"):
        assert f" {column} " in text
    entries = ledger.read(Home(opened.home).ledger("browsed")).entries
    for entry in entries:
        assert f" {entry.result.metrics['test_accuracy']:.6g} " in text
    rows = re.findall(r"(?:mish|relu) #(\d) · depth", text)
    assert rows == sorted(rows)


@pytest.mark.browser
def test_mlflow_shows_the_answer_on_the_run_of_the_sweep(opened: Opened, tmp_path: Path) -> None:
    page = opened.pages["browsed, the results"]
    text = seen(page, tmp_path)
    for words in (
        "Does Mish beat ReLU on a handful of digits?",
        "When mish wins",
        "Who wins elsewhere",
        "(overall)",
    ):
        assert words in text
    for metric in (
        "trainings_done 8",
        "trainings_planned 8",
        "trainings_failed 0",
        "difference/relu",
        "verdicts/wins",
    ):
        assert metric in text
    run, _, query = page.partition("?")
    listed = seen(f"{run}/artifacts?{query}", tmp_path)
    for name in ("figures", "table", "report.html", "runs.parquet", "spec.toml", "environment.json"):
        assert name in listed
    shown = seen(f"{run}/artifacts/figures/differences.png", tmp_path)
    assert "differences.png" in shown


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own use of SQLAlchemy
def test_mlflow_draws_the_curves_of_a_run(opened: Opened, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=Home(opened.home).tracking_uri)
    experiment = client.get_experiment_by_name("browsed")
    assert experiment is not None
    (child,) = client.search_runs(
        [experiment.experiment_id], "params.configuration = '00000' and params.activation = 'mish'"
    )
    mlflow = opened.pages["MLflow"]
    text = seen(
        f"{mlflow}/#/experiments/{experiment.experiment_id}/runs/{child.info.run_id}/model-metrics", tmp_path
    )
    for words in ("mish #0 · depth", "epoch (4)", "validation_accuracy", "train_loss", "Step"):
        assert words in text


@pytest.mark.browser
def test_optuna_shows_the_study_its_trials_and_what_matters(opened: Opened, tmp_path: Path) -> None:
    optuna = opened.pages["Optuna"]
    assert "0. browsed" in seen(optuna, tmp_path)
    study = seen(f"{optuna}/dashboard/studies/0", tmp_path)
    for words in ("browsed (id=0)", "mish - relu (points)", "Does Mish beat ReLU on a handful of digits?"):
        assert words in study
    importance = study.partition("Hyperparameter Importance")[2]
    for factor in ("depth", "optimizer"):
        assert f" {factor} " in importance
    trials = seen(f"{optuna}/dashboard/studies/0/trials", tmp_path)
    for words in ("4 Trials", "Trial 0", "Trial 3", "test_accuracy mish", "test_accuracy relu"):
        assert words in trials
    assert trials.count("Complete") >= 4


@pytest.mark.browser
def test_ctrl_c_stops_both_and_leaves_nothing(opened: Opened) -> None:
    """The last test of the servers, which it stops."""
    family = psutil.Process(opened.process.pid).children(recursive=True)
    assert len(family) >= 3
    opened.process.send_signal(signal.SIGINT)
    assert opened.process.wait(timeout=30) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    for page in ("MLflow", "Optuna"):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(opened.pages[page].rpartition(":")[2]))) != 0
