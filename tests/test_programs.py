"""Which trainings share a compiled program: every field of a training is either built in or a number."""

import dataclasses
from typing import Any

import pytest

from study.programs import program_of
from study.training import Training

BUILT_IN: dict[str, Any] = {
    "dataset": "mnist",
    "train_size": 128,
    "architecture": "convmlp",
    "architecture_arguments": (("depth", 4), ("width", 16)),
    "activation": "relu",
    "batch_size": 16,
    "optimizer": "sgd",
    "batch_normalization": True,
    "augmentation": "shift",
}
"""Changing one of these makes another program."""

NUMBERS: dict[str, Any] = {
    "epochs": 9,
    "learning_rate": 0.5,
    "initializer": "he_normal",
    "regularizer": "l1_l2",
    "regularizer_strength": 0.5,
    "dropout": 0.5,
    "input_noise": 0.5,
    "mixup": 0.5,
    "learning_rate_policy": "cosine",
    "gradient_clipping": 0.5,
    "gain_matched_initialization": True,
    "checkpoint": "best",
    "sweep_seed": 8,
    "configuration": "another",
    "replicate": 3,
}
"""Changing one of these does not, as long as what they scale is there at all."""

replace = dataclasses.replace


@pytest.fixture
def perturbed(training: Training) -> Training:
    return replace(training, dropout=0.1, input_noise=0.1, mixup=0.1, gradient_clipping=0.1)


def test_each_field_of_a_training_is_decided_on() -> None:
    fields = {field.name for field in dataclasses.fields(Training)}
    assert fields == {*BUILT_IN, *NUMBERS, "noise_at"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_built_in_makes_another_program(perturbed: Training, name: str) -> None:
    assert program_of(replace(perturbed, **{name: BUILT_IN[name]})) != program_of(perturbed)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_share_a_program(perturbed: Training, name: str) -> None:
    assert program_of(replace(perturbed, **{name: NUMBERS[name]})) == program_of(perturbed)


@pytest.mark.parametrize("name", ["dropout", "input_noise", "mixup", "gradient_clipping"])
def test_without_a_perturbation_the_program_does_not_compute_it(perturbed: Training, name: str) -> None:
    assert program_of(replace(perturbed, **{name: 0.0})) != program_of(perturbed)


def test_noise_at_test_time_costs_the_program_nothing(perturbed: Training) -> None:
    without = program_of(replace(perturbed, input_noise=0.0))
    assert program_of(replace(perturbed, noise_at="test")) == without


@pytest.mark.parametrize("name", ["dropout", "initializer", "regularizer", "regularizer_strength"])
def test_a_users_own_architecture_has_its_rates_built_in(perturbed: Training, name: str) -> None:
    own = replace(perturbed, architecture="mine:net")
    assert program_of(replace(own, **{name: NUMBERS[name]})) != program_of(own)
    assert program_of(replace(own, learning_rate=0.5)) == program_of(own)
