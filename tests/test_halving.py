"""Successive halving in the `tuned` design: rungs of a fixed size, promoted by the results of whole rungs."""

import dataclasses
import itertools
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from made_entries import question_of, result_of, spec_with
from small_specs import GONE, TUNED
from test_tuning import copies, place_of, tuned

from study.ledger import Entry
from study.training import Status, TrainingResult
from study.tuning import Place, Tuning
from sweeps.design import PlannedTraining
from sweeps.spec import SweepSpec
from sweeps.spec_changes import refuse_change
from sweeps.trials import open_storage
from sweeps.tuning import Tuner

Copies = dict[str, dict[str, tuple[object, ...]]]


def spec_of(trials: int = 9, repeats: int = 2, epochs: int = 9, **changes: Any) -> SweepSpec:
    tuning = {"trials": trials, "repeats": repeats, "confirm": 2, "halving": 3}
    return spec_with({**TUNED, "tuning": tuning, "replicated_share": GONE, "epochs": epochs, **changes})


def worth(item: PlannedTraining) -> TrainingResult:
    """Return a result that depends on setting, activation and epochs, so that ranks change; some fail."""
    found = result_of(item)
    failed = item.training.digest[0] in "01"
    return result_of(item, status=Status.DIVERGED) if failed else found


def rung_of(
    spec: SweepSpec, entries: Mapping[str, Entry], search: tuple[int, int], rung: int
) -> dict[int, Entry]:
    """Return number -> trial of a search at a rung, by rising number."""
    found: dict[int, Entry] = {}
    for entry in entries.values():
        at = place_of(spec, entry)
        if at.trial is not None and (at.repeat, at.activation, at.rung) == (*search, rung):
            found[at.trial] = entry
    return dict(sorted(found.items()))


def shown(home: Path) -> Copies:
    """Return what the dashboard's studies say, whatever the order in which the trials came."""
    return {
        name: {
            trial.user_attrs["training"]: (
                trial.params, trial.state, trial.value, trial.intermediate_values, trial.user_attrs
            )
            for trial in trials
        }
        for name, trials in copies(home).items()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("trials", "epochs", "halving", "sizes", "lengths"),
    [
        (27, 27, 3, (27, 9, 3, 1), (1, 3, 9, 27)),
        (20, 15, 3, (20, 6, 2), (1, 5, 15)),  # the epochs end it, and are rounded down
        (6, 100, 2, (6, 3, 1), (25, 50, 100)),  # the trials end it
        (3, 3, 3, (3, 1), (1, 3)),
        (100, 50, 7, (100, 14, 2), (1, 7, 50)),
    ],
)
def test_rungs_follow_from_trials_and_epochs(
    trials: int, epochs: int, halving: int, sizes: tuple[int, ...], lengths: tuple[int, ...]
) -> None:
    tuning = Tuning(trials=trials, sampler="random", repeats=2, confirm=3, halving=halving, epochs=epochs)
    assert (tuning.rung_trials, tuning.rung_epochs) == (sizes, lengths)
    assert tuning.search_epochs == sum(n * e for n, e in zip(sizes, lengths, strict=True))
    assert tuning.trainings(4) == 2 * 4 * (sum(sizes) + 3)
    # What is left, counted training by training in the order in which they come.
    order = [e for n, e in zip(sizes, lengths, strict=True) for _ in range(2 * 4 * n)]
    order += [epochs] * (2 * 4 * 3)
    assert [tuning.epochs_after(done, 4) for done in range(len(order) + 1)] == [
        sum(order[done:]) for done in range(len(order) + 1)
    ]


def test_indices_and_places_are_the_same_thing_at_every_rung() -> None:
    tuning = Tuning(trials=7, sampler="random", repeats=3, confirm=2, halving=2, epochs=8)
    places = [
        Place(r, a, t, rung)
        for r, a in itertools.product(range(3), range(101))
        for t, rung in (*itertools.product(range(7), range(tuning.rungs)), (None, 0))
    ]
    indices = [tuning.index(place) for place in places]
    assert len(set(indices)) == len(places)
    assert [tuning.place(index) for index in indices] == places


def test_without_halving_indices_and_what_is_written_are_as_they_were() -> None:
    tuning = Tuning(trials=7, sampler="random", repeats=3, confirm=2)
    assert tuning.index(Place(2, 5, 3)) == (2 * 101 + 5) * 8 + 3
    assert tuning.index(Place(2, 5, None)) == (2 * 101 + 5) * 8 + 7
    assert tuning.to_json() == {"trials": 7, "sampler": "random", "repeats": 3, "confirm": 2}
    assert Tuning.from_json(tuning.to_json()) == tuning
    halved = dataclasses.replace(tuning, halving=3, epochs=9)
    assert Tuning.from_json(halved.to_json()) == halved


def test_every_activation_has_the_same_epochs_whatever_comes_out(tmp_path: Path) -> None:
    spec = spec_of()

    def failing(item: PlannedTraining) -> TrainingResult:
        return result_of(item, status=Status.DIVERGED if item.training.activation == "relu" else Status.OK)

    for name, result in (("a", worth), ("b", failing)):
        entries = tuned(spec, tmp_path / name, result=result)
        counts = Counter(
            (place_of(spec, entry).repeat, entry.training.activation, entry.training.epochs)
            for entry in entries.values()
        )
        sizes = {1: 9, 3: 3, 9: 1 + 2}  # the last with the confirmations
        every = itertools.product((0, 1), ("mish", "relu"), sizes)
        assert counts == {(repeat, name, epochs): sizes[epochs] for repeat, name, epochs in every}
        assert len(entries) == question_of(spec).planned_trainings
    assert question_of(spec).planned_configurations == 2 * 2 * 9


def test_a_rung_of_all_searches_is_one_part(tmp_path: Path) -> None:
    spec = spec_of()
    tuner = Tuner(spec, question_of(spec), open_storage(tmp_path / "optuna.journal", None))
    sizes: list[tuple[int, set[int]]] = []
    for wave in tuner.waves():
        sizes.append((len(wave), {item.training.epochs for item in wave}))
        assert [item.training.activation for item in wave[:2]] == ["mish", "relu"] or len(wave) == 8
        for item in wave:
            tuner.tell(Entry(training=item.training, configuration=item.configuration, result=worth(item)))
    assert sizes == [(36, {1}), (12, {3}), (4, {9}), (8, {9})]


@pytest.mark.parametrize("metric", ["test_accuracy", "test_loss"])
def test_the_best_of_a_rung_are_trained_again_from_the_same_seed(metric: str, tmp_path: Path) -> None:
    better = "maximize" if metric == "test_accuracy" else "minimize"
    spec = spec_of(metric={"name": metric, "direction": better})

    def odd(item: PlannedTraining) -> TrainingResult:
        found = worth(item)
        if found.status is not Status.OK:
            return found
        loss = found.metrics["validation_accuracy"]  # so that the least accurate has the smallest loss
        return dataclasses.replace(found, metrics={**found.metrics, "validation_loss": loss})

    entries = tuned(spec, tmp_path, result=odd)
    for search, rung in itertools.product(itertools.product((0, 1), (0, 1)), (1, 2)):
        before, after = (rung_of(spec, entries, search, each) for each in (rung - 1, rung))
        values = {n: e.result.metrics.get(f"validation_{metric[5:]}") for n, e in before.items()}
        sign = -1 if better == "maximize" else 1
        best = sorted(values, key=lambda n: (values[n] is None, sign * (values[n] or 0), n))
        assert list(after) == sorted(best[: len(after)])
        for number, entry in after.items():
            same = dataclasses.replace(entry.training, epochs=before[number].training.epochs)
            assert same == before[number].training
            assert entry.training.epochs == 3 * same.epochs
            assert entry.levels == before[number].levels


def test_equally_good_trials_go_on_by_their_number_and_failed_ones_last(tmp_path: Path) -> None:
    spec = spec_of(repeats=1)

    def level(item: PlannedTraining) -> TrainingResult:
        assert spec.searches is not None
        at = spec.searches.place(item.configuration.index)
        failed = item.training.activation == "relu" and at.trial != 7
        return result_of(item, 80.0, Status.DIVERGED if failed else Status.OK)

    entries = tuned(spec, tmp_path, result=level)
    assert list(rung_of(spec, entries, (0, 0), 1)) == [0, 1, 2]
    assert list(rung_of(spec, entries, (0, 1), 1)) == [0, 1, 7]
    assert list(rung_of(spec, entries, (0, 1), 2)) == [7]


def test_a_setting_that_is_tried_twice_keeps_its_seeds(tmp_path: Path) -> None:
    spec = spec_of(**{"factors.learning_rate": GONE, "factors.optimizer": GONE, "fixed": {"width": 32}})
    entries = tuned(spec, tmp_path, result=worth)
    assert len(entries) == question_of(spec).planned_trainings
    again = 0
    for search in itertools.product((0, 1), (0, 1)):
        first = rung_of(spec, entries, search, 0)
        for number, entry in rung_of(spec, entries, search, 1).items():
            assert entry.training.replicate == first[number].training.replicate
            again += entry.training.replicate > 0
    assert again


def test_the_best_of_the_last_rung_wins_and_not_a_short_training(tmp_path: Path) -> None:
    def crossing(item: PlannedTraining) -> TrainingResult:
        rate = float(item.configuration.levels["learning_rate"])
        return result_of(item, 80 + 5 * rate if item.training.epochs == 1 else 50 - 5 * rate)

    spec = spec_of(trials=9, epochs=3, repeats=1)
    entries = tuned(spec, tmp_path, result=crossing)
    last = rung_of(spec, entries, (0, 0), 1)
    fresh = [entry for entry in entries.values() if place_of(spec, entry) == Place(0, 0, None)]
    slowest = min(last.values(), key=lambda entry: float(str(entry.levels["learning_rate"])))
    assert {entry.configuration.digest for entry in fresh} == {slowest.configuration.digest}
    assert {entry.training.epochs for entry in fresh} == {3}
    assert {e.training.sweep_seed for e in fresh}.isdisjoint(e.training.sweep_seed for e in last.values())


def test_the_order_in_which_results_come_in_decides_nothing(tmp_path: Path) -> None:
    spec = spec_of(repeats=1)
    usual = tuned(spec, tmp_path / "usual", result=worth)
    tuner = Tuner(spec, question_of(spec), open_storage(tmp_path / "optuna.journal", None))
    found: dict[str, Entry] = {}
    for wave in tuner.waves():
        for item in random.Random(1).sample(wave, len(wave)):
            entry = Entry(
                training=item.training, configuration=item.configuration, adaptive=True, result=worth(item)
            )
            tuner.tell(entry)
            found[item.training.digest] = entry
    assert found == usual
    assert shown(tmp_path) == shown(tmp_path / "usual")


@pytest.mark.parametrize("stop", [1, 18, 21, 27])
def test_stopped_in_any_rung_and_resumed_it_is_as_if_undisturbed(stop: int, tmp_path: Path) -> None:
    spec = spec_of(repeats=1)
    whole = tuned(spec, tmp_path / "whole", result=worth)
    part = tuned(spec, tmp_path / "part", stop=stop, result=worth)
    assert len(part) == stop
    assert tuned(spec, tmp_path / "part", part, result=worth) == whole
    assert tuned(spec, tmp_path / "anew", part, result=worth) == whole  # the storage was lost
    for home in ("part", "anew"):
        assert shown(tmp_path / home) == shown(tmp_path / "whole")


def test_the_dashboard_shows_who_was_pruned_and_the_value_of_every_rung(tmp_path: Path) -> None:
    spec = spec_of()
    entries = tuned(spec, tmp_path, result=worth)
    studies = copies(tmp_path)
    states = optuna.trial.TrialState
    for search, name in {(0, 0): "small/mish", (1, 1): "small/relu (repeat 2)"}.items():
        rungs = [rung_of(spec, entries, search, rung) for rung in range(3)]
        assert len(studies[name]) == 9
        by_training = {trial.user_attrs["training"]: trial for trial in studies[name]}
        for number, first in rungs[0].items():
            trial = by_training[first.training.digest]
            mine = [rung[number] for rung in rungs if number in rung]
            values = {e.training.epochs: e.result.metrics.get("validation_accuracy", 0.0) for e in mine}
            assert trial.intermediate_values == values
            assert trial.state is (states.COMPLETE if len(mine) == 3 else states.PRUNED)
            assert trial.value == values[max(values)]
            assert trial.params == dict(first.configuration.levels)
            assert trial.user_attrs["status"] == str(mine[-1].result.status)


def test_trials_of_a_rung_that_is_not_whole_are_shown_as_running(tmp_path: Path) -> None:
    tuned(spec_of(), tmp_path, stop=20, result=worth)
    trials = [trial for found in copies(tmp_path).values() for trial in found]
    assert {trial.state for trial in trials} == {optuna.trial.TrialState.RUNNING}
    assert [list(trial.intermediate_values) for trial in trials] == [[1]] * 20


def test_a_search_with_halving_grows_by_repeats(tmp_path: Path) -> None:
    small, large = spec_of(repeats=1), spec_of(repeats=2)
    refuse_change(small, large)
    before = tuned(small, tmp_path / "a")
    assert tuned(large, tmp_path / "a", before) == tuned(large, tmp_path / "b")
