"""Do two factors act together? A tree of two splits, shown only if the second split is one.

A tree always finds something, and one real split is enough for the whole of it to predict. So the
second split, on another factor, is held against what each of the two factors does by itself.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS, holm, mean_test, rounded
from analysis.statistics.tree_cuts import Cuts, all_cuts, level_means
from analysis.statistics.units import seeded
from study.question import Question

MINIMUM_UNITS_OF_A_TREE = 40
"""With fewer no tree of two splits could be grown and checked."""
MAXIMUM_UNITS = 1000
"""Of more, the first of the design are used: a tree that is not seen in these is not worth a table."""
FOLDS, PERMUTATIONS, SPLITS = 10, 999, 20
FIRST_LOOK, ENOUGH_BEYOND = 199, 20
"""So many shuffles that do as well as the data among the first ones, and no more are drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """A leaf of the tree.

    Parameters
    ----------
    where : tuple of str
        The conditions that lead to it, such as `depth above 15.5`, one for each factor.
    units : int
        Units in it, each sorted by bounds that it did not help to place.
    difference, low, high : float or None
        Their mean paired difference with its 95 % t interval, in the metric's unit. No interval with
        fewer than `analysis.statistics.estimates.MINIMUM_UNITS` units.
    """

    where: tuple[str, ...]
    units: int
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Interaction:
    """The tree of one rival and its checks.

    Parameters
    ----------
    rival : str
        What the focus is compared with.
    units : int
        Independent units.
    p : float or None
        Of a second split against differences that depend on one factor alone, adjusted by Holm over the
        rivals. None with too few units.
    explained : float or None
        Share of the squared error, left by the first factor alone, that a second split takes out on units
        that it has not seen.
    p_additive : float or None
        Of the tree against two factors whose effects add up, adjusted by Holm over the trees shown. At
        most `analysis.statistics.estimates.ALPHA`: they act together. None unless shown.
    roots : dict of str to int
        Factor to how often it is the first split, over `SPLITS` halves. Empty unless shown.
    leaves : tuple of Leaf
        Empty unless p is at most `analysis.statistics.estimates.ALPHA` and `explained` above 0.
    """

    rival: str
    units: int
    p: float | None
    explained: float | None
    p_additive: float | None
    roots: Mapping[str, int]
    leaves: tuple[Leaf, ...]

    @property
    def together(self) -> bool:
        """Whether the two factors are shown to act together, rather than each by itself."""
        return self.p_additive is not None and self.p_additive <= ALPHA


@dataclass(frozen=True, slots=True)
class _Second:
    """A second split: on which side of the first, by which cut, and its p-value."""

    above: bool
    cut: int
    p: float


def _p_values(observed: np.ndarray, shuffled: Callable[[int], np.ndarray], permutations: int) -> np.ndarray:
    """Return the p-value of each statistic against the largest one of each shuffle.

    More are drawn than the first ones only where a p may still be small.
    """
    drawn = shuffled(FIRST_LOOK)
    line = observed[:, None] * (1 - 1e-9)  # equal up to rounding is as good
    beyond = (drawn >= line).sum(axis=1)
    if beyond.min() < ENOUGH_BEYOND:
        drawn = np.concatenate([drawn, shuffled(permutations - FIRST_LOOK)])
        beyond = (drawn >= line).sum(axis=1)
    return (1 + beyond) / (1 + len(drawn))


def _seconds(
    cuts: Cuts,
    difference: np.ndarray,
    first: int,
    rng: np.random.Generator,
    permutations: int,
    only: int | None = None,
) -> list[_Second]:
    """Return the best second split on each side of the first, on any other factor or on `only` one.

    Shuffled, within each side, is what the levels of the first factor leave; each p-value is against the
    largest strength over both sides and all other factors.
    """
    own = int(cuts.factor[first])
    others = cuts.factor != own
    left = cuts.left(difference, own)
    high = cuts.above[:, first] > 0
    sides = (high, ~high)
    best = [cuts.best(left, inside, others if only is None else cuts.factor == only) for inside in sides]

    def shuffled(count: int) -> np.ndarray:
        largest = np.full(count, -1.0)
        drawn = np.zeros((count, len(left)))
        for inside in sides:
            drawn[:, inside] = rng.permuted(np.tile(left[inside], (count, 1)), axis=1)
            largest = np.maximum(largest, cuts.strength(drawn, inside)[:, others].max(axis=1))
        return largest

    p_values = _p_values(np.array([strength for _, strength in best]), shuffled, permutations)
    return [
        _Second(above, cut, float(p))
        for above, (cut, strength), p in zip((True, False), best, p_values, strict=True)
        if strength >= 0
    ]


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree of one rival: what it was grown on, its first cut, its second ones, what these explain."""

    cuts: Cuts
    difference: np.ndarray
    rng: np.random.Generator
    permutations: int
    first: int
    seconds: tuple[_Second, ...]
    explained: float

    @property
    def p(self) -> float:
        """The smaller p-value of the two sides, each of which allows for the other."""
        return min((second.p for second in self.seconds), default=1.0)


def _grown(units: pd.DataFrame, question: Question, permutations: int) -> _Tree | None:
    """Return the tree of one rival, None with too few units.

    A second split has the larger p-value of its two factors: neither may do by itself, so the levels of
    either are taken out, and the other must still show.
    """
    difference = units["difference"].to_numpy()
    if len(units) < MINIMUM_UNITS_OF_A_TREE or np.ptp(difference) == 0:
        return None
    cuts, rng = all_cuts(units, question), seeded(units["unit_id"], "interactions")
    first, strength = cuts.first(difference)
    if strength < 0:
        return None
    seconds: list[_Second] = []
    for second in _seconds(cuts, difference, first, rng, permutations):
        p = second.p
        if p <= ALPHA:
            turned, _ = cuts.first(difference, int(cuts.factor[second.cut]))
            back = _seconds(cuts, difference, turned, rng, permutations, only=int(cuts.factor[first]))
            p = max(p, min((one.p for one in back), default=1.0))
        seconds.append(_Second(second.above, second.cut, p))
    explained = _explained(cuts, difference, rng)
    return _Tree(cuts, difference, rng, permutations, first, tuple(seconds), explained)


def _explained(cuts: Cuts, difference: np.ndarray, rng: np.random.Generator) -> float:
    """Return the share of the squared error left by the first factor that a second split takes out.

    On a tenth of the units each, by a tree that the other nine tenths have shaped.
    """
    fold = rng.permutation(len(difference)) % FOLDS
    error = gain = 0.0
    for part in range(FOLDS):
        apart = fold == part
        known, unknown, values = cuts.of(~apart), cuts.of(apart), difference[~apart]
        first, _ = known.first(values)
        own = int(cuts.factor[first])
        means = level_means(known.codes[own], values, int(cuts.codes[own].max()) + 1)
        left = values - means[known.codes[own]]
        high = known.above[:, first] > 0
        best = [known.best(left, high == above, cuts.factor != own) for above in (False, True)]
        above = best[1][1] > best[0][1]
        cut, strength = best[above]
        wrong = difference[apart] - means[unknown.codes[own]]
        error += float((wrong**2).sum())
        if strength < 0:
            continue
        beyond = known.above[:, cut] > 0
        low, up = (left[(high == above) & (beyond == side)].mean() for side in (False, True))
        step = np.where(unknown.above[:, cut] > 0, up, low)
        reached = (unknown.above[:, first] > 0) == above
        gain += float((wrong**2 - (wrong - np.where(reached, step, 0.0)) ** 2).sum())
    return gain / error if error > 0 else 0.0


def _additive_p(tree: _Tree, second: _Second) -> float:
    """Return the p-value of the first factor and that of a second split, if their effects add up.

    The residuals of the additive model are shuffled (Freedman and Lane 1983). Tested is the product of the
    first split with each cut of the second factor, less what both factors' own effects explain of it.
    """
    cuts = tree.cuts
    own, other = (cuts.above[:, cuts.factor == cuts.factor[cut]] for cut in (tree.first, second.cut))
    effects = np.concatenate([np.ones((len(own), 1)), own, other], axis=1)
    basis, size, _ = np.linalg.svd(effects, full_matrices=False)
    basis = basis[:, size > 1e-9 * size[0]]
    products = _left((cuts.above[:, [tree.first]] * other).T, basis)
    length = np.linalg.norm(products, axis=1, keepdims=True)
    products = np.where(length > 1e-6, products / np.maximum(length, 1e-6), 0.0)
    residuals = _left(tree.difference, basis)

    def strength(values: np.ndarray) -> np.ndarray:
        return ((values @ products.T) ** 2).max(axis=-1) / (values**2).sum(axis=-1)

    def shuffled(count: int) -> np.ndarray:
        return strength(_left(tree.rng.permuted(np.tile(residuals, (count, 1)), axis=1), basis))

    return float(_p_values(strength(residuals[None]), shuffled, tree.permutations)[0])


def _left(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return what an orthonormal basis, shape (units, columns), leaves of the values, shape (..., units)."""
    return values - (values @ basis) @ basis.T


def _leaves(tree: _Tree, question: Question) -> tuple[Leaf, ...]:
    """Return the leaves; each unit is sorted by bounds that the other nine tenths of them have placed."""
    cuts, difference, first = tree.cuts, tree.difference, tree.first
    fold = tree.rng.permutation(len(difference)) % FOLDS
    by_side = {second.above: second.cut for second in tree.seconds}
    places = [
        (above, deep) for above in (False, True) for deep in ((False, True) if above in by_side else (None,))
    ]
    inside = np.zeros((len(places), len(difference)), dtype=bool)

    def again(cut: int, part: np.ndarray, values: np.ndarray) -> int:
        """Place the bound of a cut anew; a level stays the same."""
        if cuts.cuts[cut].level is not None:
            return cut
        placed, strength = cuts.of(~apart).best(values, part, cuts.factor == cuts.factor[cut])
        return placed if strength >= 0 else cut

    for number in range(FOLDS):
        apart = fold == number
        known = difference[~apart]
        root = again(first, np.ones(len(known), dtype=bool), known)
        high = cuts.above[:, root] > 0
        for place, (above, deep) in enumerate(places):
            reached = apart & (high == above)
            if deep is not None:
                cut = again(by_side[above], (high == above)[~apart], known)
                reached &= (cuts.above[:, cut] > 0) == deep
            inside[place] |= reached
    test = mean_test(difference, inside, bound=question.loss_cap, delta=question.delta)
    found: list[Leaf] = []
    for place, (above, deep) in enumerate(places):
        where = [cuts.cuts[first].condition(above=above)]
        if deep is not None:
            where.append(cuts.cuts[by_side[above]].condition(above=deep))
        units = int(inside[place].sum())
        enough = units >= MINIMUM_UNITS
        found.append(
            Leaf(
                where=tuple(where),
                units=units,
                difference=rounded(test.mean[place]),
                low=rounded(test.low[place]) if enough else None,
                high=rounded(test.high[place]) if enough else None,
            )
        )
    return tuple(found)


def interactions(units: Mapping[str, pd.DataFrame], question: Question) -> tuple[Interaction, ...]:
    """Look for factors that act together, rival by rival; none in `ofat`, which moves one at a time.

    Parameters
    ----------
    units : dict of str to pandas.DataFrame
        Rival to what `analysis.statistics.units.unit_means` returned.
    question : Question
        What is asked.

    Notes
    -----
    Honest in the sense of Athey and Imbens (2016): the bounds that a unit is sorted by come from others.
    """
    if question.design == "ofat" or len(question.conditions) < 2:
        return ()
    # Shuffles for the smallest p to pass Holm's adjustment over the rivals.
    permutations = max(PERMUTATIONS, math.ceil(2 * len(question.rivals) / ALPHA))
    trees = {
        rival: _grown(units[rival].head(MAXIMUM_UNITS), question, permutations) for rival in question.rivals
    }
    p_values = _holm({rival: tree.p for rival, tree in trees.items() if tree is not None})
    shown = {
        rival: kept
        for rival, tree in trees.items()
        if tree is not None and tree.explained > 0 and (kept := _kept(tree, p_values[rival])).seconds
    }
    additive = _holm(
        {
            rival: min(1.0, len(tree.seconds) * min(_additive_p(tree, second) for second in tree.seconds))
            for rival, tree in shown.items()
        }
    )
    found: list[Interaction] = []
    for rival, tree in trees.items():
        drawn = shown.get(rival)
        found.append(
            Interaction(
                rival=rival,
                units=min(len(units[rival]), MAXIMUM_UNITS),
                p=rounded(p_values[rival]) if tree else None,
                explained=rounded(tree.explained) if tree else None,
                p_additive=rounded(additive[rival]) if drawn else None,
                roots=_roots(drawn) if drawn else {},
                leaves=_leaves(drawn, question) if drawn else (),
            )
        )
    return tuple(found)


def _holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values by rival, adjusted by Holm over the rivals."""
    return dict(zip(p_values, holm(np.array(list(p_values.values()))).tolist(), strict=True))


def _kept(tree: _Tree, p: float) -> _Tree:
    """Return a tree with those second splits that pass, given the adjusted p-value of the best."""
    seconds = tuple(second for second in tree.seconds if second.p * (p / tree.p) <= ALPHA)
    return replace(tree, seconds=seconds)


def _roots(tree: _Tree) -> dict[str, int]:
    """Return which factor is split first in each of `SPLITS` halves of the units, and how often."""
    roots: Counter[str] = Counter()
    for _ in range(SPLITS):
        half = tree.rng.permutation(len(tree.difference)) < len(tree.difference) // 2
        cut, _ = tree.cuts.of(half).first(tree.difference[half])
        roots[tree.cuts.cuts[cut].factor.name] += 1
    return dict(sorted(roots.items(), key=lambda item: (-item[1], item[0])))
