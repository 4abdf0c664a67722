"""The report: everything is in it, nothing has to be loaded, and no name in it is markup."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated_record import FINGERPRINT, simulated_record
from simulated_runs import Truth, simulate
from tuned_runs import Searches, Surface, simulate_searches

from analysis.claims import judge
from analysis.criteria import CriteriaTable, criteria_table
from analysis.frame import curves_frame, runs_frame
from analysis.report.page import report_html
from analysis.tables.exports import sections, sentences
from mishstudy.publication import PUBLISHED, claims_of
from study.ledger import Ledger, Record
from study.question import Factor
from study.training import Status, digest_of

NASTY = "a<script>document.title='taken'</script>&amp;\"'<img src=x onerror=\"document.title='taken'\">"
WORLD = Truth(
    configurations=40,
    rivals=("relu", "swish"),
    factors=("depth", "optimizer"),
    failure_rate=0.06,
    effect=lambda configurations: np.where(configurations["depth"] > 15, 2.0, 0.0),
)
PREDICTED = {
    "trainings": 120,
    "programs": 7,
    "members_per_program": [3, 17, 20],
    "training_seconds": 154.0,
    "memory_mib": 1302.3,
    "basis": "Times are assumed.",
}


class Page(HTMLParser):
    """An HTML page taken apart: its words, its elements, and what is wrong with them."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.styles = ""
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.mistakes: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.mistakes += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.styles += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, *names: str) -> list[str]:
        return [found[name] for _, found in self.elements for name in names if name in found]


@cache
def finished() -> Record:
    question = dataclasses.replace(
        WORLD.question,
        question="Which one is better, and where?",
        factors=(
            *WORLD.question.factors,
            Factor(name="learning_rate", role="nuisance", low=0.5, high=8, log=True, relative=True),
        ),
    )
    runs = simulate(WORLD, np.random.default_rng(2))
    runs.insert(9, "learning_rate", np.linspace(0.5, 8, 40)[runs["index"]])
    return simulated_record(runs, question)


@pytest.fixture(scope="module")
def record() -> Record:
    return finished()


def analysed(record: Record) -> tuple[CriteriaTable, pd.DataFrame, pd.DataFrame, Record]:
    runs = runs_frame(record)
    return criteria_table(runs, record.question, chance=record.chance), runs, curves_frame(record), record


def changed(record: Record, change: Callable[[str], str]) -> Record:
    """Return `record` with the name of an activation, the question and the reasons changed."""
    question = dataclasses.replace(
        record.question,
        question=change(record.question.question),
        rivals=("relu", change("swish")),
        dataset_note=change("A note."),
    )
    entries = tuple(
        dataclasses.replace(
            entry,
            training=dataclasses.replace(
                entry.training,
                activation=change("swish")
                if entry.training.activation == "swish"
                else entry.training.activation,
            ),
            result=dataclasses.replace(
                entry.result, reason=entry.result.reason and change(entry.result.reason)
            ),
        )
        for entry in record.entries
    )
    return dataclasses.replace(record, question=question, entries=entries)


def nasty(record: Record) -> Record:
    return changed(record, lambda text: f"{text} {NASTY}")


def first(record: Record, number: int) -> Record:
    return dataclasses.replace(record, entries=record.entries[:number])


def tuned(record: Record) -> Record:
    del record
    surfaces = {"mish": Surface(top=93.0), "relu": Surface(), "swish": Surface()}
    world = Searches(surfaces=surfaces, repeats=6, confirm=2)
    return simulated_record(simulate_searches(world, np.random.default_rng(3)), world.question)


def without_factors(record: Record) -> Record:
    del record
    world = Truth(design="ofat", replicates=12, factors=(), rivals=("relu", "swish"))
    return simulated_record(simulate(world, np.random.default_rng(3)), world.question)


CASES: dict[str, Callable[[Record], Record]] = {
    "finished": lambda record: record,
    "no plan": lambda record: record,
    "nasty names": nasty,
    "provisional": lambda record: first(record, 50),
    "nothing yet": lambda record: first(record, 0),
    "no environment": lambda record: dataclasses.replace(record, entries=(), fingerprints=()),
    "mixed": lambda record: dataclasses.replace(
        record, fingerprints=(FINGERPRINT, {**FINGERPRINT, "python": "3.13.1", "engine": "population"})
    ),
    "tuned": tuned,
    "no factors": without_factors,
}


@cache
def case_of(case: str) -> tuple[CriteriaTable, pd.DataFrame, pd.DataFrame, Record]:
    return analysed(CASES[case](finished()))


@cache
def page_of(case: str) -> str:
    return page_with(*case_of(case), predicted=PREDICTED if case != "no plan" else None)


def page_with(
    table: CriteriaTable,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    record: Record,
    predicted: dict[str, Any] | None,
) -> str:
    """Return a report with the published claims, as the command writes it."""
    judgement = judge(claims_of(PUBLISHED), table, record.question)
    return report_html(table, runs, curves, record, predicted=predicted, judgement=judgement)


@pytest.mark.parametrize("case", CASES)
def test_every_report_is_whole_and_stands_alone(case: str) -> None:
    table, made = case_of(case)[0], page_of(case)
    assert made.startswith("<!DOCTYPE html>")
    page = Page(made)
    assert page.mistakes == []
    identities = page.attributes("id")
    assert len(identities) == len(set(identities))
    addresses = page.attributes("href", "xlink:href")
    assert {address.removeprefix("#") for address in addresses} - {"data:,"} <= set(identities)
    assert not page.attributes("src", "srcset", "action", "poster", "data", "background", "formaction")
    assert not {tag for tag, _ in page.elements} & {
        "script",
        "iframe",
        "object",
        "embed",
        "img",
        "form",
        "base",
    }
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]
    assert "@import" not in page.styles
    assert "url(" not in page.styles
    assert all(url.startswith("#") for text in page.attributes("style", "clip-path") for url in urls(text))
    assert set(re.findall(r"https?://[^\"\s<]+", made)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip
    assert ("Provisional" in page.text) is table.provisional


def urls(text: str) -> list[str]:
    return re.findall(r"url\(([^)]*)\)", text)


@pytest.mark.parametrize("case", ["finished", "nasty names", "tuned"])
def test_the_whole_table_is_in_it(case: str) -> None:
    table, text = case_of(case)[0], Page(page_of(case)).text
    cells = {cell for _, rows in sections(table) for row in rows for cell in (*row.keys(), *row.values())}
    for words in (table.question, *sentences(table), *table.notes, *(cells - {"Rival"})):
        assert " ".join(words.split()) in text


def test_it_says_what_was_run() -> None:
    text = Page(page_of("finished")).text
    for words in (
        "optimizer condition sgd, momentum, rmsprop, adagrad, adam, nadam, adamw",
        "learning_rate nuisance 0.5 to 8, log scale, × the optimizer's base rate",
        "Smallest difference that matters 0.5 points",
        "Largest difference that a pair can count 5 points",
        "guessing gives 10.00 points",
        "epochs 6",
        "checkpoint last",
        "sweep_seed 2026",
        "activation_of_output softmax",
        f"fingerprint {digest_of(FINGERPRINT)}",
        "processor Simulated CPU",
        "versions keras 3.15.1",
        "data digest 5eed5eed5eed5eed",
    ):
        assert words in text


def test_a_known_data_set_is_shown_with_its_cuts_and_licence(record: Record) -> None:
    digits = dataclasses.replace(record, question=dataclasses.replace(record.question, dataset="digits"))
    text = Page(report_html(*analysed(digits))).text
    assert "1,078 images for training, 359 for validation, 360 for the test" in text
    assert "CC BY 4.0" in text


def test_failures_are_counted_by_activation_and_status_with_their_reasons(record: Record) -> None:
    entries = list(record.entries)
    for number in range(0, 100, 4):
        result = dataclasses.replace(
            entries[number].result, status=Status.TIMEOUT, metrics={}, reason=f"too slow, number {number}"
        )
        entries[number] = dataclasses.replace(entries[number], result=result)
    table, runs, curves, changed = analysed(dataclasses.replace(record, entries=tuple(entries)))
    text = Page(report_html(table, runs, curves, changed)).text
    assert "Activation Trainings ok diverged timeout mish 40" in text
    for name in ("mish", "relu", "swish"):
        counts = runs.loc[runs["activation"] == name, "status"].value_counts()
        assert f"{name} 40 {counts['ok']} {counts['diverged']} {counts['timeout']} " in text
    assert "timeout ran out of its time" in text
    assert "loss is not finite" in text
    reasons = runs.loc[runs["status"] != "ok"].groupby(["activation", "status", "reason"]).ngroups
    assert f"{reasons - 20} other reasons" in text


@pytest.mark.parametrize("kept", [100, 0])
def test_learning_curves_that_are_missing_are_counted(record: Record, kept: int) -> None:
    assert "learning curves of" not in Page(page_of("finished")).text
    entries = (
        dataclasses.replace(entry, result=dataclasses.replace(entry.result, curve={}))
        if number >= kept
        else entry
        for number, entry in enumerate(record.entries)
    )
    table, runs, curves, changed = analysed(dataclasses.replace(record, entries=tuple(entries)))
    text = Page(report_html(table, runs, curves, changed)).text
    ended = int((runs["status"] == "ok").sum())
    missing = int((runs["status"][kept:] == "ok").sum())
    assert f"The learning curves of {missing} of {ended} trainings with a result are missing" in text
    assert ("Learning curves" in text) is (kept > 0)
    assert table == case_of("finished")[0]


def test_trainings_that_share_a_program_have_no_time_of_their_own(record: Record) -> None:
    together = dataclasses.replace(record, fingerprints=({**FINGERPRINT, "engine": "population"},))
    assert "Time of each activation" in page_of("finished")
    alone = report_html(*analysed(together))
    assert "Time of each activation" not in alone
    assert "shared their programs" in alone


def test_predicted_cost_stands_beside_the_actual_one() -> None:
    text = Page(page_of("finished")).text
    assert "Predicted Actual Trainings 120 120 Programs built 7 1" in text
    assert "Time of all processes 3 min 4 min, of which 0.5 s" in text
    assert "Peak memory of a process 1,302 MiB 500 MiB" in text
    assert "Times are assumed." in text
    alone = Page(page_of("no plan")).text
    assert "Actual cost" in alone
    assert "Predicted" not in alone


def test_names_questions_and_reasons_are_never_markup() -> None:
    made = page_of("nasty names")
    assert "<script" not in made
    assert "<img" not in made
    assert "&lt;script&gt;" in made
    text = Page(made).text
    assert f"Which one is better, and where? {NASTY}" in text
    assert f"loss is not finite {NASTY}" in text
    assert f"against swish {NASTY}" in text


def test_tuned_verdicts_are_called_so() -> None:
    text = Page(page_of("tuned")).text
    assert "Does mish win when each is tuned?" in text
    assert "nothing here is untuned" in text
    assert "mish wins tuned over relu: with 20 random trials each" in text
    assert "Winners" in text


def test_equal_arguments_give_equal_bytes(record: Record) -> None:
    made = page_of("finished")
    assert page_with(*analysed(record), predicted=PREDICTED) == made
    backwards = dataclasses.replace(record, entries=record.entries[::-1])
    assert sorted(page_with(*analysed(backwards), predicted=PREDICTED).split()) == sorted(made.split())


def test_the_command_writes_the_report_of_a_ledger(record: Record, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / record.question.name
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.header(FINGERPRINT, "2026-11-24T12:00:00+00:00")
        ledger.question(record.question)
        for entry in record.entries:
            ledger.append(entry)
    (folder / "plan.json").write_text(json.dumps(PREDICTED), encoding="utf-8")
    out = tmp_path / "report.html"
    done = subprocess.run(
        [sys.executable, "-m", "mishstudy", "report", record.question.name, "--home", tmp_path / "runs",
         "--out", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8") == page_of("finished")
    (folder / "plan.json").write_text("{", encoding="utf-8")
    done = subprocess.run(done.args, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "plan.json is damaged or of another version; the report is without the exp" in done.stderr
    assert "Predicted" not in Page(out.read_text(encoding="utf-8")).text


# In a real browser.


def browsed(page: Path, profile: Path) -> str:
    """Return the page as Chromium has it after running whatever it holds."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium on the path")
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={profile}", "--virtual-time-budget=3000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout


@pytest.mark.browser
def test_a_script_in_the_question_does_not_run(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_of("nasty names"), encoding="utf-8")
    seen = browsed(page, tmp_path / "profile")
    assert "<title>When does mish win? simulated</title>" in seen
    assert "taken</title>" not in seen
    assert seen.count("<svg") == page.read_text(encoding="utf-8").count("<svg") == 5
    control = tmp_path / "control.html"
    control.write_text(f"<title>fine</title>{NASTY}", encoding="utf-8")
    assert "<title>taken</title>" in browsed(control, tmp_path / "profile")


MEASURE = """<!DOCTYPE html><title>-</title><iframe id="f" style="border:0;width:{width}px;height:900px"
srcdoc="{page}" onload="measure()"></iframe><script>
function measure() {{
  const page = document.getElementById('f').contentDocument;
  const edge = page.documentElement.clientWidth + 1;
  const wide = [...page.querySelectorAll('body *')].filter(each => !each.closest('.scroll'))
    .filter(each => each.getBoundingClientRect().right > edge).map(each => each.tagName);
  const small = [...page.querySelectorAll('svg text')].map(each => each.getBoundingClientRect().height);
  const beyond = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  document.title = beyond + '|' + Math.min(...small).toFixed(1) + '|' + wide;
}}</script>"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 420, 1200])
def test_nothing_runs_out_of_a_narrow_screen(tmp_path: Path, width: int) -> None:
    page = tmp_path / "measure.html"
    page.write_text(MEASURE.format(width=width, page=html.escape(page_of("finished"))), encoding="utf-8")
    found = re.search(r"<title>(.*?)</title>", browsed(page, tmp_path / "profile"))
    assert found is not None
    beyond, smallest, wide = found[1].split("|")
    assert wide == ""
    assert beyond == "0"
    assert float(smallest) > 6  # pixels: the line height of the smallest text in a figure
