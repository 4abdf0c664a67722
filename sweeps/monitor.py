"""Who watches a sweep."""

from typing import Protocol

from study.ledger import Entry
from study.question import Question
from study.reports import EpochDone


class Monitor(Protocol):
    """Watches a sweep: the terminal's side of the loop."""

    def begin(self, question: Question, done: int, programs: int) -> None:
        """Take the number of trainings done before, and of compiled programs still to run, 0 if unknown."""
        ...

    def trained(self, entry: Entry, whole: int) -> None:
        """Take one recorded training, and the number of configurations that have all of theirs."""
        ...

    def epoch(self, done: EpochDone) -> None:
        """Take that trainings, which are not recorded yet, are an epoch further."""
        ...

    def check(self, left: int) -> None:
        """Take that all is trained, and how many trainings the reference engine repeats now."""
        ...

    def checked(self) -> None:
        """Take that one of those is recorded."""
        ...

    def note(self, sentence: str) -> None:
        """Take one sentence for people."""
        ...
