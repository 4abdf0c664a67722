"""The command about the catalogue: `activations`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mishstudy.options import file_to_write
from mishstudy.output import print_page, write

if TYPE_CHECKING:
    from rich.table import Table

    from study.activation_facts import Facts

_FORMATS = ("md", "json")
_FIGURES = (".svg", ".png", ".pdf")


def activations(
    names: Annotated[
        list[str] | None, typer.Argument(help="Activations, such as 'beta_mish(1.5)'; default: all.")
    ] = None,
    format: Annotated[str | None, typer.Option(help="md or json.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(callback=file_to_write, help="Draw them, with derivatives, into a .svg, .png or .pdf."),
    ] = None,
) -> None:
    """List the activations, or what is known of some, and draw them.

    Example: `mishstudy activations mish swish --out mish.svg`
    """
    from study.activation_facts import facts
    from study.activations import ACTIVATIONS, canonical, parse
    from study.errors import InputError
    from study.references import is_reference

    if format is not None and format not in _FORMATS:
        raise InputError(f"--format takes {' or '.join(_FORMATS)}, and {format!r} was given.")
    if out is not None and out.suffix not in _FIGURES:
        raise InputError(f"--out names a file that ends in {', '.join(_FIGURES)}, and {out.name!r} does not.")
    for name in names or ():
        parse(name)
        if is_reference(name):
            raise InputError(
                f"activations lists those of the catalogue, and {name!r} is your own; leave it out."
            )
    asked = list(dict.fromkeys(canonical(name) for name in names or ACTIVATIONS))
    if out is not None:
        write(out, _drawn(asked, out.suffix))
    known = [facts(name) for name in asked]
    if format == "json":
        sys.stdout.write(json.dumps([asdict(each) for each in known], indent=2, ensure_ascii=False) + "\n")
    elif format == "md" or not sys.stdout.isatty():
        sys.stdout.write(_markdown(known))
    else:
        print_page(_table(known))


_HEADINGS = ("name", "formula", "minimum", "at", "slope at 0", "gain", "year")


def _cells(each: "Facts") -> tuple[str, ...]:
    numbers = (each.minimum, each.minimum_at, each.slope_at_0, each.gain)
    shown = ("-" if number is None else f"{number + 0.0:.4g}" for number in numbers)
    return each.name, each.formula, *shown, "-" if each.year is None else str(each.year)


def _markdown(known: "list[Facts]") -> str:
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *map(_cells, known)]
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return text + "".join(f"\n{each.name}: {each.source}\n" for each in known)


def _table(known: "list[Facts]") -> "Table":
    from rich.table import Table

    table = Table(box=None)
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading in ("name", "formula") else "right")
    for each in known:
        table.add_row(*_cells(each))
    if len(known) <= 3:
        table.caption = "\n".join(f"{each.name}: {each.source}" for each in known)
    return table


def _drawn(names: list[str], suffix: str) -> bytes | str:
    import numpy as np

    from analysis.figures.activation_curves import activation_curves
    from analysis.figures.style import lay_out, to_pdf, to_png, to_svg
    from study.activation_facts import slopes
    from study.activations import get

    x = np.linspace(-4.0, 4.0, 801)
    curves = {name: (x, np.asarray(get(name)(x)), slopes(name, x)) for name in names}
    figure = activation_curves(curves)
    lay_out(figure)
    return {".svg": to_svg, ".png": to_png, ".pdf": to_pdf}[suffix](figure)
