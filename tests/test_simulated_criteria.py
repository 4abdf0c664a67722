"""Gates, thresholds and trees as code under test: worlds with a known answer, and how often it is found.

The measured rates are logged; to see those of the large runs:

    python -m pytest tests/test_simulated_criteria.py -m simulation --log-cli-level=INFO
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated_runs import Truth, simulate
from simulation_bounds import LOG, SEED, at_least, at_most

from analysis.statistics.gates import Gate, gates
from analysis.statistics.interactions import Interaction, interactions
from analysis.statistics.pairs import pairs
from analysis.statistics.thresholds import Threshold, threshold, thresholds
from analysis.statistics.units import unit_means
from study.question import Factor

Found = tuple[tuple[Gate, ...], tuple[Threshold, ...]]


@pytest.fixture(params=[10, pytest.param(400, marks=pytest.mark.simulation)], ids=["few", "many"])
def sweeps(request: pytest.FixtureRequest) -> int:
    """Return how many sweeps of ten factors are simulated, 0.05 s each."""
    return request.param


@pytest.fixture(params=[20, pytest.param(1500, marks=pytest.mark.simulation)], ids=["few", "many"])
def curves(request: pytest.FixtureRequest) -> int:
    """Return how many curves along one factor are simulated, 0.02 s each."""
    return request.param


def in_short(worlds: Mapping[str, object], *names: str) -> list[Any]:
    """Return all worlds, those that are not named for the long simulation alone."""
    return [each if each in names else pytest.param(each, marks=pytest.mark.simulation) for each in worlds]


def units_of(truth: Truth, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    runs, question = simulate(truth, rng), truth.question
    return {rival: unit_means(pairs(runs, question, rival), question) for rival in truth.rivals}


def tables(truth: Truth, count: int) -> Iterator[Found]:
    """Yield gates and thresholds of simulated sweeps."""
    rng = np.random.default_rng(SEED)
    for _ in range(count):
        units = units_of(truth, rng)
        tested = gates(units, truth.question)
        yield tested, thresholds(units, tested, truth.question)


NOISY = Truth(tau=2.0, noise=1.0)
MESSY = Truth(unbalanced=True, missing=0.15)
NULL = {
    "plain": Truth(),
    "noisy": NOISY,
    "failures": Truth(failure_rate=0.05),
    "unbalanced, missing": MESSY,
    "five rivals": Truth(rivals=("relu", "swish", "gelu", "elu", "selu")),
    "ofat": Truth(design="ofat", replicates=10, tau=0.0, failure_rate=0.02, factors=("depth", "width")),
}


@pytest.mark.parametrize("world", in_short(NULL, "plain", "failures", "ofat"))
def test_where_nothing_matters_no_gate_opens(world: str, sweeps: int) -> None:
    truth = NULL[world]
    count = max(10, int({"five rivals": 0.5, "ofat": 4}.get(world, 1) * sweeps))
    opened = [any(gate.matters for gate in tested) for tested, _ in tables(truth, count)]
    at_most(0.05, opened, f"{world}: any gate")


def step(drawn: pd.DataFrame) -> np.ndarray:
    return np.where(drawn["depth"] > 15, 1.0, -1.0)


@dataclasses.dataclass(frozen=True)
class Turn:
    """A world with a threshold: what is planted, and what is asked of the gate."""

    truth: Truth
    parameter: str
    at: float
    gate: float
    direction: str = "increasing"


TURNS = {
    "depth > 15": Turn(Truth(effect=step), "depth", 15, 0.95),
    "noisy": Turn(dataclasses.replace(NOISY, effect=step), "depth", 15, 0.75),
    "failures": Turn(Truth(effect=step, failure_rate=0.05), "depth", 15, 0.88),
    "unbalanced, missing": Turn(dataclasses.replace(MESSY, effect=step), "depth", 15, 0.95),
    "+1 or nothing": Turn(
        Truth(effect=lambda drawn: np.where(drawn["depth"] > 15, 1.0, 0.0)), "depth", 15, 0.90
    ),
    "learning rate < 0.1": Turn(
        Truth(effect=lambda drawn: np.where(drawn["learning_rate"] < 0.09, 1.0, -1.0)),
        "learning_rate", 0.09, 0.95, "decreasing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("world", in_short(TURNS, "depth > 15", "failures", "learning rate < 0.1"))
def test_a_threshold_is_found_and_its_set_holds_it(world: str, sweeps: int) -> None:
    turn = TURNS[world]
    opened: list[bool] = []
    held: list[bool] = []
    exact: list[bool] = []
    right: list[bool] = []
    flagged: list[bool] = []
    elsewhere: list[bool] = []
    covered: list[bool] = []
    widths: list[float] = []
    for tested, placed in tables(turn.truth, sweeps):
        own = [gate for gate in tested if gate.parameter == turn.parameter]
        opened.append(own[0].matters)
        elsewhere.append(any(gate.matters for gate in tested if gate.parameter != turn.parameter))
        for found in placed:
            if found.parameter != turn.parameter:
                continue
            right.append(found.direction == turn.direction)
            flagged.append(found.outcome == "not_one_threshold")
            if found.inside is None:
                continue
            low = -np.inf if found.low is None else found.low
            high = np.inf if found.high is None else found.high
            held.append(low <= turn.at <= high)
            widths.append(high - low)
            if found.point is not None and found.first is not None:
                exact.append(min(found.point, found.first) <= turn.at <= max(found.point, found.first))
            if found.inside.low is not None and found.inside.high is not None:
                covered.append(found.inside.low <= 1.0 <= found.inside.high)
    at_least(turn.gate, opened, f"{world}: gate")
    at_most(0.05, elsewhere, f"{world}: any other gate")
    at_least(0.93, held, f"{world}: set holds the threshold")
    at_least(0.99, right, f"{world}: direction")
    at_most(0.05, flagged, f"{world}: called not monotone")
    LOG.info("%s: median width of the set %g", world, np.median(widths))
    LOG.info("%s: exact cut in %.3f of %d", world, np.mean(exact), len(exact))
    LOG.info("%s: interval of the gain there holds +1 in %.3f of %d", world, np.mean(covered), len(covered))
    if world == "depth > 15":
        at_least(0.90, exact, f"{world}: exact cut")
        at_least(0.93, covered, f"{world}: interval of the gain where the criterion holds")
        if len(widths) >= 100:
            assert np.median(widths) <= 6


def test_a_gain_everywhere_is_no_sign_that_any_factor_matters(sweeps: int) -> None:
    truth = Truth(effect=lambda drawn: np.full(len(drawn), 0.5))
    opened = [any(gate.matters for gate in tested) for tested, _ in tables(truth, sweeps)]
    at_most(0.05, opened, "+0.5 everywhere: any gate")


def test_an_inverted_u_is_not_one_threshold(sweeps: int) -> None:
    truth = Truth(effect=lambda drawn: np.where((drawn["depth"] > 9) & (drawn["depth"] < 22), 1.0, -1.0))
    flagged = [
        found.outcome == "not_one_threshold"
        for _, placed in tables(truth, sweeps)
        for found in placed
        if found.parameter == "depth"
    ]
    at_least(0.95, flagged, "inverted U: not one threshold")


# Along one factor.


DELTA = 0.5
TRUE_LOG = -2.0
"""Where every curve crosses delta, on the decimal logarithm of the learning rate."""
CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: DELTA + 0.7 * (x - TRUE_LOG),
    "logistic": lambda x: DELTA + 1.5 * np.tanh(1.5 * (x - TRUE_LOG)),
    "hinge": lambda x: np.maximum(x - TRUE_LOG + DELTA, 0.0),
    "exponential": lambda x: DELTA * np.exp(x - TRUE_LOG),
    "step": lambda x: np.where(x > TRUE_LOG, 1.2, -0.2),
}


def placed_on(
    curve: Callable[[np.ndarray], np.ndarray],
    spread: float,
    levels: np.ndarray | None,
    rng: np.random.Generator,
    lost: float = 0.03,
) -> Threshold:
    """Place the threshold of one curve from 120 units, a share of them lost by either side."""
    if levels is None:
        factor = Factor(name="learning_rate", role="condition", low=1e-4, high=10**-0.5, log=True)
        x = rng.uniform(-4.0, -0.5, 120)
    else:
        rates = tuple((10**levels).tolist())
        factor = Factor(name="learning_rate", role="condition", levels=rates)
        x = levels[rng.integers(len(levels), size=120)]
    cap = 20 * DELTA
    difference = np.clip(curve(x) + spread * rng.standard_normal(120), -cap, cap)
    luck = rng.random(120)
    difference = np.where(luck < lost, -cap, np.where(luck > 1 - lost, cap, difference))
    units = pd.DataFrame(
        {
            "unit_id": [f"c{number}" for number in rng.integers(10**9, size=120)],
            "learning_rate": 10**x,
            "difference": difference,
            "wins": (1 + np.sign(difference)) / 2,
            "uninformative": 0.0,
        }
    )
    question = dataclasses.replace(Truth().question, factors=(factor,), delta=DELTA, loss_cap=cap)
    gate = Gate(
        parameter="learning_rate", rival="relu", ordered=True, units=120, levels=10, direction="increasing",
        p=0.001, p_adjusted=0.01, matters=True,
    )  # fmt: skip
    return threshold(units, gate, question)


def holds(found: Threshold) -> bool:
    at = 10**TRUE_LOG
    return (found.low is None or found.low <= at) and (found.high is None or at <= found.high)


@pytest.mark.parametrize("spread", [1.0, 2.0])
@pytest.mark.parametrize("curve", ["linear", "logistic", "hinge", "step"])
def test_the_set_holds_the_threshold_on_a_continuous_axis(curve: str, spread: float, curves: int) -> None:
    rng = np.random.default_rng(SEED)
    placed = [placed_on(CURVES[curve], spread, None, rng) for _ in range(curves)]
    what = f"{curve}, standard deviation {spread:g}"
    held = [holds(found) for found in placed if found.inside is not None]
    at_least(0.92, held, f"{what}: set holds the threshold")
    at_most(0.05, [found.inside is None for found in placed], f"{what}: called not monotone")
    if curve != "step":
        at_most(0.98, held, f"{what}: not wider than needed")


@pytest.mark.parametrize("lattice", [6, 10, 29])
@pytest.mark.parametrize("curve", ["linear", "exponential", "step"])
def test_the_set_holds_the_threshold_on_a_lattice(curve: str, lattice: int, curves: int) -> None:
    held = held_on(np.linspace(-4.0, -0.5, lattice), curve, curves // 2)
    at_least(0.92, held, f"{curve} on {lattice} levels: set holds the threshold")


@pytest.mark.simulation
@pytest.mark.parametrize("lattice", [6, 10, 29])
@pytest.mark.parametrize("curve", ["linear", "exponential"])
def test_the_set_holds_a_threshold_that_is_a_tested_value(curve: str, lattice: int, curves: int) -> None:
    levels = np.linspace(-4.0, -0.5, lattice)
    levels[np.abs(levels - TRUE_LOG).argmin()] = TRUE_LOG
    held = held_on(levels, curve, curves // 2)
    at_least(0.92, held, f"{curve} on {lattice} levels, one exactly at delta: set holds the threshold")


@pytest.mark.parametrize("start", [0.6, pytest.param(1.0, marks=pytest.mark.simulation)])
def test_where_the_curve_does_not_cross_no_threshold_is_bounded_on_both_sides(
    start: float, curves: int
) -> None:
    """The curve lies above delta at the losing end already, and ends 2 points higher."""
    rng = np.random.default_rng(SEED)
    levels = np.linspace(-4.0, -0.5, 10)
    placed = [
        placed_on(lambda x: start + 2 * (x + 4) / 3.5, 1.07, levels, rng, lost=0.0) for _ in range(curves)
    ]
    claimed = [found.low is not None and found.high is not None for found in placed]
    at_most(0.02, claimed, f"from {start:g} upwards: threshold claimed")


def held_on(levels: np.ndarray, curve: str, count: int) -> list[bool]:
    """Return whether the set holds the threshold, of those curves that are not called not monotone."""
    rng = np.random.default_rng(SEED)
    placed = [placed_on(CURVES[curve], 1.0, levels, rng) for _ in range(count)]
    return [holds(found) for found in placed if found.inside is not None]


# Two factors at once.


def trees(truth: Truth, count: int) -> list[Interaction]:
    rng = np.random.default_rng(SEED)
    return [interactions(units_of(truth, rng), truth.question)[0] for _ in range(count)]


def strangers(tree: Interaction, *real: str) -> bool:
    """Return whether a tree splits on a factor that has no effect."""
    return bool({condition.split()[0] for leaf in tree.leaves for condition in leaf.where} - {*real})


def steps(drawn: pd.DataFrame) -> np.ndarray:
    return step(drawn) + np.where(drawn["learning_rate"] < 0.009, 1.0, -1.0)


def together(drawn: pd.DataFrame) -> np.ndarray:
    return np.where((drawn["depth"] > 15) & (drawn["learning_rate"] < 0.09), 1.5, 0.0)


ALONE = {
    "nothing": Truth(),
    "nothing, 60 configurations": Truth(configurations=60),
    "step": Truth(effect=step),
    "small step": Truth(effect=lambda drawn: 0.3 * step(drawn)),
    "slope": Truth(effect=lambda drawn: (drawn["depth"].to_numpy() - 15) / 7),
    "one optimizer": Truth(effect=lambda drawn: np.where(drawn["optimizer"] == "nadam", -2.0, 0.5)),
    "failures": Truth(effect=step, failure_rate=0.05),
    "unbalanced, missing": dataclasses.replace(MESSY, effect=step),
    "the focus fails above depth 20": Truth(focus_fails=lambda drawn: drawn["depth"].to_numpy() > 20),
}


@pytest.mark.parametrize("world", in_short(ALONE, "nothing", "step", "one optimizer"))
def test_one_factor_alone_grows_no_tree(world: str, sweeps: int) -> None:
    found = trees(ALONE[world], sweeps)
    at_most(0.05, [bool(tree.leaves) for tree in found], f"{world}: a tree is shown")
    at_most(0.05, [tree.together for tree in found], f"{world}: two factors are said to act together")


def test_two_factors_that_add_up_are_not_said_to_act_together(sweeps: int) -> None:
    found = trees(Truth(effect=steps), sweeps)
    at_least(0.90, [bool(tree.leaves) for tree in found], "two factors that add up: a tree is shown")
    at_most(0.05, [strangers(tree, "depth", "learning_rate") for tree in found], "of these: a false factor")
    at_most(0.05, [tree.together for tree in found], "of these: said to act together")


@pytest.mark.parametrize(
    ("configurations", "shown", "said"), [(120, 0.75, 0.55), (180, 0.90, 0.80), (240, 0.95, 0.90)]
)
def test_two_factors_that_act_together_grow_one(
    configurations: int, shown: float, said: float, sweeps: int
) -> None:
    world = f"two factors together, {configurations} configurations"
    found = trees(Truth(effect=together, configurations=configurations), sweeps)
    at_least(shown, [bool(tree.leaves) for tree in found], f"{world}: a tree is shown")
    at_least(said, [tree.together for tree in found], f"{world}: they are said to act together")
    at_most(0.05, [strangers(tree, "depth", "learning_rate") for tree in found], f"{world}: a false factor")
