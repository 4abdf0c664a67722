"""What several commands take: options, arguments, and how they are checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sweeps.home import Home

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


def home_of(path: Path) -> "Home":
    """Return the home at a path, which may not exist yet; refuse a file."""
    from study.errors import InputError
    from sweeps.home import Home

    home = Home(path.expanduser().resolve())
    if home.root.exists() and not home.root.is_dir():
        raise InputError(f"--home names a folder, and {home.root} is a file; name another one.")
    return home


def file_to_write(path: Path | None) -> Path | None:
    """Refuse what cannot be written before anything is made for it."""
    from study.errors import InputError

    if path is not None and (not path.name or path.is_dir() or not path.parent.is_dir()):
        what = "a folder" if path.is_dir() else "in no folder that exists"
        raise InputError(f"--out names a file, and {str(path)!r} is {what}; name one such as ./report.html.")
    return path
