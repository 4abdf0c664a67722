"""Every activation of the catalogue in a network, trained by both engines."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from engine_children import Child

from study.activations import ACTIVATIONS, canonical
from study.training import Status, Training


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_both_engines_train_the_whole_catalogue_alike(
    child_of: Callable[[str], Child], training: Training
) -> None:
    base = replace(training, epochs=5, batch_size=256, architecture_arguments=(("depth", 4), ("width", 16)))
    names = sorted({canonical(name) for name in ACTIVATIONS})
    trainings = [replace(base, activation=name) for name in names]
    trained = (child_of(engine).train(*trainings) for engine in ("fit", "population"))
    for name, reference, fast in zip(names, *trained, strict=True):
        assert reference.status is fast.status is Status.OK, name
        np.testing.assert_allclose(
            fast.curve["train_loss"], reference.curve["train_loss"], rtol=1e-5, err_msg=name
        )
