"""The `tuned` design: an equal budget of Optuna trials per activation, each activation its own study.

Suggestions are a function of the spec, the trial's number and the results before it: the studies
that decide are rebuilt in memory from the ledger at every start, so a killed sweep goes on exactly
as an undisturbed one. The storage holds a copy for the dashboard.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from study.ledger import Entry
from study.training import Configuration, Level, Status
from sweeps.design import PlannedTraining
from sweeps.spec import SweepSpec
from sweeps.trials import distribution, open_study, storage_errors

if TYPE_CHECKING:
    import optuna

OBJECTIVE = "validation_accuracy"
"""What a trial is judged by; a failed training counts as 0."""


class Tuner:
    """The studies of a `tuned` sweep, one per activation.

    Parameters
    ----------
    spec : SweepSpec
        Design `tuned`.
    storage : BaseStorage
        Takes the copy of each study.
    """

    def __init__(self, spec: SweepSpec, storage: "optuna.storages.BaseStorage") -> None:
        import optuna

        assert spec.tuning is not None
        self._spec = spec
        self._tuning = spec.tuning
        self._distributions = {factor.name: distribution(factor) for factor in spec.factor_list}
        self._studies = {name: optuna.create_study(direction="maximize") for name in spec.activations}
        self._copies = {
            name: open_study(
                storage,
                f"{spec.name}/{name}",
                value=f"{OBJECTIVE} (points)",
                about={"question": spec.question, "value": "of one training; 0 where it failed"},
            )
            for name in spec.activations
        }
        self._seen: dict[str, dict[str, int]] = {name: {} for name in spec.activations}

    def planned(self, known: Mapping[int, Entry]) -> Iterator[PlannedTraining]:
        """Yield the trainings that are missing, each suggested when its turn comes.

        The caller hands the result of each one to `tell` before it asks for the next.

        Parameters
        ----------
        known : dict of int to Entry
            Recorded trainings by the index of their configuration.
        """
        for number in range(self._tuning.trials):
            for place, activation in enumerate(self._spec.activations):
                index = place * self._tuning.trials + number
                if index in known:
                    self.tell(known[index])
                else:
                    yield self._suggest(activation, index, number)

    def tell(self, entry: Entry) -> None:
        """Take the result of one training."""
        import optuna

        activation, levels = entry.training.activation, dict(entry.configuration.levels)
        seen = self._seen[activation]
        seen[entry.configuration.digest] = seen.get(entry.configuration.digest, 0) + 1
        ok = entry.result.status is Status.OK
        trial = optuna.trial.create_trial(
            params=levels,
            distributions=self._distributions,
            value=entry.result.metrics[OBJECTIVE] if ok else 0.0,
            user_attrs={"training": entry.training.digest, "status": str(entry.result.status)},
        )
        self._studies[activation].add_trial(trial)
        copy, told = self._copies[activation], self._studies[activation].get_trials(deepcopy=False)
        with storage_errors():
            if len(copy.get_trials(deepcopy=False)) < len(told):
                copy.add_trial(trial)

    def _suggest(self, activation: str, index: int, number: int) -> PlannedTraining:
        import optuna

        name = f"{self._spec.seed} {number}".encode()
        seed = int.from_bytes(hashlib.sha256(name).digest()[:4], "big")
        samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
        history = optuna.create_study(direction="maximize", sampler=samplers[self._tuning.sampler](seed=seed))
        history.add_trials(self._studies[activation].get_trials(deepcopy=False))
        levels: dict[str, Level] = history.ask(self._distributions).params
        configuration = Configuration(index=index, levels=levels)
        replicate = self._seen[activation].get(configuration.digest, 0)
        return PlannedTraining(
            training=self._spec.training_for(configuration, replicate, activation),
            configuration=configuration,
        )
