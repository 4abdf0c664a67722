"""The ledger: what a sweep knows. Append-only JSON lines, one checksum each; all else can be rebuilt from it.

Two files lie side by side. `ledger.jsonl` opens with a header (schema, environment), then holds the
question and one line per training, a line where packs had to become smaller, one where the sweep stopped
early, and one per training that the reference engine repeated; `curves.jsonl` holds the learning curves.
The form of a line is in `study.ledger_lines`. A training is recorded when its ledger line is on disk; its
curve is written before.

What was in a torn last line is done again. A bad line anywhere else is damage, and an error that says what
may be deleted and what not. Duplicate lines do no harm: the first one counts.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from study.environment import compatible
from study.errors import InputError
from study.ledger_damage import curve_advice, ledger_advice, with_its_trainings
from study.ledger_lines import cut_torn_line, decode, encode, whole_lines
from study.question import Question
from study.reports import Split
from study.shapes import fits, misfit
from study.training import Configuration, Level, Training, TrainingResult

SCHEMA = "mishstudy-ledger/1"

_OTHER_FORM = (AttributeError, LookupError, TypeError, ValueError)
"""What is raised by reading a line that we would not write."""
_Kind = Literal["header", "question", "configuration", "training", "split", "reference", "check", "stop"]
_Curve = Mapping[str, list[float | None]]
_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One recorded training.

    Parameters
    ----------
    training : Training
        What was trained.
    configuration : Configuration
        The row of the design it belongs to.
    profiled : dict of str to Level
        Level of the profiled factor, which the configuration leaves out; empty without one.
    adaptive : bool
        Whether an adaptive sampler chose the configuration after seeing results; such rows never
        enter paired estimates.
    result : TrainingResult
        What came back.
    """

    training: Training
    configuration: Configuration
    profiled: Mapping[str, Level] = field(default_factory=dict[str, Level])
    adaptive: bool = False
    result: TrainingResult

    @property
    def levels(self) -> dict[str, Level]:
        """The levels of all that varies."""
        return {**self.configuration.levels, **self.profiled}


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """All that a ledger holds.

    Parameters
    ----------
    question : Question
        The newest one; a sweep that grew has written several.
    fingerprints : tuple of dict
        Environments that contributed results, in order, without repetition.
    entries : tuple of Entry
        In the order of recording.
    sizes : dict of str to int
        Places for blocks of a pack, by its shape, where memory ran out with more.
    checks : dict of str to TrainingResult
        What the reference engine made of trainings that it repeated, without curve, by digest; never a
        result of the sweep.
    references : tuple of dict
        Environments of those, as `fingerprints`.
    stopped_at : int or None
        After how many configurations of the design the sweep stopped because its overall answer was decided;
        None where it did not, or where trainings were recorded since.
    """

    question: Question
    fingerprints: tuple[Mapping[str, Any], ...]
    entries: tuple[Entry, ...]
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    checks: Mapping[str, TrainingResult] = field(default_factory=dict[str, TrainingResult])
    references: tuple[Mapping[str, Any], ...] = ()
    stopped_at: int | None = None

    @property
    def mixed(self) -> bool:
        """Whether results come from environments that differ."""
        return not all(compatible(*pair) for pair in combinations(self.fingerprints, 2))

    @property
    def chance(self) -> float | None:
        """Value of the question's metric from guessing, in its unit; None where it is not recorded."""
        if not self.fingerprints:
            return None
        kind = self.question.metric.rpartition("_")[2]
        return self.fingerprints[0]["data"]["guess"].get(kind)


def _configurations(path: Path) -> set[int]:
    """Return the configurations that have their line."""
    with path.open("rb") as file:
        lines = [decode(line[:-1]) for line in file if b'"kind":"configuration"' in line]
    return {line["index"] for line in lines if line is not None and line["kind"] == "configuration"}


def curves_path(path: Path) -> Path:
    """Return the file of the learning curves beside the ledger `path`."""
    return path.with_name("curves.jsonl")


def read_curves(path: Path) -> dict[str, _Curve]:
    """Return training digest -> series -> one value per epoch, from beside the ledger `path`."""
    file = curves_path(path)
    if not file.exists():
        return {}
    curves: dict[str, _Curve] = {}
    for line, number, whole in whole_lines(file, curve_advice):
        try:
            curves[line["digest"]] = _as(_Curve, line["curve"])
        except _OTHER_FORM:
            raise _unknown(file, number, curve_advice(whole, number)) from None
    return curves


def read(path: Path, *, curves: bool = True) -> Record:
    """Read a ledger.

    Parameters
    ----------
    path : Path
        The file `ledger.jsonl`.
    curves : bool
        Whether to attach the learning curves.

    Raises
    ------
    InputError
        If there is no ledger, it is not one of ours, a line in its middle is damaged or holds something else
        than this version writes, or a line is missing that others need.
    """
    if not path.exists():
        raise InputError(f"there is no ledger at {path}; run `mishstudy sweep` first.")
    reading = _Reading(path, read_curves(path) if curves else {})
    for line, number, whole in whole_lines(path, ledger_advice):
        try:
            reading.take(line, number)
        except _OTHER_FORM:
            raise _unknown(path, number, ledger_advice(whole, number)) from None
    return reading.record()


def _unknown(path: Path, number: int, advice: str) -> InputError:
    return InputError(
        f"{path}, line {number} is whole, but holds something else than this version of mishstudy writes; "
        f"use the version that wrote it, or restore the file from a copy{advice}."
    )


class _Reading:
    """What the lines of a ledger come to, one after the other.

    Parameters
    ----------
    path : Path
        The ledger.
    curves : dict of str to dict
        The learning curves, by the digests of their trainings.
    """

    def __init__(self, path: Path, curves: Mapping[str, _Curve]) -> None:
        self._path = path
        self._curves = curves
        self._question: Question | None = None
        self._fingerprints: list[Mapping[str, Any]] = []
        self._configurations: dict[int, Configuration] = {}
        self._entries: dict[str, Entry] = {}
        self._sizes: dict[str, int] = {}
        self._checks: dict[str, TrainingResult] = {}
        self._references: list[Mapping[str, Any]] = []
        self._stopped_at: int | None = None

    def take(self, line: Any, number: int) -> None:
        """Take the value of one line; what is not of our form raises one of Python's own errors."""
        kind = _as(_Kind, line["kind"])
        if number == 1 and kind != "header":
            raise InputError(
                f"{self._path}, line 1 must be the header with the environment of the results, and holds a "
                f"{kind}; restore the file from a copy, or give the spec another name."
            )
        if kind == "header":
            if line["schema"] != SCHEMA:
                raise InputError(
                    f"{self._path} has the schema {line['schema']!r}, and this version reads {SCHEMA!r}; "
                    "use the version of mishstudy that wrote it."
                )
            _add(self._fingerprints, line["fingerprint"])
        elif kind == "question":
            self._question = _sound(Question.from_json(line["question"]))
        elif kind == "configuration":
            row = _sound(Configuration(index=line["index"], levels=line["levels"]))
            self._configurations[row.index] = row
        elif kind == "split":
            split = _sound(Split(shape=line["shape"], blocks=line["blocks"]))
            self._sizes[split.shape] = split.blocks
        elif kind == "reference":
            _add(self._references, line["fingerprint"])
        elif kind == "check":
            result = _sound(TrainingResult.from_json(line["result"]))
            self._checks.setdefault(result.digest, result)
        elif kind == "stop":
            self._stopped_at = _as(int, line["configurations"])
        else:
            self._training(line, number)

    def _training(self, line: Any, number: int) -> None:
        training = _sound(Training.from_json(line["training"]))
        digest, index = line["result"]["digest"], _as(int, line["index"])
        if index not in self._configurations:
            raise InputError(
                f"{self._path}, line {number} holds a training of configuration {index}, whose own line is "
                f"missing; restore the file from a copy, or delete that line{with_its_trainings(index)}."
            )
        if digest not in self._entries:
            entry = Entry(
                training=training,
                configuration=self._configurations[index],
                profiled=line.get("profiled", {}),
                adaptive=line["adaptive"],
                result=TrainingResult.from_json(line["result"], self._curves.get(digest)),
            )
            self._stopped_at = None
            self._entries[digest] = _sound(entry)

    def record(self) -> Record:
        """Return all of it."""
        if self._question is None:
            raise InputError(
                f"the ledger {self._path} has no line with the question of the sweep, which is its second "
                + (
                    "line; restore the file from a copy, or give the spec another name."
                    if self._entries
                    else "line; no training is recorded in it, so delete it and run `mishstudy sweep` again."
                )
            )
        return Record(
            question=self._question,
            fingerprints=tuple(self._fingerprints),
            entries=tuple(self._entries.values()),
            sizes=self._sizes,
            checks=self._checks,
            references=tuple(self._references),
            stopped_at=self._stopped_at,
        )


def _add(found: list[Mapping[str, Any]], fingerprint: Any) -> None:
    """Add an environment, which has at least what is read of it by name."""
    for key in ("engine", "device"):
        _as(str, _as(dict, fingerprint)[key])
    _as(Mapping[str, float], fingerprint["data"]["guess"])
    if fingerprint not in found:
        found.append(fingerprint)


def _as(hint: Any, value: Any) -> Any:
    """Return what was read if it is of a type."""
    if not fits(value, hint):
        raise TypeError
    return value


def _sound(value: _Value) -> _Value:
    """Return what was read if each of its fields is of its type."""
    if misfit(value) is not None:
        raise TypeError
    return value


def create(path: Path, fingerprint: Mapping[str, Any], started: str, question: Question) -> None:
    """Make a ledger with header and question, whole or not at all: where there is one, it can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with Ledger(partial) as ledger:
        ledger.header(fingerprint, started)
        ledger.question(question)
    partial.replace(path)


class Ledger:
    """The writing end; only the driver holds one, under the lock of the home.

    Parameters
    ----------
    path : Path
        The file `ledger.jsonl`; made with its folder where it is missing. A torn last line is cut; `read`
        finds damage in the middle.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_line(path)
        cut_torn_line(curves_path(path))
        self._configurations = _configurations(path) if path.exists() else set[int]()
        self._ledger = path.open("ab")
        self._curves = curves_path(path).open("ab")

    def header(self, fingerprint: Mapping[str, Any], started: str) -> None:
        """Write the environment under which the results that follow are made."""
        self._write(
            {"kind": "header", "schema": SCHEMA, "fingerprint": dict(fingerprint), "started": started}
        )

    def question(self, question: Question) -> None:
        """Write the question; the newest one in a ledger counts."""
        self._write({"kind": "question", "question": question.to_json()})

    def split(self, split: Split) -> None:
        """Write that the packs of one shape are smaller from here on."""
        self._write({"kind": "split", **asdict(split)})

    def reference(self, fingerprint: Mapping[str, Any]) -> None:
        """Write the environment of the reference engine under which the checks that follow are made."""
        self._write({"kind": "reference", "fingerprint": dict(fingerprint)})

    def check(self, result: TrainingResult) -> None:
        """Record what the reference engine made of a training that is recorded already; not its curve."""
        self._write({"kind": "check", "result": result.to_json()})

    def stop(self, configurations: int) -> None:
        """Write that the sweep stopped, as the first `configurations` of the design decide its answer."""
        self._write({"kind": "stop", "configurations": configurations})

    def append(self, *entries: Entry) -> None:
        """Record trainings: on disk when this returns, their curves first."""
        for entry in entries:
            curve = {"digest": entry.result.digest, "curve": entry.result.curve_to_json()}
            self._curves.write(encode(curve))
        _flush(self._curves)
        for entry in entries:
            index = entry.configuration.index
            if index not in self._configurations:
                self._configurations.add(index)
                levels = dict(entry.configuration.levels)
                self._ledger.write(encode({"kind": "configuration", "index": index, "levels": levels}))
            training = {
                "kind": "training",
                "index": index,
                **({"profiled": dict(entry.profiled)} if entry.profiled else {}),
                "adaptive": entry.adaptive,
                "training": entry.training.to_json(),
                "result": entry.result.to_json(),
            }
            self._ledger.write(encode(training))
        _flush(self._ledger)

    def _write(self, value: Any) -> None:
        self._ledger.write(encode(value))
        _flush(self._ledger)

    def close(self) -> None:
        """Close both files; what could not be written was told when it was recorded."""
        for file in (self._curves, self._ledger):
            with suppress(OSError):
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
