"""The door: exit codes, sentences, lightness."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from small_specs import OFAT, TUNED, edited

import mishstudy

SPEC = Path(__file__).parent.parent / "sweeps/quickstart.toml"


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mishstudy", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, check=False,
    )  # fmt: skip


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HELP = """
import contextlib, io, mishstudy
with contextlib.redirect_stdout(io.StringIO()) as page:
    mishstudy.app(["--help"], standalone_mode=False)
assert "plan" in page.getvalue()
"""

HEAVY = {"tensorflow", "jax", "keras", "torch", "mlflow", "optuna", "seaborn", "sklearn"}


def test_the_door_loads_nothing_heavy() -> None:
    """`--help` answers in a fraction of a second: it loads what the door does and Rich."""
    for code in ("import mishstudy", HELP):
        assert not loaded_by(code) & (HEAVY | {"numpy", "pandas", "scipy", "pydantic", "matplotlib"})


@pytest.mark.parametrize(
    "module", ["analysis.criteria", "analysis.tables.exports", "analysis.report.page", "analysis.frame"]
)
def test_the_analysis_loads_no_framework(module: str) -> None:
    assert not loaded_by(f"import {module}") & HEAVY


@pytest.mark.parametrize(
    "module", ["sweeps.sweeper", "sweeps.plan", "sweeps.spec", "study.tracking", "study.ledger"]
)
def test_the_driver_loads_no_framework(module: str) -> None:
    assert not loaded_by(f"import {module}") & (HEAVY - {"optuna", "mlflow"})


def test_our_package_is_the_one_named_sweeps() -> None:
    import sweeps

    assert Path(sweeps.__file__ or "").parent == SPEC.parent


COMMANDS = [
    "sweep",
    "plan",
    "status",
    "table",
    "report",
    "figures",
    "cost",
    "claims",
    "aa",
    "flaw",
    "scores",
    "activations",
    "rebuild",
    "ui",
    "doctor",
    "data list",
    "data fetch",
]


def names(app: typer.Typer) -> list[str]:
    return [command.name or command.callback.__name__ for command in app.registered_commands]  # pyright: ignore


def test_every_command_is_listed_here_and_in_the_readme() -> None:
    of_data = [f"data {name}" for name in names(mishstudy.data_app)]
    assert sorted([*names(mishstudy.app), *of_data]) == sorted(COMMANDS)
    readme = (SPEC.parent.parent / "README.md").read_text(encoding="utf-8")
    assert [command for command in COMMANDS if f"mishstudy {command} " not in readme.replace("\n", " ")] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_a_sentence_and_an_example(command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.returncode == 0
    assert f"Example: mishstudy {command}" in done.stdout
    assert ("--home" in done.stdout) == (command != "activations")  # the catalogue is in no home


@pytest.mark.parametrize("group", ["", "data "])
def test_help_of_a_group_has_an_example_too(group: str) -> None:
    assert f"Example: mishstudy {group}" in run(*group.split(), "--help").stdout


BAD_INPUT = [
    (["sweep", "nowhere.toml"], "nowhere.toml: there is no such file; check the path of the spec."),
    (["plan", "nowhere.toml"], "nowhere.toml: there is no such file; check the path of the spec."),
    (["sweep", SPEC, "--engine", "fast"], "--engine takes auto, fit or population, and 'fast' was given"),
    (["plan", SPEC, "--engine", "fast"], "--engine takes auto, fit or population, and 'fast' was given"),
    (["sweep", SPEC, "--until", "bored"], "--until takes decided, and 'bored' was given"),
    (["sweep", SPEC, "--until", "decided", "--pilot", "15"], "--until and --pilot each say when to stop"),
    (
        ["sweep", SPEC, "--pilot", "61"],
        "--pilot takes from 6 to the 60 configurations of the spec, and 61 was",
    ),
    (["plan", SPEC, "--pilot", "5"], "from 6 to the 60 configurations of the spec, and 5 was"),
    (["plan", SPEC, "--pilot", "15"], "train them with `mishstudy sweep SPEC --pilot 15`"),
    (
        ["plan", SPEC, "--detect", "0.5"],
        "--detect takes from 1 point (delta: the table calls what is smaller a",
    ),
    (["sweep", SPEC, "--tracking-uri", "./mlruns"], "MLflow's file store is not supported"),
    (["sweep", SPEC, "--tracking-uri", "ftp://u:secret@h/x"], "has an unknown scheme"),
    (["sweep", SPEC, "--storage", "nonsense"], "the storage URL 'nonsense' is not a database URL"),
    (["sweep", SPEC, "--storage", "postgresql://u:secret@h/x"], "must be a database URL that can be opened"),
    (["sweep", SPEC, "--home", "/dev/null/runs"], "must be a folder that can be written"),
    (["status", "nothing"], "there is no sweep 'nothing' in the home"),
    (["table", "nothing"], "there is no sweep 'nothing' in the home"),
    (["table", "../etc"], "there is no sweep '../etc' in the home"),
    (["table", "nothing", "--format", "pdf"], "--format takes md, csv, json, latex, html"),
    (["report", "nothing", "--out", "x.html"], "there is no sweep 'nothing' in the home"),
    (["table", "nothing", "--out", ""], "--out names a file, and '.' is a folder; name one such as"),
    (["report", "nothing", "--out", "."], "--out names a file, and '.' is a folder"),
    (["report", "nothing", "--out", "not/there.html"], "'not/there.html' is in no folder that exists"),
    *(
        ([*command.split(), "--home", SPEC], f"--home names a folder, and {SPEC.resolve()} is a file")
        for command in ("status", "status nothing", "ui", "doctor", "data list", "data fetch mnist")
    ),
    (["plan", SPEC, "--bogus", "3"], "`mishstudy plan` has no option --bogus; see `mishstudy plan --help`."),
    (
        ["plan", SPEC, "--egnine", "fit"],
        "`mishstudy plan` has no option --egnine: did you mean --engine; see",
    ),
    (
        ["table", "--delta", "abc"],
        "--delta takes a number, and 'abc' was given; see `mishstudy table --help`.",
    ),
    (["plan", SPEC, "--pilot=1.5"], "--pilot takes a whole number, and '1.5' was given; see"),
    (["report", "quickstart"], "`mishstudy report` needs --out, and it was left out; see `mishstudy report"),
    (["plan"], "`mishstudy plan` needs SPEC, and it was left out; see `mishstudy plan --help`."),
    (["plan", SPEC, "more"], "got unexpected extra argument(s) (more); see `mishstudy plan --help`."),
    (["table", "--delta"], "option '--delta' requires an argument; see `mishstudy --help`."),
    (["tabel"], "no such command 'tabel': did you mean 'table'; see `mishstudy --help`."),
    (["data", "fetch"], "`mishstudy data fetch` needs name, and it was left out"),
    (["ui"], "holds no sweep to show"),
    (["data", "fetch", "mnist"], "data fetch needs a folder"),
    (["data", "fetch", "minst", "--data", "."], "mnist"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT, ids=lambda value: " ".join(map(str, value))[:40])
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISHSTUDY_DATA", raising=False)
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("mishstudy: ")
    assert not list(tmp_path.rglob("*.partial"))
    assert not list(tmp_path.rglob("ledger.jsonl"))


@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_a_tuned_sweep_cannot_train_many_at_once(command: str, tmp_path: Path) -> None:
    spec = tmp_path / "tuned.toml"
    spec.write_text(edited(TUNED))
    done = run(command, spec, "--engine", "population", cwd=tmp_path)
    assert done.returncode == 2
    assert "--engine population trains many configurations at once" in done.stderr
    assert "the sampler tpe chooses each one after the last; use fit" in done.stderr
    assert list(tmp_path.iterdir()) == [spec]


@pytest.mark.parametrize("options", [("sweep", "--until", "decided"), ("sweep", "--pilot", "9")])
def test_only_a_paired_sweep_ends_at_an_earlier_look(options: tuple[str, ...], tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    for changes, design in ((OFAT, "ofat"), (TUNED, "tuned")):
        spec.write_text(edited(changes))
        done = run(options[0], spec, *options[1:], cwd=tmp_path)
        assert done.returncode == 2
        assert "is for the design paired, as the first configurations are a sample there alone" in done.stderr
        assert f"this spec has the design {design}: leave the option out" in done.stderr
        assert not list(tmp_path.rglob("ledger.jsonl"))


def test_a_tuned_sweep_has_no_rows_to_plan(tmp_path: Path) -> None:
    spec = tmp_path / "tuned.toml"
    spec.write_text(edited(TUNED))
    assert json.loads(run("plan", spec, "--json", cwd=tmp_path).stdout)["rows"] == []
    done = run("plan", spec, "--detect", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "--detect and --pilot are about the rows of equal settings, and a tuned sweep has" in done.stderr


def test_a_group_without_a_command_shows_its_help() -> None:
    for group in ([], ["data"]):
        done = run(*group)
        assert done.returncode == 2
        assert "Usage:" in done.stdout + done.stderr
        assert "mishstudy: " not in done.stderr


def test_status_of_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    done = run("status", "--home", tmp_path)
    assert done.returncode == 0
    assert "holds no sweep yet; run `mishstudy sweep SPEC`" in " ".join(done.stdout.split())


def test_plan_trains_nothing_and_writes_nothing(tmp_path: Path) -> None:
    done = run("plan", SPEC, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["trainings"] == plan["blocks"] * plan["activations"] == plan["cost"]["trainings"]
    assert plan["recorded"] == 0
    assert plan["cost"]["programs"] * plan["cost"]["members_per_program"][0] <= plan["trainings"]
    headline, *rows = plan["rows"]
    assert headline["units"] == plan["configurations"]
    assert all(row["detectable"] > headline["detectable"] for row in rows)
    assert all(row["sweep"] > headline["sweep"] for row in rows)
    assert not list(tmp_path.iterdir())
    for line in (
        "compiled programs",
        "With 80 % power at the table's adjustment",
        "No timings in this home yet",
    ):
        assert line in " ".join(run("plan", SPEC, cwd=tmp_path).stdout.split())
