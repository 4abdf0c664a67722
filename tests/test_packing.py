"""Which trainings go together: a pure function of the design, whatever is recorded already."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from engine_children import design

from study.packing import Pack, groups, packs
from study.programs import program_of
from study.training import Training

ACTIVATIONS = ("mish", "relu", "swish")
MEMBERS = 12


@pytest.fixture
def blocks(training: Training) -> list[Training]:
    """Return 21 blocks of three programs; the middle one has ten, the others five and six."""
    batch_sizes = [16] * 5 + [32] * 10 + [64] * 6
    return [
        replace(
            training,
            batch_size=size,
            configuration=f"{number:016x}",
            optimizer=("sgd", "adam")[number % 2],
            learning_rate=0.001 * (number + 1),
        )
        for number, size in enumerate(batch_sizes)
    ]


def test_groups_keep_the_activations_of_a_program_together(blocks: list[Training]) -> None:
    asked = design(blocks, ACTIVATIONS)
    made = groups(asked)
    assert sorted(each.digest for group in made for each in group.trainings) == sorted(
        each.digest for each in asked
    )
    for group in made:
        assert {program_of(each) for each in group.trainings} == {group.program}
    families = [(group.program.batch_size, group.program.optimizer) for group in made]
    assert [families[i] for i in range(0, len(families), 3)] == list(dict.fromkeys(families))
    assert [group.program.activation for group in made] == list(ACTIVATIONS) * 6


def test_a_group_without_what_is_done_keeps_its_order(blocks: list[Training]) -> None:
    group = groups(design(blocks, ACTIVATIONS))[0]
    first, *others = group.trainings
    left = group.without({first.digest})
    assert left is not None
    assert left.trainings == tuple(others)
    assert group.without({each.digest for each in group.trainings}) is None
    assert group.at_stake == 1


def test_every_training_is_in_one_pack_and_packs_have_one_size(blocks: list[Training]) -> None:
    asked = design(blocks, ACTIVATIONS)
    made = packs(asked, MEMBERS)
    # Five, ten and six blocks in packs of four.
    assert [len(pack.trainings) for pack in made] == [12, 3, 12, 12, 6, 12, 6]
    assert [each for pack in made for each in pack.trainings] == asked
    assert {len(pack.members) for pack in made} == {MEMBERS}
    assert {pack.blocks for pack in made} == {MEMBERS // len(ACTIVATIONS)}


def test_members_lie_activation_by_activation(blocks: list[Training]) -> None:
    for pack in packs(design(blocks, ACTIVATIONS), MEMBERS):
        for number, activation in enumerate(ACTIVATIONS):
            part = pack.members[number * pack.blocks : (number + 1) * pack.blocks]
            assert {each.activation for each in part} == {activation}
            assert [replace(each, activation="") for each in part] == [
                replace(each, activation="") for each in pack.members[: pack.blocks]
            ]


def test_what_a_pack_shares_is_what_its_program_is_built_from(blocks: list[Training]) -> None:
    varied = [
        *blocks,
        *(replace(each, epochs=9) for each in blocks[:2]),
        *(replace(each, checkpoint="best") for each in blocks[:2]),
        *(replace(each, input_noise=0.2, noise_at="test") for each in blocks[:2]),
        *(replace(each, input_noise=0.2) for each in blocks[:2]),
    ]
    for pack in packs(design(varied, ACTIVATIONS), MEMBERS):
        assert {
            replace(program_of(each), activation="", optimizer="", noisy=True) for each in pack.members
        } == {pack.program}
        assert {each.epochs for each in pack.members} == {pack.epochs}
        assert {each.checkpoint == "best" for each in pack.members} == {pack.best}
        assert {each.noise_at == "test" and each.input_noise > 0 for each in pack.members} == {
            pack.noisy_scores
        }
        assert {each.optimizer for each in pack.members} <= set(pack.optimizers)


def test_what_costs_nothing_at_a_rate_of_0_makes_no_other_program(blocks: list[Training]) -> None:
    changes = (
        {"gradient_clipping": 1.0}, {"dropout": 0.2}, {"mixup": 0.4}, {"input_noise": 0.1},
        {"augmentation": "shift"},
    )  # fmt: skip
    varied = [replace(block, **changes[i % 5]) for i, block in enumerate(blocks[:5])]
    (program,) = {pack.program for pack in packs(design(varied, ACTIVATIONS), MEMBERS)}
    assert (program.dropping, program.mixed, program.noisy) == (True, True, True)
    assert (program.clipping, program.augmentation) == (True, "shift")
    own = [replace(block, architecture="mine:network") for block in varied]
    assert len({pack.program for pack in packs(design(own, ACTIVATIONS), MEMBERS)}) == 5


def test_moving_rates_make_one_shape_of_all_policies_and_none_where_there_are_none(
    blocks: list[Training],
) -> None:
    policies = ("constant", "cosine", "one_cycle", "step", "constant")
    varied = [
        replace(block, learning_rate_policy=policy)
        for block, policy in zip(blocks[:5], policies, strict=True)
    ]
    moving, still = (packs(design(each, ACTIVATIONS), MEMBERS) for each in (varied, blocks[:5]))
    assert len({pack.shape for pack in moving}) == 1
    assert all(pack.scheduled for pack in moving)
    assert not any(pack.scheduled for pack in still)
    assert {pack.shape for pack in moving}.isdisjoint({pack.shape for pack in still})


def test_blocks_without_some_activations_are_packed_by_activation(blocks: list[Training]) -> None:
    """As the winners of searches, each with its own settings: nothing is trained that was not asked for."""
    whole = design(blocks[:4], ACTIVATIONS)
    alone = [replace(block, activation=ACTIVATIONS[i % 2], replicate=7) for i, block in enumerate(blocks[:5])]
    found = packs([*whole, *alone], MEMBERS)
    assert sorted(each.digest for pack in found for each in pack.trainings) == sorted(
        each.digest for each in (*whole, *alone)
    )
    assert {pack.activations for pack in found} == {ACTIVATIONS, ACTIVATIONS[:1], ACTIVATIONS[1:2]}


def test_a_pack_is_left_whole_until_all_of_it_is_done(blocks: list[Training]) -> None:
    pack = packs(design(blocks, ACTIVATIONS), MEMBERS)[0]
    digests = [each.digest for each in pack.trainings]
    assert pack.without(digests[:-1]) is pack
    assert pack.without(digests) is None
    assert pack.at_stake == len(digests)


def test_a_design_that_grows_keeps_its_full_packs(blocks: list[Training]) -> None:
    small = packs(design(blocks[:13], ACTIVATIONS), MEMBERS)
    large = packs(design(blocks, ACTIVATIONS), MEMBERS)
    assert [pack for pack in small if len(pack.trainings) == MEMBERS] == [large[0], large[2], large[3]]


def test_more_activations_than_members_make_packs_of_one_block(blocks: list[Training]) -> None:
    made = packs(design(blocks[:2], ACTIVATIONS), 2)
    assert [pack.blocks for pack in made] == [1, 1]


def test_networks_that_keep_the_device_busy_are_packed_block_by_block(blocks: list[Training]) -> None:
    wide = [replace(each, architecture_arguments=(("depth", 3), ("width", 512))) for each in blocks]
    asked = design([*blocks, *wide], ACTIVATIONS)
    made = packs(asked, MEMBERS, enough=4e6)
    assert [pack.blocks for pack in made] == [4] * 7 + [1] * 21
    assert [each for pack in made for each in pack.trainings] == asked


def test_packs_do_not_depend_on_the_hash_seed() -> None:
    code = """
from pathlib import Path
from study.packing import packs
from sweeps import design
from sweeps.spec import load
spec = load(Path("sweeps/quickstart.toml"))
print(*packs([item.training for item in design.trainings(spec)], 24), sep="\\n")
"""
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(printed) == 1
    assert printed.pop().count(Pack.__name__) == 10
