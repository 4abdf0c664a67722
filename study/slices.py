"""Several activations in one JAX program: each works on its own slice of the members of a pack."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
from jax.custom_batching import custom_vmap

from study import activations


def sliced(names: Sequence[str], size: int) -> Any:
    """Return a function that applies one activation to each slice of a pack's members.

    Parameters
    ----------
    names : sequence of str
        Activations; the `i`-th is applied to the members from `i * size` on.
    size : int
        Members of a slice.

    Returns
    -------
    callable
        Tensor to tensor; under `jax.vmap` over all members. Saves only its input for the gradient.
    """
    functions = [activations.get(name) for name in names]

    def over_slices(apply: Any) -> Any:
        """Return `apply(function, *arrays)` as a function of arrays that a `vmap` splits into slices."""

        @custom_vmap
        def alone(*arrays: jax.Array) -> jax.Array:
            return apply(functions[0], *arrays)

        @alone.def_vmap
        def _(axis_size: int, batched: Sequence[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:
            assert axis_size == size * len(functions)
            whole = [
                array if is_batched else jnp.broadcast_to(array, (axis_size, *array.shape))
                for array, is_batched in zip(arrays, batched, strict=True)
            ]
            parts = [
                apply(function, *(array[i * size : (i + 1) * size] for array in whole))
                for i, function in enumerate(functions)
            ]
            return jnp.concatenate(parts), True

        return alone

    forward = over_slices(lambda function, x: function(x))
    backward = over_slices(lambda function, x, upstream: jax.vjp(function, x)[1](upstream)[0])

    @jax.custom_vjp
    def activation(x: jax.Array) -> jax.Array:
        return forward(x)

    activation.defvjp(lambda x: (forward(x), x), lambda x, upstream: (backward(x, upstream),))

    def dispatched(x: Any) -> Any:
        """Apply to an array; a symbolic tensor, while the network is built, keeps its shape."""
        return functions[0](x) if isinstance(x, keras.KerasTensor) else activation(x)

    return dispatched
