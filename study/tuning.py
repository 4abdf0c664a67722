"""How a `tuned` sweep is laid out: repeats of the whole search, their trials, their confirmations, the seeds.

The index of a configuration says what it is, so that the ledger needs no more than that.

With halving a search has rungs (synchronous successive halving, the building block of Hyperband; Jamieson
and Talwalkar 2016, Li et al. 2018): all trials are trained for a few epochs, the best 1 / `halving` of them
again, from the same seed, for `halving` times as many, and so on up to the epochs of the spec. How many
trials a rung has, and of how many epochs, depends on the spec alone.
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
    rung : int
        Rung of the trial, from 0; always 0 without halving and for a confirmation.
    """

    repeat: int
    activation: int
    trial: int | None
    rung: int = 0


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
    halving : int or None
        Of the trials of a rung one in so many goes on to the next; None where every trial is trained in full.
    epochs : int or None
        With halving, the epochs of a training in full: those of the last rung.
    """

    trials: int
    sampler: Sampler
    repeats: int
    confirm: int
    halving: int | None = None
    epochs: int | None = None

    @property
    def adaptive(self) -> bool:
        """Whether a trial is chosen after seeing the results of those before it."""
        return self.sampler != "random"

    @property
    def rungs(self) -> int:
        """Rungs of a search: as many as leave a trial in the last and an epoch in the first; at least 1."""
        rungs = 1
        if self.halving is not None and self.epochs is not None:
            while min(self.trials, self.epochs) >= self.halving**rungs:
                rungs += 1
        return rungs

    @property
    def rung_trials(self) -> tuple[int, ...]:
        """Trials of each rung of a search."""
        return tuple(self.trials // (self.halving or 1) ** rung for rung in range(self.rungs))

    @property
    def rung_epochs(self) -> tuple[int, ...]:
        """Epochs of a trial at each rung, rounded down; empty without halving."""
        if self.halving is None or self.epochs is None:
            return ()
        return tuple(self.epochs // self.halving**left for left in reversed(range(self.rungs)))

    @property
    def search_epochs(self) -> int:
        """Epochs of all trials of one search, for each activation the same; 0 without halving."""
        return sum(t * e for t, e in zip(self.rung_trials, self.rung_epochs, strict=False))

    def trainings(self, activations: int) -> int:
        """Return the trainings of a whole sweep with so many activations."""
        return self.repeats * activations * (sum(self.rung_trials) + self.confirm)

    def epochs_after(self, trainings: int, activations: int) -> int:
        """Return the epochs that are left after the first trainings of a sweep with halving, rung by rung."""
        left = 0
        parts = zip(self.rung_trials, self.rung_epochs, strict=True)
        for trials, epochs in (*parts, (self.confirm, self.epochs or 0)):
            size = self.repeats * activations * trials
            done = min(trainings, size)
            trainings -= done
            left += (size - done) * epochs
        return left

    def index(self, place: Place) -> int:
        """Return the index of the configuration at a place; `place` is the other way round."""
        room = self.rungs * self.trials
        trial = room if place.trial is None else place.rung * self.trials + place.trial
        return (place.repeat * _PLACES + place.activation) * (room + 1) + trial

    def place(self, index: int) -> Place:
        """Return where the configuration with an index stands."""
        room = self.rungs * self.trials
        search, trial = divmod(index, room + 1)
        repeat, activation = divmod(search, _PLACES)
        if trial == room:
            return Place(repeat, activation, None)
        rung, number = divmod(trial, self.trials)
        return Place(repeat, activation, number, rung)

    def seed(self, seed: int, place: Place) -> int:
        """Return the seed of the trainings at a place; all activations of a repeat share it.

        The search of the first repeat has the sweep's own seed, everything else one that is derived from it:
        a confirmation starts from weights and sees batches that no trial of its search had. A trial has one
        seed at all its rungs.
        """
        if place.repeat == 0 and place.trial is not None:
            return seed
        part = "confirmation" if place.trial is None else "search"
        return derived_seed(f"{seed} repeat {place.repeat} {part}")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values, those about halving only where there is some."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build from what `to_json` returned."""
        return cls(**values)


def derived_seed(name: str) -> int:
    """Return a seed in [0, 2^31) that a name decides."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
