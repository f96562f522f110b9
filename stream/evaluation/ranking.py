"""Scores of one basket's candidates by every scorer of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.fitted_rows import with_baseline
from stream.decisions.habits import Habits
from stream.decisions.neighbours import baseline_weights
from stream.decisions.policy import Policy
from stream.decisions.popularity import may_speak
from stream.decisions.precision import supported
from stream.decisions.scorers import (
    BASELINE,
    FITS,
    NOTHING,
    Scorer,
    line_weights,
    own_weights,
    popular_weights,
    whole,
)
from stream.decisions.selection import MISSED, TOP
from stream.evaluation.neighbourhoods import Neighbourhoods
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.said import Said, said_by

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NONE: Final = -1
"""In the place of an offer there is none for."""


class Ranked(NamedTuple):
    """Candidates by number, rising, and the score each scorer gives them in whole numbers; -inf for a line.

    `together` are the orders that speak for them, by scorer: of two with one score the more often met stands first.
    """

    items: Integers
    scores: Floats
    together: Integers

    def ranks(self, item: int) -> Integers:
        """The place of an item in each scorer's ranking, from 0; MISSED where it would not be offered.

        As in the decision core: equal scores rank by the orders that speak for them, then by SKU, and a score of 0 or
        below is no offer.
        """
        at = int(self.items.searchsorted(item))
        if at == len(self.items) or self.items[at] != item:
            return np.full(len(self.scores), MISSED, np.int64)
        own, met = self.scores[:, at, None], self.together[:, at, None]
        before = (self.together > met) | ((self.together == met) & (np.arange(len(self.items)) < at))
        above = ((self.scores > own) | ((self.scores == own) & before)).sum(axis=1)
        return np.where(own[:, 0] > 0, above, MISSED)

    def offers(self) -> Integers:
        """The first items of each scorer's ranking, NONE where there are fewer."""
        offers = np.full((len(self.scores), TOP), NONE, np.int64)
        best = np.lexsort((-self.together, -self.scores), axis=1)[:, :TOP]
        offered = np.take_along_axis(self.scores, best, axis=1) > 0
        offers[:, : best.shape[1]] = np.where(offered, self.items[best], NONE)
        return offers


class Ranker:
    """Ranks the candidates of baskets from the counts of the moment."""

    def __init__(self, counts: PairCounts, grid: Sequence[Scorer], policy: Policy) -> None:
        self._counts = counts
        self._grid = GridRanker(grid, policy)
        self.neighbourhoods = Neighbourhoods(counts)

    def rank(self, lines: Sequence[int], habits: Habits | None) -> Ranked:
        """Candidates of a basket with these lines, of a customer with these habits."""
        counts = self._counts
        heads = np.array(self.neighbourhoods.heads(), np.int64)
        said = said_by(self.neighbourhoods.said(lines))
        return self._grid.rank(lines, said, heads, habits, counts.orders, counts.total)


class GridRanker:
    """Adds up what is said of each candidate, by every scorer of a grid, under the rules of the decision core."""

    def __init__(self, grid: Sequence[Scorer], policy: Policy) -> None:
        self._grid, self._policy = grid, policy
        self._column = np.zeros(0, np.int64)
        self._is_candidate = np.zeros(0, np.bool_)

    def rank(
        self,
        lines: Sequence[int],
        said: Said,
        heads: Integers,
        habits: Habits | None,
        orders_of: Integers,
        total: int,
    ) -> Ranked:
        """Candidates of a basket, with the orders that hold each item (by number) and all orders at hand."""
        if len(orders_of) > len(self._column):
            self._column = np.zeros(len(orders_of), np.int64)
            self._is_candidate = np.zeros(len(orders_of), np.bool_)
        own = np.zeros(0, np.int64) if habits is None else habits.items
        items = self._number([said.partners, said.neighbours, heads, own])
        at_heads, at_own = self._column[heads], self._column[own]
        scores, together = self._spoken(said, orders_of, total, len(items))
        for which, scorer in enumerate(self._grid):
            # Sums of whole numbers: exact in floats, whatever the order.
            if may_speak(scorer, self._policy, measured=True):
                scores[which, at_heads] += popular_weights(scorer, orders_of[heads], total)
                together[which, at_heads] += orders_of[heads]
            if scorer.own and habits is not None:
                scores[which, at_own] += own_weights(scorer, habits.frequency, total)
                together[which, at_own] += habits.times
        scores[:, self._column[[line for line in lines if self._is_candidate[line]]]] = -np.inf
        self._is_candidate[items] = False
        return Ranked(items, scores, together)

    def _spoken(self, said: Said, orders_of: Integers, total: int, size: int) -> tuple[Floats, Integers]:
        """What the lines say of each candidate, by every scorer: sums of weights, and of orders that held both."""
        scores = np.zeros((len(self._grid), size))
        together = np.zeros((len(self._grid), size), np.int64)
        base = baseline_weights(
            said.together, said.line_orders, orders_of[said.partners], total, self._policy
        )
        for which, scorer in enumerate(self._grid):
            if scorer.weights == NOTHING:
                continue
            speaks = base.kept if scorer.weights == BASELINE else base.kept & said.unfitted
            self._add(
                scores[which],
                together[which],
                said.partners[speaks],
                whole(base.weights[speaks]),
                said.together[speaks],
            )
            if scorer.weights in FITS:
                claimed = supported(
                    with_baseline(
                        said.fits[scorer.weights],
                        said.now,
                        said.fit_orders,
                        scorer,
                        self._policy,
                    ),
                    said.met,
                    self._policy.min_together,
                )
                weights = line_weights(scorer, claimed, orders_of[said.neighbours])
                held = weights != 0
                self._add(
                    scores[which], together[which], said.neighbours[held], weights[held], said.met[held]
                )
        return scores, together

    def _add(
        self, scores: Floats, together: Integers, items: Integers, weights: Integers, met: Integers
    ) -> None:
        columns = self._column[items]
        scores += np.bincount(columns, weights, len(scores))
        together += np.bincount(columns, met, len(scores)).astype(np.int64)

    def _number(self, parts: Sequence[Integers]) -> Integers:
        """All items of the parts, each once and rising; `_column` then has the place of each."""
        for items in parts:
            self._is_candidate[items] = True
        found = np.flatnonzero(self._is_candidate)
        self._column[found] = np.arange(len(found))
        return found
