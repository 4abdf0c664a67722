"""From a spec to the configurations it asks for, drawn before anything is trained.

`paired`: a scrambled Sobol sequence over all factors (Sobol 1967; Owen 1998). Its rows are a fixed
prefix, never shuffled, so a sweep that asks for more later keeps every configuration it has. A row
that maps to a configuration drawn before is passed over.

`ofat`: the baseline, then one factor at a time over its levels.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from study.question import Factor
from study.training import Configuration, Level, Training

if TYPE_CHECKING:
    from sweeps.spec import SweepSpec

MOST_DOUBLINGS = 20
"""The sequence is drawn in powers of two, up to 2^20 rows, in search of distinct configurations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedTraining:
    """A training, the row of the design it belongs to, and its level of a profiled factor."""

    training: Training
    configuration: Configuration
    profiled: Mapping[str, Level] = field(default_factory=dict[str, Level])


def configurations(spec: "SweepSpec") -> list[Configuration]:
    """Return the configurations of a `paired` or `ofat` spec, in the order of the design."""
    rows = _paired(spec) if spec.design == "paired" else _ofat(spec)
    return [Configuration(index=index, levels=levels) for index, levels in enumerate(rows)]


def replicates(spec: "SweepSpec", configuration: Configuration) -> int:
    """Return how many seeds a configuration gets.

    `replicated_share` of the configurations, picked by their digest, get one more.
    """
    picked = hashlib.sha256(f"replicated {configuration.digest}".encode()).digest()
    extra = int.from_bytes(picked[:4], "big") < spec.replicated_share * 2**32
    return spec.replicates + int(extra and spec.design == "paired")


def trainings(spec: "SweepSpec") -> list[PlannedTraining]:
    """Return every training of a `paired` or `ofat` spec: configuration x replicate x activation.

    A profiled factor is crossed with these: every level of it with every activation, in one block.
    """
    profile = spec.profiled_factor
    levels = [{}] if profile is None else [{profile.name: level} for level in profile.levels or ()]
    return [
        PlannedTraining(
            training=spec.training_for(configuration, replicate, activation, profiled),
            configuration=configuration,
            profiled=profiled,
        )
        for configuration in configurations(spec)
        for replicate in range(replicates(spec, configuration))
        for profiled in levels
        for activation in (spec.focus, *spec.rivals)
    ]


def level_at(factor: Factor, u: float) -> Level:
    """Return the level of `factor` at `u` in [0, 1).

    Levels and whole numbers get equal shares of [0, 1); continuous ranges are spread evenly on
    their own scale and rounded to four significant digits.
    """
    if factor.levels is not None:
        return factor.levels[int(u * len(factor.levels))]
    assert factor.low is not None
    assert factor.high is not None
    if factor.integer and factor.log:
        low, high = math.log(factor.low), math.log(factor.high + 1)
        return min(int(factor.high), int(math.exp(low + u * (high - low))))
    if factor.integer:
        step = factor.step or 1
        count = int(factor.high - factor.low) // step + 1
        return int(factor.low) + step * int(u * count)
    if factor.log:
        value = factor.low * (factor.high / factor.low) ** u
    else:
        value = factor.low + u * (factor.high - factor.low)
    return min(max(float(f"{value:.4g}"), float(factor.low)), float(factor.high))


def sobol(dimensions: int, seed: int, doublings: int) -> np.ndarray:
    """Return the first `2**doublings` rows of the scrambled Sobol sequence, shape (rows, dimensions)."""
    from scipy.stats import qmc

    return qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed)).random_base2(doublings)


def distinct_rows(factors: Sequence[Factor], seed: int, wanted: int) -> list[tuple[Level, ...]]:
    """Return the first `wanted` different rows of a `paired` design, or as many as there are in 2^20 rows."""
    distinct: dict[tuple[Level, ...], None] = {}
    seen = 0
    for doublings in range(max(0, math.ceil(math.log2(wanted))), MOST_DOUBLINGS + 1):
        for row in sobol(len(factors), seed, doublings)[seen:]:
            distinct.setdefault(
                tuple(level_at(factor, float(u)) for factor, u in zip(factors, row, strict=True))
            )
            if len(distinct) == wanted:
                return list(distinct)
        seen = 2**doublings
    return list(distinct)


def has_room(factors: Sequence[Factor], wanted: int) -> bool:
    """Return whether so many different rows are there for certain, without drawing them.

    That is so with eight times as many cells of about equal chance. The levels of a range, which their
    rounding makes fewer, are counted at 1024 places.
    """
    places = [place / 1024 for place in range(1024)]
    cells = 1
    for factor in factors:
        cells *= len(factor.levels or {level_at(factor, u) for u in places})
        if cells >= 8 * wanted:
            return True
    return False


def _paired(spec: "SweepSpec") -> list[dict[str, Level]]:
    factors = spec.drawn_factors
    rows = distinct_rows(factors, spec.seed, spec.configurations)
    assert len(rows) == spec.configurations  # a rule of the spec
    return [dict(zip((factor.name for factor in factors), levels, strict=True)) for levels in rows]


def _ofat(spec: "SweepSpec") -> Iterator[dict[str, Level]]:
    baseline = dict(spec.baseline)
    yield baseline
    for factor in spec.factor_list:
        for level in factor.levels or ():
            if level != baseline[factor.name]:
                yield {**baseline, factor.name: level}
