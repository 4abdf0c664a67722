"""The `tuned` design: an equal budget of Optuna trials per activation, each activation its own study.

A winner, the best trial by validation, is then trained on fresh seeds; with `repeats` all of that is done
again from other seeds. Suggestions are a function of the spec, the trial's number and the results before
it: the studies that decide are rebuilt in memory from the ledger at every start, so a killed sweep goes on
exactly as an undisturbed one. The storage holds a copy for the dashboard.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from study.errors import InputError
from study.ledger import Entry
from study.question import Question
from study.training import Configuration, Level, Status
from study.tuning import Place, derived_seed
from sweeps.design import PlannedTraining
from sweeps.spec import SweepSpec
from sweeps.trials import distribution, open_study, storage_errors

if TYPE_CHECKING:
    import optuna

OBJECTIVE = "validation_accuracy"
"""What a trial is judged by; a failed training counts as 0."""

Search = tuple[int, int]
"""Repeat and place of the activation."""


def refuse_missing_library(spec: SweepSpec) -> None:
    """Refuse a sampler whose library is not installed.

    Raises
    ------
    InputError
        If the sampler is `gp` and there is no PyTorch, on which Optuna's Gaussian process rests.
    """
    if spec.tuning is not None and spec.tuning.sampler == "gp" and find_spec("torch") is None:
        raise InputError(
            'tuning.sampler = "gp" needs PyTorch, which is not installed and which nothing else here needs; '
            'install it with `.venv/bin/pip install torch`, or write sampler = "tpe" or "random".'
        )


def winner(question: Question, trials: Iterable[Entry]) -> Entry:
    """Return the best trial of a search by `Question.chosen_by`.

    Parameters
    ----------
    question : Question
        Of the sweep.
    trials : iterable of Entry
        At least one, in the order of their numbers. The first of equally good ones is taken; a trial that
        failed only where all did, and then the first.
    """
    sign = 1.0 if question.higher_is_better else -1.0

    def merit(trial: Entry) -> float:
        ended = trial.result.status is Status.OK
        return sign * trial.result.metrics[question.chosen_by] if ended else float("-inf")

    return max(trials, key=merit)


class Tuner:
    """The studies of a `tuned` sweep, one per activation and repeat.

    Parameters
    ----------
    spec : SweepSpec
        Design `tuned`.
    question : Question
        Of that sweep; it says what winners are chosen by.
    storage : BaseStorage
        Takes the copy of each study.
    """

    def __init__(self, spec: SweepSpec, question: Question, storage: "optuna.storages.BaseStorage") -> None:
        assert spec.tuning is not None
        self._spec = spec
        self._question = question
        self._tuning = spec.tuning.tuning
        self._distributions = {factor.name: distribution(factor) for factor in spec.factor_list}
        self._searches = [
            (repeat, place)
            for repeat in range(self._tuning.repeats)
            for place in range(len(spec.activations))
        ]
        self._studies = {search: _study() for search in self._searches}
        self._asked: dict[Search, optuna.Trial] = {}
        self._trials: dict[Search, dict[int, Entry]] = {search: {} for search in self._searches}
        self._seen = defaultdict[Search, Counter[str]](Counter)
        self._copies = {search: self._copy(storage, *search) for search in self._searches}
        self._copied = {
            trial.user_attrs.get("training")
            for copy in self._copies.values()
            for trial in copy.get_trials(deepcopy=False)
        }

    def _copy(self, storage: "optuna.storages.BaseStorage", repeat: int, place: int) -> "optuna.Study":
        again = f" (repeat {repeat + 1})" if repeat else ""
        return open_study(
            storage,
            f"{self._spec.name}/{self._spec.activations[place]}{again}",
            value=f"{OBJECTIVE} (points)",
            about={"question": self._spec.question, "value": "of one training; 0 where it failed"},
        )

    def waves(self, known: Iterable[Entry] = ()) -> Iterator[list[PlannedTraining]]:
        """Yield the trainings of the sweep in parts that do not depend on each other's results.

        With an adaptive sampler a part is one trial of every search, at random it is all of them; the last
        part are the confirmations. Trainings that are known are in it too, so that what is trained together
        does not depend on them. The caller hands every other result of a part to `tell` before it asks for
        the next one.

        Parameters
        ----------
        known : iterable of Entry
            Recorded trainings, in any order.
        """
        trials: dict[int, Entry] = {}
        for entry in known:
            if self._tuning.place(entry.configuration.index).trial is not None:
                trials[entry.configuration.index] = entry
        numbers = list(range(self._tuning.trials))
        for step in [[number] for number in numbers] if self._tuning.adaptive else [numbers]:
            wave: list[PlannedTraining] = []
            for number, (repeat, place) in itertools.product(step, self._searches):
                at = Place(repeat, place, number)
                found = trials.get(self._tuning.index(at))
                if found is not None:
                    self.tell(found)
                configuration = found.configuration if found is not None else self._suggest(at)
                seen = self._seen[repeat, place]
                wave.append(self._planned(configuration, seen[configuration.digest], place))
                seen[configuration.digest] += 1
            yield wave
        yield [item for search in self._searches for item in self._confirmations(*search)]

    def tell(self, entry: Entry) -> None:
        """Take the result of one training."""
        import optuna

        at = self._tuning.place(entry.configuration.index)
        if at.trial is None:
            return
        search = (at.repeat, at.activation)
        self._trials[search][at.trial] = entry
        ok = entry.result.status is Status.OK
        trial = optuna.trial.create_trial(
            params=dict(entry.configuration.levels),
            distributions=self._distributions,
            value=entry.result.metrics[OBJECTIVE] if ok else 0.0,
            user_attrs={"training": entry.training.digest, "status": str(entry.result.status)},
        )
        if self._tuning.adaptive:
            asked = self._asked.pop(search, None)
            if asked is None:
                self._studies[search].add_trial(trial)
            else:
                self._studies[search].tell(asked, trial.value)
        if entry.training.digest not in self._copied:
            self._copied.add(entry.training.digest)
            with storage_errors():
                self._copies[search].add_trial(trial)

    def _suggest(self, at: Place) -> Configuration:
        search = (at.repeat, at.activation)
        assert at.trial is not None
        # Of the trial and not of the activation: at random all activations try the same settings.
        seed = derived_seed(f"{self._tuning.seed(self._spec.seed, at)} trial {at.trial}")
        # What is drawn at random depends on no history, and a study takes the longer the more it holds.
        study = self._studies[search] if self._tuning.adaptive else _study()
        study.sampler = _sampler(self._tuning.sampler, seed)
        trial = study.ask(self._distributions)
        if self._tuning.adaptive:
            self._asked[search] = trial
        levels: dict[str, Level] = trial.params
        return Configuration(index=self._tuning.index(at), levels=levels)

    def _confirmations(self, repeat: int, place: int) -> Iterator[PlannedTraining]:
        trials = self._trials[repeat, place]
        best = winner(self._question, (trials[number] for number in sorted(trials)))
        index = self._tuning.index(Place(repeat, place, None))
        configuration = Configuration(index=index, levels=best.configuration.levels)
        for replicate in range(self._tuning.confirm):
            yield self._planned(configuration, replicate, place)

    def _planned(self, configuration: Configuration, replicate: int, place: int) -> PlannedTraining:
        activation = self._spec.activations[place]
        return PlannedTraining(
            training=self._spec.training_for(configuration, replicate, activation),
            configuration=configuration,
        )


def _study() -> "optuna.Study":
    import optuna

    return optuna.create_study(direction="maximize")


def _sampler(name: str, seed: int) -> "optuna.samplers.BaseSampler":
    import optuna

    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}[name](seed=seed)
