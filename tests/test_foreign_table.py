"""The command `table` on runs of one's own: every form, every mistake, and the same table as from a sweep."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from foreign_sweeps import grid, random_search
from simulated_runs import Truth, simulate
from test_cli import run
from test_criteria import SCHEMA

import mishstudy
from analysis.criteria import criteria_table
from analysis.foreign.frame import Ask
from analysis.foreign.table import ask_of, table_of_file
from study.errors import InputError

OPTIONS = {
    "--treatment": "act", "--focus": "mish", "--metric": "score", "--factors": "layers,opt,lr",
    "--replicate": "seed", "--delta": "0.5",
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of runs, some of which failed."""
    frame = grid(activations=("mish", "relu", "swish")).assign(status="ok")
    frame.loc[4, "score"] = np.nan
    frame.loc[9, "status"] = "crashed"
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    frame.to_csv(path, index=False)
    return path


def words(**changes: str | None) -> list[str]:
    """Return the options of the command line, changed; None takes one out."""
    given = OPTIONS | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return [word for name, value in given.items() if value is not None for word in (name, value)]


def test_json_follows_the_published_schema(runs: Path) -> None:
    done = run("table", "--runs", runs, *words(), "--format", "json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(table)
    assert (table["name"], table["focus"], table["rivals"]) == ("runs", "mish", ["relu", "swish"])
    assert [row["verdict"] for row in table["headline"]] == ["wins", "wins"]
    assert table["failures"] == {"mish": {"failed": 1}, "relu": {"failed": 1}, "swish": {}}
    assert table["notes"][0] == "96 runs of runs.csv."


Door = Callable[..., tuple[int, str, str]]


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Door:
    """Return the command line in this process and in an empty folder: exit code, output, errors."""

    def called(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["mishstudy", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            mishstudy.main()
        output = capsys.readouterr()
        return int(left.value.code or 0), output.out, output.err

    return called


@pytest.mark.parametrize(
    ("form", "start"),
    [("md", "# When does mish win?"), ("csv", "focus,rival,"), ("latex", "% Needs"), ("html", "<section")],
)
def test_every_form_goes_to_a_file(runs: Path, tmp_path: Path, door: Door, form: str, start: str) -> None:
    out = tmp_path / "table.txt"
    assert door("table", "--runs", runs, *words(), "--format", form, "--out", out) == (0, "", "")
    assert out.read_text().startswith(start)


def test_without_a_form_the_terminal_gets_the_table(runs: Path, door: Door) -> None:
    code, output, _ = door("table", "--runs", runs, *words())
    assert code == 0
    assert "On average over the configurations, mish beats every rival." in output


WRONG = [
    ([], "table takes one of these: the name of a sweep, --runs FILE, or --experiment NAME."),
    (["small", "--runs", "{runs}"], "table takes one of these"),
    (["small", "--delta", "1"], "--delta is for runs of your own; a sweep has its question in its spec."),
    (
        ["--runs", "{runs}"],
        "needs --treatment, --focus, --metric and --delta as well: the smallest difference",
    ),
    (
        ["--runs", "{runs}", *words(delta=None)],
        "for runs of your own table needs --delta as well: the smallest",
    ),
    (["--runs", "{runs}", *words(metric=None)], "for runs of your own table needs --metric as well."),
    (["--runs", "{runs}", *words(factors=None)], "--runs needs --factors, since a file does not say"),
    (["--runs", "{runs}", *words(metric="scor")], "has no column 'scor'; did you mean 'score'?"),
    (["--runs", "{runs}", *words(focus="misch")], "no run has 'misch' as its act; did you mean 'mish'?"),
    (["--runs", "gone.csv", *words()], "gone.csv cannot be read: No such file or directory"),
    (["--runs", "{runs}", *words(), "--format", "pdf"], "--format takes md, csv, json, latex, html"),
    (["--experiment", "x", *words()], "there is no file "),
    (
        ["--experiment", "x", "--tracking-uri", "ftp://me:s3cret@host/x", *words()],
        "the tracking URI 'ftp://***@host/x' has an unknown scheme",
    ),
    (["--runs", "a" * 5000 + ".csv", *words()], ".csv cannot be read: File name too long; check the path."),
    (
        ["--experiment", "x", "--tracking-uri", f"sqlite:///{'a' * 5000}", *words()],
        "a path is longer than the system allows; check what was given for a path or a URL.",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=lambda value: str(value)[:50])
def test_a_mistake_is_one_sentence_and_exit_code_2(
    runs: Path, arguments: list[str], message: str, door: Door, tmp_path: Path
) -> None:
    code, output, errors = door("table", *(word.format(runs=runs) for word in arguments))
    assert (code, output) == (2, "")
    assert message in errors
    assert errors.startswith("mishstudy: ")
    assert errors.count("\n") == 1
    assert "s3cret" not in errors
    assert not list(tmp_path.iterdir())


SIMULATED = {"treatment": "activation", "metric": "test_accuracy", "replicate": "replicate"}


def asked(**changes: Any) -> Ask:
    given = {
        "treatment": "act",
        "focus": "mish",
        "metric": "score",
        "delta": 0.5,
        "factors": ("layers", "lr"),
    }
    return Ask(**{**given, "replicate": "seed", **changes})


def test_the_factors_are_a_list_with_commas_and_may_be_empty() -> None:
    fields = dict.fromkeys(("factors", "replicate", "loss_cap", "lower_is_better", "scale", "unit", "chance"))
    given = fields | {"treatment": "act", "focus": "mish", "metric": "score", "delta": 0.5}
    assert ask_of(given).factors is None
    assert ask_of({**given, "factors": " depth , lr,"}).factors == ("depth", "lr")
    assert ask_of({**given, "factors": ""}).factors == ()


def test_a_file_of_unpaired_runs_says_so(tmp_path: Path) -> None:
    random_search(80).to_csv(tmp_path / "runs.csv", index=False)
    made = table_of_file(tmp_path / "runs.csv", asked(factors=("lr", "opt"), replicate=None))
    assert made.design == "unpaired"
    assert made.notes[1].startswith("Unpaired: no configurations ran with both mish and one other act.")


def test_a_file_without_factors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--runs needs --factors"):
        table_of_file(tmp_path / "runs.csv", asked(factors=None))


def test_the_artifact_of_a_sweep_gives_the_table_of_the_sweep(tmp_path: Path) -> None:
    """The runs that a sweep leaves in MLflow as Parquet, read as anybody's file: the same numbers."""
    truth = Truth(configurations=40, replicates=2, failure_rate=0.05)
    frame = simulate(truth, np.random.default_rng(7))
    frame.to_parquet(tmp_path / "runs.parquet")
    ours = criteria_table(frame, truth.question)
    theirs = table_of_file(
        tmp_path / "runs.parquet",
        asked(factors=truth.factors, **SIMULATED),
    )
    assert theirs.design == ours.design
    assert theirs.headline == ours.headline
    assert {(row.parameter, row.level): row for row in theirs.levels} == {
        (row.parameter, row.level): row for row in ours.levels
    }


@pytest.mark.slow
def test_a_hundred_thousand_runs_are_a_matter_of_seconds(tmp_path: Path) -> None:
    truth = Truth(configurations=25_000, replicates=2)
    frame = simulate(truth, np.random.default_rng(7))
    frame.to_csv(tmp_path / "runs.csv", index=False)
    made = table_of_file(
        tmp_path / "runs.csv",
        asked(factors=truth.factors, **SIMULATED),
    )
    assert (made.trainings, made.headline[0].pairs) == (100_000, 50_000)
