"""The stream as its own test set: orders are asked about before they are counted, and the scorers' hits are told.

Of each batch a bounded sample is measured. What is known then is what a basket would have been answered from: the
worker's views, which may be as old as theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import numpy as np

from stream.decisions.hide_one import hidden_sku, is_sampled
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.scorers import FITS, GRID, SERVED
from stream.decisions.selection import Selection, choose
from stream.decisions.selection import Tally as Tallies
from stream.evaluation.ranking import GridRanker, Integers, Said
from stream.events import Line, OrderPlaced
from stream.ops.tally import Tally
from stream.services.neighbour_fitter import HEADS_KEPT
from stream.tables.tables import Tables
from stream.tables.view_cache import ViewCache
from stream.tables.view_reader import ViewReader

logger = logging.getLogger(__name__)

MEASURED: Final = tuple(scorer for scorer in GRID if not scorer.own)
"""The part of the grid that a worker can ask: what a customer bought before is in no table."""

NAMES: Final = [scorer.name for scorer in MEASURED]

FIRST: Final = MEASURED.index(SERVED)
"""The scorer that serves until enough orders were measured."""

ONE_IN: Final = 4
MOST_A_BATCH: Final = 4
"""One order in so many is measured, and at most so many of a batch: some ten milliseconds."""

CHOSEN_FROM: Final = 500
"""Measured orders of all workers from which they say who serves; before, it is the scorer that wins on most shops."""

TOLD_EVERY_S: Final = 5.0
HEADS_EVERY_S: Final = 60.0

_NONE: Integers = np.zeros(0, np.int64)


def serving(tally: Tallies, held: int) -> int:
    """The scorer of `MEASURED` that serves, given the one that does."""
    return choose(tally, held).scorer if tally.orders >= CHOSEN_FROM else held


class ScorerWatch:
    """Measures a sample of the orders of this worker, and tells the tables now and then."""

    def __init__(self, tables: Tables, views: ViewReader, policy: Policy, tally: Tally, worker: str) -> None:
        self._tables, self._views, self._policy, self._tally = tables, views, policy, tally
        self._worker = worker
        self._ranker = GridRanker(MEASURED, policy.min_together)
        self.selection = Selection(len(MEASURED))
        self.serving = FIRST
        self._heads: list[str] = []
        self._heads_due_s = self._told_due_s = -np.inf

    async def measure(self, orders: Sequence[OrderPlaced], now_s: float, now_ms: int) -> None:
        """Ask about a sample of orders that are not counted yet. Raises StateUnavailable."""
        asked = [
            (order, hidden)
            for order in orders
            if is_sampled(order.order_id, ONE_IN)
            and (hidden := hidden_sku(order.order_id, {line.sku for line in order.lines})) is not None
        ][:MOST_A_BATCH]
        if not asked:
            return
        await self._look_at_heads(now_s)
        await self._views.read([_basket(order, self._heads) for order, _ in asked], now_s)
        for order, hidden in asked:
            self._measure(order, hidden, self._views.cache)
        self._tally.add("scorers.measured", len(asked))
        if now_s >= self._told_due_s:
            self._told_due_s = now_s + TOLD_EVERY_S
            await self._tables.scorers.put(self._worker, NAMES, self.selection.total(), now_ms)
            self._serve((await self._tables.scorers.read(NAMES, now_ms)).tally)

    def _serve(self, tally: Tallies) -> None:
        """Let the scorer speak that all workers' orders speak for."""
        chosen = serving(tally, self.serving)
        if chosen != self.serving:
            self.serving = chosen
            self._views.serve(MEASURED[chosen])
            self._tally.add("scorers.changed")
            logger.info("lines speak by the scorer %s from now on", NAMES[chosen])

    def _measure(self, order: OrderPlaced, hidden: str, cache: ViewCache) -> None:
        skus = sorted({line.sku for line in order.lines} - {hidden})
        lines = [item for item in cache.number(skus) if item in cache.lists]
        heads = [item for item in cache.number(self._heads) if item in cache.lists]
        [target] = cache.number([hidden])
        orders = cache.order_counts.copy()
        orders[heads] = [cache.lists[head].orders for head in heads]
        ranked = self._ranker.rank(
            lines, self._said(cache, lines), np.array(heads, np.int64), {}, orders, cache.total_orders
        )
        self.selection.add(ranked.ranks(target))

    def _said(self, cache: ViewCache, lines: Sequence[int]) -> Said:
        """What the lines say; the baseline speaks for a line until its first fit."""
        lists = [cache.lists[line] for line in lines]
        prior = self._policy.prior_orders
        baseline = [kept.counts / (kept.orders + prior) for kept in lists]
        fitted = [cache.fits.get(line) for line in lines]
        neighbours = [
            kept.partners if fit is None else fit.items for kept, fit in zip(lists, fitted, strict=True)
        ]
        return Said(
            partners=np.concatenate([_NONE, *(kept.partners for kept in lists)]),
            together=np.concatenate([_NONE, *(kept.counts for kept in lists)]),
            baseline=np.concatenate([np.zeros(0), *baseline]),
            neighbours=np.concatenate([_NONE, *neighbours]),
            fits={
                name: np.concatenate(
                    [
                        np.zeros(0),
                        *(
                            own if fit is None else fit.weights[which]
                            for own, fit in zip(baseline, fitted, strict=True)
                        ),
                    ]
                )
                for which, name in enumerate(FITS)
            },
        )

    async def _look_at_heads(self, now_s: float) -> None:
        if now_s >= self._heads_due_s:
            idents = await self._tables.fitted.heads(HEADS_KEPT)
            names = await self._tables.dictionary.names(idents) if idents else {}
            self._heads = [names[ident] for ident in idents if ident in names]
            self._heads_due_s = now_s + (HEADS_EVERY_S if self._heads else TOLD_EVERY_S)


def _basket(order: OrderPlaced, heads: Sequence[str]) -> Basket:
    """What has to be read to ask about an order: its lines, and the shop's most ordered items."""
    skus = sorted({line.sku for line in order.lines} | set(heads))
    return Basket(
        suggestion_id="",
        basket_id=order.order_id,
        channel=order.channel,
        currency=order.currency,
        lines=[Line(sku, 1, 0) for sku in skus],
    )
