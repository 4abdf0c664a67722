"""Runs as a script of one's own would leave them: a row per run, names and numbers of its own choosing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study.foreign_runs import ForeignRuns

LEVELS = {"layers": (2, 4, 8, 16), "opt": ("sgd", "adam"), "lr": (0.1, 0.01)}


def grid(seeds: int = 2, *, gain: float = 1.0, activations: Sequence[str] = ("mish", "relu")) -> pd.DataFrame:
    """Return a full grid of 16 settings: columns act, layers, opt, lr, seed and score (points)."""
    rng = np.random.default_rng(5)
    rows = [
        {"act": act, "layers": layers, "opt": opt, "lr": lr, "seed": seed}
        for layers in LEVELS["layers"]
        for opt in LEVELS["opt"]
        for lr in LEVELS["lr"]
        for seed in range(seeds)
        for act in activations
    ]
    frame = pd.DataFrame(rows)
    setting = frame.groupby(["layers", "opt", "lr"]).ngroup().to_numpy()
    score = 80 + 4 * rng.standard_normal(16)[setting] + 0.3 * rng.standard_normal(len(frame))
    return frame.assign(score=score + gain * (frame["act"] == "mish"))


def random_search(runs: int, *, gain: float = 0.0, spread: float = 1.0, seed: int = 3) -> pd.DataFrame:
    """Return runs at settings of their own: a learning rate drawn anew, one activation each."""
    rng = np.random.default_rng(seed)
    act = rng.choice(["mish", "relu"], runs)
    return pd.DataFrame(
        {
            "act": act,
            "lr": 10 ** rng.uniform(-4, -1, runs),
            "opt": rng.choice(["sgd", "adam"], runs),
            "score": 80 + spread * rng.standard_normal(runs) + gain * (act == "mish"),
        }
    )


def as_read(
    frame: pd.DataFrame, *, metric: str = "score", status: Sequence[str] | None = None
) -> ForeignRuns:
    """Return a frame as a reader would, every parameter as text."""
    frame = frame.reset_index(drop=True)
    parameters = frame.drop(columns=metric).map(lambda value: None if pd.isna(value) else str(value))
    return ForeignRuns(
        source="test",
        name="test",
        parameters=parameters.astype("object"),
        metric=frame[metric].to_numpy(dtype="float64"),
        status=np.array(["ok"] * len(frame) if status is None else list(status), dtype="object"),
        remarks=(),
    )
