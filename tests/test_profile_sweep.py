"""Real sweeps with a profiled learning rate on both engines: killed and resumed, looked at, reported."""

import json
import signal
from pathlib import Path

import pytest
from sweep_runs import SPEC, Sweep, run, start, timeless, wait_until, write_spec

from analysis.frame import runs_frame
from analysis.profile import best_rows
from study import ledger

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

PROFILED = SPEC.replace("low = 0.3\nhigh = 3.0\n", "levels = [0.3, 1.0, 3.0]\n").replace(
    'focus = "mish"', 'focus = "mish"\nprofile = ["learning_rate"]'
)
CONFIGURATIONS = 2
"""Both depths there are: two programs of the population engine."""


def sweep_in(folder: Path, engine: str) -> Sweep:
    folder.mkdir()
    return Sweep(write_spec(folder, CONFIGURATIONS, PROFILED), folder / "home", engine)


@pytest.mark.faults
@pytest.mark.parametrize("engine", [pytest.param("fit", marks=pytest.mark.long), "population"])
def test_killed_and_resumed_it_ends_as_if_undisturbed(tmp_path: Path, engine: str) -> None:
    undisturbed, killed = (sweep_in(tmp_path / name, engine) for name in ("undisturbed", "killed"))
    run(*undisturbed.arguments)
    with start(*killed.arguments) as driver:
        wait_until(driver, lambda: killed.recorded >= 1)
        driver.kill()
    assert driver.returncode == -signal.SIGKILL
    status = run("status", "small", "--home", killed.home).stdout
    assert f"/{ledger.read(undisturbed.ledger).question.planned_trainings}" in status
    run(*killed.arguments)
    assert timeless(killed.ledger) == timeless(undisturbed.ledger)
    assert killed.tables() == undisturbed.tables()

    record = ledger.read(undisturbed.ledger)
    runs = runs_frame(record)
    best = best_rows(runs, record.question)
    assert len(runs) == record.question.planned_trainings == 3 * len(best)
    table = json.loads(undisturbed.tables()[0])
    assert sum(one["chosen"] for one in table["profiled"]) == len(best)
    sides = best.pivot_table(index=["index", "block"], columns="activation", values="test_accuracy")
    told = (sides["mish"] - sides["relu"]).clip(-10, 10).groupby("index").mean()
    assert table["headline"][0]["difference"] == pytest.approx(told.mean(), abs=1e-4)
    assert told_to_optuna(undisturbed) == pytest.approx(list(told))
    if engine == "population":
        assert table["agreement"]["trainings"] % 6 == 0
        assert table["agreement"]["pairs"] == table["agreement"]["trainings"] / 6
    assert "Chosen learning rates" in (undisturbed.folder / "report.html").read_text(encoding="utf-8")


def told_to_optuna(sweep: Sweep) -> list[float]:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(sweep.home / "optuna.journal")))
    study = optuna.load_study(study_name="small", storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * CONFIGURATIONS
    return [trial.value for trial in study.trials if trial.value is not None]


def test_plan_and_status_know_of_it(tmp_path: Path) -> None:
    """Eight configurations, of which a pilot trains six; `plan` then measures what is profiled."""
    wide = PROFILED.replace("levels = [2, 3]", "levels = [2, 3, 4]").replace(
        "[fixed]\nwidth = 16", '[factors.optimizer]\nrole = "condition"\nlevels = ["sgd", "adam", "rmsprop"]'
    )
    sweep = Sweep(write_spec(tmp_path, 8, wide), tmp_path / "home", "population")
    planned = run("plan", sweep.spec, "--home", sweep.home, "--detect", "2").stdout
    assert "each activation of a block at each of 3 learning rates" in " ".join(planned.split())
    run(*sweep.arguments, "--pilot", "6")
    status = run("status", "small", "--home", sweep.home).stdout
    assert "Over the first" in status
    values = json.loads(run("plan", sweep.spec, "--home", sweep.home, "--pilot", "6", "--json").stdout)
    assert values["levels"] == 3
    assert values["trainings"] == values["blocks"] * 2 * 3
    assert values["deviation_basis"].startswith("Measured on 6 configurations")
