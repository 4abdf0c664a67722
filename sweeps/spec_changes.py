"""What changed between two specs of one name, and which changes only make a sweep grow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.errors import InputError
from sweeps.spec_errors import Path, dotted, shown

if TYPE_CHECKING:
    from sweeps.spec import SweepSpec

_GROWING_NUMBERS = ("configurations", "replicates", "replicated_share")


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
        return self.path[0] in _GROWING_NUMBERS and self.new > self.old

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

    A spec may grow: more configurations, more replicates, a greater replicated share, more rivals
    after the old ones. The text of the question may change. `threads` is a part of the environment, which is
    compared elsewhere. Nothing else may change.

    Raises
    ------
    InputError
        If anything else differs; the message has a line for each key, old -> new.
    """
    found = changes(older.content(), newer.content())
    refused = [each for each in found if not each.grows and each.path != ("threads",)]
    if refused:
        raise InputError(
            f"{newer.name} already has results that were made from another spec, and under one name a spec "
            "may only add configurations, replicates or rivals (after the old ones); give the new spec "
            "another name, or take these changes back:\n" + "\n".join(f"  {change}" for change in refused)
        )


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
