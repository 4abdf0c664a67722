"""Values, slopes and second derivatives over the whole range of each dtype, and agreement with the peers."""

import functools
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from activation_frameworks import jets_with_jax, jets_with_tensorflow, with_tensorflow
from activation_references import KINKS, MANY, NAMES, POINTS, assert_right, dtypes, names
from more_activation_references import GROWING, MORE, QUADRATIC

from study import activations
from study.activations import ACTIVATIONS, get, parse

FRAMEWORKS = {"tensorflow": jets_with_tensorflow, "jax": jets_with_jax}
frameworks = pytest.mark.parametrize("framework", FRAMEWORKS)


@dtypes
@names
def test_numpy_values_against_mpmath(name: str, dtype: str) -> None:
    assert_right(name, POINTS[dtype], get(name)(POINTS[dtype]))


@functools.cache
def jets(framework: str, dtype: str) -> dict[str, Any]:
    return FRAMEWORKS[framework]({name: get(name) for name in NAMES}, POINTS[dtype])


@dtypes
@frameworks
@names
def test_value_slope_and_second_derivative_against_mpmath(name: str, framework: str, dtype: str) -> None:
    assert_right(name, POINTS[dtype], *jets(framework, dtype)[name])


WIDE = (
    "float64",
    "float32",
    pytest.param("float16", marks=pytest.mark.slow),
    pytest.param("bfloat16", marks=pytest.mark.slow),
)


@pytest.mark.parametrize("dtype", WIDE)
def test_numpy_values_of_the_whole_catalogue_against_mpmath(dtype: str) -> None:
    for name in MORE:
        assert_right(name, POINTS[dtype], get(name)(POINTS[dtype]))


@pytest.mark.parametrize("dtype", [pytest.param("float64", marks=pytest.mark.slow), *WIDE[1:]])
@frameworks
def test_value_slope_and_second_derivative_of_the_whole_catalogue(framework: str, dtype: str) -> None:
    computed = FRAMEWORKS[framework]({name: get(name) for name in MORE}, POINTS[dtype])
    for name, jet in computed.items():
        assert_right(name, POINTS[dtype], *jet)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", MANY)
@frameworks
def test_the_whole_catalogue_is_finite_for_every_finite_input(framework: str, dtype: str) -> None:
    x = MANY[dtype]
    bounded = {name: get(name) for name in MORE if name not in GROWING}
    for name, computed in FRAMEWORKS[framework](bounded, x).items():
        for got in (*computed, get(name)(x)):
            assert np.isfinite(got.astype(np.float64)).all(), name


@pytest.mark.parametrize("dtype", MANY)
@frameworks
def test_finite_for_every_finite_input(framework: str, dtype: str) -> None:
    x = MANY[dtype]
    for name, computed in FRAMEWORKS[framework]({name: get(name) for name in NAMES}, x).items():
        for got in (*computed, get(name)(x)):
            assert np.isfinite(got.astype(np.float64)).all(), name


@pytest.mark.parametrize("dtype", MANY)
@frameworks
def test_infinite_only_where_the_true_number_is_beyond_the_dtype(framework: str, dtype: str) -> None:
    x = MANY[dtype]
    limits = ml_dtypes.finfo(x.dtype)
    border = 1 + 4 * float(limits.eps)
    exact = FRAMEWORKS["jax"]({name: get(name) for name in GROWING}, x.astype(np.float64))
    for name, computed in FRAMEWORKS[framework]({name: get(name) for name in GROWING}, x).items():
        for k, got in ((0, get(name)(x)), (0, computed[0]), (1, computed[1])):
            true = abs(exact[name][k])
            infinite = np.isinf(got.astype(np.float64))
            assert not infinite[true < float(limits.max) / border].any(), name
            assert infinite[true > float(limits.max) * border].all(), name
            assert infinite.any() == (k == 0 or name in QUADRATIC), name
    largest = np.array([limits.max], x.dtype)
    assert get("selu")(largest) == largest


@pytest.mark.parametrize(
    ("name", "minimum", "at", "slope_at_0"),
    [
        ("mish", -0.308843, -1.192431, 0.6),
        ("beta_mish(1.5)", -0.451103, -1.244057, 0.777778),
        ("swish", -0.278465, -1.278465, 0.5),
        ("beta_swish(4)", -0.278465 / 4, -1.278465 / 4, 0.5),
        ("gelu", -0.169971, -0.751792, 0.5),
        ("hard_swish", -0.375, -1.5, 0.5),
        ("softplus", 0, -1e6, 0.5),
        ("sigmoid", 0, -1e6, 0.25),
        ("elu", -1, -1e6, 1),
        ("selu", -1.758099, -1e6, 1.758099),
        ("relu", 0, -1, 0),
        ("leaky_relu", -0.3, -1, 0.3),
    ],
)
def test_known_minimum_and_slope_at_0(name: str, minimum: float, at: float, slope_at_0: float) -> None:
    y, gradient = with_tensorflow(get(name), np.array([at, 0.0]))
    assert y[0] == pytest.approx(minimum, abs=1e-6)
    assert gradient[1] == pytest.approx(slope_at_0, abs=1e-6)
    if name != "leaky_relu":
        dense = get(name)(np.linspace(-20, 20, 40_001))
        assert dense.min() >= minimum - 1e-6
        assert gradient[0] == pytest.approx(0, abs=2e-6)


@pytest.mark.parametrize(
    ("name", "at", "slope"),
    [("relu", 0, 0), ("leaky_relu", 0, 0.3), ("hard_swish", -3, 0), ("hard_swish", 3, 1), ("elu", 0, 1)],
)
@frameworks
def test_all_frameworks_take_the_stated_side_where_a_slope_jumps(
    framework: str, name: str, at: float, slope: float
) -> None:
    computed = FRAMEWORKS[framework]({name: get(name)}, np.array([at], np.float32))
    assert computed[name][1] == np.float32(slope)


X = np.linspace(-12, 12, 4801, dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("relu", jax.nn.relu),
        ("leaky_relu(0.01)", jax.nn.leaky_relu),
        ("softplus", jax.nn.softplus),
        ("softsign", jax.nn.soft_sign),
        ("elu", jax.nn.elu),
        ("selu", jax.nn.selu),
        ("gelu", functools.partial(jax.nn.gelu, approximate=False)),
        ("swish", jax.nn.swish),
        ("mish", jax.nn.mish),
        ("hard_swish", jax.nn.hard_swish),
    ],
)
def test_agrees_with_jax(name: str, theirs: Callable[[Any], Any]) -> None:
    # Two correct float32 implementations differ by a few units in the last place.
    np.testing.assert_allclose(get(name)(jnp.asarray(X)), theirs(X), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("relu", keras.activations.relu),
        ("leaky_relu(0.3)", functools.partial(keras.activations.leaky_relu, negative_slope=0.3)),
        ("tanh", keras.activations.tanh),
        ("sigmoid", keras.activations.sigmoid),
        ("softplus", keras.activations.softplus),
        ("softsign", keras.activations.softsign),
        ("elu", keras.activations.elu),
        ("selu", keras.activations.selu),
        ("gelu", keras.activations.gelu),
        ("swish", keras.activations.silu),
        ("mish", keras.activations.mish),
        ("hard_swish", keras.activations.hard_silu),
    ],
)
def test_agrees_with_keras(name: str, theirs: Callable[[Any], Any]) -> None:
    ours = get(name)(tf.constant(X)).numpy()
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs(X)), rtol=2e-6, atol=1e-6)


@names
def test_symbolic_keras_tensor_builds_a_model(name: str) -> None:
    f = get(name)
    x = tf.constant(X[~np.isin(X, KINKS.get(parse(name)[0], ()))][None, :])
    inputs = keras.Input(x.shape[1:], dtype="float32")
    outputs = f(inputs)
    assert isinstance(outputs, keras.KerasTensor)
    assert (outputs.shape, outputs.dtype) == (inputs.shape, "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = keras.Model(inputs, outputs)(x)
    expected, slopes = with_tensorflow(f, x.numpy())
    np.testing.assert_allclose(y, expected, rtol=2e-6, atol=1e-6)
    # The gradient of the composed value: tanh² and x are multiplied, which costs some digits.
    np.testing.assert_allclose(tape.gradient(y, x), slopes, rtol=0, atol=1e-5)


@names
def test_compiled_functions_agree_with_eager(name: str) -> None:
    f = get(name)
    expected, slopes = with_tensorflow(f, X)
    for jit in (False, True):
        compiled = tf.function(f, jit_compile=jit)
        y, gradient = with_tensorflow(compiled, X)
        np.testing.assert_allclose(y, expected, rtol=2e-6, atol=1e-6)
        np.testing.assert_allclose(gradient, slopes, rtol=0, atol=2e-6)
    np.testing.assert_allclose(jax.jit(f)(X), expected, rtol=2e-6, atol=1e-6)


def test_keeps_shape_and_takes_variables_and_numbers() -> None:
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    expected = activations.mish(x)
    assert expected.shape == x.shape
    np.testing.assert_allclose(activations.mish(tf.Variable(x)), expected, rtol=1e-6)
    np.testing.assert_allclose(activations.mish(keras.Variable(x)), expected, rtol=1e-6)
    assert float(ACTIVATIONS["gcu"](np.pi)) == pytest.approx(-np.pi, abs=1e-15)
    assert activations.mish(1.0) == pytest.approx(0.8650983882673103, abs=1e-15)
    assert activations.mish(np.array([1, -1])) == pytest.approx([0.8650983882673103, -0.30340146137410895])
    assert activations.beta_mish(1, np.array(1.0)) == pytest.approx(0.8650983882673103, abs=1e-15)
    with pytest.raises(TypeError, match="parameter of this activation is a number"):
        ACTIVATIONS["isru"](x, np.array(1.0))
    with pytest.raises(TypeError, match="NumPy, TensorFlow, JAX, PyTorch or Keras, not str"):
        activations.mish("1.0")


@pytest.mark.parametrize("framework", ["numpy", "jax.numpy"])
def test_import_is_light_and_a_call_loads_only_the_framework_of_its_tensor(framework: str) -> None:
    code = f"""
import sys, time
start = time.perf_counter()
import study.activations
seconds = time.perf_counter() - start
heavy = {{"numpy", "scipy", "tensorflow", "jax", "keras", "torch"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert seconds < 0.3, seconds
import {framework} as xp
study.activations.mish(xp.ones(3))
assert not {{"tensorflow", "keras", "torch", "jax"}} - {{"{framework}".split(".")[0]}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})


def test_every_activation_states_formula_range_and_source() -> None:
    for name, function in ACTIVATIONS.items():
        document = inspect.getdoc(function) or ""
        assert function.__name__ == name
        assert document.startswith("Return ")
        assert "References\n----------" in document
        assert "range" in document or name == "tanh"
