"""Runs frames of `tuned` sweeps with planted truths: searches whose response surface is known."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.frame import columns
from study.question import Factor, Question
from study.tuning import Place, Sampler, Tuning

WIDTHS = (16, 64, 256)


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What an activation is worth at a setting.

    Accuracy = top - `steep` x (log10 rate - optimum)^2 - 0.5 points for each step of the width from the
    middle one, and a training fails above `fails_above`. After a single one of many epochs it is 10 points
    less, and `slow` for each decade that the rate is below 1, so that learning curves cross; between the two
    it moves with the logarithm of the epochs.

    Parameters
    ----------
    top, optimum, steep, fails_above, slow : float
        Points, log10 of a learning rate, points, log10 of a learning rate, points.
    """

    top: float = 90.0
    optimum: float = -2.0
    steep: float = 2.0
    fails_above: float = 9.0
    slow: float = 0.0

    def score(self, rate: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Return the expected accuracy in points, shape of `rate`, NaN where a training fails."""
        step = np.abs(np.log(width / WIDTHS[1]) / np.log(4))
        value = self.top - self.steep * (np.log10(rate) - self.optimum) ** 2 - 0.5 * step
        return np.where(np.log10(rate) > self.fails_above, np.nan, value)

    def behind(self, rate: np.ndarray, missing: float) -> np.ndarray:
        """Return what is missing at a share of the logarithm of the epochs, shape of `rate`."""
        return missing * (10.0 - self.slow * np.log10(rate))


@dataclass(frozen=True, kw_only=True)
class Searches:
    """A world of `tuned` sweeps.

    Parameters
    ----------
    surfaces : dict of str to Surface
        Focus first.
    trials, repeats, confirm : int
        Size of a sweep.
    sampler : {"random", "tpe"}
        What the sweep says of itself; trials are drawn at random in any case.
    halving, epochs : int or None
        As in `Tuning`.
    noise, split : float
        Standard deviation of a training, shared by its validation and its test score, and of each of the two
        scores by itself, in points.
    """

    surfaces: dict[str, Surface]
    trials: int = 20
    repeats: int = 8
    confirm: int = 3
    sampler: Sampler = "random"
    halving: int | None = None
    epochs: int | None = None
    noise: float = 0.4
    split: float = 0.3

    @property
    def question(self) -> Question:
        """What the sweep asks."""
        focus, *rivals = self.surfaces
        size = ("trials", "sampler", "repeats", "confirm", "halving", "epochs")
        tuning = Tuning(**{name: getattr(self, name) for name in size})
        factors = (
            Factor(name="learning_rate", role="nuisance", low=1e-4, high=1.0, log=True),
            Factor(name="width", role="nuisance", levels=WIDTHS),
        )
        return Question(
            name="searches", question="Who wins tuned?", focus=focus, rivals=tuple(rivals), design="tuned",
            dataset="made", architecture="made", factors=factors, metric="test_accuracy",
            higher_is_better=True, unit="points", delta=0.5, loss_cap=5.0,
            planned_configurations=self.repeats * self.trials * len(self.surfaces),
            planned_trainings=tuning.trainings(len(self.surfaces)), tuning=tuning,
        )  # fmt: skip

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return rates and widths of random trials."""
        return 10.0 ** rng.uniform(-4, 0, shape), rng.choice(WIDTHS, shape)

    def trained(self, rng: np.random.Generator, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return validation and test accuracy of trainings, each of the shape of what is expected."""
        trained = expected + rng.normal(0, self.noise, expected.shape)
        return (
            np.clip(trained + rng.normal(0, self.split, expected.shape), 0, 100),
            np.clip(trained + rng.normal(0, self.split, expected.shape), 0, 100),
        )


@dataclass(frozen=True, kw_only=True)
class Rung:
    """The trials of searches at a rung: numbers, validation and test accuracy, shape (searches, trials)."""

    numbers: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def climbed(
    world: Searches, rng: np.random.Generator, surface: Surface, rate: np.ndarray, width: np.ndarray
) -> list[Rung]:
    """Return the rungs of searches of one activation, whose trials try `rate` and `width`.

    With halving a training has one noise at all its rungs, as it has one seed; each score has its own.
    """
    tuning = world.question.tuning
    assert tuning is not None
    expected = surface.score(rate, width)
    numbers = np.broadcast_to(np.arange(rate.shape[1]), rate.shape)
    if tuning.halving is None:
        validation, test = world.trained(rng, expected)
        return [Rung(numbers=numbers, validation=validation, test=test)]
    shared = dataclasses.replace(world, noise=0.0)
    expected = expected + rng.normal(0, world.noise, expected.shape)
    rungs: list[Rung] = []
    for size, epochs in zip(tuning.rung_trials, tuning.rung_epochs, strict=True):
        if rungs:
            merit = np.where(np.isnan(rungs[-1].validation), -1.0, rungs[-1].validation)
            order = np.argsort(-merit, axis=1, kind="stable")[:, :size]
            numbers = np.sort(np.take_along_axis(rungs[-1].numbers, order, axis=1), axis=1)
        missing = 1 - np.log(epochs) / np.log(tuning.rung_epochs[-1])
        reached = np.take_along_axis(expected - surface.behind(rate, missing), numbers, axis=1)
        validation, test = shared.trained(rng, reached)
        rungs.append(Rung(numbers=numbers, validation=validation, test=test))
    return rungs


def winners(validation: np.ndarray) -> np.ndarray:
    """Return the place of the best trial of each search, the first where all failed; last axis: trials."""
    return np.argmax(np.where(np.isnan(validation), -1.0, validation), axis=-1)


def simulate_searches(world: Searches, rng: np.random.Generator) -> pd.DataFrame:
    """Return the runs frame of one sweep; all activations of a repeat try the same settings."""
    question, tuning = world.question, world.question.tuning
    assert tuning is not None
    rate, width = world.draw(rng, (world.repeats, world.trials))
    parts: list[dict[str, np.ndarray]] = []
    for place, surface in enumerate(world.surfaces.values()):
        expected = surface.score(rate, width)
        rungs = climbed(world, rng, surface, rate, width)
        best = np.take_along_axis(rungs[-1].numbers, winners(rungs[-1].validation)[:, None], axis=1)
        fresh_shape = (world.repeats, world.confirm)
        fresh = np.broadcast_to(np.take_along_axis(expected, best, axis=1), fresh_shape)
        fresh_validation, fresh_test = world.trained(rng, fresh)
        won_rate, won_width = (np.take_along_axis(x, best, axis=1) for x in (rate, width))
        numbers = np.concatenate([rung.numbers for rung in rungs], 1)
        rung_of = np.repeat(np.arange(len(rungs)), tuning.rung_trials)
        index = [
            [
                *(tuning.index(Place(r, place, int(t), int(at))) for t, at in zip(row, rung_of, strict=True)),
                *[tuning.index(Place(r, place, None))] * world.confirm,
            ]
            for r, row in enumerate(numbers)
        ]
        replicate = np.broadcast_to(
            [*[0] * numbers.shape[1], *range(world.confirm)],
            (world.repeats, numbers.shape[1] + world.confirm),
        )
        tried_rate, tried_width = (np.take_along_axis(x, numbers, axis=1) for x in (rate, width))
        parts.append(
            {
                "place": np.full(replicate.size, place),
                "index": np.array(index).ravel(),
                "replicate": replicate.ravel(),
                "learning_rate": _joined(tried_rate, np.broadcast_to(won_rate, fresh_shape)),
                "width": _joined(tried_width, np.broadcast_to(won_width, fresh_shape)),
                "validation_accuracy": _joined(*(rung.validation for rung in rungs), fresh_validation),
                "test_accuracy": _joined(*(rung.test for rung in rungs), fresh_test),
            }
        )
    frame = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    setting = frame["learning_rate"].map("{:.17g}".format) + "/" + frame["width"].astype("str")
    failed = frame["test_accuracy"].isna()
    frame = frame.assign(
        activation=pd.Series(list(world.surfaces)).astype("str")[frame["place"]].to_numpy(),
        digest=[f"{i}/{r}" for i, r in zip(frame["index"], frame["replicate"], strict=True)],
        configuration=setting,
        unit_id=setting,
        block=setting + "-" + frame["replicate"].astype("str"),
        adaptive=True,
        status=np.where(failed, "diverged", "ok"),
        reason=np.where(failed, "loss is not finite", ""),
        train_accuracy=frame["validation_accuracy"],
        checkpoint_epoch=pd.array(np.where(failed, None, 3), dtype="Int64"),
        epochs_run=pd.array(np.where(failed, 2, 3), dtype="Int64"),
        seconds=2.0,
        examples_per_second=1000.0,
        peak_memory_mib=500.0,
    )
    for cut in ("train", "validation", "test"):
        frame[f"{cut}_loss"] = (100 - frame[f"{cut}_accuracy"]) / 20
    frame = frame[list(columns(question))]
    return frame.astype({name: "str" for name in ("activation", "digest", "status", "reason")})


def _joined(*parts: np.ndarray) -> np.ndarray:
    """Return what searches have in several parts, search by search."""
    return np.concatenate(parts, 1).ravel()


def true_difference(world: Searches, rng: np.random.Generator, searches: int = 20_000) -> np.ndarray:
    """Return focus - rival of the winners' expected accuracy, over whole repeats, shape (searches,).

    Failed winners count as `loss_cap` behind.
    """
    question = world.question
    rate, width = world.draw(rng, (searches, world.trials))
    scores: list[np.ndarray] = []
    for surface in list(world.surfaces.values())[:2]:
        last = climbed(world, rng, surface, rate, width)[-1]
        best = np.take_along_axis(last.numbers, winners(last.validation)[:, None], axis=1)
        scores.append(np.take_along_axis(surface.score(rate, width), best, axis=1)[:, 0])
    assert not np.isnan(scores).any()
    return np.clip(scores[0] - scores[1], -question.loss_cap, question.loss_cap)
