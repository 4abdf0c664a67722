"""Checks of an installation: what is there, what is missing, and what to do about it."""

import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from study import datasets, environment
from study.errors import InputError, RunError
from study.training import Configuration, Status
from sweeps.engines import grouped
from sweeps.executors import ChildExecutor
from sweeps.home import Home
from sweeps.spec import parse
from sweeps.training_process import ENGINES, Setup

_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "statsmodels", "mlflow", "optuna")
"""What is looked up beside the packages of the engines."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Parameters
    ----------
    subject : str
        What was looked at.
    fine : bool
        Whether it is as it should be; a data set that is not there is fine.
    words : str
        What was found, and what to do where it is not fine.
    usable : bool
        False for a data set that is not there under its name.
    """

    subject: str
    fine: bool
    words: str
    usable: bool = True


def examine(home: Home, data: Path | None, *, gpu: bool) -> list[Finding]:
    """Return all findings; the training process is started once for each engine.

    Parameters
    ----------
    home : Home
        Checked for being writable.
    data : Path or None
        Folder with data sets.
    gpu : bool
        Whether one block must train on a GPU with each engine.
    """
    return [*_software(), *_machine(home), *_engines(gpu=gpu), *data_findings(data)]


def _software() -> Iterator[Finding]:
    supported = (3, 11) <= sys.version_info < (3, 14)
    yield Finding("Python", supported, f"{platform.python_version()} (needed: 3.11 to 3.13)")
    wanted = ["mishstudy", "keras", *(name for names in environment.PACKAGES.values() for name in names)]
    for package in [*wanted, *_PACKAGES]:
        try:
            yield Finding(package, True, version(package))
        except PackageNotFoundError:
            yield Finding(package, False, "not installed; run `make setup`")
    spec = importlib.util.find_spec("sweeps")
    ours = Path(__file__).parent
    found = Path(spec.origin).parent if spec and spec.origin else None
    yield Finding("package sweeps", found == ours, f"{found}" + ("" if found == ours else f" hides {ours}"))


def _machine(home: Home) -> Iterator[Finding]:
    yield Finding("processor", True, f"{environment.processor()}, {os.cpu_count()} cores")
    try:
        existing = next(path for path in (home.root, *home.root.parents) if path.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass
        yield Finding("home", True, f"{home.root} can be written")
    except OSError as error:
        yield Finding(
            "home", False, f"{home.root} can not be written ({error.strerror}); name another with --home"
        )


_BLOCK = """
name = "doctor"
question = "Does a block train?"
focus = "mish"
activations = ["relu"]
dataset = "digits"
train_size = 128
architecture = "mlp"
configurations = 1
epochs = 2
delta = 1.0
[factors.depth]
role = "condition"
levels = [2, 3]
"""


def _engines(*, gpu: bool) -> Iterator[Finding]:
    spec = parse(_BLOCK, "doctor")
    configuration = Configuration(index=0, levels={"depth": 2})
    trainings = [spec.training_for(configuration, 0, name) for name in spec.activations]
    for engine in ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "training.log"
            setup = Setup(
                engine=engine,
                threads=spec.threads,
                dataset="digits",
                train_size=128,
                data=None,
                import_from=Path(folder),
            )
            executor = ChildExecutor(setup, log=log)
            try:
                ready = executor.start()
                results = list(executor.train(grouped(engine, "gpu", trainings, ()))) if gpu else []
            except (InputError, RunError) as error:
                words = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
                yield Finding(f"engine {engine}", False, f"{error} {words[-300:]}".strip())
                continue
            finally:
                executor.stop()
        backend = environment.PACKAGES[engine][0]
        words = f"Keras on {backend} starts; device {ready.device}, threads pinned to {spec.threads}"
        yield Finding(f"engine {engine}", True, words)
        if gpu:
            trained = all(result.status is Status.OK for result in results)
            fine = trained and ready.device != "cpu"
            words = (
                "one block trained on a GPU"
                if fine
                else "no GPU was used: the engine sees none; see docs/gpu.md"
            )
            yield Finding(f"engine {engine} on a GPU", fine, words)


def data_findings(folder: Path | None) -> Iterator[Finding]:
    """Yield one finding for each data set."""
    found = [datasets.verify(name, folder) for name in datasets.DATASETS]
    # One file may be sound under one of two names: the repaired copy of CIFAR-10.
    sound = {one.path for one in found if one.checksum != "different"}
    for one in found:
        usable = one.checksum not in ("different", "unknown")
        fine = one.checksum != "different" or one.path in sound
        yield Finding(f"data set {one.name}", fine, one.sentence, usable=usable)


def render(findings: list[Finding]) -> RenderableType:
    """Return the findings as something that Rich prints."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "checked", "found"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        mark = Text("!!", style="bold red")
        if finding.fine:
            mark = Text("ok", style="green") if finding.usable else Text("-", style="dim")
        table.add_row(mark, Text(finding.subject), Text(finding.words))
    return table


def render_data(folder: Path | None) -> RenderableType:
    """Return the list of data sets as something that Rich prints."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "images", "classes", "licence", "found"):
        table.add_column(heading, overflow="fold")
    for name, card in datasets.DATASETS.items():
        images = f"{card.train_size} / {card.validation_size} / {card.test_size}"
        found = datasets.verify(name, folder)
        table.add_row(
            *(Text(cell) for cell in (name, images, str(card.classes), card.licence, found.sentence))
        )
    return table
