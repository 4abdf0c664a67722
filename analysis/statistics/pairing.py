"""What pairing is worth, measured: how alike two trainings of one block are, and what that saves.

Sharing the configuration takes out what a setting does to every activation; sharing the seed takes out
what the initial weights and the order of the batches do. How much either does differs between regions:
shared seeds help in shallow networks and hardly at all in deep ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.compare import members
from analysis.statistics.estimates import rounded
from study.question import Question

MINIMUM_PAIRS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairing:
    """How alike focus and rival are within a block, in one region.

    Parameters
    ----------
    rival : str
        What the focus is compared with.
    parameter, level : str or None
        The region; both None for every configuration.
    pairs : int
        Pairs in which neither side failed; the rest of the fields is about them.
    correlation : float or None
        Of the two results of a block. None with fewer than six pairs or without spread.
    saved : float or None
        Share of the variance of a difference that pairing takes out, against two trainings drawn apart:
        2 covariance / (sum of the variances). Negative where pairing does harm.
    seed_correlation : float or None
        Of the two results of a block around the means of their configuration: what sharing the seed
        does. None with fewer than six replicated pairs beyond the first of each configuration.
    saved_by_configuration, saved_by_seed : float or None
        The two parts of `saved`; None where the seed's part is not known.
    """

    rival: str
    parameter: str | None
    level: str | None
    pairs: int
    correlation: float | None
    saved: float | None
    seed_correlation: float | None
    saved_by_configuration: float | None
    saved_by_seed: float | None


def pairings(
    runs: pd.DataFrame, paired: Mapping[str, pd.DataFrame], question: Question
) -> tuple[Pairing, ...]:
    """Measure pairing in every region of the table, region by region, rival by rival.

    Parameters
    ----------
    runs : pandas.DataFrame
        A frame that passes `analysis.frame.check_runs`.
    paired : dict of str to pandas.DataFrame
        Rival to its `analysis.statistics.pairs.pairs`.
    question : Question
        What is asked.

    Notes
    -----
    The covariance over blocks is that of the configurations plus that of the seeds; the latter is
    estimated within configurations with several replicates.
    """
    regions, inside, configurations = members(runs, question)
    columns = {rival: _moments(paired[rival], inside, configurations) for rival in question.rivals}
    return tuple(
        Pairing(
            rival=rival,
            parameter=region.parameter,
            level=region.level,
            pairs=int(columns[rival]["pairs"][place]),
            **{
                name: rounded(float(values[place]))
                for name, values in columns[rival].items()
                if name != "pairs"
            },
        )
        for place, region in enumerate(regions)
        for rival in question.rivals
    )


def _moments(found: pd.DataFrame, inside: np.ndarray, configurations: pd.Index) -> dict[str, np.ndarray]:
    """Return the fields of `Pairing` for every region, NaN where they are not known."""
    both = found.loc[found["cause"] == "quality"]
    sides = both[["focus_value", "rival_value"]].to_numpy(dtype="float64")
    sides = sides - (sides.mean(axis=0) if len(sides) else 0.0)
    where = inside[:, configurations.get_indexer(pd.Index(both["configuration"]))].astype("float64")
    code, _ = pd.factorize(both["configuration"])
    size = np.bincount(code).astype("float64")
    means = np.stack([np.bincount(code, weights=side) for side in sides.T], axis=1) / size[:, None]
    residuals = sides - means[code]

    def products(values: np.ndarray) -> np.ndarray:
        """Return sums of squares of either side, and of their product, shape (regions, 3)."""
        return where @ np.stack([values[:, 0] ** 2, values[:, 1] ** 2, values.prod(axis=1)], axis=1)

    count = where.sum(axis=1)
    free = where @ (1 - 1 / size[code])
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = where @ sides / count[:, None]
        squares = products(sides) / count[:, None]
        squares -= np.stack([centre[:, 0] ** 2, centre[:, 1] ** 2, centre.prod(axis=1)], axis=1)
        squares *= (count / (count - 1))[:, None]
        within = products(residuals) / free[:, None]
        squares[count < MINIMUM_PAIRS] = np.nan
        within[free < MINIMUM_PAIRS - 1e-9] = np.nan
        total = squares[:, 0] + squares[:, 1]
        saved, by_seed = 2 * squares[:, 2] / total, 2 * within[:, 2] / total
        return {
            "pairs": count,
            "correlation": squares[:, 2] / np.sqrt(squares[:, 0] * squares[:, 1]),
            "saved": saved,
            "seed_correlation": within[:, 2] / np.sqrt(within[:, 0] * within[:, 1]),
            "saved_by_configuration": saved - by_seed,
            "saved_by_seed": by_seed,
        }
