"""Published claims against a sweep with a planted truth: each standing, its evidence, what is not covered."""

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated_record import simulated_record, write_ledger
from simulated_runs import Truth, simulate
from typer.testing import CliRunner

import mishstudy
from analysis.claims import Claim, Claims, Judgement, Standing, judge, shared_settings, where_text
from analysis.criteria import CriteriaTable, criteria_table
from analysis.frame import runs_frame
from analysis.statistics.compare import Verdict
from analysis.tables.claims import claim_rows, count_line, to_csv, to_json, to_markdown
from mishstudy.publication import PUBLISHED, claims_of, report_page
from study.architectures import ARCHITECTURES
from study.datacards import DATASETS
from study.errors import InputError
from study.ledger import Record
from study.training import Level
from sweeps.home import Home
from sweeps.settings import settings_of
from sweeps.spec import SweepSpec, load

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
    one = claim(parameter="optimizer", says="ties", settings={"depth": 20})
    claims = Claims(title="A paper", focus="mish", claims=(one,))
    for shared in ({"depth": 32}, {}, None):
        (found,) = judge(claims, table, WORLD.question, shared).judged
        assert (found.standing, found.reason) == (Standing.NOT_COVERED, "about depth 20")
    (found,) = judge(claims, table, WORLD.question, {"depth": 20, "width_multiplier": 1.0}).judged
    assert found.standing is not Standing.NOT_COVERED


def test_a_claim_about_one_setting_is_judged_at_that_level_of_a_sweep_that_varies_it(
    table: CriteriaTable,
) -> None:
    deepest = max(row.level_high or 0 for row in table.levels if row.parameter == "depth")
    question = dataclasses.replace(
        WORLD.question, factors=tuple(each for each in WORLD.question.factors if each.name == "optimizer")
    )
    one = claim(settings={"optimizer": "adam", "epochs": 50})
    claims = Claims(title="A paper", focus="mish", claims=(one,))
    (found,) = judge(claims, table, question, {"epochs": 50}).judged
    assert {(row.parameter, row.level) for row in found.rows} == {("optimizer", "adam")}
    assert found.claim is one
    (found,) = judge(claims, table, question, {"epochs": 200}).judged
    assert (found.standing, found.reason) == (Standing.NOT_COVERED, "about epochs 50")
    absent = dataclasses.replace(one, settings={"depth": deepest + 1})
    found = judge(dataclasses.replace(claims, claims=(absent,)), table, WORLD.question).judged[0]
    assert (found.standing, found.reason) == (Standing.NOT_COVERED, "no level of depth lies within it")


def test_what_all_trainings_of_a_record_share_is_known(record: Record) -> None:
    def with_settings(*trainings: dict[str, Any]) -> Record:
        entries = [
            dataclasses.replace(entry, training=dataclasses.replace(entry.training, **own))
            for entry, own in zip(record.entries, trainings, strict=False)
        ]
        return dataclasses.replace(record, entries=tuple(entries))

    deep = {"architecture_arguments": (("depth", 20), ("width", 8)), "epochs": 50}
    wide = {"architecture_arguments": (("depth", 20), ("width", 16)), "epochs": 50, "learning_rate": 3.0}
    shared = shared_settings(with_settings(deep, deep))
    assert shared.items() >= {"depth": 20, "width": 8, "epochs": 50}.items()
    shared = shared_settings(with_settings(deep, wide))
    assert (shared["depth"], shared["epochs"]) == (20, 50)
    assert not {"width", "learning_rate", "activation", "replicate"} & set(shared)
    assert shared_settings(with_settings()) == {}


def test_the_shipped_claims_name_what_there_is() -> None:
    for one in claims_of(PUBLISHED).claims:
        assert set(one.datasets) <= set(DATASETS), one.id
        assert set(one.architectures) <= set(ARCHITECTURES), one.id
        (*known,) = (settings_of(name) for name in one.architectures)
        assert all(key in {*settings, "epochs"} for key in one.settings for settings in known), one.id


def test_the_sweeps_that_ship_cover_the_networks_at_the_published_settings() -> None:
    """Whatever a claim about a network asks for, some sweep has: data, settings and rivals."""
    specs = [load(path) for path in sorted(PUBLISHED.parent.parent.glob("*.toml"))]
    published = claims_of(PUBLISHED)
    left_out = {"inception-resnet-v2-others"}
    for one in (each for each in published.claims if each.architectures):
        rivals = {*one.rivals} - {*published.other_activations}
        covering = [
            spec.name
            for spec in specs
            if spec.architecture in one.architectures
            and spec.dataset in one.datasets
            and rivals <= set(spec.rivals)
            and all(_has(spec, key, level) for key, level in one.settings.items())
        ]
        assert bool(covering) is (one.id not in left_out), one.id


def _has(spec: SweepSpec, key: str, level: Level) -> bool:
    if key == "epochs":
        return spec.epochs == level
    return level in (spec.factors[key].levels or ()) if key in spec.factors else spec.constants[key] == level


def test_one_number_beside_the_bounds_counts_and_one_that_is_left_out_does_not(table: CriteriaTable) -> None:
    row = next(row for row in table.levels if row.parameter == "depth")
    rate = {"parameter": "learning_rate", "rival": "relu"}
    below, at, one, ten = (
        dataclasses.replace(row, **rate, level=f"{value:g}", level_low=value, level_high=value)
        for value in (0.01, 0.1, 1.0, 10.0)
    )
    wins = claim(parameter="learning_rate", below=0.1, also=(1,))
    assert [wins.is_about(each) for each in (below, at, one, ten)] == [True, False, True, False]
    elsewhere = claim(parameter="learning_rate", at_least=0.1, others=(1,))
    assert [elsewhere.is_about(each) for each in (below, at, one, ten)] == [False, True, False, True]
    across = dataclasses.replace(one, level="0.3 to 3", level_low=0.3, level_high=3.0)
    assert not elsewhere.is_about(across)
    assert not wins.is_about(across)


def test_a_bin_that_lies_across_a_bound_is_not_within_the_claim(table: CriteriaTable) -> None:
    binned = [row for row in table.levels if row.parameter == "depth" and row.rival == "relu"]
    across = next(row for row in binned if row.level_low != row.level_high)
    assert across.level_low is not None
    assert not claim(parameter="depth", above=across.level_low).is_about(across)
    assert claim(parameter="depth", at_least=across.level_low).is_about(across)
    assert not claim(parameter="depth", at_most=across.level_low).is_about(across)


def test_every_form_holds_the_same_claims(table: CriteriaTable) -> None:
    found = judge(claims_of(PUBLISHED), table, WORLD.question)
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
    found = {one.claim.id: one.standing for one in judge(claims_of(PUBLISHED), table, WORLD.question).judged}
    assert found["depth"] is Standing.SUPPORTED
    assert found["width"] is Standing.NOT_COVERED
    assert found["squeezenet-relu"] is Standing.NOT_COVERED
    assert sum(one is Standing.NOT_COVERED for one in found.values()) < len(found) - 3


def test_where_a_claim_holds_is_said_in_words() -> None:
    assert where_text(claim()) == "overall"
    assert where_text(claim(parameter="dropout")) == "dropout: any"
    assert where_text(claim(parameter="depth", above=2, at_most=9)) == "depth: above 2 and at most 9"
    assert where_text(claim(parameter="optimizer", others=("nadam",))) == "optimizer: any but nadam"
    rate = claim(parameter="learning_rate", below=0.1, also=(1,))
    assert where_text(rate) == "learning_rate: below 0.1, or 1"
    published = claim(settings={"epochs": 50, "learning_rate": 0.001})
    assert where_text(published) == "overall, with epochs 50 and learning_rate 0.001"


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
DEPTH = 'parameter = "depth"\n'


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
        (GOOD + "settings = 20", "settings cannot be '20'"),
        (GOOD + "settings = { depth = [20] }", "settings cannot be"),
        (GOOD.replace("relu", "reluu"), "claim 'a': 'reluu' is neither an activation of ours"),
        (GOOD.replace("relu", "reluu"), "did you mean 'relu'? Or list it in other_activations."),
        (
            GOOD.replace("relu", "beta_mish(-1)"),
            "claim 'a': The activation beta_mish takes one",
        ),
        (GOOD.replace('"mish"', '"mihs"'), "'mihs' is neither an activation of ours"),
        (GOOD.replace("relu", "mish"), "claim 'a' compares 'mish' with itself; take it out of rivals"),
        (GOOD.replace("relu", "beta_mish(1)"), "claim 'a' compares 'mish' with itself"),
        (GOOD.replace('"relu"', '"beta_mish", "beta_mish(1.50)"'), "names the rival 'beta_mish(1.5)' twice"),
        (
            GOOD + 'parameter = "dpeth"',
            "'dpeth', which is neither a setting nor an argument",
        ),
        (GOOD + 'parameter = "dpeth"', "did you mean 'depth'? Or list it in other_factors."),
        (GOOD + "settings = { heads = 8 }", "known are augmentation, batch"),
        (GOOD + 'settings = { epochs = 5 }\nparameter = "epochs"', "as its parameter and among its settings"),
        (GOOD + DEPTH + "above = 30\nbelow = 3", "has above = 30 and below = 3, which leaves nothing"),
        (GOOD + DEPTH + "above = 3\nat_most = 3", "has above = 3 and at_most = 3, which leaves nothing"),
        (GOOD + DEPTH + "levels = [3]\nabove = 3", "lists its levels and has others, also or bounds too"),
        (GOOD + DEPTH + "levels = [3]\nothers = [4]", "lists its levels and has others, also or bounds too"),
        (GOOD + DEPTH + "also = [3]", "has also, which adds levels to bounds, and no bounds"),
        (GOOD + DEPTH + "above = 3\nalso = [2]\nothers = [2]", "adds 2 by also and leaves it out by others"),
    ],
)
def test_a_file_that_holds_no_claims_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        claims_of(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_names_of_other_papers_are_listed_and_others_are_canonical(tmp_path: Path) -> None:
    listed = 'other_activations = ["reluu"]\nother_factors = ["heads"]\n'
    text = listed + GOOD.replace('"relu"', '"reluu", "beta_mish", "leaky_relu(0.30)", "own.module:wavy"')
    path = tmp_path / "claims.toml"
    path.write_text(text + 'parameter = "heads"\nat_least = 8\nat_most = 8\n')
    (found,) = claims_of(path).claims
    assert found.rivals == ("reluu", "beta_mish(1.5)", "leaky_relu(0.3)", "own.module:wavy")
    assert found.parameter == "heads"


def test_the_command_and_the_report_show_them(record: Record, tmp_path: Path) -> None:
    write_ledger(tmp_path, record)
    done = CliRunner().invoke(mishstudy.app, ["claims", "simulated", "--home", str(tmp_path)])
    assert done.exit_code == 0
    assert "| Mish wins with more than 15 layers " in done.stdout
    page = report_page(Home(tmp_path), record, strict=False)
    assert 'id="claims"' in page
    assert "Mish wins with more than 15 layers" in page
    assert "SqueezeNet" not in page
