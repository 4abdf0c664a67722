"""The ledger: whole lines count, torn ones are dropped, damaged ones are named."""

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study import ledger
from study.environment import compatible, differences
from study.errors import InputError
from study.ledger import Entry, Ledger, encode
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
        book.header({"threads": 1}, "2026-01-01T00:00:00+00:00")
        book.question(QUESTION)
        for each in entries:
            book.append(each)
    return path


def test_what_was_written_is_read_back(tmp_path: Path, training: Training) -> None:
    entries = [entry(training, 0), entry(training, 1), entry(training, 2, Status.DIVERGED)]
    record = ledger.read(written(tmp_path / "a" / "ledger.jsonl", entries))
    assert record.question == QUESTION
    assert record.fingerprints == ({"threads": 1},)
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


def test_a_new_ledger_appears_whole(tmp_path: Path) -> None:
    """A kill while it is made leaves no ledger, and what it leaves does no harm."""
    path = tmp_path / "a" / "ledger.jsonl"
    path.parent.mkdir()
    path.with_name("ledger.jsonl.partial").write_bytes(encode({"kind": "header"})[:-5])
    ledger.create(path, {"threads": 1}, "2026-01-01T00:00:00+00:00", QUESTION)
    record = ledger.read(path)
    assert record.question == QUESTION
    assert record.fingerprints == ({"threads": 1},)
    assert not path.with_name("ledger.jsonl.partial").exists()


ALONE = {"threads": 1, "own": {"mine:bent": "a1"}}


@pytest.mark.parametrize(
    ("later", "mixed"),
    [
        ({"threads": 1, "own": {"mine:bent": "a1", "mine:wavy": "b1"}}, False),
        ({"threads": 1, "own": {}}, False),
        ({"threads": 1, "own": {"mine:bent": "a2"}}, True),
        ({"threads": 2, "own": {"mine:bent": "a1"}}, True),
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
    assert differences(ALONE, {"threads": 2, "own": {"mine:bent": "a2"}}) == [
        "source of mine:bent: a1 -> a2",
        "threads: 1 -> 2",
    ]


def test_appending_later_goes_on(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0)])
    with Ledger(path) as book:
        book.header({"threads": 2}, "2026-01-02T00:00:00+00:00")
        book.append(entry(training, 1))
    record = ledger.read(path)
    assert [e.configuration.index for e in record.entries] == [0, 1]
    assert record.mixed


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


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, training: Training) -> None:
    path = written(tmp_path / "ledger.jsonl", [entry(training, 0), entry(training, 1)])
    content = bytearray(path.read_bytes())
    third = [i for i, byte in enumerate(content) if byte == ord("\n")][2]
    content[third + 30] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"ledger\.jsonl, line 4 is damaged \(its checksum"):
        ledger.read(path)


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
            book.reference({"engine": "fit"})
            book.check(repeated)
    record = ledger.read(path)
    assert record.entries == (first,)
    assert record.sizes == {"abc": 2}
    assert record.checks == {first.result.digest: repeated}
    assert record.references == ({"engine": "fit"},)
    assert not record.mixed
    assert (tmp_path / "curves.jsonl").read_bytes() == before
