"""Reads what customers bought and what everybody buys into a worker's cache, for the baskets that can use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import numpy as np

from stream.decisions.habits import Floats, Habits, habits_of, own_rows
from stream.decisions.model import Basket
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.policy import Policy
from stream.decisions.popularity import may_speak, popular_row
from stream.decisions.scorers import Scorer
from stream.decisions.views import Shopper
from stream.tables.diary import purchases
from stream.tables.tables import Tables
from stream.tables.view_cache import NEVER, Diary, Items, ViewCache

MOST_DIARIES: Final = 20_000
"""Customers whose habits a worker remembers before it starts afresh: some kB each."""

MOST_HEADS: Final = 70
"""Most ordered SKUs that popularity may offer."""

HEADS_EVERY_S: Final = 10.0
"""How often a worker asks which SKUs they are; how often each is ordered it reads as often as everything else."""

Number = Callable[[Sequence[bytes]], Awaitable[Items]]
"""The dense indices of SKU ids, -1 where nobody knows the SKU."""
Boosts = Callable[[Items], Floats | None]
"""The policy's factors on items; None where it has none."""

_NO_ITEMS = np.zeros(0, np.int64)


class PersonalReader:
    """What a scorer says of a customer's own purchases and of popularity, and what is due by a rhythm."""

    def __init__(self, tables: Tables, half_age_s: float) -> None:
        self._tables, self._half_age_s = tables, half_age_s
        self._pane_ms = tables.window.pane_ms
        self._heads: list[bytes] = []
        self._heads_read_s = NEVER

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

    async def read_heads(
        self, cache: ViewCache, scorer: Scorer, policy: Policy, measured: bool, number: Number, now_s: float
    ) -> Items:
        """The most ordered items, none where popularity may not speak."""
        if not may_speak(scorer, policy, measured):
            return _NO_ITEMS
        if not self._heads or self._heads_read_s <= now_s - HEADS_EVERY_S:
            self._heads, self._heads_read_s = await self._tables.fitted.heads(MOST_HEADS), now_s
        items = await number(self._heads)
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
            name: Shopper(row, bought.rhythms)
            for (name, bought), row in zip(habits.items(), rows, strict=True)
        }

    def popular(
        self, cache: ViewCache, baskets: Iterable[Basket], heads: Items, scorer: Scorer, boosts: Boosts
    ) -> dict[tuple[str, str], NeighbourRow]:
        """The row of the most ordered items for each channel and tier among the baskets."""
        if not len(heads):
            return {}
        factors = boosts(heads)
        row = popular_row(
            scorer,
            heads,
            cache.order_counts[heads],
            cache.total_orders,
            boosts=1.0 if factors is None else factors,
        )
        return {(basket.channel, basket.tier): row for basket in baskets}
