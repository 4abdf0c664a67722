"""Runs frames with planted truths: what a sweep would record if we knew who wins.

The frames are what the real pipeline takes, so a test can ask of the whole table what it claims of
itself: how often does it name a winner where there is none?
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.frame import columns, unit_of
from study.question import Design, Factor, Question
from study.training import Level

SPACE: dict[str, tuple[Level, ...]] = {
    "depth": (2, 5, 8, 11, 14, 17, 20, 23, 26, 30),
    "batch_size": (16, 32, 64, 128, 256, 512),
    "optimizer": ("sgd", "momentum", "rmsprop", "adagrad", "adam", "nadam", "adamw"),
    "learning_rate": tuple(10.0**exponent for exponent in np.arange(-4, 0, 0.5).tolist()),
    "initializer": tuple(
        f"{family}_{shape}" for family in ("glorot", "he", "lecun") for shape in ("normal", "uniform")
    ),
    "regularizer": ("none", "l1", "l2", "l1_l2"),
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    "width": (16, 32, 64, 128, 256, 512),
    "augmentation": ("none", "shift"),
    "mixup": (0.0, 0.2),
}
"""Ten factors; 10 + 8 levels of depth and learning rate become four bins each."""

Effect = Callable[[pd.DataFrame], np.ndarray]
"""Configurations to the points by which the focus is better there, shape (configurations,)."""


def _nothing(configurations: pd.DataFrame) -> np.ndarray:
    return np.zeros(len(configurations))


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A world in which it is known who wins where.

    Accuracy = 85 + N(0, spread) per configuration + the effect for the focus + N(0, tau / sqrt 2) per
    configuration and activation + N(0, noise) per training: a difference of two activations has the
    standard deviation sqrt(tau^2 + 2 noise^2), 1.07 points by default.

    Parameters
    ----------
    configurations, replicates : int
        Size of the sweep.
    rivals : tuple of str
        Names; all are equal.
    effect : callable
        See `Effect`.
    spread, tau, noise : float
        Standard deviations in points.
    skewed : bool
        Whether `tau` belongs to an exponential distribution (centred) instead of a normal one.
    step : float
        Accuracies are rounded to multiples of it (one image of a small test set); 0 for no rounding.
    failure_rate : float
        Mean share of diverged trainings of every activation: twice that above depth 20, half below.
    focus_fails, both_fail : callable or None
        Configurations to a mask of those in which the focus alone, or everyone, diverges.
    at_chance : float
        Share of configurations in which nothing learns: every activation stays near 10 points.
    missing : float
        Share of blocks that lose one side at random.
    unbalanced : bool
        Levels are drawn with probabilities 1 : 2 : 3 ... instead of equal ones.
    factors : tuple of str
        Which of `SPACE` vary.
    delta, loss_cap : float
        Of the question, in points.
    design : {"paired", "ofat"}
        In `ofat` the baseline is the first level of each factor, and `configurations` has no effect.
    """

    configurations: int = 120
    replicates: int = 1
    rivals: tuple[str, ...] = ("relu",)
    effect: Effect = _nothing
    spread: float = 5.0
    tau: float = 0.8
    noise: float = 0.5
    skewed: bool = False
    step: float = 0.0
    failure_rate: float = 0.0
    focus_fails: Effect | None = None
    both_fail: Effect | None = None
    at_chance: float = 0.0
    missing: float = 0.0
    unbalanced: bool = False
    factors: tuple[str, ...] = field(default_factory=lambda: tuple(SPACE))
    delta: float = 0.5
    loss_cap: float = 5.0
    design: Design = "paired"

    @property
    def question(self) -> Question:
        """The question that goes with the frames."""
        walks = 1 + sum(len(SPACE[name]) - 1 for name in self.factors)
        configurations = walks if self.design == "ofat" else self.configurations
        return Question(
            name="simulated",
            question="Is the table right?",
            focus="mish",
            rivals=self.rivals,
            design=self.design,
            dataset="simulated",
            architecture="mlp",
            factors=tuple(Factor(name=name, role="condition", levels=SPACE[name]) for name in self.factors),
            metric="test_accuracy",
            higher_is_better=True,
            unit="points",
            delta=self.delta,
            loss_cap=self.loss_cap,
            baseline=tuple((name, SPACE[name][0]) for name in self.factors) if self.design == "ofat" else (),
            planned_configurations=configurations,
            planned_trainings=configurations * self.replicates * (1 + len(self.rivals)),
        )


def draw_configurations(truth: Truth, rng: np.random.Generator) -> pd.DataFrame:
    """Return the levels of every configuration of a world, a column per factor."""
    if truth.design == "ofat":
        baseline = dict(truth.question.baseline)
        walks = [{**baseline, name: level} for name in truth.factors for level in SPACE[name][1:]]
        return pd.DataFrame([baseline, *walks])
    drawn: dict[str, np.ndarray] = {}
    for name in truth.factors:
        levels = np.array(SPACE[name])
        weights = np.arange(1.0, len(levels) + 1) if truth.unbalanced else np.ones(len(levels))
        drawn[name] = levels[rng.choice(len(levels), truth.configurations, p=weights / weights.sum())]
    return pd.DataFrame(drawn)


def simulate(truth: Truth, rng: np.random.Generator) -> pd.DataFrame:
    """Return one runs frame of a world, as `analysis.frame.runs_frame` would.

    Parameters
    ----------
    truth : Truth
        The world.
    rng : numpy.random.Generator
        Decides every draw.
    """
    configurations = draw_configurations(truth, rng)
    size, replicates, activations = len(configurations), truth.replicates, ("mish", *truth.rivals)
    shape = (size, replicates, len(activations))
    own = (
        rng.exponential(1.0, (size, 1, len(activations))) - 1
        if truth.skewed
        else rng.standard_normal((size, 1, len(activations)))
    )
    accuracy = 85 + truth.spread * rng.standard_normal((size, 1, 1)) + truth.tau / np.sqrt(2) * own
    accuracy = accuracy + truth.noise * rng.standard_normal(shape)
    accuracy[:, :, 0] += truth.effect(configurations)[:, None]
    stuck = rng.random(size) < truth.at_chance
    accuracy[stuck] = 10 + 0.1 * rng.standard_normal((int(stuck.sum()), replicates, len(activations)))
    if truth.step:
        accuracy = np.round(accuracy / truth.step) * truth.step
    accuracy = np.clip(accuracy, 0.0, 100.0)

    rate = np.full(size, truth.failure_rate)
    if truth.failure_rate:
        rate = truth.failure_rate * np.where(configurations["depth"] > 20, 2.0, 0.5)
    failed = rng.random(shape) < rate[:, None, None]
    if truth.focus_fails is not None:
        failed[:, :, 0] |= truth.focus_fails(configurations)[:, None]
    if truth.both_fail is not None:
        failed |= truth.both_fail(configurations)[:, None, None]
    return _frame(truth, configurations, accuracy, failed, rng)


def _frame(
    truth: Truth,
    configurations: pd.DataFrame,
    accuracy: np.ndarray,
    failed: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    size, replicates, sides = accuracy.shape
    activations = np.array(["mish", *truth.rivals])
    names = np.array([f"c{index:05d}" for index in range(size)])
    blocks = np.array([f"{name}-{replicate}" for name in names for replicate in range(replicates)])
    per_training = replicates * sides
    ok = ~failed.ravel()
    values = np.where(ok, accuracy.ravel(), np.nan)
    count = ok.size
    configuration, block = names.repeat(per_training), blocks.repeat(sides)
    frame = pd.DataFrame(
        {
            "digest": [f"t{number:06d}" for number in range(count)],
            "unit_id": block if unit_of(truth.design, "configuration", "block") == "block" else configuration,
            "configuration": configuration,
            "index": np.arange(size).repeat(per_training),
            "replicate": np.tile(np.arange(replicates).repeat(sides), size),
            "block": block,
            "activation": np.tile(activations, size * replicates),
            "adaptive": False,
            **{name: configurations[name].to_numpy().repeat(per_training) for name in truth.factors},
            "status": np.where(ok, "ok", "diverged"),
            "reason": np.where(ok, "", "loss is not finite"),
            **{f"{cut}_accuracy": values for cut in ("train", "validation", "test")},
            **{f"{cut}_loss": np.where(ok, 0.5, np.nan) for cut in ("train", "validation", "test")},
            "checkpoint_epoch": pd.array(np.where(ok, 10, 1), dtype="Int64"),
            "epochs_run": pd.array(np.where(ok, 10, 1), dtype="Int64"),
            "seconds": 1.0,
            "examples_per_second": 1000.0,
            "peak_memory_mib": 500.0,
        }
    )[list(columns(truth.question))]
    if truth.missing:
        lost = rng.random(len(blocks)) < truth.missing
        side = rng.integers(sides, size=len(blocks))
        keep = ~(lost[:, None] & (np.arange(sides) == side[:, None]))
        frame = frame.loc[keep.ravel()].reset_index(drop=True)
    return frame
