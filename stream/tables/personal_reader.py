"""Reads what customers bought and what everybody buys into a worker's cache, for the baskets that can use it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from stream.decisions.habits import Floats, Habits, habits_of, own_rows
from stream.decisions.model import Basket
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.order_sample import OrderSample
from stream.decisions.policy import Policy
from stream.decisions.popularity import may_speak, popular_row
from stream.decisions.sampled import Said, said_of, sampled_rows
from stream.decisions.scorers import Scorer
from stream.decisions.views import Shopper
from stream.tables.diary import purchases
from stream.tables.fitted import HeadsCounted
from stream.tables.tables import Tables
from stream.tables.view_cache import NEVER, Boosts, Diary, Items, Number, ViewCache

MOST_DIARIES: Final = 20_000
"""Customers whose habits a worker remembers before it starts afresh: some kB each."""

MOST_HEADS: Final = 70
"""Most ordered SKUs that popularity may offer."""


class SegmentHeads(NamedTuple):
    """A segment's name and sampled orders, its most ordered items, and how many of its orders held each."""

    name: str
    orders: int
    items: Items
    counts: Items


class Heads(NamedTuple):
    """The shop's most ordered items, and those of the segments of channel and tier that speak for themselves."""

    shop: Items
    segments: Mapping[tuple[str, str], SegmentHeads]

    @property
    def items(self) -> Items:
        """All of them, some more than once."""
        return np.concatenate([self.shop, *(one.items for one in self.segments.values())])


_NO_ITEMS = np.zeros(0, np.int64)


class PersonalReader:
    """What a scorer says of a customer's own purchases and of popularity, and what is due by a rhythm."""

    def __init__(self, tables: Tables, half_age_s: float) -> None:
        self._tables, self._half_age_s = tables, half_age_s
        self._pane_ms = tables.window.pane_ms
        self._heads: list[bytes] = []
        self._counted: HeadsCounted | None = None
        self._looked_s = NEVER
        self.sample = OrderSample()

    async def read_diaries(
        self, cache: ViewCache, baskets: Iterable[Basket], scorer: Scorer, number: Number, now_s: float
    ) -> Items:
        """Read the diaries of the baskets' customers that are not of late; the items to know the products of."""
        names = sorted({basket.customer for basket in baskets if basket.customer is not None})
        if not names:
            return _NO_ITEMS
        if len(cache.diaries) > MOST_DIARIES:
            cache.diaries.clear()
        fresh = now_s - self._half_age_s
        stale = [name for name in names if name not in cache.diaries or cache.diaries[name].read_s <= fresh]
        held = await self._tables.diaries.read(stale) if stale else {}
        changed = []
        for name in stale:
            raw, before = held.get(name, b""), cache.diaries.get(name)
            if before is not None and before.raw == raw:
                cache.diaries[name] = before._replace(read_s=now_s)
            else:
                changed.append((name, raw, purchases(raw)))
        numbers = (
            await number([sku for *_, bought in changed for sku in bought.skus]) if changed else _NO_ITEMS
        )
        start = 0
        for name, raw, bought in changed:
            items = numbers[start : start + len(bought.skus)]
            start += len(bought.skus)
            known = [
                (item, pane) for item, pane in zip(items.tolist(), bought.panes, strict=True) if item >= 0
            ]
            habits = habits_of([item for item, _ in known], [pane for _, pane in known], self._pane_ms)
            cache.diaries[name] = Diary(raw, now_s, habits)
        found = [cache.diaries[name].habits for name in names]
        if scorer.own:
            return np.concatenate([_NO_ITEMS, *(each.items for each in found)])
        return np.array([rhythm.item for each in found for rhythm in each.rhythms], np.int64)

    async def look(self, now_s: float) -> None:
        """Read the most ordered SKUs and the sample of orders again when the fitter has counted again."""
        if self._looked_s > now_s - self._half_age_s:
            return
        counted = await self._tables.fitted.heads_counted()
        if counted.orders != (-1 if self._counted is None else self._counted.orders):
            self._heads, self.sample = await asyncio.gather(
                self._tables.fitted.heads(MOST_HEADS), self._tables.sampling.read()
            )
        self._counted, self._looked_s = counted, now_s

    async def read_heads(
        self, baskets: Iterable[Basket], scorer: Scorer, policy: Policy, measured: bool, number: Number
    ) -> Heads:
        """The most ordered items, of all and of the baskets' segments; none where popularity may not speak."""
        if not may_speak(scorer, policy, measured):
            return Heads(_NO_ITEMS, {})
        wanted = {(basket.channel, basket.tier) for basket in baskets}
        found = {key: self.sample.segment(*key) for key in sorted(wanted)}
        segments = {key: value for key, value in found.items() if value is not None}
        items = await number([*self._heads, *(sku for _, one in segments.values() for sku, _ in one.heads)])
        parts, start = {}, len(self._heads)
        for key, (name, one) in segments.items():
            places = items[start : start + len(one.heads)]
            start += len(one.heads)
            parts[key] = SegmentHeads(
                name, one.orders, places[places >= 0], np.array([n for _, n in one.heads])[places >= 0]
            )
        shop = items[: len(self._heads)]
        return Heads(shop[shop >= 0], parts)

    async def read_sampled(
        self, cache: ViewCache, lines: Sequence[int], scorer: Scorer, policy: Policy, number: Number
    ) -> Items:
        """Put in the cache what the sample says of lines that few or no orders speak for; the candidates it names.

        Where few do, what customers came back for; where none does, what goes with the line's category, too.
        """
        said: list[Said] = []
        for line in lines if scorer.claims_association else ():
            product, learned = cache.assortment.products[line], cache.learned.get(line)
            said += said_of(self.sample, line, cache.idents[line], learned, product, policy.min_together)
        items = await number([sku for one in said for sku, _ in one.heads])
        for line in lines:
            cache.sampled.pop(line, None)
        cache.sampled.update(sampled_rows(said, items))
        return items[items >= 0]

    def shoppers(
        self, cache: ViewCache, baskets: Iterable[Basket], scorer: Scorer, boosts: Boosts
    ) -> dict[str, Shopper]:
        """What the baskets' customers buy, those left out that never bought."""
        habits: dict[str, Habits] = {}
        for basket in baskets:
            if basket.customer is not None and len((bought := cache.diaries[basket.customer].habits).items):
                habits[basket.customer] = bought
        if not habits:
            return {}
        rows: Sequence[NeighbourRow | None] = [None] * len(habits)
        if scorer.own:
            factors = [boosts(each.items) for each in habits.values()]
            known = [factor for factor in factors if factor is not None]
            rows = own_rows(scorer, list(habits.values()), cache.total_orders, known or None)
        return {
            name: Shopper(row, bought.rhythms, bought)
            for (name, bought), row in zip(habits.items(), rows, strict=True)
        }

    def popular(
        self, cache: ViewCache, baskets: Iterable[Basket], heads: Heads, scorer: Scorer, boosts: Boosts
    ) -> dict[tuple[str, str], NeighbourRow]:
        """The row of the most ordered items for each channel and tier among the baskets."""
        if not len(heads.shop):
            return {}
        total, shop = cache.total_orders, heads.shop

        def factors(items: Items) -> Floats | float:
            found = boosts(items)
            return 1.0 if found is None else found

        row = popular_row(scorer, shop, cache.order_counts[shop], total, boosts=factors(shop))
        rows = {(basket.channel, basket.tier): row for basket in baskets}
        for key, (name, orders, items, counts) in heads.segments.items():
            rows[key] = popular_row(scorer, items, counts, orders, name, factors(items), total)
        return rows
