"""How far the sweeps of a home are."""

from collections import Counter
from datetime import UTC, datetime

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from study import ledger
from study.errors import InputError
from study.training import Status
from sweeps import cross_check
from sweeps.home import Home


def render(home: Home, names: list[str]) -> tuple[RenderableType, list[str]]:
    """Return a table with a row per sweep that can be read, and a sentence for each that can not.

    Returns
    -------
    table : RenderableType
        Something that Rich prints.
    damages : list of str
        What is wrong with the ledgers that have no row.
    """
    if not names:
        return Text(f"The home {home.root} holds no sweep yet; run `mishstudy sweep SPEC`."), []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("sweep", "trainings", "failed", "state", "last result (UTC)", "training time"):
        table.add_column(heading)
    damages: list[str] = []
    for name in names:
        try:
            table.add_row(*(Text(cell) for cell in _row(home, name)))
        except InputError as error:
            damages.append(str(error))
    return table, damages


def _row(home: Home, name: str) -> tuple[str, ...]:
    path = home.ledger(name)
    record = ledger.read(path, curves=False)
    planned, done = record.question.planned_trainings, len(record.entries)
    failures = Counter(
        entry.result.status for entry in record.entries if entry.result.status is not Status.OK
    )
    failed = ", ".join(f"{count} {status}" for status, count in sorted(failures.items())) or "0"
    if home.is_running(name):
        state = "running"
    else:
        enough = done >= planned or record.stopped_at is not None
        if not enough or cross_check.is_due(record):
            state = "stopped; resume with mishstudy sweep"
        elif done >= planned:
            state = "complete"
        else:
            state = f"stopped early: decided after {record.stopped_at} configurations"
    last = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M:%S")
    seconds = sum(entry.result.seconds + entry.result.build_seconds for entry in record.entries)
    return name, f"{done}/{planned}", failed, state, last, f"{seconds:.0f} s"
