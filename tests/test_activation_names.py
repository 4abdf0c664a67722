"""Activations by name: parsing, the one name of each function, and what is said of a wrong one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study import activations
from study.activations import ACTIVATIONS, canonical, get, parse
from study.errors import InputError

X = np.linspace(-12, 12, 97)


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


def test_every_function_can_be_imported_by_its_name() -> None:
    for name, function in ACTIVATIONS.items():
        assert getattr(activations, name) is function
    assert set(activations.__all__) > {*ACTIVATIONS, "get"}
    assert all(hasattr(activations, name) for name in activations.__all__)


def test_the_name_of_a_layer_is_told_from_a_misspelt_function() -> None:
    with pytest.raises(InputError, match=r"'prelu' .*\.PReLU, .* write 'leaky_relu'"):
        parse("prelu")
    with pytest.raises(InputError, match=r"'BetaMish' .*learned_activations\.BetaMish"):
        parse("BetaMish(2)")
