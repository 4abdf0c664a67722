"""What pairing saves: planted variances come back, region by region."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from simulated_runs import Truth, simulate

from analysis.statistics.pairing import Pairing, pairings
from analysis.statistics.pairs import pairs

WORLD = Truth(factors=("depth", "optimizer"), configurations=400, replicates=3, tau=1.0, noise=1.0)


def found(runs: pd.DataFrame, truth: Truth) -> tuple[Pairing, ...]:
    paired = {rival: pairs(runs, truth.question, rival) for rival in truth.rivals}
    return pairings(runs, paired, truth.question)


def with_shared_seeds(truth: Truth, spread: float) -> pd.DataFrame:
    """Add to both trainings of a block what their seed does to them."""
    runs = simulate(truth, np.random.default_rng(0))
    blocks = runs["block"].unique()
    luck = dict(zip(blocks, spread * np.random.default_rng(1).standard_normal(len(blocks)), strict=True))
    return runs.assign(test_accuracy=np.clip(runs["test_accuracy"] + runs["block"].map(luck), 0, 100))


def test_planted_variances_come_back() -> None:
    """Spread 5 shared by configuration, 2 by seed; 0.7 and 1 of each training's own."""
    overall = found(with_shared_seeds(WORLD, 2.0), WORLD)[0]
    total = 5.0**2 + 2.0**2 + 0.5 + 1.0
    assert (overall.parameter, overall.pairs) == (None, 1200)
    assert overall.saved == pytest.approx((25 + 4) / total, abs=0.03)
    assert overall.saved_by_seed == pytest.approx(4 / total, abs=0.03)
    assert overall.saved_by_configuration == pytest.approx(25 / total, abs=0.03)
    assert overall.seed_correlation == pytest.approx(4 / 5, abs=0.05)
    assert overall.correlation == pytest.approx(29 / total, abs=0.03)


def test_seeds_that_do_nothing_save_nothing() -> None:
    overall = found(simulate(WORLD, np.random.default_rng(0)), WORLD)[0]
    assert overall.saved_by_seed == pytest.approx(0.0, abs=0.01)
    assert overall.seed_correlation == pytest.approx(0.0, abs=0.1)


def test_what_pairing_saves_is_the_variance_of_a_difference() -> None:
    runs = simulate(WORLD, np.random.default_rng(0))
    one = pairs(runs, WORLD.question, "relu")
    overall = found(runs, WORLD)[0]
    apart = one["focus_value"].var() + one["rival_value"].var()
    assert overall.saved is not None
    assert (1 - overall.saved) * apart == pytest.approx(one["difference_raw"].var(), rel=1e-4)
    expected = np.corrcoef(one["focus_value"], one["rival_value"])[0, 1]
    assert overall.correlation == pytest.approx(expected, rel=1e-5)


def test_every_region_has_a_row_and_its_own_pairs() -> None:
    runs = simulate(WORLD, np.random.default_rng(0))
    rows = [row for row in found(runs, WORLD) if row.parameter == "optimizer"]
    assert [row.level for row in rows][:2] == ["sgd", "momentum"]
    one = pairs(runs, WORLD.question, "relu")
    sgd = one.loc[one["optimizer"] == "sgd"]
    assert rows[0].pairs == len(sgd)
    expected = np.corrcoef(sgd["focus_value"], sgd["rival_value"])[0, 1]
    assert rows[0].correlation == pytest.approx(expected, rel=1e-5)


def test_without_replicates_the_seeds_part_is_not_known() -> None:
    truth = dataclasses.replace(WORLD, replicates=1, configurations=60)
    overall = found(simulate(truth, np.random.default_rng(0)), truth)[0]
    assert overall.saved is not None
    parts = (overall.seed_correlation, overall.saved_by_configuration, overall.saved_by_seed)
    assert parts == (None, None, None)


def test_failed_pairs_and_empty_frames_are_left_out() -> None:
    truth = dataclasses.replace(WORLD, failure_rate=0.2, configurations=60)
    runs = simulate(truth, np.random.default_rng(0))
    overall = found(runs, truth)[0]
    ok = runs.assign(ok=runs["status"] == "ok").groupby("block")["ok"].all()
    assert overall.pairs == ok.sum()
    empty = found(runs.head(0), truth)
    assert (empty[0].pairs, empty[0].correlation, empty[0].saved) == (0, None, None)
