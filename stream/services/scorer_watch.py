"""The stream as its own test set: orders are asked about before they are counted, and the scorers' hits are kept.

Which orders are measured depends on the log alone. What is known then is what a basket would have been answered from:
the worker's views, which may be as old as theirs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.scorers import GRID, SERVED
from stream.decisions.selection import CHOSEN_FROM, LOOK_EVERY, lead_over_the_rest, serving
from stream.evaluation.ranking import GridRanker, Integers
from stream.evaluation.said import LineFit, SaidLine, said_by
from stream.events import Line, OrderPlaced
from stream.ops.tally import Tally
from stream.services.neighbour_fitter import HEADS_KEPT
from stream.services.partition_tally import Arrival, PartitionTally
from stream.tables.fitted import HeadsCounted
from stream.tables.tables import Tables
from stream.tables.view_cache import ViewCache
from stream.tables.view_reader import ViewReader

logger = logging.getLogger(__name__)

NAMES: Final = [scorer.name for scorer in GRID]

FIRST: Final = GRID.index(SERVED)
"""The scorer that serves until enough orders were measured."""


class _Heads(NamedTuple):
    """The SKUs most ordered, replaced as a whole: several partitions are measured side by side."""

    names: Sequence[str] = ()
    idents: Sequence[bytes] = ()
    orders: Sequence[int] = ()
    read_s: float = -math.inf
    """When their orders were read, seconds."""
    counted: HeadsCounted | None = None


class ScorerWatch:
    """Measures a sample of the orders of this worker's partitions, and chooses the scorer that serves."""

    def __init__(self, tables: Tables, views: ViewReader, policy: Policy, tally: Tally) -> None:
        self._tables, self._views, self._tally = tables, views, tally
        self._ranker = GridRanker(GRID, policy)
        self._partitions: dict[str, tuple[int, PartitionTally]] = {}
        self._heads = _Heads()

    async def measure(self, source: str, assignment: int, orders: Sequence[Arrival], now_s: float) -> None:
        """Ask about a sample of orders that are not counted yet, of one partition. Raises StateUnavailable."""
        partition = await self._partition(source, assignment)
        asked = partition.sample(orders)
        if not asked:
            return
        await self._look_at_heads(now_s)
        await self._views.read([_basket(one.arrival.order) for one in asked], now_s, keep_back=True)
        before = partition.measured
        for arrival, hidden in asked:
            partition.add(arrival, self._ranks(arrival.order, hidden, self._views.cache))
        self._tally.add("scorers.measured", len(asked))
        await self._tables.scorers.keep(source, partition.changed())
        partition.kept()
        if before // LOOK_EVERY != partition.measured // LOOK_EVERY:
            await self._choose()

    async def _partition(self, source: str, assignment: int) -> PartitionTally:
        """The tally of a partition, as of the tables when the partition came to us."""
        held = self._partitions.get(source)
        if held is None or held[0] != assignment:
            blocks = await self._tables.scorers.of(source, NAMES)
            held = self._partitions[source] = assignment, PartitionTally(NAMES, blocks)
        return held[1]

    async def _choose(self) -> None:
        """Let the scorer serve that the orders of all partitions speak for."""
        found = await self._tables.scorers.read(NAMES)
        for name, hits in zip(NAMES, found.tally.hits.tolist(), strict=True):
            self._tally.set(f"scorers.hits.{name}", hits)
        self._tally.set("scorers.orders", found.tally.orders)
        if found.tally.orders < CHOSEN_FROM:
            return
        held = NAMES.index(found.serving) if found.serving in NAMES else FIRST
        chosen = serving(found.tally, held)
        self._tally.counts["scorers.margin"] = lead_over_the_rest(found.tally, chosen)
        if NAMES[chosen] != found.serving:
            await self._tables.scorers.serve(NAMES[chosen])
            self._tally.add("scorers.chosen")
            logger.info("baskets are answered by the scorer %s from now on", NAMES[chosen])

    def _ranks(self, order: OrderPlaced, hidden: str, cache: ViewCache) -> Integers:
        skus = sorted({line.sku for line in order.lines} - {hidden})
        lines = [item for item in cache.number(skus) if item in cache.lists]
        heads = cache.number(self._heads.names)
        [target] = cache.number([hidden])
        orders = cache.order_counts.copy()
        orders[heads] = self._heads.orders
        diary = None if order.customer_id is None else cache.diaries.get(order.customer_id)
        ranked = self._ranker.rank(
            lines,
            said_by([_said(cache, line) for line in lines]),
            np.array(heads, np.int64),
            None if diary is None else diary.habits,
            orders,
            cache.total_orders,
        )
        return ranked.ranks(target)

    async def _look_at_heads(self, now_s: float) -> None:
        counted, heads = await self._tables.fitted.heads_counted(), self._heads
        if heads.counted is None or counted.orders != heads.counted.orders:
            idents = await self._tables.fitted.heads(HEADS_KEPT)
            names = await self._tables.dictionary.names(idents) if idents else {}
            known = [ident for ident in idents if ident in names]
            heads = _Heads([names[ident] for ident in known], known, counted=counted)
        if heads.read_s <= now_s - self._views.half_age_s:
            orders = await self._tables.neighbours.order_counts(heads.idents)
            self._heads = heads._replace(orders=orders, read_s=now_s)


def _said(cache: ViewCache, line: int) -> SaidLine:
    kept, fit = cache.lists[line], cache.fits.get(line)
    held = None if fit is None else LineFit(fit.items, fit.together, fit.weights)
    return SaidLine(kept.orders, kept.partners, kept.counts, held)


def _basket(order: OrderPlaced) -> Basket:
    """What has to be read to ask about an order: what its lines say, and its customer's orders before."""
    skus = sorted({line.sku for line in order.lines})
    return Basket(
        suggestion_id="",
        basket_id=order.order_id,
        channel=order.channel,
        currency=order.currency,
        lines=[Line(sku, 1, 0) for sku in skus],
        customer=order.customer_id,
    )
