"""The unpaired comparison as code under test: how often it names a winner where there is none.

The measured rates are logged; to see those of the large runs:

    python -m pytest tests/test_simulated_unpaired.py -m simulation --log-cli-level=INFO
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from simulated_runs import Truth, simulate
from simulation_bounds import SEED, at_least, at_most
from test_unpaired import apart

from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.unpaired import unpaired_comparisons

WINS, LOSES, TIES = Verdict.WINS, Verdict.LOSES, Verdict.TIES


@pytest.fixture(params=[20, pytest.param(400, marks=pytest.mark.simulation)], ids=["few", "many"])
def tables(request: pytest.FixtureRequest) -> int:
    """Return how many tables of ten factors are simulated, 0.05 s each."""
    return request.param


def rows_of(truth: Truth, count: int) -> Iterator[tuple[Comparison, ...]]:
    """Yield the rows of simulated tables in which each configuration ran with one activation."""
    question = dataclasses.replace(truth.question, design="unpaired")
    rng = np.random.default_rng(SEED)
    for _ in range(count):
        yield unpaired_comparisons(apart(simulate(truth, rng), rng), question)


NULL = {
    "plain": Truth(configurations=240),
    "few": Truth(configurations=30),
    "failures": Truth(configurations=240, failure_rate=0.05),
    "unbalanced, missing": Truth(configurations=240, unbalanced=True, missing=0.15),
    "skewed, replicated": Truth(
        configurations=120, replicates=2, skewed=True, tau=5.0, spread=1.0, failure_rate=0.03
    ),
    "two rivals": Truth(configurations=240, rivals=("relu", "swish")),
}


@pytest.mark.parametrize("world", NULL)
def test_where_nobody_is_better_the_table_rarely_names_a_winner(world: str, tables: int) -> None:
    found = list(rows_of(NULL[world], tables))
    at_most(0.05, [any(row.verdict is WINS for row in rows) for rows in found], f"{world}: any false win")
    for verdict in (WINS, LOSES):
        at_most(
            0.025, [rows[0].verdict is verdict for rows in found], f"{world}: overall a false '{verdict}'"
        )


GAIN = Truth(configurations=240, spread=1.0, factors=("optimizer",))


def test_the_interval_holds_the_true_difference_and_a_gain_of_delta_is_rarely_a_tie(tables: int) -> None:
    truth = dataclasses.replace(GAIN, effect=lambda drawn: np.full(len(drawn), 0.5))
    rows = [found[0] for found in rows_of(truth, tables)]
    held = [row.low is not None and row.high is not None and row.low <= 0.5 <= row.high for row in rows]
    at_least(0.95, held, "+delta everywhere: interval of the difference")
    at_most(0.05, [row.verdict is TIES for row in rows], "+delta everywhere: overall a false tie")


def test_a_large_gain_wins_and_many_alike_configurations_tie(tables: int) -> None:
    truth = dataclasses.replace(GAIN, effect=lambda drawn: np.full(len(drawn), 1.0))
    at_least(0.99, [rows[0].verdict is WINS for rows in rows_of(truth, tables)], "+1, SD 1.5: overall wins")
    alike = dataclasses.replace(GAIN, configurations=600)
    at_least(
        0.85, [rows[0].verdict is TIES for rows in rows_of(alike, tables)], "equal, 300 each: overall ties"
    )


def test_failing_where_it_would_lose_never_wins(tables: int) -> None:
    truth = Truth(
        configurations=240,
        spread=1.0,
        factors=("depth",),
        effect=lambda drawn: np.where(drawn["depth"] > 20, -2.0, 0.7),
        focus_fails=lambda drawn: (drawn["depth"] > 20).to_numpy(),
    )
    at_most(
        0.0, [rows[0].verdict is WINS for rows in rows_of(truth, tables)], "fails where it would lose: wins"
    )
