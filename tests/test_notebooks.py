"""The notebooks: stored without outputs, and executed as a reader would, beside a real sweep."""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CLAIM_CHECK, CRITERIA_TABLE, OWN_ACTIVATION, QUICKSTART, XOR = (
    ROOT / "notebooks" / f"{name}.ipynb"
    for name in ("claim-check", "criteria-table", "own-activation", "quickstart", "xor")
)

MAGIC = re.compile(r"^%.*$", re.MULTILINE)


def code(notebook: NotebookNode) -> str:
    """Return the code of all cells, without the lines that only IPython understands."""
    return "\n".join(MAGIC.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "code")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def notebook(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def test_all_notebooks_are_there() -> None:
    assert [CLAIM_CHECK, CRITERIA_TABLE, OWN_ACTIVATION, QUICKSTART, XOR] == NOTEBOOKS


def test_is_a_valid_notebook_without_outputs(path: Path, notebook: NotebookNode) -> None:
    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_names_no_place_of_one_machine(path: Path) -> None:
    assert not re.search(r"""["'`( ](/|~/|[A-Z]:\\)\w""", path.read_text(encoding="utf-8"))


def test_every_import_can_be_resolved(notebook: NotebookNode) -> None:
    """Modules are found, and ours have what is taken from them; no framework is imported for it."""
    imports = [
        node for node in ast.walk(ast.parse(code(notebook))) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    for node in imports:
        modules = (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
        for module in modules:
            assert importlib.util.find_spec(module) is not None, module
        if modules[0].partition(".")[0] in ("analysis", "study", "sweeps"):
            exec(ast.unparse(node), {})
    assert len(imports) > 5


def test_links_lead_to_files(path: Path, notebook: NotebookNode) -> None:
    prose = "\n".join(cell.source for cell in notebook.cells)
    for target in re.findall(r"\]\(([^)#]+)\)", prose):
        assert (path.parent / target).exists(), target


def test_the_quickstart_states_no_result_in_its_prose() -> None:
    """Every number there comes from the sweep; the power of the method is a constant of the product."""
    notebook = nbformat.read(QUICKSTART, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"\d[\d.,]*", prose) == ["80"]


# What follows executes.


def executed(path: Path, home: Path | None = None) -> NotebookNode:
    """Execute a notebook in its own folder with the kernel of this environment.

    Raises
    ------
    CellExecutionError
        If a cell raises.
    """
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    if home is not None:
        environment["MISHSTUDY_HOME"] = str(home)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute(env=environment)
    return notebook


def shown(notebook: NotebookNode, kind: str) -> list[str]:
    """Return the outputs of one MIME type, in order."""
    return [
        output.data[kind]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]


def complaints(notebook: NotebookNode) -> list[str]:
    """Return what cells printed: warnings and the like, since ours print nothing."""
    return [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with the quickstart sweep, smaller: it keeps its name and its factors."""
    folder = tmp_path_factory.mktemp("notebooks")
    spec = (ROOT / "sweeps/quickstart.toml").read_text(encoding="utf-8")
    spec, changes = re.subn(r"(?m)^configurations = \d+$", "configurations = 16", spec)
    spec, more = re.subn(r"(?m)^epochs = \d+$", "epochs = 4", spec)
    assert (changes, more) == (1, 1)
    (folder / "quickstart.toml").write_text(spec, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mishstudy", "sweep", "quickstart.toml", "--home", "runs"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "runs"


@pytest.mark.slow
def test_quickstart_tells_a_finished_sweep(home: Path) -> None:
    notebook = executed(QUICKSTART, home)
    assert complaints(notebook) == []
    told = shown(notebook, "text/markdown")
    trainings = len((home / "quickstart/curves.jsonl").read_text().splitlines())
    assert told[0] == f"The sweep is complete: {trainings} trainings."
    assert not any("rovisional" in text for text in told)
    figures = [text for text in told if text.startswith("### ")]
    assert "### Difference by level" in figures
    assert len(shown(notebook, "image/png")) == 1 + len(figures)
    answer = [grid for grid in shown(notebook, "text/html") if "When mish wins" in grid]
    assert len(answer) == 1
    table = subprocess.run(
        [sys.executable, "-m", "mishstudy", "table", "quickstart", "--home", str(home), "--format", "md"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    advice = next(text for text in told if text.startswith("- "))
    assert advice in table


@pytest.mark.slow
@pytest.mark.parametrize("lines", [6, 30])
def test_quickstart_says_that_a_sweep_is_provisional(home: Path, tmp_path: Path, lines: int) -> None:
    """A driver that was stopped: after one block, and half-way."""
    shutil.copytree(home / "quickstart", tmp_path / "quickstart")
    ledger = tmp_path / "quickstart/ledger.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:lines]))
    notebook = executed(QUICKSTART, tmp_path)
    told = shown(notebook, "text/markdown")
    assert re.fullmatch(r"Provisional: \d+ of \d+ trainings are in\.", told[0])
    assert all(
        line.startswith("- Provisional: ") for line in next(t for t in told if t[0] == "-").splitlines()
    )
    assert "Let the sweep come to its end first" in told[-1]


@pytest.mark.slow
@pytest.mark.parametrize("lines", [0, 2])
def test_quickstart_without_a_sweep_is_one_sentence(home: Path, tmp_path: Path, lines: int) -> None:
    """No sweep, and one whose driver was stopped before its first training."""
    if lines:
        (tmp_path / "quickstart").mkdir()
        ledger = (home / "quickstart/ledger.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / "quickstart/ledger.jsonl").write_text("".join(ledger[:lines]))
    with pytest.raises(CellExecutionError) as stopped:
        executed(QUICKSTART, tmp_path)
    assert stopped.value.traceback.strip().splitlines()[-1] == (
        f"There is no pair of the sweep 'quickstart' in {tmp_path} yet: run `make study` first."
    )
    assert "Traceback" not in stopped.value.traceback


@pytest.mark.slow
def test_xor_runs_and_reaches_a_verdict_for_each_rival() -> None:
    notebook = executed(XOR)
    assert complaints(notebook) == []
    assert len(shown(notebook, "image/png")) == 2
    (table,) = shown(notebook, "text/html")
    verdicts = re.findall(r">(wins|loses|ties|not enough evidence)</td>", table)
    assert len(verdicts) == 4
    conclusion = shown(notebook, "text/markdown")[-1]
    for verdict in set(verdicts):
        assert f"**{verdict}**" in conclusion


@pytest.mark.slow
def test_the_criteria_table_agrees_with_every_step() -> None:
    """Each of its steps ends in asserts of its own."""
    notebook = executed(CRITERIA_TABLE)
    assert complaints(notebook) == []
    assert len(shown(notebook, "image/png")) == 3
    told = shown(notebook, "text/markdown")
    assert any("holds the truth" in text for text in told)
    assert " ".join(told[-1].split()).startswith("| Parameter | When mish wins |")


@pytest.mark.slow
def test_the_claim_check_judges_the_published_and_those_of_another_paper() -> None:
    notebook = executed(CLAIM_CHECK)
    assert complaints(notebook) == []
    told = [text for text in shown(notebook, "text/markdown") if text.startswith("Of ")]
    assert [re.match(r"Of (\d+) claims", text)[1] for text in told] == ["57", "3"]  # type: ignore[index]
    assert "Swish works better than ReLU on deeper models" in shown(notebook, "text/html")[-1]


@pytest.mark.slow
def test_an_own_activation_is_compared_on_an_own_network_and_own_data() -> None:
    notebook = executed(OWN_ACTIVATION)
    said = ["Writing mine.py\n", "Appending to mine.py\n", "Appending to mine.py\n"]
    assert complaints(notebook) == said
    (answer,) = [grid for grid in shown(notebook, "text/html") if "Verdict" in grid]
    verdicts = re.findall(r">(wins|loses|ties|not enough evidence)[^<]*</td>", answer)
    assert len(verdicts) == 2
    assert shown(notebook, "text/markdown")[-1].startswith("- ")
