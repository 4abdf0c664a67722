"""Runs from elsewhere: what becomes a block, a unit, a pair, and what is asked back."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from foreign_sweeps import as_read, grid, random_search

from analysis.criteria import CriteriaTable, Verdict, criteria_table
from analysis.foreign.frame import Ask, Foreign, foreign_frame
from study.errors import InputError

FACTORS = ("layers", "opt", "lr")


def foreign(frame: pd.DataFrame, *, status: list[str] | None = None, **changes: Any) -> Foreign:
    metric = changes.get("metric", "score")
    given = {"treatment": "act", "focus": "mish", "metric": metric, "delta": 0.5, "factors": FACTORS}
    given |= {"replicate": "seed" if "seed" in frame else None}
    return foreign_frame(as_read(frame, metric=metric, status=status), Ask(**{**given, **changes}))


def table(frame: pd.DataFrame, **changes: Any) -> CriteriaTable:
    found = foreign(frame, **changes)
    return criteria_table(found.frame, found.question, chance=changes.get("chance"))


def test_rows_with_equal_factors_and_replicate_form_a_block() -> None:
    found = foreign(grid(activations=("mish", "relu", "swish")))
    question, frame = found.question, found.frame
    assert (question.design, question.focus, question.rivals) == ("paired", "mish", ("relu", "swish"))
    assert (question.unit, question.loss_cap, question.higher_is_better) == ("points", 5.0, True)
    assert frame["configuration"].nunique() == frame["unit_id"].nunique() == 16
    assert frame["block"].nunique() == 32
    assert (frame.groupby("block")["activation"].nunique() == 3).all()
    blocks = frame.groupby("block")[list(FACTORS)].nunique()
    assert (blocks == 1).all(axis=None)
    assert found.remarks == ("96 runs of test.", "Pairs share every factor and seed.")


def test_the_difference_is_that_of_the_runs_themselves() -> None:
    frame = grid()
    wide = frame.pivot_table(index=["layers", "opt", "lr"], columns="act", values="score")
    (row,) = table(frame).headline
    assert row.difference == pytest.approx((wide["mish"] - wide["relu"]).mean(), rel=1e-5)
    assert (row.pairs, row.units, row.verdict) == (32, 16, Verdict.WINS)


def test_the_order_of_runs_changes_nothing() -> None:
    frame = pd.concat([grid(), grid(seeds=1).assign(score=70.0)])
    shuffled = frame.sample(frac=1, random_state=1)
    assert table(frame) == table(shuffled)
    assert table(frame, replicate=None) == table(shuffled, replicate=None)


def test_a_failure_loses_the_cap_and_a_word_says_how() -> None:
    frame = grid()
    status = ["ok"] * len(frame)
    mish = np.flatnonzero(frame["act"] == "mish")
    frame.loc[mish[0], "score"] = np.nan
    status[mish[1]], status[mish[2]] = "crashed", "oom"
    found = foreign(frame, status=status, loss_cap=3.0)
    counts = found.frame["status"].value_counts().to_dict()
    assert counts == {"ok": len(frame) - 3, "failed": 2, "oom": 1}
    assert found.remarks[-1] == (
        "Runs that count as failed: 1 without a finite score, 1 with the status 'crashed' and 1 with the "
        "status 'oom'."
    )
    made = criteria_table(found.frame, found.question)
    assert made.headline[0].focus_failures == 3
    assert made.loss_cap == 3.0
    assert "A run that failed is never left out; it loses 3 points." in " ".join(made.notes)


def test_repetitions_without_a_replicate_are_paired_at_random_whatever_their_results() -> None:
    """Were the best paired with the best, three runs against one would win where nothing is better."""
    frame = pd.concat([grid(seeds=3, gain=0.0, activations=("mish",)), grid(seeds=1, activations=("relu",))])
    gains: list[float] = []
    for seed in range(40):
        noise = np.random.default_rng(seed).standard_normal(len(frame))
        best_first = frame.assign(score=80 + noise).sort_values("score", ascending=False)
        (row,) = table(best_first, replicate=None).headline
        assert (row.pairs, row.units) == (16, 16)
        assert row.difference is not None
        gains.append(row.difference)
    assert abs(np.mean(gains)) < 4 * np.std(gains) / np.sqrt(len(gains))
    assert "repetitions were paired at random" in foreign(frame, replicate=None).remarks[-1]


def test_a_run_that_was_repeated_counts_as_a_further_replicate_and_as_no_new_evidence() -> None:
    frame = grid()
    found = foreign(pd.concat([frame, frame]))
    (once,), (twice,) = table(frame).headline, table(pd.concat([frame, frame])).headline
    assert found.remarks[-1].startswith("64 runs with the factors, the seed and the act of another one: ")
    assert (twice.units, twice.pairs) == (16, 64)
    assert (twice.difference, twice.low, twice.high) == (once.difference, once.low, once.high)


def test_not_even_where_the_seed_is_the_unit() -> None:
    frame = grid(seeds=12)
    one = frame.loc[(frame["layers"] == 4) & (frame["opt"] == "adam") & (frame["lr"] == 0.1)]
    (once,), (twice,) = (table(runs, factors=()).headline for runs in (one, pd.concat([one, one])))
    assert (twice.units, twice.pairs) == (12, 24)
    assert (twice.difference, twice.low, twice.high) == (once.difference, once.low, once.high)


def test_where_seeds_are_not_shared_the_configuration_still_pairs() -> None:
    frame = grid()
    frame["seed"] += 100 * (frame["act"] == "relu")
    found = foreign(frame)
    assert found.question.design == "paired"
    assert "runs of different act do not share seed" in found.remarks[-1]
    assert table(frame).headline[0].units == 16


def test_blocks_that_lack_the_focus_are_counted() -> None:
    frame = grid()
    made = table(frame.drop(index=frame.index[(frame["act"] == "mish") & (frame["seed"] == 1)][:5]))
    assert (made.headline[0].pairs, made.dropped) == (27, 5)
    assert "Without a usable pair: up to 5 blocks per rival" in " ".join(made.notes)


def test_one_setting_with_many_seeds_takes_the_seed_for_the_unit() -> None:
    frame = grid(seeds=12)
    one = frame.loc[(frame["layers"] == 4) & (frame["opt"] == "adam") & (frame["lr"] == 0.1)]
    found = foreign(one, factors=())
    assert found.question.design == "ofat"
    (row,) = table(one, factors=()).headline
    assert (row.units, row.verdict) == (12, Verdict.WINS)
    assert "verdicts are about these settings alone" in found.remarks[-1]
    (alone,) = table(one, factors=(), replicate=None).headline
    assert (alone.units, alone.verdict) == (12, Verdict.WINS)


def test_one_factor_moved_at_a_time_is_recognised() -> None:
    frame = grid(seeds=6)
    walk = frame.loc[
        (frame["opt"] == "adam") & (frame["lr"] == 0.1) | (frame["layers"] == 4) & (frame["lr"] == 0.1)
    ]
    found = foreign(walk, factors=("layers", "opt"))
    assert found.question.design == "ofat"
    assert dict(found.question.baseline) == {"layers": 4, "opt": "adam"}
    assert all(row.units == 6 for row in table(walk, factors=("layers", "opt")).levels)
    assert foreign(walk.loc[walk["seed"] < 3], factors=("layers", "opt")).question.design == "paired"
    assert foreign(frame).question.design == "paired"


def test_runs_at_settings_of_their_own_are_compared_unpaired_and_the_table_says_so() -> None:
    frame = random_search(120, gain=2.0)
    found = foreign(frame, factors=("lr", "opt"))
    assert found.question.design == "unpaired"
    assert "Unpaired: no configurations ran with both mish and one other act." in found.remarks[-1]
    made = table(frame, factors=("lr", "opt"))
    assert made.headline[0].verdict is Verdict.WINS
    assert {row.parameter for row in made.levels} == {"lr", "opt"}


def test_a_few_pairs_by_chance_make_no_paired_table_and_few_of_everything_no_unpaired_one() -> None:
    frame = random_search(60)
    frame.loc[:9, ["lr", "opt"]] = np.repeat(frame.loc[:9:2, ["lr", "opt"]].to_numpy(), 2, axis=0)
    frame.loc[:9, "act"] = ["mish", "relu"] * 5
    found = foreign(frame.infer_objects(), factors=("lr", "opt"))
    assert found.question.design == "unpaired"
    assert "only 5 configurations ran with both" in found.remarks[-1]
    assert foreign(frame.loc[:9].infer_objects(), factors=("lr", "opt")).question.design == "paired"


def test_lower_may_be_better_and_must_be_said_where_the_name_suggests_it() -> None:
    loss = grid().assign(score=lambda runs: 1 - runs["score"] / 100).rename(columns={"score": "val_loss"})
    with pytest.raises(InputError, match="of 'val_loss' lower values seem to be better; add --lower-is-bet"):
        foreign(loss, metric="val_loss", delta=0.005)
    made = table(loss, metric="val_loss", delta=0.005, lower_is_better=True)
    assert (made.headline[0].verdict, made.unit, made.higher_is_better) == (Verdict.WINS, "units", False)
    other = table(loss, metric="val_loss", delta=0.005, lower_is_better=False)
    assert other.headline[0].verdict is Verdict.LOSES


def test_a_fraction_is_not_taken_for_points() -> None:
    share = grid().assign(score=lambda runs: runs["score"] / 100)
    with pytest.raises(
        InputError, match=r"so a --delta of 0\.5 is a large part of its range; add --scale 100"
    ):
        foreign(share)
    in_points, as_it_is = table(share, scale=100.0), table(share, delta=0.005)
    assert (in_points.unit, as_it_is.unit) == ("points", "units")
    assert in_points.headline[0].difference == pytest.approx(
        100 * (as_it_is.headline[0].difference or 0), rel=1e-5
    )
    assert in_points.headline[0].verdict is as_it_is.headline[0].verdict is Verdict.WINS
    assert table(share, scale=1.0).headline[0].verdict is Verdict.TIES
    assert "multiplied by 100" in foreign(share, scale=100.0).remarks[-1]


def test_chance_makes_pairs_say_nothing() -> None:
    frame = grid()
    frame.loc[frame["layers"] >= 8, "score"] = 10.0
    assert table(frame).headline[0].uninformative == 0
    assert table(frame, chance=10.0).headline[0].uninformative == 0.5
    with pytest.raises(InputError, match="--chance is for a metric in points"):
        foreign(frame.assign(score=frame["score"] / 100), delta=0.005, chance=0.1)


def test_names_that_the_frame_uses_itself_are_told_apart() -> None:
    frame = grid().rename(columns={"opt": "activation", "act": "block", "score": "status"})
    found = foreign(frame, treatment="block", metric="status", factors=("layers", "activation", "lr"))
    assert [factor.name for factor in found.question.factors] == ["layers", "activation (parameter)", "lr"]
    assert found.question.metric == "status (metric)"
    assert criteria_table(found.frame, found.question).headline[0].verdict is Verdict.WINS


def test_a_metric_of_ours_in_another_unit_may_have_any_value() -> None:
    frame = grid().assign(score=lambda runs: runs["score"] - 1000).rename(columns={"score": "test_accuracy"})
    assert table(frame, metric="test_accuracy").unit == "units"


LOW_CAP = "--loss-cap must be more than --delta, which is 0.5, and is 0.5; 10 x delta is usual."
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"focus": "Mish"}, "no run has 'Mish' as its act; did you mean 'mish'?"),
    ({"focus": "zzz"}, "no run has 'zzz' as its act; choose one of 'mish', 'relu'."),
    ({"replicate": "sed"}, "no run has the parameter 'sed'; did you mean 'seed'?"),
    ({"delta": 0.0}, "--delta must be a number above 0, and is 0."),
    ({"delta": float("nan")}, "--delta must be a number above 0, and is nan."),
    ({"loss_cap": -1.0}, "--loss-cap must be a number above 0, and is -1."),
    ({"loss_cap": 0.5}, LOW_CAP),
    ({"replicate": "act"}, "'act' is the treatment and cannot be the replicate as well."),
    ({"scale": 0.0}, "--scale must be a number above 0, and is 0."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_a_question_that_does_not_fit_is_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        foreign(grid(), **changes)
    assert str(caught.value) == words


def test_runs_that_answer_nothing_are_refused() -> None:
    frame = grid()
    with pytest.raises(InputError, match="'act' has 60 values, and each is compared with 'mish' by itself"):
        foreign(frame.assign(act=["mish", *(f"a{place % 59}" for place in range(len(frame) - 1))]))
    with pytest.raises(InputError, match="every run has 'mish' as its act, so it has no rival"):
        foreign(frame.loc[frame["act"] == "mish"])
    with pytest.raises(InputError, match="no run has the status 'ok', only 'done'"):
        foreign(frame, status=["done"] * len(frame))
    with pytest.raises(InputError, match="no run that ended well has a finite value of 'score'"):
        foreign(frame.assign(score=np.nan))
