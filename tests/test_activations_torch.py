"""Activations on PyTorch tensors: `make torch` runs these in an environment that has PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from activation_references import (
    BETAS,
    MANY,
    NAMES,
    POINTS,
    SMOOTH,
    assert_parameter_right,
    assert_right,
    dtypes,
    names,
    parameter_jet,
)
from more_activation_references import GROWING, MORE, MORE_BENDS

from study.activations import ACTIVATIONS, get, parse

torch: Any = pytest.importorskip("torch", reason="needs PyTorch: run `make torch`")

pytestmark = [
    pytest.mark.torch,
    # PyTorch's own, the first time that it differentiates forwards.
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning"),
]
smooth = pytest.mark.parametrize("name", SMOOTH)
more = pytest.mark.parametrize("name", MORE)
"""The catalogue beside the standard sweeps."""
parametrized = pytest.mark.parametrize("name", ["beta_mish", "beta_swish"])
X = np.linspace(-12, 12, 97)


def tensor(x: np.ndarray) -> Any:
    """Return a tensor of the dtype of `x`, differentiable; PyTorch does not read NumPy's bfloat16."""
    wide = torch.from_numpy(x.astype(np.float64))
    return wide.to(getattr(torch, x.dtype.name)).requires_grad_()


def array(x: Any, dtype: np.dtype) -> np.ndarray:
    """Return a tensor as an array, and check its dtype."""
    assert x.dtype == getattr(torch, dtype.name)
    with np.errstate(invalid="ignore"):
        return x.detach().to(torch.float64).numpy().astype(dtype)


def derivatives(f: Callable[..., Any], *arguments: np.ndarray) -> tuple[list[Any], list[Any]]:
    """Return the value and first derivatives of `f`, and the second ones, row by row."""
    tensors = [tensor(argument) for argument in arguments]
    y = f(*tensors)
    slopes = torch.autograd.grad(y.sum(), tensors, create_graph=True)
    second = []
    for slope in slopes:
        if slope.requires_grad:
            second += torch.autograd.grad(
                slope.sum(), tensors, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        else:
            second += [torch.zeros_like(slope)] * len(tensors)
    dtype = arguments[0].dtype
    return [array(each, dtype) for each in (y, *slopes)], [array(each, dtype) for each in second]


@dtypes
@names
def test_value_slope_and_second_derivative_against_mpmath(name: str, dtype: str) -> None:
    first, second = derivatives(get(name), POINTS[dtype])
    assert_right(name, POINTS[dtype], *first, *second)


@dtypes
@more
def test_value_slope_and_second_derivative_of_the_whole_catalogue(name: str, dtype: str) -> None:
    first, second = derivatives(get(name), POINTS[dtype])
    assert_right(name, POINTS[dtype], *first, *second)


def test_no_activation_is_left_out() -> None:
    assert {parse(name)[0] for name in (*NAMES, *MORE)} == set(ACTIVATIONS)


@dtypes
@parametrized
def test_derivatives_by_beta_against_mpmath(name: str, dtype: str) -> None:
    x = POINTS[dtype]
    x = x[np.isfinite(x.astype(np.float64))]
    for beta in BETAS:
        (_, _, by_beta), (_, *mixed, twice) = derivatives(ACTIVATIONS[name], x, np.full_like(x, beta))
        for each in mixed:
            assert_parameter_right(name, x, beta, by_beta, each, twice)


@pytest.mark.parametrize("dtype", MANY)
@pytest.mark.parametrize("name", [*NAMES, *(name for name in MORE if name not in GROWING)])
def test_finite_for_every_finite_input(name: str, dtype: str) -> None:
    first, second = derivatives(get(name), MANY[dtype])
    for got in (*first, *second):
        assert np.isfinite(got.astype(np.float64)).all()


@pytest.mark.parametrize("shape", [(), (3,), (4, 1)], ids=str)
@pytest.mark.parametrize("name", ["beta_mish", "beta_swish", "leaky_relu"])
def test_gradient_is_summed_where_the_parameter_was_broadcast(name: str, shape: tuple[int, ...]) -> None:
    x = np.linspace(-6, 6, 12).reshape(4, 3)
    parameter = np.linspace(0.3, 0.9, int(np.prod(shape))).reshape(shape)
    exact = np.vectorize(lambda v, p: parameter_jet(name, float(v), float(p))[0])(x, parameter)
    differentiable = tensor(parameter)
    (gradient,) = torch.autograd.grad(ACTIVATIONS[name](tensor(x), differentiable).sum(), differentiable)
    axes = {(): (0, 1), (3,): (0,), (4, 1): (1,)}[shape]
    np.testing.assert_allclose(gradient, exact.sum(axes).reshape(shape), rtol=1e-13)


def peers() -> dict[str, Callable[[Any], Any]]:
    functional = torch.nn.functional
    return {
        "relu": functional.relu,
        "leaky_relu(0.01)": functional.leaky_relu,
        "tanh": functional.tanh,
        "sigmoid": functional.sigmoid,
        "softplus": functional.softplus,
        "softsign": functional.softsign,
        "elu": functional.elu,
        "selu": functional.selu,
        "gelu": functional.gelu,
        "swish": functional.silu,
        "mish": functional.mish,
        "hard_swish": functional.hardswish,
        "relu6": functional.relu6,
        "celu(1.5)": lambda x: functional.celu(x, 1.5),
        "soft_shrink(0.5)": functional.softshrink,
        "hard_shrink(0.5)": functional.hardshrink,
        "threshold(1)": lambda x: functional.threshold(x, 1.0, 0.0),
        "tanh_shrink": functional.tanhshrink,
        "log_sigmoid": functional.logsigmoid,
        "hard_sigmoid": functional.hardsigmoid,
        "hard_tanh": functional.hardtanh,
    }


@pytest.mark.parametrize("name", peers())
def test_agrees_with_torch(name: str) -> None:
    # Kinks apart. Its softplus is the identity above 20, off by 2e-9.
    x = X[~np.isin(X, [-3, -1, -0.5, 0, 0.5, 1, 3, 6])]
    (ours, our_slope), _ = derivatives(get(name), x)
    theirs = tensor(x)
    y = peers()[name](theirs)
    (slope,) = torch.autograd.grad(y.sum(), theirs)
    np.testing.assert_allclose(ours, y.detach(), rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(our_slope, slope, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "at", "slope"),
    [("relu", 0, 0), ("leaky_relu", 0, 0.3), ("hard_swish", -3, 0), ("hard_swish", 3, 1), ("elu", 0, 1)],
)
def test_takes_the_stated_side_where_a_slope_jumps(name: str, at: float, slope: float) -> None:
    (_, gradient), _ = derivatives(get(name), np.array([at], np.float32))
    assert gradient == np.float32(slope)


@pytest.mark.parametrize("name", [*SMOOTH, *(name for name in MORE if name not in MORE_BENDS)])
def test_gradcheck(name: str) -> None:
    x = tensor(np.linspace(-4, 4, 12))
    assert torch.autograd.gradcheck(get(name), x, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(get(name), x)


@parametrized
def test_gradcheck_of_beta(name: str) -> None:
    x, beta = tensor(np.linspace(-4, 4, 12).reshape(4, 3)), tensor(np.array([0.5, 1.0, 2.0]))
    assert torch.autograd.gradcheck(ACTIVATIONS[name], (x, beta), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(ACTIVATIONS[name], (x, beta))


@smooth
def test_function_transforms(name: str) -> None:
    f = get(name)
    (_, slope), (curvature,) = derivatives(f, X)
    x = torch.from_numpy(X)
    func = torch.func
    np.testing.assert_allclose(func.vmap(func.grad(f))(x), slope, rtol=0, atol=1e-14)
    np.testing.assert_allclose(func.jvp(f, (x,), (2 * torch.ones_like(x),))[1], 2 * slope, rtol=0, atol=1e-14)
    np.testing.assert_allclose(func.vmap(func.hessian(f))(x), curvature, rtol=0, atol=1e-13)
    np.testing.assert_allclose(func.vmap(func.grad(func.grad(f)))(x), curvature, rtol=0, atol=1e-13)


@parametrized
def test_population_of_betas_under_vmap(name: str) -> None:
    f = ACTIVATIONS[name]
    x, betas = torch.from_numpy(X), torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    by_beta = torch.func.vmap(torch.func.grad(lambda x, beta: f(x, beta).sum(), 1), (None, 0))(x, betas)
    for beta, row in zip(betas.tolist(), by_beta, strict=True):
        exact = sum(parameter_jet(name, float(v), beta)[0] for v in X)
        assert float(row) == pytest.approx(exact, rel=1e-13)


@dtypes
@pytest.mark.parametrize("name", [*SMOOTH, *MORE])
def test_keeps_only_the_input(name: str, dtype: str) -> None:
    kept: list[Any] = []
    x = tensor(X.astype(POINTS[dtype].dtype))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        get(name)(x)
    assert [each.data_ptr() for each in kept] == [x.data_ptr()]


def test_takes_parameters_and_keeps_shape() -> None:
    x = torch.nn.Parameter(torch.linspace(-1, 1, 24).reshape(2, 3, 4))
    y = ACTIVATIONS["mish"](x)
    assert y.shape == x.shape
    y.sum().backward()
    assert x.grad is not None
