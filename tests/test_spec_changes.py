"""What a ledger alone says of a changed spec; what two specs say is in test_spec."""

from typing import Any

import pytest
from made_entries import entries_of, question_of, spec_with
from simulated_record import FINGERPRINT
from small_specs import GONE, TUNED

from study.errors import InputError
from study.ledger import Record
from sweeps.spec import SweepSpec
from sweeps.spec_changes import refuse_other_results

BEST = {"name": "test_accuracy", "direction": "maximize", "checkpoint": "best"}
LOSS = {"name": "test_loss", "direction": "minimize"}


def record_of(spec: SweepSpec, entries: int = 3) -> Record:
    made = tuple(entries_of(spec)[:entries]) if spec.design != "tuned" else ()
    return Record(question=question_of(spec), fingerprints=(FINGERPRINT,), entries=made)


def refused(older: SweepSpec, newer: SweepSpec) -> list[str]:
    with pytest.raises(InputError, match=r"^small already has results that were made from another") as caught:
        refuse_other_results(record_of(older), newer, question_of(newer))
    return [line.strip() for line in str(caught.value).split("\n")[1:]]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"delta": 2.0, "loss_cap": 10.0}, "delta: 1.0 -> 2.0"),
        ({"focus": "gelu"}, 'focus: "mish" -> "gelu"'),
        ({"activations": ["elu", "relu"]}, 'activations: ["relu"] -> ["elu", "relu"]'),
        ({"metric": LOSS}, 'metric.direction: "maximize" -> "minimize"'),
        ({"factors.depth.role": "nuisance"}, 'factors.depth.role: "condition" -> "nuisance"'),
        ({"factors.depth.levels": [3, 8, 12]}, "factors.depth.levels: [3, 8] -> [3, 8, 12]"),
        ({"configurations": 3}, "configurations: 4 -> 3"),
        ({"dataset": "mnist"}, 'dataset: "digits" -> "mnist"'),
    ],
)
def test_another_question_than_the_recorded_one_is_refused(changes: dict[str, Any], line: str) -> None:
    assert line in refused(spec_with(), spec_with(changes))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"epochs": 4}, "epochs: 3 -> 4"),
        ({"seed": 8}, "seed: 7 -> 8"),
        ({"train_size": 500}, "train_size: not given -> 500"),
        ({"noise_at": "test"}, 'noise_at: "train" -> "test"'),
        ({"metric": BEST}, 'metric.checkpoint: "last" -> "best"'),
        ({"fixed.width": 64}, "fixed.width: 32 -> 64"),
        ({"fixed.dropout": 0.5}, "fixed.dropout: 0.0 -> 0.5"),
    ],
)
def test_other_settings_than_those_recorded_are_refused(changes: dict[str, Any], line: str) -> None:
    assert line in refused(spec_with(), spec_with(changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"question": "Why?", "threads": 2},
        {"configurations": 12, "replicates": 2, "activations": ["relu", "elu"]},
    ],
)
def test_a_sweep_may_grow_beyond_what_is_recorded(changes: dict[str, Any]) -> None:
    newer = spec_with(changes)
    refuse_other_results(record_of(spec_with()), newer, question_of(newer))


def test_the_trials_of_a_search_are_no_growth() -> None:
    tuned = {**TUNED, "replicated_share": GONE}
    more = {**tuned, "tuning": {"trials": 6, "sampler": "random", "confirm": 1}}
    lines = ["tuning.trials: 5 -> 6", 'tuning.sampler: "tpe" -> "random"', "tuning.confirm: 2 -> 1"]
    assert refused(spec_with(tuned), spec_with(more)) == lines


def test_repeats_and_confirmations_of_a_search_are_growth() -> None:
    tuned = {**TUNED, "replicated_share": GONE}
    newer = spec_with({**tuned, "tuning": {"trials": 5, "sampler": "tpe", "repeats": 6, "confirm": 3}})
    refuse_other_results(record_of(spec_with(tuned)), newer, question_of(newer))
