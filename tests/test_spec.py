"""What a right spec turns into: factors, trainings, question, digest, changes, schema and docs."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel
from small_specs import GONE, OFAT, OWN, PAIRED, PROFILED, TUNED, edited

from study.architectures import ARCHITECTURES
from study.errors import InputError
from study.optimizers import OPTIMIZERS
from study.question import Factor, Question
from study.training import Configuration, Level, Training
from sweeps.settings import settings_of
from sweeps.spec import SweepSpec, load, parse
from sweeps.spec_changes import refuse_change
from sweeps.spec_errors import shown
from sweeps.spec_schema import SCHEMA, schema_text
from sweeps.spec_tables import FactorTable, MetricTable, TuningTable

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "sweeps").glob("*.toml"))
DOCS = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
LEVELS: dict[str, Level] = {"depth": 8, "optimizer": "sgd", "learning_rate": 0.5}


def spec_with(changes: dict[str, Any]) -> SweepSpec:
    return parse(edited(changes), "s.toml")


def configuration(**levels: Level) -> Configuration:
    return Configuration(index=0, levels=levels)


def test_names_are_canonical_and_defaults_are_there() -> None:
    spec = spec_with({})
    assert spec.activations == ("mish", "relu", "beta_mish(1.5)")
    assert spec.rivals == ("relu", "beta_mish(1.5)")
    assert spec.metric == MetricTable(name="test_accuracy", direction="maximize", checkpoint="last")
    assert (spec.design, spec.replicates, spec.replicated_share) == ("paired", 1, 0.2)
    assert (spec.loss_cap, spec.seed, spec.threads, spec.noise_at) == (10.0, 0, 1, "train")


def test_factors_keep_their_order_and_take_their_setting_s_type() -> None:
    spec = spec_with(
        {
            "factors.dropout": {"role": "condition", "levels": [0, 0.5]},
            "factors.batch_size": {"role": "nuisance", "low": 16, "high": 64, "log": True},
            "factors.width": {"role": "nuisance", "low": 16, "high": 64, "step": 16},
            "fixed": GONE,
        }
    )
    assert spec.factor_list == (
        Factor(name="depth", role="condition", levels=(3, 8)),
        Factor(name="optimizer", role="condition", levels=("sgd", "adam")),
        Factor(name="learning_rate", role="nuisance", low=0.3, high=3.0, log=True, relative=True),
        Factor(name="dropout", role="condition", levels=(0.0, 0.5)),
        Factor(name="batch_size", role="nuisance", low=16, high=64, integer=True, log=True),
        Factor(name="width", role="nuisance", low=16, high=64, integer=True, step=16),
    )
    assert [type(level) for level in spec.factor_list[3].levels or ()] == [float, float]
    assert [type(end) for end in (spec.factor_list[2].high, spec.factor_list[4].high)] == [float, int]


def test_a_range_of_whole_numbers_has_step_one_unless_it_is_logarithmic() -> None:
    spec = spec_with({"factors.depth": {"role": "condition", "low": 2, "high": 5}})
    assert spec.factor_list[0] == Factor(name="depth", role="condition", low=2, high=5, integer=True, step=1)


def test_a_training_resolves_everything() -> None:
    spec = spec_with({"fixed.dropout": 0, "train_size": 500, "noise_at": "test", "seed": 5})
    block = configuration(**LEVELS)
    assert spec.training_for(block, 1, "mish") == Training(
        dataset="digits",
        train_size=500,
        architecture="mlp",
        architecture_arguments=(("depth", 8), ("width", 32)),
        activation="mish",
        epochs=15,
        batch_size=64,
        optimizer="sgd",
        learning_rate=0.5 * OPTIMIZERS["sgd"].learning_rate,
        initializer="glorot_uniform",
        regularizer="none",
        regularizer_strength=1e-4,
        dropout=0.0,
        noise_at="test",
        checkpoint="last",
        sweep_seed=5,
        configuration=block.digest,
        replicate=1,
    )


@pytest.mark.parametrize(
    ("fixed", "rate"),
    [
        (GONE, OPTIMIZERS["adadelta"].learning_rate),
        (0.05, 0.05),
        (1, 1.0),
        ({"relative": True, "value": 0.5}, 0.5 * OPTIMIZERS["adadelta"].learning_rate),
        ({"relative": False, "value": 0.05}, 0.05),
    ],
)
def test_a_fixed_learning_rate_is_absolute_or_a_multiple(fixed: object, rate: float) -> None:
    spec = spec_with(
        {
            "configurations": 4,
            "factors.learning_rate": GONE,
            "fixed.learning_rate": fixed,
            "factors.optimizer.levels": ["adadelta", "adam"],
        }
    )
    training = spec.training_for(configuration(depth=3, optimizer="adadelta"), 0, "relu")
    assert training.learning_rate == rate
    assert isinstance(training.learning_rate, float)


def test_a_learning_rate_that_varies_may_be_absolute() -> None:
    spec = spec_with({"factors.learning_rate.relative": GONE})
    assert spec.training_for(configuration(**LEVELS), 0, "mish").learning_rate == 0.5


def test_the_arguments_of_an_own_architecture_are_passed_on() -> None:
    heads = {"role": "condition", "levels": [1, 2.5]}
    spec = spec_with({**OWN, "factors.heads": heads, "fixed": {"causal": True, "dropout": 0.5}})
    assert spec.factor_list[-1] == Factor(name="heads", role="condition", levels=(1.0, 2.5))
    training = spec.training_for(configuration(**LEVELS, heads=2.5), 0, "mish")
    assert training.architecture_arguments == (("causal", True), ("depth", 8), ("heads", 2.5))
    assert training.dropout == 0.5


def test_the_question_carries_what_the_analysis_needs() -> None:
    question = spec_with({"dataset": "cifar10-repaired"}).question_for_analysis(40, 132)
    assert (question.metric, question.unit, question.higher_is_better) == ("test_accuracy", "points", True)
    assert (question.planned_configurations, question.planned_trainings) == (40, 132)
    assert "repaired" in question.dataset_note
    loss = spec_with({"metric": {"name": "test_loss", "direction": "minimize"}}).question_for_analysis(1, 2)
    assert (loss.metric, loss.unit, loss.higher_is_better) == ("test_loss", "nats", False)
    ofat = spec_with(OFAT).question_for_analysis(4, 80)
    assert ofat.baseline == (("depth", 3), ("optimizer", "adam"))
    for each in (question, loss, ofat):
        assert Question.from_json(json.loads(json.dumps(each.to_json(), sort_keys=True))) == each


def test_a_baseline_has_the_factor_s_own_levels() -> None:
    dropout = {"role": "condition", "levels": [0, 0.5]}
    spec = spec_with(
        {**OFAT, "factors.dropout": dropout, "baseline": {"depth": 3.0, "optimizer": "sgd", "dropout": 0}}
    )
    assert [(name, type(level)) for name, level in spec.baseline.items()] == [
        ("depth", int),
        ("optimizer", str),
        ("dropout", float),
    ]


@pytest.mark.parametrize(
    "changes", [{}, OFAT, TUNED, {**OWN, "fixed.heads": 2}], ids=["paired", "ofat", "tuned", "own"]
)
def test_a_spec_is_written_and_read_back(changes: dict[str, Any]) -> None:
    spec = spec_with(changes)
    again = parse(spec.to_toml(), "again.toml")
    assert again == spec
    assert again.digest == spec.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other", "question": "Why?"},
        {"loss_cap": 10, "seed": 0, "metric": {"name": "test_accuracy", "direction": "maximize"}},
        {"activations": ["relu", "beta_mish(1.5)"]},
        {"fixed.dropout": 0, "fixed.batch_size": 64},
        {"factors.learning_rate.low": 0.30},
    ],
    ids=range(5),
)
def test_what_decides_nothing_leaves_the_digest(changes: dict[str, Any]) -> None:
    assert spec_with(changes).digest == spec_with({}).digest
    assert spec_with(changes).changes_against(spec_with({})) == []


def test_the_order_of_factors_decides() -> None:
    depth = {"role": "condition", "levels": [3, 8]}
    reordered = parse(edited({"factors.depth": depth}, edited({"factors.depth": GONE})), "s.toml")
    assert reordered.digest != spec_with({}).digest
    assert reordered.changes_against(spec_with({})) == [
        'factors: ["depth", "optimizer", "learning_rate"] -> ["optimizer", "learning_rate", "depth"]'
    ]


CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"epochs": 20}, ["epochs: 15 -> 20"]),
    ({"train_size": 500}, ["train_size: not given -> 500"]),
    ({"delta": 0.5}, ["delta: 1.0 -> 0.5", "loss_cap: 10.0 -> 5.0"]),
    ({"focus": "gelu"}, ['focus: "mish" -> "gelu"']),
    ({"seed": 1}, ["seed: 0 -> 1"]),
    ({"noise_at": "test"}, ['noise_at: "train" -> "test"']),
    (
        {"activations": ["beta_mish(1.5)", "relu"]},
        ['activations: ["relu", "beta_mish(1.5)"] -> ["beta_mish(1.5)", "relu"]'],
    ),
    ({"activations": ["relu"]}, ['activations: ["relu", "beta_mish(1.5)"] -> ["relu"]']),
    ({"configurations": 39}, ["configurations: 40 -> 39"]),
    ({"replicated_share": 0}, ["replicated_share: 0.2 -> 0.0"]),
    (
        {"metric": {"name": "test_accuracy", "direction": "maximize", "checkpoint": "best"}},
        ['metric.checkpoint: "last" -> "best"'],
    ),
    ({"factors.depth.levels": [3, 8, 12]}, ["factors.depth.levels: [3, 8] -> [3, 8, 12]"]),
    ({"factors.depth.role": "nuisance"}, ['factors.depth.role: "condition" -> "nuisance"']),
    ({"fixed.width": 64}, ["fixed.width: 32 -> 64"]),
    ({"fixed.dropout": 0.1, "fixed.width": GONE}, ["fixed.dropout: 0.0 -> 0.1", "fixed.width: 32 -> 64"]),
]


@pytest.mark.parametrize(("changes", "lines"), CHANGES, ids=range(len(CHANGES)))
def test_another_question_under_the_same_name_is_refused(changes: dict[str, Any], lines: list[str]) -> None:
    older, newer = spec_with({}), spec_with(changes)
    assert newer.changes_against(older) == lines
    assert newer.digest != older.digest
    with pytest.raises(InputError) as caught:
        refuse_change(older, newer)
    sentence, *shown_lines = str(caught.value).split("\n")
    assert sentence == (
        "small already has results that were made from another spec, and under one name a spec may only add "
        "configurations, replicates or rivals (after the old ones), and repeats or confirmations of a "
        "search; give the new spec another name, or take these changes back:"
    )
    assert shown_lines == [f"  {line}" for line in lines]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"question": "Why?"},
        {"configurations": 41},
        {"replicates": 2},
        {"replicated_share": 0.5},
        {"activations": ["relu", "beta_mish(1.5)", "swish"]},
        {"configurations": 80, "replicates": 3, "activations": ["relu", "beta_mish(1.5)", "gelu", "elu"]},
        {"threads": 2},  # no growth, but compared with the environment of the results
    ],
    ids=range(8),
)
def test_a_spec_may_grow(changes: dict[str, Any]) -> None:
    refuse_change(spec_with({}), spec_with(changes))


def test_growth_beside_another_change_is_not_what_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        refuse_change(spec_with({}), spec_with({"configurations": 80, "epochs": 20}))
    assert str(caught.value).split("\n")[1:] == ["  epochs: 15 -> 20"]


def test_a_setting_that_becomes_a_factor_is_shown_on_both_sides() -> None:
    newer = spec_with({"fixed.width": GONE, "factors.width": {"role": "nuisance", "levels": [16, 32]}})
    assert set(newer.changes_against(spec_with({}))) >= {
        "fixed.width: 32 -> not given",
        "factors.width.levels: not given -> [16, 32]",
    }


def test_digests_do_not_depend_on_the_hash_seed_and_nothing_heavy_is_imported() -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sweeps.spec import parse\n"
        "from study.training import Configuration\n"
        "spec = parse(sys.stdin.read(), 's.toml')\n"
        "block = Configuration(index=0, levels={'depth': 8, 'optimizer': 'sgd', 'learning_rate': 0.5})\n"
        "print(spec.digest, spec.training_for(block, 0, 'mish').digest)\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'torch', 'mlflow', 'optuna', 'pandas', 'scipy', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    spec = spec_with({})
    expected = f"{spec.digest} {spec.training_for(configuration(**LEVELS), 0, 'mish').digest}\n[]\n"
    for seed in ("0", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=PAIRED,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == expected


def test_the_spec_is_a_frozen_value() -> None:
    spec = spec_with({})
    with pytest.raises(ValueError, match="frozen"):
        spec.epochs = 3


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_sweep_is_right_and_has_its_data_card(path: Path) -> None:
    spec = load(path)
    text = path.read_text(encoding="utf-8")
    assert spec.name == path.stem
    assert re.findall(r"^#   (\w+) +~ \S", text, re.MULTILINE)[: len(spec.factors)] == list(spec.factors)
    assert "loss_cap points" in text


def test_the_published_schema_is_up_to_date() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "write it anew: python -m sweeps.spec_schema"


def test_the_schema_accepts_right_specs_and_sees_wrong_ones() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    right = [path.read_text(encoding="utf-8") for path in SHIPPED]
    right += [edited(changes) for changes in ({}, OFAT, TUNED, PROFILED, {**OWN, "fixed.heads": 2})]
    right += [
        edited({"factors.learning_rate": GONE, "fixed.learning_rate": {"relative": True, "value": 0.5}})
    ]
    right.append(edited({"focus": " beta_mish ( 2 ) ", "activations": ["my.own:wavy", "leaky_relu"]}))
    for text in right:
        validator.validate(tomllib.loads(text))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"epohcs": 3}, "$"),
        ({"delta": GONE}, "$"),
        ({"epochs": 0}, "$.epochs"),
        ({"dataset": "digit"}, "$.dataset"),
        ({"focus": "misch"}, "$.focus"),
        ({"activations": ["relu", "beta_misch(1.5)"]}, "$.activations[1]"),
        ({"activations": ["relu", "beta_mish(1.5"]}, "$.activations[1]"),
        ({"factors.depth.levels": [3, 8.5]}, "$.factors.depth.levels[1]"),
        ({"factors.optimizer.levels": ["sgd", "adamm"]}, "$.factors.optimizer.levels[1]"),
        ({"fixed.dropout": 1.0}, "$.fixed.dropout"),
        ({"metric": {"name": "accuracy", "direction": "maximize"}}, "$.metric.name"),
    ]
    for changes, place in wrong:
        assert [error.json_path for error in validator.iter_errors(tomllib.loads(edited(changes)))] == [place]


def rows_of(section: str) -> dict[str, str]:
    """Return the rows of the tables in a section of the docs: first cell to third cell."""
    text = DOCS.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| `.*$", text, re.MULTILINE)]
    return {name.strip("`"): row[3].strip("`") for row in cells for name in row[1].split(", ")}


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("Keys of the sweep", SweepSpec),
        ("`[metric]`", MetricTable),
        ("`[factors.<key>]`", FactorTable),
        ("Designs", TuningTable),
    ],
)
def test_the_docs_have_every_key_with_its_default(section: str, model: type[BaseModel]) -> None:
    in_words = {
        "train_size": "all",
        "loss_cap": "10 x `delta",
        "levels": "none",
        "low": "none",
        "high": "none",
        "halving": "none",
    }
    rows = rows_of(section)
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in ("metric", "factors", "fixed", "baseline", "tuning"):
            assert f"`[{key}" in DOCS
        elif field.is_required():
            assert rows.pop(key) == "required"
        elif key == "step":
            assert rows.pop(key) == "1"
        else:
            assert rows.pop(key) == in_words.get(key, shown(field.default).strip('"'))
    assert rows == {}


def test_the_docs_have_every_setting_with_its_default() -> None:
    rows = rows_of("Settings")
    known = {name: setting for each in ARCHITECTURES for name, setting in settings_of(each).items()}
    assert list(rows) == list(known)
    for architecture in ARCHITECTURES:
        for name, setting in settings_of(architecture).items():
            assert shown(setting.default).strip('"') in rows[name]
    for name, setting in known.items():
        row = next(row for row in DOCS.split("\n") if row.startswith(f"| `{name}` |"))
        assert all(f"`{allowed}`" in row for allowed in setting.names)


def test_the_examples_in_the_docs_are_right() -> None:
    examples = [text for text in re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL) if "name = " in text]
    assert [parse(text, "docs").design for text in examples] == ["paired", "ofat", "tuned"]
