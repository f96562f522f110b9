"""Scores of one basket's candidates by every scorer of the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.policy import Policy
from stream.decisions.scorers import (
    BASELINE,
    FITS,
    NOTHING,
    Scorer,
    line_weights,
    own_weights,
    popular_weights,
)
from stream.decisions.selection import MISSED, TOP
from stream.evaluation.neighbourhoods import Neighbourhoods
from stream.evaluation.pair_counts import PairCounts

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_POPULAR: Final = 100
"""Most ordered items that are candidates of every basket: more than a basket that is asked about has lines."""

NONE: Final = -1
"""In the place of an offer there is none for."""


class Ranked(NamedTuple):
    """Candidates by number, rising, and the score each scorer gives them in whole numbers; -inf for a line."""

    items: Integers
    scores: Floats

    def ranks(self, item: int) -> Integers:
        """The place of an item in each scorer's ranking, from 0; MISSED where it would not be offered.

        Equal scores rank by SKU. A score of 0 or below is no offer.
        """
        at = int(self.items.searchsorted(item))
        if at == len(self.items) or self.items[at] != item:
            return np.full(len(self.scores), MISSED, np.int64)
        own = self.scores[:, at, None]
        above = (self.scores > own).sum(axis=1) + (self.scores[:, :at] == own).sum(axis=1)
        return np.where(own[:, 0] > 0, above, MISSED)

    def offers(self) -> Integers:
        """The first items of each scorer's ranking, NONE where there are fewer."""
        offers = np.full((len(self.scores), TOP), NONE, np.int64)
        best = np.argsort(-self.scores, axis=1, kind="stable")[:, :TOP]
        offered = np.take_along_axis(self.scores, best, axis=1) > 0
        offers[:, : best.shape[1]] = np.where(offered, self.items[best], NONE)
        return offers


class Ranker:
    """Ranks the candidates of baskets from the counts of the moment."""

    def __init__(self, counts: PairCounts, grid: Sequence[Scorer], policy: Policy) -> None:
        self._counts, self._grid = counts, grid
        self.neighbourhoods = Neighbourhoods(counts, policy)
        self._column = np.zeros(len(counts.orders), np.int64)
        self._is_candidate = np.zeros(len(counts.orders), np.bool_)

    def rank(self, lines: Sequence[int], bought: Mapping[int, int]) -> Ranked:
        """Candidates of a basket with these lines, of a customer who bought items so often before."""
        heads = self._counts.heads(MOST_POPULAR)
        parts = self._parts(lines, heads)
        own = np.fromiter(bought.keys(), np.int64, len(bought))
        times = np.fromiter(bought.values(), np.int64, len(bought))
        items = self._number([*(held for held, _ in parts.values()), heads, own])
        orders, total = self._counts.orders[items], self._counts.total
        at_heads, at_own = self._column[heads], self._column[own]
        scores = np.zeros((len(self._grid), len(items)))
        sums: dict[tuple[str, float], Floats] = {}
        for which, scorer in enumerate(self._grid):
            if scorer.weights != NOTHING:
                key = scorer.weights, scorer.exponent
                if key not in sums:
                    held, weights = parts[scorer.weights]
                    at = self._column[held]
                    sums[key] = _summed(at, line_weights(scorer, weights, orders[at]), len(items))
                scores[which] = sums[key]
            # Sums of whole numbers: exact in floats, whatever the order.
            scores[which, at_heads] += popular_weights(scorer, orders[at_heads], total)
            if scorer.own:
                scores[which, at_own] += own_weights(scorer, times, total)
        scores[:, self._column[[line for line in lines if self._is_candidate[line]]]] = -np.inf
        self._is_candidate[items] = False
        return Ranked(items, scores)

    def _parts(self, lines: Sequence[int], heads: Integers) -> dict[str, tuple[Integers, Floats]]:
        """What all lines speak for, by the name of the weights, line after line."""
        none = np.zeros(0, np.int64)
        partners = [self.neighbourhoods.partners(line) for line in lines]
        fitted = self.neighbourhoods.fitted(lines, heads.tolist())
        held = np.concatenate([none, *(row.items for row in fitted)])
        parts = {
            BASELINE: (
                np.concatenate([none, *(row.items for row in partners)]),
                np.concatenate([np.zeros(0), *(row.weights for row in partners)]),
            )
        }
        for which, name in enumerate(FITS):
            weights = [row.weights[which].astype(np.float64) for row in fitted]
            parts[name] = held, np.concatenate([np.zeros(0), *weights])
        return parts

    def _number(self, parts: Sequence[Integers]) -> Integers:
        """All items of the parts, each once and rising; `_column` then has the place of each."""
        for items in parts:
            self._is_candidate[items] = True
        found = np.flatnonzero(self._is_candidate)
        self._column[found] = np.arange(len(found))
        return found


def _summed(places: Integers, weights: Integers, length: int) -> Floats:
    """The sum of the weights of each place."""
    return np.bincount(places, weights, length).astype(np.float64, copy=False)
