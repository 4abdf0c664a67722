"""The status of a home: a row per sweep, from its ledger and the lock alone."""

import io
import os
import re
from pathlib import Path

from rich.console import Console
from simulated_record import FINGERPRINT
from small_specs import edited
from sweep_runs import run

from study import ledger
from study.ledger import Entry, Ledger
from study.training import Status, TrainingResult
from sweeps import cross_check, design
from sweeps.home import Home
from sweeps.spec import parse
from sweeps.status import render


def record(
    home: Home,
    name: str,
    statuses: list[Status],
    *,
    engine: str = "fit",
    checked: int = 0,
    stopped_at: int | None = None,
) -> int:
    """Write a sweep of 18 trainings of which some are done; return how many the check repeats."""
    spec = parse(edited({"name": name, "configurations": 6, "replicated_share": 0}), "s.toml")
    items = design.trainings(spec)
    assert len(items) == 18
    path = home.ledger(name)
    fingerprint = {**FINGERPRINT, "engine": engine}
    ledger.create(path, fingerprint, "2026-01-01T00:00:00+00:00", spec.question_for_analysis(6, 18))
    repeated = cross_check.chosen([item.training for item, _ in zip(items, statuses, strict=False)])
    with Ledger(path) as book:
        for item, status in zip(items, statuses, strict=False):
            result = TrainingResult(
                digest=item.training.digest,
                status=status,
                metrics={"test_accuracy": 90.0} if status is Status.OK else {},
                seconds=2.0,
                build_seconds=0.5,
            )
            book.append(Entry(training=item.training, configuration=item.configuration, result=result))
        if stopped_at is not None:
            book.stop(stopped_at)
        for training in repeated[:checked]:
            book.check(TrainingResult(digest=training.digest, status=Status.OK))
    os.utime(path, (1767225600, 1767225600))
    return len(repeated)


def cells(home: Home, *names: str) -> dict[str, list[str]]:
    file = io.StringIO()
    Console(file=file, width=200).print(render(home, list(names) or home.sweeps())[0])
    rows = [re.split(r"\s{2,}", line.strip()) for line in file.getvalue().splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) == 6}


def test_every_state_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record(home, "none", [])
    record(home, "part", [Status.OK] * 5 + [Status.DIVERGED] * 2 + [Status.ERROR])
    record(home, "whole", [Status.OK] * 18)
    with home.locked("part"):
        assert cells(home, "part")["part"][2] == "running"
        assert cells(home, "whole")["whole"][2] == "complete"
    rows = cells(home)
    assert rows["sweep"] == ["trainings", "failed", "state", "last result (UTC)", "training time"]
    stopped = "stopped; resume with mishstudy sweep"
    last = "2026-01-01 00:00:00"
    assert rows["none"] == ["0/18", "0", stopped, last, "0 s"]
    assert rows["part"] == ["8/18", "2 diverged, 1 error", stopped, last, "20 s"]
    assert rows["whole"] == ["18/18", "0", "complete", last, "45 s"]
    assert not (tmp_path / ".lock-holder.json").exists()


def test_a_sweep_whose_check_is_missing_is_not_complete(tmp_path: Path) -> None:
    home = Home(tmp_path)
    repeated = record(home, "unchecked", [Status.OK] * 18, engine="population")
    assert repeated
    record(home, "checked", [Status.OK] * 18, engine="population", checked=18)
    rows = cells(home)
    assert rows["unchecked"][:3] == ["18/18", "0", "stopped; resume with mishstudy sweep"]
    assert rows["checked"][:3] == ["18/18", "0", "complete"]


def test_a_sweep_that_stopped_early_is_not_one_that_was_stopped(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record(home, "early", [Status.OK] * 12, stopped_at=4)
    record(home, "unchecked", [Status.OK] * 12, stopped_at=4, engine="population")
    record(home, "checked", [Status.OK] * 12, stopped_at=4, engine="population", checked=18)
    rows = cells(home)
    assert rows["early"][2] == rows["checked"][2] == "stopped early: decided after 4 configurations"
    assert rows["unchecked"][2] == "stopped; resume with mishstudy sweep"


def test_the_overall_rows_are_provisional_with_their_confidence_sequence(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record(home, "part", [Status.OK] * 11)
    record(home, "whole", [Status.OK] * 18)
    shown = " ".join(run("status", "part", "--home", tmp_path, COLUMNS="120").stdout.split())
    for words in (
        "Overall, provisional",
        "mish - relu 0.0 [-",
        "mish - beta_mish(1.5) 0.0 [-",
        "not enough evidence 3",
        "Over the first 3 of 6 configurations of the design, which are complete.",
        "it holds with 95 % however often one looks",
    ):
        assert words in shown
    for arguments in (("status", "whole"), ("status",)):
        assert "rovisional" not in run(*arguments, "--home", tmp_path).stdout


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    file = io.StringIO()
    Console(file=file, width=500).print(render(Home(tmp_path), [])[0])
    assert file.getvalue().strip() == (f"The home {tmp_path} holds no sweep yet; run `mishstudy sweep SPEC`.")


def test_a_damaged_ledger_is_named_and_hides_no_other(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record(home, "hurt", [Status.OK] * 3)
    record(home, "sound", [Status.OK] * 18)
    path = home.ledger("hurt")
    path.write_bytes(path.read_bytes().replace(b'"epochs":15', b'"epochs":16', 1))
    done = run("status", "--home", tmp_path, code=2)
    assert re.search(r"sound +18/18 +0 +complete", done.stdout)
    assert "hurt" not in done.stdout
    assert done.stderr.startswith(f"mishstudy: {path}, line 4 is damaged (its checksum does not match); ")
    assert len(done.stderr.splitlines()) == 1
    assert run("status", "hurt", "--home", tmp_path, code=2).stderr == done.stderr


def test_the_command_shows_one_or_all_and_fits_a_narrow_terminal(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record(home, "first", [Status.OK])
    record(home, "a-sweep-with-a-rather-long-name", [Status.OK] * 17 + [Status.TIMEOUT])
    one = run("status", "first", "--home", tmp_path).stdout
    assert "first" in one
    assert "rather" not in one
    both = run("status", "--home", tmp_path, COLUMNS="80").stdout
    assert max(map(len, both.splitlines())) <= 80
    for word in ("first", "1/18", "18/18", "timeout", "complete", "stopped;"):
        assert re.search(rf"(?<!\S){re.escape(word)}(?!\S)", both), both
