"""The commands about this machine: `ui`, `doctor`, `data list`, `data fetch`."""

from typing import Annotated

import typer

from mishstudy.options import DEFAULT_HOME, DataHomeOption, DataOption, HomeOption, home_of
from mishstudy.output import print_page, say


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

    where = home_of(home)
    opened = dashboards.servers(where, host, mlflow_port, optuna_port)
    if host not in ("127.0.0.1", "localhost"):
        say(f"Warning: anyone who reaches {host} can read and change these pages; they ask for no password.")
    say(f"Starting {' and '.join(server.title for server in opened)}: some 20 seconds.")

    def ready() -> None:
        for line in dashboards.addresses(where, opened):
            say(line)
        say("Ctrl-C stops what was started.")

    dashboards.serve(opened, where.ui_log, ready)


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

    findings = examine(home_of(home), data, gpu=gpu)
    print_page(render(findings))
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


def data_list(data: DataOption = None, home: DataHomeOption = DEFAULT_HOME) -> None:
    """List the data sets and where each one was found.

    Example: `mishstudy data list --data ~/datasets`
    """
    from sweeps.doctor import render_data

    home_of(home)
    print_page(render_data(data))


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

    home_of(home)
    if data is None:
        raise InputError(
            "data fetch needs a folder to write to, and none was given; add --data DIR or set MISHSTUDY_DATA."
        )
    say(f"{name} is in {datasets.fetch(name, data)}, checked.")
