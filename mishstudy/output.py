"""What goes to the terminal or into a file, and the end of a command that cannot go on."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mishstudy.options import DEFAULT_HOME

if TYPE_CHECKING:
    from rich.console import RenderableType

    from analysis.criteria import CriteriaTable
    from study.ledger import Record
    from sweeps.home import Home


def show_table(made: "CriteriaTable") -> None:
    """Print a table: for people in a terminal, as Markdown elsewhere."""
    if sys.stdout.isatty():
        from analysis.tables.terminal import render

        print_page(render(made))
    else:
        from analysis.tables.exports import to_markdown

        sys.stdout.write(to_markdown(made))


def show_where(home: "Home", record: "Record", tracking_uri: str | None) -> None:
    """Say where report, dashboards and table of a sweep are."""
    name = record.question.name
    say(f"\nReport:     {home.sweep(name) / 'report.html'} (open it in a browser)")
    if tracking_uri is None:
        say(f"Dashboards: {command(home, 'ui')} (MLflow and Optuna)")
    say(f"Table:      {command(home, 'table', name)} --format md|csv|json|latex|html")


def command(home: "Home", *words: str) -> str:
    """Return a command that can be pasted into the shell from which this one was called."""
    option = [] if home.root == DEFAULT_HOME.resolve() else ["--home", str(home.root)]
    return shlex.join([*program(), *words, *option])


def program() -> list[str]:
    """Return how this program was called."""
    called = Path(sys.argv[0])
    if called.name != "mishstudy":
        return [sys.executable, "-m", "mishstudy"]
    return ["mishstudy" if shutil.which("mishstudy") == str(called) else str(called)]


def print_page(renderable: "RenderableType") -> None:
    """Print something of Rich."""
    from rich.console import Console

    Console(highlight=False).print(renderable)


def say(sentence: str) -> None:
    """Write a sentence for people to standard error."""
    sys.stderr.write(sentence + "\n")


def write(path: Path, content: str | bytes) -> None:
    """Write a file as a whole; refuse what cannot be written."""
    from study.errors import InputError
    from study.whole_files import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(
            f"--out names a file that can be written, and {path} is not ({error.strerror}); name another one."
        ) from error


def leave(message: str, code: int) -> NoReturn:
    """Say what stopped a command, and end it."""
    sys.stderr.write(f"mishstudy: {message}\n")
    sys.exit(code)
