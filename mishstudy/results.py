"""The commands that show what came out: `table`, `report`, `figures`, `cost`, `claims`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mishstudy.options import DEFAULT_HOME, HomeOption, NameArgument, StrictOption, file_to_write, home_of
from mishstudy.output import say, show_table, write
from mishstudy.publication import PUBLISHED, claims_of, criteria, drawn, report_page

if TYPE_CHECKING:
    from analysis.criteria import CriteriaTable


def table(
    name: Annotated[str | None, typer.Argument(help="Name of a sweep in the home.")] = None,
    home: HomeOption = DEFAULT_HOME,
    format: Annotated[str | None, typer.Option(help="md, csv, json, latex or html.")] = None,
    out: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="File to write; default: the terminal.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Instead of a sweep: your own runs, .csv or .parquet, a row per run.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Instead of a sweep: your own runs, an experiment in MLflow.")
    ] = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            envvar="MLFLOW_TRACKING_URI", help="Where the experiment is; default: mlflow.db in the home."
        ),
    ] = None,
    treatment: Annotated[str | None, typer.Option(help="Parameter whose values are compared.")] = None,
    focus: Annotated[str | None, typer.Option(help="The value asked about; all others are rivals.")] = None,
    metric: Annotated[str | None, typer.Option(help="What is compared.")] = None,
    delta: Annotated[
        float | None, typer.Option(help="Smallest difference that matters, in the metric's unit.")
    ] = None,
    factors: Annotated[
        str | None,
        typer.Option(help="Settings, with commas between; default with --experiment: all that vary."),
    ] = None,
    replicate: Annotated[
        str | None, typer.Option(help="Parameter that tells repetitions apart, such as the seed.")
    ] = None,
    loss_cap: Annotated[
        float | None, typer.Option(help="What a failed run loses; default: 10 x delta.")
    ] = None,
    lower_is_better: Annotated[
        bool | None, typer.Option("--lower-is-better/--higher-is-better", help="Direction of the metric.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="The metric is multiplied by this: 100 makes points of a fraction.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Name of the metric's unit, in the plural.")] = None,
    chance: Annotated[float | None, typer.Option(help="Value of the metric from guessing.")] = None,
    strict: StrictOption = False,
) -> None:
    """Print or export the recommendation table of a sweep, or of runs of your own.

    Example: `mishstudy table quickstart --format latex --out table.tex`

    Of your own runs: `mishstudy table --runs runs.csv --treatment activation --focus mish --metric accuracy
    --factors depth,optimizer --replicate seed --delta 0.5`
    """
    from analysis.tables import exports
    from study import ledger
    from study.errors import InputError

    formats: dict[str, Callable[..., str]] = {
        "md": exports.to_markdown,
        "csv": exports.to_csv,
        "json": exports.to_json,
        "latex": exports.to_latex,
        "html": exports.to_html,
    }
    if format is not None and format not in formats:
        raise InputError(f"--format takes {', '.join(formats)}, and {format!r} was given; use one of them.")
    options = {
        "treatment": treatment,
        "focus": focus,
        "metric": metric,
        "delta": delta,
        "factors": factors,
        "replicate": replicate,
        "loss_cap": loss_cap,
        "lower_is_better": lower_is_better,
        "scale": scale,
        "unit": unit,
        "chance": chance,
    }
    if sum(source is not None for source in (name, runs, experiment)) != 1:
        raise InputError("table takes one of these: the name of a sweep, --runs FILE, or --experiment NAME.")
    given = [f"--{key.replace('_', '-')}" for key, value in options.items() if value is not None]
    if name is not None and given:
        raise InputError(f"{given[0]} is for runs of your own; a sweep has its question in its spec.")
    if name is not None:
        made = criteria(ledger.read(home_of(home).existing(name), curves=False), strict=strict)
    else:
        uri = tracking_uri or home_of(home).tracking_uri
        made = _foreign_criteria(runs, experiment, uri, options, strict=strict)
    if format is None and out is None:
        show_table(made)
        return
    text = formats[format or "md"](made)
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text)


def report(
    name: NameArgument,
    out: Annotated[Path, typer.Option(callback=file_to_write, help="The HTML file to write.")],
    home: HomeOption = DEFAULT_HOME,
    strict: StrictOption = False,
) -> None:
    """Write the report of a sweep as one self-contained HTML file.

    Example: `mishstudy report quickstart --out report.html`
    """
    from study import ledger

    where = home_of(home)
    write(out, report_page(where, ledger.read(where.existing(name)), strict=strict))
    say(f"Wrote {out}.")


def figures(
    name: NameArgument,
    out: Annotated[Path, typer.Option(help="The folder to write to; made where it is missing.")],
    home: HomeOption = DEFAULT_HOME,
    format: Annotated[
        str, typer.Option(help="svg, png or pdf, with commas between for several.")
    ] = "svg,png,pdf",
    strict: StrictOption = False,
) -> None:
    """Write the figures of a sweep at print size, a file each.

    Example: `mishstudy figures quickstart --out figures --format pdf`
    """
    from analysis.figures import FORMATS
    from study import ledger
    from study.errors import InputError

    formats = [each.strip() for each in format.split(",")]
    if unknown := [each for each in formats if each not in FORMATS]:
        raise InputError(
            f"--format takes {', '.join(FORMATS)}, and {unknown[0]!r} was given; use one of them or several."
        )
    where = home_of(home)
    record = ledger.read(where.existing(name))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out names a folder, and {str(out)!r} cannot be made ({error.strerror}); name another one."
        ) from error
    made = drawn(record, criteria(record, strict=strict))
    for title, figure in made.items():
        for each in formats:
            write(out / f"{title}.{each}", FORMATS[each](figure))
    say(f"Wrote {len(made)} figures to {out}.")


def cost(
    name: NameArgument,
    home: HomeOption = DEFAULT_HOME,
    format: Annotated[str, typer.Option(help="md, csv or json.")] = "md",
    out: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="File to write; default: the terminal.")
    ] = None,
) -> None:
    """Say what each activation cost beside what it brought: seconds an epoch, to a target, at equal time.

    Example: `mishstudy cost quickstart`
    """
    from analysis.cost import cost_of
    from analysis.frame import curves_frame, runs_frame
    from analysis.tables.cost import FORMATS
    from study import ledger
    from study.errors import InputError

    if format not in FORMATS:
        raise InputError(f"--format takes {', '.join(FORMATS)}, and {format!r} was given; use one of them.")
    record = ledger.read(home_of(home).existing(name))
    text = FORMATS[format](cost_of(runs_frame(record), curves_frame(record), record))
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text)


def claims(
    name: NameArgument,
    home: HomeOption = DEFAULT_HOME,
    claims: Annotated[
        Path | None, typer.Option(help="A TOML file of claims; default: what was published of Mish in 2019.")
    ] = None,
    format: Annotated[str, typer.Option(help="md, csv or json.")] = "md",
    out: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="File to write; default: the terminal.")
    ] = None,
    strict: StrictOption = False,
) -> None:
    """Hold published claims against a sweep: supported, contradicted, undecided, or not covered.

    Example: `mishstudy claims quickstart`
    """
    from analysis.claims import judge, shared_settings
    from analysis.tables.claims import FORMATS
    from study import ledger
    from study.errors import InputError

    if format not in FORMATS:
        raise InputError(f"--format takes {', '.join(FORMATS)}, and {format!r} was given; use one of them.")
    published = claims_of(claims or PUBLISHED)
    record = ledger.read(home_of(home).existing(name), curves=False)
    made = criteria(record, strict=strict)
    text = FORMATS[format](judge(published, made, record.question, shared_settings(record)), made)
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text)


def _foreign_criteria(
    runs: Path | None,
    experiment: str | None,
    tracking_uri: str,
    options: Mapping[str, Any],
    *,
    strict: bool,
) -> "CriteriaTable":
    """Return the criteria table of runs that were not written by a sweep."""
    from analysis.foreign.table import ask_of, table_of_file, table_of_runs

    ask = ask_of(options)
    if runs is not None:
        return table_of_file(runs, ask, strict=strict)
    from study.mlflow_runs import read_experiment

    found = read_experiment(experiment or "", tracking_uri, ask.treatment, ask.metric)
    return table_of_runs(found, ask, strict=strict)
