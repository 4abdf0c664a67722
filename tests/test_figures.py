"""Figures: what is drawn is what the table says, nothing is cut off, equal frames give equal bytes."""

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image
from scipy import stats
from simulated_record import simulated_record
from simulated_runs import SPACE, Truth, simulate
from tuned_runs import Searches, Surface, simulate_searches

from analysis.criteria import CriteriaTable, criteria_table
from analysis.figures import TITLES, all_figures, captions, to_pdf, to_png, to_svg
from analysis.figures.style import MARKS, fitted
from analysis.frame import curves_frame
from analysis.statistics.compare import Verdict
from study.question import Question

WORLD = Truth(
    configurations=70,
    rivals=("relu", "swish"),
    factors=("depth", "optimizer"),
    failure_rate=0.04,
    effect=lambda configurations: np.where(
        configurations["optimizer"] == "adam", -2.0, np.where(configurations["depth"] > 15, 2.0, 0.0)
    ),
)
Made = tuple[pd.DataFrame, pd.DataFrame, CriteriaTable, Question]


def made(truth: Truth, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda runs: runs) -> Made:
    runs = change(simulate(truth, np.random.default_rng(4)))
    return analysed(runs, truth.question)


def analysed(runs: pd.DataFrame, question: Question) -> Made:
    record = simulated_record(runs, question)
    ends = {entry.result.digest: len(entry.result.curve["validation_accuracy"]) for entry in record.entries}
    runs = runs.assign(epochs_run=pd.array(runs["digest"].map(ends), dtype="Int64"))
    return runs, curves_frame(record), criteria_table(runs, question), question


@pytest.fixture(scope="module")
def world() -> Made:
    return made(WORLD)


@pytest.fixture(scope="module")
def figures(world: Made) -> dict[str, Figure]:
    return all_figures(*world)


SEARCHES = Searches(
    surfaces={"mish": Surface(top=91.0), "relu": Surface(), "swish": Surface()}, repeats=6, confirm=2
)


def tuned(
    world: Searches = SEARCHES, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda runs: runs
) -> Made:
    return analysed(change(simulate_searches(world, np.random.default_rng(4))), world.question)


# The differences by level.


def drawn_intervals(axes: Axes) -> dict[float, tuple[float, float, float, str, bool]]:
    """Row -> (low, middle, high, marker, filled) of every mark with an interval."""
    found: dict[float, tuple[float, float, float, str, bool]] = {}
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        line, _, (bars,) = container.lines
        filled = bool(mpl.colors.same_color(line.get_markerfacecolor(), line.get_color()))
        for x, y, bar in zip(line.get_xdata(), line.get_ydata(), bars.get_segments(), strict=True):
            found[y] = (bar[0][0], x, bar[1][0], str(line.get_marker()), filled)
    return found


def test_every_mark_and_interval_is_that_of_the_table(world: Made, figures: dict[str, Figure]) -> None:
    _, _, table, _ = world
    labels = [label.get_text() for label in figures["differences"].axes[0].get_yticklabels()]
    assert labels[:2] == ["overall", "depth"]
    verdicts = set[Verdict]()
    for place, rival in enumerate(table.rivals):
        axes = figures["differences"].axes[place]
        assert axes.get_title(loc="left") == rival
        drawn = drawn_intervals(axes)
        rows = [row for row in table.headline + table.levels if row.rival == rival and row.low is not None]
        assert len(drawn) == len(rows) > 10
        for row, y in zip(rows, sorted(drawn), strict=True):
            assert labels[int(y)] == (row.level or "overall")
            *numbers, marker, filled = drawn[y]
            assert numbers == pytest.approx([row.low, row.difference, row.high])
            assert marker == MARKS[row.verdict].marker
            assert filled is (row.verdict is not Verdict.NOT_ENOUGH_EVIDENCE)
            verdicts.add(row.verdict)
    assert verdicts >= {Verdict.WINS, Verdict.LOSES, Verdict.NOT_ENOUGH_EVIDENCE}


def test_shapes_tell_verdicts_apart_without_colour() -> None:
    assert set(MARKS) == set(Verdict)
    assert len({mark.marker for mark in MARKS.values()}) == len({mark.glyph for mark in MARKS.values()}) == 4


def test_the_band_is_delta_to_either_side(world: Made, figures: dict[str, Figure]) -> None:
    _, _, table, _ = world
    band = figures["differences"].axes[0].patches[0].get_extents()
    to_data = figures["differences"].axes[0].transData.inverted()
    ends = [to_data.transform((x, 0))[0] for x in (band.x0, band.x1)]
    assert ends == pytest.approx([-table.delta, table.delta])


def test_failures_stand_in_the_margin_where_there_are_any(world: Made, figures: dict[str, Figure]) -> None:
    _, _, table, _ = world
    for place, rival in enumerate(table.rivals):
        texts = [text.get_text() for text in figures["differences"].axes[place].texts]
        rows = [row for row in table.headline + table.levels if row.rival == rival]
        wanted = [(row.focus_failures, row.rival_failures) for row in rows]
        assert texts == [f"{focus}/{rival_}" for focus, rival_ in wanted if focus or rival_]
        assert texts


def test_an_interval_that_goes_on_outside_ends_in_an_arrow() -> None:
    runs, curves, table, question = made(
        dataclasses.replace(WORLD, configurations=30, rivals=("relu",), tau=3.0)
    )
    axes = all_figures(runs, curves, table, question)["differences"].axes[0]
    left, right = axes.get_xlim()
    beyond = [row for row in table.levels if row.low is not None and (row.low < left or row.high > right)]
    assert beyond
    assert all(row.p_adjusted is None for row in beyond)
    arrows = [line.get_marker() for line in axes.lines if line.get_marker() in ("<", ">")]
    assert arrows.count("<") == sum(row.low < left for row in beyond)
    assert arrows.count(">") == sum(row.high > right for row in beyond)
    assert all(left <= row.difference <= right for row in table.levels if row.difference is not None)


# The win rates.


def test_every_cell_is_the_win_rate_with_the_sign_of_the_verdict() -> None:
    runs, curves, table, question = made(dataclasses.replace(WORLD, configurations=40))
    axes = all_figures(runs, curves, table, question)["win_rates"].axes[0]
    drawn = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    labels = [label.get_text() for label in axes.get_yticklabels()]
    wanted: dict[tuple[float, float], str] = {}
    for row in table.headline + table.levels:
        if row.units >= table.minimum_units and row.win_rate is not None:
            place = (table.rivals.index(row.rival) + 0.5, labels.index(row.level or "overall") + 0.5)
            wanted[place] = f"{MARKS[row.verdict].glyph} {100 * row.win_rate:.0f}"
    assert drawn == wanted
    blank = [row for row in table.levels if row.units < table.minimum_units]
    assert blank
    (mesh,) = axes.collections
    assert mesh.get_clim() == (0, 100)  # so that 50 is the middle of the colours


# The learning curves.


def test_the_band_is_the_t_interval_over_configurations() -> None:
    """Replicates are averaged first; a pair with a failure is in no line."""
    runs, curves, table, question = made(
        dataclasses.replace(WORLD, replicates=2, rivals=("relu",), loss_cap=1.0)
    )
    above, below = all_figures(runs, curves, table, question)["learning_curves"].axes[:2]
    pairs = (
        runs.merge(curves, on="digest", suffixes=("", "_curve"))
        .loc[lambda rows: rows["status"] == "ok"]
        .pivot_table(index=["configuration", "replicate", "epoch"], columns="activation", values="value")
        .dropna()
    )
    pairs["difference"] = (pairs["mish"] - pairs["relu"]).clip(-1, 1)
    expected = pairs.groupby(["configuration", "epoch"]).mean().groupby("epoch")
    assert pairs["difference"].abs().max() == 1
    for axes, place, name in ((above, 0, "mish"), (above, 1, "relu"), (below, 3, "difference")):
        mean, error, count = (expected[name].agg(how).to_numpy() for how in ("mean", "sem", "count"))
        np.testing.assert_allclose(axes.lines[place].get_ydata(), mean)
        band = axes.collections[min(place, len(axes.collections) - 1)].get_paths()[0].vertices[:, 1]
        ends = np.concatenate(stats.t.interval(0.95, count - 1, mean, error))
        np.testing.assert_allclose(np.unique(band.round(9)), np.unique(ends.round(9)))


def test_failures_are_counted_and_crossed_in_the_curves(world: Made, figures: dict[str, Figure]) -> None:
    runs, _, _, _ = world
    failed = runs.loc[runs["status"] != "ok"]
    axes = figures["learning_curves"].axes[0]
    counts = [int((failed["activation"] == name).sum()) for name in ("mish", "relu")]
    assert axes.texts[0].get_text().endswith(f"failed {counts[0]}/{counts[1]}")
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [len(np.asarray(line.get_xdata())) for line in crosses] == counts
    ends = failed.loc[failed["activation"] == "mish", "epochs_run"]
    assert sorted(np.asarray(crosses[0].get_xdata())) == sorted(ends)


def test_tuned_draws_the_curves_of_the_table_with_their_bands() -> None:
    runs, curves, table, question = tuned()
    found = all_figures(runs, curves, table, question)
    assert list(found) == ["tuning_curves", "learning_curves"]
    above, below = found["tuning_curves"].axes[:2]
    for line, curve in zip(above.lines, table.tuning_curves[:2], strict=True):
        assert list(line.get_xdata()) == [point.k for point in curve.points]
        assert list(line.get_ydata()) == [point.value for point in curve.points]
    assert len(above.collections) == 2  # a band each
    differences = [each.difference for each in table.best_of if each.rival == "relu"]
    assert list(below.lines[-1].get_ydata()) == differences
    best = table.tuned[0]
    mine = runs.loc[(runs["activation"] == "mish") & (runs["configuration"] == best.configuration)]
    wanted = curves.loc[curves["digest"] == mine.iloc[0]["digest"], "value"]
    np.testing.assert_array_equal(np.asarray(found["learning_curves"].axes[0].lines[0].get_ydata()), wanted)


def test_an_adaptive_search_has_no_band() -> None:
    adaptive = dataclasses.replace(SEARCHES, sampler="tpe", repeats=1)
    runs, curves, table, question = tuned(adaptive)
    (axes, *_) = all_figures(runs, curves, table, question)["tuning_curves"].axes
    assert not axes.collections
    mine = runs.loc[(runs["activation"] == "mish") & (runs["replicate"] == 0), "validation_accuracy"].head(20)
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata()), mine.cummax(), rtol=1e-5)
    assert "there is no band" in captions(table)["tuning_curves"]


def test_only_with_failures_the_caption_says_how_they_are_drawn(world: Made) -> None:
    _, _, table, _ = world
    for failures, said in (({"mish": {}}, False), ({"mish": {"diverged": 2}}, True)):
        drawn = captions(dataclasses.replace(table, failures=failures))["learning_curves"]
        assert ("failed 2/3" in drawn) is said


def test_where_lower_is_better_up_still_means_that_the_focus_is_better() -> None:
    """The same numbers as losses: the differences turn round, in the forest as in the curves."""
    runs = simulate(dataclasses.replace(WORLD, rivals=("relu",)), np.random.default_rng(4))
    for cut in ("train", "validation", "test"):
        runs[f"{cut}_loss"] = runs[f"{cut}_accuracy"]
    up = dataclasses.replace(WORLD, rivals=("relu",)).question
    down = dataclasses.replace(up, metric="test_loss", higher_is_better=False, unit="nats")
    drawn: list[np.ndarray] = []
    for question in (up, down):
        kind = question.metric.rpartition("_")[2]
        frame, curves, table, question = analysed(runs, question)
        curves["series"] = f"validation_{kind}"
        axes = all_figures(frame, curves, table, question)["learning_curves"].axes[1]
        drawn.append(np.asarray(axes.lines[-1].get_ydata()))
    np.testing.assert_allclose(drawn[0], -drawn[1])
    assert np.abs(drawn[0]).max() > 0.1


# Any sweep.

LONG = "my_package.with_a_long_name.inside:activation_number_"
NASTY = "a$b_{c}$ <b>&amp;\n\\d"


def nothing(configurations: pd.DataFrame) -> np.ndarray:
    return np.zeros(len(configurations))


def thirty_levels() -> Made:
    levels = tuple(f"level {number} {NASTY}" for number in range(30))
    truth = dataclasses.replace(
        WORLD, configurations=90, rivals=("relu",), factors=("optimizer",), failure_rate=0.0, effect=nothing
    )
    factor = dataclasses.replace(truth.question.factors[0], levels=levels)
    question = dataclasses.replace(truth.question, factors=(factor,))
    runs = simulate(truth, np.random.default_rng(4))
    return analysed(runs.assign(optimizer=[levels[index % 30] for index in runs["index"]]), question)


CASES: dict[str, Callable[[], Made]] = {
    "plain": lambda: made(WORLD),
    "one rival": lambda: made(dataclasses.replace(WORLD, rivals=("relu",))),
    "twelve rivals": lambda: made(
        dataclasses.replace(
            WORLD, configurations=20, rivals=(NASTY, *(f"{LONG}{number}" for number in range(11)))
        )
    ),
    "five rivals, ten factors": lambda: made(
        dataclasses.replace(WORLD, rivals=tuple("abcde"), factors=tuple(SPACE), configurations=40)
    ),
    "thirty levels": thirty_levels,
    "provisional": lambda: made(WORLD, lambda runs: runs.head(25)),
    "one pair": lambda: made(WORLD, lambda runs: runs.head(3)),
    "ofat": lambda: made(dataclasses.replace(WORLD, design="ofat", replicates=10)),
    "tuned": tuned,
}


@pytest.mark.parametrize("case", CASES)
def test_every_figure_of_any_sweep_is_whole(case: str, drawn: dict[Text, Bbox]) -> None:
    """Nothing runs off the edge, no label covers another, and the text of the SVG is text."""
    runs, curves, table, question = CASES[case]()
    figures = all_figures(runs, curves, table, question)
    assert list(figures) == [name for name in TITLES if name in figures] != []
    for name, figure in figures.items():
        drawn.clear()
        pixels = np.asarray(Image.open(io.BytesIO(to_png(figure))).convert("L"))
        frame = [pixels[:2].ravel(), pixels[-2:].ravel(), pixels[:, :2].ravel(), pixels[:, -2:].ravel()]
        assert (np.concatenate(frame) == 255).all(), f"{name} runs off its edge"
        assert not covering(drawn), name
        words = " ".join(ElementTree.fromstring(to_svg(figure)).itertext())
        assert "mish" in words or "wins" in words
        assert (
            f"{table.trainings} of {table.planned_trainings} trainings are in" in words
        ) is table.provisional
        assert captions(table)[name]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[Text, Bbox]:
    """Collect the level texts that are drawn, with the boxes that they take."""
    found: dict[Text, Bbox] = {}
    draw = Text.draw

    def noted(text: Text, renderer: RendererBase) -> None:
        draw(text, renderer)
        if text.get_visible() and text.get_text() and not text.get_rotation():
            found[text] = text.get_window_extent(renderer)

    monkeypatch.setattr(Text, "draw", noted)
    return found


def covering(drawn: dict[Text, Bbox]) -> list[tuple[str, str]]:
    """Return which texts cover each other by more than a fifth of a line's height."""
    boxes = [(text.get_text(), box.padded(-0.1 * box.height)) for text, box in drawn.items()]
    return [(a, b) for n, (a, one) in enumerate(boxes) for b, other in boxes[:n] if one.overlaps(other)]


def test_a_sweep_without_any_result_has_no_figure() -> None:
    assert all_figures(*made(WORLD, lambda runs: runs.head(0))) == {}

    def failed(runs: pd.DataFrame) -> pd.DataFrame:
        metrics = [name for name in runs if str(name).endswith(("_accuracy", "_loss"))]
        return runs.assign(status="diverged", reason="loss is not finite", **dict.fromkeys(metrics, np.nan))

    assert all_figures(*tuned(change=failed)) == {}


def test_where_everything_failed_the_differences_say_so_and_there_is_no_curve() -> None:
    truth = dataclasses.replace(WORLD, both_fail=lambda configurations: np.ones(len(configurations), bool))
    figures = all_figures(*made(truth))
    assert {"differences", "win_rates"} <= set(figures)
    assert "learning_curves" not in figures
    assert {text.get_text() for text in figures["win_rates"].axes[0].texts if text.get_text()} == {"○ 50"}


def test_names_are_shortened_in_the_middle_and_stay_apart() -> None:
    assert fitted("relu", 20) == "relu"
    assert fitted("a\nb\tc", 20) == "a b c"
    short = [fitted(f"{LONG}{number}", 20) for number in range(11)]
    assert len(set(short)) == 11
    assert all(len(name) == 20 for name in short)


# The bytes.


def test_a_figure_is_the_same_in_any_order_of_saving_and_whatever_the_users_settings(
    world: Made, figures: dict[str, Figure]
) -> None:
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "svg.fonttype": "path", "savefig.dpi": 30}):
        second = all_figures(*world)
        png = to_png(second["differences"])
        for name, figure in figures.items():
            svg = to_svg(figure)
            assert to_svg(second[name]) == svg
            assert "<dc:date>" not in svg
    assert to_png(figures["differences"]) == png
    assert b"Software" not in png


def digests(figures: dict[str, Figure]) -> list[str]:
    """Return a line with the digest of every figure as SVG, and of one as PNG and PDF."""
    files = {name: to_svg(figure).encode() for name, figure in figures.items()}
    one = figures["differences"]
    files |= {"differences.png": to_png(one), "differences.pdf": to_pdf(one)}
    assert b"CreationDate" not in files["differences.pdf"]
    return [f"{name} {hashlib.sha256(file).hexdigest()}" for name, file in files.items()]


SCRIPT = "from test_figures import *; print('\\n'.join(digests(all_figures(*made(WORLD)))))"


def test_a_fresh_process_with_another_hash_seed_draws_the_same_bytes(figures: dict[str, Figure]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONHASHSEED": "1234567", "MPLBACKEND": "Agg"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == digests(figures)


def test_a_very_long_figure_can_still_be_saved() -> None:
    image = Image.open(io.BytesIO(to_png(Figure(figsize=(7, 400)))))
    assert image.size[1] <= 30_000


def test_drawing_is_imported_only_when_it_is_used() -> None:
    imports = "import sys, analysis.report.page, analysis.figures"
    code = f"{imports}; print({{'matplotlib', 'seaborn'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
