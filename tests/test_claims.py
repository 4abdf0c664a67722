"""Published claims against a sweep with a planted truth: each standing, its evidence, what is not covered."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from simulated_record import simulated_record, write_ledger
from simulated_runs import Truth, simulate
from typer.testing import CliRunner

import mishstudy
from analysis.claims import Claim, Claims, Judgement, Standing, judge, network_of, read_claims, where_text
from analysis.criteria import CriteriaTable, criteria_table
from analysis.frame import runs_frame
from analysis.statistics.compare import Verdict
from analysis.tables.claims import claim_rows, count_line, to_csv, to_json, to_markdown
from mishstudy.publication import PUBLISHED, report_page
from study.activations import canonical
from study.architectures import ARCHITECTURES
from study.datacards import DATASETS
from study.errors import InputError
from study.ledger import Record
from study.training import Level
from sweeps.home import Home
from sweeps.settings import settings_of

WORLD = Truth(
    configurations=160,
    rivals=("relu", "swish"),
    factors=("depth", "optimizer"),
    effect=lambda drawn: np.where(drawn["depth"] > 15, 2.5, -2.5),
)
"""Mish wins with more than 15 layers and loses with fewer, whatever the optimizer."""


@pytest.fixture(scope="module")
def record() -> Record:
    return simulated_record(simulate(WORLD, np.random.default_rng(3)), WORLD.question)


@pytest.fixture(scope="module")
def table(record: Record) -> CriteriaTable:
    return criteria_table(runs_frame(record), record.question)


def claim(**keys: object) -> Claim:
    values: dict[str, object] = {
        "id": "one", "text": "Mish wins", "source": "a paper", "rivals": ("relu", "swish"), "says": "wins",
    }  # fmt: skip
    return Claim(**{**values, **keys})  # pyright: ignore[reportArgumentType]


def judged(table: CriteriaTable, one: Claim, focus: str = "mish") -> Judgement:
    return judge(Claims(title="A paper", focus=focus, claims=(one,)), table, WORLD.question)


def standing(table: CriteriaTable, **keys: object) -> tuple[Standing, str]:
    (found,) = judged(table, claim(**keys)).judged
    return found.standing, found.reason


def test_what_every_comparison_says_is_supported(table: CriteriaTable) -> None:
    (found,) = judged(table, claim(parameter="depth", above=15)).judged
    assert found.standing is Standing.SUPPORTED
    assert {row.rival for row in found.rows} == {"relu", "swish"}
    assert all(row.level_low is not None and row.level_low > 15 for row in found.rows)
    assert standing(table, parameter="depth", at_most=10, says="loses") == (Standing.SUPPORTED, "")


def test_what_one_comparison_says_otherwise_is_contradicted(table: CriteriaTable) -> None:
    found, reason = standing(table, parameter="depth")
    assert found is Standing.CONTRADICTED
    assert "say otherwise" in reason
    assert standing(table, parameter="depth", above=15, says="loses")[0] is Standing.CONTRADICTED
    assert standing(table, parameter="depth", above=15, says="ties")[0] is Standing.CONTRADICTED


def test_what_nothing_speaks_for_or_against_is_undecided(table: CriteriaTable) -> None:
    row = next(one for one in table.levels if one.parameter == "optimizer")
    open_ = dataclasses.replace(row, verdict=Verdict.NOT_ENOUGH_EVIDENCE)
    wins = dataclasses.replace(row, verdict=Verdict.WINS, rival="swish")
    unsure = dataclasses.replace(table, levels=(open_, wins))
    found, reason = standing(unsure, parameter="optimizer")
    assert (found, reason) == (
        Standing.UNDECIDED, "1 of 2 comparisons say so, none speaks against it"
    )  # fmt: skip
    running = dataclasses.replace(table, provisional=True)
    assert standing(running, parameter="depth", above=15) == (
        Standing.UNDECIDED, "the sweep is not finished"
    )  # fmt: skip


def test_a_rival_that_was_not_run_leaves_a_true_claim_undecided(table: CriteriaTable) -> None:
    assert standing(table, parameter="depth", above=15, rivals=("relu", "gelu")) == (
        Standing.UNDECIDED, "true where it was asked; gelu not run"
    )  # fmt: skip
    found, _ = standing(table, parameter="depth", rivals=("relu", "gelu"))
    assert found is Standing.CONTRADICTED


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"parameter": "width"}, "width is no condition of this sweep"),
        ({"rivals": ("gelu",)}, "gelu not run"),
        ({"datasets": ("mars",)}, "about mars"),
        ({"architectures": ("tower", "hut")}, "about tower or hut"),
        ({"parameter": "depth", "above": 1000}, "no level of depth lies within it"),
        ({"parameter": "optimizer", "levels": ("nosuch",)}, "no level of optimizer lies within it"),
        ({"parameter": "optimizer", "above": 3}, "no level of optimizer lies within it"),
    ],
)
def test_what_the_design_does_not_cover_is_said(
    table: CriteriaTable, keys: dict[str, object], reason: str
) -> None:
    assert standing(table, **keys) == (Standing.NOT_COVERED, reason)


def test_claims_about_another_activation_are_not_covered(table: CriteriaTable) -> None:
    (found,) = judged(table, claim(), focus="gelu").judged
    assert (found.standing, found.reason) == (Standing.NOT_COVERED, "the sweep asks about mish")


def test_a_claim_about_one_depth_of_a_network_is_covered_by_sweeps_of_that_depth(
    table: CriteriaTable,
) -> None:
    one = claim(parameter="optimizer", says="ties", network={"depth": 20})
    claims = Claims(title="A paper", focus="mish", claims=(one,))
    for network in ({"depth": 32}, {}, None):
        (found,) = judge(claims, table, WORLD.question, network).judged
        assert (found.standing, found.reason) == (Standing.NOT_COVERED, "about depth 20")
    (found,) = judge(claims, table, WORLD.question, {"depth": 20, "width_multiplier": 1.0}).judged
    assert found.standing is not Standing.NOT_COVERED


def test_the_network_of_a_record_is_what_all_its_trainings_share(record: Record) -> None:
    def with_arguments(*arguments: tuple[tuple[str, Level], ...]) -> Record:
        entries = [
            dataclasses.replace(
                entry, training=dataclasses.replace(entry.training, architecture_arguments=own)
            )
            for entry, own in zip(record.entries, arguments, strict=False)
        ]
        return dataclasses.replace(record, entries=tuple(entries))

    deep, deeper = (("depth", 20), ("width", 8)), (("depth", 20), ("width", 16))
    assert network_of(with_arguments(deep, deep)) == {"depth": 20, "width": 8}
    assert network_of(with_arguments(deep, deeper)) == {"depth": 20}
    assert network_of(with_arguments()) == {}


def test_the_shipped_claims_name_what_there_is() -> None:
    for one in read_claims(PUBLISHED).claims:
        assert set(one.datasets) <= set(DATASETS), one.id
        assert set(one.architectures) <= set(ARCHITECTURES), one.id
        (*known,) = (settings_of(name) for name in one.architectures)
        assert all(key in settings for key in one.network for settings in known), one.id
        assert [canonical(rival) for rival in one.rivals] == [*one.rivals], one.id


def test_a_bin_that_lies_across_a_bound_is_not_within_the_claim(table: CriteriaTable) -> None:
    binned = [row for row in table.levels if row.parameter == "depth" and row.rival == "relu"]
    across = next(row for row in binned if row.level_low != row.level_high)
    assert across.level_low is not None
    assert not claim(parameter="depth", above=across.level_low).is_about(across)
    assert claim(parameter="depth", at_least=across.level_low).is_about(across)
    assert not claim(parameter="depth", at_most=across.level_low).is_about(across)


def test_every_form_holds_the_same_claims(table: CriteriaTable) -> None:
    found = judge(read_claims(PUBLISHED), table, WORLD.question)
    rows = claim_rows(found.judged, table)
    markdown = to_markdown(found, table)
    assert count_line(found) in markdown
    assert all(row["Claim"] in markdown for row in rows)
    values = json.loads(to_json(found, table))
    assert [one["standing"] for one in values["claims"]] == [one.standing for one in found.judged]
    listed = list(csv.DictReader(io.StringIO(to_csv(found, table))))
    assert [row["Id"] for row in listed] == [one.claim.id for one in found.judged]
    assert [row["Here"] for row in listed] == [one.standing.words for one in found.judged]


def test_the_shipped_claims_meet_the_planted_truth(table: CriteriaTable) -> None:
    found = {
        one.claim.id: one.standing for one in judge(read_claims(PUBLISHED), table, WORLD.question).judged
    }
    assert found["depth"] is Standing.SUPPORTED
    assert found["width"] is Standing.NOT_COVERED
    assert found["squeezenet-relu"] is Standing.NOT_COVERED
    assert sum(one is Standing.NOT_COVERED for one in found.values()) < len(found) - 3


def test_where_a_claim_holds_is_said_in_words() -> None:
    assert where_text(claim()) == "overall"
    assert where_text(claim(parameter="dropout")) == "dropout: any"
    assert where_text(claim(parameter="depth", above=2, at_most=9)) == "depth: above 2 and at most 9"
    assert where_text(claim(parameter="optimizer", others=("nadam",))) == "optimizer: any but nadam"


GOOD = """
title = "T"
focus = "mish"
[[claims]]
id = "a"
text = "t"
source = "s"
rivals = ["relu"]
says = "wins"
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has at least one [[claims]]"),
        ("a = [", "is none:"),
        ('claims = "x"', "has at least one [[claims]]"),
        ("claims = [1]", "claim 1 must be a table of keys, and is '1'"),
        (GOOD.replace('says = "wins"', 'says = "rules"'), "says cannot be 'rules'"),
        (GOOD + "colour = 1", "'colour' is no key here"),
        (GOOD.replace('text = "t"\n', ""), "claim 1 lacks the key 'text'"),
        (GOOD.replace('focus = "mish"\n', ""), "lacks the key 'focus'"),
        (GOOD + "above = 3", "names levels and no parameter"),
        (GOOD.replace('["relu"]', "[]"), "needs at least one rival"),
        (GOOD + GOOD[GOOD.index("[[") :], "'a' is there twice"),
        (GOOD + 'above = "three"', "above cannot be 'three'"),
        (GOOD + "network = 20", "network cannot be '20'"),
        (GOOD + "network = { depth = [20] }", "network cannot be"),
    ],
)
def test_a_file_that_holds_no_claims_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_claims(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_command_and_the_report_show_them(record: Record, tmp_path: Path) -> None:
    write_ledger(tmp_path, record)
    done = CliRunner().invoke(mishstudy.app, ["claims", "simulated", "--home", str(tmp_path)])
    assert done.exit_code == 0
    assert "| Mish wins with more than 15 layers " in done.stdout
    page = report_page(Home(tmp_path), record, strict=False)
    assert 'id="claims"' in page
    assert "Mish wins with more than 15 layers" in page
    assert "SqueezeNet" not in page
