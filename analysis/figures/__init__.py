"""Every figure of a sweep, one file each: drawn from the criteria table, whose intervals they show."""

from analysis.figures.catalogue import FORMATS, TITLES, all_figures, captions
from analysis.figures.style import to_pdf, to_png, to_svg

__all__ = ["FORMATS", "TITLES", "all_figures", "captions", "to_pdf", "to_png", "to_svg"]
