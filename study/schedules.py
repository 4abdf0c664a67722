"""How the learning rate moves over a training: one formula for every engine, in NumPy.

Each policy gives the rate of a step as a multiple of the training's learning rate, its *peak*, from the
number of the step and the number of all steps alone.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from study.training import Training

COSINE_END = 0.01
"""Last rate of `cosine`, as a share of the peak."""

ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1e-4
"""Share of the steps in which `one_cycle` rises; its first and its last rate, as shares of the peak."""

STEP_FACTOR, STEP_PLACES = 0.1, (0.5, 0.75)
"""What `step` multiplies the rate by, and after which shares of the steps."""


def _constant(step: np.ndarray, steps: int) -> np.ndarray:
    """Return the peak for every step."""
    del steps
    return np.ones(len(step))


def _cosine(step: np.ndarray, steps: int) -> np.ndarray:
    """Return half a cosine from the peak to `COSINE_END` (Loshchilov & Hutter 2017, without restarts)."""
    return _half_cosine(_progress(step, steps), 1.0, COSINE_END)


def _one_cycle(step: np.ndarray, steps: int) -> np.ndarray:
    """Return a rise to the peak and a fall far below the start, both half cosines (Smith & Topin 2018).

    The momentum is left alone.
    """
    progress = _progress(step, steps)
    rise = _half_cosine(np.minimum(progress / ONE_CYCLE_RISE, 1.0), ONE_CYCLE_START, 1.0)
    fall = _half_cosine(np.maximum(progress - ONE_CYCLE_RISE, 0.0) / (1 - ONE_CYCLE_RISE), 1.0, ONE_CYCLE_END)
    return np.where(progress < ONE_CYCLE_RISE, rise, fall)


def _step(step: np.ndarray, steps: int) -> np.ndarray:
    """Return the peak times `STEP_FACTOR` for each of `STEP_PLACES` that is passed (as He et al. 2016)."""
    passed = np.sum([step >= place * steps for place in STEP_PLACES], axis=0)
    return STEP_FACTOR**passed


POLICIES: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "constant": _constant,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "step": _step,
}
"""Policy to a function from numbers of steps, from 0, and the number of all steps to multiples, float64."""


def learning_rates(training: Training, epoch: int, epoch_steps: int) -> np.ndarray:
    """Return the learning rate of every step of an epoch.

    Parameters
    ----------
    training : Training
        Gives the policy, the peak (`learning_rate`) and the number of epochs.
    epoch : int
        From 0.
    epoch_steps : int
        Number of steps of an epoch.

    Returns
    -------
    ndarray of float32, shape (epoch_steps,)
        Computed in float64 and rounded once. `constant` is the peak itself.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017,
    arXiv:1608.03983. L. N. Smith, N. Topin, "Super-convergence: very fast training of neural networks using
    large learning rates", 2018, arXiv:1708.07120. K. He et al., "Deep residual learning for image
    recognition", CVPR 2016, arXiv:1512.03385 (steps).
    """
    step = epoch * epoch_steps + np.arange(epoch_steps)
    multiples = POLICIES[training.learning_rate_policy](step, training.epochs * epoch_steps)
    return (training.learning_rate * multiples).astype(np.float32)


def _progress(step: np.ndarray, steps: int) -> np.ndarray:
    """Return 0 for the first step to 1 for the last one."""
    return step / max(1, steps - 1)


def _half_cosine(progress: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return half a cosine wave from `start`, where `progress` is 0, to `end`, where it is 1."""
    return end + (start - end) * (1.0 + np.cos(math.pi * progress)) / 2.0
