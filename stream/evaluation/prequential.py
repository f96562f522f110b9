"""The protocol: ask about each order with one item hidden, then count it.

The first 80 % of the orders only teach. The scorer that serves is chosen by a rolling tally that is kept while
teaching, too, over as many of the last orders as it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from stream.decisions.hide_one import hidden_sku, is_sampled
from stream.decisions.policy import Policy
from stream.decisions.scorers import SERVED, Scorer
from stream.decisions.selection import BLOCK_ORDERS, KEPT_BLOCKS, Selection
from stream.evaluation.figures import HEADS, Figures
from stream.evaluation.numbered import NOBODY, NumberedHistory, NumberedOrder
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.ranking import Ranker
from stream.services.partition_tally import ONE_IN

TAUGHT: Final = 0.8
"""Share of the orders that only teach."""

_STRANGER: Mapping[int, int] = MappingProxyType({})


class Question(NamedTuple):
    """An evaluated order: what is in the basket, what was hidden, and the heads of the moment."""

    lines: list[int]
    hidden: int
    heads: frozenset[int]


class Prequential:
    """Feeds a history to the counts and the grid, and gathers figures from the point where teaching ends."""

    def __init__(self, history: NumberedHistory, grid: Sequence[Scorer], policy: Policy) -> None:
        self._history, self._grid = history, grid
        self.counts = PairCounts(history.skus)
        self.ranker = Ranker(self.counts, grid, policy)
        self.selection = Selection(len(grid), grid.index(SERVED) if SERVED in grid else 0)
        self.figures = {scorer.name: Figures(len(history.skus)) for scorer in grid}
        self.served = Figures(len(history.skus))
        self._bought: dict[int, dict[int, int]] = {}

    def run(self, on_question: Callable[[Question], None], on_progress: Callable[[int], None]) -> None:
        """Ask and count every order. `on_question` sees what was asked after teaching ended."""
        orders = self._history.orders
        taught = int(len(orders) * TAUGHT)
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
            ranked = self.ranker.rank(question.lines, self._bought_by(order))
            self.selection.add(ranked.ranks(question.hidden))

    def _evaluate(self, order: NumberedOrder, on_question: Callable[[Question], None]) -> None:
        if (question := self._ask(order)) is None:
            return
        ranked = self.ranker.rank(question.lines, self._bought_by(order))
        ranks, offers = ranked.ranks(question.hidden), ranked.offers()
        for which, scorer in enumerate(self._grid):
            self.figures[scorer.name].add(int(ranks[which]), offers[which], question.heads)
        serving = self.selection.serving
        self.served.add(int(ranks[serving]), offers[serving], question.heads)
        if is_sampled(order.order_id, ONE_IN):
            self.selection.add(ranks)
        on_question(question)

    def _bought_by(self, order: NumberedOrder) -> Mapping[int, int]:
        return self._bought.get(order.customer, _STRANGER)

    def _count(self, order: NumberedOrder) -> None:
        self.counts.add(order.items)
        if order.customer != NOBODY:
            bought = self._bought.setdefault(order.customer, {})
            for item in order.items:
                bought[item] = bought.get(item, 0) + 1
