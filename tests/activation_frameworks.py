"""Values and derivatives of a function in each framework, as NumPy arrays of one dtype."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf

Function = Callable[..., Any]
Arrays = tuple[np.ndarray, ...]


def with_tensorflow(f: Function, *arguments: np.ndarray) -> Arrays:
    """Return the value of `f` and its derivatives by each argument, elementwise."""
    tensors = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = f(*tensors)
    return y.numpy(), *(gradient.numpy() for gradient in tape.gradient(y, tensors))


def curvatures_with_tensorflow(f: Function, *arguments: np.ndarray) -> Arrays:
    """Return the second derivatives, row by row: of two arguments by xx, xβ, βx and ββ."""
    tensors = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(tensors)
        with tf.GradientTape() as inner:
            inner.watch(tensors)
            y = f(*tensors)
        slopes = inner.gradient(y, tensors)
    zero = tf.UnconnectedGradients.ZERO
    rows = [outer.gradient(slope, tensors, unconnected_gradients=zero) for slope in slopes]
    return tuple(gradient.numpy() for row in rows for gradient in row)


def jets_with_tensorflow(functions: Mapping[str, Function], x: np.ndarray) -> dict[str, Arrays]:
    """Return value, first and second derivative of each function."""
    return {
        name: (*with_tensorflow(f, x), *curvatures_with_tensorflow(f, x)) for name, f in functions.items()
    }


def with_jax(f: Function, *arguments: np.ndarray) -> Arrays:
    """Return the value of `f` and its derivatives by each argument, elementwise."""
    with jax.enable_x64(arguments[0].dtype == np.float64):
        y, pullback = jax.vjp(f, *map(jnp.asarray, arguments))
        return np.asarray(y), *map(np.asarray, pullback(jnp.ones_like(y)))


def curvatures_with_jax(f: Function, *arguments: np.ndarray) -> Arrays:
    """Return the second derivatives, row by row: of two arguments by xx, xβ, βx and ββ."""
    by = tuple(range(len(arguments)))
    with jax.enable_x64(arguments[0].dtype == np.float64):
        rows = jax.jit(jax.vmap(jax.jacrev(jax.grad(f, by), by)))(*map(jnp.asarray, arguments))
        return tuple(np.asarray(gradient) for row in rows for gradient in row)


def jets_with_jax(functions: Mapping[str, Function], x: np.ndarray) -> dict[str, Arrays]:
    """Return value, first and second derivative of each function; one program for all, which saves time."""

    def jets(x: jax.Array) -> dict[str, tuple[jax.Array, ...]]:
        return {
            name: (f(x), jax.vmap(jax.grad(f))(x), jax.vmap(jax.grad(jax.grad(f)))(x))
            for name, f in functions.items()
        }

    with jax.enable_x64(x.dtype == np.float64):
        return jax.tree.map(np.asarray, jax.jit(jets)(x))
