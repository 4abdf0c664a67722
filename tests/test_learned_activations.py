"""Activations within Keras: named ones in models that are saved, and layers that train a parameter."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false, reportCallIssue=false

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from activation_references import parameter_jet
from engine_children import Child

from study import activations
from study.errors import InputError
from study.initial_values import schemes_of
from study.learned_activations import BetaMish, BetaSwish, PReLU
from study.named_activations import Named
from study.training import Status, Training

# Keras' own, when it writes TensorFlow's variables into a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
X = np.linspace(-3, 3, 24, dtype=np.float32).reshape(8, 3)
LEARNED = {
    "leaky_relu": (PReLU, "a"),
    "beta_swish": (BetaSwish, "log_beta"),
    "beta_mish": (BetaMish, "log_beta"),
}
learned = pytest.mark.parametrize("function", LEARNED)


@pytest.mark.parametrize("name", ["mish", "leaky_relu", "beta_mish(2)", "serf", "celu(2)"])
def test_a_saved_model_reads_back_the_very_activation(name: str, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation=Named(name))])
    model.save(tmp_path / "model.keras")
    read = keras.models.load_model(tmp_path / "model.keras")
    assert read.layers[0].activation.name == activations.canonical(name)
    np.testing.assert_array_equal(read(X), model(X))
    np.testing.assert_array_equal(
        keras.layers.Activation(Named(name))(X), activations.get(name)(tf.constant(X))
    )


def test_a_plain_function_comes_back_as_that_of_keras(tmp_path: Path) -> None:
    """Why there is `Named`: the slope 0.3 becomes 0.2 without a word."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation(activations.leaky_relu)])
    model.save(tmp_path / "model.keras")
    read = keras.models.load_model(tmp_path / "model.keras", custom_objects=activations.ACTIVATIONS)
    x = np.full((1, 3), -1, np.float32)
    assert float(model(x)[0, 0]) == np.float32(-0.3)
    assert float(read(x)[0, 0]) == pytest.approx(-0.2)


def test_a_string_is_looked_up_among_the_activations_of_keras_alone() -> None:
    """Why there is no call after which `activation="serf"` works: the page says so."""
    serf = {"serf": activations.ACTIVATIONS["serf"]}
    with keras.saving.custom_object_scope(serf), pytest.raises(ValueError, match="Could not interpret"):
        keras.layers.Dense(4, activation="serf")


@pytest.mark.parametrize(
    ("name", "message"), [("mihs", "did you mean 'mish'"), ("os:system", "your own function")]
)
def test_named_takes_the_catalogue_alone(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Named(name)


@learned
@pytest.mark.parametrize("per", ["layer", "channel"])
def test_the_parameter_gets_its_derivative(function: str, per: Any) -> None:
    kind, variable = LEARNED[function]
    layer = kind(start=0.75, per=per)
    with tf.GradientTape() as tape:
        y = layer(X)
    expected = activations.ACTIVATIONS[function](X, np.float32(0.75))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    by = np.vectorize(lambda x: parameter_jet(function, float(x), 0.75)[0])(X)
    by = by * 0.75 if variable == "log_beta" else by
    gradient = tape.gradient(y, getattr(layer, variable).value)
    assert gradient.shape == (() if per == "layer" else (3,))
    np.testing.assert_allclose(gradient, by.sum(None if per == "layer" else 0), rtol=1e-5, atol=1e-6)


@learned
def test_trained_saved_and_read_back(function: str, tmp_path: Path) -> None:
    kind, variable = LEARNED[function]
    model = keras.Sequential([keras.Input((3,)), kind(per="channel")])
    start = np.asarray(getattr(model.layers[0], variable))
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(X, np.zeros_like(X), epochs=1, batch_size=8, verbose=0)
    trained = np.asarray(getattr(model.layers[0], variable))
    assert (np.abs(trained - start) > 1e-3).all()
    model.save(tmp_path / "model.keras")
    read = keras.models.load_model(tmp_path / "model.keras")
    assert read.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_array_equal(read(X), model(X))


@learned
def test_half_precision_keeps_its_dtype(function: str) -> None:
    kind, _ = LEARNED[function]
    y = kind(dtype="mixed_float16")(X.astype(np.float16))
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, kind()(X), rtol=2e-3, atol=1e-3)


def test_the_engines_know_where_a_learned_parameter_starts() -> None:
    network = keras.Sequential([keras.Input((3,)), PReLU(), BetaSwish(), BetaMish(start=1.5)])
    starts = [scheme.scale for _, scheme in schemes_of(network) if scheme is not None]
    assert starts == [0.25, 0.0, math.log(1.5)]


@pytest.mark.slow
def test_both_engines_train_the_same_network_with_learned_parameters(
    child_of: Callable[[str], Child], training: Training
) -> None:
    own = replace(training, architecture="own_parts:learned", architecture_arguments=(), epochs=5)
    (reference,) = child_of("fit").train(own)
    (fast,) = child_of("population").train(own)
    assert reference.status is fast.status is Status.OK
    np.testing.assert_allclose(fast.curve["train_loss"], reference.curve["train_loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BetaMish(start=0.0), "a β above 0 and at most 1e6"),
        (lambda: PReLU(start=math.nan), "a finite number, and nan was given"),
        (lambda: BetaSwish(per="unit"), "'layer' or 'channel', and 'unit' was given"),
        (lambda: PReLU(per="channel")(keras.Input((None,))), "last axis whose length is known"),
    ],
)
def test_what_a_layer_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


ON_JAX = """
import keras, numpy as np
from study.learned_activations import BetaMish, BetaSwish, PReLU
from study.named_activations import Named

assert keras.backend.backend() == "jax"
model = keras.Sequential([
    keras.Input((3,)), keras.layers.Dense(4, activation=Named("beta_mish(2)")), PReLU(), BetaSwish(),
    BetaMish(),
])
before = [np.asarray(each) for each in model.trainable_variables]
model.compile(keras.optimizers.SGD(0.5), "mse")
x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(8, 3)
model.fit(x, np.ones((8, 4), np.float32), epochs=2, batch_size=8, verbose=0)
assert all((np.asarray(each) != was).any() for each, was in zip(model.trainable_variables, before))
model.save("model.keras")
np.testing.assert_allclose(keras.models.load_model("model.keras")(x), model(x), rtol=1e-6)
"""


@pytest.mark.slow
def test_on_jax(tmp_path: Path) -> None:
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", ON_JAX], check=True, cwd=tmp_path, env=environment)
