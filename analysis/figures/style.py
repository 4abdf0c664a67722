"""How every figure looks, and how it becomes bytes: colours, marks, type; equal figures give equal bytes.

Two colours run through all figures: blue is the focus, vermilion a rival. They are Okabe and Ito's, told
apart with every kind of colour vision; since print may be grey, nothing is said by colour alone.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.statistics.compare import Verdict
from analysis.tables.exports import status_line

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from analysis.criteria import CriteriaTable

FOCUS, RIVAL, TIE = "#0072b2", "#d55e00", "#009e73"
INK, MUTED, RULE, BAND, PAPER = "#222222", "#6b6b6b", "#c9c9c9", "#ececec", "#ffffff"
"""Text and lines, lesser ones, rules, bands without a side, background."""
CELL_INK = "#111111"
"""Text on a coloured cell; another value than `INK`, which a page in a dark scheme replaces."""

WIDTH = 7.0
"""Inches: a page's text width."""
FONT_SIZE = 8.0
LABEL_LETTER, TITLE_LETTER = 0.07, 0.085
"""Inches: about the width of a letter of a label and of a title."""
_DPI = 200
_LARGEST = 30_000
"""Pixels a side that a PNG may have."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a verdict is drawn: matplotlib marker, the same as a character, colour, filled or hollow."""

    marker: str
    glyph: str
    color: str
    filled: bool = True


MARKS = {
    Verdict.WINS: Mark("^", "▲", FOCUS),
    Verdict.LOSES: Mark("v", "▼", RIVAL),
    Verdict.TIES: Mark("s", "■", TIE),
    Verdict.NOT_ENOUGH_EVIDENCE: Mark("o", "○", MUTED, filled=False),
}

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.labelsize": FONT_SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": FONT_SIZE + 1,
    "figure.facecolor": PAPER,
    "font.size": FONT_SIZE,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "legend.fontsize": FONT_SIZE,
    "legend.title_fontsize": FONT_SIZE,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,  # TrueType: text can be searched and edited
    "svg.fonttype": "none",  # text stays text: it can be searched, copied and read aloud
    "svg.hashsalt": "mishstudy",
    "text.color": INK,
    "text.hinting": "none",  # text is as wide at every resolution
    "text.parse_math": False,  # names come from users, and `$` is no formula in them
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": FONT_SIZE - 0.5,
    "xtick.major.width": 0.6,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": FONT_SIZE - 0.5,
    "ytick.major.width": 0.6,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw and save in our style, whatever the settings of the user's own matplotlib."""
    from matplotlib import style

    with style.context(_STYLE, after_reset=True):
        yield


def lay_out(figure: "Figure") -> None:
    """Place everything in a figure for good; without it, each way of saving would move it a little."""
    with drawing():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def to_png(figure: "Figure") -> bytes:
    """Return a figure as PNG, 200 dots an inch unless it is very long."""
    with drawing():
        file = io.BytesIO()
        dpi = min(_DPI, _LARGEST / max(figure.get_size_inches()))
        figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
    return file.getvalue()


def to_svg(figure: "Figure") -> str:
    """Return a figure as SVG with its text as text."""
    with drawing():
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def to_pdf(figure: "Figure") -> bytes:
    """Return a figure as PDF with its type embedded, without the date."""
    with drawing():
        file = io.BytesIO()
        figure.savefig(file, format="pdf", metadata={"CreationDate": None})
    return file.getvalue()


def verdict_handles() -> "list[Artist]":
    """Return the entries of a legend that explain the marks of the verdicts."""
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [], [], linestyle="", marker=mark.marker, color=mark.color, markersize=4.5, label=verdict.words,
            markerfacecolor=mark.color if mark.filled else PAPER, markeredgewidth=0.9,
        )
        for verdict, mark in MARKS.items()
    ]  # fmt: skip


def put_legend(figure: "Figure", handles: "Sequence[Artist]", table: "CriteriaTable") -> None:
    """Put the legend above a figure, below what must be read first: that it is provisional or adaptive."""
    first = status_line(table)
    if not handles and not first:
        return
    legend = figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=max(1, len(handles)),
        columnspacing=1.4,
        handletextpad=0.5,
        title=first or None,
    )
    legend.get_title().set(color=RIVAL, fontweight="bold")


def fitted(text: str, width: int) -> str:
    """Return `text` on one line of at most `width` characters, its middle left out where it is longer."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(text) <= width:
        return text
    tail = (width - 1) * 3 // 5  # names such as `package.module:function` differ at their end
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"
