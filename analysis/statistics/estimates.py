"""Means of independent units: intervals, tests, and adjustment for the number of tests.

Arrays in, arrays out, every region of a table at once; no verdict is taken here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from study.question import Question

ALPHA = 0.05
MINIMUM_UNITS = 6
"""Regions with fewer units have no verdict: a t interval from less hangs on the shape of the data."""


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Interval and tests of one mean per region; NaN where there are fewer than two units."""

    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_tie: np.ndarray


def mean_test(values: np.ndarray, inside: np.ndarray, *, bound: float, delta: float) -> MeanTest:
    """Test the mean of independent unit values against 0 and against plus and minus delta.

    Parameters
    ----------
    values : numpy.ndarray, shape (units,)
        Unit means, each in [-bound, bound].
    inside : numpy.ndarray of bool, shape (regions, units)
        Which units belong to a region.
    bound, delta : float
        In the unit of the values.

    Notes
    -----
    Student's t interval and test on unit means, the interval cut off at the bound, beyond which no mean
    lies; equivalence by two one-sided tests (Schuirmann 1987). The percentile bootstrap would be too
    narrow here: simulated coverage 0.86 at 6 units.

    NOTE: where all units agree, the estimated spread is 0 and t would claim certainty from any
    number of units; yet six exact ties say little about a seventh configuration. No spread can be
    estimated, but the values are bounded, which gives an exact answer: if the mean were m, a share
    of at least |v - m| / (distance from v to the far bound) of all units must differ from the common
    value v, and n units without one of them have probability (1 - share)^n. So six exact ties are
    not enough evidence, and it takes 29 of them to be called a tie at loss_cap = 10 delta; six
    configurations in which the rival alone failed give p = 2 / 2^6, the sign test.
    """
    count = inside.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(inside, values, 0.0).sum(axis=1) / count
        squares = np.where(inside, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
        deviation = np.sqrt(squares / (count - 1))
        lowest = np.where(inside, values, np.inf).min(axis=1, initial=np.inf)
        highest = np.where(inside, values, -np.inf).max(axis=1, initial=-np.inf)
        constant = (count > 1) & (highest - lowest <= 1e-9 * bound)  # equal up to rounding
        deviation[constant] = 0.0
        low, high, p, p_tie = t_tests(mean, deviation / np.sqrt(count), np.maximum(count - 1, 1), delta)
        # The common value and the distances to the two ends.
        v, above, below = mean, bound - mean, bound + mean
        unseen = 1 - (ALPHA / 2) ** (1 / count)
        low = np.maximum(np.where(constant, v - unseen * below, low), -bound)
        high = np.minimum(np.where(constant, v + unseen * above, high), bound)
        p = np.where(constant, np.minimum(1, 2 * (bound / (bound + np.abs(v))) ** count), p)
        to_low = np.clip((v + delta) / below, 0, 1)
        to_high = np.clip((delta - v) / above, 0, 1)
        exact_tie = np.maximum((1 - to_low) ** count, (1 - to_high) ** count)
        p_tie = np.where(constant, np.where(np.abs(v) < delta, exact_tie, 1.0), p_tie)
    unknown = count < 2
    return MeanTest(mean, *(np.where(unknown, np.nan, x) for x in (deviation, low, high, p, p_tie)))


def t_tests(
    mean: np.ndarray, error: np.ndarray, free: np.ndarray, delta: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the ends of Student's interval, p of a mean of 0, and p of the equivalence test.

    Parameters
    ----------
    mean, error : numpy.ndarray, shape (regions,)
        Estimates with their standard errors.
    free : numpy.ndarray, shape (regions,)
        Degrees of freedom of the standard errors.
    delta : float
        The equivalence test is against plus and minus this.
    """
    half = special.stdtrit(free, 1 - ALPHA / 2) * error
    p = 2 * special.stdtr(free, -np.abs(mean) / error)
    p_tie = np.maximum(
        special.stdtr(free, -(mean + delta) / error), special.stdtr(free, (mean - delta) / error)
    )
    return mean - half, mean + half, p, p_tie


@dataclass(frozen=True, slots=True)
class RivalRows:
    """What one rival gives for every region: arrays of shape (regions,)."""

    main: MeanTest
    caps: tuple[MeanTest, MeanTest]
    outcomes: MeanTest
    pairs: np.ndarray
    units: np.ndarray
    dropped: np.ndarray
    win_rate: np.ndarray
    win_units: np.ndarray
    focus_failures: np.ndarray
    rival_failures: np.ndarray
    both_failed: np.ndarray
    mcnemar_p: np.ndarray
    failure_share: np.ndarray
    uninformative: np.ndarray


def rival_rows(
    found: pd.DataFrame, blocks: np.ndarray, inside: np.ndarray, position: np.ndarray, question: Question
) -> RivalRows:
    """Estimate everything about one rival.

    Parameters
    ----------
    found : pandas.DataFrame
        Its pairs.
    blocks : numpy.ndarray, shape (configurations,)
        Number of blocks with at least one of the two sides.
    inside : numpy.ndarray of bool, shape (regions, configurations)
        Which configurations lie in a region.
    position : numpy.ndarray, shape (pairs,)
        Configuration of each pair.
    question : Question
        What is asked.
    """
    code, _ = pd.factorize(found["unit_id"])
    size = np.bincount(code)
    within = inside[:, position[np.unique(code, return_index=True)[1]]]
    difference = found["difference"].to_numpy()
    quality = (found["cause"] == "quality").to_numpy()
    oriented = found["difference_raw"].to_numpy() * (1 if question.higher_is_better else -1)

    def unit_mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(code, weights=values) / size

    def total(flags: np.ndarray) -> np.ndarray:
        return np.where(within, np.bincount(code, weights=flags), 0.0).sum(axis=1)

    def region_mean(values: np.ndarray) -> np.ndarray:
        return np.where(within, values, 0.0).sum(axis=1) / units

    def at_cap(cap: float) -> MeanTest:
        values = np.where(quality, np.clip(oriented, -cap, cap), np.sign(difference) * cap)
        return mean_test(unit_mean(values), within, bound=cap, delta=question.delta)

    focus_failed = found["cause"].isin(["focus_failed", "both_failed"]).to_numpy()
    rival_failed = found["cause"].isin(["rival_failed", "both_failed"]).to_numpy()
    failed_more = np.sign(np.bincount(code, weights=focus_failed.astype("float64") - rival_failed))
    wins = unit_mean((1 + np.sign(difference)) / 2)
    units = within.sum(axis=1)
    counted = total(np.ones(len(found)))
    with np.errstate(divide="ignore", invalid="ignore"):
        win_rate = region_mean(wins)
        variance = region_mean((wins - win_rate[:, None]) ** 2) / (units - 1)
        # NOTE: the effective number of independent pairs is capped at the units, not at the pairs: so
        # that recording every training twice cannot narrow an interval. Where every unit agrees the
        # ratio is 0/0 and the units count.
        effective = np.clip(win_rate * (1 - win_rate) / variance, 1, units)
        failures = region_mean(unit_mean(np.where(quality, 0.0, difference)))
        rest = region_mean(unit_mean(np.where(quality, difference, 0.0)))
        failure_share = np.abs(failures) / (np.abs(failures) + np.abs(rest))
        worse = (within & (failed_more > 0)).sum(axis=1)
        better = (within & (failed_more < 0)).sum(axis=1)
        mcnemar = np.minimum(1.0, 2 * special.bdtr(np.minimum(worse, better), worse + better, 0.5))
        return RivalRows(
            main=at_cap(question.loss_cap),
            caps=(at_cap(0.6 * question.loss_cap), at_cap(2 * question.loss_cap)),
            outcomes=mean_test(
                unit_mean(found["outcome"].to_numpy(dtype="float64")), within, bound=1.0, delta=0.0
            ),
            pairs=counted,
            units=units,
            dropped=np.where(inside, blocks, 0).sum(axis=1) - counted,
            win_rate=win_rate,
            win_units=np.where(np.isnan(effective), units, effective),
            focus_failures=total(focus_failed),
            rival_failures=total(rival_failed),
            both_failed=total(focus_failed & rival_failed),
            mcnemar_p=np.where(units > 0, mcnemar, np.nan),
            failure_share=failure_share,
            uninformative=total(found["uninformative"].to_numpy()) / counted,
        )


def holm(p: np.ndarray) -> np.ndarray:
    """Return p adjusted so that the chance of any false rejection is bounded (Holm 1979), shape (m,)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(stepped[np.argsort(order, kind="stable")], 1.0)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Return p adjusted so that the expected share of false rejections is bounded, shape (m,).

    Benjamini and Hochberg (1995). Where nothing is true this bounds the chance of any false rejection.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    return np.minimum(stepped[np.argsort(order, kind="stable")], 1.0)


def adjusted(p: np.ndarray, eligible: np.ndarray, *, strict: bool) -> np.ndarray:
    """Adjust p within the two families of a table; NaN where a row is not eligible.

    The headline (row 0, one p per rival) by Holm; all level rows x rivals together by Benjamini and
    Hochberg, or by Holm if `strict`.

    Parameters
    ----------
    p : numpy.ndarray, shape (regions, rivals)
        Raw p-values.
    eligible : numpy.ndarray of bool, shape (regions, rivals)
        Rows with enough units for a verdict; it does not depend on any result.
    strict : bool
        Holm for the level rows.
    """
    result = np.full(p.shape, np.nan)
    headline = np.zeros(p.shape, dtype=bool)
    headline[0] = True
    for family, method in ((headline, holm), (~headline, holm if strict else benjamini_hochberg)):
        result[family & eligible] = method(p[family & eligible])
    return result


def win_interval(win_rate: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the 95 % Wilson interval (1927) of win rates at an effective number of units."""
    z = special.ndtri(1 - ALPHA / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = z**2 / units
        middle = (win_rate + share / 2) / (1 + share)
        half = np.sqrt(win_rate * (1 - win_rate) * share + share**2 / 4) / (1 + share)
    return middle - half, middle + half


def rounded(value: float, digits: int = 6) -> float | None:
    """Return `value` to `digits` significant digits, None where it is not finite: the rule of all tables."""
    return float(f"{value:.{digits}g}") + 0.0 if np.isfinite(value) else None


def pair_correlation(found: pd.DataFrame) -> float | None:
    """Return the correlation of the two metrics of a block, over pairs in which neither side failed.

    This is what pairing is worth: the variance of a difference shrinks by the factor 1 - correlation.
    None with fewer than three such pairs or a metric that never varies.
    """
    both = found.loc[found["cause"] == "quality", ["focus_value", "rival_value"]]
    if len(both) < 3 or bool((both.max() == both.min()).any()):
        return None
    return rounded(float(np.corrcoef(both["focus_value"], both["rival_value"])[0, 1]))


def seed_correlation(found: pd.DataFrame) -> float | None:
    """Return the intraclass correlation of the differences of a configuration over its replicates.

    One-way analysis of variance (Donner 1986), configurations with at least two replicates, cut at 0.
    None with fewer than two such configurations or without any spread.
    """
    groups = found.groupby("configuration", sort=False)["difference"]
    count = groups.transform("size")
    kept = found.loc[count > 1]
    groups = kept.groupby("configuration", sort=False)["difference"]
    size = groups.size().to_numpy(dtype="float64")
    if len(size) < 2:
        return None
    total, classes = size.sum(), len(size)
    between = float((size * (groups.mean().to_numpy() - kept["difference"].mean()) ** 2).sum()) / (
        classes - 1
    )
    inside = float(((kept["difference"] - groups.transform("mean")) ** 2).sum()) / (total - classes)
    typical = (total - (size**2).sum() / total) / (classes - 1)
    spread = between + (typical - 1) * inside
    return rounded(max(0.0, (between - inside) / spread)) if spread > 0 else None
