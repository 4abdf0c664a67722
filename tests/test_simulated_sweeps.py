"""Planted truths through the whole sweeper: ledger, Optuna and MLflow are real, the training is a stub.

What is judged is the exported JSON, as somebody reads it who has nothing else. The rates are logged:

    python -m pytest tests/test_simulated_sweeps.py -m simulation --log-cli-level=INFO
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulation_bounds import at_least, at_most

from analysis.tables.exports import to_json
from mishstudy.publication import criteria
from study.dashboard import Results
from study.environment import machine
from study.packing import Group, Pack
from study.training import Status, Training, TrainingResult
from sweeps import driver, sweeper
from sweeps.home import Home
from sweeps.spec import parse
from sweeps.training_process import Ready

pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),  # MLflow's own use of SQLAlchemy
    pytest.mark.timeout(3600),
]

SPEC = """
name = "planted"
question = "Is the truth found?"
focus = "mish"
activations = ["relu"]
dataset = "digits"
architecture = "mlp"
configurations = 90
replicated_share = 0.2
epochs = 5
delta = 0.5
seed = {seed}
[factors.depth]
role = "condition"
levels = [3, 7, 11, 15, 19, 23]
[factors.optimizer]
role = "condition"
levels = ["sgd", "adam", "nadam"]
[factors.width]
role = "condition"
levels = [16, 64]
[factors.learning_rate]
role = "nuisance"
low = 0.3
high = 3.0
log = true
relative = true
"""

Gain = Callable[[int, str], float]
"""Depth and optimizer to what Mish has more than ReLU, in points; NaN where it diverges."""

WORLDS: dict[str, Gain] = {
    "nothing": lambda depth, optimizer: 0.0,
    "deep": lambda depth, optimizer: 2.0 * (depth > 15),
    "any but nadam": lambda depth, optimizer: 1.5 * (optimizer != "nadam"),
    "diverges deep": lambda depth, optimizer: float("nan") if depth > 15 else 0.0,
}


class Planted:
    """Takes the place of the training processes: scores with a planted difference and a spread of 0.7."""

    def __init__(self, gain: Gain) -> None:
        self._gain = gain

    def __call__(self, *_: Any) -> "Planted":
        return self

    def start(self) -> Ready:
        about = {"digest": "0" * 16, "guess": {"accuracy": 10.0, "loss": 2.3}}
        return Ready("cpu", False, about, machine("population"))

    def train_together(self, groups: Sequence[Group | Pack]) -> Iterator[list[TrainingResult]]:
        for group in groups:
            yield [self._result(training) for training in group.trainings]

    def _result(self, training: Training) -> TrainingResult:
        depth = dict(training.architecture_arguments)["depth"]
        block = np.random.default_rng(int(training.configuration, 16) + training.replicate)
        own = np.random.default_rng(int(training.digest, 16))
        gain = self._gain(int(depth), training.optimizer) if training.activation == "mish" else 0.0
        if np.isnan(gain):
            return TrainingResult(digest=training.digest, status=Status.DIVERGED, reason="planted")
        score = 90.0 - 0.2 * int(depth) + block.normal(0, 2) + own.normal(0, 0.5) + gain
        metrics = {f"{cut}_accuracy": score for cut in ("train", "validation", "test")}
        metrics |= {f"{cut}_loss": 1.0 for cut in ("train", "validation", "test")}
        return TrainingResult(
            digest=training.digest, status=Status.OK, metrics=metrics,
            curve={"train_loss": (1.0,) * 5, "validation_accuracy": (score,) * 5}, checkpoint_epoch=5,
        )  # fmt: skip

    def stop(self) -> None: ...


class Silent:
    """A monitor that shows nothing."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_: None


@pytest.fixture(
    params=[
        pytest.param(3, marks=(pytest.mark.slow, pytest.mark.long)),
        pytest.param(12, marks=pytest.mark.simulation),
    ],
    ids=["few", "many"],
)
def exported(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[dict[str, Any]]]:
    """Return a function from a world to the exported tables of its sweeps."""

    def swept(world: str) -> list[dict[str, Any]]:
        monkeypatch.setattr(driver, "Workers", Planted(WORLDS[world]))
        tables: list[dict[str, Any]] = []
        for seed in range(request.param):
            home, text = Home(tmp_path / str(seed)), SPEC.format(seed=seed)
            options = sweeper.Options(engine="fit", data=None, import_from=tmp_path)
            record = sweeper.run(parse(text, "planted"), text, home, options, Silent(), lambda _: Results())
            tables.append(json.loads(to_json(criteria(record))))
        return tables

    return swept


def levels_with(table: dict[str, Any], parameter: str, *verdicts: str) -> set[str]:
    """Return the levels of a factor that have one of the verdicts."""
    return {
        row["level"]
        for row in table["levels"]
        if row["parameter"] == parameter and row["verdict"] in verdicts
    }


def gate(table: dict[str, Any], parameter: str) -> bool:
    """Return whether the table says that a factor matters."""
    (found,) = (each for each in table["gates"] if each["parameter"] == parameter)
    return found["matters"]


Exported = Callable[[str], list[dict[str, Any]]]


def test_where_there_is_nothing_no_winner_is_named(exported: Exported) -> None:
    tables = exported("nothing")
    verdicts = [{row["verdict"] for row in table["headline"] + table["levels"]} for table in tables]
    at_most(0.1, [bool(each & {"wins", "loses"}) for each in verdicts], "nothing: any winner or loser")
    at_most(0.05, [any(each["matters"] for each in t["gates"]) for t in tables], "nothing: a factor matters")
    assert not any(table["thresholds"] for table in tables if not gate(table, "depth"))


def test_a_win_in_deep_networks_is_a_threshold(exported: Exported) -> None:
    tables = exported("deep")
    at_least(0.95, [gate(table, "depth") for table in tables], "deep: depth matters")
    at_most(0.05, [gate(table, "width") for table in tables], "deep: width matters")
    found = [each for table in tables for each in table["thresholds"] if each["parameter"] == "depth"]
    at_least(0.8, [each["outcome"] == "threshold" for each in found], "deep: there is a threshold")
    inside = [(each["low"] or 3) <= 15 <= (each["high"] or 23) for each in found]
    at_least(0.93, inside, "deep: the 95 % set holds 15")
    shallow, deep = {"3", "7", "11", "15"}, {"19", "23"}
    at_most(0.05, [bool(levels_with(t, "depth", "wins") & shallow) for t in tables], "deep: shallow wins")
    at_least(0.9, [levels_with(t, "depth", "wins") >= deep for t in tables], "deep: deep wins")


def test_a_win_with_any_optimizer_but_one_names_that_one(exported: Exported) -> None:
    tables = exported("any but nadam")
    at_least(0.9, [gate(table, "optimizer") for table in tables], "any but nadam: the optimizer matters")
    at_least(
        0.9,
        [levels_with(t, "optimizer", "wins") == {"sgd", "adam"} for t in tables],
        "any but nadam: wins with the other two alone",
    )


def test_divergence_is_a_loss_and_is_named(exported: Exported) -> None:
    tables = exported("diverges deep")
    at_least(0.95, [table["headline"][0]["verdict"] == "loses" for table in tables], "diverges: loses")
    at_least(0.95, [levels_with(t, "depth", "loses") >= {"19", "23"} for t in tables], "diverges: loses deep")
    for table in tables:
        row = table["headline"][0]
        assert row["dropped"] == 0
        assert row["focus_failures"] > 0 == row["rival_failures"]
