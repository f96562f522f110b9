"""Reads, once for a fetched batch of baskets, everything their decisions may know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from stream.decisions.candidates import rungs_to_offer
from stream.decisions.complements import complement_row
from stream.decisions.ladder import build_ladder
from stream.decisions.model import Basket, Product, product_of
from stream.decisions.neighbours import neighbour_rows
from stream.decisions.policy import Policy
from stream.decisions.views import Views
from stream.tables.catalogue import DELISTED, read_product
from stream.tables.neighbours import unpack
from stream.tables.tables import Tables
from stream.tables.view_cache import ViewCache

MOST_CACHED = 250_000
"""SKUs a worker remembers before it starts afresh: about a kilobyte each."""

PartnerList = tuple[int, list[bytes], npt.NDArray[np.int64]]
Numbers = npt.NDArray[np.int32]


class ViewReader:
    """Reads views through a worker-local cache, a handful of round trips a batch."""

    def __init__(self, tables: Tables, policy: Policy, *, max_age_s: float) -> None:
        self._tables, self._policy, self._half_age_s = tables, policy, max_age_s / 2
        self._window_days = tables.window.days()
        self._cache = ViewCache(self._half_age_s)

    async def read(self, baskets: Sequence[Basket], now_ms: int, now_s: float) -> Views:
        """The views of these baskets; nothing in them is older than the maximal age at `now_s`.

        Raises StateUnavailable.
        """
        if len(self._cache.skus) > MOST_CACHED:
            self._cache = ViewCache(self._half_age_s)
        lines = self._cache.number({line.sku: None for basket in baskets for line in basket.lines})
        await self._read_products(lines, now_s)
        await self._read_ladders(lines, now_s)
        rungs = self._cache.number(sorted(rungs_to_offer(baskets, self._views(), self._policy, now_ms)))
        await self._read_candidates([*lines, *rungs], now_s)
        return self._views()

    def _views(self) -> Views:
        cache = self._cache
        return Views(
            index=cache.index,
            skus=cache.skus,
            products=cache.products,
            learned=cache.learned,
            named=cache.named,
            ladders=cache.ladders,
            window_days=self._window_days,
        )

    async def _read_products(self, items: Iterable[int], now_s: float) -> None:
        cache = self._cache
        stale = cache.products_read.stale(items, now_s)
        if not stale:
            return
        events = await self._tables.catalogue.products([cache.idents[item] for item in stale])
        cache.products_read.read(stale, now_s)
        for item, event in zip(stale, events, strict=True):
            if event != cache.product_events[item]:
                cache.product_events[item] = event
                cache.products[item] = _product(cache.skus[item], event)

    async def _read_ladders(self, lines: Iterable[int], now_s: float) -> None:
        """Ladders of the ranges that lines stand in, with all their products."""
        cache = self._cache
        products = [cache.products[line] for line in lines]
        ranges = {p.range_id: None for p in products if p is not None and p.range_id is not None}
        for name in ranges:
            cache.ranges.setdefault(name, len(cache.ranges))
        asked = {cache.ranges[name]: name for name in ranges}
        stale = cache.ladders_read.stale(asked, now_s)
        if stale:
            members = await self._tables.catalogue.ladder_members([asked[item] for item in stale])
            await self._fill_ladders(members, now_s)
            cache.ladders_read.read(stale, now_s)

    async def _fill_ladders(self, members: dict[str, list[bytes]], now_s: float) -> None:
        cache = self._cache
        numbers = await self._number([ident for idents in members.values() for ident in idents])
        await self._read_products([item for item in numbers if item >= 0], now_s)
        for name, idents in members.items():
            products = (cache.products[cache.by_ident[ident]] for ident in idents if ident in cache.by_ident)
            held = tuple(p for p in products if p is not None and p.range_id == name)
            if held != cache.ladder_members.get(name):
                cache.ladder_members[name] = held
                cache.ladders[name] = build_ladder(held, self._policy)

    async def _read_candidates(self, lines: Iterable[int], now_s: float) -> None:
        """Partner lists with the order counts they are weighed by, complements, and the products of both.

        Candidates are looked at when their line is: half the maximal age for the line and half for them.
        """
        cache = self._cache
        stale = cache.lists_read.stale(lines, now_s)
        if not stale:
            return
        packed, total = await asyncio.gather(
            self._tables.neighbours.read([cache.idents[item] for item in stale]),
            self._tables.neighbours.total_orders(),
        )
        lists = [unpack(raw) for raw in packed]
        partners = await self._number([ident for _, idents, _ in lists for ident in idents])
        known_partners = [item for item in partners if item >= 0]
        await asyncio.gather(
            self._read_counts(known_partners, now_s),
            self._read_products([*known_partners, *self._complements(stale)], now_s),
        )
        self._keep_rows(stale, lists, np.asarray(partners, np.int32), total)
        self._name_complements(stale)
        cache.lists_read.read(stale, now_s)

    def _keep_rows(
        self, lines: Sequence[int], lists: Sequence[PartnerList], numbers: Numbers, total: int
    ) -> None:
        """Derive and keep the row of each line; partners whose SKU nobody wrote down are left out."""
        counts = np.concatenate([np.zeros(0, np.int64), *(counts for _, _, counts in lists)])
        bounds = np.cumsum([0, *(len(partners) for _, partners, _ in lists)])
        known = numbers >= 0
        before = np.concatenate([[0], np.cumsum(known)])[bounds]
        rows = neighbour_rows(
            lines,
            [orders for orders, _, _ in lists],
            before,
            numbers[known],
            counts[known],
            self._cache.order_counts[numbers[known]],
            total,
            self._policy,
        )
        self._cache.learned.update(zip(lines, rows, strict=True))

    async def _read_counts(self, items: Iterable[int], now_s: float) -> None:
        cache = self._cache
        stale = cache.counts_read.stale(items, now_s)
        if stale:
            counts = await self._tables.neighbours.order_counts([cache.idents[item] for item in stale])
            cache.order_counts[stale] = counts
            cache.counts_read.read(stale, now_s)

    async def _number(self, idents: Sequence[bytes]) -> list[int]:
        unknown = [ident for ident in idents if ident not in self._cache.by_ident]
        names = await self._tables.dictionary.names(unknown) if unknown else {}
        return self._cache.number_idents(idents, names)

    def _complements(self, lines: Iterable[int]) -> list[int]:
        named = (self._cache.products[line] for line in lines)
        return self._cache.number([sku for p in named if p is not None for sku, _ in p.complements])

    def _name_complements(self, lines: Iterable[int]) -> None:
        cache = self._cache
        for line in lines:
            product = cache.products[line]
            if product is not None and product.complements:
                cache.named[line] = complement_row(product, cache.index, self._policy)
            else:
                cache.named.pop(line, None)


def _product(sku: str, event: bytes | None) -> Product | None:
    """The product of a stored event: None if the catalogue never had it."""
    if event is None:
        return None
    if event == DELISTED:
        return Product(sku=sku, delisted=True)
    return product_of(read_product(event))
