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

    A minimum written "> -1" is approached and not taken; "-" says that there is no lower bound.

    Example: `mishstudy activations mish swish --out mish.svg`
    """
    from study.activation_facts import facts
    from study.activations import ACTIVATIONS, parse
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
    known = list({each.name: each for each in map(facts, names or ACTIVATIONS)}.values())
    if out is not None:
        write(out, _drawn([each.name for each in known], out.suffix))
    if format == "json":
        sys.stdout.write(json.dumps([asdict(each) for each in known], indent=2, ensure_ascii=False) + "\n")
    elif format == "md" or not sys.stdout.isatty():
        sys.stdout.write(_markdown(known))
    else:
        print_page(_table(known))


_HEADINGS = ("name", "f(x)", "f'(x)", "minimum", "at", "f'(0)", "gain", "year")


def _cells(each: "Facts") -> tuple[str, ...]:
    return (
        each.name,
        each.formula,
        each.derivative,
        *_least(each),
        f"{each.slope_at_0:.4g}",
        f"{each.gain:.4g}",
        "-" if each.year is None else str(each.year),
    )


def _least(each: "Facts") -> tuple[str, str]:
    if each.infimum is None:
        return "-", "-"
    if each.minimum_at is None:
        return f"> {each.infimum:.4g}", "x → -∞"
    return f"{each.infimum:.4g}", f"{'x <= ' if each.minimum_is_flat else ''}{each.minimum_at:.4g}"


def _notes(known: "list[Facts]") -> list[str]:
    """Return what does not fit into the table: layers that train a parameter, and sources."""
    layers = [
        f"{each.name} with a trained parameter: the Keras layer {each.layer}." for each in known if each.layer
    ]
    return [*layers, *(f"{each.name}: {each.source}" for each in known)]


def _markdown(known: "list[Facts]") -> str:
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *map(_cells, known)]
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return text + "".join(f"\n{note}\n" for note in _notes(known))


def _table(known: "list[Facts]") -> "Table":
    from rich.table import Table

    table = Table(box=None)
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading in _HEADINGS[:3] else "right")
    for each in known:
        table.add_row(*_cells(each))
    if len(known) <= 3:
        table.caption = "\n".join(_notes(known))
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
