"""Specs that nobody would write: each ends in a plan or in sentences about file, key and value."""

import copy
import json
import multiprocessing
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st
from small_specs import OFAT, OWN, PAIRED, PROFILED, TUNED, edited

from study.errors import InputError
from sweeps.engines import NAMES, choose
from sweeps.home import Home
from sweeps.plan import make_plan
from sweeps.plan_page import render
from sweeps.settings import settings_of
from sweeps.spec import SweepSpec, load, parse

SHORT = 150
LONG = 20 * SHORT
MOST_PLANNED = 3000
"""Trainings; what is larger is right as well and takes longer to plan than is needed here."""

BASES = [tomllib.loads(edited(changes)) for changes in ({}, OFAT, TUNED, PROFILED, OWN)]

ODD_TEXTS = st.sampled_from(
    [
        "", " ", "mish", "relu", "beta_mish(1e999)", "beta_mish(-0)", "mish:mish", "os:system", "a" * 10_000,
        "../../etc/passwd", "<b>", "'; DROP TABLE runs; --", "\x00", "\x1b[31mred", "a\nb", "a\r\nb",
        "\u2028", "\u202eabc", "🙂", "ﬁ", "none", "nan", "${HOME}", "{0}", "%s", "digits\n", "mlp\x7f",
    ]
)  # fmt: skip
TEXTS = ODD_TEXTS | st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = (
    st.sampled_from([0, 1, -1, 2, 3, 2**31, 2**53, 2**53 + 1, -(2**63), 10**30, 10**400])
    | st.integers(-10, 100_000)
    | st.sampled_from([0.0, -0.0, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"), 0.1, 1.5])
    | st.floats()
)
VALUES = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.dates() | st.times() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "levels", "low", "high", "value", "relative", "log", "step"]) | TEXTS,
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
# fmt: off
KEYS = TEXTS | st.sampled_from([
    "name", "activations", "rivals", "factors", "fixed", "depth", "learning_rate", "profile", "levels",
    "baseline", "tuning", "metric", "dropout", "class", "epoch", "Epochs", "block", "status", "seed",
])
NAMES_KNOWN = st.sampled_from([
    "mish", "relu", "swish", "beta_mish(1e-300)", "mine:bent", "digits", "mnist", "cifar10", "my_data:load",
    "mlp", "convmlp", "adam", "nadam", "condition", "nuisance", "paired", "ofat", "tuned", "l2", "none",
    "random", "tpe", "shift", "shift_flip", "learning_rate", "test_loss", "minimize", "best", "test",
])
# fmt: on
LIKELY = {
    bool: st.booleans(),
    int: st.integers(1, 60) | st.sampled_from([0, 1079, 4096, 65_536, 10**6, 2**31 - 1, 2**53]),
    float: st.floats(0, 100, exclude_min=True) | st.sampled_from([1e-320, 1e-9, 1e6, 1e9, 2.0**53]),
    str: NAMES_KNOWN,
}
"""Values that may be right, by type."""
SETTINGS = {name: LIKELY[type(setting.default)] for name, setting in settings_of("convmlp").items()}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything in a document, the document itself left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [place for key, each in inner for place in places(each, (*path, key))]
    return [path, *below] if path else below


@st.composite
def broken_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a right spec in which keys were dropped, renamed, moved, given another value or another type."""
    document = copy.deepcopy(draw(st.sampled_from(BASES)))
    changes = st.sampled_from(["set", "nudge", "nudge", "drop", "replace", "wrap", "rename", "add", "move"])
    for _ in range(draw(st.integers(1, 4))):
        known = places(document)
        if not known:
            break
        *tables, key = draw(st.sampled_from(known))
        table: Any = document
        for name in tables:
            table = table[name]
        change = draw(changes)
        if change == "replace":
            table[key] = draw(VALUES)
        elif change == "wrap":
            table[key] = draw(st.sampled_from([[table[key]], {"value": table[key]}, [[table[key]]] * 2]))
        elif change == "nudge":
            table[key] = draw(LIKELY.get(type(table[key]), st.just(table[key])))
        elif change == "set":
            name = draw(st.sampled_from(sorted(SETTINGS)))
            some, where = SETTINGS[name], draw(st.sampled_from(["fixed", "factors"]))
            factor = {
                "role": "condition",
                "levels": draw(st.lists(some, min_size=2, max_size=4, unique=True)),
            }
            if isinstance(document.get(where), dict):
                document[where][name] = factor if where == "factors" else draw(some)
        elif change == "add":
            (table if isinstance(table, dict) else document)[draw(KEYS)] = draw(VALUES)
        else:
            value = table.pop(key)
            if change == "rename" and isinstance(table, dict):
                table[draw(KEYS)] = value
            elif change == "move":
                document[draw(KEYS)] = value
    return document


def refusal_of(ask: Callable[[], object], *names: str) -> bool:
    """Return whether something was refused; then in printable sentences that begin with one of the names."""
    try:
        ask()
    except InputError as error:
        for line in str(error).split("\n"):
            assert line.startswith(names), line[:1000]
            assert line.endswith((".", "?")), line[-1000:]
            assert line.isprintable(), line
            assert len(line) < 1000, line[:1000]
        return True
    return False


def plan_of(spec: SweepSpec, folder: Path) -> None:
    """Plan a sweep with each engine: either it can be printed, or the engine is refused."""
    home, others = Home(folder / "home"), {*multiprocessing.active_children()}
    for engine in ("auto", *NAMES):
        if engine == "population" and spec.design == "tuned":
            continue
        plan = make_plan(spec, home, *choose(engine, spec))
        assert 0 < plan.cost.trainings == plan.trainings
        json.dumps(plan.to_json(), allow_nan=False)
        render(plan)
    assert not home.root.exists()
    assert {*multiprocessing.active_children()} <= others


def ends_in_a_plan_or_sentences(text: str, folder: Path) -> None:
    """Check that a text is planned, or refused in one sentence a mistake, and that nothing is trained."""
    if refusal_of(lambda: parse(text, "s.toml"), "s.toml: "):
        return
    spec = parse(text, "s.toml")
    assert parse(spec.to_toml(), "s.toml") == spec
    blocks = (
        spec.tuning.trials * spec.tuning.repeats if spec.tuning else spec.configurations * spec.replicates
    )
    if blocks * len(spec.activations) <= MOST_PLANNED:
        plan_of(spec, folder)


def any_document(examples: int, folder: Path) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(broken_documents())
    def check(document: dict[str, Any]) -> None:
        ends_in_a_plan_or_sentences(tomlkit.dumps(document), folder)

    check()


def any_text(examples: int, folder: Path) -> None:
    @st.composite
    def edited_texts(draw: st.DrawFn) -> str:
        lines = PAIRED.splitlines()
        for _ in range(draw(st.integers(1, 3))):
            place = draw(st.integers(0, len(lines) - 1))
            kept = draw(st.integers(0, len(lines[place])))
            lines[place] = lines[place][:kept] + draw(st.sampled_from(lines) | st.text(max_size=5))
        return "\n".join(lines)

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(st.text(st.characters(codec="utf-8")) | edited_texts())
    def check(text: str) -> None:
        ends_in_a_plan_or_sentences(text, folder)

    check()


def any_file(examples: int, folder: Path) -> None:
    path = folder / "spec.toml"
    lines = st.sampled_from([line.encode() for line in PAIRED.splitlines()]) | st.binary(max_size=12)

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(st.lists(lines, max_size=12).map(b"\n".join) | st.binary(max_size=60))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        assert refusal_of(lambda: load(path), f"{path}: ")

    check()


@pytest.mark.parametrize("check", [any_document, any_text, any_file])
def test_whatever_a_spec_holds_ends_in_a_plan_or_sentences(
    check: Callable[[int, Path], None], tmp_path: Path
) -> None:
    check(SHORT, tmp_path)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("check", [any_document, any_text, any_file])
def test_whatever_many_specs_hold_ends_in_a_plan_or_sentences(
    check: Callable[[int, Path], None], tmp_path: Path
) -> None:
    check(LONG, tmp_path)
