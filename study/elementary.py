"""The elementary operations of each tensor framework, and functions that bring their own derivative.

An activation is written once, over `Operations`, as a `Formula`: its value and its derivatives. `evaluate`
looks at the type of the tensor, not at the Keras backend, and binds the formula to the framework the
tensor comes from. The derivatives are made of the same operations, so that second derivatives are right too.

What is kept for the backward pass is the input (and the parameter, where it is a tensor), in its own dtype,
instead of one tensor per operation:

- TensorFlow: `tf.custom_gradient`, on the tape and in graphs.
- JAX: a `jax.custom_jvp` whose tangent is under `jax.checkpoint`. `jax.vjp` and `jax.linearize` keep the
  input, and forward mode works, which `jax.custom_vjp` would forbid. Within one compiled program XLA decides;
  each slope is written so that it becomes one kernel and shares nothing with the value, so that XLA, too,
  keeps the input.
- PyTorch: a `torch.autograd.Function`, with forward mode and a rule for `torch.func.vmap`.
- NumPy has no gradient, and Keras' symbolic tensors have that of the composed value.

A framework is imported only when one of its tensors arrives, hence never before the caller imported it.
"""

import functools
import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Tensor = Any
"""NumPy array, TensorFlow tensor, JAX array or tracer, PyTorch tensor, or Keras' symbolic tensor."""

DType = Any
"""The framework's own dtype object, or its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operations:
    """What a formula is made of; names and meanings are NumPy's, elementwise."""

    abs: Callable[[Tensor], Tensor]
    exp: Callable[[Tensor], Tensor]
    expm1: Callable[[Tensor], Tensor]
    log1p: Callable[[Tensor], Tensor]
    sqrt: Callable[[Tensor], Tensor]
    sin: Callable[[Tensor], Tensor]
    cos: Callable[[Tensor], Tensor]
    tanh: Callable[[Tensor], Tensor]
    erf: Callable[[Tensor], Tensor]
    erfc: Callable[[Tensor], Tensor]
    relu: Callable[[Tensor], Tensor]
    sigmoid: Callable[[Tensor], Tensor]
    softplus: Callable[[Tensor], Tensor]
    minimum: Callable[[Tensor, Any], Tensor]
    maximum: Callable[[Tensor, Any], Tensor]
    where: Callable[[Tensor, Any, Any], Tensor]
    ones_like: Callable[[Tensor], Tensor]
    cast: Callable[[Tensor, DType], Tensor]
    tensor: Callable[[Any], Tensor]
    """Make a tensor of the framework from a variable or a number."""
    bind: Callable[["Formula"], Callable[..., Tensor]]
    """Make a differentiable function from a formula."""


@dataclass(frozen=True, slots=True)
class Formula:
    """An elementwise function with its first derivatives.

    Parameters
    ----------
    value : callable
        ``value(op, x, *parameters)``, where `op` is an `Operations`.
    slopes : tuple of callable
        The derivative by each argument, `x` first, called as `value` is; by `x` alone where parameters are
        numbers. The upstream gradient is multiplied by them, so that no product of it with a large `x` can
        overflow.
    half_in_float32 : bool
        Whether float16 and bfloat16 tensors are computed in float32 and rounded once at the end.
    """

    value: Callable[..., Tensor]
    slopes: tuple[Callable[..., Tensor], ...]
    half_in_float32: bool = True

    def working_dtype(self, x: Tensor) -> DType:
        """Return the dtype in which the formula is computed for `x`."""
        return "float32" if self.half_in_float32 and "float16" in str(x.dtype) else x.dtype

    def value_of(self, op: Operations, x: Tensor, *parameters: Tensor) -> Tensor:
        """Compute the value, in the dtype of `x`."""
        dtype = self.working_dtype(x)
        if dtype is x.dtype:
            return self.value(op, x, *parameters)
        return op.cast(self.value(op, op.cast(x, dtype), *parameters), x.dtype)


def operations(x: Tensor) -> Operations:
    """Return the operations of the framework that `x` belongs to.

    Raises
    ------
    TypeError
        If `x` is neither a number nor a tensor of a framework known here.
    """
    for ancestor in type(x).__mro__:
        binding = _BINDINGS.get(ancestor.__module__.partition(".")[0])
        if binding is not None:
            return binding()
    if isinstance(x, numbers.Real):
        return _numpy()
    raise TypeError(
        f"an activation takes a tensor of NumPy, TensorFlow, JAX, PyTorch or Keras, not {type(x).__name__}"
    )


def evaluate(formula: Formula, x: Tensor, *parameters: float | Tensor) -> Tensor:
    """Evaluate a formula elementwise, differentiably.

    Parameters
    ----------
    formula : Formula
        What to evaluate.
    x : Tensor
        Real floating-point tensor, or a number.
    *parameters : float or Tensor
        The other arguments. A number is a constant of the function; a tensor, which must broadcast to the
        shape of `x`, gets a gradient of its own.

    Returns
    -------
    Tensor
        Shape and dtype of `x`.

    Raises
    ------
    TypeError
        If a parameter is a tensor, and the formula has no derivative by it.
    """
    op = operations(x)
    x = op.tensor(x)
    if all(isinstance(parameter, numbers.Real) for parameter in parameters):
        return _with_numbers(formula, op, tuple(float(parameter) for parameter in parameters))(x)
    if len(formula.slopes) == 1:
        raise TypeError("the parameter of this activation is a number, since it has no gradient of its own")
    dtype = formula.working_dtype(x)
    return op.bind(formula)(x, *(op.cast(op.tensor(parameter), dtype) for parameter in parameters))


@functools.lru_cache(maxsize=256)
def _with_numbers(formula: Formula, op: Operations, values: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    """Bind a formula whose parameters are constants; cached, so that a framework sees one function."""
    return op.bind(
        Formula(
            lambda op, x: formula.value(op, x, *values),
            (lambda op, x: formula.slopes[0](op, x, *values),),
            formula.half_in_float32,
        )
    )


@functools.cache
def _numpy() -> Operations:
    import numpy as np

    def tensor(x: Tensor) -> Tensor:
        x = np.asarray(x)
        return x.astype(np.float64) if x.dtype.kind in "iub" else x

    def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        # A Python number would make float64 of bfloat16.
        return np.where(condition, x, y).astype(getattr(x, "dtype", None) or y.dtype, copy=False)

    def sigmoid(x: Tensor) -> Tensor:
        tail = np.exp(-np.abs(x))
        return where(x > 0, 1.0, tail) / (1 + tail)

    def erf(x: Tensor) -> Tensor:
        from scipy.special import erf

        return erf(x)

    def erfc(x: Tensor) -> Tensor:
        from scipy.special import erfc

        return erfc(x)

    def bind(formula: Formula) -> Callable[..., Tensor]:
        def function(*arguments: Tensor) -> Tensor:
            # NaN is let through, and a product may overflow before it is limited. A Python number makes
            # float32 of bfloat16, hence the cast.
            with np.errstate(over="ignore", invalid="ignore"):
                return formula.value_of(op, *arguments).astype(arguments[0].dtype, copy=False)

        return function

    op = Operations(
        abs=np.abs,
        exp=np.exp,
        expm1=np.expm1,
        log1p=np.log1p,
        sqrt=np.sqrt,
        sin=np.sin,
        cos=np.cos,
        tanh=np.tanh,
        erf=erf,
        erfc=erfc,
        relu=lambda x: np.maximum(x, 0),
        sigmoid=sigmoid,
        softplus=lambda x: np.logaddexp(x, 0),
        minimum=np.minimum,
        maximum=np.maximum,
        where=where,
        ones_like=np.ones_like,
        cast=lambda x, dtype: x.astype(dtype, copy=False),
        tensor=tensor,
        bind=bind,
    )
    return op


@functools.cache
def _keras() -> Operations:
    """Bind to `keras.ops`, for symbolic tensors; the gradient is that of the composed value."""
    from keras import ops

    op = Operations(
        abs=ops.abs,
        exp=ops.exp,
        expm1=ops.expm1,
        log1p=ops.log1p,
        sqrt=ops.sqrt,
        sin=ops.sin,
        cos=ops.cos,
        tanh=ops.tanh,
        erf=ops.erf,
        erfc=ops.erfc,
        relu=ops.relu,
        sigmoid=ops.sigmoid,
        softplus=ops.softplus,
        minimum=ops.minimum,
        maximum=ops.maximum,
        where=ops.where,
        ones_like=ops.ones_like,
        cast=ops.cast,
        tensor=lambda x: x,
        bind=lambda formula: functools.partial(formula.value_of, op),
    )
    return op


@functools.cache
def _tensorflow() -> Operations:
    import tensorflow as tf

    def sum_to(gradient: Tensor, argument: Tensor) -> Tensor:
        """Sum over the axes along which `argument` was broadcast."""
        if gradient.shape.is_fully_defined() and gradient.shape == argument.shape:
            return gradient
        axes = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(argument), s1=tf.shape(gradient))[0]
        return tf.reshape(tf.reduce_sum(gradient, axes), tf.shape(argument))

    @functools.cache
    def bind(formula: Formula) -> Callable[..., Tensor]:
        @tf.custom_gradient
        def function(x: Tensor, *parameters: Tensor) -> Tensor:
            def gradient(upstream: Tensor) -> list[Tensor]:
                dtype = formula.working_dtype(x)
                wide, upstream = tf.cast(x, dtype), tf.cast(upstream, dtype)
                by = [upstream * slope(op, wide, *parameters) for slope in formula.slopes]
                return [
                    tf.cast(by[0], x.dtype),
                    *(sum_to(*pair) for pair in zip(by[1:], parameters, strict=True)),
                ]

            # An eager tape records what goes on in here too, and would keep it all.
            return formula.value_of(op, *map(tf.stop_gradient, (x, *parameters))), gradient

        return function

    op = Operations(
        abs=tf.abs,
        exp=tf.exp,
        expm1=tf.math.expm1,
        log1p=tf.math.log1p,
        sqrt=tf.sqrt,
        sin=tf.sin,
        cos=tf.cos,
        tanh=tf.tanh,
        erf=tf.math.erf,
        erfc=tf.math.erfc,
        relu=tf.nn.relu,
        sigmoid=tf.sigmoid,
        softplus=tf.nn.softplus,
        minimum=tf.minimum,
        maximum=tf.maximum,
        where=tf.where,
        ones_like=tf.ones_like,
        cast=tf.cast,
        tensor=tf.convert_to_tensor,
        bind=bind,
    )
    return op


@functools.cache
def _jax() -> Operations:
    import jax
    import jax.numpy as jnp

    @jax.custom_jvp
    def softplus(x: Tensor) -> Tensor:
        """Take log1p(w) as 2 artanh(w / (2 + w)): on a CPU, XLA's own log1p takes twice as long."""
        w = jnp.exp(-jnp.abs(x))
        s = w * (1 / (2 + w))
        # s² is at most 1/9: the first term left out is below half of the dtype's epsilon.
        terms = math.ceil(math.log(jnp.finfo(x.dtype).eps, 1 / 9))
        series = 1 / (2 * terms + 1)
        for k in reversed(range(terms)):
            series = series * (s * s) + 1 / (2 * k + 1)
        return jnp.maximum(x, 0) + 2 * s * series

    softplus.defjvps(lambda tangent, _, x: tangent * jax.nn.sigmoid(x))

    @functools.cache
    def bind(formula: Formula) -> Callable[..., Tensor]:
        # Linearizing would keep the slopes; a checkpoint keeps what they are computed from. Within one
        # compiled program the barrier against common subexpressions would only stand in the way of fusion.
        @functools.partial(jax.checkpoint, prevent_cse=False)
        def change(arguments: tuple[Tensor, ...], tangents: tuple[Tensor, ...]) -> Tensor:
            x, *parameters = arguments
            dtype = formula.working_dtype(x)
            wide = x.astype(dtype)
            terms = [
                slope(op, wide, *parameters) * tangent.astype(dtype)
                for slope, tangent in zip(formula.slopes, tangents, strict=True)
            ]
            total: Tensor = sum(terms[1:], terms[0])
            return total.astype(x.dtype)

        @jax.custom_jvp
        def function(*arguments: Tensor) -> Tensor:
            return formula.value_of(op, *arguments)

        @function.defjvp
        def _(arguments: tuple[Tensor, ...], tangents: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
            return function(*arguments), change(arguments, tangents)

        return function

    op = Operations(
        abs=jnp.abs,
        exp=jnp.exp,
        expm1=jnp.expm1,
        log1p=jnp.log1p,
        sqrt=jnp.sqrt,
        sin=jnp.sin,
        cos=jnp.cos,
        tanh=jnp.tanh,
        erf=jax.lax.erf,
        erfc=jax.lax.erfc,
        relu=jax.nn.relu,
        sigmoid=jax.nn.sigmoid,
        softplus=softplus,
        minimum=jnp.minimum,
        maximum=jnp.maximum,
        where=jnp.where,
        ones_like=jnp.ones_like,
        cast=lambda x, dtype: x.astype(dtype),
        tensor=jnp.asarray,
        bind=bind,
    )
    return op


@functools.cache
def _torch() -> Operations:
    import torch  # pyright: ignore[reportMissingImports] an extra of the user's

    @functools.cache
    def bind(formula: Formula) -> Callable[..., Tensor]:
        class Function(torch.autograd.Function):
            generate_vmap_rule = True

            @staticmethod
            def forward(x: Tensor, *parameters: Tensor) -> Tensor:
                return formula.value_of(op, x, *parameters)

            @staticmethod
            def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
                del output
                ctx.save_for_backward(*inputs)
                ctx.save_for_forward(*inputs)

            @staticmethod
            def products(ctx: Any, factors: Sequence[Tensor | None]) -> list[Tensor]:
                """Return the product of each slope with its factor, in the working dtype."""
                x, *parameters = ctx.saved_tensors
                wide = op.cast(x, formula.working_dtype(x))
                return [
                    op.cast(factor, wide.dtype) * slope(op, wide, *parameters)
                    for factor, slope in zip(factors, formula.slopes, strict=True)
                    if factor is not None
                ]

            @staticmethod
            def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, ...]:
                by_x, *others = Function.products(ctx, [upstream] * len(formula.slopes))
                _, *parameters = ctx.saved_tensors
                return (
                    by_x.to(upstream.dtype),
                    *(gradient.sum_to_size(p.shape) for gradient, p in zip(others, parameters, strict=True)),
                )

            @staticmethod
            def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
                x, *_ = ctx.saved_tensors
                change: Tensor = sum(Function.products(ctx, tangents))
                return change.to(x.dtype)

        return Function.apply

    op = Operations(
        abs=torch.abs,
        exp=torch.exp,
        expm1=torch.expm1,
        log1p=torch.log1p,
        sqrt=torch.sqrt,
        sin=torch.sin,
        cos=torch.cos,
        tanh=torch.tanh,
        erf=torch.erf,
        erfc=torch.erfc,
        relu=torch.relu,
        sigmoid=torch.sigmoid,
        # Above its threshold torch's softplus is the identity; with the default of 20 it is off by 2e-9.
        softplus=functools.partial(torch.nn.functional.softplus, threshold=40),
        minimum=lambda x, bound: torch.clamp(x, max=bound),
        maximum=lambda x, bound: torch.clamp(x, min=bound),
        where=torch.where,
        ones_like=torch.ones_like,
        cast=lambda x, dtype: x.to(torch.float32 if dtype == "float32" else dtype),
        tensor=torch.as_tensor,
        bind=bind,
    )
    return op


_BINDINGS: dict[str, Callable[[], Operations]] = {
    "numpy": _numpy,
    "keras": _keras,
    "tensorflow": _tensorflow,
    "jax": _jax,
    "jaxlib": _jax,
    "torch": _torch,
}
