"""The docs name everything that there is, and show tables as they stand elsewhere."""

import re
from pathlib import Path

import pytest

from study.activations import ACTIVATIONS, written_out
from study.architectures import ARCHITECTURES
from study.datacards import DATASETS
from sweeps.settings import TRAINING_SETTINGS
from sweeps.spec import load

ROOT = Path(__file__).parent.parent
ARGUMENTS = {name for entry in ARCHITECTURES.values() for name in entry.arguments}
SHIPPED = sorted((ROOT / "sweeps").glob("*.toml"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_cells(text: str) -> set[str]:
    """Return the code in the first cell of each row of a page's tables."""
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def rows(text: str, first: str) -> list[list[str]]:
    """Return the cells of the first table whose heading begins with `first`."""
    lines = text[text.index(f"| {first} |") :].split("\n\n")[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines]


def test_the_spec_page_has_every_setting_with_its_default() -> None:
    settings = text_of("docs/spec.md").partition("\n## Settings\n")[2].partition("\n#### ")[0]
    listed = {row[0].strip("`"): row for row in rows(settings, "Setting")[2:]}
    assert set(listed) == {*TRAINING_SETTINGS, *ARGUMENTS}
    for name, setting in TRAINING_SETTINGS.items():
        default = str(setting.default).lower() if setting.kind == "switch" else str(setting.default)
        assert listed[name][2].strip("`").startswith(default), name
        assert all(f"`{each}`" in listed[name][1] for each in setting.names), name


@pytest.mark.parametrize("page", ["README.md", "docs/spec.md"])
def test_a_page_names_every_data_set_and_network(page: str) -> None:
    text = text_of(page)
    variants = {name for name in DATASETS if DATASETS[name].note}  # such as the repaired copy of CIFAR-10
    assert [name for name in {*DATASETS, *ARCHITECTURES} - variants if f"`{name}`" not in text] == []


def test_the_readme_names_every_factor() -> None:
    text = text_of("README.md").replace("_", " ").lower()
    special = {"regularizer_strength": "regularizer and its strength"}
    names = [special.get(name, name.replace("_", " ")) for name in (*TRAINING_SETTINGS, *ARGUMENTS)]
    assert [name for name in names if name not in text] == []


def test_the_catalogues_are_listed_in_full() -> None:
    assert first_cells(text_of("docs/data.md")) >= set(DATASETS)
    networks = first_cells(text_of("docs/architectures.md"))
    assert networks >= {name for name, entry in ARCHITECTURES.items() if entry.task == "classification"}
    layers = {"PReLU", "BetaSwish", "BetaMish"}
    assert first_cells(text_of("docs/activations.md")) - layers == {written_out(name) for name in ACTIVATIONS}


# Keras' own, when it writes TensorFlow's variables into a file.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_code_on_the_page_of_activations_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    import numpy as np

    from study import activations

    monkeypatch.chdir(tmp_path)
    page = text_of("docs/activations.md")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {"keras": keras, "x": np.linspace(-3, 3, 13, dtype=np.float32)}
    for block in blocks:
        exec(block, names | {"beta": np.float32(1.5)})
    calls = re.findall(r"`(\w+\(x(?:, [\d.]+)?\))`", page)
    assert {"mish(x)", "e_swish(x, 1.75)", "isru(x, 2.0)"} <= set(calls)
    for call in calls:
        exec(f"from study.activations import {call.partition('(')[0]}\n{call}", names | vars(activations))


def test_every_sweep_that_ships_is_in_the_table_with_its_question() -> None:
    listed = {row[0].strip("`"): row for row in rows(text_of("docs/sweeps.md"), "sweep")[2:]}
    assert set(listed) == {path.stem for path in SHIPPED}, "python benchmarks/sweep_costs.py"
    for path in SHIPPED:
        spec = load(path)
        assert listed[spec.name][1:3] == [spec.question, DATASETS[spec.dataset].title]


def test_the_readme_shows_the_table_of_the_digits_but_for_its_evidence() -> None:
    page = rows(text_of("docs/results/when-digits.md"), "Parameter")
    readme = text_of("README.md").partition("\n## When does Mish win?\n")[2]
    assert rows(readme, "Parameter") == [row[:-1] for row in page]


def test_every_page_is_in_the_navigation_and_the_start_page_leads_to_it() -> None:
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    linked = re.findall(r"\]\(([^)#]+\.md)\)", text_of("docs/index.md"))
    assert pages - set(re.findall(r": (\S+\.md)$", text_of("mkdocs.yml"), re.MULTILINE)) == set()
    assert {page for page in pages if "/" not in page} - {"index.md", *linked} == set()
