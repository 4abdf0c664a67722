"""The design: drawn before anything is trained, a fixed prefix, the same in every process."""

import itertools
import os
import subprocess
import sys
from collections import Counter

import pytest
from scipy import stats

from study.packing import MEMBERS, Pack
from study.programs import program_of
from study.question import Factor
from sweeps import design
from sweeps.engines import grouped
from sweeps.spec import SweepSpec, parse

TEXT = """
name = "design"
question = "What is drawn?"
focus = "mish"
activations = ["relu", "swish"]
dataset = "digits"
architecture = "mlp"
configurations = {configurations}
replicated_share = {share}
epochs = 2
delta = 1.0
seed = {seed}
[factors.depth]
role = "condition"
low = 2
high = 8
step = 2
[factors.batch_size]
role = "condition"
levels = [16, 64]
[factors.learning_rate]
role = "nuisance"
low = 0.1
high = 10.0
log = true
relative = true
[factors.dropout]
role = "nuisance"
low = 0.0
high = 0.5
"""


def spec(configurations: int = 32, share: float = 0.2, seed: int = 3) -> SweepSpec:
    return parse(TEXT.format(configurations=configurations, share=share, seed=seed), "design.toml")


def test_a_larger_design_keeps_every_configuration() -> None:
    small, large = design.configurations(spec(11)), design.configurations(spec(75))
    assert large[:11] == small
    assert [c.index for c in large] == list(range(75))
    assert len({c.digest for c in large}) == 75


def test_replicates_grow_with_the_share_and_stay_with_their_configuration() -> None:
    drawn = design.configurations(spec(200))
    few = {c.digest for c in drawn if design.replicates(spec(200, 0.2), c) == 2}
    many = {c.digest for c in drawn if design.replicates(spec(200, 0.6), c) == 2}
    assert few < many
    assert stats.binomtest(len(few), 200, 0.2).pvalue > 1e-4
    assert all(design.replicates(spec(200, 1.0), c) == 2 for c in drawn)
    assert all(design.replicates(spec(200, 0.0), c) == 1 for c in drawn)


def test_levels_are_balanced_and_ranges_filled() -> None:
    drawn = [c.levels for c in design.configurations(spec(256))]
    assert Counter(levels["depth"] for levels in drawn).keys() == {2, 4, 6, 8}
    for name in ("depth", "batch_size"):
        counts = Counter(levels[name] for levels in drawn)
        assert max(counts.values()) - min(counts.values()) <= 4
    rates = sorted(float(levels["learning_rate"]) for levels in drawn)
    assert 0.1 <= rates[0] < 0.11
    assert 9.0 < rates[-1] <= 10.0
    assert 0.8 < rates[128] < 1.25


@pytest.mark.parametrize(
    ("factor", "u", "level"),
    [
        (Factor(name="f", role="condition", levels=("a", "b", "c")), 0.999, "c"),
        (Factor(name="f", role="condition", levels=("a", "b", "c")), 0.34, "b"),
        (Factor(name="f", role="condition", low=2, high=10, integer=True, step=4), 0.99, 10),
        (Factor(name="f", role="condition", low=1, high=1024, integer=True, log=True), 0.0, 1),
        (Factor(name="f", role="condition", low=1, high=1024, integer=True, log=True), 0.9999999, 1024),
        (Factor(name="f", role="condition", low=0.0, high=0.3), 0.5, 0.15),
        (Factor(name="f", role="condition", low=0.12344, high=0.2), 0.0, 0.12344),
        (Factor(name="f", role="condition", low=1e-4, high=1.0, log=True), 0.5, 0.01),
    ],
)
def test_level_at(factor: Factor, u: float, level: object) -> None:
    assert design.level_at(factor, u) == level


def test_a_small_grid_is_drawn_to_its_last_configuration() -> None:
    text = TEXT.format(configurations=8, share=0, seed=0).split("[factors.learning_rate]")[0]
    assert len({c.digest for c in design.configurations(parse(text, "grid.toml"))}) == 8


def test_blocks_share_everything_but_the_activation() -> None:
    blocks: dict[str, list[design.PlannedTraining]] = {}
    for item in design.trainings(spec(20, 0.5)):
        blocks.setdefault(item.training.block, []).append(item)
    for members in blocks.values():
        assert [m.training.activation for m in members] == ["mish", "relu", "swish"]
        plain = [{**m.training.to_json(), "activation": ""} for m in members]
        assert plain[0] == plain[1] == plain[2]
    assert len({i.training.digest for m in blocks.values() for i in m}) == 3 * len(blocks)


def test_fit_takes_programs_whole_and_ends_configurations_early() -> None:
    planned = [item.training for item in design.trainings(spec(40))]
    groups = grouped("fit", "cpu", planned, ())
    assert sorted(t.digest for g in groups for t in g.trainings) == sorted(t.digest for t in planned)
    programs = [program_of(group.trainings[0]) for group in groups]
    assert programs == [group.program for group in groups]
    assert len(set(programs)) == len(programs)
    assert [p.activation for p in programs[:3]] == ["mish", "relu", "swish"]


def test_population_takes_whole_blocks_in_packs_of_one_size() -> None:
    planned = [item.training for item in design.trainings(spec(40))]
    packs = grouped("population", "cpu", planned, ())
    assert sorted(t.digest for p in packs for t in p.trainings) == sorted(t.digest for t in planned)
    for pack in packs:
        assert isinstance(pack, Pack)
        assert len(pack.members) == MEMBERS["cpu"]
        assert Counter(t.block for t in pack.trainings) == {t.block: 3 for t in pack.trainings}
    shapes = [pack.program for pack in packs]
    assert [s for s, _ in itertools.groupby(shapes)] == list(dict.fromkeys(shapes))


@pytest.mark.parametrize("engine", ["fit", "population"])
def test_a_resumed_sweep_goes_on_in_the_same_order(engine: str) -> None:
    planned = [item.training for item in design.trainings(spec(40))]
    flat = [t.digest for group in grouped(engine, "cpu", planned, ()) for t in group.trainings]
    left = grouped(engine, "cpu", planned, set(flat[:50]))
    assert [t.digest for g in left for t in g.trainings if t.digest not in flat[:50]] == flat[50:]
    assert all(len(p.members) == MEMBERS["cpu"] for p in left if isinstance(p, Pack))


def test_ofat_moves_one_factor_at_a_time() -> None:
    text = TEXT.format(configurations=1, share=0, seed=0).split("[factors.depth]")[0]
    text = text.replace("configurations = 1\nreplicated_share = 0\n", 'design = "ofat"\nreplicates = 10\n')
    text += """
[factors.depth]
role = "condition"
levels = [2, 4, 6]
[factors.batch_size]
role = "condition"
levels = [16, 64]
[baseline]
depth = 4
batch_size = 16
"""
    drawn = [dict(c.levels) for c in design.configurations(parse(text, "ofat.toml"))]
    assert drawn == [
        {"depth": 4, "batch_size": 16},
        {"depth": 2, "batch_size": 16},
        {"depth": 6, "batch_size": 16},
        {"depth": 4, "batch_size": 64},
    ]
    planned = design.trainings(parse(text, "ofat.toml"))
    assert len(planned) == 4 * 10 * 3
    assert len({i.training.configuration for i in planned}) == 4


def test_ofat_without_factors_is_one_setting_with_many_seeds() -> None:
    text = TEXT.format(configurations=1, share=0, seed=0).split("[factors.depth]")[0]
    text = text.replace("configurations = 1\nreplicated_share = 0\n", 'design = "ofat"\nreplicates = 10\n')
    spec = parse(text + "[factors]\n", "ofat.toml")
    assert [dict(each.levels) for each in design.configurations(spec)] == [{}]
    planned = design.trainings(spec)
    assert len(planned) == 10 * 3
    assert {item.training.replicate for item in planned} == set(range(10))


def test_the_design_is_the_same_under_another_hash_seed() -> None:
    code = (
        "import sys\nsys.path.insert(0, 'tests')\nfrom test_design import spec\n"
        "from sweeps import design\nfrom sweeps.engines import grouped\n"
        "planned = [item.training for item in design.trainings(spec())]\n"
        "for engine in ('fit', 'population'):\n"
        "    print([t.digest for g in grouped(engine, 'cpu', planned, ()) for t in g.trainings])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1
    assert outputs.pop().count("\n") == 2
