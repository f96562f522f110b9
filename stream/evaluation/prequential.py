"""The protocol: ask about each order with one item hidden, then count it.

The first 80 % of the orders only teach. The scorer that serves is chosen by a rolling tally that is kept while
teaching, too, over as many of the last orders as it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from stream.decisions.habits import Habits, habits_of
from stream.decisions.hide_one import hidden_sku, is_sampled
from stream.decisions.policy import Policy
from stream.decisions.scorers import SERVED, Scorer
from stream.decisions.selection import BLOCK_ORDERS, KEPT_BLOCKS, MISSED, Selection
from stream.decisions.window import DAY_MS
from stream.evaluation.deciding import Decider
from stream.evaluation.figures import HEADS, Figures
from stream.evaluation.numbered import NOBODY, NumberedHistory, NumberedOrder
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.ranking import NONE, Ranker
from stream.evaluation.sampling import RecentOrders
from stream.history.catalogue import CatalogItem
from stream.history.datasets import DEFAULT_CURRENCY
from stream.services.partition_tally import ONE_IN

TAUGHT: Final = 0.8
"""Share of the orders that only teach."""


class Question(NamedTuple):
    """An evaluated order: what is in the basket, what was hidden, and the heads of the moment."""

    lines: list[int]
    hidden: int
    heads: frozenset[int]


class Prequential:
    """Feeds a history to the counts and the grid, and gathers figures from the point where teaching ends.

    What is served is what the decision core decides, by the scorer that was selected when the order came and under the
    rules of the catalogue: an upsell takes a line's place, and what replaces a line is not added. Which orders the
    selection is made from, and when, are the rules of workers; how many a second is not limited here.
    """

    def __init__(
        self,
        history: NumberedHistory,
        grid: Sequence[Scorer],
        policy: Policy,
        catalogue: Sequence[CatalogItem] = (),
        currency: str = DEFAULT_CURRENCY,
    ) -> None:
        self._history, self._grid = history, grid
        self.counts = PairCounts(history.skus)
        self.ranker = Ranker(self.counts, grid, policy)
        self.selection = Selection(len(grid), grid.index(SERVED) if SERVED in grid else 0)
        self.figures = {scorer.name: Figures(len(history.skus)) for scorer in grid}
        self._diaries: dict[int, tuple[list[int], list[int]]] = {}
        self._recent = RecentOrders(self._diaries)
        self.served = Figures(len(history.skus))
        made = (self.counts, self.ranker.neighbourhoods, history.skus, policy)
        self._decider = Decider(*made, catalogue, currency, self._recent)

    def run(self, on_question: Callable[[Question], None], on_progress: Callable[[int], None]) -> None:
        """Ask and count every order. `on_question` sees what was asked after teaching ended."""
        orders = self._history.orders
        taught = int(len(orders) * TAUGHT)
        # What was measured before would be forgotten by the time it counts.
        measured_from = taught - ONE_IN * BLOCK_ORDERS * KEPT_BLOCKS
        for at, order in enumerate(orders):
            if at >= taught:
                self._evaluate(order, on_question)
            elif at >= measured_from and is_sampled(order.order_id, ONE_IN):
                self._measure(order)
            self._count(order)
            on_progress(at + 1)

    def _ask(self, order: NumberedOrder) -> Question | None:
        skus = self._history.skus
        hidden = hidden_sku(order.order_id, {skus[item]: item for item in order.items})
        if hidden is None:
            return None
        lines = [item for item in order.items if skus[item] != hidden]
        hidden_item = next(item for item in order.items if skus[item] == hidden)
        return Question(lines, hidden_item, frozenset(self.counts.heads(HEADS).tolist()))

    def _measure(self, order: NumberedOrder) -> None:
        if (question := self._ask(order)) is not None:
            ranked = self.ranker.rank(question.lines, self._habits(order))
            self.selection.add(ranked.ranks(question.hidden))

    def _evaluate(self, order: NumberedOrder, on_question: Callable[[Question], None]) -> None:
        if (question := self._ask(order)) is None:
            return
        habits = self._habits(order)
        ranked = self.ranker.rank(question.lines, habits)
        ranks, first = ranked.ranks(question.hidden), ranked.offers()
        for which, scorer in enumerate(self._grid):
            self.figures[scorer.name].add(int(ranks[which]), first[which], question.heads)
        scorer = self._grid[self.selection.serving]
        offers = self._decider.offers(
            *(question.lines, scorer, habits, order.at_ms),
            measured=self.selection.chosen,
            channel=order.channel,
        )
        rank = offers.index(question.hidden) if question.hidden in offers else MISSED
        known = [item if item < len(self._history.skus) else NONE for item in offers]
        self.served.add(rank, np.array(known, np.int64), question.heads)
        if is_sampled(order.order_id, ONE_IN):
            self.selection.add(ranks)
        on_question(question)

    def _habits(self, order: NumberedOrder) -> Habits | None:
        if order.customer not in self._diaries:
            return None
        return habits_of(*self._diaries[order.customer], DAY_MS)

    def _count(self, order: NumberedOrder) -> None:
        self.counts.add(order.items)
        self._recent.add(order)
        if order.customer != NOBODY:
            items, panes = self._diaries.setdefault(order.customer, ([], []))
            items += order.items
            panes += [order.at_ms // DAY_MS] * len(order.items)
