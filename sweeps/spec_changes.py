"""What changed between two specs of one name, and which changes only make a sweep grow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.errors import InputError
from sweeps.spec_errors import Path, dotted, shown

if TYPE_CHECKING:
    from study.ledger import Record
    from study.question import Question
    from study.training import Training
    from sweeps.spec import SweepSpec

_GROWING_NUMBERS = ("configurations", "replicates", "replicated_share", "trainings")
_GROWING_SEARCHES = (("tuning", "repeats"), ("tuning", "confirm"))


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs between two specs.

    Parameters
    ----------
    path : tuple of str
        The key.
    old, new : object
        Its values as plain JSON, None where it is not given.
    """

    path: Path
    old: Any
    new: Any

    @property
    def grows(self) -> bool:
        """Whether the design only gets larger, so that every old result stays a part of it."""
        if self.old is None or self.new is None:
            return False
        if self.path == ("activations",):
            return self.new[: len(self.old)] == self.old
        growing = self.path[0] in _GROWING_NUMBERS or self.path in _GROWING_SEARCHES
        return growing and self.new > self.old

    def __str__(self) -> str:
        """Return the line `key: old -> new`."""
        old, new = ("not given" if value is None else shown(value, 300) for value in (self.old, self.new))
        return f"{dotted(self.path)}: {old} -> {new}"


def changes(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[Change]:
    """Return the keys that differ, in the order of the newer spec, then what is gone from it.

    Parameters
    ----------
    older, newer : mapping
        What `SweepSpec.content` returned.
    """
    old, new = _by_path(older), _by_path(newer)
    return [
        Change(path, old.get(path), new.get(path))
        for path in {**new, **old}
        if old.get(path) != new.get(path)
    ]


def refuse_change(older: "SweepSpec", newer: "SweepSpec") -> None:
    """Refuse to go on under a name whose results were made from another spec.

    A spec may grow: more configurations, more replicates, a greater replicated share, more repeats or
    confirmations of a search, more rivals after the old ones. The text of the question may change. `threads`
    is a part of the environment, which is compared elsewhere. Nothing else may change.

    Raises
    ------
    InputError
        If anything else differs; the message has a line for each key, old -> new.
    """
    found = changes(older.content(), newer.content())
    _refuse([each for each in found if not each.grows and each.path != ("threads",)], newer.name)


def refuse_other_results(record: "Record", newer: "SweepSpec", question: "Question") -> None:
    """Refuse what `refuse_change` does by what the ledger alone knows, whatever became of the older spec.

    Parameters
    ----------
    record : Record
        The results there are.
    newer : SweepSpec
        The spec to go on with.
    question : Question
        Its question.

    Raises
    ------
    InputError
        If the question differs in what moves a verdict, or the settings of the trainings do.
    """
    found = changes(_asked(record.question), _asked(question))
    refused = [each for each in found if not each.grows]
    if record.entries and set(record.entries[0].levels) == set(newer.factors):
        first = record.entries[0]
        old = first.training
        again = newer.training_for(first.configuration, old.replicate, old.activation, first.profiled)
        refused += changes(_trained(old), _trained(again))
    _refuse(refused, newer.name)


def _refuse(refused: Sequence[Change], name: str) -> None:
    if refused:
        raise InputError(
            f"{name} already has results that were made from another spec, and under one name a spec "
            "may only add configurations, replicates or rivals (after the old ones), and repeats or "
            "confirmations of a search; give the new spec another name, or take these changes back:\n"
            + "\n".join(f"  {change}" for change in refused)
        )


def _asked(question: "Question") -> dict[str, Any]:
    """Return what of a question moves a verdict, under the keys of a spec, and the size of its design."""
    plain = ("focus", "design", "dataset", "architecture", "delta", "loss_cap")
    if question.design == "tuned":
        size: dict[str, Any] = {"tuning": None if question.tuning is None else question.tuning.to_json()}
    else:
        size = {"configurations": question.planned_configurations, "trainings": question.planned_trainings}
    return {key: getattr(question, key) for key in plain} | {
        "activations": list(question.rivals),
        "metric": {
            "name": question.metric,
            "direction": "maximize" if question.higher_is_better else "minimize",
        },
        "factors": [factor.to_json() for factor in question.varied],
        "profile": None if question.profile is None else [question.profile.name],
        "baseline": dict(question.baseline),
        **size,
    }


def _trained(training: "Training") -> dict[str, Any]:
    """Return the settings of a training under the keys of a spec, without its place in the design."""
    settings = training.to_json()
    for key in ("dataset", "architecture", "activation", "configuration", "replicate"):
        del settings[key]
    fixed = settings.pop("architecture_arguments")
    plain = {"seed": settings.pop("sweep_seed"), "metric": {"checkpoint": settings.pop("checkpoint")}}
    plain |= {key: settings.pop(key) for key in ("epochs", "train_size", "noise_at")}
    return {**plain, "fixed": {**settings, **fixed}}


def _by_path(content: Mapping[str, Any]) -> dict[Path, Any]:
    """Return the values by their path; the factors' order is a value of its own."""
    values: dict[Path, Any] = {}
    for key, value in content.items():
        if key == "factors":
            values[(key,)] = [factor["name"] for factor in value]
            for factor in value:
                values |= {
                    (key, factor["name"], field): held for field, held in factor.items() if field != "name"
                }
        elif isinstance(value, Mapping):
            values |= {(key, field): held for field, held in value.items()}
        else:
            values[(key,)] = value
    return values
