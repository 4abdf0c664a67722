"""Sweeps with a profiled learning rate whose truth is known, and how often the table gets it right.

The measured rates are logged; to see those of the large runs:

    python -m pytest tests/test_simulated_profile.py -m simulation --log-cli-level=INFO
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from profiled_runs import PROFILE, RATES, Curves, draw, frame_of, simulate, true_differences
from simulated_record import simulated_record
from simulated_runs import SPACE
from simulation_bounds import LOG, SEED, at_least, at_most

from analysis.criteria import criteria_table
from analysis.planned_rows import ASSUMED_DEVIATION, planned_rows
from analysis.profile import ProfiledLevel, best_rows
from analysis.sequence import headlines_of
from analysis.statistics.compare import Comparison, Verdict, comparisons
from analysis.statistics.pairs import pairs
from study.question import Question
from sweeps.looks import until_decided

WINS, LOSES, TIES = Verdict.WINS, Verdict.LOSES, Verdict.TIES


@pytest.fixture(params=[20, pytest.param(400, marks=pytest.mark.simulation)], ids=["few", "many"])
def sweeps(request: pytest.FixtureRequest) -> int:
    """Return how many sweeps are simulated, 0.05 s each."""
    return request.param


def rows_of(runs: pd.DataFrame, question: Question) -> tuple[Comparison, ...]:
    """Return the rows of the table, the overall one first."""
    compared = best_rows(runs, question)
    return comparisons(compared, {"relu": pairs(compared, question, "relu")}, question)


def tables(world: Curves, count: int) -> list[tuple[Comparison, ...]]:
    rng = np.random.default_rng(SEED)
    return [rows_of(simulate(world, rng), world.question) for _ in range(count)]


def first_by_default(worlds: Iterable[str]) -> list[Any]:
    """Return the names of worlds as parameters: all but the first are for long runs."""
    first, *others = worlds
    return [first, *(pytest.param(name, marks=pytest.mark.simulation) for name in others)]


NULL = {
    "plain": Curves(),
    "noisy validation": Curves(run=1.0, cut=1.5),
    "replicated": Curves(configurations=60, replicates=2),
    "flat": Curves(curvature=(0.0, 0.0)),
}
"""Worlds in which both activations have the same curve."""


@pytest.mark.parametrize("world", first_by_default(NULL))
def test_where_both_have_the_same_curve_the_table_rarely_names_a_winner(world: str, sweeps: int) -> None:
    rows = tables(NULL[world], sweeps)
    for verdict in (WINS, LOSES):
        at_most(0.025, [found[0].verdict is verdict for found in rows], f"{world}: overall '{verdict}'")
    at_most(0.05, [any(row.verdict is WINS for row in found) for found in rows], f"{world}: any false win")


def test_an_activation_that_only_likes_another_rate_ties(sweeps: int) -> None:
    """Their best is equally good. At one rate for both, the one that happens to like it wins."""
    world = Curves(best=(1.0, 2.0))
    rng = np.random.default_rng(SEED)
    question = world.question
    profiled: list[Comparison] = []
    fixed: dict[float, list[Comparison]] = {rate: [] for rate in RATES[1:3]}
    for _ in range(sweeps // 2):
        runs = simulate(world, rng)
        profiled.append(rows_of(runs, question)[0])
        for rate, found in fixed.items():
            at_rate = runs.loc[runs["learning_rate"] == rate].drop(columns="learning_rate")
            found.append(rows_of(at_rate, replace(question, profile=None))[0])
    at_least(0.95, [row.verdict is TIES for row in profiled], "another best rate, profiled: ties")
    at_most(0.05, [row.verdict in (WINS, LOSES) for row in profiled], "another best rate, profiled: decided")
    for rate, verdict in zip(fixed, (WINS, LOSES), strict=True):
        what = f"another best rate, all at {rate:g}: {verdict}"
        at_least(0.95, [row.verdict is verdict for row in fixed[rate]], what)


COVERED = {
    "deep gain": Curves(deep_gain=1.0),
    "flatter": Curves(curvature=(0.3, 2.0), run=1.0, cut=1.0),
    "at the end": Curves(best=(3.5, 1.5), gain=1.0),
    "diverges": Curves(diverges=0.6, best=(2.0, 2.5)),
    "few, replicated": Curves(configurations=20, replicates=2, curvature=(0.3, 2.0)),
}


@pytest.mark.parametrize("world", first_by_default(COVERED))
def test_intervals_hold_the_true_difference_of_what_is_chosen(world: str, sweeps: int) -> None:
    truth = COVERED[world]
    differences, depth = true_differences(truth, np.random.default_rng(SEED + 1))
    held: list[bool] = []
    deep: list[bool] = []
    for overall, *levels in tables(truth, sweeps):
        held.append(covers(overall, float(differences.mean())))
        for row in levels:
            if (
                row.parameter == "depth"
                and row.level_low is not None
                and row.level_low > 15
                and row.units > 5
            ):
                assert row.level_high is not None
                inside = (depth >= row.level_low) & (depth <= row.level_high)
                deep.append(covers(row, float(differences[inside].mean())))
    LOG.info("%s: the truth is %+.3f", world, differences.mean())
    at_least(0.94, held, f"{world}: overall interval holds the truth")
    at_least(0.94, deep, f"{world}: interval of deep levels holds the truth")


def covers(row: Comparison, truth: float) -> bool:
    assert row.low is not None
    assert row.high is not None
    return row.low <= truth <= row.high


def test_the_estimand_is_the_chosen_rate_and_not_the_best_one() -> None:
    """A flat curve has more good tries to choose from: a gain where equal trainings end far apart.

    Where they do not, noise of validation makes it choose a little worse.
    """
    rng = np.random.default_rng(SEED)
    for run, low, high in ((0.0, -0.2, -0.05), (0.5, 0.1, 0.2), (1.0, 0.45, 0.7)):
        world = Curves(curvature=(0.3, 2.0), best=(1.0, 1.0), moves=0.0, run=run)
        found = float(true_differences(world, rng)[0].mean())
        LOG.info("equal tops, a flat and a steep curve, trainings spread by %g: %+.2f", run, found)
        assert low < found < high


@pytest.mark.simulation
def test_the_plan_of_a_pilot_holds(sweeps: int) -> None:
    """Power within 5 points of 80 %, in the mean over pilots of 30 profiled configurations."""
    world = Curves(gain=1.0, tau=1.8, configurations=30, loss_cap=10.0)
    rng = np.random.default_rng(SEED)
    found: list[bool] = []
    for _ in range(sweeps):
        pilot = simulate(world, rng)
        drawn = pilot.drop_duplicates("configuration")[["depth", "optimizer"]].to_dict("records")
        question, record = world.question, simulated_record(pilot, world.question)
        planned = planned_rows(question, drawn, 1, detect=1.0, record=record, pilot=30)  # pyright: ignore[reportArgumentType]
        larger = replace(world, configurations=max(planned.rows[0].needed, 6))
        found.append(rows_of(simulate(larger, rng), larger.question)[0].verdict is WINS)
    at_least(0.75, found, "+1 at the size that a pilot asks for: wins")
    at_most(0.87, found, "+1 at the size that a pilot asks for: wins")


LEVEL_ROWS = {
    "like curves": Curves(),
    "flat against steep": Curves(curvature=(0.3, 2.0), run=1.0, cut=1.0),
    "diverges": Curves(diverges=0.6, best=(2.0, 2.5)),
}
NADAM, DETECT = "nadam", 2.0


def as_assumed(world: Curves) -> Curves:
    """Return a world without a difference on average, whose differences spread as `plan` assumes."""
    world = replace(world, loss_cap=20.0)
    rest = true_differences(replace(world, tau=0.0), np.random.default_rng(SEED))[0]
    tau = float(np.sqrt(ASSUMED_DEVIATION["points"] ** 2 - rest.var()))
    return replace(world, tau=tau, gain=world.gain - float(rest.mean()))


def better_with_nadam(world: Curves, rng: np.random.Generator) -> pd.DataFrame:
    """Return the runs of a sweep whose focus gains with one of the optimizers, all of them equally often."""
    drawn = draw(world, rng)
    drawn["optimizer"] = np.resize(np.array(SPACE["optimizer"]), world.configurations)
    for cut in ("test", "validation"):
        drawn[cut][..., 0] += DETECT * (drawn["optimizer"] == NADAM)[:, None, None]
    return frame_of(world, drawn)


def needed_with_nadam(world: Curves, runs: pd.DataFrame, **options: Any) -> int:
    drawn = runs.drop_duplicates("configuration")[["depth", "optimizer"]].to_dict("records")
    planned = planned_rows(world.question, cast(Any, drawn), 1, detect=DETECT, **options)
    return next(row.needed for row in planned.rows if row.level == NADAM)


def wins_with_nadam(world: Curves, needed: int, rng: np.random.Generator) -> bool:
    """Return whether the row of the optimizer wins in a sweep in which it has so many configurations."""
    sized = replace(world, configurations=needed * len(SPACE["optimizer"]))
    (row,) = (one for one in rows_of(better_with_nadam(sized, rng), sized.question) if one.level == NADAM)
    assert row.units == needed
    return row.verdict is WINS


@pytest.mark.simulation
@pytest.mark.parametrize("name", LEVEL_ROWS)
def test_a_level_row_has_the_power_that_is_planned(name: str, sweeps: int) -> None:
    """Power within 5 points of 80 %, where the spread between configurations is the one assumed."""
    world, rng = as_assumed(LEVEL_ROWS[name]), np.random.default_rng(SEED)
    needed = needed_with_nadam(world, better_with_nadam(world, rng))
    found = [wins_with_nadam(world, needed, rng) for _ in range(2 * sweeps)]
    at_least(0.75, found, f"{name}, +2 at one of 11 levels, {needed} configurations there: wins")
    at_most(0.85, found, f"{name}, +2 at one of 11 levels, {needed} configurations there: wins")


@pytest.mark.simulation
def test_a_level_row_has_the_power_that_a_pilot_plans(sweeps: int) -> None:
    """In the mean over pilots of 35 configurations, of which five have the gain that is looked for."""
    world, rng = as_assumed(LEVEL_ROWS["flat against steep"]), np.random.default_rng(SEED)
    found: list[bool] = []
    sizes: list[int] = []
    for _ in range(sweeps):
        pilot = better_with_nadam(replace(world, configurations=35), rng)
        record = simulated_record(pilot, world.question)
        sizes.append(needed_with_nadam(world, pilot, record=record, pilot=35))
        found.append(wins_with_nadam(world, sizes[-1], rng))
    spread = np.quantile(sizes, [0.1, 0.9])
    what = f"+2 at one of 11 levels, pilots of 35 ask for {spread[0]:.0f} to {spread[1]:.0f} there: wins"
    at_least(0.75, found, what)
    at_most(0.87, found, what)


@pytest.mark.simulation
@pytest.mark.parametrize(("gain", "right"), [(0.0, TIES), (1.0, WINS)])
def test_stopping_early_is_safe(gain: float, right: Verdict, sweeps: int) -> None:
    """At each look of `--until decided`, through the record of the configurations so far."""
    world = Curves(gain=gain, best=(1.0, 2.0))
    question = world.question
    looks = until_decided(question, lambda record: False).at
    rng = np.random.default_rng(SEED)
    wrong: list[bool] = []
    stopped: list[int] = []
    for _ in range(sweeps // 4):
        record = simulated_record(simulate(world, rng), question, epochs=1)
        end, verdict = looks[-1], Verdict.NOT_ENOUGH_EVIDENCE
        for look in looks:
            first = tuple(entry for entry in record.entries if entry.configuration.index < look)
            (row,) = headlines_of(replace(record, entries=first))
            if row.verdict is not Verdict.NOT_ENOUGH_EVIDENCE:
                end, verdict = look, row.verdict
                break
        stopped.append(end)
        wrong.append(verdict not in (right, Verdict.NOT_ENOUGH_EVIDENCE))
    LOG.info("until decided, %+g: stops after %.0f in the median", gain, np.median(stopped))
    at_most(0.05, wrong, f"until decided, {gain:+g}: a wrong verdict at any look")
    assert gain == 0 or np.median(stopped) < looks[-1]


def test_the_whole_table_says_what_it_compares() -> None:
    world = Curves(best=(0.5, 2.5), diverges=0.3)
    runs = simulate(world, np.random.default_rng(SEED))
    table = criteria_table(runs, world.question)
    chosen = {(one.activation, one.level): one for one in table.profiled}
    assert [*chosen] == [(name, rate) for name in ("mish", "relu") for rate in RATES]
    assert sum(one.trainings for one in table.profiled) == len(runs) == table.trainings
    assert sum(one.failed for one in table.profiled) == (runs["status"] != "ok").sum()
    assert sum(one.chosen for one in table.profiled if one.activation == "mish") == 120
    assert _mean_place(chosen, "mish") < 1.5 < _mean_place(chosen, "relu")
    assert table.headline[0].pairs == 120
    assert not table.provisional
    shuffled = runs.sample(frac=1, random_state=1)
    assert criteria_table(shuffled, world.question) == table
    assert all(one.relative for one in table.profiled) is PROFILE.relative


def _mean_place(chosen: dict[tuple[str, float], ProfiledLevel], name: str) -> float:
    counts = [chosen[name, rate].chosen for rate in RATES]
    return float(np.average(np.arange(len(RATES)), weights=counts))
