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


class Said(NamedTuple):
    """What the lines of a basket say: partners with c_ij and baseline weights, and neighbours with fitted weights."""

    partners: Integers
    together: Integers
    baseline: Floats
    neighbours: Integers
    fits: dict[str, Floats]


class Ranker:
    """Ranks the candidates of baskets from the counts of the moment."""

    def __init__(self, counts: PairCounts, grid: Sequence[Scorer], policy: Policy) -> None:
        self._counts = counts
        self._grid = GridRanker(grid, policy.min_together)
        self.neighbourhoods = Neighbourhoods(counts, policy)

    def rank(self, lines: Sequence[int], bought: Mapping[int, float]) -> Ranked:
        """Candidates of a basket with these lines, of a customer who bought items so often before."""
        heads = self._counts.heads(MOST_POPULAR)
        said = self._said(lines, heads)
        return self._grid.rank(lines, said, heads, bought, self._counts.orders, self._counts.total)

    def _said(self, lines: Sequence[int], heads: Integers) -> Said:
        """What all lines say, line after line."""
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        partners = [self.neighbourhoods.partners(line) for line in lines]
        fitted = self.neighbourhoods.fitted(lines, heads.tolist())
        return Said(
            partners=np.concatenate([none, *(row.items for row in partners)]),
            together=np.concatenate([none, *(row.together for row in partners)]),
            baseline=np.concatenate([nothing, *(row.weights for row in partners)]),
            neighbours=np.concatenate([none, *(row.items for row in fitted)]),
            fits={
                name: np.concatenate([nothing, *(row.weights[which] for row in fitted)])
                for which, name in enumerate(FITS)
            },
        )


class GridRanker:
    """Adds up what is said of each candidate, by every scorer of a grid."""

    def __init__(self, grid: Sequence[Scorer], min_together: int) -> None:
        self._grid, self._floor = grid, min_together
        self._column = np.zeros(0, np.int64)
        self._is_candidate = np.zeros(0, np.bool_)

    def rank(
        self,
        lines: Sequence[int],
        said: Said,
        heads: Integers,
        bought: Mapping[int, float],
        orders_of: Integers,
        total: int,
    ) -> Ranked:
        """Candidates of a basket, the orders that hold each item (by number) and all orders at hand.

        What fewer than `min_together` orders held with the lines, all of them taken together, is not spoken for.
        """
        if len(orders_of) > len(self._column):
            self._column = np.zeros(len(orders_of), np.int64)
            self._is_candidate = np.zeros(len(orders_of), np.bool_)
        own = np.fromiter(bought.keys(), np.int64, len(bought))
        times = np.fromiter(bought.values(), np.float64, len(bought))
        items = self._number([said.partners, said.neighbours, heads, own])
        orders = orders_of[items]
        at_heads, at_own = self._column[heads], self._column[own]
        scores = self._line_scores(said, orders)
        together = np.bincount(self._column[said.partners], said.together, len(items))
        unmet = together < self._floor
        scores[:, unmet] = np.minimum(scores[:, unmet], 0.0)
        for which, scorer in enumerate(self._grid):
            # Sums of whole numbers: exact in floats, whatever the order.
            scores[which, at_heads] += popular_weights(scorer, orders[at_heads], total)
            if scorer.own:
                scores[which, at_own] += own_weights(scorer, times, total)
        scores[:, self._column[[line for line in lines if self._is_candidate[line]]]] = -np.inf
        self._is_candidate[items] = False
        return Ranked(items, scores)

    def _line_scores(self, said: Said, orders: Integers) -> Floats:
        """The sums of what the lines say, by every scorer; scorers that weigh the same share them."""
        at = {BASELINE: self._column[said.partners], **dict.fromkeys(FITS, self._column[said.neighbours])}
        scores = np.zeros((len(self._grid), len(orders)))
        sums: dict[tuple[str, float, float], Floats] = {}
        for which, scorer in enumerate(self._grid):
            for name, say in ((scorer.weights, 1.0), (BASELINE, scorer.beside)):
                if name == NOTHING or not say:
                    continue
                key = name, scorer.exponent, say
                if key not in sums:
                    weights = say * (said.baseline if name == BASELINE else said.fits[name])
                    whole = line_weights(scorer, weights, orders[at[name]])
                    sums[key] = np.bincount(at[name], whole, len(orders)).astype(np.float64, copy=False)
                scores[which] += sums[key]
        return scores

    def _number(self, parts: Sequence[Integers]) -> Integers:
        """All items of the parts, each once and rising; `_column` then has the place of each."""
        for items in parts:
            self._is_candidate[items] = True
        found = np.flatnonzero(self._is_candidate)
        self._column[found] = np.arange(len(found))
        return found
