"""What Optuna holds of a sweep, in its real journal: the whole design, then a value per configuration."""

import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from made_entries import entries_of, question_of, result_of, spec_with
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState
from small_specs import GONE, OFAT

from study.errors import InputError, RunError
from study.ledger import Entry
from study.question import Factor, Question
from study.training import Status
from sweeps import design, journal
from sweeps.trials import Trials, block_value, distribution, open_storage

SPEC = spec_with()
QUESTION = question_of(SPEC)
ENTRIES = entries_of(SPEC)
DESIGN = design.configurations(SPEC)


def trials_at(home: Path, question: Question = QUESTION) -> Trials:
    """Open the study as a driver does at its start."""
    return Trials(open_storage(home / "optuna.journal", None), question)


def held(home: Path) -> list[FrozenTrial]:
    """Read the study as another process would."""
    return optuna.load_study(study_name="small", storage=open_storage(home / "optuna.journal", None)).trials


def states(home: Path) -> list[str]:
    return [trial.state.name for trial in held(home)]


def of_row(index: int, entries: Sequence[Entry] = ENTRIES) -> list[Entry]:
    return [entry for entry in entries if entry.configuration.index == index]


def with_outcomes(outcomes: Mapping[tuple[str, int], float | None]) -> list[Entry]:
    """Return the row with two seeds: (activation, replicate) to accuracy, None for a failure."""
    row = next(index for index in range(4) if len(of_row(index)) == 4)
    return [
        dataclasses.replace(
            entry,
            result=result_of(
                entry,  # pyright: ignore[reportArgumentType]
                value,
                Status.OK if value is not None else Status.DIVERGED,
            ),
        )
        for entry in of_row(row)
        for value in [outcomes[entry.training.activation, entry.training.replicate]]
    ]


def test_every_configuration_is_enqueued_before_anything_is_trained(tmp_path: Path) -> None:
    trials_at(tmp_path).enqueue(DESIGN)
    trials = held(tmp_path)
    assert [trial.state for trial in trials] == [TrialState.WAITING] * 4
    assert [trial.params for trial in trials] == [dict(each.levels) for each in DESIGN]
    assert [trial.user_attrs["row"] for trial in trials] == [0, 1, 2, 3]
    assert [trial.user_attrs["configuration"] for trial in trials] == [each.digest for each in DESIGN]
    assert trials[0].distributions == {factor.name: distribution(factor) for factor in QUESTION.factors}


def test_enqueued_again_and_grown_the_design_keeps_its_order(tmp_path: Path) -> None:
    trials_at(tmp_path).enqueue(DESIGN)
    larger = design.configurations(spec_with({"configurations": 6}))
    assert larger[:4] == DESIGN
    for _ in range(2):
        trials_at(tmp_path).enqueue(larger)
        assert [trial.user_attrs["row"] for trial in held(tmp_path)] == list(range(6))


@pytest.mark.faults
@pytest.mark.parametrize("content", [b"\xff\xfe\x00\n\x80\n", b"no JSON\n", b'{"op_code": 0}\n', b"[1]\n"])
def test_a_damaged_journal_is_one_sentence_and_is_made_again(tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "optuna.journal"
    journal.write_bytes(content)
    with pytest.raises(InputError, match=r"optuna.journal must be Optuna's journal, .*; delete it: "):
        trials_at(tmp_path)
    assert journal.read_bytes() == content
    journal.unlink()
    trials = trials_at(tmp_path)
    trials.enqueue(DESIGN)
    for configuration in DESIGN:
        trials.tell(configuration, block_value(QUESTION, of_row(configuration.index)))
    assert states(tmp_path) == ["COMPLETE"] * 4


def test_ofat_is_held_too(tmp_path: Path) -> None:
    spec = spec_with({**OFAT, "replicated_share": GONE, "baseline": {"depth": 3, "optimizer": "adam"}})
    configurations = design.configurations(spec)
    trials_at(tmp_path, question_of(spec)).enqueue(configurations)
    assert [trial.params for trial in held(tmp_path)] == [dict(each.levels) for each in configurations]


def test_only_what_is_trained_is_running(tmp_path: Path) -> None:
    """Also in another order than the design's, which is what grouping by compiled program gives."""
    trials = trials_at(tmp_path)
    trials.enqueue(DESIGN)
    trials.begin(DESIGN[2])
    trials.begin(DESIGN[2])
    assert states(tmp_path) == ["WAITING", "WAITING", "RUNNING", "WAITING"]
    trials.tell(DESIGN[2], block_value(QUESTION, of_row(2)))
    trials.tell(DESIGN[0], block_value(QUESTION, of_row(0)))
    assert states(tmp_path) == ["COMPLETE", "WAITING", "COMPLETE", "WAITING"]


def test_told_is_the_mean_paired_difference_and_each_activation_is_an_attribute(tmp_path: Path) -> None:
    outcomes = {("mish", 0): 90.0, ("relu", 0): 88.0, ("mish", 1): 91.0, ("relu", 1): 92.0}
    entries = with_outcomes(outcomes)
    trials = trials_at(tmp_path)
    trials.enqueue(DESIGN)
    trials.tell(entries[0].configuration, block_value(QUESTION, entries))
    (trial,) = [trial for trial in held(tmp_path) if trial.state is TrialState.COMPLETE]
    assert trial.value == pytest.approx((2.0 - 1.0) / 2)
    assert trial.params == dict(entries[0].configuration.levels)
    assert {key: value for key, value in trial.user_attrs.items() if "configuration" not in key} == {
        "row": entries[0].configuration.index,
        "test_accuracy mish": 90.5, "test_accuracy relu": 90.0,
    }  # fmt: skip


LOSS = {"metric": "test_loss", "higher_is_better": False}
BOTH = {("mish", 1): 90.0, ("relu", 1): 90.0}


@pytest.mark.parametrize(
    ("outcomes", "changes", "told"),
    [
        ({("mish", 0): None, ("relu", 0): None, **BOTH}, {}, 0.0),
        ({("mish", 0): None, ("relu", 0): 20.0, **BOTH}, {}, -5.0),
        ({("mish", 0): 20.0, ("relu", 0): None, **BOTH}, {}, 5.0),
        ({("mish", 0): 90.0, ("relu", 0): 10.0, **BOTH}, {}, 5.0),
        ({("mish", 0): 90.0, ("relu", 0): 10.0, **BOTH}, {"loss_cap": 4.0}, 2.0),
        ({("mish", 0): 90.0, ("relu", 0): 88.0, **BOTH}, LOSS, 0.01),
    ],
    ids=["both failed", "the focus failed", "the rival failed", "clipped", "another cap", "lower is better"],
)  # fmt: skip
def test_failures_and_caps_count_as_in_the_table(
    outcomes: Mapping[tuple[str, int], float | None], changes: dict[str, Any], told: float
) -> None:
    question = dataclasses.replace(QUESTION, **{"loss_cap": 10.0, **changes})
    value = block_value(question, with_outcomes(outcomes))
    assert value.difference == pytest.approx(told)


def test_an_activation_that_always_failed_has_no_metric(tmp_path: Path) -> None:
    entries = with_outcomes({("mish", 0): None, ("mish", 1): None, ("relu", 0): 80.0, ("relu", 1): 81.0})
    trials = trials_at(tmp_path)
    trials.enqueue(DESIGN)
    trials.tell(entries[0].configuration, block_value(QUESTION, entries))
    (trial,) = [trial for trial in held(tmp_path) if trial.state is TrialState.COMPLETE]
    assert trial.user_attrs["test_accuracy mish"] is None
    assert trial.user_attrs["failed mish"] == 2
    assert "failed relu" not in trial.user_attrs
    assert trial.user_attrs["test_accuracy relu"] == 80.5


def test_only_the_first_rival_is_in_the_value() -> None:
    spec = spec_with({"activations": ["relu", "tanh"]})
    accuracy = {"mish": 90.0, "relu": 89.0, "tanh": 10.0}
    entries = entries_of(spec, lambda item: result_of(item, accuracy[item.training.activation]))
    assert block_value(question_of(spec), of_row(0, entries)).difference == pytest.approx(1.0)


def test_told_twice_and_resumed_changes_nothing(tmp_path: Path) -> None:
    def driver() -> None:
        trials = trials_at(tmp_path)
        trials.enqueue(DESIGN)
        for configuration in DESIGN:
            for _ in range(2):
                trials.tell(configuration, block_value(QUESTION, of_row(configuration.index)))

    driver()
    once = held(tmp_path)
    assert [trial.state for trial in once] == [TrialState.COMPLETE] * 4
    driver()
    assert held(tmp_path) == once


def test_the_study_says_what_its_value_is(tmp_path: Path) -> None:
    trials_at(tmp_path)
    trials_at(tmp_path)
    study = optuna.load_study(study_name="small", storage=open_storage(tmp_path / "optuna.journal", None))
    assert study.metric_names == ["mish - relu (points)"]
    assert study.user_attrs == {
        "question": "When does Mish beat ReLU?",
        "value": "mean paired difference in test_accuracy over a configuration's replicates; "
        "at most 10 points either way, 0 where both failed",
    }


def test_importance_can_be_evaluated(tmp_path: Path) -> None:
    spec = spec_with({"configurations": 32, "replicated_share": 0.0})

    def deep_wins(item: design.PlannedTraining) -> Any:
        wins = item.configuration.levels["depth"] == 8 and item.training.activation == "mish"
        return result_of(item, 95.0 if wins else 90.0)

    trials = trials_at(tmp_path, question_of(spec))
    entries = entries_of(spec, deep_wins)
    trials.enqueue(design.configurations(spec))
    for configuration in design.configurations(spec):
        trials.tell(configuration, block_value(question_of(spec), of_row(configuration.index, entries)))
    study = optuna.load_study(study_name="small", storage=open_storage(tmp_path / "optuna.journal", None))
    importances = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    assert set(importances) == {"depth", "optimizer", "learning_rate"}
    assert max(importances, key=lambda name: importances[name]) == "depth"


SCRIPT = """
import sys
from pathlib import Path
from test_trials import DESIGN, QUESTION, block_value, of_row, trials_at
trials = trials_at(Path(sys.argv[1]))
trials.enqueue(DESIGN)
print("enqueued", flush=True)
for configuration in DESIGN:
    trials.begin(configuration)
    trials.tell(configuration, block_value(QUESTION, of_row(configuration.index)))
    print("told", flush=True)
sys.stdin.read()
"""


@pytest.mark.faults
@pytest.mark.parametrize("lines", [1, 2, 4])
def test_killed_in_between_it_goes_on_where_it_was(tmp_path: Path, lines: int) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=Path(__file__).parent,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert driver.stdin is not None
    assert driver.stdout is not None
    for _ in range(lines):
        driver.stdout.readline()
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stdin.close()
    driver.stdout.close()
    _forget_lock(tmp_path / "optuna.journal")
    trials = trials_at(tmp_path)
    trials.enqueue(DESIGN)
    for configuration in DESIGN:
        trials.tell(configuration, block_value(QUESTION, of_row(configuration.index)))
    trials = held(tmp_path)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    assert [trial.user_attrs["row"] for trial in trials] == [0, 1, 2, 3]
    values = [block_value(QUESTION, of_row(index)).difference for index in range(4)]
    assert [trial.value for trial in trials] == values


def _forget_lock(journal: Path) -> None:
    """Make a lock that the killed driver may have left as old as one that is taken away."""
    lock = journal.with_name(journal.name + ".lock")
    if lock.is_symlink():
        os.utime(lock, (0, 0), follow_symlinks=False)


@pytest.mark.faults
def test_a_lock_that_a_killed_driver_left_is_removed(tmp_path: Path) -> None:
    trials_at(tmp_path).enqueue(DESIGN[:1])
    lock = tmp_path / "optuna.journal.lock"
    lock.symlink_to(tmp_path / "optuna.journal")
    os.utime(lock, (0, 0), follow_symlinks=False)
    started = time.monotonic()
    trials_at(tmp_path).enqueue(DESIGN)
    assert time.monotonic() - started < 5
    assert len(held(tmp_path)) == 4
    assert not lock.is_symlink()


@pytest.mark.faults
@pytest.mark.parametrize("age", [0.0, -3600.0], ids=["just now", "before the clock went back"])
def test_a_dead_lock_is_known_by_staying_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    monkeypatch.setattr(journal, "_STALE_LOCK_SECONDS", 0.3)
    trials_at(tmp_path).enqueue(DESIGN[:1])
    lock = tmp_path / "optuna.journal.lock"
    lock.symlink_to(tmp_path / "optuna.journal")
    taken = time.time() - age
    os.utime(lock, (taken, taken), follow_symlinks=False)
    started = time.monotonic()
    trials_at(tmp_path).enqueue(DESIGN)
    assert 0.2 < time.monotonic() - started < 5
    assert len(held(tmp_path)) == 4


@pytest.mark.faults
def test_a_living_lock_is_waited_for(tmp_path: Path) -> None:
    trials_at(tmp_path).enqueue(DESIGN[:1])
    lock = tmp_path / "optuna.journal.lock"
    lock.symlink_to(tmp_path / "optuna.journal")
    release = threading.Timer(0.3, lock.unlink)
    release.start()
    started = time.monotonic()
    trials_at(tmp_path).enqueue(DESIGN)
    assert time.monotonic() - started > 0.2
    release.join()
    assert len(held(tmp_path)) == 4


def test_what_is_told_together_is_there_in_one_piece_at_the_end(tmp_path: Path) -> None:
    trials = trials_at(tmp_path)
    trials.enqueue(DESIGN)
    journal = tmp_path / "optuna.journal"
    before = journal.read_bytes()
    with trials.together():
        for configuration in DESIGN[:3]:
            trials.tell(configuration, block_value(QUESTION, of_row(configuration.index)))
            assert journal.read_bytes() == before
    assert states(tmp_path) == ["COMPLETE"] * 3 + ["WAITING"]
    trials.tell(DESIGN[3], block_value(QUESTION, of_row(3)))
    assert states(tmp_path) == ["COMPLETE"] * 4


def test_others_may_write_to_the_journal_between_what_is_told_together(tmp_path: Path) -> None:
    """The dashboard does, when a user notes something about a trial."""
    trials = trials_at(tmp_path)
    trials.enqueue(DESIGN)
    other = optuna.load_study(study_name="small", storage=open_storage(tmp_path / "optuna.journal", None))
    with trials.together():
        trials.tell(DESIGN[0], block_value(QUESTION, of_row(0)))
        other.set_user_attr("note", "mine")
        trials.tell(DESIGN[1], block_value(QUESTION, of_row(1)))
    trials.tell(DESIGN[2], block_value(QUESTION, of_row(2)))
    assert states(tmp_path) == ["COMPLETE"] * 3 + ["WAITING"]
    study = optuna.load_study(study_name="small", storage=open_storage(tmp_path / "optuna.journal", None))
    assert study.user_attrs["note"] == "mine"


@pytest.mark.faults
def test_a_last_line_that_was_torn_is_cut(tmp_path: Path) -> None:
    trials_at(tmp_path).enqueue(DESIGN[:2])
    journal = tmp_path / "optuna.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "worker_id": "half a li')
    trials_at(tmp_path).enqueue(DESIGN)
    assert journal.read_bytes().startswith(whole)
    assert [trial.user_attrs["row"] for trial in held(tmp_path)] == [0, 1, 2, 3]


def test_a_database_holds_the_design_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    for _ in range(2):
        storage = open_storage(tmp_path / "unused", url)
        trials = Trials(storage, QUESTION)
        trials.enqueue(DESIGN)
        for configuration in DESIGN[:2]:
            trials.tell(configuration, block_value(QUESTION, of_row(configuration.index)))
        trials.begin(DESIGN[3])
    study = optuna.load_study(study_name="small", storage=url)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "WAITING", "RUNNING"]
    assert not (tmp_path / "unused").exists()


@pytest.mark.faults
def test_a_database_that_breaks_in_the_middle_is_one_sentence(tmp_path: Path) -> None:
    trials = Trials(open_storage(tmp_path / "unused", f"sqlite:///{tmp_path / 'optuna.db'}"), QUESTION)
    trials.enqueue(DESIGN)
    with closing(sqlite3.connect(tmp_path / "optuna.db")) as database:
        database.execute("drop table trial_user_attributes")
    with pytest.raises(RunError) as caught:
        trials.tell(DESIGN[0], block_value(QUESTION, of_row(0)))
    message = str(caught.value)
    assert message.startswith("the Optuna storage could not be written (")
    assert "no such table: trial_user_attributes" in message
    assert message.endswith("run the same sweep again when it answers.")
    assert "\n" not in message


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/optuna.db", "postgresql+psycopg://me:s3cret@127.0.0.1:1/optuna"]
)
def test_a_database_that_can_not_be_opened_is_one_sentence(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_storage(tmp_path / "unused", url)
    message = str(caught.value)
    assert message.startswith("the Optuna storage ")
    assert "must be a database URL that can be opened, and it is not (" in message
    assert message.endswith("leave --storage out to use the journal file in the home.")
    assert "\n" not in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        ({"levels": (3, 8)}, CategoricalDistribution((3, 8))),
        ({"levels": (False, True)}, CategoricalDistribution((False, True))),
        ({"levels": ("none", "l2")}, CategoricalDistribution(("none", "l2"))),
        ({"low": 2, "high": 9, "integer": True}, IntDistribution(2, 9)),
        ({"low": 8, "high": 64, "integer": True, "step": 8}, IntDistribution(8, 64, step=8)),
        ({"low": 8, "high": 64, "integer": True, "log": True}, IntDistribution(8, 64, log=True)),
        ({"low": 0.1, "high": 0.5}, FloatDistribution(0.1, 0.5)),
        ({"low": 0.1, "high": 9.0, "log": True}, FloatDistribution(0.1, 9.0, log=True)),
    ],
)  # fmt: skip
def test_a_factor_is_the_distribution_it_was_drawn_from(
    factor: dict[str, Any], expected: BaseDistribution
) -> None:
    assert distribution(Factor(name="x", role="nuisance", **factor)) == expected
