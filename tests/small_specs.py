"""A small spec that is right, and ways to change it."""

import copy
import tomllib
from typing import Any

import tomlkit

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
"""A right spec, from which a test changes one thing at a time."""

GONE = object()
"""Stands for a key that is taken out."""

OFAT: dict[str, Any] = {
    "design": "ofat",
    "configurations": GONE,
    "replicates": 10,
    "factors.learning_rate": GONE,
    "baseline": {"depth": 3, "optimizer": "adam"},
}
"""Changes that make `PAIRED` a right spec of the design `ofat`."""

TUNED: dict[str, Any] = {
    "design": "tuned",
    "configurations": GONE,
    "tuning": {"trials": 5, "sampler": "tpe", "confirm": 2},
}
"""Changes that make `PAIRED` a right spec of the design `tuned`."""

PROFILED: dict[str, Any] = {
    "profile": ["learning_rate"],
    "configurations": 4,
    "factors.learning_rate": {
        "role": "nuisance",
        "levels": [0.3, 1.0, 3.0],
        "log": True,
        "relative": True,
    },
}
"""Changes that make `PAIRED` a right spec whose learning rate is profiled."""

OWN: dict[str, Any] = {"architecture": "my_networks:wide", "fixed": GONE}
"""Changes that give `PAIRED` an architecture of the user's own."""


def edited(changes: dict[str, Any], base: str = PAIRED) -> str:
    """Return `base` with keys, given as dotted paths, replaced or taken out."""
    document: dict[str, Any] = tomllib.loads(base)
    for path, value in changes.items():
        *tables, key = path.split(".")
        table = document
        for name in tables:
            table = table.setdefault(name, {})
        if value is GONE:
            table.pop(key, None)
        else:
            table[key] = copy.deepcopy(value)
    return tomlkit.dumps(document)
