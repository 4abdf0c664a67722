"""The commands for a reader who doubts: `aa`, `flaw` and `scores`, from results that are there already."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from mishstudy.options import DEFAULT_HOME, HomeOption, NameArgument, StrictOption, file_to_write, home_of
from mishstudy.output import write
from mishstudy.publication import criteria

FormatOption = Annotated[str, typer.Option(help="md, csv or json.")]
OutOption = Annotated[
    Path | None, typer.Option(callback=file_to_write, help="File to write; default: the terminal.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Decides the draws.")]

_Result = TypeVar("_Result")
_Forms = Mapping[str, Callable[[_Result], str]]


def aa(
    name: NameArgument,
    home: HomeOption = DEFAULT_HOME,
    activation: Annotated[
        str | None, typer.Option(help="Whose trainings are split; default: the focus.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Random splits, a table each.")] = 200,
    seed: SeedOption = 0,
    format: FormatOption = "md",
    out: OutOption = None,
    strict: StrictOption = False,
) -> None:
    """Compare an activation with itself, where every winner that the table names is a false one.

    Example: `mishstudy aa depth-digits`
    """
    from analysis.against_itself import against_itself
    from analysis.frame import runs_frame
    from analysis.tables.against_itself import FORMATS
    from study import ledger

    form = _form(FORMATS, format)
    record = ledger.read(home_of(home).existing(name), curves=False)
    found = against_itself(
        runs_frame(record),
        record.question,
        activation=activation,
        repeats=repeats,
        seed=seed,
        chance=record.chance,
        strict=strict,
    )
    _show(form(found), out)


def flaw(
    name: NameArgument,
    home: HomeOption = DEFAULT_HOME,
    paired: Annotated[
        bool, typer.Option("--paired", help="Draw the same seed for every activation, not one for each.")
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs of studies.")] = 1000,
    seed: SeedOption = 0,
    format: FormatOption = "md",
    out: OutOption = None,
) -> None:
    """Judge by one run per setting, again and again, and count how often another winner is named.

    Example: `mishstudy flaw depth-digits`
    """
    from analysis.frame import runs_frame
    from analysis.single_runs import single_runs
    from analysis.tables.single_runs import FORMATS
    from study import ledger

    form = _form(FORMATS, format)
    record = ledger.read(home_of(home).existing(name), curves=False)
    _show(
        form(single_runs(runs_frame(record), record.question, paired=paired, repeats=repeats, seed=seed)), out
    )


def scores(
    names: Annotated[list[str], typer.Argument(help="Names of sweeps in the home.", metavar="NAME...")],
    home: HomeOption = DEFAULT_HOME,
    format: FormatOption = "md",
    out: OutOption = None,
) -> None:
    """Put sweeps side by side: what each activation reached in each, and how often the focus won.

    Example: `mishstudy scores quickstart when-digits`
    """
    from analysis.frame import runs_frame
    from analysis.profile import best_rows
    from analysis.scores import scores as side_by_side
    from analysis.scores import sweep_scores
    from analysis.tables.scores import FORMATS
    from study import ledger

    form, where = _form(FORMATS, format), home_of(home)
    records = [ledger.read(where.existing(name), curves=False) for name in names]
    rows = [
        sweep_scores(best_rows(runs_frame(record), record.question), criteria(record)) for record in records
    ]
    _show(form(side_by_side(rows)), out)


def _form(forms: _Forms[_Result], name: str) -> Callable[[_Result], str]:
    """Return what writes a result in a format; refuse an unknown one."""
    from study.errors import InputError

    if name not in forms:
        raise InputError(f"--format takes {', '.join(forms)}, and {name!r} was given; use one of them.")
    return forms[name]


def _show(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text)
