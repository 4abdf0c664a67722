"""The activations of the standard sweeps.

As in `study.activations`, whose docstring says what holds for all of them.
"""

from study import formulas
from study.elementary import Tensor, evaluate, operations


def relu(x: Tensor) -> Tensor:
    """Return max(x, 0), the rectified linear unit; range [0, ∞), derivative 0 at 0.

    Derivative: 1 for x > 0 and 0 otherwise.

    References
    ----------
    V. Nair, G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    return operations(x).relu(x)


def leaky_relu(x: Tensor, a: float | Tensor = 0.3) -> Tensor:
    """Return x for x > 0 and a x otherwise, 0 <= a <= 1; range (-∞, ∞), derivative a at 0.

    Derivative: 1 for x > 0 and a otherwise.

    Libraries differ in the default slope: 0.01 in PyTorch and JAX, 0.2 in `keras.activations`, 0.3 in
    `keras.layers`. Ours is 0.3, that of the Mish study's published comparisons.

    References
    ----------
    A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network acoustic models",
    ICML 2013.
    """
    return evaluate(formulas.LEAKY_RELU, x, a)


def tanh(x: Tensor) -> Tensor:
    """Return tanh(x), the hyperbolic tangent; range (-1, 1).

    Derivative: 1 - tanh(x)².

    References
    ----------
    Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", 1998.
    """
    return operations(x).tanh(x)


def sigmoid(x: Tensor) -> Tensor:
    """Return s(x), the logistic function; range (0, 1).

    Derivative: s(x) (1 - s(x)).

    References
    ----------
    D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors",
    Nature 323, 1986.
    """
    return evaluate(formulas.SIGMOID, x)


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)); range (0, ∞).

    Derivative: s(x).

    References
    ----------
    C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing", NIPS 2000.
    """
    return evaluate(formulas.SOFTPLUS, x)


def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + abs(x)); range (-1, 1).

    Derivative: 1 / (1 + abs(x))².

    References
    ----------
    J. Bergstra, G. Desjardins, P. Lamblin, Y. Bengio, "Quadratic polynomials learn better image features",
    technical report 1337, Université de Montréal, 2009.
    """
    return evaluate(formulas.SOFTSIGN, x)


def elu(x: Tensor) -> Tensor:
    """Return x for x > 0 and exp(x) - 1 otherwise, that is, α = 1; range (-1, ∞).

    Derivative: 1 for x > 0 and exp(x) otherwise.

    References
    ----------
    D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning by exponential
    linear units", ICLR 2016, arXiv:1511.07289.
    """
    return evaluate(formulas.ELU, x)


def selu(x: Tensor) -> Tensor:
    """Return λ x for x > 0 and λ α (exp(x) - 1) otherwise, λ = 1.0507, α = 1.6733; range (-1.7581, ∞).

    Derivative: λ for x > 0 and λ α exp(x) otherwise.

    The derivative at 0 is the left one, λ α. Where λ x is beyond the largest number of the dtype, x itself
    is returned, so that every finite input gives a finite value.

    References
    ----------
    G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, arXiv:1706.02515.
    """
    return evaluate(formulas.SELU, x)


def gelu(x: Tensor) -> Tensor:
    """Return x Φ(x), the Gaussian error linear unit; range [-0.169971, ∞), minimum at x = -0.751792.

    Derivative: Φ(x) + x φ(x).

    This is the exact function, as in PyTorch and `keras.activations`; `jax.nn` and `keras.ops` approximate
    it by a hyperbolic tangent unless told otherwise.

    References
    ----------
    D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", 2016, arXiv:1606.08415.
    """
    return evaluate(formulas.GELU, x)


def beta_swish(x: Tensor, beta: float | Tensor = 1.0) -> Tensor:
    """Return x s(β x), β > 0; range [-0.278465/β, ∞), minimum at x = -1.278465/β.

    Derivative: s(β x) (1 + β x (1 - s(β x))).

    β = 1 is `swish`; β → 0 gives x/2, β → ∞ gives ReLU. A tensor `beta` that broadcasts to the shape of `x`
    is differentiated too.

    References
    ----------
    P. Ramachandran, B. Zoph, Q. V. Le, "Searching for activation functions", 2017, arXiv:1710.05941.
    """
    return evaluate(formulas.BETA_SWISH, x, beta)


def swish(x: Tensor) -> Tensor:
    """Return x s(x), also called SiLU; range [-0.278465, ∞), minimum at x = -1.278465.

    Derivative: s(x) (1 + x (1 - s(x))).

    References
    ----------
    P. Ramachandran, B. Zoph, Q. V. Le, "Searching for activation functions", 2017, arXiv:1710.05941;
    S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units", 2017, arXiv:1702.03118.
    """
    return evaluate(formulas.BETA_SWISH, x, 1.0)


def mish(x: Tensor) -> Tensor:
    """Return x tanh(softplus(x)); range [-0.308843, ∞), minimum at x = -1.192431, derivative 0.6 at 0.

    Derivative: t + x s(x) (1 - t²) with t = tanh(softplus(x)).

    References
    ----------
    D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020, arXiv:1908.08681.
    """
    return evaluate(formulas.MISH, x)


def beta_mish(x: Tensor, beta: float | Tensor = 1.5) -> Tensor:
    """Return x tanh(β softplus(x)), β > 0; range [-0.451103, ∞), minimum at x = -1.244057 for β = 1.5.

    Derivative: t + β x s(x) (1 - t²) with t = tanh(β softplus(x)).

    β = 1 is `mish`; β → 0 gives 0, β → ∞ gives the identity. The default is that of the author's published
    comparisons. A tensor `beta` that broadcasts to the shape of `x` is differentiated too.

    References
    ----------
    D. Misra, "Beta-Mish", 2019, an extension of arXiv:1908.08681.
    """
    return evaluate(formulas.BETA_MISH, x, beta)


def hard_swish(x: Tensor) -> Tensor:
    """Return x min(max(x + 3, 0), 6) / 6; range [-0.375, ∞), minimum at x = -1.5.

    Derivative: 0 for x <= -3, 1 for x >= 3 and x / 3 + 1/2 otherwise.

    The derivative is 0 at -3 and 1 at 3, the outer sides of its jumps.

    References
    ----------
    A. Howard et al., "Searching for MobileNetV3", ICCV 2019, arXiv:1905.02244.
    """
    return evaluate(formulas.HARD_SWISH, x)
