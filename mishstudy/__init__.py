"""The door: the command line of mishstudy, and nothing but wiring.

Everything heavy is imported inside the commands, so that `mishstudy --help` answers at once.
"""

import errno
import os
import sys

import typer
from typer.exceptions import TyperException

from mishstudy import catalogue, machine, protocols, results, running
from mishstudy.mistakes import mistake
from mishstudy.output import leave

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What a system says that cannot take what is written."""

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
for command in (
    *(running.sweep, running.plan, running.status, results.table, results.report, results.figures),
    *(results.cost, results.claims, protocols.aa, protocols.flaw, protocols.scores),
    *(catalogue.activations, running.rebuild, machine.ui, machine.doctor),
):
    app.command()(command)
data_app.command("list")(machine.data_list)
data_app.command("fetch")(machine.data_fetch)


def _speak_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale is another: paths and texts hold any letters."""
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def main() -> None:
    """Run the command line: exit 0 if all is well, 1 if a run failed, 2 if the input is wrong."""
    from study.errors import InputError, RunError

    _speak_utf8()
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:
        said = mistake(error)
        leave(said, 2) if said else sys.exit(2)
    except InputError as error:
        leave(str(error), 2)
    except RunError as error:
        leave(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            leave("a path is longer than the system allows; check what was given for a path or a URL.", 2)
        if error.errno not in _NO_ROOM:
            raise
        leave(
            f"{error.filename or 'a file'} could not be written ({error.strerror}); "
            "nothing that was recorded is lost: make room, and run the same command again.",
            1,
        )
