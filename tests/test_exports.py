"""Markdown, CSV, JSON, LaTeX and HTML: the same table, whatever the names in it."""

import csv
import dataclasses
import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from simulated_runs import Truth, simulate
from tuned_runs import Searches, Surface, simulate_searches

from analysis.criteria import CriteriaTable, criteria_table
from analysis.statistics.compare import Comparison, Verdict
from analysis.summaries import interval_text
from analysis.tables.exports import (
    answer_markdown,
    evidence_rows,
    sections,
    summary_rows,
    to_csv,
    to_html,
    to_json,
    to_latex,
    to_markdown,
    to_metrics,
    verdict_text,
)
from analysis.tables.latex import PACKAGES, latex_escape, latex_table
from analysis.tables.markdown import markdown_escape
from analysis.tables.terminal import render

NASTY = "a|b*c_d`e<img src=x onerror=alert(1)>&amp;\\n[x](y)\n# $h$ 100% {z}~^"
WORLD = Truth(
    configurations=60,
    rivals=("relu", NASTY),
    factors=("depth", "optimizer"),
    failure_rate=0.05,
    effect=lambda configurations: np.where(configurations["depth"] > 15, 1.5, -1.5),
)


@pytest.fixture(scope="module")
def table() -> CriteriaTable:
    question = dataclasses.replace(WORLD.question, question=f"Is {NASTY} better?", dataset_note=NASTY)
    return criteria_table(simulate(WORLD, np.random.default_rng(1)), question)


@pytest.fixture(scope="module")
def tuned() -> CriteriaTable:
    surfaces = {"mish": Surface(top=93.0), "relu": Surface(), NASTY: Surface()}
    world = Searches(surfaces=surfaces, repeats=6, confirm=2)
    question = dataclasses.replace(world.question, question=f"Is {NASTY} better?", dataset_note=NASTY)
    return criteria_table(simulate_searches(world, np.random.default_rng(3)), question)


def shown(cell: str) -> str:
    return " ".join(cell.split())


class Cells(HTMLParser):
    """Collects the cells of every table, row by row, and every tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: set[str] = set()
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.tags.add(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.tables[-1][-1][-1] += data


def expected_cells(table: CriteriaTable) -> list[list[list[str]]]:
    return [
        [[shown(cell) for cell in line] for line in (rows[0].keys(), *(row.values() for row in rows))]
        for _, rows in sections(table)
    ]


@pytest.mark.parametrize("which", ["table", "tuned"])
def test_markdown_shows_every_cell_literally(which: str, request: pytest.FixtureRequest) -> None:
    """A CommonMark reader gets back exactly the cells that went in."""
    made: CriteriaTable = request.getfixturevalue(which)
    page = MarkdownIt("commonmark").enable("table").render(to_markdown(made))
    read = Cells(page)
    assert [[[shown(cell) for cell in row] for row in one] for one in read.tables] == expected_cells(made)
    assert not read.tags & {"img", "a", "em", "code"}


@pytest.mark.parametrize("which", ["table", "tuned"])
def test_html_shows_every_cell_literally_in_ascii(which: str, request: pytest.FixtureRequest) -> None:
    made: CriteriaTable = request.getfixturevalue(which)
    page = to_html(made)
    assert page.isascii()
    read = Cells(page)
    assert [[[shown(cell) for cell in row] for row in one] for one in read.tables] == expected_cells(made)
    assert read.tags <= {
        "section", "h2", "p", "strong", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert html.escape(f"Is {NASTY} better?") in page


def test_the_columns_are_those_of_the_well_known_table(table: CriteriaTable) -> None:
    assert list(summary_rows(table)[0]) == [
        "Parameter", "When mish wins", "Who wins elsewhere", "Matters?", "Evidence",
    ]  # fmt: skip
    assert [row["Parameter"] for row in summary_rows(table)] == ["(overall)", "depth", "optimizer"]
    assert len(summary_rows(table, each_rival=True)) == 6
    assert len(evidence_rows(table)) == len(table.headline) + len(table.levels)


@pytest.fixture(scope="module")
def crossing() -> CriteriaTable:
    """Return a table with a threshold in depth against each rival."""
    truth = dataclasses.replace(WORLD, configurations=120, failure_rate=0.02)
    return criteria_table(simulate(truth, np.random.default_rng(1)), truth.question)


def test_the_tables_behind_the_answer_show_what_the_table_holds(crossing: CriteriaTable) -> None:
    table = crossing
    tables = dict(sections(table))
    depth = tables["What matters"][0]
    (found,) = (one for one in table.thresholds if one.rival == "relu" and one.parameter == "depth")
    assert (depth["Parameter"], depth["Rival"], depth["Matters?"]) == ("depth", "relu", "yes")
    assert depth["Threshold"] == f"above {found.point:.0f}"
    assert found.low is not None
    assert found.high is not None
    assert depth["95 % set"] == f"{found.low:.0f} to {found.high:.0f}"
    assert found.inside is not None
    assert found.outside is not None
    assert depth["Configurations"] == f"{found.inside.units} + {found.outside.units}"
    names = {"mish", "relu", NASTY}
    assert {row["Activation"] for row in tables["Ranking"]} == names
    assert {row["Activation"] for row in tables["Failures"]} == names
    rates = {row["Activation"]: row["Failed"] for row in tables["Failures"]}
    assert int(rates["mish"]) == sum(table.failures["mish"].values())
    assert tables["Pairing"][0]["Variance saved"].endswith(" %")


def test_csv_has_gate_and_threshold_beside_each_level(crossing: CriteriaTable) -> None:
    table = crossing
    rows = pd.read_csv(io.StringIO(to_csv(table)), dtype={"level": str})
    depth = rows.loc[(rows["parameter"] == "depth") & (rows["rival"] == "relu")]
    (gate,) = (one for one in table.gates if one.rival == "relu" and one.parameter == "depth")
    (found,) = (one for one in table.thresholds if one.rival == "relu" and one.parameter == "depth")
    assert set(depth["matters_p_adjusted"]) == {gate.p_adjusted}
    assert set(depth["threshold_point"]) == {found.point}
    assert rows.loc[rows["parameter"].isna(), "matters_p_adjusted"].isna().all()


def test_what_would_settle_a_level_is_meant_of_that_level(table: CriteriaTable) -> None:
    open_row = {"verdict": Verdict.NOT_ENOUGH_EVIDENCE, "size": None, "units_to_settle": 168}
    level, overall = (dataclasses.replace(rows[0], **open_row) for rows in (table.levels, table.headline))
    assert verdict_text(level, table).endswith("(about 168 configurations at this level would settle it)")
    assert verdict_text(overall, table).endswith("(about 168 configurations would settle it)")


def test_with_one_rival_nothing_is_said_twice() -> None:
    truth = dataclasses.replace(WORLD, rivals=("relu",))
    made = criteria_table(simulate(truth, np.random.default_rng(1)), truth.question)
    assert summary_rows(made, each_rival=True) == []
    assert [caption for caption, _ in sections(made)] == [
        "Recommendation", "What matters", "Ranking", "Failures", "Pairing", "Evidence",
    ]  # fmt: skip


def test_markdown_opens_with_the_answer(table: CriteriaTable) -> None:
    blocks = to_markdown(table).split("\n\n")
    assert blocks[0] == "# When does mish win?"
    assert blocks[2].startswith("| Parameter ")
    assert blocks[3].startswith("- On average over the configurations, ")


def test_the_ranking_says_whether_the_ranks_differ_at_all(table: CriteriaTable) -> None:
    (ranks,) = [part for part in to_markdown(table).split("\n## ") if part.startswith("Ranking")]
    assert "\n\nFriedman's test that all are equal: p " in ranks


def test_the_answer_alone_is_what_the_whole_begins_with(table: CriteriaTable, tuned: CriteriaTable) -> None:
    for made in (table, tuned):
        whole, answer = to_markdown(made), answer_markdown(made)
        assert whole.split("\n\n", 2)[2].startswith(f"{answer}\n\n## ")
        assert "\n#" not in answer


def test_numbers_to_sort_sweeps_by(table: CriteriaTable, tuned: CriteriaTable) -> None:
    numbers = to_metrics(table)
    relu = table.headline[0]
    assert (numbers["difference/relu"], numbers["win_rate/relu"]) == (relu.difference, relu.win_rate)
    counts = {name: value for name, value in numbers.items() if name.startswith("verdicts/")}
    assert list(counts) == [f"verdicts/{verdict.value}" for verdict in Verdict]
    assert sum(counts.values()) == len(table.levels)
    assert counts["verdicts/wins"] == sum(each.verdict is Verdict.WINS for each in table.levels) > 0
    names = {
        "tuned/mish",
        "tuned/relu",
        f"tuned/{NASTY}",
        "difference_tuned/relu",
        f"difference_tuned/{NASTY}",
    }
    assert set(to_metrics(tuned)) == names
    means = [best.mean or 0 for best in tuned.tuned if best.activation == "mish"]
    assert to_metrics(tuned)["tuned/mish"] == pytest.approx(np.mean(means))
    unknown = dataclasses.replace(relu, difference=None)
    assert "difference/relu" not in to_metrics(dataclasses.replace(table, headline=(unknown,)))


def test_provisional_is_said_before_the_table_in_every_form() -> None:
    frame = simulate(WORLD, np.random.default_rng(1)).head(100)
    running = criteria_table(frame, WORLD.question)
    line = "Provisional: 100 of 180 trainings are in."
    for text in (to_markdown(running), to_html(running)):
        assert text.index(line) < text.index("Parameter")
    assert "(provisional)" in to_latex(running)
    assert json.loads(to_json(running))["provisional"] is True
    assert all(row["provisional"] == "True" for row in csv.DictReader(io.StringIO(to_csv(running))))
    assert all(row["When mish wins"].startswith("provisional: ") for row in summary_rows(running))


def test_csv_is_every_number_of_every_comparison(table: CriteriaTable) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(rows) == len(table.headline) + len(table.levels)
    fields = [field.name for field in dataclasses.fields(Comparison) if field.name != "stable_under"]
    for row, comparison in zip(rows, table.headline + table.levels, strict=True):
        for name in fields:
            value = getattr(comparison, name)
            assert row[name] == ("" if value is None else str(value))
        for name, stands in comparison.stable_under.items():
            assert row[f"stable_under_{name}"] == str(stands)
    assert pd.read_csv(io.StringIO(to_csv(table)))["difference"].dtype == "float64"


def test_json_is_the_table(table: CriteriaTable, tuned: CriteriaTable) -> None:
    for made in (table, tuned):
        assert CriteriaTable.from_json(json.loads(to_json(made))) == made


def test_latex_is_balanced_and_escaped(table: CriteriaTable, tuned: CriteriaTable) -> None:
    for made in (table, tuned):
        text = to_latex(made)
        for environment in ("longtable", "itemize"):
            opened = text.count(rf"\begin{{{environment}}}")
            assert opened == text.count(rf"\end{{{environment}}}") > 0
        literal = text.replace(r"\{", "").replace(r"\}", "")
        assert literal.count("{") == literal.count("}")
        assert NASTY not in text
    assert latex_escape("a_b & 5% {x} ~^\\ [1]") == (
        r"a\_b \& 5\% \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{} {[}1]"
    )


def test_latex_columns_share_the_line_and_wide_tables_are_turned(
    table: CriteriaTable, tuned: CriteriaTable
) -> None:
    for made in (table, tuned):
        text = to_latex(made)
        turned = False
        found = 0
        for line in text.splitlines():
            turned = line == r"\begin{landscape}" or (turned and line != r"\end{landscape}")
            if not line.startswith(r"\begin{longtable}"):
                continue
            widths = [
                float(share) for share in re.findall(r"p\{\\dimexpr ([\d.]+)\\linewidth-2\\tabcolsep\}", line)
            ]
            assert len(widths) == line.count(r"\raggedright")
            assert sum(widths) <= 1.001
            assert turned == (len(widths) >= 8)
            found += 1
        assert found == len(sections(made))


def test_latex_names_its_packages_and_letters_that_pdflatex_lacks(table: CriteriaTable) -> None:
    first, second, *_ = to_latex(table).splitlines()
    assert first == r"% Needs \usepackage{array,booktabs,longtable,pdflscape}"
    assert second.startswith(r"\begingroup")
    named = dataclasses.replace(table, focus="mish 🙂")
    assert (
        to_latex(named)
        .splitlines()[1]
        .startswith("% Has letters beyond ASCII (🙂): compile it with lualatex")
    )


def test_a_minus_in_latex_is_one_and_long_words_may_break() -> None:
    assert latex_escape("-0.1 [-1, +2] 3-16 a-1 (−5)") == "$-$0.1 {[}$-$1, +2] 3-16 a-1 ($-$5)"
    made = latex_table([{"Name": "x" * 40}], "c")
    assert r"x\allowbreak{}x" in made
    assert made.replace(r"\allowbreak{}", "").count("x" * 40) == 1


def test_latex_fits_the_page(table: CriteriaTable, tmp_path: Path) -> None:
    found = [["kpsewhich", f"{package}.sty"] for package in PACKAGES]
    if shutil.which("pdflatex") is None or any(subprocess.run(one, check=False).returncode for one in found):
        pytest.skip("needs pdflatex with pdflscape: apt-get install texlive-latex-recommended")
    (tmp_path / "table.tex").write_text(to_latex(table), encoding="utf-8")
    lines = [r"\documentclass{article}", f"\\usepackage{{{','.join(PACKAGES)}}}"]
    lines += [r"\begin{document}", r"\input{table}", r"\end{document}"]
    (tmp_path / "page.tex").write_text("\n".join(lines), encoding="utf-8")
    call = ["pdflatex", "-interaction=nonstopmode", "page.tex"]
    subprocess.run(call, cwd=tmp_path, capture_output=True, check=True)  # leaves the widths of the tables
    said = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert [float(pt) for pt in re.findall(r"Overfull \\hbox \(([\d.]+)pt", said) if float(pt) > 3] == []


@pytest.mark.parametrize("columns", [summary_rows, evidence_rows])
def test_every_latex_row_has_as_many_cells_as_columns(
    table: CriteriaTable, columns: Callable[[CriteriaTable], list[dict[str, str]]]
) -> None:
    headings = columns(table)[0]
    header = " & ".join(latex_escape(name) for name in headings) + r" \\"
    lines = to_latex(table).splitlines()
    start = lines.index(header)
    body = lines[start : start + len(columns(table)) + 6]
    rows = [line for line in body if line.endswith(r" \\") and not line.startswith(r"\caption")]
    assert len(rows) >= len(columns(table))
    assert {line.replace(r"\&", "").count(" & ") for line in rows} == {len(headings) - 1}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("1. x", "1\\. x"), ("- x", "\\- x"), ("+1.2 [+0.5, +2]", "+1.2 [+0.5, +2]"), ("a_b", "a_b"),
        ("_a_", "\\_a\\_"), ("a*b|c", "a\\*b\\|c"), ("p < 0.001", "p < 0.001"), ("<b>", "\\<b>"),
        ("[a](b)", "[a\\](b)"), ("a\nb", "a b"), ("&lt;", "&amp;lt;"), ("# x", "\\# x"),
    ],
)  # fmt: skip
def test_markdown_escapes_only_what_would_be_markup(text: str, escaped: str) -> None:
    assert markdown_escape(text) == escaped


def test_tuned_shows_verdicts_and_a_row_per_winner(tuned: CriteriaTable) -> None:
    tables = dict(sections(tuned))
    assert list(tables) == ["Verdicts when tuned", "Winners", "Best of k trials"]
    verdict, best = tables["Verdicts when tuned"][0], tables["Winners"][0]
    searches = tuned.tuned_verdicts[0].searches
    assert verdict["Rival"] == "relu"
    assert verdict["mish tuned"].startswith("wins tuned")
    assert verdict["Difference in points [95 %]"] == interval_text(searches, tuned.delta)
    assert (verdict["Searches"], verdict["Fresh seeds"]) == ("6", "12")
    first = tuned.tuned[0]
    assert (best["Activation"], best["Search"], best["Setting"]) == ("mish", "1", first.setting)
    assert best["Chosen by validation accuracy"] == f"{first.selection:.2f}"
    assert best["test_accuracy of that trial"] == f"{first.score:.2f}"
    assert best["test_accuracy on fresh seeds [95 %]"].startswith(f"{first.mean:.2f} [")
    assert len(tables["Winners"]) == 6 * 3
    rows = list(csv.DictReader(io.StringIO(to_csv(tuned))))
    assert [row["activation"] for row in rows[:3]] == ["mish", "relu", NASTY]
    assert [row["tuned_verdict"] for row in rows[:3]] == [
        "",
        *(v.searches.verdict for v in tuned.tuned_verdicts),
    ]
    assert float(rows[0]["learning_rate"]) == first.levels["learning_rate"]


def test_an_empty_table_has_every_form(table: CriteriaTable) -> None:
    frame = simulate(WORLD, np.random.default_rng(1)).head(0)
    empty = criteria_table(frame, WORLD.question)
    for make in (to_markdown, to_csv, to_json, to_latex, to_html):
        assert make(empty)
    assert evidence_rows(empty)[0]["Verdict"] == "not run"
    assert table.headline[0].verdict in set(Verdict)


# In a terminal.


def printed(table: CriteriaTable, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(render(table))
    return console.export_text()


@pytest.mark.parametrize("width", [60, 100, 200])
def test_the_terminal_shows_the_answer_first_and_loses_no_word(table: CriteriaTable, width: int) -> None:
    text = printed(table, width)
    words = shown(text)
    assert words.startswith("When does mish win?")
    assert shown(table.summaries[0].sentence) in words
    for note in table.notes:
        assert shown(note) in words
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [90, 120])
def test_no_word_of_the_grid_is_broken_where_there_is_room(table: CriteriaTable, width: int) -> None:
    words = set(printed(table, width).split())
    for row in summary_rows(table):
        for cell in row.values():
            assert {word for word in cell.split() if len(word) <= 15} <= words


def test_a_column_of_the_grid_is_as_wide_as_its_text_needs(table: CriteriaTable) -> None:
    said = {"Matters?": "no sign (p 0.5)", "Evidence": "word " * 40}
    summary = dataclasses.replace(table.summaries[0], matters=said["Matters?"], evidence=said["Evidence"])
    lines = printed(dataclasses.replace(table, summaries=(summary,)), 100).splitlines()
    assert max(line.count("word") for line in lines) >= 8


def test_names_are_no_markup_in_the_terminal(table: CriteriaTable) -> None:
    named = dataclasses.replace(table, question="[bold red]x[/] [link=https://x]y[/link]")
    assert "[bold red]x[/] [link=https://x]y[/link]" in printed(named, 120)


def test_tuned_in_the_terminal(tuned: CriteriaTable) -> None:
    text = printed(tuned, 160)
    assert "Does mish win when each is tuned?" in text
    assert "wins tuned" in text
    assert f"{tuned.tuned[0].score:.2f}" in text  # the winners stand below
