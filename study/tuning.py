"""How a `tuned` sweep is laid out: repeats of the whole search, their trials, their confirmations, the seeds.

The index of a configuration says what it is, so that the ledger needs no more than that.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Sampler = Literal["random", "tpe", "gp"]

_PLACES = 101
"""Room for the activations of a sweep, a focus and at most 100 rivals, so that more can be added later."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration of a `tuned` sweep stands.

    Parameters
    ----------
    repeat : int
        Repeat of the whole search, from 0.
    activation : int
        Place of the activation in the spec, focus first.
    trial : int or None
        Number of the trial, from 0; None for the confirmation of the winner.
    """

    repeat: int
    activation: int
    trial: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """Size of a `tuned` sweep.

    Parameters
    ----------
    trials : int
        Configurations tried for each activation in one search.
    sampler : {"random", "tpe", "gp"}
        How they are chosen.
    repeats : int
        How often the whole search is done, each time from other seeds.
    confirm : int
        Trainings of each winner on fresh seeds.
    """

    trials: int
    sampler: Sampler
    repeats: int
    confirm: int

    @property
    def adaptive(self) -> bool:
        """Whether a trial is chosen after seeing the results of those before it."""
        return self.sampler != "random"

    def trainings(self, activations: int) -> int:
        """Return the trainings of a whole sweep with so many activations."""
        return self.repeats * activations * (self.trials + self.confirm)

    def index(self, place: Place) -> int:
        """Return the index of the configuration at a place; `place` is the other way round."""
        trial = self.trials if place.trial is None else place.trial
        return (place.repeat * _PLACES + place.activation) * (self.trials + 1) + trial

    def place(self, index: int) -> Place:
        """Return where the configuration with an index stands."""
        search, trial = divmod(index, self.trials + 1)
        repeat, activation = divmod(search, _PLACES)
        return Place(repeat, activation, None if trial == self.trials else trial)

    def seed(self, seed: int, place: Place) -> int:
        """Return the seed of the trainings at a place; all activations of a repeat share it.

        The search of the first repeat has the sweep's own seed, everything else one that is derived from it:
        a confirmation starts from weights and sees batches that no trial of its search had.
        """
        if place.repeat == 0 and place.trial is not None:
            return seed
        part = "confirmation" if place.trial is None else "search"
        return derived_seed(f"{seed} repeat {place.repeat} {part}")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build from what `to_json` returned."""
        return cls(**values)


def derived_seed(name: str) -> int:
    """Return a seed in [0, 2^31) that a name decides."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
