"""Runs frames of a profiled learning rate with planted truths: curves of accuracy over the rate are known."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from simulated_runs import SPACE, Truth

from analysis.frame import columns
from study.question import Factor, Question

RATES = (0.1, 0.3, 1.0, 3.0)
PROFILE = Factor(name="learning_rate", role="nuisance", levels=RATES, log=True, relative=True)
PLACES = np.arange(len(RATES), dtype="float64")


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A world in which the accuracy of an activation is a parabola over the place of the rate in the list.

    Accuracy on the test = 85 + N(0, 5) per configuration + top - curvature (place - best)^2 + N(0, tau) per
    configuration and activation + a part that validation shares, N(0, run), and one of its own, N(0, cut),
    per training. `best` itself moves with the configuration by N(0, moves) for both activations alike.

    Parameters
    ----------
    configurations, replicates : int
        Size of the sweep.
    best : tuple of float
        Place of the best rate, 0 to 3, of focus and rival.
    curvature : tuple of float
        Points that a rate one place away costs, of focus and rival.
    gain : float
        Points by which the focus is better at its best rate.
    deep_gain : float
        Points more, above depth 15.
    moves, tau, run, cut : float
        Standard deviations: places, then points.
    diverges : float
        Chance of a training at the largest rate to diverge; a third of it one place below, and for the rival
        twice as much.
    loss_cap : float
        Of the question.
    """

    configurations: int = 120
    replicates: int = 1
    best: tuple[float, float] = (1.5, 1.5)
    curvature: tuple[float, float] = (1.0, 1.0)
    gain: float = 0.0
    deep_gain: float = 0.0
    moves: float = 0.5
    tau: float = 0.8
    run: float = 0.5
    cut: float = 0.4
    diverges: float = 0.0
    loss_cap: float = 5.0

    @property
    def question(self) -> Question:
        """The question that goes with the frames."""
        plain = Truth(configurations=self.configurations, factors=("depth", "optimizer")).question
        trainings = self.configurations * self.replicates * 2 * len(RATES)
        return replace(plain, profile=PROFILE, planned_trainings=trainings, loss_cap=self.loss_cap)


def draw(world: Curves, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what a sweep measures.

    Returns
    -------
    dict of str to numpy.ndarray
        `depth` and `optimizer`, shape (configurations,); `test`, `validation` (points) and `failed`, shape
        (configurations, replicates, rates, 2), the focus first.
    """
    size = world.configurations
    shape = (size, world.replicates, len(RATES), 2)
    depth, optimizer = (np.array(SPACE[name])[rng.integers(len(SPACE[name]), size=size)] for name in FACTORS)
    best = np.array(world.best) + world.moves * rng.standard_normal((size, 1, 1, 1))
    top = 85 + 5 * rng.standard_normal((size, 1, 1, 1))
    top = top + world.tau / np.sqrt(2) * rng.standard_normal((size, 1, 1, 2))
    top[..., 0] += (world.gain + world.deep_gain * (depth > 15))[:, None, None]
    run = (
        top
        - np.array(world.curvature) * (PLACES[:, None] - best) ** 2
        + world.run * rng.standard_normal(shape)
    )
    chance = world.diverges * np.array([0, 0, 1 / 3, 1])[:, None] * np.array([1.0, 2.0])
    return {
        "depth": depth,
        "optimizer": optimizer,
        "test": run + world.cut * rng.standard_normal(shape),
        "validation": run + world.cut * rng.standard_normal(shape),
        "failed": rng.random(shape) < chance,
    }


FACTORS = ("depth", "optimizer")


def frame_of(world: Curves, drawn: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return what was drawn as `analysis.frame.runs_frame` would."""
    size, replicates, rates, sides = drawn["test"].shape
    each = replicates * rates * sides
    names = np.array([f"c{index:05d}" for index in range(size)]).repeat(each)
    replicate = np.tile(np.arange(replicates).repeat(rates * sides), size)
    ok = ~drawn["failed"].ravel()
    cuts = {cut: np.where(ok, drawn[source].ravel(), np.nan) for cut, source in CUTS.items()}
    return pd.DataFrame(
        {
            "digest": [f"t{number:06d}" for number in range(ok.size)],
            "unit_id": names,
            "configuration": names,
            "index": np.arange(size).repeat(each),
            "replicate": replicate,
            "block": [f"{name}-{number}" for name, number in zip(names, replicate, strict=True)],
            "activation": np.tile(["mish", "relu"], ok.size // 2),
            "adaptive": False,
            **{name: drawn[name].repeat(each) for name in FACTORS},
            "learning_rate": np.tile(np.array(RATES).repeat(sides), size * replicates),
            "status": np.where(ok, "ok", "diverged"),
            "reason": np.where(ok, "", "loss is not finite"),
            **{f"{cut}_accuracy": np.clip(values, 0, 100) for cut, values in cuts.items()},
            **{f"{cut}_loss": np.where(ok, 0.5, np.nan) for cut in CUTS},
            "checkpoint_epoch": pd.array(np.where(ok, 10, 1), dtype="Int64"),
            "epochs_run": pd.array(np.where(ok, 10, 1), dtype="Int64"),
            "seconds": 1.0,
            "examples_per_second": 1000.0,
            "peak_memory_mib": 500.0,
        }
    )[list(columns(world.question))]


CUTS = {"train": "test", "validation": "validation", "test": "test"}


def simulate(world: Curves, rng: np.random.Generator) -> pd.DataFrame:
    """Return one runs frame of a world."""
    return frame_of(world, draw(world, rng))


def true_differences(world: Curves, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the difference of each of many blocks and its depth, computed apart from the code under test.

    What a profiled table estimates is their mean: the expected score on the test of what validation chose,
    where failures count and differences are capped. Not that of the truly best rate.
    """
    drawn = draw(replace(world, configurations=200_000, replicates=1), rng)
    validation = np.where(drawn["failed"], -np.inf, drawn["validation"])[:, 0]
    taken = validation.argmax(axis=1)[:, None, :]
    test = np.take_along_axis(np.clip(drawn["test"], 0, 100)[:, 0], taken, axis=1)[:, 0]
    lost = np.all(validation == -np.inf, axis=1)
    cap = world.loss_cap
    difference = np.clip(test[:, 0] - test[:, 1], -cap, cap)
    difference = np.where(lost[:, 0], -cap, np.where(lost[:, 1], cap, difference))
    return np.where(lost.all(axis=1), 0.0, difference), drawn["depth"]
