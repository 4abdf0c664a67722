"""The ledger: whole lines count, torn ones are dropped, damaged ones are named."""

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_record import FINGERPRINT

from study import ledger
from study.environment import compatible, differences
from study.errors import InputError
from study.ledger import Entry, Ledger
from study.ledger_lines import encode
from study.question import Factor, Question
from study.reports import Split
from study.training import Configuration, Status, Training, TrainingResult

QUESTION = Question(
    name="small",
    question="Which one?",
    focus="mish",
    rivals=("relu",),
    design="paired",
    dataset="digits",
    architecture="mlp",
    factors=(
        Factor(name="depth", role="condition", levels=(2, 4)),
        Factor(name="learning_rate", role="nuisance", low=0.1, high=10.0, log=True, relative=True),
    ),
    metric="test_accuracy",
    higher_is_better=True,
    unit="points",
    delta=1.0,
    loss_cap=10.0,
    planned_configurations=3,
    planned_trainings=6,
)


def entry(training: Training, number: int, status: Status = Status.OK) -> Entry:
    configuration = Configuration(index=number, levels={"depth": 2, "learning_rate": 0.1 * (number + 1)})
    training = dataclasses.replace(training, configuration=configuration.digest)
    ok = status is Status.OK
    result = TrainingResult(
        digest=training.digest,
        status=status,
        reason="" if ok else "loss or weights not finite in epoch 2",
        metrics={"test_accuracy": 91.25 + number} if ok else {},
        curve={"train_loss": (2.0, 1.0 / 3.0 if ok else math.nan)},
        checkpoint_epoch=2 if ok else None,
        seconds=1.5,
    )
    return Entry(training=training, configuration=configuration, result=result)


def written(path: Path, entries: list[Entry]) -> Path:
    with Ledger(path) as book:
        book.header(FINGERPRINT, "2026-01-01T00:00:00+00:00")
        book.question(QUESTION)
        for each in entries:
            book.append(each)
    return path


def test_what_was_written_is_read_back(tmp_path: Path, training: Training) -> None:
    entries = [entry(training, 0), entry(training, 1), entry(training, 2, Status.DIVERGED)]
    record = ledger.read(written(tmp_path / "a" / "ledger.jsonl", entries))
    assert record.question == QUESTION
    assert record.fingerprints == (FINGERPRINT,)
    assert not record.mixed
    assert record.entries[:2] == tuple(entries[:2])
    last = record.entries[2].result
    assert last.status is Status.DIVERGED
    assert math.isnan(last.curve["train_loss"][1])


def test_recorded_together_or_one_by_one_the_files_are_the_same(tmp_path: Path, training: Training) -> None:
    entries = [entry(training, 0), entry(training, 1), entry(training, 2, Status.DIVERGED)]
    alone = written(tmp_path / "alone" / "ledger.jsonl", entries)
    together = written(tmp_path / "together" / "ledger.jsonl", [])
    with Ledger(together) as book:
        book.append(*entries)
        assert together.read_bytes() == alone.read_bytes()
        assert ledger.curves_path(together).read_bytes() == ledger.curves_path(alone).read_bytes()


@pytest.mark.faults
def test_a_new_ledger_appears_whole(tmp_path: Path) -> None:
    """A kill while it is made leaves no ledger, and what it leaves does no harm."""
    path = tmp_path / "a" / "ledger.jsonl"
    path.parent.mkdir()
    path.with_name("ledger.jsonl.partial").write_bytes(encode({"kind": "header"})[:-5])
    ledger.create(path, FINGERPRINT, "2026-01-01T00:00:00+00:00", QUESTION)
    record = ledger.read(path)
    assert record.question == QUESTION
    assert record.fingerprints == (FINGERPRINT,)
    assert not path.with_name("ledger.jsonl.partial").exists()


ALONE = {**FINGERPRINT, "own": {"mine:bent": "a1"}}


@pytest.mark.parametrize(
    ("later", "mixed"),
    [
        ({**FINGERPRINT, "own": {"mine:bent": "a1", "mine:wavy": "b1"}}, False),
        ({**FINGERPRINT, "own": {}}, False),
        ({**FINGERPRINT, "own": {"mine:bent": "a2"}}, True),
        ({**FINGERPRINT, "threads": 2, "own": {"mine:bent": "a1"}}, True),
    ],
)
def test_only_a_function_that_joins_leaves_the_environment_one(
    tmp_path: Path, later: dict[str, object], mixed: bool
) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger.create(path, ALONE, "2026-01-01T00:00:00+00:00", QUESTION)
    with Ledger(path) as book:
        book.header(later, "2026-01-02T00:00:00+00:00")
    assert ledger.read(path).mixed is mixed
    assert compatible(ALONE, later) is not mixed


def test_a_difference_names_what_was_edited() -> None:
    assert differences(ALONE, {**ALONE, "threads": 2, "own": {"mine:bent": "a2"}}) == [
        "source of mine:bent: a1 -> a2",
        "threads: 1 -> 2",
    ]


def test_appending_later_goes_on(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0)])
    with Ledger(path) as book:
        book.header({**FINGERPRINT, "threads": 2}, "2026-01-02T00:00:00+00:00")
        book.append(entry(training, 1))
    record = ledger.read(path)
    assert [e.configuration.index for e in record.entries] == [0, 1]
    assert record.mixed


@pytest.mark.faults
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_a_ledger_cut_anywhere_holds_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Power cuts leave a prefix: whole lines are kept, the torn one is cut off and written again."""
    base = Training(
        dataset="digits", architecture="mlp", activation="mish", epochs=1, batch_size=8, optimizer="sgd",
        learning_rate=0.1, sweep_seed=0, configuration="c", replicate=0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("cut")
    entries = [entry(base, 0), entry(base, 1)]
    path = written(folder / "ledger.jsonl", entries)
    whole = path.read_bytes()
    head = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    cut = data.draw(st.integers(head, len(whole)))
    path.write_bytes(whole[:cut])
    kept = {e.training.digest for e in ledger.read(path).entries}
    assert len(kept) == whole[:cut].count(b'"kind":"training"') - (
        0
        if whole[:cut].endswith(b"\n") or b'"kind":"training"' not in whole[:cut].rpartition(b"\n")[2]
        else 1
    )
    with Ledger(path) as book:
        for each in entries:
            if each.training.digest not in kept:
                book.append(each)
    assert path.read_bytes() == whole
    assert {e.training.digest for e in ledger.read(path).entries} == {e.training.digest for e in entries}


@pytest.mark.faults
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0), entry(training, 1)])
    content = bytearray(path.read_bytes())
    third = [i for i, byte in enumerate(content) if byte == ord("\n")][2]
    content[third + 30] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"ledger\.jsonl, line 4 is damaged \(its checksum"):
        ledger.read(path)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def hurt(path: Path, number: int, place: int = 0) -> bytes:
    """Damage a byte of a line, by default of its checksum; return the other lines."""
    lines = lines_of(path)
    rest = b"".join(lines[: number - 1] + lines[number:])
    line = bytearray(lines[number - 1])
    line[place] ^= 1
    path.write_bytes(b"".join([*lines[: number - 1], bytes(line), *lines[number:]]))
    return rest


def whole_ledger(path: Path, training: Training) -> Path:
    """Write a line of each kind: 1 header, 2 question, 3, 5 configuration, 4, 6 training, 7 split, ..."""
    entries = [entry(training, 0), entry(training, 1)]
    with Ledger(written(path, entries)) as book:
        book.split(Split(shape="abc", blocks=4))
        book.reference(FINGERPRINT)
        book.check(entries[0].result)
        book.stop(2)
        book.question(QUESTION)
    return path


KEPT = "restore the file from a copy, as the line held"
ADVICE = {
    1: f"{KEPT} the environment of the results; without a copy, give the spec another name.",
    2: f"{KEPT} the question of the sweep; without a copy, give the spec another name.",
    3: 'or delete that line and every training of its configuration (lines with "kind":"training" and '
    '"index":0), which will be done again.',
    6: "restore the file from a copy, or delete that line: its training will be done again.",
    7: "or delete that line: how much fits into the memory will be found again.",
    8: f"{KEPT} the environment of the repeated trainings; without a copy, give the spec another name.",
    9: "or delete that line: the reference engine will repeat its training again.",
    10: "or delete that line: whether the sweep may stop early will be found again.",
}


@pytest.mark.parametrize("number", ADVICE)
def test_what_may_be_done_about_a_damaged_line_depends_on_its_kind(
    tmp_path: Path, training: Training, number: int
) -> None:
    path = whole_ledger(tmp_path / "ledger.jsonl", training)
    hurt(path, number)
    with pytest.raises(InputError) as refused:
        ledger.read(path)
    assert str(refused.value).startswith(f"{path}, line {number} is damaged (its checksum does not match); ")
    assert str(refused.value).endswith(ADVICE[number])


@pytest.mark.parametrize("number", [4, 6, 7, 9, 10])
def test_a_line_that_may_be_deleted_can_be(tmp_path: Path, training: Training, number: int) -> None:
    path = whole_ledger(tmp_path / "ledger.jsonl", training)
    path.write_bytes(hurt(path, number))
    assert len(ledger.read(path).entries) == 2 - (number in (4, 6))


def test_a_line_whose_kind_is_gone_is_told_by_its_place_or_not_deleted(
    tmp_path: Path, training: Training
) -> None:
    for number, place, words in (
        (1, 2, "the environment of the results"),
        (2, 2, "the question"),
        (6, 2, "cannot be told"),
        (6, 10, "cannot be told"),
    ):
        path = whole_ledger(tmp_path / f"{number}-{place}" / "ledger.jsonl", training)
        hurt(path, number, lines_of(path)[number - 1].index(b'"kind"') + place)
        with pytest.raises(InputError, match=rf"line {number} is damaged .*{words}") as refused:
            ledger.read(path)
        assert "delete" not in str(refused.value)


def test_two_lines_that_became_one_are_the_worse_of_them(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0)])
    with Ledger(path) as book:
        book.header({**FINGERPRINT, "threads": 2}, "2026-01-02T00:00:00+00:00")
        book.append(entry(training, 1))
    hurt(path, 4, -1)
    with pytest.raises(InputError, match=r"line 4 is damaged .* held the environment of the results"):
        ledger.read(path)


def test_a_deleted_header_is_named(tmp_path: Path, training: Training) -> None:
    path = whole_ledger(tmp_path / "ledger.jsonl", training)
    path.write_bytes(b"".join(lines_of(path)[1:]))
    with pytest.raises(InputError, match=r"ledger\.jsonl, line 1 must be the header .* holds a question; "):
        ledger.read(path)


def test_without_its_question_a_ledger_is_deleted_only_while_it_is_empty(
    tmp_path: Path, training: Training
) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0)])
    lines = lines_of(path)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(InputError, match=r"ledger\.jsonl has no line with the question") as refused:
        ledger.read(path)
    assert str(refused.value).endswith("; restore the file from a copy, or give the spec another name.")
    path.write_bytes(lines[0])
    with pytest.raises(InputError, match=r"no training is recorded in it, so delete it and run"):
        ledger.read(path)


def test_a_configuration_that_was_deleted_is_mended_as_the_message_says(
    tmp_path: Path, training: Training
) -> None:
    entries = [entry(training, 0), entry(training, 1)]
    path = written(tmp_path / "ledger.jsonl", entries)
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    with pytest.raises(InputError) as refused:
        ledger.read(path)
    assert str(refused.value) == (
        f"{path}, line 3 holds a training of configuration 0, whose own line is missing; restore the file "
        "from a copy, or delete that line and every training of its configuration (lines with "
        '"kind":"training" and "index":0), which will be done again.'
    )
    told = [line for line in lines[3:] if not (b'"kind":"training"' in line and b'"index":0' in line)]
    path.write_bytes(b"".join([*lines[:2], *told]))
    with Ledger(path) as book:
        book.append(entries[0])
    assert {each.training.digest for each in ledger.read(path).entries} == {
        each.training.digest for each in entries
    }


@pytest.mark.faults
def test_a_damaged_curve_is_no_lost_result(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0), entry(training, 1)])
    curves = ledger.curves_path(path)
    rest = hurt(curves, 1)
    with pytest.raises(InputError, match=r"curves\.jsonl, line 1 is damaged") as refused:
        ledger.read(path)
    assert str(refused.value).endswith(
        "or delete that line: no result is lost, and the report will be without that learning curve."
    )
    curves.write_bytes(rest)
    assert [bool(each.result.curve) for each in ledger.read(path).entries] == [False, True]


@pytest.mark.faults
def test_a_damaged_last_line_is_dropped(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0), entry(training, 1)])
    content = path.read_bytes()
    path.write_bytes(content[:-20] + b"\x00" * 19 + b"\n")
    assert len(ledger.read(path).entries) == 1
    with Ledger(path) as book:
        book.append(entry(training, 1))
    assert path.read_bytes() == content


def test_duplicated_lines_do_no_harm(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0)])
    before = ledger.read(path)
    path.write_bytes(path.read_bytes() + path.read_bytes())
    assert ledger.read(path) == before


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(
        encode({"kind": "header", "schema": "mishstudy-ledger/9", "fingerprint": {}, "started": ""})
    )
    with pytest.raises(InputError, match=r"has the schema 'mishstudy-ledger/9', and this version reads"):
        ledger.read(path)


def test_a_missing_ledger_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no ledger at .*; run `mishstudy sweep` first\."):
        ledger.read(tmp_path / "ledger.jsonl")


def test_sizes_and_checks_are_kept_apart_from_results(tmp_path: Path, training: Training) -> None:
    first = entry(training, 0)
    path = written(tmp_path / "ledger.jsonl", [first])
    repeated = dataclasses.replace(first.result, metrics={"test_accuracy": 12.5}, curve={})
    before = (tmp_path / "curves.jsonl").read_bytes()
    with Ledger(path) as book:
        book.split(Split(shape="abc", blocks=4))
        book.split(Split(shape="abc", blocks=2))
        for _ in range(2):
            book.reference(FINGERPRINT)
            book.check(repeated)
    record = ledger.read(path)
    assert record.entries == (first,)
    assert record.sizes == {"abc": 2}
    assert record.checks == {first.result.digest: repeated}
    assert record.references == (FINGERPRINT,)
    assert not record.mixed
    assert (tmp_path / "curves.jsonl").read_bytes() == before
