"""Which trainings an engine takes together, a pure function of what is to be trained.

`fit` takes the trainings of one program one after another. `population` takes *packs*: a fixed number of
blocks, each with every activation. The last places of a pack are filled with repetitions, so that every pack
of a program has the same shape. A member's result does not depend on who the other members are, so a design
that grows keeps the packs it has. It does depend, in its last digits, on how many they are: where memory
allows fewer, that is recorded before it is used.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from study.batches import CHANGES
from study.programs import Program, program_of
from study.training import Training, digest_of

MEMBERS = {"cpu": 12, "gpu": 256}
"""About how many members a pack has, by kind of device; see docs/performance.md."""

ENOUGH = {"cpu": 4e6, "gpu": math.inf}
"""Operations of a layer's step, of one member, that keep a device busy: more members gain nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Trainings that share a compiled program and are trained one after another.

    Parameters
    ----------
    program : Program
        What they share.
    trainings : tuple of Training
        In the order of the design.
    """

    program: Program
    trainings: tuple[Training, ...]

    def without(self, done: Collection[str]) -> Self | None:
        """Return what is left when the trainings with the digests `done` are done."""
        left = tuple(each for each in self.trainings if each.digest not in done)
        return replace(self, trainings=left) if left else None

    @property
    def at_stake(self) -> int:
        """How many of the trainings are lost when the process dies while it trains the first."""
        return 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """Trainings that one call of a compiled program trains.

    Parameters
    ----------
    program : Program
        What they share; its activation and its optimizer are empty.
    activations : tuple of str
        Every block is trained with each. Where a learning rate is profiled, a block takes a place for each
        of its levels.
    optimizers : tuple of str
        Those that the members of this program choose from.
    epochs : int
        Of every member.
    best : bool
        Whether the weights of the best epoch are kept.
    noisy_scores : bool
        Whether noise is added to the images on which the members are scored.
    scheduled : bool
        Whether the learning rate of any training of the design moves from step to step.
    blocks : int
        Places for blocks.
    members : tuple of Training
        `blocks` x `activations` places, activation by activation; the last blocks may be repetitions.
    """

    program: Program
    activations: tuple[str, ...]
    optimizers: tuple[str, ...]
    epochs: int
    best: bool
    noisy_scores: bool
    scheduled: bool
    blocks: int
    members: tuple[Training, ...]

    @property
    def trainings(self) -> tuple[Training, ...]:
        """The members without repetitions, in the order of the design."""
        kinds = len(self.activations)
        distinct = len(dict.fromkeys(self.members)) // kinds
        return tuple(self.members[a * self.blocks + b] for b in range(distinct) for a in range(kinds))

    def without(self, done: Collection[str]) -> Self | None:
        """Return the whole pack, whose size is never changed, unless all its digests are in `done`."""
        return None if all(each.digest in done for each in self.trainings) else self

    @property
    def at_stake(self) -> int:
        """How many of the trainings are lost when the process dies while it trains the pack."""
        return len(self.trainings)

    @property
    def shape(self) -> str:
        """Identity of what is compiled for packs like this one, whatever their number of places."""
        parts = [self.program.to_json(), self.activations, self.optimizers, self.noisy_scores]
        return digest_of([*parts, "scheduled"] if self.scheduled else parts)

    def in_parts(self, blocks: int) -> list[Self]:
        """Return packs of `blocks` places for blocks that hold the same trainings in the same order."""
        distinct = list(dict.fromkeys(self.members[: self.blocks]))
        parts: list[Self] = []
        for start in range(0, len(distinct), blocks):
            chosen = distinct[start : start + blocks]
            chosen += chosen[-1:] * (blocks - len(chosen))
            members = (replace(block, activation=name) for name in self.activations for block in chosen)
            parts.append(replace(self, blocks=blocks, members=tuple(members)))
        return parts


def groups(trainings: Sequence[Training]) -> list[Group]:
    """Group trainings by compiled program, for an engine that trains one after another.

    Programs that differ in the activation alone follow each other, so that whole blocks become complete
    early. The order depends on the whole design, so that a resumed sweep goes on in the order of an
    undisturbed one.
    """
    families: dict[Program, dict[Program, list[Training]]] = {}
    for training in trainings:
        program = program_of(training)
        family = families.setdefault(replace(program, activation=""), {})
        family.setdefault(program, []).append(training)
    return [
        Group(program=program, trainings=tuple(members))
        for family in families.values()
        for program, members in family.items()
    ]


def packs(
    trainings: Sequence[Training],
    members: int,
    sizes: Mapping[str, int] | None = None,
    enough: float = math.inf,
) -> list[Pack]:
    """Pack the trainings of a whole design.

    Parameters
    ----------
    trainings : sequence of Training
        In the order of the design. A block without some of the activations, as where each activation goes
        on with its own settings, is packed by activation.
    members : int
        About how many members a pack has.
    sizes : dict of str to int
        Places for blocks, by `Pack.shape`, where memory allows fewer.
    enough : float
        Operations of a layer's step from which on a pack has one block: a place left empty costs as much as
        one that is taken.

    Returns
    -------
    list of Pack
        Every training is in exactly one.
    """
    sides: dict[Training, dict[str, None]] = {}
    for training in trainings:
        sides.setdefault(replace(training, activation=""), {})[training.activation] = None
    every = tuple(dict.fromkeys(training.activation for training in trainings))
    shared: dict[tuple[tuple[str, ...], Program, int, bool, bool], list[Training]] = {}
    programs = _joined([program_of(block) for block in sides])
    scheduled = any(training.learning_rate_policy != "constant" for training in trainings)
    for (block, activations), program in zip(sides.items(), programs, strict=True):
        noisy_scores = block.input_noise > 0 and block.noise_at == "test"
        key = (program, block.epochs, block.checkpoint == "best", noisy_scores)
        for together in [every] if len(activations) == len(every) else [(name,) for name in activations]:
            shared.setdefault((together, *key), []).append(block)
    found: list[Pack] = []
    for (activations, program, epochs, best, noisy_scores), blocks in shared.items():
        whole = Pack(
            program=program,
            activations=activations,
            optimizers=tuple(sorted({block.optimizer for block in blocks})),
            epochs=epochs,
            best=best,
            noisy_scores=noisy_scores,
            scheduled=scheduled,
            blocks=len(blocks),
            members=tuple(replace(block, activation=name) for name in activations for block in blocks),
        )
        levels = len(blocks) // len({(block.sweep_seed, block.block) for block in blocks})
        most = members if _layer_operations(program) < enough else 1
        full = whole.in_parts(levels * max(1, most // (len(activations) * levels)))
        size = (sizes or {}).get(whole.shape)
        found += full if size is None else [part for pack in full for part in pack.in_parts(size)]
    known = {training: training for training in trainings}  # these have computed their digests
    return [replace(pack, members=tuple(known[each] for each in pack.members)) for pack in found]


def _joined(programs: Sequence[Program]) -> list[Program]:
    """Return the programs of packs for those of single trainings.

    A part that some trainings of the design have, such as dropout, is in the programs of all: at a rate of 0,
    or without a bound on the gradient, it changes nothing, and costs less than compiling another program. A
    user's own network is left as it is, as it may read its rates while it is built.
    """
    parts = {
        "dropping": any(each.dropping for each in programs),
        "noisy": any(each.noisy for each in programs),
        "mixed": any(each.mixed for each in programs),
        "clipping": any(each.clipping for each in programs),
        "augmentation": max(
            (each.augmentation for each in programs), key=lambda name: len(CHANGES[name]), default="none"
        ),
    }
    return [replace(each, activation="", optimizer="", **({} if each.static else parts)) for each in programs]


def _layer_operations(program: Program) -> float:
    """Return the floating point operations of a step of a dense hidden layer: forward, and backward twice."""
    width = dict(program.architecture_arguments).get("width", 0)
    return 6.0 * float(width) ** 2 * program.batch_size if isinstance(width, int) else 0.0
