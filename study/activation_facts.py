"""What is known of each activation: computed from it where it can be, else read from its docstring."""

import inspect
import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from study.activations import ACTIVATIONS, LAYERS, canonical, get, parse, written_out
from study.gains import gain

_REACH, _STEP = 30, 1 / 1024
"""The minimum is looked for from -30 to 30; whole numbers, where slopes jump, are among the points."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of an activation.

    Parameters
    ----------
    name : str
        Its parameter written out.
    formula, derivative : str
        In words and symbols.
    infimum : float or None
        The greatest lower bound, taken or approached at -∞; None where there is none.
    minimum, minimum_at : float or None
        The least value and the greatest `x` where it is taken; None where it is only approached.
    minimum_is_flat : bool
        Whether it is taken everywhere on the left of `minimum_at`, too.
    slope_at_0 : float
        Derivative at 0; where it jumps, on the side that the function states.
    gain : float
        `1 / sqrt(E f(z)^2)` for standard normal `z`, to six digits.
    layer : str or None
        The Keras layer that trains the parameter, where there is one.
    year : int or None
        When it was first published, as a preprint or otherwise.
    source : str
        Where the function comes from.
    """

    name: str
    formula: str
    derivative: str
    infimum: float | None
    minimum: float | None
    minimum_at: float | None
    minimum_is_flat: bool
    slope_at_0: float
    gain: float
    layer: str | None
    year: int | None
    source: str


def facts(name: str) -> Facts:
    """Return what is known of an activation of the catalogue.

    A function without its parameter, such as ``"beta_swish"``, is described as such at its default, and not
    as the function with a name of its own that it is there.

    Parameters
    ----------
    name : str
        As `study.activations.parse` takes it, a user's own function excepted.

    Raises
    ------
    InputError
        If there is no such activation.
    """
    name = written_out(name) if name in ACTIVATIONS else canonical(name)
    function, _ = parse(name)
    document = inspect.cleandoc(ACTIVATIONS[function].__doc__ or "")
    said = re.match(r"Return (.*?)(?:; range|, the rectified|\.\n|;|\.$)", document, re.DOTALL)
    differentiated = re.search(r"^Derivative: (.*?)\.\n\n", document, re.DOTALL | re.MULTILINE)
    _, _, sources = document.partition("References\n----------\n")
    source = " ".join(sources.split())
    least = _least(name, document)
    return Facts(
        name=name,
        formula=" ".join(said[1].split()) if said else "",
        derivative=" ".join(differentiated[1].split()) if differentiated else "",
        infimum=least.infimum,
        minimum=None if least.at is None else least.infimum,
        minimum_at=least.at,
        minimum_is_flat=least.is_flat,
        slope_at_0=_rounded(slopes(name, np.zeros(1))[0], 12),
        gain=_rounded(gain(canonical(name)), 6),
        layer=f"study.learned_activations.{LAYERS[function]}" if function in LAYERS else None,
        year=_year(source),
        source=source,
    )


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}") + 0.0


def _year(source: str) -> int | None:
    """Return the year of the first version: that of the preprint, where it is older than the paper."""
    published, _, preprint = source.partition("arXiv:")
    years = re.findall(r"\b(?:19|20)\d\d\b", published)
    if not years:
        return None
    return min(int(years[-1]), 2000 + int(preprint[:2])) if preprint else int(years[-1])


class _Least(NamedTuple):
    """The greatest lower bound, the greatest x where it is taken, and whether it is so all the way left."""

    infimum: float | None
    at: float | None
    is_flat: bool


def _least(name: str, document: str) -> _Least:
    """Find the infimum; whether it is taken says the range in the docstring, as rounding hides that."""
    from scipy.optimize import minimize_scalar

    function = get(name)

    def value(at: float) -> float:
        return float(function(np.float64(at)))

    said = re.search(r"range (?:is )?(\(-∞|\(|\[|\{)", document)
    if said is None or said[1] == "(-∞":
        return _Least(None, None, False)
    if said[1] == "(":
        return _Least(_rounded(value(-math.inf), 12), None, False)
    x = np.arange(-_REACH, _REACH + _STEP, _STEP)
    y = np.asarray(function(x), np.float64)
    if y[0] == y.min():
        inside, outside = (float(x[np.argmax(y > y[0]) - k]) for k in (1, 0))
        while outside - inside > 1e-8:
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if value(middle) == y[0] else (inside, middle)
        return _Least(_rounded(y[0], 12), round(inside, 6) + 0.0, True)
    near = float(x[np.flatnonzero(y <= y.min() + 1e-9)[-1]])
    found = minimize_scalar(
        value, bounds=(near - 2 * _STEP, near + 2 * _STEP), method="bounded", options={"xatol": 1e-12}
    )
    least, at = min((float(found.fun), float(found.x)), (value(near), near))
    return _Least(_rounded(least, 12), round(at, 6) + 0.0, False)


def slopes(name: str, x: np.ndarray) -> np.ndarray:
    """Return the derivative at each `x`, in float64, as the engines take it in float32.

    Parameters
    ----------
    x : ndarray of float64, shape (points,)

    Returns
    -------
    ndarray of float64, shape (points,)
    """
    import jax

    with jax.enable_x64(True):
        return np.asarray(jax.vmap(jax.grad(get(name)))(x))
