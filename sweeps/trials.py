"""Optuna holds the design: one study per sweep, one trial per configuration.

All configurations are enqueued before anything is trained, so no outcome can move the design. What
Optuna is told for a configuration is the mean paired difference focus - first rival, so that the
dashboard's importance plot shows what matters for the question.
"""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from study.errors import InputError, RunError
from study.ledger import Entry
from study.profile import best_entries
from study.question import Factor, Question
from study.redaction import redact
from study.training import Configuration, Status

if TYPE_CHECKING:
    import optuna


def open_storage(journal: Path, url: str | None) -> "optuna.storages.BaseStorage":
    """Open the storage: the journal file of the home, or the database a user names.

    Parameters
    ----------
    journal : Path
        Used where `url` is None, see `sweeps.journal.Journal`.
    url : str or None
        SQLAlchemy URL that passed `check_storage_url`.

    Raises
    ------
    InputError
        If the journal can not be read, or the database not be opened; the URL is redacted.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url is None:
        from sweeps.journal import Journal

        try:
            return Journal(journal)
        except Exception as error:  # whatever Optuna raises on lines that it did not write
            raise InputError(
                f"{journal} must be Optuna's journal, and it is damaged ({type(error).__name__}); "
                "delete it: a sweep that is run again makes its part of it from its ledger."
            ) from None
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        return optuna.storages.RDBStorage(url)
    except Exception as error:
        reason = redact(str(error)).partition("\n")[0]
        raise InputError(
            f"the Optuna storage {redact(url)} must be a database URL that can be opened, and it is not "
            f"({type(error).__name__}: {reason}); leave --storage out to use the journal file in the home."
        ) from None


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn what a storage raises that no longer answers into a sentence."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except StorageInternalError as error:
        words = redact(str(error.__cause__ or error)).partition("\n")[0]
        raise RunError(
            f"the Optuna storage could not be written ({words}); nothing that was recorded is lost: "
            "run the same sweep again when it answers."
        ) from None


def open_study(
    storage: "optuna.storages.BaseStorage", name: str, *, value: str, about: Mapping[str, str]
) -> "optuna.Study":
    """Open a study, or make it; `value` is what its trials are told, `about` its user attributes."""
    import optuna

    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    # For good: `catch_warnings` would also undo what libraries that load meanwhile, in other threads, ignore.
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study.set_metric_names([value])
    for key, text in about.items():
        study.set_user_attr(key, text)
    return study


@storage_errors()
def delete_studies(storage: "optuna.storages.BaseStorage", name: str) -> None:
    """Delete the studies of a sweep: the one of its name, or those of its activations, if there are any."""
    import optuna

    for each in optuna.get_all_study_names(storage):
        if each == name or each.startswith(f"{name}/"):
            optuna.delete_study(study_name=each, storage=storage)


def distribution(factor: Factor) -> "optuna.distributions.BaseDistribution":
    """Return a factor as an Optuna distribution."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if factor.levels is not None:
        return CategoricalDistribution(factor.levels)
    assert factor.low is not None
    assert factor.high is not None
    if factor.integer:
        return IntDistribution(int(factor.low), int(factor.high), log=factor.log, step=factor.step or 1)
    return FloatDistribution(factor.low, factor.high, log=factor.log)


@dataclass(frozen=True, slots=True)
class BlockValue:
    """What Optuna is told about a configuration."""

    difference: float
    attributes: Mapping[str, Any]


def block_value(question: Question, entries: Iterable[Entry]) -> BlockValue:
    """Return the mean paired difference focus - first rival of a complete configuration.

    Parameters
    ----------
    question : Question
        Gives metric, direction, cap and the profiled factor.
    entries : iterable of Entry
        All trainings of the configuration. Of a profiled factor each activation has its best level.
    """
    by_replicate: dict[int, dict[str, Entry]] = {}
    by_activation: dict[str, list[Entry]] = {name: [] for name in question.activations}
    for entry in best_entries(question, entries):
        by_replicate.setdefault(entry.training.replicate, {})[entry.training.activation] = entry
        by_activation[entry.training.activation].append(entry)
    differences = [
        question.difference(
            *(
                side[name].result.metrics.get(question.metric)
                if side[name].result.status is Status.OK
                else None
                for name in (question.focus, question.rivals[0])
            )
        )
        for _, side in sorted(by_replicate.items())
    ]
    attributes: dict[str, Any] = {}
    for name, group in by_activation.items():
        values = [e.result.metrics[question.metric] for e in group if e.result.status is Status.OK]
        # Six digits: the dashboard shows all there are.
        attributes[f"{question.metric} {name}"] = float(f"{fmean(values):.6g}") if values else None
        if len(values) < len(group):
            attributes[f"failed {name}"] = len(group) - len(values)
        if question.profile is not None:
            factor = question.profile.name
            attributes[f"{factor} {name}"] = [entry.profiled[factor] for entry in group]
    return BlockValue(fmean(differences), attributes)


class Trials:
    """The Optuna study of a `paired` or `ofat` sweep.

    Parameters
    ----------
    storage : BaseStorage
        From `open_storage`.
    question : Question
        Its name is the study's name.
    """

    def __init__(self, storage: "optuna.storages.BaseStorage", question: Question) -> None:
        self._distributions = {factor.name: distribution(factor) for factor in question.factors}
        self._storage = storage
        self._study = open_study(
            storage,
            question.name,
            value=f"{question.focus} - {question.rivals[0]} ({question.unit})",
            about={
                "question": question.question,
                "value": f"mean paired difference in {question.metric} over a configuration's replicates; "
                f"at most {question.loss_cap:g} {question.unit} either way, 0 where both failed",
            },
        )
        self.together: Callable[[], AbstractContextManager[None]] = getattr(storage, "together", nullcontext)
        """What is told within is written at its end, at once where the storage can do that."""
        self._trials: dict[str, int] = {}
        self._waiting: set[str] = set()
        self._told: set[str] = set()
        self._read()

    def _read(self) -> None:
        import optuna

        for frozen in self._study.get_trials(deepcopy=False):
            digest = frozen.user_attrs.get("configuration")
            if digest is None:
                continue
            self._trials[digest] = frozen._trial_id
            if frozen.state is optuna.trial.TrialState.WAITING:
                self._waiting.add(digest)
            elif frozen.state.is_finished():
                self._told.add(digest)

    @storage_errors()
    def enqueue(self, configurations: Sequence[Configuration]) -> None:
        """Enqueue the configurations that Optuna does not hold yet, in the order of the design."""
        import optuna

        trials = [
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.WAITING,
                params=dict(configuration.levels),
                distributions=self._distributions,
                user_attrs={"configuration": configuration.digest, "row": configuration.index},
            )
            for configuration in configurations
            if configuration.digest not in self._trials
        ]
        # Optuna looks up the trial that was added last: there must be one.
        self._study.add_trials(trials[:1])
        with self.together():
            self._study.add_trials(trials[1:])
        if trials:
            self._read()

    @storage_errors()
    def begin(self, configuration: Configuration) -> None:
        """Mark a configuration as running. Not by `ask`, which would first mark those enqueued before it."""
        import optuna

        if configuration.digest in self._waiting:
            self._waiting.remove(configuration.digest)
            trial = self._trials[configuration.digest]
            self._storage.set_trial_state_values(trial, optuna.trial.TrialState.RUNNING)

    @storage_errors()
    def tell(self, configuration: Configuration, value: BlockValue) -> None:
        """Tell Optuna about a complete configuration; a second time changes nothing."""
        import optuna

        if configuration.digest in self._told:
            return
        trial = self._trials[configuration.digest]
        with self.together():
            self.begin(configuration)
            for name, attribute in value.attributes.items():
                self._storage.set_trial_user_attr(trial, name, attribute)
            self._storage.set_trial_state_values(trial, optuna.trial.TrialState.COMPLETE, [value.difference])
        self._told.add(configuration.digest)
