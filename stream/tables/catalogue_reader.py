"""Reads products and ladders into a worker's cache; shares of the catalogue that did not change are not read again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.decisions.ladder import build_ladder
from stream.decisions.model import Product, product_of
from stream.decisions.policy import Policy
from stream.tables.catalogue import DELISTED, Catalogue, read_product
from stream.tables.view_cache import NEVER, UNREAD, Items, Number, ViewCache, distinct


class CatalogueReader:
    """The catalogue as of the last look; `half_age_s` is how long a look is good for."""

    def __init__(self, catalogue: Catalogue, half_age_s: float) -> None:
        self._catalogue, self._half_age_s = catalogue, half_age_s
        self._versions: Items = np.zeros(0, np.int64)
        self._read_s = NEVER

    def forget(self) -> None:
        """Look again at the next look, however short ago the last one was."""
        self._read_s = NEVER

    async def look(self, now_s: float) -> None:
        """Learn which shares of the catalogue changed."""
        if self._read_s <= now_s - self._half_age_s:
            self._versions = np.array(await self._catalogue.versions(), np.int64)
            self._read_s = now_s

    async def read_products(self, cache: ViewCache, items: Items) -> None:
        """The products of these items, as far as they are not at hand as of the last look."""
        items = distinct(items)
        versions = self._versions[cache.tag_of_item[items]]
        changed = cache.product_versions[items] != versions
        stale = items[changed]
        if not len(stale):
            return
        events = await self._catalogue.products([cache.idents[item] for item in stale])
        read_before = (cache.product_versions[stale] != UNREAD).tolist()
        cache.product_versions[stale] = versions[changed]
        for item, event, again in zip(stale.tolist(), events, read_before, strict=True):
            if event is not None and event != cache.product_events[item]:
                cache.product_events[item] = event
                if again:
                    cache.product_changed(item)
                cache.assortment.put(item, _product(cache.skus[item], event))
                if item in cache.lists:
                    cache.look_again([item])

    async def read_ladders(
        self, cache: ViewCache, lines: Sequence[Product], policy: Policy, number: Number, now_s: float
    ) -> None:
        """Ladders of the ranges that these lines stand in, with all their products."""
        ranges = {product.range_id or "": None for product in lines}
        if not ranges:
            return
        ladders = cache.lines.ladders
        asked = {ladders.number(name): name for name in ranges}
        stale = cache.ladders_read.stale(np.array(list(asked), np.int64), now_s)
        if not len(stale):
            return
        members = await self._catalogue.ladder_members([asked[item] for item in stale.tolist()])
        numbers = await number([ident for idents in members.values() for ident in idents])
        await self.read_products(cache, numbers[numbers >= 0])
        for name, idents in members.items():
            known = (cache.by_ident[ident] for ident in idents if ident in cache.by_ident)
            products = (cache.assortment.products[item] for item in known)
            held = tuple(p for p in products if p is not None and p.range_id == name)
            if held != cache.ladder_members.get(name):
                cache.ladder_members[name] = held
                ladders.put(name, build_ladder(held, policy))
        cache.ladders_read.read(stale, now_s)


def _product(sku: str, event: bytes) -> Product:
    """The product of a stored event."""
    return Product(sku=sku, delisted=True) if event == DELISTED else product_of(read_product(event))
