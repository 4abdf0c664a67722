"""What a training process does: it loads an engine and its data set, then trains what it is given.

It is pure: trainings in, results out. The driver holds the other end of its pipe, see `sweeps.executors`.
"""

import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study import environment
from study.errors import InputError
from study.reports import Report

if TYPE_CHECKING:
    from study.datasets import Dataset
    from study.engine import Engine

ENGINES = {"fit": ("study.fit", "FitEngine"), "population": ("study.population", "PopulationEngine")}
"""Engine name to its module, which holds `configure` and `JIT_COMPILE`, and its class there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What the processes of a sweep train with.

    Parameters
    ----------
    engine : str
        Key of `ENGINES`.
    threads : int
        Intra-op threads.
    dataset : str
        What to load and check before anything is trained.
    train_size : int or None
        As in the spec.
    data : Path or None
        Folder with data sets.
    import_from : Path
        Folder put first on the import path: where a user's own modules lie.
    """

    engine: str
    threads: int
    dataset: str
    train_size: int | None
    data: Path | None
    import_from: Path


@dataclass(frozen=True, slots=True)
class Ready:
    """What a child says when it has loaded its engine.

    Parameters
    ----------
    device : str
        `cpu` or the name of the GPU.
    jit : bool
        Whether XLA compiles the programs.
    data : dict
        `digest` of the contents of the data set, and `guess`: what guessing scores on it.
    machine : dict
        What `study.environment.machine` says there.
    """

    device: str
    jit: bool
    data: Mapping[str, Any]
    machine: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A process's word that the input is wrong."""

    message: str


class Done:
    """A child's word that all trainings it was given are done."""


def serve(connection: Connection, setup: Setup, log: Path) -> None:
    """Be the child: load the engine, then answer until the driver is gone."""
    begin_as_child(log)
    sys.path.insert(0, str(setup.import_from))
    try:
        engine, ready = loaded_engine(setup, connection.send)
        connection.send(ready)
        while True:
            task, work = connection.recv()
            if task == "check":
                engine.check(work)
            else:
                for result in engine.train(work):
                    connection.send(result)
            connection.send(Done())
    except InputError as error:
        connection.send(Refused(str(error)))
    except (EOFError, BrokenPipeError):
        return


def loaded_engine(
    setup: Setup, report: Callable[[Report], None], held: "Dataset | None" = None
) -> "tuple[Engine, Ready]":
    """Load an engine and its data set in the process that will train.

    Parameters
    ----------
    setup : Setup
        Which ones.
    report : callable
        Is told what the engine reports.
    held : Dataset or None
        The data set, where it was loaded elsewhere.

    Raises
    ------
    InputError
        If the data set is not usable.
    """
    module_name, class_name = ENGINES[setup.engine]
    with _not_installed("matplotlib", "pandas", "sklearn"):
        module = importlib.import_module(module_name)
    device = module.configure(setup.threads)
    engine: Engine = getattr(module, class_name)(setup.data, report)
    if held is not None:
        engine.hold(setup.dataset, setup.train_size, held)
    loaded = engine.load(setup.dataset, setup.train_size)
    about = {"digest": loaded.digest, "guess": loaded.guess()}
    machine = environment.machine(setup.engine)
    return engine, Ready(device=device, jit=module.JIT_COMPILE, data=about, machine=machine)


@contextmanager
def _not_installed(*names: str) -> Iterator[None]:
    """Import as if some packages were missing, unless they are loaded already.

    Keras loads these where it can, for plots and adapters that nothing here uses: it takes longer than
    Keras itself.
    """
    hidden = [name for name in names if name not in sys.modules]
    absent: dict[str, Any] = dict.fromkeys(hidden)
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def begin_as_child(log: Path) -> None:
    """Leave Ctrl-C and the terminal to the driver, and do not outlive it; what is printed goes to `log`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    _write_to(log)


def _die_with_parent() -> None:
    """End this process as soon as the driver is gone, in the middle of a training too."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _write_to(log: Path) -> None:
    """Send everything that is printed here, by C++ libraries too, to the end of a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    faulthandler.enable()
