"""What all tests share: where real data lies, and a training to vary."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from engine_children import Child, process_with
from sweep_runs import Sweep, run, write_spec

from study import datasets
from study.datasets import Dataset
from study.training import Training

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
# Small sweeps spend their time on starting processes.
os.environ.setdefault("MISHSTUDY_WORKERS", "1")
# What a script starts in the background ignores Ctrl-C, and hands that on; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder with MNIST, Fashion-MNIST, CIFAR-10 and the nuclei."""
    folder = os.environ.get("MISHSTUDY_DATA")
    if not folder:
        pytest.skip("needs real images: set MISHSTUDY_DATA to a folder with mnist.npz, cifar10.npz, ...")
    return Path(folder)


@pytest.fixture(scope="session")
def mnist(data_folder: Path) -> Dataset:
    """Return MNIST, cut and scaled."""
    return datasets.load("mnist", data_folder)


@pytest.fixture(scope="session")
def mnist_arrays(data_folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of MNIST's data file."""
    with np.load(data_folder / "mnist.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture
def training() -> Training:
    """Return a small training; vary it with `dataclasses.replace`."""
    return Training(
        dataset="digits",
        train_size=256,
        architecture="mlp",
        architecture_arguments=(("depth", 3), ("width", 16)),
        activation="mish",
        epochs=3,
        batch_size=32,
        optimizer="adam",
        learning_rate=0.005,
        sweep_seed=7,
        configuration="0123456789abcdef",
        replicate=0,
    )


@pytest.fixture(scope="session")
def child_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Child]]:
    """Return a function from an engine's name to its training process, started when it is first asked for."""
    folder, children = tmp_path_factory.mktemp("children"), dict[str, Child]()

    def child(engine: str) -> Child:
        if engine not in children:
            children[engine] = Child(engine, folder)
        return children[engine]

    yield child
    for each in children.values():
        each.executor.stop()


@pytest.fixture
def population(child_of: Callable[[str], Child]) -> Child:
    """Return the training process of the fast engine."""
    return child_of("population")


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPoolExecutor]:
    """Return a process that holds JAX."""
    with process_with("population", tmp_path_factory.mktemp("compiled")) as pool:
        yield pool


@pytest.fixture(scope="session")
def finished_sweep(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sweep]:
    """Return a function from an engine's name to a finished sweep; copy its home before you change it."""
    finished: dict[str, Sweep] = {}

    def sweep(engine: str) -> Sweep:
        if engine not in finished:
            folder = tmp_path_factory.mktemp(f"finished-{engine}")
            made = Sweep(write_spec(folder), folder / "home", engine)
            run(*made.arguments, PYTHONHASHSEED="1")
            finished[engine] = made
        return finished[engine]

    return sweep
