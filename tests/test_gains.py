"""Gains of activations, and the initial weights that match them."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import integrate, stats

from study import activations, gains, initializers, streams
from study.activations import ACTIVATIONS, canonical
from study.errors import InputError
from study.initial_values import draw, schemes_of
from study.initializers import INITIALIZERS
from study.layers import FromTraining
from study.training import Training

OWN = """
from keras import ops

def smooth(x):
    return x * ops.sigmoid(x)

def nothing(x):
    return 0.0 * x
"""


@pytest.mark.parametrize("name", sorted({canonical(name) for name in ACTIVATIONS} | {"beta_swish(3)"}))
def test_the_gain_is_that_of_adaptive_quadrature(name: str) -> None:
    function = activations.get(name)

    def integrand(z: float) -> float:
        return float(function(np.array([z]))[0]) ** 2 * float(stats.norm.pdf(z))

    second, _ = integrate.quad(integrand, -12, 12, points=[-3, -0.5, 0, 0.5, 3], epsabs=1e-12, limit=200)
    assert gains.gain(name) == pytest.approx(second**-0.5, rel=1e-6)


def test_known_gains() -> None:
    """ReLU's is the root of 2 (He et al. 2015), SELU's is 1 (Klambauer et al. 2017)."""
    assert gains.gain("relu") == pytest.approx(2**0.5, rel=1e-9)
    assert gains.gain("selu") == pytest.approx(1.0, rel=1e-6)
    assert gains.gain("mish") == pytest.approx(1.487, abs=5e-4)


def test_what_an_initializer_assumes_is_not_applied_twice() -> None:
    assert gains.factor("relu", INITIALIZERS["he_normal"]) == 1.0
    assert gains.factor("selu", INITIALIZERS["lecun_normal"]) == 1.0
    assert gains.factor("relu", INITIALIZERS["glorot_uniform"]) == np.float32("1.41421")
    for name in ("random_normal", "orthogonal", "lecun_uniform"):
        assert gains.factor("mish", INITIALIZERS[name]) == np.float32("1.48685")


def test_a_users_own_function_has_the_gain_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_gains.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    scheme = INITIALIZERS["glorot_uniform"]
    assert gains.factor("of_gains:smooth", scheme) == gains.factor("swish", scheme)
    with pytest.raises(InputError, match="and that of of_gains:nothing is inf; remove the setting"):
        gains.gain("of_gains:nothing")


def test_hidden_kernels_are_scaled_and_nothing_else(training: Training) -> None:
    network = keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(40, kernel_initializer=FromTraining()),
            keras.layers.Dense(10, kernel_initializer="he_normal"),
        ]
    )
    schemes = schemes_of(network)
    plain = draw(schemes, training)
    matched = draw(schemes, dataclasses.replace(training, gain_matched_initialization=True))
    np.testing.assert_array_equal(matched[0], plain[0] * np.float32("1.48685"))
    for found, expected in zip(matched[1:], plain[1:], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("initializer", ["lecun_normal", "he_uniform", "orthogonal", "glorot_normal"])
def test_a_layer_keeps_the_second_moment_of_standard_normal_inputs(
    initializer: str, training: Training
) -> None:
    """As section 2.2 of He et al. 2015 has it for ReLU."""
    scheme = INITIALIZERS[initializer]
    weights = initializers.draw(scheme, (160, 160), streams.key(training, "weights"), 0)
    z = np.random.default_rng(5).normal(size=(400, 160))
    for name in ("mish", "relu", "swish", "tanh"):
        passed = activations.get(name)(z) @ (weights * gains.factor(name, scheme))
        assert np.mean(passed**2) == pytest.approx(1.0, abs=0.1)
    plain = activations.get("swish")(z) @ (weights / initializers.assumed_gain(scheme))
    assert np.mean(plain**2) < 0.5
