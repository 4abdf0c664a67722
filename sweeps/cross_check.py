"""The check between the engines: a tenth of the blocks is trained again by the reference.

Blocks are picked by their digest, so that no result has a say in it, and the same ones are picked when a
sweep is resumed. What comes back stands in the ledger for itself and is never taken for a result.
"""

import hashlib
import importlib.util
from collections.abc import Collection, Sequence

from study.ledger import Record
from study.training import Training

CHECKED = "population"
"""The engine whose trainings are repeated."""

REFERENCE = "fit"
"""The engine that repeats them."""

SHARE = 0.1
"""Share of the blocks that are repeated; at least one is."""


def chosen(trainings: Sequence[Training]) -> list[Training]:
    """Return the trainings of a design that are repeated: whole blocks, in the order of the design."""
    lots = {each.block: _lot(each) for each in trainings}
    if not lots:
        return []
    limit = max(SHARE, min(lots.values()))
    return [each for each in trainings if lots[each.block] <= limit]


def missing(trainings: Sequence[Training], checked: Collection[str]) -> list[Training]:
    """Return what is still to be repeated, without the trainings whose digests are in `checked`."""
    return [each for each in chosen(trainings) if each.digest not in checked]


def is_due(record: Record) -> bool:
    """Return whether something is still to be repeated of what a sweep has recorded, and can be."""
    repeats = record.fingerprints[-1]["engine"] == CHECKED and is_possible()
    return repeats and bool(missing([entry.training for entry in record.entries], record.checks))


def is_possible() -> bool:
    """Return whether the framework of the reference is installed; it is not loaded."""
    return importlib.util.find_spec("tensorflow") is not None


def _lot(training: Training) -> float:
    """Return a number in [0, 1) that depends on the sweep's seed and the block alone."""
    name = f"cross-check {training.sweep_seed} {training.block}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:4], "big") / 2**32
