"""What every engine is: a holder of the data set that trains groups of trainings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from study import datasets
from study.reports import Report
from study.training import Training, TrainingResult
from study.tryout import try_out


class Engine(ABC):
    """Trains; keeps the last data set.

    Parameters
    ----------
    data : Path or None
        Folder with data sets.
    report : callable
        Is told what happens beside results.
    """

    def __init__(self, data: Path | None = None, report: Callable[[Report], None] = lambda _: None) -> None:
        self._data = data
        self._report = report
        self._loaded: tuple[tuple[str, int | None], datasets.Dataset] | None = None

    @abstractmethod
    def train(self, groups: Sequence[Any]) -> Iterator[TrainingResult]:
        """Train group after group; failures are results, and only bad input raises.

        Where memory does not suffice for a pack, the engine reports a `Split` and ends; the caller goes on
        with smaller packs of that shape.

        Parameters
        ----------
        groups : sequence of Group or of Pack
            As `study.packing` makes them for the engine.

        Yields
        ------
        TrainingResult
            In the order of the groups and of the trainings in each.

        Raises
        ------
        InputError
            If a data set, or a user's own function, is not usable.
        """

    def check(self, trainings: Sequence[Training]) -> None:
        """Build the network of each training and send one batch through it.

        Raises
        ------
        InputError
            If a user's own activation or architecture raises, or does not return what it should.
        """
        for training in trainings:
            try_out(training, self.load(training.dataset, training.train_size))

    def hold(self, dataset: str, train_size: int | None, loaded: datasets.Dataset) -> None:
        """Take a data set that was loaded elsewhere, as `load` would."""
        self._loaded = (dataset, train_size), loaded

    def load(self, dataset: str, train_size: int | None) -> datasets.Dataset:
        """Return a data set, loading it where it is not the last one used.

        Raises
        ------
        InputError
            If it is missing, damaged or not what it should be.
        """
        if self._loaded is None or self._loaded[0] != (dataset, train_size):
            self._loaded = None
            self._loaded = (dataset, train_size), datasets.load(dataset, self._data, train_size=train_size)
        return self._loaded[1]
