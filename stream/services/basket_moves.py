"""What shoppers do unprompted: a line of a range gives way to a higher rung of it, or stays; and a customer who bought
in a range before comes back for a higher rung of it, or does not.

The events of one basket come from one partition, so a worker sees its snapshots one after the other and remembers, of
the latest baskets, which rung of each range they held first. That memory is lost with the worker, and what it saw in
the last seconds; a batch that is worked on twice is seen twice. These counts are hints and claim no more.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

from stream.decisions.attribution import climb_band, step_band, tier_word
from stream.decisions.habits import last_rung
from stream.decisions.ladder import Ladder
from stream.decisions.model import Basket, Product
from stream.decisions.views import Views
from stream.errors import StateUnavailable
from stream.ops.tally import Tally
from stream.tables.acceptance import HELD, UP, AcceptanceCounts, move_field, pane_of

MOST_BASKETS = 50_000
"""Baskets with a range in them that are remembered; beyond, the one seen longest ago is forgotten."""

MOST_WAITING = 20_000
"""Different counts that wait to be told, while Redis is away; no more are taken in."""

Counts = Counter[tuple[int, str]]


class BasketMoves:
    """Notes moves, and tells the tables of them."""

    def __init__(self, table: AcceptanceCounts, tally: Tally, worker: str) -> None:
        self._table, self._tally, self._worker = table, tally, worker
        #: The product of each range that a basket held first, None once it moved up from it.
        self._held: OrderedDict[str, dict[str, Product | None]] = OrderedDict()
        self._counts: Counts = Counter()
        self._telling: Counts = Counter()
        self._number = 0

    def note(self, baskets: Sequence[Basket], views: Views) -> None:
        """Look at baskets in the order of their events. A shop without ranges pays nothing."""
        if not views.ladders or len(self._counts) > MOST_WAITING:
            return
        lines = views.lines
        for basket in baskets:
            for line in basket.lines:
                seen = lines.get(line.sku)
                if seen is not None and seen.ranged is not None and line.sku != basket.viewing:
                    self._see(basket, seen.ranged, views)

    def _see(self, basket: Basket, product: Product, views: Views) -> None:
        range_id = product.range_id or ""
        ladder = views.ladders.get(range_id)
        if ladder is None:
            return
        held = self._held.setdefault(basket.basket_id, {})
        self._held.move_to_end(basket.basket_id)
        if len(self._held) > MOST_BASKETS:
            self._held.popitem(last=False)
        if range_id not in held:
            shopper = views.shoppers.get(basket.customer or "")
            if shopper is not None and shopper.habits is not None:
                before = last_rung(shopper.habits, ladder, views.skus)
                if before is not None and self._hold(basket, before, ladder):
                    self._go_up(basket, before, product, ladder)
            held[range_id] = product if self._hold(basket, product, ladder) else None
            return
        first = held[range_id]
        if first is None or any(line.sku == first.sku for line in basket.lines):
            return
        if self._go_up(basket, first, product, ladder):
            held[range_id] = None

    def _hold(self, basket: Basket, held: Product, ladder: Ladder) -> bool:
        """Count a rung that is held; whether there is one above it."""
        bands = {_band(held, higher) for higher in ladder.above(held)}
        for band in bands:
            self._count(basket, HELD, band, held.range_id or "")
        return bool(bands)

    def _go_up(self, basket: Basket, held: Product, product: Product, ladder: Ladder) -> bool:
        """Count a move if `product` is a rung above the one held; whether it is."""
        if all(higher.sku != product.sku for higher in ladder.above(held)):
            return False
        self._count(basket, UP, _band(held, product), held.range_id or "")
        self._tally.add("moves up")
        return True

    def _count(self, basket: Basket, outcome: str, band: str, range_id: str) -> None:
        field = move_field(outcome, band, tier_word(basket.tier), range_id)
        self._counts[pane_of(basket.at_ms or 0), field] += 1

    async def tell(self, now_ms: int) -> None:
        """Tell the tables what was noted since; what cannot be told now is told the next time, under its number."""
        if not self._telling:
            if not self._counts:
                return
            self._telling, self._counts = self._counts, Counter()
            self._number += 1
        try:
            await self._table.add_moves(self._worker, self._number, self._telling, now_ms)
        except StateUnavailable:
            self._tally.add("moves.waiting")
        else:
            self._telling = Counter()


def _band(held: Product, higher: Product) -> str:
    return climb_band(held.rung, step_band(held.price or 0, higher.price or 0))
