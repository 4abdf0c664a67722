"""The confidence sequence: its definition, its laws, and how often it is wrong under continuous looking.

The measured rates are logged; to see those of the large runs:

    python -m pytest tests/test_sequence.py -m simulation --log-cli-level=INFO
"""

import dataclasses
import logging
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import question_of, spec_with
from scipy import special, stats
from simulated_runs import Truth, simulate
from simulation_bounds import SEED, at_least, at_most

from analysis.sequence import FRACTIONS, complete_configurations, confidence_sequence, running_headlines
from analysis.statistics.compare import Verdict
from analysis.statistics.estimates import ALPHA
from analysis.statistics.pairs import pairs
from sweeps import design
from sweeps.looks import until_decided

BOUND, DELTA = 5.0, 0.5
LOG = logging.getLogger(__name__)


def capital(values: np.ndarray, mean: float) -> np.ndarray:
    """Return a gambler's capital after each value, written out; values in (sweeps, units)."""
    growth = [np.cumprod(1 - c + c * (values + BOUND) / (mean + BOUND), axis=-1) for c in FRACTIONS]
    return np.mean(growth, axis=0)


def test_the_interval_holds_what_no_gambler_could_win_against() -> None:
    values = np.clip(np.random.default_rng(1).normal(0.4, 1.0, 40), -BOUND, BOUND)
    low, high = confidence_sequence(values, bound=BOUND, alpha=ALPHA)
    for mean in np.linspace(-4.9, 4.9, 99):
        rising, falling = capital(values, mean).max(), capital(-values, -mean).max()
        assert (low <= mean <= high) == (max(rising, falling) < 2 / ALPHA)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-BOUND, BOUND), min_size=1, max_size=40))
def test_it_narrows_only_mirrors_and_stays_within_the_bound(found: list[float]) -> None:
    values = np.array(found)
    low, high = confidence_sequence(values, bound=BOUND, alpha=ALPHA)
    assert -BOUND <= low <= BOUND
    assert confidence_sequence(-values, bound=BOUND, alpha=ALPHA) == (-high, -low)
    earlier = confidence_sequence(values[: len(values) // 2 + 1], bound=BOUND, alpha=ALPHA)
    assert earlier[0] <= low + 1e-4
    assert earlier[1] >= high - 1e-4
    stricter = confidence_sequence(values, bound=BOUND, alpha=ALPHA / 3)
    assert stricter[0] <= low + 1e-4
    assert stricter[1] >= high - 1e-4


@pytest.mark.parametrize("value", [-BOUND, 0.0, BOUND])
def test_units_that_all_agree_are_no_certainty(value: float) -> None:
    few, many = (confidence_sequence(np.full(n, value), bound=BOUND, alpha=ALPHA) for n in (6, 60))
    assert few[0] <= value <= few[1]
    assert few[1] - few[0] > 2.5
    assert many[1] - many[0] < 1.2


WORLD = Truth(configurations=60, rivals=("relu", "swish"), factors=("optimizer",), replicates=2)


def test_it_is_about_the_first_configurations_that_are_complete() -> None:
    runs, question = simulate(WORLD, np.random.default_rng(2)), WORLD.question
    assert complete_configurations(runs, question) == 60
    lost = (runs["index"] == 33) & (runs["replicate"] == 1) & (runs["activation"] == "swish")
    assert complete_configurations(runs.loc[~lost], question) == 33
    assert complete_configurations(runs.loc[runs["index"] > 0], question) == 0
    assert complete_configurations(runs.head(0), question) == 0
    paired = {rival: pairs(runs, question, rival) for rival in question.rivals}
    first = running_headlines(paired, question, 33)
    cut = runs.loc[runs["index"] < 33].sample(frac=1.0, random_state=3)
    shuffled = {rival: pairs(cut, question, rival) for rival in question.rivals}
    assert running_headlines(shuffled, question, 33) == first
    assert [(row.rival, row.units) for row in first] == [("relu", 33), ("swish", 33)]
    means = paired["relu"].loc[paired["relu"]["index"] < 33].groupby("index")["difference"].mean()
    low, high = confidence_sequence(means.to_numpy(), bound=BOUND, alpha=ALPHA / 2)
    assert (first[0].low, first[0].high) == pytest.approx((low, high), rel=1e-5)


def test_a_tie_out_of_ignorance_decides_nothing() -> None:
    truth = dataclasses.replace(WORLD, configurations=400, rivals=("relu",), replicates=1, at_chance=0.5)
    runs, question = simulate(truth, np.random.default_rng(2)), truth.question
    for chance, verdict in ((None, Verdict.TIES), (10.0, Verdict.NOT_ENOUGH_EVIDENCE)):
        found = {"relu": pairs(runs, question, "relu", chance=chance)}
        assert running_headlines(found, question, 400)[0].verdict is verdict


# Simulation: how often it is wrong, when one looks after every configuration.


@pytest.fixture(params=[400, pytest.param(4000, marks=pytest.mark.simulation)], ids=["few", "many"])
def sweeps(request: pytest.FixtureRequest) -> int:
    """Return how many sweeps are simulated, as arrays of unit means."""
    return request.param


Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def normal(deviation: float) -> Draw:
    return lambda rng, shape: deviation * rng.standard_normal(shape)


def with_failures(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    focus, rival = (rng.random(shape) < 0.05 for _ in range(2))
    return np.where(focus == rival, normal(1.07)(rng, shape), np.where(focus, -BOUND, BOUND))


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return 1.07 * (rng.exponential(1.0, shape) - 1)


def disaster(rate: float) -> Draw:
    """Return a steady gain that a rare failure of the focus cancels."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        steady = rate * BOUND / (1 - rate) + 0.3 * rng.standard_normal(shape)
        return np.where(rng.random(shape) < rate, -BOUND, steady)

    return draw


def sobol(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return differences that depend on the level of two factors, drawn as a real design draws them."""
    rows: list[np.ndarray] = []
    for _ in range(shape[0]):
        spec = spec_with({"configurations": shape[1], "seed": int(rng.integers(2**31))})
        levels = [configuration.levels for configuration in design.configurations(spec)]
        effect = [(2.0 if each["depth"] == 8 else -2.0) * (each["optimizer"] == "adam") for each in levels]
        rows.append(np.array(effect))
    return np.stack(rows) + 0.5 * rng.standard_normal(shape)


WORLDS: dict[str, Draw] = {
    "plain": normal(1.07),
    "noisy": normal(2.45),
    "quiet": normal(0.3),
    "5 % fail on either side": with_failures,
    "skewed": skewed,
    "a loss of the cap in 4 % cancels a gain": disaster(0.04),
    "a loss of the cap in 10 % cancels a gain": disaster(0.10),
    "Sobol, differences of 2 points by level": sobol,
}
"""Worlds without a difference in the mean."""


def looks_of(units: int) -> tuple[int, ...]:
    """Return after how many configurations `--until decided` looks."""
    question = dataclasses.replace(question_of(spec_with()), planned_configurations=units)
    return until_decided(question, lambda _: False).at


def shown(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return at which looks a sequence excludes 0 from below or above, and lies within delta."""
    goal = 2 / ALPHA

    def excluded(mean: float) -> tuple[np.ndarray, np.ndarray]:
        return tuple(
            np.maximum.accumulate(capital(sign * values, sign * mean), axis=1) >= goal for sign in (1, -1)
        )

    wins, loses = excluded(0.0)
    return {"wins": wins, "loses": loses, "ties": excluded(-DELTA)[0] & excluded(DELTA)[1]}


def test_the_arrays_say_what_the_table_says() -> None:
    truth = Truth(configurations=100, factors=("optimizer",), effect=lambda drawn: np.full(len(drawn), 0.3))
    said: set[Verdict] = set()
    for seed in range(6):
        runs, question = simulate(truth, np.random.default_rng(seed)), truth.question
        paired = {"relu": pairs(runs, question, "relu")}
        reached = shown(paired["relu"]["difference"].to_numpy()[None])
        for units in (20, 40, 70, 100):
            (row,) = running_headlines(paired, question, units)
            names = [name for name in ("ties", "wins", "loses") if reached[name][0, units - 1]]
            assert row.verdict.value == (names[0] if names else "not_enough_evidence")
            said.add(row.verdict)
    assert len(said) >= 2


@pytest.mark.parametrize("world", WORLDS)
def test_at_no_difference_the_sequence_and_the_stop_are_rarely_wrong(world: str, sweeps: int) -> None:
    rng, units = np.random.default_rng(SEED), 400
    count = sweeps // 10 if world.startswith("Sobol") else sweeps
    values = np.clip(WORLDS[world](rng, (count, units)), -BOUND, BOUND)
    found = shown(values)
    false = (found["wins"] | found["loses"]).any(axis=1)
    at_most(0.05, false.tolist(), f"{world}: 0 excluded at any of {units} looks")
    looks = np.array(looks_of(units))
    decided = np.any(list(found.values()), axis=0)[:, looks - 1]
    decided[:, -1] = True
    stop = looks[decided.argmax(axis=1)]
    last = {name: reached[np.arange(count), stop - 1] for name, reached in found.items()}
    wrong = (last["wins"] | last["loses"]) & ~last["ties"]
    at_most(0.05, wrong.tolist(), f"{world}: --until decided ends with a false verdict")
    LOG.info("%s: stops after %.0f of %d in the mean", world, stop.mean(), units)


@pytest.mark.parametrize("world", ["plain", "noisy", "5 % fail on either side", "skewed"])
def test_a_difference_of_delta_is_rarely_called_a_tie_or_a_loss(world: str, sweeps: int) -> None:
    rng, units = np.random.default_rng(SEED), 400
    values = np.clip(WORLDS[world](rng, (sweeps, units)) + DELTA * 1.02, -BOUND, BOUND)
    found = shown(values)
    false = (found["ties"] | found["loses"]).any(axis=1)
    at_most(0.05, false.tolist(), f"{world}, +delta: a false tie or loss at any of {units} looks")


def test_a_t_test_looked_at_as_often_is_wrong_often_and_the_asymptotic_sequence_at_rare_failures(
    sweeps: int,
) -> None:
    """What the sequence is there for: the same looks with a t test, and with a normal approximation."""
    rng, units = np.random.default_rng(SEED), 400
    n = np.arange(1, units + 1)
    plain = normal(1.07)(rng, (sweeps, units))
    rare = disaster(0.04)(rng, (sweeps, units))
    rates: list[list[bool]] = []
    # Waudby-Smith et al. (arXiv:2103.06476), tuned to 100 units, from 20 on.
    scale = (-2 * np.log(ALPHA) + np.log(1 - 2 * np.log(ALPHA))) / 100
    mixture = np.sqrt(
        2 * (n * scale + 1) / (n * scale) * np.log(np.sqrt(n * scale + 1) / ALPHA)
    )  # in standard errors
    for values, width in ((plain, special.stdtrit(np.maximum(n - 1, 1), 0.975)), (rare, mixture)):
        mean = values.cumsum(axis=1) / n
        variance = ((values**2).cumsum(axis=1) / n - mean**2) * n / np.maximum(n - 1, 1)
        outside = np.abs(mean) > width * np.sqrt(variance / n)
        rates.append(outside[:, 19:].any(axis=1).tolist())
    at_least(0.2, rates[0], "t test looked at from 20 to 400: a false verdict")
    at_least(0.2, rates[1], "asymptotic sequence, a loss of the cap in 4 %: a false verdict")


LEVELS = 4


@pytest.mark.parametrize(
    ("world", "gain", "lowest"),
    [
        ("plain", 0.0, 0.94),
        ("plain", 1.0, 0.94),
        ("noisy", 0.0, 0.85),
        ("noisy", 0.5, 0.9),
        ("noisy", 1.0, 0.94),
    ],
)
def test_level_intervals_after_an_early_stop_cover_a_little_less(
    world: str, gain: float, lowest: float, sweeps: int
) -> None:
    rng, units = np.random.default_rng(SEED), 240
    values = WORLDS[world](rng, (sweeps, units))
    values = np.clip(values + gain, -BOUND, BOUND)
    truth = np.clip(WORLDS[world](rng, (1000, 1000)) + gain, -BOUND, BOUND).mean()
    found = np.any(list(shown(values).values()), axis=0)
    looks = np.array(looks_of(units))
    decided = found[:, looks[:-1] - 1]
    early = decided.any(axis=1)
    stop = looks[decided.argmax(axis=1)]
    level = rng.integers(LEVELS, size=values.shape)
    held: list[bool] = []
    overall: list[bool] = []
    for row, end, levels in zip(values[early], stop[early], level[early], strict=True):
        for wanted in (None, *range(LEVELS)):
            mine = row[:end] if wanted is None else row[:end][levels[:end] == wanted]
            if len(mine) >= 6:
                interval = stats.t.ppf(0.975, len(mine) - 1) * mine.std(ddof=1) / len(mine) ** 0.5
                (overall if wanted is None else held).append(bool(abs(mine.mean() - truth) <= interval))
    what = f"{world}, {gain:+g}, {np.mean(early):.0%} of the sweeps stop early"
    at_least(lowest, held, f"{what}: 95 % interval of a level")
    LOG.info("%s: 95 %% t interval overall: %.3f of %d", what, np.mean(overall), len(overall))
