"""The activations: the treatments of every study.

Each is a plain function of a tensor, elementwise, of any shape; shape and dtype are kept. NumPy arrays,
TensorFlow, JAX and PyTorch tensors and Keras' symbolic tensors are told apart by their own type, so that an
activation does not care which Keras backend is set.

Values and gradients are finite for every finite input of float64, float32, bfloat16 and float16, and at
infinity the values are the limits; NaN gives NaN. ``log(1 + exp(x))`` is written nowhere: its gradient is
NaN above x = 88.7 in float32 and above 11.1 in float16. float16 and bfloat16 are computed in float32 where
the formula has more than one rounding that matters. Where a derivative jumps, the side is stated.

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

from study import (
    bounded_activations,
    formulas,
    gated_activations,
    oscillating_activations,
    piecewise_gated_activations,
    rectifying_activations,
    references,
)
from study.elementary import Tensor, evaluate, operations
from study.errors import InputError


def relu(x: Tensor) -> Tensor:
    """Return max(x, 0), the rectified linear unit; range [0, ∞), derivative 0 at 0.

    References
    ----------
    V. Nair, G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    return operations(x).relu(x)


def leaky_relu(x: Tensor, a: float | Tensor = 0.3) -> Tensor:
    """Return x for x > 0 and a x otherwise, 0 <= a <= 1; range (-∞, ∞), derivative a at 0.

    Libraries differ in the default slope: 0.01 in PyTorch and JAX, 0.2 in `keras.activations`, 0.3 in
    `keras.layers`. Ours is 0.3, that of the Mish study's published comparisons.

    References
    ----------
    A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network acoustic models",
    ICML 2013.
    """
    return evaluate(formulas.LEAKY_RELU, x, a)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent; range (-1, 1).

    References
    ----------
    Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", 1998.
    """
    return operations(x).tanh(x)


def sigmoid(x: Tensor) -> Tensor:
    """Return s(x), the logistic function; range (0, 1).

    References
    ----------
    D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors",
    Nature 323, 1986.
    """
    return evaluate(formulas.SIGMOID, x)


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)); range (0, ∞).

    References
    ----------
    C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing", NIPS 2000.
    """
    return evaluate(formulas.SOFTPLUS, x)


def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + abs(x)); range (-1, 1).

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.
    """
    return evaluate(formulas.SOFTSIGN, x)


def elu(x: Tensor) -> Tensor:
    """Return x for x > 0 and exp(x) - 1 otherwise, that is, α = 1; range (-1, ∞).

    References
    ----------
    D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning by exponential
    linear units", ICLR 2016, arXiv:1511.07289.
    """
    return evaluate(formulas.ELU, x)


def selu(x: Tensor) -> Tensor:
    """Return λ x for x > 0 and λ α (exp(x) - 1) otherwise, λ = 1.0507, α = 1.6733; range (-1.7581, ∞).

    The derivative at 0 is the left one, λ α. Where λ x is beyond the largest number of the dtype, x itself
    is returned, so that every finite input gives a finite value.

    References
    ----------
    G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, arXiv:1706.02515.
    """
    return evaluate(formulas.SELU, x)


def gelu(x: Tensor) -> Tensor:
    """Return x Φ(x), the Gaussian error linear unit; range [-0.169971, ∞), minimum at x = -0.751792.

    This is the exact function, as in PyTorch and `keras.activations`; `jax.nn` and `keras.ops` approximate
    it by a hyperbolic tangent unless told otherwise.

    References
    ----------
    D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", 2016, arXiv:1606.08415.
    """
    return evaluate(formulas.GELU, x)


def beta_swish(x: Tensor, beta: float | Tensor = 1.0) -> Tensor:
    """Return x s(β x), β > 0; range [-0.278465/β, ∞), minimum at x = -1.278465/β.

    β = 1 is `swish`; β → 0 gives x/2, β → ∞ gives ReLU. A tensor `beta` that broadcasts to the shape of `x`
    is differentiated too.

    References
    ----------
    P. Ramachandran, B. Zoph, Q. V. Le, "Searching for activation functions", 2017, arXiv:1710.05941.
    """
    return evaluate(formulas.BETA_SWISH, x, beta)


def swish(x: Tensor) -> Tensor:
    """Return x s(x), also called SiLU; range [-0.278465, ∞), minimum at x = -1.278465.

    References
    ----------
    P. Ramachandran, B. Zoph, Q. V. Le, "Searching for activation functions", 2017, arXiv:1710.05941;
    S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units", 2017, arXiv:1702.03118.
    """
    return evaluate(formulas.BETA_SWISH, x, 1.0)


def mish(x: Tensor) -> Tensor:
    """Return x tanh(softplus(x)); range [-0.308843, ∞), minimum at x = -1.192431, derivative 0.6 at 0.

    References
    ----------
    D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020, arXiv:1908.08681.
    """
    return evaluate(formulas.MISH, x)


def beta_mish(x: Tensor, beta: float | Tensor = 1.5) -> Tensor:
    """Return x tanh(β softplus(x)), β > 0; range [-0.451103, ∞), minimum at x = -1.244057 for β = 1.5.

    β = 1 is `mish`; β → 0 gives 0, β → ∞ gives the identity. The default is that of the author's published
    comparisons. A tensor `beta` that broadcasts to the shape of `x` is differentiated too.

    References
    ----------
    D. Misra, "Beta-Mish", 2019, an extension of arXiv:1908.08681.
    """
    return evaluate(formulas.BETA_MISH, x, beta)


def hard_swish(x: Tensor) -> Tensor:
    """Return x min(max(x + 3, 0), 6) / 6; range [-0.375, ∞), minimum at x = -1.5.

    The derivative is 0 at -3 and 1 at 3, the outer sides of its jumps.

    References
    ----------
    A. Howard et al., "Searching for MobileNetV3", ICCV 2019, arXiv:1905.02244.
    """
    return evaluate(formulas.HARD_SWISH, x)


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
        rectifying_activations.relu6,
        rectifying_activations.squared_relu,
        rectifying_activations.star_relu,
        rectifying_activations.celu,
        rectifying_activations.serlu,
        rectifying_activations.isrlu,
        rectifying_activations.squareplus,
        rectifying_activations.sparse_plus,
        rectifying_activations.soft_shrink,
        rectifying_activations.hard_shrink,
        rectifying_activations.threshold,
        rectifying_activations.tanh_shrink,
        rectifying_activations.bent_identity,
        gated_activations.e_swish,
        piecewise_gated_activations.flatten_t_swish,
        piecewise_gated_activations.elish,
        piecewise_gated_activations.hard_elish,
        piecewise_gated_activations.hard_mish,
        gated_activations.mila,
        gated_activations.serf,
        gated_activations.smish,
        gated_activations.logish,
        gated_activations.phish,
        gated_activations.tanhexp,
        gated_activations.lisht,
        gated_activations.aria2,
        gated_activations.colu,
        bounded_activations.hard_sigmoid,
        bounded_activations.hard_tanh,
        bounded_activations.sparse_sigmoid,
        bounded_activations.log_sigmoid,
        bounded_activations.isru,
        bounded_activations.sqnl,
        bounded_activations.penalized_tanh,
        oscillating_activations.gcu,
        oscillating_activations.snake,
        oscillating_activations.sine_relu,
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
    "isru": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten),
    "penalized_tanh": _Parameter("a slope above 0 and below 1", lambda a: 0 < a < 1),
    "snake": _Parameter(_TENTH_TO_TEN, _from_tenth_to_ten),
    "sine_relu": _Parameter("an ε above 0 and at most 1", lambda epsilon: 0 < epsilon <= 1),
}

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
    (value,) = values
    return _PARAMETERS[function].named.get(value) or f"{function}({value!r})".replace(".0)", ")")


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
    known = _OTHER_NAMES | {name: name for name in ACTIVATIONS}
    near = difflib.get_close_matches(function.lower(), known, n=1)
    hint = f"did you mean '{known[near[0]]}'?" if near else f"the activations are {', '.join(ACTIVATIONS)}."
    return f"'{function}' is neither an activation of ours nor your own 'package.module:function'; {hint}"
