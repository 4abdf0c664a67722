"""Do two factors act together? A shallow tree on the paired difference, shown only if it predicts.

A tree always finds something. So it is shown only where, grown on four fifths of the units, it
predicts the rest better than it does after the differences are shuffled; and what its leaves are
said to gain comes from units that did not shape it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.statistics.estimates import ALPHA, holm, mean_test, rounded
from analysis.statistics.levels import level_text, log_spaced, number_text
from analysis.statistics.units import seeded
from study.question import Factor, Question

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor

MINIMUM_UNITS = 40
"""With fewer no tree of four leaves could be grown and checked."""
MAXIMUM_UNITS = 1000
"""Of more, the first of the design are used: a tree that is not seen in these is not worth a table."""
DEPTH, FOLDS, PERMUTATIONS, SPLITS = 2, 5, 199, 20
ENOUGH_BEYOND = 10
"""Shuffles that predict as well as the data after which no more are drawn: p is then above 5 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """A leaf of the tree.

    Parameters
    ----------
    where : tuple of str
        The conditions that lead to it, such as `depth above 15.5`.
    units : int
        Units in it that did not shape the tree.
    difference, low, high : float or None
        Their mean paired difference with its 95 % t interval, in the metric's unit.
    """

    where: tuple[str, ...]
    units: int
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Interaction:
    """The tree of one rival and its check.

    Parameters
    ----------
    rival : str
        What the focus is compared with.
    units : int
        Independent units.
    p : float or None
        Of the out-of-sample gain against shuffled differences, adjusted by Holm over the rivals. None
        with too few units.
    explained : float or None
        Share of the squared error around the mean that the tree takes out on units it has not seen.
    roots : dict of str to int
        Factor to how often it is the first split, over `SPLITS` halves. Empty unless shown.
    leaves : tuple of Leaf
        Empty unless p is at most `analysis.statistics.estimates.ALPHA`.
    """

    rival: str
    units: int
    p: float | None
    explained: float | None
    roots: Mapping[str, int]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the tree's input: a number, or whether a factor is at one level."""

    factor: Factor
    level: str | None = None

    def condition(self, bound: float, *, above: bool) -> str:
        """Return one side of a split as text."""
        if self.level is not None:
            return f"{self.factor.name} {'' if above else 'not '}{self.level}"
        value = 10**bound if log_spaced(self.factor) else bound
        return f"{self.factor.name} {'above' if above else 'up to'} {number_text(value, 3)}"


def _inputs(units: pd.DataFrame, question: Question) -> tuple[np.ndarray, list[_Column]]:
    columns: list[_Column] = []
    values: list[np.ndarray] = []
    for factor in question.conditions:
        found = units[factor.name].to_numpy()
        if factor.numeric:
            numbers = found.astype("float64")
            columns.append(_Column(factor))
            values.append(np.log10(numbers) if log_spaced(factor) else numbers)
            continue
        for level in np.unique(found):
            columns.append(_Column(factor, level_text(level)))
            values.append((found == level).astype("float64"))
    return np.stack(values, axis=1).astype("float32"), columns


def _grown(
    inputs: np.ndarray, difference: np.ndarray, ties: np.random.RandomState
) -> "DecisionTreeRegressor":
    """Return the tree; `ties` decides between splits that are equally good."""
    from sklearn.tree import DecisionTreeRegressor

    smallest = max(8, len(difference) // 20)
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=smallest, random_state=ties)
    return tree.fit(inputs, difference, check_input=False)


def _gain(inputs: np.ndarray, difference: np.ndarray, fold: np.ndarray, ties: np.random.RandomState) -> float:
    """Return by how much the tree beats the mean on units it has not seen, in squared error."""
    gain = 0.0
    for part in range(FOLDS):
        apart = fold == part
        known, unknown = difference[~apart], difference[apart]
        guess = _grown(inputs[~apart], known, ties).predict(inputs[apart], check_input=False)
        gain += float(((unknown - known.mean()) ** 2 - (unknown - guess) ** 2).sum())
    return gain


def _leaves(
    tree: "DecisionTreeRegressor",
    inputs: np.ndarray,
    difference: np.ndarray,
    columns: list[_Column],
    question: Question,
) -> tuple[Leaf, ...]:
    """Return the leaves with the differences of units that did not shape the tree."""
    at = tree.apply(inputs)
    nodes = tree.tree_

    def walked(node: int, where: tuple[str, ...]) -> list[tuple[int, tuple[str, ...]]]:
        left, right = int(nodes.children_left[node]), int(nodes.children_right[node])
        if left < 0:
            return [(node, where)]
        column, bound = columns[int(nodes.feature[node])], float(nodes.threshold[node])
        return [
            *walked(left, (*where, column.condition(bound, above=False))),
            *walked(right, (*where, column.condition(bound, above=True))),
        ]

    found: list[Leaf] = []
    for node, where in walked(0, ()):
        inside = (at == node)[None]
        test = mean_test(difference, inside, bound=question.loss_cap, delta=question.delta)
        found.append(
            Leaf(
                where=where,
                units=int(inside.sum()),
                difference=rounded(test.mean[0]),
                low=rounded(test.low[0]),
                high=rounded(test.high[0]),
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
    Honest in the sense of Athey and Imbens (2016): one half of the units shapes the tree, the other
    gives the means of its leaves.
    """
    from sklearn import config_context

    if question.design == "ofat" or len(question.conditions) < 2:
        return ()
    used = {rival: units[rival].head(MAXIMUM_UNITS) for rival in question.rivals}
    with config_context(skip_parameter_validation=True):  # thousands of small trees: half of the time
        found = [_checked(own, question) for own in used.values()]
    raw = [checked[1] for checked in found]
    known = [p for p in raw if p is not None]
    adjusted = iter(holm(np.array(known)))
    p_values = [None if p is None else float(next(adjusted)) for p in raw]
    return tuple(
        _interaction(used[rival], rival, explained, p, question)
        for rival, (explained, _), p in zip(question.rivals, found, p_values, strict=True)
    )


def _checked(own: pd.DataFrame, question: Question) -> tuple[float | None, float | None]:
    """Return the share explained out of sample and its raw p-value."""
    difference = own["difference"].to_numpy()
    if len(own) < MINIMUM_UNITS or difference.std() == 0:
        return None, None
    inputs, _ = _inputs(own, question)
    rng = seeded(own["unit_id"], "interactions")
    fold = rng.permutation(len(own)) % FOLDS
    ties = np.random.RandomState(0)
    observed = _gain(inputs, difference, fold, ties)
    # Shuffles for the smallest p to pass Holm's adjustment over the rivals.
    permutations = max(PERMUTATIONS, math.ceil(2 * len(question.rivals) / ALPHA))
    beyond = drawn = 0
    while drawn < permutations and beyond < ENOUGH_BEYOND:
        beyond += _gain(inputs, rng.permutation(difference), fold, ties) >= observed
        drawn += 1
    # Stopped early, the share beyond is a p-value as it stands (Besag and Clifford 1991).
    p = beyond / drawn if beyond == ENOUGH_BEYOND else (1 + beyond) / (1 + drawn)
    total = float(((difference - difference.mean()) ** 2).sum())
    return observed / total, p


def _interaction(
    own: pd.DataFrame, rival: str, explained: float | None, p: float | None, question: Question
) -> Interaction:
    roots: dict[str, int] = {}
    leaves: tuple[Leaf, ...] = ()
    if p is not None and p <= ALPHA:
        inputs, columns = _inputs(own, question)
        difference = own["difference"].to_numpy()
        rng, ties = seeded(own["unit_id"], "interactions: halves"), np.random.RandomState(0)
        for split in range(SPLITS):
            shaping = rng.permutation(len(own)) < len(own) // 2
            tree = _grown(inputs[shaping], difference[shaping], ties)
            if tree.tree_.feature[0] >= 0:
                name = columns[int(tree.tree_.feature[0])].factor.name
                roots[name] = roots.get(name, 0) + 1
            if split == 0:
                leaves = _leaves(tree, inputs[~shaping], difference[~shaping], columns, question)
    return Interaction(
        rival=rival,
        units=len(own),
        p=None if p is None else rounded(p),
        explained=None if explained is None else rounded(explained),
        roots=dict(sorted(roots.items(), key=lambda item: (-item[1], item[0]))),
        leaves=leaves,
    )
