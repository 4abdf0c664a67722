"""Gradients by β, every way of differentiating, compiled and vectorized, and what the backward pass keeps."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from activation_frameworks import (
    curvatures_with_jax,
    curvatures_with_tensorflow,
    with_jax,
    with_tensorflow,
)
from activation_references import (
    BETAS,
    MANY,
    POINTS,
    SMOOTH,
    assert_parameter_right,
    dtypes,
    parameter_jet,
    third_derivative,
)

from study.activations import ACTIVATIONS, get

FRAMEWORKS = {
    "tensorflow": (with_tensorflow, curvatures_with_tensorflow),
    "jax": (with_jax, curvatures_with_jax),
}
frameworks = pytest.mark.parametrize("framework", FRAMEWORKS)
parametrized = pytest.mark.parametrize("name", ["beta_mish", "beta_swish"])
smooth = pytest.mark.parametrize("name", SMOOTH)
X = np.linspace(-12, 12, 97, dtype=np.float32)


@dtypes
@frameworks
@parametrized
def test_derivatives_by_beta_against_mpmath(name: str, framework: str, dtype: str) -> None:
    first, second = FRAMEWORKS[framework]
    x = POINTS[dtype]
    x = x[np.isfinite(x.astype(np.float64))]
    for beta in BETAS:
        betas = np.full_like(x, beta)
        _, _, by_beta = first(ACTIVATIONS[name], x, betas)
        _, *mixed, twice = second(ACTIVATIONS[name], x, betas)
        for each in mixed:
            assert_parameter_right(name, x, beta, by_beta, each, twice)


@pytest.mark.parametrize("shape", [(), (3,), (4, 1)], ids=str)
@pytest.mark.parametrize("name", ["beta_mish", "beta_swish", "leaky_relu"])
@frameworks
def test_gradient_is_summed_where_the_parameter_was_broadcast(
    framework: str, name: str, shape: tuple[int, ...]
) -> None:
    x = np.linspace(-6, 6, 12).reshape(4, 3)
    parameter = np.linspace(0.3, 0.9, int(np.prod(shape))).reshape(shape)
    exact = np.vectorize(lambda v, p: parameter_jet(name, float(v), float(p))[0])(x, parameter)
    if framework == "jax":
        with jax.enable_x64(True):
            _, pullback = jax.vjp(ACTIVATIONS[name], jnp.asarray(x), jnp.asarray(parameter))
            gradient = pullback(jnp.ones_like(x))[1]
    else:
        tensor = tf.constant(parameter)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            y = ACTIVATIONS[name](tf.constant(x), tensor)
        gradient = tape.gradient(y, tensor)
    axes = {(): (0, 1), (3,): (0,), (4, 1): (1,)}[shape]
    np.testing.assert_allclose(gradient, exact.sum(axes).reshape(shape), rtol=1e-13)


@pytest.mark.parametrize("beta", [2.0**-20, 1.5, 2.0**19])
@frameworks
@parametrized
def test_derivatives_are_finite_for_every_input_and_beta(name: str, framework: str, beta: float) -> None:
    first, second = FRAMEWORKS[framework]
    x = MANY["float32"]
    for got in (f(ACTIVATIONS[name], x, np.full_like(x, beta)) for f in (first, second)):
        assert all(np.isfinite(each).all() for each in got)


@frameworks
@smooth
def test_gradient_survives_loss_scaling_in_float16(framework: str, name: str) -> None:
    # Autodiff of x * g(x) multiplies the upstream gradient by x first: 2**14 * 8 overflows float16.
    f = get(name)
    x = np.array([-8, -2, 2, 3.5], np.float16)
    _, gradient = FRAMEWORKS[framework][0](lambda x: f(x) * np.float16(2**14), x)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32], ids=lambda d: d.__name__)
@smooth
def test_jax_keeps_only_the_input(name: str, dtype: Any) -> None:
    x = jnp.asarray(X, dtype)
    for differentiated in (jax.vjp, jax.linearize):
        _, pullback = differentiated(get(name), x)
        kept = [leaf for leaf in jax.tree.leaves(pullback) if np.ndim(leaf)]
        assert [(leaf.shape, leaf.dtype) for leaf in kept] == [(x.shape, x.dtype)]
        np.testing.assert_array_equal(kept[0], x)


@smooth
def test_compiled_layers_need_no_more_memory_than_with_relu(name: str) -> None:
    weights, x = jnp.zeros((8, 100, 100)), jnp.zeros((512, 100))

    def peak(f: Callable[[Any], Any]) -> int:
        def loss(weights: jax.Array) -> jax.Array:
            y = x
            for each in weights:
                y = f(y @ each)
            return y.sum()

        return jax.jit(jax.grad(loss)).lower(weights).compile().memory_analysis().temp_size_in_bytes

    assert peak(get(name)) <= 1.02 * peak(get("relu"))


CHAIN = """
import resource
import tensorflow as tf
from study.activations import beta_mish

x, beta = tf.zeros(2**22), tf.constant(1.5)
tensor = 4 * 2**22
beta_mish(x, beta)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with tf.GradientTape() as tape:
    tape.watch([x, beta])
    y = x
    for _ in range(16):
        y = beta_mish(y, beta)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / (16 * tensor))
"""


def test_eager_tensorflow_keeps_only_the_input() -> None:
    # In a process of its own, since what an allocator has had before it does not ask for again. The input
    # of a layer is the output of the one before it: one tensor a layer; autodiff of the formula keeps two.
    done = subprocess.run([sys.executable, "-c", CHAIN], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 1.2


@smooth
def test_every_way_of_differentiating_in_jax(name: str) -> None:
    f = get(name)
    x = jnp.asarray(X)
    _, slope = with_jax(f, X)
    (curvature,) = curvatures_with_jax(f, X)
    value, pushed = jax.jvp(f, (x,), (2 * jnp.ones_like(x),))
    np.testing.assert_allclose(value, f(x), rtol=1e-6)
    np.testing.assert_allclose(pushed, 2 * slope, rtol=0, atol=1e-6)
    for hessian in (jax.hessian(f), jax.jacrev(jax.jacfwd(f)), jax.jacfwd(jax.jacfwd(f))):
        np.testing.assert_allclose(jax.vmap(hessian)(x), curvature, rtol=0, atol=1e-5)
    summed = jax.jit(jax.grad(lambda x: f(x).sum()))
    np.testing.assert_allclose(summed(x), slope, rtol=0, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(summed)(x.reshape(1, -1))[0], slope, rtol=0, atol=1e-6)


@smooth
def test_third_derivative_against_mpmath(name: str) -> None:
    f = get(name)
    x = np.array([-5.0, -1.25, 0.0, 0.5, 4.0])
    with jax.enable_x64(True):
        third = jax.vmap(jax.grad(jax.grad(jax.grad(f))))(jnp.asarray(x))
    np.testing.assert_allclose(third, [third_derivative(name, float(v)) for v in x], rtol=1e-11, atol=1e-13)


def test_population_of_betas_under_vmap() -> None:
    f = ACTIVATIONS["beta_mish"]
    betas = jnp.array([0.5, 1.0, 2.0])
    slopes = jax.jit(jax.vmap(jax.vmap(jax.grad(f), (0, None)), (None, 0)))(jnp.asarray(X), betas)
    for beta, row in zip(betas.tolist(), slopes, strict=True):
        _, alone = with_jax(get(f"beta_mish({beta})"), X)
        np.testing.assert_allclose(row, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(None, 97), (None, None), None], ids=str)
@parametrized
def test_tensorflow_graph_of_unknown_shape(name: str, shape: Any) -> None:
    f = ACTIVATIONS[name]

    @tf.function(input_signature=[tf.TensorSpec(shape), tf.TensorSpec(None if shape is None else (None,))])
    def differentiated(x: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch([x, beta])
                y = f(x, beta)
            slope, by_beta = inner.gradient(y, [x, beta])
        return slope, by_beta, outer.gradient(slope, x)

    x, betas = np.stack([X, X]), np.full(97, 1.5, np.float32)
    slope, by_beta, curvature = differentiated(x, betas)
    _, expected, expected_by_beta = with_tensorflow(f, X, betas)
    np.testing.assert_allclose(slope, [expected, expected], rtol=0, atol=1e-6)
    np.testing.assert_allclose(by_beta, 2 * expected_by_beta, rtol=1e-5, atol=1e-6)
    expected = curvatures_with_tensorflow(f, X, betas)[0]
    np.testing.assert_allclose(curvature, [expected, expected], rtol=0, atol=1e-5)
