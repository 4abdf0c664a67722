"""Values and gradients against mpmath at 50 digits, finiteness everywhere, and the names."""

import functools
import inspect
import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import ml_dtypes
import mpmath
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from study import activations
from study.activations import ACTIVATIONS, canonical, get, parse
from study.errors import InputError

NAMES = (
    "relu",
    "leaky_relu",
    "tanh",
    "sigmoid",
    "softplus",
    "softsign",
    "elu",
    "selu",
    "gelu",
    "swish",
    "beta_swish(4)",
    "mish",
    "beta_mish(0.25)",
    "beta_mish(1.5)",
    "beta_mish(4)",
    "hard_swish",
)
DTYPES = (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)


# The references: the textbook formulas, in 50 digits, differentiated numerically.


def _s(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


def _softplus(x: mpf) -> mpf:
    return mpmath.log1p(mpmath.exp(x))


def _selu(x: mpf) -> mpf:
    scale, alpha = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")
    return scale * (x if x > 0 else alpha * mpmath.expm1(x))


REFERENCES: dict[str, Callable[..., mpf]] = {
    "relu": lambda x: max(x, mpf(0)),
    "leaky_relu": lambda x, a: x if x > 0 else a * x,
    "tanh": mpmath.tanh,
    "sigmoid": _s,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "selu": _selu,
    "gelu": lambda x: x * mpmath.ncdf(x),
    "swish": lambda x: x * _s(x),
    "beta_swish": lambda x, beta: x * _s(beta * x),
    "mish": lambda x: x * mpmath.tanh(_softplus(x)),
    "beta_mish": lambda x, beta: x * mpmath.tanh(beta * _softplus(x)),
    "hard_swish": lambda x: x * min(max(x + 3, mpf(0)), mpf(6)) / 6,
}

KINKS = {"relu": (0.0,), "leaky_relu": (0.0,), "selu": (0.0,), "hard_swish": (-3.0, 3.0)}

# Multiples of 1/16 below 16 have at most 8 significant bits, so that every dtype holds them exactly.
GRID = np.array(
    sorted(
        {k / 16 for k in range(-255, 256)}
        | {sign * 2.0**k for k in (-120, -24, -14, -8, 5, 6, 8, 15, 100, 127) for sign in (-1, 1)}
    )
)


@functools.cache
def reference(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives over `GRID`, rounded to float64; NaN where there is no derivative."""
    function, parameters = parse(name)
    with mpmath.workdps(50):

        def f(x: mpf) -> mpf:
            return REFERENCES[function](x, *parameters)

        values = [float(f(mpf(x))) for x in GRID]
        slopes = [math.nan if x in KINKS.get(function, ()) else float(mpmath.diff(f, mpf(x))) for x in GRID]
    return np.array(values), np.array(slopes)


# One way to get value and gradient per framework.


def with_numpy(f: Callable[[Any], Any], x: np.ndarray) -> tuple[np.ndarray, None]:
    return f(x), None


def with_tensorflow(f: Callable[[Any], Any], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        y = f(tensor)
    return y.numpy(), tape.gradient(y, tensor).numpy()


def with_jax(f: Callable[[Any], Any], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with jax.enable_x64(x.dtype == np.float64):
        y, pullback = jax.vjp(f, jnp.asarray(x))
        return np.asarray(y), np.asarray(pullback(jnp.ones_like(y))[0])


def with_torch(f: Callable[[Any], Any], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    torch = pytest.importorskip("torch")
    name = np.dtype(x.dtype).name
    tensor = torch.tensor(x.astype(np.float64)).to(getattr(torch, name)).requires_grad_()
    y = f(tensor)
    (gradient,) = torch.autograd.grad(y.sum(), tensor)
    assert y.dtype == gradient.dtype == tensor.dtype
    return tuple(t.detach().to(torch.float64).numpy().astype(x.dtype) for t in (y, gradient))


FRAMEWORKS = {"numpy": with_numpy, "tensorflow": with_tensorflow, "jax": with_jax, "torch": with_torch}
frameworks = pytest.mark.parametrize("framework", FRAMEWORKS)
names = pytest.mark.parametrize("name", NAMES)


def every(dtype: Any) -> np.ndarray:
    """Every finite number of a 16-bit dtype."""
    numbers = np.arange(2**16, dtype=np.uint16).view(dtype)
    return numbers[np.isfinite(numbers.astype(np.float32))]


def many_float32() -> np.ndarray:
    """Finite float32 numbers of every exponent and sign, with mantissas that vary."""
    numbers = np.arange(0, 2**32, 20_011, dtype=np.uint64).astype(np.uint32).view(np.float32)
    largest = np.finfo(np.float32).max
    return np.append(numbers[np.isfinite(numbers)], np.array([largest, -largest, 0.0, -0.0], np.float32))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
@frameworks
@names
def test_value_and_gradient_against_mpmath(name: str, framework: str, dtype: Any) -> None:
    limits = ml_dtypes.finfo(dtype)
    eps = float(limits.eps)
    with np.errstate(over="ignore"):
        x = GRID.astype(dtype)
    values, slopes = reference(name)
    # Points of the grid and values (selu(2**127)) that are too large or small for the dtype are left out.
    checked = (x.astype(np.float64) == GRID) & (abs(values) <= float(limits.max))
    y, gradient = FRAMEWORKS[framework](get(name), x)
    assert y.dtype == dtype
    assert y.shape == x.shape

    # Frameworks' exp, tanh and sigmoid are good to 2 or 3 units in the last place, and formulas chain two.
    ulps = np.full(x.shape, 8.0)
    if name == "gelu":
        # Rounding x before exp(-x²/2) in the tail changes it by x² units.
        ulps += x.astype(np.float64).clip(-40, 40) ** 2
    # A factor below the smallest normal number may be flushed to 0 before it meets x; float16 goes through
    # float32, whose range is far wider, and is only rounded to its own subnormal numbers.
    tiny = float(limits.smallest_subnormal if dtype is np.float16 else limits.tiny)
    flushed = 2 * tiny * np.maximum(abs(x.astype(np.float64)).clip(max=1e3), 1)
    error = abs(y.astype(np.float64) - values)
    assert np.all((error <= ulps * eps * abs(values) + flushed)[checked])
    if gradient is not None:
        assert gradient.dtype == dtype
        checked &= np.isfinite(slopes)
        # Absolute: a slope is a sum of terms of order 1, small only where they cancel.
        assert np.all(abs(gradient.astype(np.float64) - slopes)[checked] <= 8 * eps)


@frameworks
@names
@pytest.mark.parametrize(
    "numbers",
    [every(np.float16), every(ml_dtypes.bfloat16), many_float32()],
    ids=["float16", "bfloat16", "float32"],
)
def test_finite_for_every_finite_input(name: str, framework: str, numbers: np.ndarray) -> None:
    y, gradient = FRAMEWORKS[framework](get(name), numbers)
    assert np.isfinite(y.astype(np.float64)).all()
    if gradient is not None:
        assert np.isfinite(gradient.astype(np.float64)).all()


@frameworks
@names
def test_limits_at_infinity_and_nan(name: str, framework: str) -> None:
    function, parameters = parse(name)
    left = {"leaky_relu": -math.inf, "tanh": -1, "softsign": -1, "elu": -1, "selu": -1.7580993408473766}
    right = {"tanh": 1, "sigmoid": 1, "softsign": 1}
    left_slope = {"leaky_relu": parameters[0] if parameters else None}
    right_slope = {"tanh": 0, "sigmoid": 0, "softsign": 0, "selu": 1.0507009873554805}
    y, gradient = FRAMEWORKS[framework](get(name), np.array([-np.inf, np.inf, np.nan], np.float32))
    expected = [left.get(function, 0), right.get(function, math.inf), math.nan]
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-30)
    if gradient is not None:
        expected = [left_slope.get(function, 0), right_slope.get(function, 1)]
        np.testing.assert_allclose(gradient[:2], expected, rtol=1e-6, atol=1e-30)


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
@pytest.mark.parametrize("framework", ["tensorflow", "jax", "torch"])
def test_all_frameworks_take_the_stated_side_where_a_slope_jumps(
    framework: str, name: str, at: float, slope: float
) -> None:
    _, gradient = FRAMEWORKS[framework](get(name), np.array([at], np.float32))
    assert gradient == np.float32(slope)


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


@pytest.mark.parametrize(
    "name", ["softplus", "softsign", "gelu", "swish", "beta_swish(4)", "mish", "beta_mish(0.25)", "beta_mish"]
)
@pytest.mark.parametrize("framework", ["tensorflow", "jax", "torch"])
def test_second_derivative_against_mpmath(framework: str, name: str) -> None:
    f = get(name)
    function, parameters = parse(name)
    x = np.array([-30.0, -5.0, -1.25, -0.5, 0.25, 1.5, 4.0, 30.0])
    with mpmath.workdps(50):
        exact = [float(mpmath.diff(lambda v: REFERENCES[function](v, *parameters), mpf(v), 2)) for v in x]
    if framework == "tensorflow":
        tensor = tf.constant(x)
        with tf.GradientTape() as outer:
            outer.watch(tensor)
            with tf.GradientTape() as inner:
                inner.watch(tensor)
                y = f(tensor)
            slope = inner.gradient(y, tensor)
        second = outer.gradient(slope, tensor).numpy()
    elif framework == "jax":
        with jax.enable_x64(True):
            second = np.asarray(jax.vmap(jax.grad(jax.grad(f)))(jnp.asarray(x)))
    else:
        torch = pytest.importorskip("torch")
        tensor = torch.tensor(x, requires_grad=True)
        (slope,) = torch.autograd.grad(f(tensor).sum(), tensor, create_graph=True)
        second = torch.autograd.grad(slope.sum(), tensor)[0].numpy()
    np.testing.assert_allclose(second, exact, rtol=0, atol=1e-13)


def _beta_gradient(framework: str, name: str, x: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Gradient of the sum of f(x, beta) by the tensor `beta`."""
    f = ACTIVATIONS[name]
    if framework == "tensorflow":
        tensor = tf.constant(beta)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            total = tf.reduce_sum(f(tf.constant(x), tensor))
        return tape.gradient(total, tensor).numpy()
    if framework == "jax":
        with jax.enable_x64(x.dtype == np.float64):
            return np.asarray(jax.grad(lambda b: f(jnp.asarray(x), b).sum())(jnp.asarray(beta)))
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(beta, requires_grad=True)
    return torch.autograd.grad(f(torch.tensor(x), tensor).sum(), tensor)[0].numpy()


@pytest.mark.parametrize("shape", [(), (3,), (4, 1)], ids=str)
@pytest.mark.parametrize("name", ["beta_mish", "beta_swish", "leaky_relu"])
@pytest.mark.parametrize("framework", ["tensorflow", "jax", "torch"])
def test_gradient_by_the_parameter_against_finite_differences(
    framework: str, name: str, shape: tuple[int, ...]
) -> None:
    x = np.linspace(-6, 6, 12).reshape(4, 3)
    beta = np.linspace(0.3, 0.9, int(np.prod(shape))).reshape(shape)
    gradient = _beta_gradient(framework, name, x, beta)
    h = 1e-5
    with mpmath.workdps(30):
        reference = np.vectorize(lambda v, b: float(REFERENCES[name](mpf(v), mpf(b))))
        by_element = (reference(x, beta + h) - reference(x, beta - h)) / (2 * h)
    axes = {(): (0, 1), (3,): (0,), (4, 1): (1,)}[shape]
    # Central differences in float64: h² / 6 of the third derivative, and 1e-16 / h of rounding.
    np.testing.assert_allclose(gradient, by_element.sum(axes).reshape(shape), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["beta_mish", "beta_swish"])
@pytest.mark.parametrize("framework", ["tensorflow", "jax", "torch"])
def test_gradient_by_the_parameter_is_finite_for_every_input(framework: str, name: str) -> None:
    x = many_float32()[::10]
    gradient = _beta_gradient(framework, name, x, np.full(x.shape, 1.5, np.float32))
    assert np.isfinite(gradient).all()
    half = every(np.float16)
    assert np.isfinite(_beta_gradient(framework, name, half, np.full(half.shape, 1.5, np.float16))).all()


@pytest.mark.parametrize("framework", ["tensorflow", "jax"])
@pytest.mark.parametrize("name", ["mish", "beta_mish(1.5)", "swish", "gelu"])
def test_gradient_survives_loss_scaling_in_float16(framework: str, name: str) -> None:
    # Autodiff of x * g(x) multiplies the upstream gradient by x first: 2**14 * 8 overflows float16.
    f = get(name)
    _, gradient = FRAMEWORKS[framework](
        lambda x: f(x) * np.float16(2**14), np.array([-8, -2, 2, 3.5], np.float16)
    )
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["mish", "beta_mish(1.5)", "swish", "beta_swish(4)", "gelu"])
def test_backward_pass_keeps_one_tensor(name: str) -> None:
    _, pullback = jax.vjp(get(name), jnp.asarray(X))
    kept = [leaf.shape for leaf in jax.tree.leaves(pullback) if np.ndim(leaf)]
    assert kept == [X.shape]


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


def test_population_of_betas_under_vmap() -> None:
    betas = jnp.array([0.5, 1.0, 2.0])
    slopes = jax.vmap(jax.vmap(jax.grad(activations.beta_mish), (0, None)), (None, 0))(jnp.asarray(X), betas)
    for beta, row in zip(betas.tolist(), slopes, strict=True):
        _, alone = with_jax(get(f"beta_mish({beta})"), X)
        np.testing.assert_allclose(row, alone, rtol=0, atol=1e-6)


def test_keeps_shape_and_takes_variables_and_numbers() -> None:
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    expected = activations.mish(x)
    assert expected.shape == x.shape
    np.testing.assert_allclose(activations.mish(tf.Variable(x)), expected, rtol=1e-6)
    np.testing.assert_allclose(activations.mish(keras.Variable(x)), expected, rtol=1e-6)
    assert activations.mish(1.0) == pytest.approx(0.8650983882673103, abs=1e-15)
    assert activations.mish(np.array([1, -1])) == pytest.approx([0.8650983882673103, -0.30340146137410895])
    assert activations.beta_mish(1, np.array(1.0)) == pytest.approx(0.8650983882673103, abs=1e-15)
    with pytest.raises(TypeError, match="NumPy, TensorFlow, JAX, PyTorch or Keras, not str"):
        activations.mish("1.0")


def test_torch_keeps_only_the_input() -> None:
    torch = pytest.importorskip("torch")
    kept = []
    x = torch.linspace(-3, 3, 50, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        activations.mish(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mish", ("mish", ())),
        ("beta_mish(1.5)", ("beta_mish", (1.5,))),
        (" beta_mish ( 1.50 ) ", ("beta_mish", (1.5,))),
        ("beta_mish", ("beta_mish", (1.5,))),
        ("beta_mish()", ("beta_mish", (1.5,))),
        ("beta_swish", ("beta_swish", (1.0,))),
        ("leaky_relu", ("leaky_relu", (0.3,))),
        ("my_pkg.acts:wavy", ("my_pkg.acts:wavy", ())),
    ],
)
def test_parse(name: str, expected: tuple[str, tuple[float, ...]]) -> None:
    assert parse(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mish", "mish"),
        ("relu()", "relu"),
        ("beta_mish(1.50)", "beta_mish(1.5)"),
        ("beta_mish", "beta_mish(1.5)"),
        ("beta_mish(2)", "beta_mish(2)"),
        ("beta_mish(2.0)", "beta_mish(2)"),
        ("beta_mish(1)", "mish"),
        ("beta_swish(1.0)", "swish"),
        ("beta_swish", "swish"),
        ("beta_swish(1e-5)", "beta_swish(1e-05)"),
        ("leaky_relu", "leaky_relu(0.3)"),
        ("leaky_relu(.30)", "leaky_relu(0.3)"),
        ("leaky_relu(0)", "relu"),
        ("leaky_relu(-0.0)", "relu"),
        (" my_pkg.acts:wavy ", "my_pkg.acts:wavy"),
    ],
)
def test_canonical(name: str, expected: str) -> None:
    assert canonical(name) == expected
    assert canonical(expected) == expected


@given(
    st.floats(min_value=0, max_value=1e6, exclude_min=True),
    st.sampled_from(["beta_mish", "beta_swish"]),
)
def test_canonical_names_read_back_exactly(beta: float, function: str) -> None:
    name = canonical(f"{function}({beta!r})")
    assert canonical(name) == name
    assert beta == 1 or parse(name) == (function, (beta,))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mihs", "'mihs' is neither .* did you mean 'mish'"),
        ("ReLU", "did you mean 'relu'"),
        ("silu", "did you mean 'swish'"),
        ("hard-swish", "did you mean 'hard_swish'"),
        ("quadratic", "the activations are relu, leaky_relu"),
        ("", "written as a name"),
        ("beta_mish(1.5", "written as a name .* but 'beta_mish\\(1.5' was given"),
        ("beta_mish(1)(2)", "written as a name"),
        ("mish(1)", "mish has no parameter, but 'mish\\(1\\)' was given"),
        (
            "beta_mish(1, 2)",
            "takes one finite number, a β above 0 and at most 1e6, such as 'beta_mish\\(1.5\\)'",
        ),
        ("beta_mish(x)", "takes one finite number"),
        ("beta_mish(nan)", "takes one finite number"),
        ("beta_mish(inf)", "takes one finite number"),
        ("beta_mish(0)", "a β above 0"),
        ("beta_swish(-1)", "a β above 0"),
        ("beta_mish(1e39)", "a β above 0 and at most 1e6"),
        ("leaky_relu(1.5)", "a slope from 0 to 1"),
        ("leaky_relu(-0.1)", "a slope from 0 to 1"),
    ],
)
@pytest.mark.parametrize("function", [parse, canonical, get])
def test_wrong_names_are_one_sentence(function: Callable[[str], Any], name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        function(name)


def test_get_binds_parameters_and_resolves_references() -> None:
    assert get("mish") is activations.mish
    assert get("beta_mish(1)") is activations.mish
    np.testing.assert_array_equal(get("beta_mish(2)")(X), activations.beta_mish(X, 2.0))
    assert get("numpy:tanh") is np.tanh
    with pytest.raises(InputError, match="no module 'no_such_module'"):
        get("no_such_module:f")
