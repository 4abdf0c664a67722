"""When a sweep ends: once its whole design is trained, or at an earlier look that finds enough.

A look is taken at the first so many configurations of the design, once all of their trainings are recorded.
So what is trained for it is a prefix of the design, and what it finds depends neither on the order in which
trainings end nor on what was killed in between. No look ever moves the design itself.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from study.errors import InputError
from study.ledger import Entry, Record
from study.question import Question
from sweeps.design import PlannedTraining

FIRST_LOOK = 20
GROWTH = 1.25
"""A look is taken after 20 configurations and whenever there are a quarter more."""
SMALLEST_PILOT = 6
"""A standard deviation from fewer configurations says next to nothing."""
_GOOD_PILOT = 15

Enough = Callable[[Record], bool]
"""All trainings of the first configurations to whether these decide the question."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """After how many configurations to look, and what is enough.

    Parameters
    ----------
    at : tuple of int
        Numbers of configurations, ascending; the sweep ends at the last one in any case.
    enough : callable or None
        See `Enough`; None where no look but the last is taken.
    pilot : bool
        Whether the sweep ends before anything is said of the question.
    """

    at: tuple[int, ...]
    enough: Enough | None = None
    pilot: bool = False

    def due(
        self, about: Record, planned: Sequence[PlannedTraining], recorded: Mapping[str, Entry]
    ) -> tuple[int, list[PlannedTraining]]:
        """Return the look that is due or that ends the sweep, and what must be trained for it.

        Parameters
        ----------
        about : Record
            Question and environment; its entries are not looked at.
        planned : sequence of PlannedTraining
            The whole design.
        recorded : dict of str to Entry
            Digest to what is recorded.

        Returns
        -------
        look : int
            Number of configurations.
        missing : list of PlannedTraining
            In the order of the design; empty where the sweep ends with this look.
        """
        for look in self.at:
            first = [item for item in planned if item.configuration.index < look]
            missing = [item for item in first if item.training.digest not in recorded]
            if missing or look == self.at[-1]:
                return look, missing
            entries = tuple(recorded[item.training.digest] for item in first)
            if self.enough is not None and self.enough(replace(about, entries=entries)):
                return look, []
        raise AssertionError("the last look is always due")


def whole_design(question: Question) -> Looks:
    """Return that the whole design is trained, whatever comes out."""
    return Looks(at=(question.planned_configurations,))


def pilot(question: Question, configurations: int) -> Looks:
    """Return that the first configurations of a design are trained.

    Raises
    ------
    InputError
        If the design is not `paired`, or the number is out of range.
    """
    _need_paired(question, "--pilot")
    planned = question.planned_configurations
    if planned < SMALLEST_PILOT:
        raise InputError(
            f"--pilot takes at least {SMALLEST_PILOT} configurations, and the spec has {planned}; "
            "leave the option out, or raise configurations."
        )
    if not SMALLEST_PILOT <= configurations <= planned:
        raise InputError(
            f"--pilot takes from {SMALLEST_PILOT} to the {planned} configurations of the spec, and "
            f"{configurations} was given; {min(_GOOD_PILOT, planned)} are a good start."
        )
    return Looks(at=(configurations,), pilot=True)


def until_decided(question: Question, enough: Enough) -> Looks:
    """Return that a sweep ends at the first look at which `enough` says so.

    Raises
    ------
    InputError
        If the design is not `paired`.
    """
    _need_paired(question, "--until decided")
    whole = question.planned_configurations
    return Looks(at=(*takewhile(lambda look: look < whole, _growing()), whole), enough=enough)


def _growing() -> Iterator[int]:
    look = FIRST_LOOK
    while True:
        yield look
        look = math.ceil(look * GROWTH)


def _need_paired(question: Question, option: str) -> None:
    if question.design != "paired":
        raise InputError(
            f"{option} is for the design paired, as the first configurations are a sample there alone; "
            f"this spec has the design {question.design}: leave the option out."
        )
