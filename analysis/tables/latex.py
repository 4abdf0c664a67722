"""Text and tables in LaTeX, in columns that fit the line. Names come from users and are escaped."""

import re

from analysis.tables.cells import escaped_cells
from analysis.tables.evidence import Rows

PACKAGES = ("array", "booktabs", "longtable", "pdflscape")
LANDSCAPE_COLUMNS = 8
"""A table of so many columns is turned on its side."""
LINE, TURNED_LINE = 345.0, 550.0
"""Points of a line of `article` at 10 points, and of one on a page that is turned."""
LETTER, SEPARATOR = 4.7, 3.0
"""Points of a usual letter in `footnotesize`, and of the space beside a column."""
NARROW, WIDE = 3.3, 7.1
"""Points of those that are narrower or wider than usual."""
_NARROW, _WIDE = set("fijlrst.,;:'|!()[]/- I"), set("mwMW%@+−×=<>")
LONG_WORD = 16
"""A word may be broken after so many letters: names are as long as their users like."""
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "×": r"$\times$",
    "β": r"$\beta$",
    "−": "$-$",
    "[": "{[}",  # an opening bracket after a line break would be read as its argument
}
_MINUS = re.compile(r"(?<![\w.)])-(?=[\d.])")


def latex_escape(text: str) -> str:
    """Return `text` so that LaTeX sets it literally; a minus before a number is one."""
    spaced = _MINUS.sub("−", " ".join(text.split()))
    return "".join(_LATEX.get(letter, letter) for letter in spaced)


def latex_header(text: str) -> str:
    """Return the comment above a LaTeX text: what it needs to be compiled."""
    needs = rf"% Needs \usepackage{{{','.join(PACKAGES)}}}"
    letters = "".join(sorted({letter for letter in text if not letter.isascii()}))
    if not letters:
        return needs
    font = "compile it with lualatex or xelatex, and a font that has them"
    return f"{needs}\n% Has letters beyond ASCII ({letters}): {font}"


def latex_table(rows: Rows, caption: str) -> str:
    """Return rows as a table that may run over pages, wide ones turned; the caption is LaTeX."""
    header, *body = [" & ".join(line) + r" \\" for line in escaped_cells(rows, _breakable)]
    turned = len(rows[0]) >= LANDSCAPE_COLUMNS
    lines = [
        *([r"\begin{landscape}"] if turned else []),
        rf"\begingroup\footnotesize\setlength{{\tabcolsep}}{{{SEPARATOR:g}pt}}\setlength{{\extrarowheight}}{{2pt}}",
        rf"\begin{{longtable}}{{{_columns(rows)}}}",
        rf"\caption{{{caption}}} \\",
        r"\toprule",
        header,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *body,
        r"\end{longtable}",
        r"\endgroup",
        *([r"\end{landscape}"] if turned else []),
    ]
    return "\n".join(lines)


def _breakable(text: str) -> str:
    """Return escaped text whose long words may be broken."""
    words = [re.findall(f".{{1,{LONG_WORD}}}", word) for word in text.split()]
    return " ".join(r"\allowbreak{}".join(map(latex_escape, pieces)) for pieces in words)


def _points(text: str) -> float:
    """Return about how wide a text is."""
    return sum(NARROW if letter in _NARROW else WIDE if letter in _WIDE else LETTER for letter in text)


def _columns(rows: Rows) -> str:
    """Return the column types of a table: each is a share of the line, and all of them fill it.

    A column has room for its longest word; the rest of the line goes to those whose cells run over it.
    """
    texts = [[name, *(row[name] for row in rows)] for name in rows[0]]
    line = TURNED_LINE if len(texts) >= LANDSCAPE_COLUMNS else LINE
    words = [[word[:LONG_WORD] for cell in column for word in cell.split()] for column in texts]
    least = [max(map(_points, found), default=0.0) + 2 * SEPARATOR for found in words]
    whole = [max(map(_points, column)) + 2 * SEPARATOR for column in texts]
    missing = [max(0.0, wide - narrow) for wide, narrow in zip(whole, least, strict=True)]
    spare = min(1.0, max(0.0, line - sum(least)) / (sum(missing) or 1.0))
    widths = [narrow + spare * more for narrow, more in zip(least, missing, strict=True)]
    shares = [min(1.0, width / max(sum(widths), line)) for width in widths]
    return " ".join(
        rf">{{\raggedright\arraybackslash\hspace{{0pt}}}}p{{\dimexpr {share:.4f}\linewidth-2\tabcolsep}}"
        for share in shares
    )
