"""The `tuned` design with the real samplers: equal budgets, suggestions from the past alone, copies."""

import dataclasses
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import optuna
import pytest
from made_entries import question_of, result_of, spec_with
from small_specs import GONE, TUNED

from study.errors import InputError
from study.ledger import Entry
from study.training import Status, TrainingResult
from study.tuning import Place, Tuning
from sweeps.design import PlannedTraining
from sweeps.spec import SweepSpec
from sweeps.spec_changes import refuse_change
from sweeps.trials import open_storage
from sweeps.tuning import Tuner, refuse_missing_library

TRIALS = 14  # TPE draws at random before its eleventh
CONFIRM = 3
SAMPLERS = ["random", "tpe"]
Result = Callable[[PlannedTraining], TrainingResult]


def spec_of(sampler: str, seed: int = 7, trials: int = TRIALS, repeats: int = 1) -> SweepSpec:
    tuning = {"trials": trials, "sampler": sampler, "repeats": repeats, "confirm": CONFIRM}
    return spec_with({**TUNED, "tuning": tuning, "replicated_share": GONE, "seed": seed})


def outcome(item: PlannedTraining) -> TrainingResult:
    """Return a result that gets better with the learning rate; at the highest ones the training fails."""
    rate = float(item.configuration.levels["learning_rate"])
    return result_of(item, 80 + 5 * rate, Status.OK if rate < 2.5 else Status.DIVERGED)


def tuned(
    spec: SweepSpec,
    home: Path,
    known: Mapping[str, Entry] | None = None,
    *,
    stop: int | None = None,
    result: Result = outcome,
) -> dict[str, Entry]:
    """Run the loop of the driver, `stop` trainings of it; return all entries by the training's digest."""
    home.mkdir(parents=True, exist_ok=True)
    entries = dict(known or {})
    tuner = Tuner(spec, question_of(spec), open_storage(home / "optuna.journal", None))
    for wave in tuner.waves(list(entries.values())):
        for item in wave:
            if item.training.digest in entries:
                continue
            if len(entries) - len(known or ()) == stop:
                return entries
            entry = Entry(
                training=item.training, configuration=item.configuration, adaptive=True, result=result(item)
            )
            tuner.tell(entry)
            entries[item.training.digest] = entry
    return entries


def place_of(spec: SweepSpec, entry: Entry) -> Place:
    assert spec.searches is not None
    return spec.searches.place(entry.configuration.index)


def searched(spec: SweepSpec, entries: Mapping[str, Entry], activation: str, repeat: int = 0) -> list[Entry]:
    """Return the trials of one search in the order of their numbers."""
    mine = [
        (place.trial, entry)
        for entry in entries.values()
        if (place := place_of(spec, entry)).trial is not None
        and (place.repeat, entry.training.activation) == (repeat, activation)
    ]
    return [entry for _, entry in sorted(mine, key=lambda found: found[0])]


def copies(home: Path) -> dict[str, list[optuna.trial.FrozenTrial]]:
    """Read the studies of the dashboard as another process would."""
    storage = open_storage(home / "optuna.journal", None)
    names = optuna.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage).trials for name in names}


def drawn(spec: SweepSpec, entries: Mapping[str, Entry], activation: str) -> list[dict[str, object]]:
    """Return the levels that an activation was given in the first search, trial by trial."""
    return [dict(entry.configuration.levels) for entry in searched(spec, entries, activation)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_activation_has_the_same_budget(sampler: str, tmp_path: Path) -> None:
    spec = spec_of(sampler, repeats=2)
    entries = tuned(spec, tmp_path)
    places = [(place_of(spec, entry), entry.training.activation) for entry in entries.values()]
    for repeat in (0, 1):
        for name in ("mish", "relu"):
            mine = [
                place.trial for place, activation in places if (place.repeat, activation) == (repeat, name)
            ]
            assert sorted(trial for trial in mine if trial is not None) == list(range(TRIALS))
            assert mine.count(None) == CONFIRM
    assert len(entries) == len(places) == question_of(spec).planned_trainings == 2 * 2 * (TRIALS + CONFIRM)
    assert question_of(spec).planned_configurations == 2 * 2 * TRIALS


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_they_take_turns(sampler: str, tmp_path: Path) -> None:
    """So that a search that is stopped has given each the same, but for one."""
    entries = tuned(spec_of(sampler), tmp_path, stop=5)
    order = [entry.training.activation for entry in entries.values()]
    assert order == ["mish", "relu", "mish", "relu", "mish"]


def test_parts_depend_on_results_before_them_alone(tmp_path: Path) -> None:
    """At random all trials are one part, else one of each search is; the confirmations come last."""
    for sampler, sizes in (("random", [2 * 2 * TRIALS]), ("tpe", [2 * 2] * TRIALS)):
        spec = spec_of(sampler, repeats=2)
        tuner = Tuner(spec, question_of(spec), open_storage(tmp_path / f"{sampler}.journal", None))
        found: list[int] = []
        for wave in tuner.waves():
            found.append(len(wave))
            for item in wave:
                tuner.tell(
                    Entry(training=item.training, configuration=item.configuration, result=outcome(item))
                )
        assert found == [*sizes, 2 * 2 * CONFIRM]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_winner_is_the_best_by_validation_and_trained_again_on_fresh_seeds(
    sampler: str, tmp_path: Path
) -> None:
    spec = spec_of(sampler, repeats=2)
    entries = tuned(spec, tmp_path)
    seeds: dict[int, set[int]] = {0: set(), 1: set()}
    for repeat in (0, 1):
        for name in ("mish", "relu"):
            trials = searched(spec, entries, name, repeat)
            ended = [entry for entry in trials if entry.result.status is Status.OK]
            best = max(ended, key=lambda entry: entry.result.metrics["validation_accuracy"])
            fresh = [
                entry for entry in entries.values()
                if place_of(spec, entry) == Place(repeat, spec.activations.index(name), None)
            ]  # fmt: skip
            assert [entry.training.replicate for entry in fresh] == list(range(CONFIRM))
            assert {entry.configuration.digest for entry in fresh} == {best.configuration.digest}
            searching, confirming = ({e.training.sweep_seed for e in each} for each in (trials, fresh))
            assert len(searching) == len(confirming) == 1
            assert not searching & confirming
            seeds[repeat] |= searching | confirming
    # The two activations share their seeds, the two searches share none.
    assert [len(found) for found in seeds.values()] == [2, 2]
    assert not seeds[0] & seeds[1]


def test_where_every_trial_failed_the_first_one_is_trained_again(tmp_path: Path) -> None:
    def failing(item: PlannedTraining) -> TrainingResult:
        return result_of(item, status=Status.DIVERGED if item.training.activation == "relu" else Status.OK)

    spec = spec_of("random")
    entries = tuned(spec, tmp_path, result=failing)
    fresh = [entry for entry in entries.values() if place_of(spec, entry) == Place(0, 1, None)]
    assert len(fresh) == CONFIRM
    assert fresh[0].configuration.digest == searched(spec, entries, "relu")[0].configuration.digest


def test_a_loss_is_chosen_by_its_own_smallest_validation_value(tmp_path: Path) -> None:
    metric = {"name": "test_loss", "direction": "minimize"}
    spec = spec_with({**TUNED, "replicated_share": GONE, "metric": metric, "seed": 7})

    def odd(item: PlannedTraining) -> TrainingResult:
        found = result_of(item)
        loss = found.metrics["validation_accuracy"]  # so that the least accurate one has the smallest loss
        return dataclasses.replace(found, metrics={**found.metrics, "validation_loss": loss})

    entries = tuned(spec, tmp_path, result=odd)
    trials = searched(spec, entries, "mish")
    fresh = next(entry for entry in entries.values() if place_of(spec, entry) == Place(0, 0, None))
    least = min(trials, key=lambda entry: entry.result.metrics["validation_loss"])
    assert fresh.configuration.digest == least.configuration.digest


@pytest.mark.parametrize("more", [{"repeats": 2}, {"confirm": 5}])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_grows_by_repeats_and_confirmations(
    sampler: str, more: dict[str, int], tmp_path: Path
) -> None:
    """What there is stays a part of it, and what comes is as if it had been asked for at once."""
    tuning = {"trials": 4, "sampler": sampler, "repeats": 1, "confirm": 3}
    small, large = (
        spec_with({**TUNED, "replicated_share": GONE, "tuning": each})
        for each in (tuning, {**tuning, **more})
    )
    refuse_change(small, large)
    before = tuned(small, tmp_path / "a")
    grown = tuned(large, tmp_path / "a", before)
    at_once = tuned(large, tmp_path / "b")
    assert grown == at_once
    assert set(before) < set(grown)


def test_a_rival_more_leaves_the_searches_there_are(tmp_path: Path) -> None:
    tuning = {"trials": 4, "sampler": "tpe", "repeats": 2, "confirm": 3}
    small = spec_with({**TUNED, "replicated_share": GONE, "tuning": tuning})
    large = spec_with({**TUNED, "replicated_share": GONE, "tuning": tuning, "activations": ["relu", "swish"]})
    refuse_change(small, large)
    before = tuned(small, tmp_path / "a")
    assert tuned(large, tmp_path / "a", before) == tuned(large, tmp_path / "b")


def test_indices_and_places_are_the_same_thing() -> None:
    tuning = Tuning(trials=7, sampler="random", repeats=3, confirm=2)
    places = [Place(r, a, t) for r in range(3) for a in range(101) for t in (*range(7), None)]
    indices = [tuning.index(place) for place in places]
    assert len(set(indices)) == len(places)
    assert [tuning.place(index) for index in indices] == places


def test_gp_without_pytorch_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.tuning.find_spec", lambda _: None)
    with pytest.raises(InputError, match='= "gp" needs PyTorch'):
        refuse_missing_library(spec_of("gp"))
    refuse_missing_library(spec_of("tpe"))


def test_long_random_searches_take_the_same_time_per_trial() -> None:
    """Asking does not get slower with the number of trials before."""
    seconds: list[float] = []
    for trials in (50, 300):
        spec = spec_of("random", trials=trials)
        tuner = Tuner(spec, question_of(spec), optuna.storages.InMemoryStorage())
        start = time.process_time()
        wave = next(tuner.waves())
        seconds.append((time.process_time() - start) / len(wave))
    assert seconds[1] < 2 * seconds[0]


def test_levels_lie_within_their_factors(tmp_path: Path) -> None:
    levels = [dict(entry.configuration.levels) for entry in tuned(spec_of("tpe"), tmp_path).values()]
    assert {each["depth"] for each in levels} == {3, 8}
    assert {each["optimizer"] for each in levels} == {"sgd", "adam"}
    assert all(0.3 <= float(str(each["learning_rate"])) <= 3 for each in levels)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("stop", [1, 7, 2 * TRIALS - 3, 2 * TRIALS + 4])
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
    spec = spec_of("random")
    entries = tuned(spec, tmp_path)
    assert drawn(spec, entries, "mish") == drawn(spec, entries, "relu")


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
            changed[sampler, activation] = drawn(spec, usual, activation) != drawn(spec, other, activation)
    assert changed == {
        ("random", "mish"): False, ("random", "relu"): False, ("tpe", "mish"): False, ("tpe", "relu"): True
    }  # fmt: skip


def test_tpe_goes_where_it_is_better(tmp_path: Path) -> None:
    spec = spec_of("tpe", trials=40)
    rates = [float(str(each["learning_rate"])) for each in drawn(spec, tuned(spec, tmp_path), "mish")]
    by_chance = math.log(2.5 / 1.5) / math.log(3 / 0.3)
    assert sum(1.5 < rate < 2.5 for rate in rates[10:]) > 2 * by_chance * 30


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_seed_decides(sampler: str, tmp_path: Path) -> None:
    one, other = (tuned(spec_of(sampler, seed), tmp_path / str(seed)) for seed in (7, 8))
    spec = spec_of(sampler)
    assert not [levels for levels in drawn(spec, one, "mish") if levels in drawn(spec, other, "mish")]


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
    spec = spec_with(changes)
    mine = searched(spec, tuned(spec, tmp_path, result=result_of), "mish")
    seen = Counter((entry.configuration.digest, entry.training.replicate) for entry in mine)
    assert set(seen.values()) == {1}
    assert len({digest for digest, _ in seen}) == 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_storage_has_a_copy_of_every_study(sampler: str, tmp_path: Path) -> None:
    spec = spec_of(sampler, repeats=2)
    entries = tuned(spec, tmp_path)
    studies = copies(tmp_path)
    names = {"small/mish": ("mish", 0), "small/relu": ("relu", 0)}
    names |= {"small/mish (repeat 2)": ("mish", 1), "small/relu (repeat 2)": ("relu", 1)}
    assert set(studies) == set(names)
    for study_name, search in names.items():
        trials = studies[study_name]
        assert [trial.number for trial in trials] == list(range(TRIALS))
        for number, trial in enumerate(trials):
            entry = searched(spec, entries, *search)[number]
            assert trial.params == dict(entry.configuration.levels)
            ok = entry.result.status is Status.OK
            assert trial.value == (entry.result.metrics["validation_accuracy"] if ok else 0)
            assert trial.user_attrs == {
                "training": entry.training.digest, "status": str(entry.result.status)
            }  # fmt: skip
    statuses = {trial.user_attrs["status"] for trials in studies.values() for trial in trials}
    assert statuses == {"ok", "diverged"}
    storage = open_storage(tmp_path / "optuna.journal", None)
    study = optuna.load_study(study_name="small/mish", storage=storage)
    assert study.metric_names == ["validation_accuracy (points)"]
    assert study.user_attrs["question"] == "When does Mish beat ReLU?"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="Optuna's Gaussian process needs PyTorch")
def test_gp_where_it_can_run_is_the_same_after_a_stop(tmp_path: Path) -> None:
    spec = spec_of("gp")
    whole = tuned(spec, tmp_path / "whole")
    part = tuned(spec, tmp_path / "part", stop=2 * TRIALS - 5)
    assert tuned(spec, tmp_path / "part", part) == whole
