"""The formulas of the derivatives, evaluated as they are written."""

import inspect
import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from study.activation_facts import facts, slopes
from study.activations import ACTIVATIONS, parse, written_out

FUNCTIONS: dict[str, Callable[..., float]] = {
    "s": lambda x: 1 / (1 + math.exp(-x)),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "Φ": lambda x: math.erfc(-x / math.sqrt(2)) / 2,
    "φ": lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    "abs": abs,
    "max": max,
    "min": min,
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "tanh", "erf", "sin", "cos")},
}
CONSTANTS = {"π": math.pi}
ROUNDED = {
    "selu": (1.0507009873554805, 1.6732632423543772),
    "serlu": (1.0786250046704127, 2.9042672132450443),
}
PARAMETERS = {"beta": "β", "theta": "θ", "epsilon": "ε", "delta": "δ"}
"""How the formulas write the parameters that have another name in Python."""

X = np.arange(-64, 65) / 8


def python(expression: str) -> str:
    """Write a product as one: ``2 x s(x)²`` is ``2*x*s(x)**2``."""
    tokens = re.findall(r"\d+(?:\.\d+)?|[^\W\d]\w*|<=|>=|[-+/^()<>,]", expression.replace("²", "^2"))
    assert re.sub(r"\s", "", expression.replace("²", "^2")) == "".join(tokens)
    written = ""
    for before, token in zip(["(", *tokens], tokens, strict=False):
        factors = re.match(r"[\w)]", before) and re.match(r"[\w(]", token)
        written += ("*" if factors and not (token == "(" and before in FUNCTIONS) else "") + token
    return written.replace("^", "**")


def evaluate(formula: str, names: dict[str, object]) -> float:
    """Return the value of ``A for x > 0 and B otherwise with t = C``."""
    formula, _, definition = formula.partition(" with ")
    if definition:
        name, _, meaning = definition.partition(" = ")
        names = names | {name: evaluate(meaning, names)}
    pieces, _, otherwise = formula.removesuffix(" otherwise").rpartition(" and ")
    for piece in re.split(r", (?![^()]*\))", pieces) if pieces else ():
        value, _, condition = piece.partition(" for ")
        if eval(python(condition), names):
            return float(eval(python(value), names))
    return float(eval(python(otherwise), names))


@pytest.mark.parametrize(
    "name", sorted({written_out(name) for name in ACTIVATIONS} | {"beta_swish(2)", "snake(3)"})
)
def test_the_formula_of_the_derivative_is_right(name: str) -> None:
    """Also where it jumps: the formula has the side that the engines take."""
    function, values = parse(name)
    names: dict[str, object] = FUNCTIONS | CONSTANTS
    names |= dict(zip("λα", ROUNDED.get(function, ()), strict=False))
    if values:
        _, parameter = inspect.signature(ACTIVATIONS[function]).parameters
        names[PARAMETERS.get(parameter, parameter)] = values[0]
    formula = facts(name).derivative
    found = [evaluate(formula, names | {"x": float(x)}) for x in X]
    tolerance = 1e-4 if function == "star_relu" else 1e-11
    np.testing.assert_allclose(found, slopes(name, X), rtol=tolerance, atol=tolerance)


def test_products_and_pieces_are_read() -> None:
    assert python("2 x s(x) (1 - t²)") == "2*x*s(x)*(1-t**2)"
    assert evaluate("0 for x <= -3, 2 t for 0 < x < 1 and min(x, 7) otherwise with t = x²", {"x": 0.5}) == 0.5
