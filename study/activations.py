"""The activations: the treatments of every study.

Each is a plain function of a tensor, elementwise, of any shape; shape and dtype are kept. NumPy arrays,
TensorFlow, JAX and PyTorch tensors and Keras' symbolic tensors are told apart by their own type, so that an
activation does not care which Keras backend is set.

Values and gradients are finite for every finite input of float64, float32, bfloat16 and float16, but where
they are themselves beyond the largest number of the dtype: there the values of `squared_relu`, `star_relu`,
`serlu`, `e_swish` and `bent_identity` and the slopes of the first two are infinite, and `selu` returns x. At
infinity the values are the limits; NaN gives NaN. ``log(1 + exp(x))`` is written nowhere: its gradient is
NaN above x = 88.7 in float32 and above 11.1 in float16. float16 and bfloat16 are computed in float32 where
the formula has more than one rounding that matters. Where a derivative jumps, the side is stated.

The functions lie by family in modules of their own, and all of them can be imported from here.

In the docstrings: s(x) = 1 / (1 + exp(-x)), softplus(x) = log(1 + exp(x)), Φ and φ are the distribution
function and density of the standard normal distribution.
"""

import difflib
import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from study import references
from study.bounded_activations import (
    hard_sigmoid,
    hard_tanh,
    isru,
    log_sigmoid,
    penalized_tanh,
    sparse_sigmoid,
    sqnl,
)
from study.elementary import Tensor
from study.errors import InputError
from study.gated_activations import (
    aria2,
    colu,
    e_swish,
    lisht,
    logish,
    mila,
    phish,
    serf,
    smish,
    tanh_soft_exp,
    tanhexp,
)
from study.oscillating_activations import (
    gcu,
    sine_relu,
    snake,
)
from study.piecewise_gated_activations import (
    elish,
    flatten_t_swish,
    hard_elish,
    hard_mish,
)
from study.rectifying_activations import (
    bent_identity,
    celu,
    hard_shrink,
    isrlu,
    relu6,
    serlu,
    soft_shrink,
    sparse_plus,
    squared_relu,
    squareplus,
    star_relu,
    tanh_shrink,
    threshold,
)
from study.softplus_activations import eis, eis_root, tanh_soft
from study.standard_activations import (
    beta_mish,
    beta_swish,
    elu,
    gelu,
    hard_swish,
    leaky_relu,
    mish,
    relu,
    selu,
    sigmoid,
    softplus,
    softsign,
    swish,
    tanh,
)

__all__ = [
    "ACTIVATIONS",
    "LAYERS",
    "aria2",
    "bent_identity",
    "beta_mish",
    "beta_swish",
    "canonical",
    "celu",
    "colu",
    "e_swish",
    "eis",
    "eis_root",
    "elish",
    "elu",
    "flatten_t_swish",
    "gcu",
    "gelu",
    "get",
    "hard_elish",
    "hard_mish",
    "hard_shrink",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "isrlu",
    "isru",
    "leaky_relu",
    "lisht",
    "log_sigmoid",
    "logish",
    "mila",
    "mish",
    "parse",
    "penalized_tanh",
    "phish",
    "relu",
    "relu6",
    "selu",
    "serf",
    "serlu",
    "sigmoid",
    "sine_relu",
    "smish",
    "snake",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sqnl",
    "squared_relu",
    "squareplus",
    "star_relu",
    "swish",
    "tanh",
    "tanh_shrink",
    "tanh_soft",
    "tanh_soft_exp",
    "tanhexp",
    "threshold",
    "written_out",
]

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    function.__name__: function
    for function in (
        relu,
        leaky_relu,
        tanh,
        sigmoid,
        softplus,
        softsign,
        elu,
        selu,
        gelu,
        swish,
        beta_swish,
        mish,
        beta_mish,
        hard_swish,
        relu6,
        squared_relu,
        star_relu,
        celu,
        serlu,
        isrlu,
        squareplus,
        sparse_plus,
        soft_shrink,
        hard_shrink,
        threshold,
        tanh_shrink,
        bent_identity,
        e_swish,
        flatten_t_swish,
        elish,
        hard_elish,
        hard_mish,
        mila,
        serf,
        smish,
        logish,
        phish,
        tanhexp,
        tanh_soft,
        tanh_soft_exp,
        eis,
        eis_root,
        lisht,
        aria2,
        colu,
        hard_sigmoid,
        hard_tanh,
        sparse_sigmoid,
        log_sigmoid,
        isru,
        sqnl,
        penalized_tanh,
        gcu,
        snake,
        sine_relu,
    )
}
"""Name to function; a parametrized one takes its parameter as second argument."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    """The domain of a parameter, and the values at which the activation has a name of its own."""

    rule: str
    holds: Callable[[float], bool]
    named: Mapping[float, str] = field(default_factory=dict)


_TENTH_TO_TEN = "a number from 0.1 to 10"


def _from_tenth_to_ten(value: float) -> bool:
    return 0.1 <= value <= 10


_PARAMETERS = {
    "leaky_relu": _Parameter("a slope from 0 to 1", lambda a: 0 <= a <= 1, {0.0: "relu"}),
    "beta_swish": _Parameter("a β above 0 and at most 1e6", lambda beta: 0 < beta <= 1e6, {1.0: "swish"}),
    "beta_mish": _Parameter("a β above 0 and at most 1e6", lambda beta: 0 < beta <= 1e6, {1.0: "mish"}),
    "celu": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten, {1.0: "elu"}),
    "isrlu": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten),
    "squareplus": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten),
    "soft_shrink": _Parameter("a width above 0 and at most 10", lambda a: 0 < a <= 10),
    "hard_shrink": _Parameter("a width above 0 and at most 10", lambda a: 0 < a <= 10),
    "threshold": _Parameter("a threshold from 0 to 10", lambda theta: 0 <= theta <= 10, {0.0: "relu"}),
    "e_swish": _Parameter("a factor from 1 to 2", lambda b: 1 <= b <= 2, {1.0: "swish"}),
    "flatten_t_swish": _Parameter("a threshold from -1 to 0", lambda t: -1 <= t <= 0),
    "mila": _Parameter("a shift from -10 to 10", lambda beta: -10 <= beta <= 10, {0.0: "mish"}),
    "tanh_soft": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten),
    "tanh_soft_exp": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten, {1.0: "tanhexp"}),
    "eis": _Parameter("a number from 1 to 10", lambda delta: 1 <= delta <= 10),
    "isru": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten),
    "penalized_tanh": _Parameter("a slope above 0 and below 1", lambda a: 0 < a < 1),
    "snake": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten),
    "sine_relu": _Parameter("an ε above 0 and at most 1", lambda epsilon: 0 < epsilon <= 1),
}

LAYERS = {"leaky_relu": "PReLU", "beta_swish": "BetaSwish", "beta_mish": "BetaMish"}
"""Function to the class of `study.learned_activations` that trains its parameter."""

_OTHER_NAMES = {"silu": "swish", "hard_silu": "hard_swish", "telu": "tanhexp"}


def parse(name: str) -> tuple[str, tuple[float, ...]]:
    """Split a name such as ``"beta_mish(1.5)"`` into ``("beta_mish", (1.5,))``.

    A parameter that is left out gets its default. The user's own ``package.module:function`` is returned
    as it is, without parameters, and not imported.

    Raises
    ------
    InputError
        If the name is unknown, or its parameters are too many, not finite or outside their domain.
    """
    if references.is_reference(name):
        return name.strip(), ()
    match = re.fullmatch(r"\s*([^\s()]+)\s*(?:\(([^()]*)\))?\s*", name)
    if match is None:
        raise InputError(
            f"An activation is written as a name or a name with its parameter, such as 'mish' or "
            f"'beta_mish(1.5)', but '{name}' was given."
        )
    function, written = match[1], (match[2] or "").strip()
    if function not in ACTIVATIONS:
        raise InputError(_unknown(function))
    if function not in _PARAMETERS:
        if written:
            raise InputError(
                f"The activation {function} has no parameter, but '{name}' was given; drop '({written})'."
            )
        return function, ()
    if not written:
        return function, (_parameter(function).default,)
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    rule = _PARAMETERS[function]
    if not (math.isfinite(value) and rule.holds(value)):
        raise InputError(
            f"The activation {function} takes one finite number, {rule.rule}, such as "
            f"'{canonical(function)}', but '{name}' was given."
        )
    return function, (value,)


def canonical(name: str) -> str:
    """Return the one name of the function that `name` means: equal functions have equal names.

    Defaults are made explicit and numbers written in their shortest form: ``"leaky_relu"`` is
    ``"leaky_relu(0.3)"``, ``"beta_mish(1.50)"`` is ``"beta_mish(1.5)"``. A parameter at which the function
    has a name of its own gives that name: ``"beta_mish(1)"`` is ``"mish"``, ``"beta_swish(1)"`` is
    ``"swish"``, ``"leaky_relu(0)"`` is ``"relu"``. The user's own functions keep their reference.

    Raises
    ------
    InputError
        As `parse`.
    """
    function, values = parse(name)
    if not values:
        return function
    return _PARAMETERS[function].named.get(values[0]) or written_out(name)


def written_out(name: str) -> str:
    """Return a name with its parameter in its shortest form: ``"beta_swish"`` is ``"beta_swish(1)"``.

    Unlike `canonical`, which calls that one ``"swish"``.

    Raises
    ------
    InputError
        As `parse`.
    """
    function, values = parse(name)
    return f"{function}({values[0]!r})".replace(".0)", ")") if values else function


def get(name: str) -> Callable[[Tensor], Tensor]:
    """Return the activation with its parameter bound, or import the user's own ``package.module:function``.

    Raises
    ------
    InputError
        As `parse`, and as `study.references.resolve`.
    """
    if references.is_reference(name):
        return references.resolve(name)
    function, values = parse(canonical(name))
    if not values:
        return ACTIVATIONS[function]
    return functools.partial(ACTIVATIONS[function], **{_parameter(function).name: values[0]})


def _parameter(function: str) -> inspect.Parameter:
    """Return the parameter that follows x."""
    _, parameter = inspect.signature(ACTIVATIONS[function]).parameters.values()
    return parameter


def _unknown(function: str) -> str:
    for fixed, layer in LAYERS.items():
        if function.lower() == layer.lower():
            return (
                f"'{function}' trains its parameter and is a layer, study.learned_activations.{layer}, for a "
                f"network of your own; write '{fixed}' for the function, whose parameter is a number."
            )
    known = _OTHER_NAMES | {name: name for name in ACTIVATIONS}
    near = difflib.get_close_matches(function.lower(), known, n=1)
    hint = f"did you mean '{known[near[0]]}'?" if near else f"the activations are {', '.join(ACTIVATIONS)}."
    return f"'{function}' is neither an activation of ours nor your own 'package.module:function'; {hint}"
