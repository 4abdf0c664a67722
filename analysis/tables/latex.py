"""Text and tables in LaTeX, with `booktabs` and `longtable`. Names come from users and are escaped."""

from analysis.tables.cells import escaped_cells
from analysis.tables.evidence import Rows

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
    "[": "{[}",  # an opening bracket after a line break would be read as its argument
}


def latex_escape(text: str) -> str:
    """Return `text` so that LaTeX sets it literally."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def latex_table(rows: Rows, caption: str) -> str:
    """Return rows as a table that may run over pages; the caption is LaTeX."""
    header, *body = [" & ".join(line) + r" \\" for line in escaped_cells(rows, latex_escape)]
    lines = [
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
    ]
    return "\n".join(lines)


def _columns(rows: Rows) -> str:
    """Return the column types of a table: headings whose cells run long get a share of the line each."""
    shares = {
        "Setting": 0.3,
        "Winners of this search": 0.22,
        "Who wins elsewhere": 0.22,
        "Evidence": 0.34,
        "Verdict": 0.16,
        "Remarks": 0.16,
        "Where": 0.3,
        "Not separated from": 0.5,
    }
    wide = {name: shares.get(name, 0.18 if name.startswith("When ") else 0.0) for name in rows[0]}
    return " ".join(rf"p{{{share}\linewidth}}" if share else "l" for share in wide.values())
