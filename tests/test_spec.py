"""The spec: every mistake by its sentence, and what a right spec turns into."""

import copy
import datetime
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from study.errors import InputError
from study.question import Factor, Question
from study.training import Configuration
from sweeps.settings import TRAINING_SETTINGS, settings_of
from sweeps.spec import SweepSpec, load, parse
from sweeps.spec_changes import refuse_change
from sweeps.spec_errors import shown
from sweeps.spec_schema import SCHEMA, schema_text
from sweeps.spec_tables import FactorTable, MetricTable, TuningTable

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "sweeps").glob("*.toml"))
DOCS = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")

PAIRED = """
name = "small"
question = "When does Mish beat ReLU?"
focus = "mish"
activations = ["relu", "beta_mish(1.50)"]
dataset = "digits"
architecture = "mlp"
configurations = 40
epochs = 15
delta = 1.0

[factors.depth]
role = "condition"
levels = [3, 8]

[factors.optimizer]
role = "condition"
levels = ["sgd", "adam"]

[factors.learning_rate]
role = "nuisance"
low = 0.3
high = 3
log = true
relative = true

[fixed]
width = 32
"""
"""A right spec, from which the tests take one thing away at a time."""

GONE = object()
"""Stands for a key that is taken out."""

OFAT: dict[str, Any] = {
    "design": "ofat",
    "configurations": GONE,
    "replicates": 10,
    "factors.learning_rate": GONE,
    "baseline": {"depth": 3, "optimizer": "adam"},
}
OWN = {"architecture": "my_networks:wide", "fixed": GONE}


def edited(changes: dict[str, Any], base: str = PAIRED) -> str:
    """Return `base` with keys, given as dotted paths, replaced or taken out."""
    document: dict[str, Any] = copy.deepcopy(tomllib.loads(base))
    for path, value in changes.items():
        *tables, key = path.split(".")
        table = document
        for name in tables:
            table = table.setdefault(name, {})
        if value is GONE:
            del table[key]
        else:
            table[key] = value
    return tomlkit.dumps(document)


def spec_with(changes: dict[str, Any]) -> SweepSpec:
    return parse(edited(changes), "s.toml")


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, "s.toml")
    return str(caught.value)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"epohcs": 3}, 's.toml: epohcs is not a known key; did you mean "epochs"?'),
]


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES, ids=[str(i) for i in range(len(MISTAKES))])
def test_every_mistake_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(edited(changes)) == sentence
