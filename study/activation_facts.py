"""What is known of each activation: computed from it where it can be, else read from its docstring."""

import inspect
import re
from dataclasses import dataclass

import numpy as np

from study.activations import ACTIVATIONS, canonical, get, parse
from study.gains import gain

_REACH = 30.0
"""Where the minimum is looked for; what falls as low again farther away oscillates, and has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of an activation.

    Parameters
    ----------
    name : str
        Canonical name, its parameter included.
    formula : str
        In words and symbols.
    minimum, minimum_at : float or None
        The least value and where it is taken; None where there is none, as where the function only
        approaches it.
    slope_at_0 : float
        Derivative at 0; where it jumps, on the side that the function states.
    gain : float
        `1 / sqrt(E f(z)^2)` for standard normal `z`.
    year : int or None
        Of the source.
    source : str
        Where the function comes from.
    """

    name: str
    formula: str
    minimum: float | None
    minimum_at: float | None
    slope_at_0: float
    gain: float
    year: int | None
    source: str


def facts(name: str) -> Facts:
    """Return what is known of an activation of the catalogue.

    Parameters
    ----------
    name : str
        As `study.activations.parse` takes it, a user's own function excepted.

    Raises
    ------
    InputError
        If there is no such activation.
    """
    function, _ = parse(name)
    document = inspect.cleandoc(ACTIVATIONS[function].__doc__ or "")
    said = re.match(r"Return (.*?)(?:; range|, the rectified|\.\n|;|\.$)", document, re.DOTALL)
    _, _, sources = document.partition("References\n----------\n")
    source = " ".join(sources.split())
    years = re.findall(r"\b(?:19|20)\d\d\b", source.partition("arXiv")[0])
    value, at = minimum(name)
    return Facts(
        name=canonical(name),
        formula=" ".join(said[1].split()) if said else "",
        minimum=value,
        minimum_at=at,
        slope_at_0=float(slopes(name, np.zeros(1))[0]),
        gain=gain(canonical(name)),
        year=int(years[-1]) if years else None,
        source=source,
    )


def minimum(name: str) -> tuple[float | None, float | None]:
    """Return the least value of an activation and where it is, or None twice if it is not taken just once."""
    from scipy.optimize import minimize_scalar

    function = get(name)
    x = np.linspace(-_REACH, _REACH, 60_001)
    y = np.asarray(function(x), np.float64)
    lowest = int(np.argmin(y))
    if lowest in (0, len(x) - 1) or np.sum(y <= y[lowest] + 1e-12) > 3:
        return None, None
    beyond = np.linspace(_REACH, 3 * _REACH, 60_001)
    if min(np.min(function(beyond)), np.min(function(-beyond))) <= y[lowest] + 1e-6:
        return None, None
    found = minimize_scalar(
        lambda at: float(function(np.float64(at))),
        bounds=(x[lowest - 1], x[lowest + 1]),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return min((float(found.fun), float(found.x)), (float(y[lowest]), float(x[lowest])))


def slopes(name: str, x: np.ndarray) -> np.ndarray:
    """Return the derivative at each `x`, as the engines take it.

    Parameters
    ----------
    x : ndarray of float64, shape (points,)

    Returns
    -------
    ndarray of float32, shape (points,)
    """
    import jax

    return np.asarray(jax.vmap(jax.grad(get(name)))(x.astype(np.float32)))
