"""Results in the order of the design, whoever trained them and whichever came first."""

from collections.abc import Iterable, Sequence

from study.packing import Group, Pack
from study.training import TrainingResult


class InOrder:
    """Holds results back until those before them are there.

    Parameters
    ----------
    groups : sequence of Group or Pack
        What is trained, in the order in which results are given out.
    """

    def __init__(self, groups: Sequence[Group | Pack]) -> None:
        trainings = (training for group in groups for training in group.trainings)
        self._place = {training.digest: i for i, training in enumerate(trainings)}
        self._held: dict[int, TrainingResult] = {}
        self._given = 0

    def take(self, results: Iterable[TrainingResult]) -> None:
        """Take results that have come in; one that is there already counts once."""
        self._held |= {
            place: result for result in results if (place := self._place[result.digest]) >= self._given
        }

    def ready(self) -> list[TrainingResult]:
        """Return, once, the results that follow those returned before."""
        ready: list[TrainingResult] = []
        while self._given in self._held:
            ready.append(self._held.pop(self._given))
            self._given += 1
        return ready
