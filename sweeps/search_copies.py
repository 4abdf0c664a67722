"""The searches of a `tuned` sweep as Optuna's dashboard shows them: a study each, copies to look at.

Nothing is suggested or decided by them. A trial is complete once it is trained. With halving it has a value
at every rung that it was trained at, under the epochs of that rung, and runs until the rung is whole: then it
is pruned, or goes on. All of that can be told again, from any point on, and ends the same.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.datacards import task_of
from study.ledger import Entry
from study.tasks import SCORES, Task
from study.training import Status
from study.tuning import Place
from sweeps.spec import SweepSpec
from sweeps.trials import distribution, open_study, storage_errors

if TYPE_CHECKING:
    import optuna

OBJECTIVES: Mapping[Task, str] = {task: f"validation_{scores[0]}" for task, scores in SCORES.items()}
"""What a trial is judged by, in points; a failed training counts as 0."""

Search = tuple[int, int]
"""Repeat and place of the activation."""


def value_of(entry: Entry) -> float:
    """Return what Optuna is told of a training."""
    if entry.result.status is not Status.OK:
        return 0.0
    return entry.result.metrics[OBJECTIVES[task_of(entry.training.dataset)]]


@dataclass
class _Shown:
    """What the storage has of a trial: its identity there, its values by their epochs, whether it is over."""

    identity: int
    values: dict[int, float]
    over: bool


class SearchCopies:
    """Copies of the searches of a `tuned` sweep.

    Parameters
    ----------
    spec : SweepSpec
        Design `tuned`.
    storage : BaseStorage
        Where they are kept.
    searches : collection of (int, int)
        Repeat and place of the activation of each.
    """

    def __init__(
        self, spec: SweepSpec, storage: "optuna.storages.BaseStorage", searches: Collection[Search]
    ) -> None:
        assert spec.searches is not None
        self._tuning = spec.searches
        self._storage = storage
        self._together: Callable[[], AbstractContextManager[None]] = getattr(storage, "together", nullcontext)
        self._distributions = {factor.name: distribution(factor) for factor in spec.factor_list}
        self._studies = {search: _copy(spec, storage, *search) for search in searches}
        self._shown = {
            trial.user_attrs.get("training"): _Shown(
                trial._trial_id, dict(trial.intermediate_values), trial.state.is_finished()
            )
            for study in self._studies.values()
            for trial in study.get_trials(deepcopy=False)
        }
        self._firsts: dict[tuple[Search, int], str] = {}

    @storage_errors()
    def tell(self, at: Place, entry: Entry) -> None:
        """Show the result of a trial at a rung, after those of the rungs before it."""
        import optuna

        assert at.trial is not None
        search = (at.repeat, at.activation)
        if at.rung == 0:
            self._firsts[search, at.trial] = entry.training.digest
        digest = self._firsts[search, at.trial]
        shown = self._shown.get(digest)
        if shown is None:
            shown = self._shown[digest] = self._begin(search, entry)
        epochs, value = entry.training.epochs, value_of(entry)
        if shown.over or epochs in shown.values:
            return
        with self._together():
            self._storage.set_trial_user_attr(shown.identity, "status", str(entry.result.status))
            self._storage.set_trial_intermediate_value(shown.identity, epochs, value)
            shown.values[epochs] = value
            if at.rung == self._tuning.rungs - 1:
                self._end(shown, optuna.trial.TrialState.COMPLETE)

    @storage_errors()
    def prune(self, search: Search, numbers: Collection[int]) -> None:
        """Show that trials of a rung, all of which have been told, do not go on."""
        import optuna

        with self._together():
            for number in numbers:
                self._end(self._shown[self._firsts[search, number]], optuna.trial.TrialState.PRUNED)

    def _begin(self, search: Search, entry: Entry) -> _Shown:
        """Add a trial: a whole one, or with halving one that runs on and has a value at its first rung."""
        import optuna

        whole = self._tuning.halving is None
        values = {entry.training.epochs: value_of(entry)}
        states = optuna.trial.TrialState
        trial = optuna.trial.create_trial(
            state=states.COMPLETE if whole else states.RUNNING,
            value=value_of(entry) if whole else None,
            intermediate_values=None if whole else values,
            params=dict(entry.configuration.levels),
            distributions=self._distributions,
            user_attrs={"training": entry.training.digest, "status": str(entry.result.status)},
        )
        identity = self._storage.create_new_trial(self._studies[search]._study_id, template_trial=trial)
        return _Shown(identity, values, whole)

    def _end(self, shown: _Shown, state: "optuna.trial.TrialState") -> None:
        if not shown.over:
            last = shown.values[max(shown.values)]
            self._storage.set_trial_state_values(shown.identity, state, [last])
            shown.over = True


def _copy(spec: SweepSpec, storage: "optuna.storages.BaseStorage", repeat: int, place: int) -> "optuna.Study":
    again = f" (repeat {repeat + 1})" if repeat else ""
    return open_study(
        storage,
        f"{spec.name}/{spec.activations[place]}{again}",
        value=f"{OBJECTIVES[spec.task]} (points)",
        about={"question": spec.question, "value": "of one training; 0 where it failed"},
    )
