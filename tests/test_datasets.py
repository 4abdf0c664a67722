"""Data sets: their cards, their sizes, and what a wrong name or size is told."""

from collections.abc import Callable
from typing import Any

import pytest
from data_sets import run

from study.datasets import DATASETS, card_of, content_digest, load, verify
from study.errors import InputError


def test_importing_datasets_loads_neither_sklearn_nor_keras() -> None:
    code = "import sys, study.datasets; print({'sklearn', 'keras', 'tensorflow'} & set(sys.modules))"
    assert run(code).stdout.strip() == "set()"


def test_only_the_repaired_copy_carries_a_note() -> None:
    notes = {name: card.note for name, card in DATASETS.items() if card.note}
    assert list(notes) == ["cifar10-repaired"]
    assert "109 of its 60,000 images" in notes["cifar10-repaired"]


def test_digits_may_not_be_flipped() -> None:
    assert not DATASETS["digits"].flip_allowed
    assert not DATASETS["mnist"].flip_allowed


@pytest.mark.parametrize("use", [card_of, load, verify, content_digest])
def test_an_unknown_name_suggests_the_nearest(use: Callable[[str], Any]) -> None:
    with pytest.raises(InputError, match=r"no data set 'fashion-mnist'; .* did you mean 'fashion_mnist'\?"):
        use("fashion-mnist")
