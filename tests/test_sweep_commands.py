"""What the command line makes of a finished sweep: strict tables, figures as files, costs."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from optuna.storages.journal import JournalFileSymlinkLock
from simulated_record import FINGERPRINT, simulated_record
from simulated_runs import Truth, simulate
from typer.testing import CliRunner

import mishstudy
from analysis.cost import cost_of
from analysis.frame import curves_frame, runs_frame
from analysis.tables.cost import to_csv, to_markdown
from study.errors import InputError
from study.ledger import Ledger, Record
from sweeps import sweeper

WORLD = Truth(
    configurations=60,
    rivals=("relu", "swish"),
    factors=("depth", "optimizer"),
    effect=lambda drawn: np.where(drawn["depth"] > 15, 0.9, 0.0),
)


@pytest.fixture(scope="module")
def record() -> Record:
    return simulated_record(simulate(WORLD, np.random.default_rng(7)), WORLD.question)


@pytest.fixture(scope="module")
def home(record: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with Ledger(home / "simulated" / "ledger.jsonl") as ledger:
        ledger.header(FINGERPRINT, "2026-11-28T12:00:00+00:00")
        ledger.question(record.question)
        ledger.append(*record.entries)
    return home


def called(*arguments: object) -> str:
    """Return what a command prints."""
    done = CliRunner().invoke(mishstudy.app, [str(each) for each in arguments])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def adjusted(text: str) -> tuple[bool, list[float]]:
    """Return whether a table is strict, and the adjusted p-values of its level rows."""
    values = json.loads(text)
    return values["strict"], [row["p_adjusted"] for row in values["levels"] if row["p_adjusted"] is not None]


def test_strict_tables_take_holm_for_the_level_rows(home: Path) -> None:
    asked = ("table", "simulated", "--home", home, "--format", "json")
    strict, plain = adjusted(called(*asked, "--strict")), adjusted(called(*asked))
    assert (strict[0], plain[0]) == (True, False)
    assert all(one >= other for one, other in zip(strict[1], plain[1], strict=True))
    assert sum(one > other for one, other in zip(strict[1], plain[1], strict=True)) > 5


def test_runs_of_ones_own_take_strict_too(record: Record, tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    runs_frame(record).to_csv(file, index=False)
    asked = (
        "table", "--runs", file, "--treatment", "activation", "--focus", "mish", "--metric", "test_accuracy",
        "--factors", "depth,optimizer", "--replicate", "replicate", "--delta", 0.5, "--format", "json",
    )  # fmt: skip
    assert adjusted(called(*asked, "--strict"))[0]
    assert not adjusted(called(*asked))[0]


def test_figures_are_written_at_print_size(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    called("figures", "simulated", "--home", home, "--out", out, "--format", "svg,png")
    made = {path.name for path in out.iterdir()}
    assert {"differences.svg", "differences.png", "ranking.svg", "turning_points.png"} <= made
    assert {path.suffix for path in out.iterdir()} == {".svg", ".png"}
    assert (out / "ranking.png").read_bytes().startswith(b"\x89PNG")
    assert "average rank" in (out / "ranking.svg").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="--format takes svg, png, pdf, and 'gif' was given"):
        called("figures", "simulated", "--home", home, "--out", out, "--format", "svg,gif")
    with pytest.raises(InputError, match="--out names a folder"):
        called("figures", "simulated", "--home", home, "--out", out / "ranking.svg")


def test_costs_are_printed_or_written(record: Record, home: Path, tmp_path: Path) -> None:
    found = cost_of(runs_frame(record), curves_frame(record), record)
    assert called("cost", "simulated", "--home", home) == to_markdown(found)
    called("cost", "simulated", "--home", home, "--format", "csv", "--out", tmp_path / "cost.csv")
    assert (tmp_path / "cost.csv").read_text(encoding="utf-8") == to_csv(found)
    with pytest.raises(InputError, match="--format takes md, csv, json, and 'latex' was given"):
        called("cost", "simulated", "--home", home, "--format", "latex")


def test_ctrl_c_in_the_middle_of_a_library_is_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna's lock, stopped while it is given back, raises an error of its own in place of the interrupt."""
    unlink = os.unlink

    def interrupted(*arguments: object, **keywords: object) -> None:
        monkeypatch.setattr(os, "unlink", unlink)
        unlink(*arguments, **keywords)
        raise KeyboardInterrupt

    def stopped(*_: object) -> None:
        lock = JournalFileSymlinkLock(str(tmp_path / "optuna.journal"))
        lock.acquire()
        monkeypatch.setattr(os, "unlink", interrupted)
        lock.release()

    (tmp_path / "optuna.journal").touch()
    monkeypatch.setattr(sweeper, "run", stopped)
    spec = Path(__file__).parent.parent / "sweeps/quickstart.toml"
    done = CliRunner().invoke(mishstudy.app, ["sweep", str(spec), "--home", str(tmp_path)])
    assert done.exit_code == 130
    assert "nothing that was recorded is lost" in done.stderr
