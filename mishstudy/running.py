"""The commands that run a sweep or look ahead at one: `sweep`, `plan`, `status`, `rebuild`."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mishstudy.options import (
    DEFAULT_HOME,
    DataOption,
    EngineOption,
    HomeOption,
    NameArgument,
    SpecArgument,
    StorageOption,
    TrackingOption,
    home_of,
)
from mishstudy.output import command, leave, print_page, program, say, show_table, show_where
from mishstudy.publication import criteria, publish

if TYPE_CHECKING:
    from analysis.planned_rows import PlannedRows
    from study.question import Question
    from sweeps.home import Home
    from sweeps.looks import Looks
    from sweeps.ray_workers import Cluster
    from sweeps.spec import SweepSpec


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
            help="Training processes, or tasks, side by side; moves no result. Default: as many as fit.",
        ),
    ] = None,
    executor: Annotated[
        str, typer.Option(metavar="processes|ray", help="Where trainings run: here, or on a Ray cluster.")
    ] = "processes",
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Head of the Ray cluster; default: this machine alone."),
    ] = None,
    gpus_per_task: Annotated[
        float | None, typer.Option(metavar="SHARE", help="GPU that a task takes on the cluster; default: 1.")
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
    where = home_of(home)
    looks = _looks(until, pilot)
    options = Options(
        engine=choose(engine, read)[0],
        data=data,
        import_from=spec.resolve().parent,
        tracking_uri=tracking_uri,
        storage=storage,
        accept_mixed=accept_mixed,
        workers=workers,
        cluster=_cluster(executor, address, gpus_per_task, workers),
    )
    with TerminalMonitor(read.name) as monitor:
        try:
            text = spec.read_text(encoding="utf-8")
            record = run(read, text, where, options, monitor, publish(where), looks)
        except BaseException as error:
            if not _is_interrupt(error):
                raise
            monitor.stop()
            from study.redaction import redact

            again = redact(shlex.join([*program(), *sys.argv[1:]]))
            leave(f"stopped; nothing that was recorded is lost. Go on with: {again}", 130)
    if pilot is not None:
        say(f"\nPilot:      {command(where, 'plan', str(spec), '--pilot', str(pilot))}")
        return
    show_table(criteria(record))
    show_where(where, record, tracking_uri)


def _cluster(
    executor: str, address: str | None, gpus_per_task: float | None, workers: int | None
) -> "Cluster | None":
    """Return where trainings run, None for processes of this machine; refuse what does not go together."""
    from study.errors import InputError
    from sweeps.ray_workers import Cluster

    if executor not in ("processes", "ray"):
        raise InputError(f"--executor takes processes or ray, and {executor!r} was given.")
    if executor == "processes":
        for name, value in (("--address", address), ("--gpus-per-task", gpus_per_task)):
            if value is not None:
                raise InputError(f"{name} is for a Ray cluster; add --executor ray, or leave it out.")
        return None
    share = 1.0 if gpus_per_task is None else gpus_per_task
    if not 0 < share <= 1:
        raise InputError(f"--gpus-per-task is a share of one GPU, above 0 and at most 1, and not {share:g}.")
    return Cluster(address=address, gpus_per_task=share, tasks=workers)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an exception: a library stopped in its work may raise one of its own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


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

    read, where = _read_spec(spec), home_of(home)
    chosen = choose(engine, read)
    _refuse(read, where)
    made = make_plan(read, where, *chosen)
    rows = _planned_rows(read, where, detect, pilot)
    if as_json:
        values = made.to_json() | (rows.to_json() if rows else {"rows": []})
        typer.echo(json.dumps(values, indent=2))
        return
    from sweeps.plan_page import render

    print_page(render(made))
    if rows:
        from analysis import planned_rows

        print_page(planned_rows.render(rows))


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

    where = home_of(home)
    if name is None:
        rows, damages = render(where, where.sweeps())
        print_page(rows)
        if damages:
            raise InputError("\n".join(damages))
        return
    record = ledger.read(where.existing(name), curves=False)
    print_page(render(where, [name])[0])
    if record.question.design == "paired" and len(record.entries) < record.question.planned_trainings:
        from analysis.sequence import headlines_of
        from analysis.tables.terminal import render_running

        stopped = record.stopped_at is not None
        print_page(render_running(headlines_of(record), record.question, stopped=stopped))


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

    where = home_of(home)
    with TerminalMonitor(name) as monitor:
        make_anew(name, where, monitor, publish(where), tracking_uri=tracking_uri, storage=storage)


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
