"""The `tuned` design with the real samplers: equal budgets, suggestions from the past alone, copies."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import optuna
import pytest
from made_entries import result_of, spec_with
from small_specs import GONE, TUNED

from study.ledger import Entry
from study.training import Status, TrainingResult
from sweeps.design import PlannedTraining
from sweeps.spec import SweepSpec
from sweeps.trials import open_storage
from sweeps.tuning import Tuner

TRIALS = 14  # TPE draws at random before its eleventh
SAMPLERS = ["random", "tpe"]
Result = Callable[[PlannedTraining], TrainingResult]


def spec_of(sampler: str, seed: int = 7, trials: int = TRIALS) -> SweepSpec:
    tuning = {"trials": trials, "sampler": sampler}
    return spec_with({**TUNED, "tuning": tuning, "replicated_share": GONE, "seed": seed})


def outcome(item: PlannedTraining) -> TrainingResult:
    """Return a result that gets better with the learning rate; at the highest ones the training fails."""
    rate = float(item.configuration.levels["learning_rate"])
    return result_of(item, 80 + 5 * rate, Status.OK if rate < 2.5 else Status.DIVERGED)


def tuned(
    spec: SweepSpec,
    home: Path,
    known: Mapping[int, Entry] | None = None,
    *,
    stop: int | None = None,
    result: Result = outcome,
) -> dict[int, Entry]:
    """Run the loop of the driver, `stop` trainings of it; return all entries by index."""
    home.mkdir(parents=True, exist_ok=True)
    entries = dict(known or {})
    tuner = Tuner(spec, open_storage(home / "optuna.journal", None))
    for number, item in enumerate(tuner.planned(dict(entries))):
        if number == stop:
            break
        entry = Entry(
            training=item.training, configuration=item.configuration, adaptive=True, result=result(item)
        )
        tuner.tell(entry)
        entries[item.configuration.index] = entry
    return entries


def copies(home: Path) -> dict[str, list[optuna.trial.FrozenTrial]]:
    """Read the studies of the dashboard as another process would."""
    storage = open_storage(home / "optuna.journal", None)
    names = optuna.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage).trials for name in names}


def drawn(entries: Mapping[int, Entry], activation: str) -> list[dict[str, object]]:
    """Return the levels that an activation was given, trial by trial."""
    mine = sorted(index for index in entries if entries[index].training.activation == activation)
    return [dict(entries[index].configuration.levels) for index in mine]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_activation_has_the_same_budget(sampler: str, tmp_path: Path) -> None:
    entries = tuned(spec_of(sampler), tmp_path)
    assert Counter(entry.training.activation for entry in entries.values()) == {
        "mish": TRIALS,
        "relu": TRIALS,
    }
    assert sorted(entries) == list(range(2 * TRIALS))
    assert len({entry.training.digest for entry in entries.values()}) == 2 * TRIALS


def test_they_take_turns(tmp_path: Path) -> None:
    """So that a sweep that is stopped has given each the same, but for one."""
    entries = tuned(spec_of("random"), tmp_path, stop=5)
    order = [entry.training.activation for entry in entries.values()]
    assert order == ["mish", "relu", "mish", "relu", "mish"]


def test_levels_lie_within_their_factors(tmp_path: Path) -> None:
    levels = [dict(entry.configuration.levels) for entry in tuned(spec_of("tpe"), tmp_path).values()]
    assert {each["depth"] for each in levels} == {3, 8}
    assert {each["optimizer"] for each in levels} == {"sgd", "adam"}
    assert all(0.3 <= float(str(each["learning_rate"])) <= 3 for each in levels)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("stop", [1, 7, 2 * TRIALS - 3])
def test_stopped_and_resumed_it_is_as_if_undisturbed(sampler: str, stop: int, tmp_path: Path) -> None:
    spec = spec_of(sampler)
    whole = tuned(spec, tmp_path / "whole")
    part = tuned(spec, tmp_path / "part", stop=stop)
    assert len(part) == stop
    assert tuned(spec, tmp_path / "part", part) == whole
    assert tuned(spec, tmp_path / "anew", part) == whole  # from the ledger alone: the storage was lost
    for home in ("part", "anew"):
        told = {
            name: [(t.params, t.value) for t in trials] for name, trials in copies(tmp_path / home).items()
        }
        assert told == {
            name: [(t.params, t.value) for t in trials] for name, trials in copies(tmp_path / "whole").items()
        }


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_nothing_is_planned_where_all_is_known(sampler: str, tmp_path: Path) -> None:
    spec = spec_of(sampler)
    whole = tuned(spec, tmp_path)
    before = copies(tmp_path)

    def never(item: PlannedTraining) -> TrainingResult:
        raise AssertionError(item)

    assert tuned(spec, tmp_path, whole, result=never) == whole
    assert copies(tmp_path) == before


def test_random_search_gives_every_activation_the_same_settings(tmp_path: Path) -> None:
    entries = tuned(spec_of("random"), tmp_path)
    assert drawn(entries, "mish") == drawn(entries, "relu")


def test_random_search_ignores_results_and_tpe_learns_from_those_of_its_own_activation(
    tmp_path: Path,
) -> None:
    def reversed_for_relu(item: PlannedTraining) -> TrainingResult:
        rate = float(item.configuration.levels["learning_rate"])
        slope = -5 if item.training.activation == "relu" else 5
        return result_of(item, 80 + slope * rate, Status.OK if rate < 2.5 else Status.DIVERGED)

    changed: dict[tuple[str, str], bool] = {}
    for sampler in SAMPLERS:
        spec = spec_of(sampler, trials=20)
        usual = tuned(spec, tmp_path / sampler)
        other = tuned(spec, tmp_path / f"{sampler} reversed", result=reversed_for_relu)
        for activation in ("mish", "relu"):
            changed[sampler, activation] = drawn(usual, activation) != drawn(other, activation)
    assert changed == {
        ("random", "mish"): False, ("random", "relu"): False, ("tpe", "mish"): False, ("tpe", "relu"): True
    }  # fmt: skip


def test_tpe_goes_where_it_is_better(tmp_path: Path) -> None:
    rates = {
        sampler: [
            float(str(each["learning_rate"]))
            for each in drawn(tuned(spec_of(sampler, trials=40), tmp_path / sampler), "mish")
        ]
        for sampler in SAMPLERS
    }
    best = {sampler: sum(1.5 < rate < 2.5 for rate in each[10:]) for sampler, each in rates.items()}
    assert best["tpe"] > 1.5 * best["random"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_seed_decides(sampler: str, tmp_path: Path) -> None:
    one, other = (tuned(spec_of(sampler, seed), tmp_path / str(seed)) for seed in (7, 8))
    assert not [levels for levels in drawn(one, "mish") if levels in drawn(other, "mish")]


SCRIPT = """
import sys
from pathlib import Path
from test_tuning import spec_of, tuned
for sampler in ("random", "tpe"):
    entries = tuned(spec_of(sampler), Path(sys.argv[1]) / sampler)
    print([(entry.training.digest, dict(entry.configuration.levels)) for entry in entries.values()])
"""


def test_another_process_with_another_hash_seed_suggests_the_same(tmp_path: Path) -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / seed)], capture_output=True, text=True, check=True,
            cwd=Path(__file__).parent, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "31337")
    }  # fmt: skip
    assert len(told) == 1


def test_a_setting_that_is_drawn_again_has_another_seed(tmp_path: Path) -> None:
    """Where there are few settings, the same one comes again: another replicate and not a copy."""
    few = {"factors": {"depth": {"role": "condition", "levels": [3, 8]}}}
    changes = {**TUNED, **few, "tuning": {"trials": 6, "sampler": "random"}, "replicated_share": GONE}
    entries = tuned(spec_with(changes), tmp_path, result=result_of)
    mine = [entry for entry in entries.values() if entry.training.activation == "mish"]
    seen = Counter((entry.configuration.digest, entry.training.replicate) for entry in mine)
    assert set(seen.values()) == {1}
    assert len({digest for digest, _ in seen}) == 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_storage_has_a_copy_of_every_study(sampler: str, tmp_path: Path) -> None:
    entries = tuned(spec_of(sampler), tmp_path)
    studies = copies(tmp_path)
    assert set(studies) == {"small/mish", "small/relu"}
    for place, activation in enumerate(("mish", "relu")):
        trials = studies[f"small/{activation}"]
        assert [trial.number for trial in trials] == list(range(TRIALS))
        for number, trial in enumerate(trials):
            entry = entries[place * TRIALS + number]
            assert trial.params == dict(entry.configuration.levels)
            ok = entry.result.status is Status.OK
            assert trial.value == (entry.result.metrics["validation_accuracy"] if ok else 0)
            assert trial.user_attrs == {
                "training": entry.training.digest, "status": str(entry.result.status)
            }  # fmt: skip
    assert {trial.user_attrs["status"] for trial in studies["small/mish"]} == {"ok", "diverged"}
    storage = open_storage(tmp_path / "optuna.journal", None)
    study = optuna.load_study(study_name="small/mish", storage=storage)
    assert study.metric_names == ["validation_accuracy (points)"]
    assert study.user_attrs["question"] == "When does Mish beat ReLU?"
