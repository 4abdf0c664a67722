"""The optimizers: every constant reaches Keras, and each rule takes the step its paper says."""

import numpy as np
import pytest

from study import optimizers
from study.optimizers import OPTIMIZERS


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_constants_reach_keras(name: str) -> None:
    config = optimizers.build(name).get_config()
    entry = OPTIMIZERS[name]
    assert config["learning_rate"] == pytest.approx(entry.learning_rate)
    for key, value in entry.constants.items():
        assert config[key] == pytest.approx(value), key


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_nothing_is_left_to_a_default(name: str) -> None:
    """Every hyperparameter of the Keras class that is a number is written in our table."""
    config = optimizers.build(name).get_config()
    general = {
        *(
            "name",
            "learning_rate",
            "weight_decay",
            "clipnorm",
            "global_clipnorm",
            "clipvalue",
            "loss_scale_factor",
        ),
        *("use_ema", "ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps", "amsgrad"),
    }
    assert set(config) - general <= set(OPTIMIZERS[name].constants)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_reaches_the_minimum_of_a_bowl(name: str) -> None:
    import tensorflow as tf

    optimizer = optimizers.build(name)
    optimizer.learning_rate = {"adadelta": 50.0, "adagrad": 1.0}.get(name, 0.05)
    x = tf.Variable([1.0, -2.0])
    optimizer.build([x])
    for _ in range(400):
        optimizer.apply([2.0 * (x - [0.5, 0.25])], [x])
    # adaptive signs (Lion) end within a step of the minimum, weight decay (AdamW) a little off it
    np.testing.assert_allclose(x.numpy(), [0.5, 0.25], atol=0.06)


def reference_radam(gradients: list[np.ndarray], x: np.ndarray, rate: float) -> np.ndarray:
    """Follow Liu et al. 2020, algorithm 2, line by line, in float64."""
    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-7
    m, v = np.zeros_like(x), np.zeros_like(x)
    rho_inf = 2 / (1 - beta_2) - 1
    for t, g in enumerate(gradients, start=1):
        v = beta_2 * v + (1 - beta_2) * g**2
        m = beta_1 * m + (1 - beta_1) * g
        m_hat = m / (1 - beta_1**t)
        rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
        if rho > 4:
            length = np.sqrt(1 - beta_2**t) / (np.sqrt(v) + epsilon * np.sqrt(1 - beta_2**t))
            r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            x = x - rate * r * m_hat * length
        else:
            x = x - rate * m_hat
    return x


def test_radam_follows_its_paper() -> None:
    import tensorflow as tf

    rng = np.random.default_rng(4)
    gradients = [rng.normal(size=3) for _ in range(30)]
    start = np.array([0.3, -0.2, 0.9])
    x = tf.Variable(start.astype(np.float32))
    optimizer = optimizers.build("radam")
    optimizer.build([x])
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [x])
    np.testing.assert_allclose(x.numpy(), reference_radam(gradients, start, 0.001), rtol=2e-5)  # float32
