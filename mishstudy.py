"""The door: the command line of mishstudy, and nothing but wiring.

Everything heavy is imported inside the commands, so that `mishstudy --help` answers at once.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from analysis.criteria import CriteriaTable
    from analysis.planned_rows import PlannedRows
    from study.dashboard import Results
    from study.ledger import Record
    from study.question import Question
    from sweeps.home import Home
    from sweeps.looks import Looks
    from sweeps.spec import SweepSpec

app = typer.Typer(
    name="mishstudy",
    help="Answer, with proof: for which settings does the Mish activation beat its rivals?\n\n"
    "Example: `mishstudy sweep sweeps/quickstart.toml`",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
data_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="List and fetch data sets.\n\nExample: `mishstudy data list`",
)
app.add_typer(data_app, name="data")

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="MISHSTUDY_HOME", help="Folder of ledgers, MLflow and Optuna.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", envvar="MISHSTUDY_DATA", help="Folder with data sets as npz files.")
]
DataHomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="MISHSTUDY_HOME", help="Taken by every command; no data set is in it."),
]
SpecArgument = Annotated[Path, typer.Argument(help="The sweep as a TOML file.", metavar="SPEC")]
NameArgument = Annotated[str, typer.Argument(help="Name of a sweep in the home.")]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Allow any false verdict in the level rows 5 % in all (Holm)."),
]
TrackingOption = Annotated[
    str | None, typer.Option(help="MLflow tracking URI; default: mlflow.db in the home.")
]
StorageOption = Annotated[
    str | None, typer.Option(help="Optuna storage URL; default: the journal in the home.")
]
EngineOption = Annotated[str, typer.Option(help="auto, fit or population.")]

DEFAULT_HOME = Path("runs")


def main() -> None:
    """Run the command line: exit 0 if all is well, 1 if a run failed, 2 if the input is wrong."""
    from study.errors import InputError, RunError

    try:
        app()
    except InputError as error:
        _leave(str(error), 2)
    except RunError as error:
        _leave(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _leave(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"mishstudy: {message}\n")
    sys.exit(code)


def _home(path: Path) -> "Home":
    from study.errors import InputError
    from sweeps.home import Home

    home = Home(path.expanduser().resolve())
    if home.root.exists() and not home.root.is_dir():
        raise InputError(f"--home names a folder, and {home.root} is a file; name another one.")
    return home


def _out(path: Path | None) -> Path | None:
    """Refuse what cannot be written before anything is made for it."""
    from study.errors import InputError

    if path is not None and (not path.name or path.is_dir() or not path.parent.is_dir()):
        what = "a folder" if path.is_dir() else "in no folder that exists"
        raise InputError(f"--out names a file, and {str(path)!r} is {what}; name one such as ./report.html.")
    return path


@app.command()
def sweep(
    spec: SpecArgument,
    home: HomeOption = DEFAULT_HOME,
    engine: EngineOption = "auto",
    tracking_uri: TrackingOption = None,
    storage: StorageOption = None,
    data: DataOption = None,
    accept_mixed: Annotated[
        bool, typer.Option("--accept-mixed", help="Go on under another environment than the results so far.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            envvar="MISHSTUDY_WORKERS",
            min=1,
            metavar="N",
            help="Training processes side by side; moves no result. Default: as many as fit the cores.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="decided", help="Stop early once the overall answer is known, safely."),
    ] = None,
    pilot: Annotated[
        int | None,
        typer.Option(help="Train the first N configurations, in whole packs, for `plan --pilot N`."),
    ] = None,
) -> None:
    """Run a sweep, or resume it where it stopped.

    Example: `mishstudy sweep sweeps/quickstart.toml`
    """
    from sweeps.engines import choose
    from sweeps.progress import TerminalMonitor
    from sweeps.sweeper import Options, run

    read = _read_spec(spec)
    where = _home(home)
    looks = _looks(until, pilot)
    options = Options(
        engine=choose(engine, read)[0],
        data=data,
        import_from=spec.resolve().parent,
        tracking_uri=tracking_uri,
        storage=storage,
        accept_mixed=accept_mixed,
        workers=workers,
    )
    with TerminalMonitor(read.name) as monitor:
        try:
            text = spec.read_text(encoding="utf-8")
            record = run(read, text, where, options, monitor, _publish(where), looks)
        except KeyboardInterrupt:
            monitor.stop()
            from study.redaction import redact

            again = redact(shlex.join([*_program(), *sys.argv[1:]]))
            _leave(f"stopped; nothing that was recorded is lost. Go on with: {again}", 130)
    if pilot is not None:
        _say(f"\nPilot:      {_command(where, 'plan', str(spec), '--pilot', str(pilot))}")
        return
    _show_table(_criteria(record))
    _show_where(where, record, tracking_uri)


@app.command()
def plan(
    spec: SpecArgument,
    home: HomeOption = DEFAULT_HOME,
    engine: EngineOption = "auto",
    detect: Annotated[
        float | None,
        typer.Option(metavar="POINTS", help="The difference to find, in the metric's unit; default: delta."),
    ] = None,
    pilot: Annotated[
        int | None, typer.Option(help="Measure the spread on the first N configurations, which are trained.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a sweep would do, cost and be able to detect, training nothing.

    Example: `mishstudy plan sweeps/quickstart.toml --detect 0.5`
    """
    from sweeps.engines import choose
    from sweeps.plan import make_plan

    read, where = _read_spec(spec), _home(home)
    chosen = choose(engine, read)
    _refuse(read, where)
    made = make_plan(read, where, *chosen)
    rows = _planned_rows(read, where, detect, pilot)
    if as_json:
        values = made.to_json() | (rows.to_json() if rows else {"rows": []})
        typer.echo(json.dumps(values, indent=2))
        return
    from sweeps.plan_page import render

    _print(render(made))
    if rows:
        from analysis import planned_rows

        _print(planned_rows.render(rows))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="Name of a sweep; all of them by default.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Say how far the sweeps of a home are, and what one of them says so far.

    Example: `mishstudy status quickstart`
    """
    from study import ledger
    from study.errors import InputError
    from sweeps.status import render

    where = _home(home)
    if name is None:
        rows, damages = render(where, where.sweeps())
        _print(rows)
        if damages:
            raise InputError("\n".join(damages))
        return
    record = ledger.read(where.existing(name), curves=False)
    _print(render(where, [name])[0])
    if record.question.design == "paired" and len(record.entries) < record.question.planned_trainings:
        from analysis.sequence import headlines_of
        from analysis.terminal import render_running

        stopped = record.stopped_at is not None
        _print(render_running(headlines_of(record), record.question, stopped=stopped))


@app.command()
def table(
    name: Annotated[str | None, typer.Argument(help="Name of a sweep in the home.")] = None,
    home: HomeOption = DEFAULT_HOME,
    format: Annotated[str | None, typer.Option(help="md, csv, json, latex or html.")] = None,
    out: Annotated[
        Path | None, typer.Option(callback=_out, help="File to write; default: the terminal.")
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
    from analysis import exports
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
        made = _criteria(ledger.read(_home(home).existing(name), curves=False), strict=strict)
    else:
        uri = tracking_uri or _home(home).tracking_uri
        made = _foreign_criteria(runs, experiment, uri, options, strict=strict)
    if format is None and out is None:
        _show_table(made)
        return
    text = formats[format or "md"](made)
    if out is None:
        sys.stdout.write(text)
    else:
        _write(out, text)


@app.command()
def report(
    name: NameArgument,
    out: Annotated[Path, typer.Option(callback=_out, help="The HTML file to write.")],
    home: HomeOption = DEFAULT_HOME,
    strict: StrictOption = False,
) -> None:
    """Write the report of a sweep as one self-contained HTML file.

    Example: `mishstudy report quickstart --out report.html`
    """
    from study import ledger

    where = _home(home)
    _write(out, _report(where, ledger.read(where.existing(name)), strict=strict))
    _say(f"Wrote {out}.")


@app.command()
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
    where = _home(home)
    record = ledger.read(where.existing(name))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out names a folder, and {str(out)!r} cannot be made ({error.strerror}); name another one."
        ) from error
    drawn = _figures(record, _criteria(record, strict=strict))
    for title, figure in drawn.items():
        for each in formats:
            _write(out / f"{title}.{each}", FORMATS[each](figure))
    _say(f"Wrote {len(drawn)} figures to {out}.")


@app.command()
def cost(
    name: NameArgument,
    home: HomeOption = DEFAULT_HOME,
    format: Annotated[str, typer.Option(help="md, csv or json.")] = "md",
    out: Annotated[
        Path | None, typer.Option(callback=_out, help="File to write; default: the terminal.")
    ] = None,
) -> None:
    """Say what each activation cost beside what it brought: seconds an epoch, to a target, at equal time.

    Example: `mishstudy cost quickstart`
    """
    from analysis.cost import cost_of
    from analysis.cost_tables import FORMATS
    from analysis.frame import curves_frame, runs_frame
    from study import ledger
    from study.errors import InputError

    if format not in FORMATS:
        raise InputError(f"--format takes {', '.join(FORMATS)}, and {format!r} was given; use one of them.")
    record = ledger.read(_home(home).existing(name))
    text = FORMATS[format](cost_of(runs_frame(record), curves_frame(record), record))
    if out is None:
        sys.stdout.write(text)
    else:
        _write(out, text)


@app.command()
def rebuild(
    name: NameArgument,
    home: HomeOption = DEFAULT_HOME,
    tracking_uri: TrackingOption = None,
    storage: StorageOption = None,
) -> None:
    """Write what MLflow and Optuna show of a sweep anew from its ledger, say after its home was moved.

    Example: `mishstudy rebuild quickstart`
    """
    from sweeps.progress import TerminalMonitor
    from sweeps.rebuild import rebuild as make_anew

    where = _home(home)
    with TerminalMonitor(name) as monitor:
        make_anew(name, where, monitor, _publish(where), tracking_uri=tracking_uri, storage=storage)


@app.command()
def ui(
    home: HomeOption = DEFAULT_HOME,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the MLflow page.")] = 5000,
    optuna_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Optuna page.")] = 8080,
) -> None:
    """Open the MLflow and Optuna dashboards over a home, on this machine only unless told otherwise.

    Example: `mishstudy ui`
    """
    from sweeps import dashboards

    where = _home(home)
    opened = dashboards.servers(where, host, mlflow_port, optuna_port)
    if host not in ("127.0.0.1", "localhost"):
        _say(f"Warning: anyone who reaches {host} can read and change these pages; they ask for no password.")
    _say(f"Starting {' and '.join(server.title for server in opened)}: some 20 seconds.")

    def ready() -> None:
        for line in dashboards.addresses(where, opened):
            _say(line)
        _say("Ctrl-C stops what was started.")

    dashboards.serve(opened, where.ui_log, ready)


@app.command()
def doctor(
    home: HomeOption = DEFAULT_HOME,
    data: DataOption = None,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Also train one block with each engine on the GPU.")
    ] = False,
) -> None:
    """Check this installation: versions, devices, threads, home, data sets.

    Example: `mishstudy doctor`
    """
    from sweeps.doctor import examine, render

    findings = examine(_home(home), data, gpu=gpu)
    _print(render(findings))
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


@data_app.command("list")
def data_list(data: DataOption = None, home: DataHomeOption = DEFAULT_HOME) -> None:
    """List the data sets and where each one was found.

    Example: `mishstudy data list --data ~/datasets`
    """
    from sweeps.doctor import render_data

    _home(home)
    _print(render_data(data))


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="Name of a data set.")],
    data: DataOption = None,
    home: DataHomeOption = DEFAULT_HOME,
) -> None:
    """Download a data set and check it.

    Example: `mishstudy data fetch mnist --data ~/datasets`
    """
    from study import datasets
    from study.errors import InputError

    _home(home)
    if data is None:
        raise InputError(
            "data fetch needs a folder to write to, and none was given; add --data DIR or set MISHSTUDY_DATA."
        )
    _say(f"{name} is in {datasets.fetch(name, data)}, checked.")


def _read_spec(path: Path) -> "SweepSpec":
    """Read a spec; the folder it lies in is where a user's own modules are looked for."""
    from sweeps.spec import load

    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return load(path)


def _looks(until: str | None, pilot: int | None) -> "Callable[[Question], Looks]":
    """Return what says when a sweep ends."""
    from functools import partial

    from study.errors import InputError
    from sweeps import looks

    if until not in (None, "decided"):
        raise InputError(f"--until takes decided, and {until!r} was given; use that, or leave it out.")
    if until and pilot is not None:
        raise InputError("--until and --pilot each say when to stop; give one of them.")
    if pilot is not None:
        return partial(looks.pilot, configurations=pilot)
    if until:
        from analysis.sequence import decided

        return partial(looks.until_decided, enough=decided)
    return looks.whole_design


def _refuse(spec: "SweepSpec", home: "Home") -> None:
    """Refuse a spec that `sweep` would refuse."""
    from study import ledger
    from sweeps import design, sweeper

    path = home.ledger(spec.name)
    record = ledger.read(path, curves=False) if path.exists() else None
    planned = [] if spec.design == "tuned" else design.trainings(spec)
    sweeper.refuse(spec, home, sweeper.planned_question(spec, planned), record)


def _planned_rows(
    spec: "SweepSpec", home: "Home", detect: float | None, pilot: int | None
) -> "PlannedRows | None":
    """Return what the rows of the table will be able to show; None for `tuned`, which has no verdict."""
    from analysis.planned_rows import planned_rows
    from study import ledger
    from study.errors import InputError
    from sweeps import design, looks
    from sweeps.sweeper import planned_question

    if spec.design == "tuned":
        if detect is not None or pilot is not None:
            raise InputError(
                "--detect and --pilot are about the rows of equal settings, and a tuned sweep has none; "
                "leave them out."
            )
        return None
    question = planned_question(spec, design.trainings(spec))
    if pilot is not None:
        looks.pilot(question, pilot)
    path = home.ledger(spec.name)
    return planned_rows(
        question,
        [configuration.levels for configuration in design.configurations(spec)],
        spec.replicates,
        detect=detect,
        record=ledger.read(path, curves=False) if path.exists() else None,
        pilot=pilot,
    )


def _criteria(record: "Record", *, strict: bool = False) -> "CriteriaTable":
    from analysis.agreement import agreement_of
    from analysis.criteria import criteria_table
    from analysis.frame import runs_frame

    return criteria_table(
        runs_frame(record),
        record.question,
        mixed=record.mixed,
        agreement=agreement_of(record),
        strict=strict,
        chance=record.chance,
        stopped_at=record.stopped_at,
    )


def _foreign_criteria(
    runs: Path | None,
    experiment: str | None,
    tracking_uri: str,
    options: Mapping[str, Any],
    *,
    strict: bool,
) -> "CriteriaTable":
    from analysis.foreign_table import ask_of, table_of_file, table_of_runs

    ask = ask_of(options)
    if runs is not None:
        return table_of_file(runs, ask, strict=strict)
    from study.mlflow_runs import read_experiment

    found = read_experiment(experiment or "", tracking_uri, ask.treatment, ask.metric)
    return table_of_runs(found, ask, strict=strict)


def _report(home: "Home", record: "Record", *, strict: bool) -> str:
    from analysis.frame import curves_frame, runs_frame
    from analysis.report import report_html

    made, runs, curves = _criteria(record, strict=strict), runs_frame(record), curves_frame(record)
    return report_html(made, runs, curves, record, predicted=_predicted(home, record))


def _figures(record: "Record", made: "CriteriaTable") -> "dict[str, Figure]":
    from analysis.figures import all_figures
    from analysis.frame import curves_frame, runs_frame
    from analysis.profile import best_rows

    question = record.question
    return all_figures(best_rows(runs_frame(record), question), curves_frame(record), made, question)


def _predicted(home: "Home", record: "Record") -> dict[str, Any] | None:
    """Return what a sweep was expected to cost, or None where that was not kept or cannot be read."""
    path = home.sweep(record.question.name) / "plan.json"
    if not path.exists():
        return None
    needed = {"trainings", "programs", "training_seconds", "memory_mib", "basis"}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        values = None
    if isinstance(values, dict) and needed <= values.keys():
        return values
    _say(f"{path} is damaged or of another version; the report is without the expected costs.")
    return None


def _publish(home: "Home") -> "Callable[[Record], Results]":
    """Return what makes the results for MLflow's parent run, and the report in the home."""

    def results(record: "Record") -> "Results":
        from analysis import exports
        from analysis.cost import cost_of
        from analysis.cost_tables import to_markdown
        from analysis.figures import all_figures, to_png, to_svg
        from analysis.frame import curves_frame, runs_frame
        from analysis.profile import best_rows
        from analysis.report import report_html
        from study.dashboard import Results

        made, runs, curves = _criteria(record), runs_frame(record), curves_frame(record)
        figures = all_figures(best_rows(runs, record.question), curves, made, record.question)
        drawings = {title: to_svg(figure) for title, figure in figures.items()}
        page = report_html(made, runs, curves, record, predicted=_predicted(home, record), drawings=drawings)
        (home.sweep(record.question.name) / "report.html").write_text(page, encoding="utf-8")
        artifacts: dict[str, str | bytes | pd.DataFrame] = {
            "table/criteria.md": exports.to_markdown(made),
            "table/criteria.html": exports.to_html(made),
            "table/criteria.json": exports.to_json(made),
            "table/criteria.csv": exports.to_csv(made),
            "runs.parquet": runs,
            "cost.md": to_markdown(cost_of(runs, curves, record)),
            "report.html": page,
        }
        artifacts |= {f"figures/{title}.svg": drawing for title, drawing in drawings.items()}
        artifacts |= {f"figures/{title}.png": to_png(figure) for title, figure in figures.items()}
        return Results(
            summary=exports.answer_markdown(made), metrics=exports.to_metrics(made), artifacts=artifacts
        )

    return results


def _show_table(made: "CriteriaTable") -> None:
    if sys.stdout.isatty():
        from analysis.terminal import render

        _print(render(made))
    else:
        from analysis.exports import to_markdown

        sys.stdout.write(to_markdown(made))


def _show_where(home: "Home", record: "Record", tracking_uri: str | None) -> None:
    name = record.question.name
    _say(f"\nReport:     {home.sweep(name) / 'report.html'} (open it in a browser)")
    if tracking_uri is None:
        _say(f"Dashboards: {_command(home, 'ui')} (MLflow and Optuna)")
    _say(f"Table:      {_command(home, 'table', name)} --format md|csv|json|latex|html")


def _command(home: "Home", *words: str) -> str:
    """Return a command that can be pasted into the shell from which this one was called."""
    option = [] if home.root == DEFAULT_HOME.resolve() else ["--home", str(home.root)]
    return shlex.join([*_program(), *words, *option])


def _program() -> list[str]:
    """Return how this program was called."""
    called = Path(sys.argv[0])
    if called.name != "mishstudy":
        return [sys.executable, "-m", "mishstudy"]
    return ["mishstudy" if shutil.which("mishstudy") == str(called) else str(called)]


def _print(renderable: "RenderableType") -> None:
    from rich.console import Console

    Console(highlight=False).print(renderable)


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


def _write(path: Path, content: str | bytes) -> None:
    from study.errors import InputError
    from study.whole_files import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(
            f"--out names a file that can be written, and {path} is not ({error.strerror}); name another one."
        ) from error


if __name__ == "__main__":
    main()
