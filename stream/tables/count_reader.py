"""Reads co-purchase counts into a worker's cache, of pairs and of orders, and makes the learned rows of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.decisions.neighbours import neighbour_rows
from stream.decisions.policy import Policy
from stream.tables.neighbours import Neighbours, unpack
from stream.tables.view_cache import Boosts, Items, Number, PartnerList, ViewCache


class CountReader:
    """Keeps what changed; lists that are the same bytes as before cost a comparison."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours

    async def keep_lists(
        self, cache: ViewCache, lines: Sequence[int], packed: Sequence[bytes], number: Number
    ) -> None:
        """Keep the lists that changed, without partners whose SKU nobody wrote down."""
        changed = [
            (line, raw)
            for line, raw in zip(lines, packed, strict=True)
            if line not in cache.lists or cache.lists[line].raw != raw
        ]
        lists = [unpack(raw) for _, raw in changed]
        numbers = await number([ident for _, idents, _ in lists for ident in idents])
        start = 0
        for (line, raw), (orders, idents, counts) in zip(changed, lists, strict=True):
            partners = numbers[start : start + len(idents)]
            known = partners >= 0
            cache.lists[line] = PartnerList(raw, orders, partners[known], counts[known])
            cache.outdate(line)
            start += len(idents)

    async def read_orders(self, cache: ViewCache, items: Items, now_s: float) -> None:
        """Read the order counts that are stale."""
        stale = cache.counts_read.stale(items, now_s)
        if len(stale):
            counts = await self._neighbours.order_counts([cache.idents[i] for i in stale])
            cache.count(stale, np.array(counts, np.int64))
            cache.counts_read.read(stale, now_s)

    @staticmethod
    def derive(cache: ViewCache, lines: Sequence[int], policy: Policy, boosts: Boosts) -> None:
        """The learned rows of lines whose lists and counts are at hand."""
        lists = [cache.lists[line] for line in lines]
        partners = np.concatenate([kept.partners for kept in lists])
        rows = neighbour_rows(
            lines,
            [kept.orders for kept in lists],
            np.cumsum([0, *(len(kept.partners) for kept in lists)]),
            partners.astype(np.int32),
            np.concatenate([kept.counts for kept in lists]),
            cache.order_counts[partners],
            cache.total_orders,
            policy,
            boosts(partners),
        )
        cache.learned.update(zip(lines, rows, strict=True))
