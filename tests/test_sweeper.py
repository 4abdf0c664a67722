"""The loop, with real engines, the real Optuna and the real MLflow: the same twice, grown, refused."""

import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend
from sweep_runs import SPEC, Sweep, run, timeless, write_spec

from study import ledger
from study.ledger import Entry
from study.ledger_lines import encode
from study.training import Status
from sweeps.home import OWN_NAMES

TUNED = SPEC.replace("configurations = {configurations}\nreplicated_share = 0.3", 'design = "tuned"')


@pytest.fixture(params=[pytest.param("fit", marks=pytest.mark.slow), "population"])
def finished(request: pytest.FixtureRequest, finished_sweep: Callable[[str], Sweep]) -> Sweep:
    """Return a finished sweep of each engine."""
    return finished_sweep(request.param)


@pytest.fixture
def small(finished_sweep: Callable[[str], Sweep]) -> Sweep:
    """Return a finished sweep of the engine that most sweeps have."""
    return finished_sweep("population")


@pytest.fixture
def copied(small: Sweep, tmp_path: Path) -> Sweep:
    """Return a copy of `small` that may be changed."""
    shutil.copytree(small.home, tmp_path / "home")
    return Sweep(write_spec(tmp_path), tmp_path / "home", small.engine)


def elsewhere(sweep: Sweep) -> tuple[object, ...]:
    """Return the arguments that run a copied sweep: MLflow's database knows where its artifacts were."""
    return (*sweep.arguments, "--tracking-uri", f"sqlite:///{sweep.home / 'other.db'}")


def entries(sweep: Sweep) -> Sequence[Entry]:
    return ledger.read(sweep.ledger).entries


def studies(sweep: Sweep) -> dict[str, optuna.Study]:
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(sweep.home / "optuna.journal")))
    names = sorted(each.study_name for each in storage.get_all_studies())
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


def cut_ledger(sweep: Sweep, trainings: int = 1) -> None:
    """Take the last trainings away, and what follows them, so that there is something to train."""
    lines = sweep.ledger.read_bytes().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if b'"kind":"training"' in line]
    sweep.ledger.write_bytes(b"".join(lines[: places[-trainings]]))


def forge_version(sweep: Sweep, package: str, version: str) -> None:
    """Write another version into the environment of the results so far."""
    first, *rest = sweep.ledger.read_bytes().splitlines(keepends=True)
    header = json.loads(first.partition(b" ")[2])
    assert package in header["fingerprint"]["versions"]
    header["fingerprint"]["versions"][package] = version
    sweep.ledger.write_bytes(encode(header) + b"".join(rest))


def test_a_second_run_trains_nothing_and_prints_the_same(finished: Sweep) -> None:
    before, started = finished.ledger.read_bytes(), time.monotonic()
    again, third = (run(*finished.arguments, PYTHONHASHSEED=seed) for seed in "23")
    assert time.monotonic() - started < 60
    assert finished.ledger.read_bytes() == before
    assert "compiled program" not in again.stderr
    assert again.stdout == third.stdout == finished.tables()[1]


def test_what_a_home_holds_beside_its_sweeps_names_no_sweep(small: Sweep) -> None:
    names = {path.name for path in small.home.iterdir() if not path.name.startswith(".")}
    assert {"mlflow.db", "optuna.journal", "compiled"} <= names - {small.folder.name} <= OWN_NAMES


@pytest.mark.slow
@pytest.mark.parametrize("engine", [pytest.param("fit", marks=pytest.mark.slow), "population"])
def test_another_process_and_hash_seed_write_the_same_ledger(
    finished_sweep: Callable[[str], Sweep], tmp_path: Path, engine: str
) -> None:
    finished = finished_sweep(engine)
    other = Sweep(write_spec(tmp_path), tmp_path / "home", finished.engine)
    done = run(*other.arguments, PYTHONHASHSEED="31337")
    assert timeless(other.ledger) == timeless(finished.ledger)
    curves = [ledger.curves_path(sweep.ledger).read_bytes() for sweep in (finished, other)]
    assert curves[0] == curves[1]
    assert other.tables() == finished.tables()
    assert done.stdout == finished.tables()[1]


def test_optuna_is_told_the_paired_difference(small: Sweep) -> None:
    (study,) = studies(small).values()
    assert len(study.trials) == 4
    for trial in study.trials:
        mine = [each for each in entries(small) if each.configuration.index == trial.user_attrs["row"]]
        assert dict(mine[0].configuration.levels) == trial.params
        value = {
            (each.training.activation, each.training.replicate): each.result.metrics["test_accuracy"]
            for each in mine
        }
        seeds = {replicate for _, replicate in value}
        expected = sum(value["mish", r] - value["relu", r] for r in seeds) / len(seeds)
        assert trial.value == pytest.approx(expected)
        assert "failed mish" not in trial.user_attrs


@pytest.mark.slow
def test_a_sweep_may_grow_and_keeps_what_it_has(copied: Sweep) -> None:
    held = copied.ledger.read_bytes()
    text = SPEC.replace("epochs = 3", "epochs = 3\nreplicates = 2").replace('["relu"]', '["relu", "tanh"]')
    write_spec(copied.spec.parent, 6, text)
    run(*elsewhere(copied))
    assert copied.ledger.read_bytes().startswith(held)
    record = ledger.read(copied.ledger)
    assert len(record.entries) == record.question.planned_trainings > held.count(b'"kind":"training"')
    blocks = {each.training.block for each in record.entries}
    assert len(record.entries) == len(blocks) * 3
    assert {each.training.replicate for each in record.entries} >= {0, 1}
    assert not record.mixed
    (study,) = studies(copied).values()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 6


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
    small: Sweep, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    before = small.ledger.read_bytes()
    changed = Sweep(write_spec(tmp_path, text=SPEC.replace(*change)), small.home, small.engine)
    done = run(*changed.arguments, code=2)
    assert re.search(words, done.stderr), done.stderr
    assert small.ledger.read_bytes() == before
    assert (small.folder / "spec.toml").read_text() == SPEC.format(configurations=4)


@pytest.mark.slow
def test_another_library_or_number_of_threads_is_refused_unless_accepted(copied: Sweep) -> None:
    whole = copied.recorded
    write_spec(copied.spec.parent, text=SPEC.replace("seed = 5", "seed = 5\nthreads = 2"))
    done = run(*copied.arguments, code=2)
    assert "threads: 1 -> 2" in done.stderr
    write_spec(copied.spec.parent)
    forge_version(copied, "keras", "3.0.0")
    cut_ledger(copied)
    done = run(*copied.arguments, code=2)
    assert re.search(r"versions\.keras: 3\.0\.0 -> 3\.", done.stderr), done.stderr
    assert "add --accept-mixed, which the table will then say" in done.stderr
    assert copied.recorded == whole - 1
    write_spec(copied.spec.parent, text=SPEC.replace("seed = 5", "seed = 5\nthreads = 2"))
    accepted = run(*elsewhere(copied), "--accept-mixed")
    assert copied.recorded == whole
    for text in (accepted.stdout, *copied.tables()):
        assert "more than one environment" in text
    record = ledger.read(copied.ledger)
    assert record.mixed
    assert [each["threads"] for each in record.fingerprints] == [1, 2]


OWN = """
import multiprocessing

import keras

assert multiprocessing.parent_process() is not None, "the driver imports no function of one's own"


def bent(x):
    return x * x


def wavy(x):
    return x + 0.5 * keras.ops.square(x)
"""


@pytest.mark.slow
def test_an_activation_of_ones_own_joins_and_is_refused_once_it_is_edited(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(OWN)
    sweep = Sweep(write_spec(tmp_path, 1, SPEC.replace('"relu"', '"mine:bent"')), tmp_path / "home", "fit")
    run(*sweep.arguments)
    write_spec(tmp_path, 1, SPEC.replace('"relu"', '"mine:bent", "mine:wavy"'))
    run(*sweep.arguments)
    assert {each.training.activation for each in entries(sweep)} == {"mish", "mine:bent", "mine:wavy"}
    assert {each.result.status for each in entries(sweep)} <= {Status.OK, Status.DIVERGED}
    assert not ledger.read(sweep.ledger).mixed
    module.write_text(OWN.replace("return x * x", "return 2 * x * x"))
    for _ in ("finished", "unfinished"):
        done = run(*sweep.arguments, code=2)
        assert re.search(r"source of mine:bent: [0-9a-f]{16} -> [0-9a-f]{16}", done.stderr)
        assert "--accept-mixed" in done.stderr
        cut_ledger(sweep)


@pytest.mark.faults
def test_two_drivers_on_one_home_are_refused(tmp_path: Path) -> None:
    from sweeps.home import Home

    home = Home(tmp_path / "home")
    home.prepare()
    sweep = Sweep(write_spec(tmp_path, 1), home.root)
    with home.locked("another"):
        done = run(*sweep.arguments, code=2)
    assert f"process {os.getpid()} on " in done.stderr
    assert "runs another there since 20" in done.stderr
    assert not sweep.ledger.exists()


def test_what_cannot_be_trained_is_refused_before_anything_is(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken(x):\n    raise ValueError('no such luck')\n")
    (tmp_path / "mnist.npz").write_bytes(b"torn")
    for text, words in (
        (SPEC.replace('"relu"', '"mine:broken"'), "raised ValueError when tried on a small batch: no such"),
        (SPEC.replace('"digits"', '"mnist"'), "mnist.npz"),
    ):
        sweep = Sweep(write_spec(tmp_path, 1, text), tmp_path / "home", "population")
        done = run(*sweep.arguments, "--data", tmp_path, code=2)
        assert words in done.stderr
        assert not sweep.ledger.exists()
        assert not (sweep.folder / "spec.toml").exists()
        assert not (sweep.home / "mlflow.db").exists()


@pytest.mark.faults
def test_a_training_that_raises_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import tensorflow as tf\n"
        "def wide(x):\n"
        "    if x.shape[-1] == 32 and x.shape[0] == 64:\n"
        "        raise ValueError('too wide')\n"
        "    return tf.tanh(x)\n"
    )
    text = SPEC.replace('"relu"', '"mine:wide"').replace("replicated_share = 0.3", "replicated_share = 0")
    text = text.replace("[factors.depth]", "[factors.width]").replace("[2, 3]", "[16, 32]")
    sweep = Sweep(write_spec(tmp_path, 2, text.replace("width = 16", "depth = 3")), tmp_path / "home")
    done = run(*sweep.arguments)
    found = {
        (each.training.activation, each.configuration.levels["width"]): each.result for each in entries(sweep)
    }
    assert len(found) == 4
    assert found["mine:wide", 32].status is Status.ERROR
    assert found["mine:wide", 32].reason == "ValueError: too wide"
    assert {each.status for (_, width), each in found.items() if width == 16} == {Status.OK}
    assert found["mish", 32].status is Status.OK
    assert "4/4 trainings" in done.stderr
    assert "1 failed" in done.stderr
    (study,) = studies(sweep).values()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2


@pytest.mark.slow
def test_a_sweep_without_factors_runs_resumes_and_has_one_trial(tmp_path: Path) -> None:
    text = SPEC.replace("configurations = {configurations}\nreplicated_share = 0.3", 'design = "ofat"')
    text = text.replace("epochs = 3", "epochs = 3\nreplicates = 10").partition("[factors.depth]")[0]
    sweep = Sweep(write_spec(tmp_path, text=text + "[factors]\n"), tmp_path / "home")
    run(*sweep.arguments)
    assert {(each.training.activation, each.training.replicate) for each in entries(sweep)} == {
        (activation, replicate) for activation in ("mish", "relu") for replicate in range(10)
    }
    (study,) = studies(sweep).values()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
    tables = sweep.tables()
    cut_ledger(sweep)
    run(*sweep.arguments)
    assert sweep.tables() == tables
    assert "What was run" in (sweep.folder / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_tuned_gives_each_activation_the_same_budget_and_resumes(tmp_path: Path, sampler: str) -> None:
    text = TUNED + f'[tuning]\ntrials = 3\nsampler = "{sampler}"\nrepeats = 2\nconfirm = 2\n'
    sweep = Sweep(write_spec(tmp_path, text=text), tmp_path / "home")
    first = run(*sweep.arguments)
    assert "One search" not in first.stdout
    assert "2 searches for each activation can not say who wins tuned" in first.stdout
    whole = timeless(sweep.ledger)
    assert Counter(each.training.activation for each in entries(sweep)) == {"mish": 10, "relu": 10}
    assert all(each.adaptive for each in entries(sweep))
    assert len({each.training.digest for each in entries(sweep)}) == 20
    for lost in (3, 12):  # confirmations, and trials before them
        cut_ledger(sweep, trainings=lost)
        again = run(*sweep.arguments)
        assert timeless(sweep.ledger) == whole
        assert again.stdout == first.stdout
    held = {name: len(study.trials) for name, study in studies(sweep).items()}
    assert held == {
        "small/mish": 3, "small/mish (repeat 2)": 3, "small/relu": 3, "small/relu (repeat 2)": 3
    }  # fmt: skip
