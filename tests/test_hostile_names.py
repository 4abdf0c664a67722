"""Names become paths, rows of databases and HTML: what they may be, and that they stay names."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_specs import OWN, edited
from test_report import NASTY, Page, analysed, browsed, finished

from analysis.report.page import report_html
from study.errors import InputError
from study.ledger import Record
from study.question import Factor
from sweeps.home import Home
from sweeps.spec import parse

SPECIAL = [
    "../up", "/etc/passwd", "..", ".", ".hidden", "-rf", "a/b", "a\\b", "a\x00b", "a\nb", "a b", "a'b", 'a"b',
    "a;b", "a%2e", "<b>", "a" * 65, "A", "é", "a\u202eb", "mlflow.db", "artifacts", "$(id)", "`id`", "~",
]  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
def test_a_sweep_cannot_have_a_name_that_is_more_than_one(name: str) -> None:
    with pytest.raises(InputError, match=r"^s\.toml: name is "):
        parse(edited({"name": name}), "s.toml")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.from_regex(r"[a-z0-9._/\\-]{0,70}", fullmatch=True) | st.text(max_size=70))
def test_the_folder_of_a_sweep_lies_in_its_home(name: str) -> None:
    home = Home(Path("/home-of-all"))
    try:
        spec = parse(edited({"name": name}), "s.toml")
    except InputError:
        return
    assert home.ledger(spec.name).resolve().relative_to(home.root).parts == (name, "ledger.jsonl")


@pytest.mark.parametrize(
    "name", ["<b>", "a-b", "../x", "a b", "Depth", "class", "a" * 65, "é", "a'--", "", "_a"]
)
@pytest.mark.parametrize("table", ["factors", "fixed"])
def test_a_setting_of_ones_own_is_named_like_an_argument(table: str, name: str) -> None:
    value: Any = 3 if table == "fixed" else {"role": "condition", "levels": [1, 2]}
    with pytest.raises(InputError, match="cannot name an argument of a function; use small letters"):
        parse(edited({**OWN, table: {name: value}}), "s.toml")


@pytest.mark.parametrize("name", ["a:b<b>", "../a:b", "a:b()", "a:b;c", "a: b", "a:b\n", ":", "a:", "a::b"])
@pytest.mark.parametrize("key", ["focus", "dataset", "architecture"])
def test_a_function_of_ones_own_is_named_by_module_and_name_alone(key: str, name: str) -> None:
    with pytest.raises(InputError, match=r"s\.toml: "):
        parse(edited({**OWN, key: name}), "s.toml")


def hostile(record: Record) -> Record:
    """Return a record in which every name, level, reason and note is markup, far longer than any line."""
    long = NASTY + "x" * 500

    def renamed(factor: Factor) -> Factor:
        levels = factor.levels
        if levels is not None and not factor.numeric:
            levels = tuple(f"{level} {long}" for level in levels)
        return dataclasses.replace(factor, levels=levels)

    kinds = {factor.name for factor in record.question.factors if factor.levels and not factor.numeric}
    factors = tuple(map(renamed, record.question.factors))
    question = dataclasses.replace(
        record.question, name=f"simulated {NASTY}", question=long, dataset=long, architecture=long,
        dataset_note=f"A note. {long}", factors=factors, metric="test_accuracy",
    )  # fmt: skip
    entries = tuple(
        dataclasses.replace(
            entry,
            configuration=dataclasses.replace(
                entry.configuration,
                levels={
                    name: f"{level} {long}" if name in kinds else level
                    for name, level in entry.configuration.levels.items()
                },
            ),
        )
        for entry in record.entries
    )
    prints = tuple({**each, "processor": long, "device": long} for each in record.fingerprints)
    return dataclasses.replace(record, question=question, entries=entries, fingerprints=prints)


def page() -> str:
    return report_html(*analysed(hostile(finished())))


def test_levels_data_sets_and_machines_are_never_markup() -> None:
    made = page()
    parsed = Page(made)
    assert parsed.mistakes == []
    assert not {tag for tag, _ in parsed.elements} & {"script", "img", "iframe", "object"}
    assert not [name for _, found in parsed.elements for name in found if name.startswith("on")]
    assert f"adam {NASTY}" in parsed.text
    assert NASTY not in made


@pytest.mark.browser
def test_in_a_browser_names_run_nothing_and_load_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(), encoding="utf-8")
    seen = browsed(path, tmp_path / "profile")
    title = re.search(r"<title>(.*?)</title>", seen)
    assert title is not None
    assert title[1] != "taken"
    assert "simulated" in title[1]
    assert "<script" not in seen
    assert "<img" not in seen
    assert "&lt;script&gt;" in seen
