"""The `tuned` design: an equal budget of Optuna trials per activation, each activation its own study.

A winner, the best trial by validation, is then trained on fresh seeds; with `repeats` all of that is done
again from other seeds. Suggestions are a function of the spec, the trial's number and the results before
it: the studies that decide are rebuilt in memory from the ledger at every start, so a killed sweep goes on
exactly as an undisturbed one. With halving, which trials go on is a function of the results of a whole rung,
never of the order in which they came. The storage holds a copy for the dashboard.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from study.errors import InputError
from study.ledger import Entry
from study.question import Question
from study.training import Configuration, Level
from study.tuning import Place, derived_seed
from sweeps.design import PlannedTraining
from sweeps.search_copies import Search, SearchCopies, value_of
from sweeps.spec import SweepSpec
from sweeps.trials import distribution

if TYPE_CHECKING:
    import optuna


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


def ranked(question: Question, trials: Mapping[int, Entry]) -> list[int]:
    """Return the numbers of trials, the best by `Question.chosen_by` first.

    Parameters
    ----------
    question : Question
        Of the sweep.
    trials : dict of int to Entry
        Number to result; the smaller number is the earlier one, see `Question.ranked`.
    """
    numbers = sorted(trials)
    results = [trials[number].result for number in numbers]
    scores = (result.metrics.get(question.chosen_by) for result in results)
    return [numbers[place] for place in question.ranked((result.status for result in results), scores)]


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
        assert spec.searches is not None
        self._spec = spec
        self._question = question
        self._tuning = spec.searches
        self._distributions = {factor.name: distribution(factor) for factor in spec.factor_list}
        self._searches = [
            (repeat, place)
            for repeat in range(self._tuning.repeats)
            for place in range(len(spec.activations))
        ]
        self._studies = {search: _study() for search in self._searches}
        self._asked: dict[Search, optuna.Trial] = {}
        self._told = defaultdict[tuple[Search, int], dict[int, Entry]](dict)
        """The trials of a search at a rung, by their number."""
        self._seen = defaultdict[Search, Counter[str]](Counter)
        self._copies = SearchCopies(spec, storage, self._searches)

    def waves(self, known: Iterable[Entry] = ()) -> Iterator[list[PlannedTraining]]:
        """Yield the trainings of the sweep in parts that do not depend on each other's results.

        With an adaptive sampler a part is one trial of every search, at random it is all of them; with
        halving each rung of all searches is one; the last part are the confirmations. Trainings that are
        known are in it too, so that what is trained together does not depend on them. The caller hands every
        other result of a part to `tell` before it asks for the next one.

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
        for rung in range(1, self._tuning.rungs):
            promoted = [self._promoted(search, rung) for search in self._searches]
            wave = [self._again(at) for together in zip(*promoted, strict=True) for at in together]
            for item in wave:
                found = trials.get(item.configuration.index)
                if found is not None:
                    self.tell(found)
            yield wave
        yield [item for search in self._searches for item in self._confirmations(*search)]

    def tell(self, entry: Entry) -> None:
        """Take the result of one training."""
        import optuna

        at = self._tuning.place(entry.configuration.index)
        if at.trial is None:
            return
        search = (at.repeat, at.activation)
        self._told[search, at.rung][at.trial] = entry
        if self._tuning.adaptive:
            asked = self._asked.pop(search, None)
            if asked is None:
                self._studies[search].add_trial(
                    optuna.trial.create_trial(
                        params=dict(entry.configuration.levels),
                        distributions=self._distributions,
                        value=value_of(entry),
                    )
                )
            else:
                self._studies[search].tell(asked, value_of(entry))
        self._copies.tell(at, entry)

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

    def _promoted(self, search: Search, rung: int) -> list[Place]:
        """Return the places at a rung of the trials that go on from the one before; the others are pruned."""
        order = ranked(self._question, self._told[search, rung - 1])
        size = self._tuning.rung_trials[rung]
        self._copies.prune(search, order[size:])
        return [Place(*search, number, rung) for number in sorted(order[:size])]

    def _again(self, at: Place) -> PlannedTraining:
        """Return the training of a trial at a rung: that of the rung before, from the same seed, longer."""
        assert at.trial is not None
        before = self._told[(at.repeat, at.activation), at.rung - 1][at.trial]
        configuration = Configuration(index=self._tuning.index(at), levels=before.configuration.levels)
        return self._planned(configuration, before.training.replicate, at.activation)

    def _confirmations(self, repeat: int, place: int) -> Iterator[PlannedTraining]:
        trials = self._told[(repeat, place), self._tuning.rungs - 1]
        best = trials[ranked(self._question, trials)[0]]
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
