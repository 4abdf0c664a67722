"""The criteria table: what its words say of its verdicts, what it carries, and what must not change it."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from simulated_runs import SPACE, Truth, simulate

from analysis.agreement import Agreement
from analysis.criteria import CriteriaTable, criteria_table
from analysis.notes import notes
from analysis.profile import ProfiledLevel
from analysis.recommendation import recommend
from analysis.sequence import RunningHeadline
from analysis.statistics.best_of_k import BestOfDifference, CurvePoint, TuningCurve
from analysis.statistics.compare import Comparison, Verdict
from analysis.statistics.failures import FailureRate, TrainedDifference
from analysis.statistics.gates import Gate
from analysis.statistics.interactions import Interaction, Leaf
from analysis.statistics.pairing import Pairing
from analysis.statistics.ranking import RankedActivation, RankedPair, Ranking
from analysis.statistics.thresholds import RegionGain, Threshold
from analysis.statistics.tuned import TunedBest, TunedVerdict
from analysis.summaries import FactorSummary, LevelVerdict, quantity_text
from study.errors import InputError
from study.question import Question
from study.tuning import Tuning

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "analysis" / "criteria.schema.json").read_text(encoding="utf-8"))
PARTS = (
    Comparison, LevelVerdict, FactorSummary, TunedBest, Gate, RegionGain, Threshold, Leaf, Interaction,
    ProfiledLevel, RankedActivation, RankedPair, Ranking, FailureRate, TrainedDifference, Pairing, Agreement,
    RunningHeadline, TunedVerdict, TuningCurve, CurvePoint, BestOfDifference, Tuning,
)  # fmt: skip
TWO = Truth(rivals=("relu", "swish"), factors=("optimizer",)).question
ONE = dataclasses.replace(TWO, rivals=("relu",))
WINS, LOSES, TIES, OPEN = "wins", "loses", "ties", "not_enough_evidence"


def row(rival: str, verdict: str, level: str | None = None, **values: object) -> Comparison:
    """Return a comparison with the verdict and whatever else a test is about."""
    difference = {WINS: 1.0, LOSES: -1.0}.get(verdict, 0.2)
    filled: dict[str, object] = {
        "rival": rival, "parameter": None if level is None else "optimizer", "level": level,
        "pairs": 30, "units": 30, "dropped": 0, "difference": difference, "low": difference - 0.3,
        "high": difference + 0.3, "deviation": 0.8, "win_rate": 0.6, "win_rate_low": 0.4,
        "win_rate_high": 0.8, "p": 0.01, "p_adjusted": 0.2 if verdict in (TIES, OPEN) else 0.02,
        "p_tie": 0.9, "p_tie_adjusted": 0.03 if verdict == TIES else 0.95, "verdict": Verdict(verdict),
        "size": "clear" if verdict in (WINS, LOSES) else None, "focus_failures": 0, "rival_failures": 0,
        "both_failed": 0, "mcnemar_p": 1.0, "failure_share": 0.0, "uninformative": 0.0,
        "units_to_settle": 80 if verdict == OPEN else None,
    }  # fmt: skip
    return Comparison(**{**filled, **values})  # pyright: ignore[reportArgumentType]


def summary(*rows: Comparison, question: Question = TWO) -> FactorSummary:
    return recommend(rows, (), (), question, provisional=False)[0]


def test_the_row_of_the_well_known_table() -> None:
    """One rival: which levels, who wins elsewhere, and the weakest evidence for either."""
    found = summary(
        row("relu", WINS, "sgd"), row("relu", WINS, "adam", p_adjusted=0.04), row("relu", LOSES, "nadam"),
        question=ONE,
    )  # fmt: skip
    assert found.wins == "sgd, adam"
    assert found.elsewhere == "relu at nadam"
    assert found.evidence == (
        "+1.00 [+0.70, +1.30] points at adam (weakest of 2 wins; adjusted p 0.04; "
        "win rate 60 % [40, 80]; 30 pairs of 30 configurations); "
        "-1.00 [-1.30, -0.70] points at nadam (adjusted p 0.02; "
        "win rate 60 % [40, 80]; 30 pairs of 30 configurations)"
    )
    assert found.sentence == (
        "With optimizer sgd or adam, mish beats relu. With optimizer nadam, relu beats mish."
    )


def test_a_win_over_some_rivals_names_them_and_one_over_all_needs_no_name() -> None:
    found = summary(
        row("relu", WINS, "sgd"), row("swish", WINS, "sgd"),
        row("relu", OPEN, "adam"), row("swish", WINS, "adam"),
        row("relu", LOSES, "nadam"), row("swish", WINS, "nadam"),
    )  # fmt: skip
    assert found.wins == "sgd; over swish: adam, nadam"
    assert found.elsewhere == "relu at nadam; not settled against relu: adam"
    assert [level.verdict.value for level in found.levels] == [WINS, OPEN, LOSES]
    assert found.sentence == (
        "With optimizer sgd, mish beats every rival. With optimizer adam or nadam, mish beats swish. "
        "With optimizer nadam, relu beats mish. With optimizer adam, there is not enough evidence against "
        "relu. About 80 configurations at adam would settle it (now 30)."
    )


def test_with_one_setting_alone_the_average_is_over_its_replicates() -> None:
    found = summary(row("relu", WINS), question=dataclasses.replace(ONE, factors=(), design="ofat"))
    assert found.sentence == "On average over the replicates, mish beats relu."


def test_every_level_and_no_pair() -> None:
    every = summary(row("relu", WINS, "sgd"), row("relu", WINS, "adam"), question=ONE)
    assert (every.wins, every.elsewhere) == ("every tested level", "-")
    assert every.sentence == "At every tested optimizer, mish beats relu."
    none = {"pairs": 0, "units": 0, "difference": None, "low": None, "high": None, "p": None,
            "p_adjusted": None, "p_tie_adjusted": None, "units_to_settle": None}  # fmt: skip
    empty = summary(row("relu", WINS, "sgd"), row("relu", OPEN, "adam", **none), question=ONE)
    assert (empty.wins, empty.elsewhere) == ("sgd", "no pair: adam")
    assert empty.sentence == "With optimizer sgd, mish beats relu. With optimizer adam, there is no pair yet."
    nothing = summary(row("relu", OPEN, "sgd", **none), question=ONE)
    assert (nothing.wins, nothing.elsewhere, nothing.evidence) == ("none shown", "no pair: sgd", "no pairs")
    few = summary(row("relu", OPEN, "sgd", **{**none, "pairs": 3, "units": 3}), question=ONE)
    assert few.evidence == "too few pairs"


def test_nothing_settled_shows_what_came_nearest() -> None:
    found = summary(
        row("relu", OPEN, "sgd"), row("relu", OPEN, "adam", p_tie_adjusted=0.06), question=ONE
    )  # fmt: skip
    assert (found.wins, found.elsewhere) == ("none shown", "not settled")
    assert found.evidence == (
        "+0.20 [-0.10, +0.50] points at adam "
        "(nearest to a verdict; adjusted p of a tie 0.06; "
        "win rate 60 % [40, 80]; 30 pairs of 30 configurations)"
    )


def test_ties_are_evidence_only_where_nobody_wins() -> None:
    found = summary(row("relu", TIES, "sgd"), row("relu", TIES, "adam", p_tie_adjusted=0.04), question=ONE)
    assert (found.wins, found.elsewhere) == ("none shown", "ties with relu at every tested level")
    assert "at adam (weakest of 2 ties; adjusted p of a tie 0.04;" in found.evidence
    with_win = summary(row("relu", TIES, "sgd"), row("relu", WINS, "adam"), question=ONE)
    assert "tie" not in with_win.evidence


def test_a_fragile_verdict_is_marked_where_it_is_the_evidence() -> None:
    found = summary(row("relu", WINS, "sgd", stable_under={"cap_0.6": True, "cap_2": False}), question=ONE)
    assert found.evidence.endswith("30 pairs of 30 configurations; fragile)")


@pytest.mark.parametrize(
    ("verdicts", "combined"),
    [
        ((WINS, WINS), WINS), ((WINS, TIES), TIES), ((TIES, TIES), TIES), ((WINS, OPEN), OPEN),
        ((TIES, OPEN), OPEN), ((WINS, LOSES), LOSES), ((LOSES, OPEN), LOSES), ((LOSES, TIES), LOSES),
    ],
)  # fmt: skip
def test_against_all_rivals_a_win_needs_every_one_and_a_loss_only_one(
    verdicts: tuple[str, str], combined: str
) -> None:
    for first, second in (verdicts, verdicts[::-1]):
        (level,) = summary(row("relu", first), row("swish", second)).levels
        assert level.verdict.value == combined


def test_the_headline() -> None:
    found = summary(row("relu", OPEN), row("swish", WINS))
    assert (found.wins, found.elsewhere) == ("over swish", "not settled against relu")
    assert found.evidence.startswith("+1.00 [+0.70, +1.30] points over swish (adjusted p 0.02;")
    found = summary(row("relu", LOSES), row("swish", TIES))
    assert (found.wins, found.elsewhere) == ("none shown", "relu; ties with swish")
    assert summary(row("relu", WINS), question=ONE).wins == "overall"


def test_quantities_are_english() -> None:
    assert [quantity_text(value, "points") for value in (1.0, 0.5, 10.0)] == [
        "1 point", "0.5 points", "10 points",
    ]  # fmt: skip
    units = ["nats", "seconds", "loss", "ms", "s", "status", "bits per pixel"]
    assert [quantity_text(1.0, unit) for unit in units] == [
        "1 nat", "1 second", "1 loss", "1 ms", "1 s", "1 status", "1 bits per pixel",
    ]  # fmt: skip


# The table of a sweep.


FAILING = Truth(
    configurations=40, replicates=2, rivals=("relu", "swish"), factors=("depth", "optimizer"),
    failure_rate=0.1, missing=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulate(FAILING, np.random.default_rng(8))


@pytest.fixture(scope="module")
def table(frame: pd.DataFrame) -> CriteriaTable:
    return criteria_table(frame, FAILING.question, chance=10.0)


def test_the_table_counts_what_was_run(frame: pd.DataFrame, table: CriteriaTable) -> None:
    assert (table.configurations, table.planned_configurations, table.replicates) == (40, 40, 2)
    assert (table.trainings, table.planned_trainings) == (len(frame), 240)
    failed = frame.loc[frame["status"] == "diverged", "activation"].value_counts()
    assert {name: counts.get("diverged", 0) for name, counts in table.failures.items()} == {
        name: failed.get(name, 0) for name in ("mish", "relu", "swish")
    }
    assert [row.rival for row in table.headline] == ["relu", "swish"]
    assert len(table.levels) == 2 * (4 + len(SPACE["optimizer"]))
    assert [(row.parameter, row.rival) for row in table.summaries][:4] == [
        (None, None), (None, "relu"), (None, "swish"), ("depth", None),
    ]  # fmt: skip


def test_a_running_sweep_is_provisional_in_every_sentence(frame: pd.DataFrame) -> None:
    running = criteria_table(frame.head(150), FAILING.question)
    assert running.provisional
    assert all(summary.sentence.startswith("Provisional: ") for summary in running.summaries)
    assert any(note.startswith("Provisional: planned trainings are missing") for note in running.notes)


def test_a_running_sweep_says_what_is_safe_to_stop_on() -> None:
    truth = dataclasses.replace(Truth(rivals=("relu", "swish"), factors=("optimizer",)), configurations=60)
    runs = simulate(truth, np.random.default_rng(8))
    running = criteria_table(runs.loc[runs["index"] != 40], truth.question)
    assert [(row.rival, row.configurations, row.units) for row in running.running] == [
        ("relu", 40, 40),
        ("swish", 40, 40),
    ]
    assert running.stopped_at is None
    (said,) = [note for note in running.notes if note.startswith("Safe to stop on is the overall row alone")]
    assert "over the first 40 of 60 configurations" in said
    assert_valid(running)
    finished = criteria_table(runs, truth.question)
    assert finished.running == ()


def test_a_sweep_that_stopped_early_says_so_and_keeps_the_verdict_it_stopped_on() -> None:
    gain = Truth(factors=("optimizer",), effect=lambda drawn: np.full(len(drawn), 1.5))
    runs = simulate(gain, np.random.default_rng(8))
    first = runs.loc[runs["index"] < 34]
    table = criteria_table(first, gain.question, stopped_at=32)
    (one,) = table.running
    assert (one.configurations, one.units, one.verdict) == (32, 32, Verdict.WINS)
    assert one.low is not None
    assert one.low > 0
    assert (table.stopped_at, table.provisional) == (32, False)
    assert table.headline[0].verdict is Verdict.WINS
    assert table.headline[0].units == 34
    assert table.headline[0].size == ("clear" if one.low > 0.5 else "unclear")
    assert not any(summary.sentence.startswith("Provisional") for summary in table.summaries)
    (said,) = [note for note in table.notes if note.startswith("Stopped early (--until decided)")]
    assert "over the first 32 of 120 configurations" in said
    assert f"wins over relu, {one.difference:+.2f}" in said
    assert any("the levels are exploratory" in note for note in table.notes)
    assert_valid(table)
    # What is decided stands on the sequence, whatever the t test of more units says.
    null = simulate(
        dataclasses.replace(gain, effect=lambda drawn: np.zeros(len(drawn))), np.random.default_rng(8)
    )
    open_row = criteria_table(null.loc[null["index"] < 34], gain.question, stopped_at=20).headline[0]
    assert open_row.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert open_row.units_to_settle is None
    whole = criteria_table(runs, gain.question, stopped_at=32)
    assert (whole.stopped_at, whole.running, whole.provisional) == (None, (), False)


def test_a_finished_sweep_is_not_provisional() -> None:
    truth = dataclasses.replace(FAILING, missing=0.0)
    finished = criteria_table(simulate(truth, np.random.default_rng(8)), truth.question)
    assert not finished.provisional
    assert not any("rovisional" in note for note in finished.notes)


def test_caveats_are_in_the_notes(frame: pd.DataFrame) -> None:
    question = dataclasses.replace(FAILING.question, dataset_note="Only 109 images.")
    adaptive = frame.assign(adaptive=frame["index"] == 0)
    notes = " ".join(criteria_table(adaptive, question, mixed=True, strict=True).notes)
    for part in (
        "Only 109 images.",
        "more than one environment",
        "trainings of an adaptive search, whose settings were chosen after seeing results.",
        "Holm over all level rows",
        "Without a usable pair: up to ",
        "it loses 5 points. Failures: mish",
    ):
        assert part in notes


def test_notes_on_one_of_a_kind_are_english(table: CriteriaTable) -> None:
    text = " ".join(notes(dataclasses.replace(table, dropped=1, adaptive_excluded=1)))
    assert "Without a usable pair: up to 1 block per rival, of which" in text
    assert "Left out: 1 training of an adaptive search" in text


def test_no_row_at_all_is_a_table_without_verdicts(frame: pd.DataFrame) -> None:
    empty = criteria_table(frame.head(0), FAILING.question)
    assert {row.verdict for row in empty.headline + empty.levels} == {Verdict.NOT_ENOUGH_EVIDENCE}
    assert empty.summaries[0].sentence == "Provisional: There is no pair yet."
    assert_valid(empty)


def test_the_table_comes_back_from_its_json(table: CriteriaTable) -> None:
    assert_valid(table)


def test_json_of_another_schema_is_refused(table: CriteriaTable) -> None:
    with pytest.raises(InputError, match="must have the schema 'mishstudy-criteria/2', not 'other/2'"):
        CriteriaTable.from_json({**table.to_json(), "schema": "other/2"})


def assert_valid(table: CriteriaTable) -> None:
    """Check that the JSON form is what the schema describes and comes back equal from text."""
    plain = json.loads(json.dumps(table.to_json(), allow_nan=False))
    jsonschema.Draft202012Validator(SCHEMA).validate(plain)
    assert CriteriaTable.from_json(plain) == table


def test_the_schema_knows_every_field_and_no_other() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    table = {field.name for field in dataclasses.fields(CriteriaTable)}
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) == {"schema", *table}
    assert list(SCHEMA["$defs"]) == [kind.__name__ for kind in PARTS]
    for part, kind in zip(SCHEMA["$defs"], PARTS, strict=True):
        fields = {field.name for field in dataclasses.fields(kind)}
        assert set(SCHEMA["$defs"][part]["properties"]) == set(SCHEMA["$defs"][part]["required"]) == fields


# What must not change anything.


def test_the_order_of_rows_and_the_names_of_activations_change_nothing(
    frame: pd.DataFrame, table: CriteriaTable
) -> None:
    assert criteria_table(frame[::-1], FAILING.question, chance=10.0) == table
    names = {"mish": "zeta", "relu": "alpha", "swish": "my_package.shapes:beta"}
    renamed = criteria_table(
        frame.assign(activation=frame["activation"].map(names)),
        dataclasses.replace(FAILING.question, focus="zeta", rivals=("alpha", "my_package.shapes:beta")),
        chance=10.0,
    )
    numbers = [
        [value for name, value in dataclasses.asdict(row).items() if name != "rival"]
        for made in (table, renamed)
        for row in made.headline + made.levels
    ]
    half = len(numbers) // 2
    assert numbers[:half] == numbers[half:]


EXPORT = """
import hashlib, sys
sys.path.insert(0, "tests")
import numpy as np
from simulated_runs import Truth, simulate
from rich.console import Console
from analysis.tables import exports, terminal
from analysis.criteria import criteria_table
truth = Truth(configurations=40, rivals=("relu", "swish", "gelu"), failure_rate=0.1, missing=0.1)
table = criteria_table(simulate(truth, np.random.default_rng(1)), truth.question)
made = [getattr(exports, f"to_{kind}")(table) for kind in ("markdown", "csv", "json", "latex", "html")]
console = Console(record=True, width=100, file=open("/dev/null", "w"))
console.print(terminal.render(table))
print(hashlib.sha256("".join([*made, console.export_text()]).encode()).hexdigest())
"""


def test_another_hash_seed_gives_the_same_bytes() -> None:
    digests = set()
    for seed in ("1", "2026"):
        done = subprocess.run(
            [sys.executable, "-c", EXPORT], capture_output=True, text=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        digests.add(done.stdout)
    assert len(digests) == 1
    assert len(digests.pop().strip()) == len(hashlib.sha256().hexdigest())


@pytest.mark.parametrize("module", ["criteria", "tables.exports", "tables.terminal"])
def test_the_table_needs_no_framework_and_no_plots(module: str) -> None:
    code = f"import sys, analysis.{module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {
        "tensorflow",
        "jax",
        "keras",
        "matplotlib",
        "seaborn",
        "sklearn",
        "statsmodels",
        "mlflow",
        "optuna",
    }
    assert not heavy & set(done.stdout.split())
