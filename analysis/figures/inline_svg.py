"""A figure as part of a page: its names clash with no other, its colours follow the page's scheme."""

import re
from xml.etree import ElementTree

from analysis.figures.style import BAND, FOCUS, INK, MUTED, PAPER, RIVAL, RULE, TIE

_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"

VARIABLES = {
    INK: "ink", MUTED: "muted", RULE: "rule", BAND: "band", PAPER: "paper",
    FOCUS: "focus", RIVAL: "rival", TIE: "tie",
}  # fmt: skip
"""Colour of a figure to the page's custom property that takes its place."""


def inline_svg(svg: str, name: str, label: str) -> str:
    """Return an SVG document as an element of an HTML page, which decides on the typeface.

    Parameters
    ----------
    svg : str
        What `analysis.figures.style.to_svg` returned.
    name : str
        Unique on the page; put before every identifier.
    label : str
        What the figure shows, for those who do not see it.

    Returns
    -------
    str
        Without a size of its own; its custom property `--width` is its width in points.
    """
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(svg)
    for part in root.findall(f"{{{_SVG}}}metadata") + root.findall(f"{{{_SVG}}}defs"):
        if part.tag.endswith("metadata") or part.find(f"{{{_SVG}}}style") is not None:
            root.remove(part)  # a style would hold for the whole page
    link = f"{{{_LINK}}}href"
    text = ElementTree.tostring(root, encoding="unicode")
    wanted = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    for element in root.iter():
        if (identity := element.get("id")) is not None:
            del element.attrib["id"]
            if identity in wanted:
                element.set("id", f"{name}-{identity}")
        for key, value in element.attrib.items():
            value = re.sub(r"url\(#", f"url(#{name}-", value)
            if key == link:
                value = value.replace("#", f"#{name}-", 1)
            if key == "style":
                value = re.sub(r"font-family: [^;]+(; |$)", "", value)
                value = re.sub(r"#[0-9a-f]{6}", _themed, value)
            element.set(key, value)
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib.pop("width")
    root.attrib.pop("height")
    root.set("style", f"--width: {width:g}")
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")


def _themed(color: re.Match[str]) -> str:
    variable = VARIABLES.get(color[0])
    return f"var(--{variable})" if variable else color[0]
