"""The catalogue: the last product-updated event of each SKU, and which SKUs a range was made of."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stream.events import ProductUpdated
from stream.tables.ids import range_id, sku_id, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Command, Script, Store
from stream.tables.wire import POSITION_BYTES, pack_puts, position_of
from stream.tables.wire import Put as Stored

DELISTED = b""
"""What stands in place of the event of a product that was taken out of the catalogue."""

Put = tuple[int, str, ProductUpdated | None, bytes]
"""A change: offset of its record, SKU, event (None delists) and the event's bytes (`DELISTED`)."""

_product = msgspec.json.Decoder(ProductUpdated).decode


class Catalogue:
    """Stores and reads products and ladders, many keys a round trip."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def put(self, partition: int, products: Sequence[Put]) -> None:
        """Store (offset, sku, event, raw event) unless a later record of that partition is there.

        An event of None delists the product. Ranges take the SKU in first, so that a ladder never lacks a product
        that says it is on it; a range the product left lets it go afterwards.
        """
        await self._store.commands(
            [self._range("SADD", p.range.id, sku) for _, sku, p, _ in products if p is not None and p.range]
        )
        by_tag: dict[int, list[Stored]] = {}
        for offset, sku, product, raw in products:
            ident = sku_id(sku)
            value = DELISTED if product is None else raw
            put = Stored(ident, position_of(partition, offset), value)
            by_tag.setdefault(tag_of(ident, self._tags), []).append(put)
        answers = await self._store.scripts(
            [
                Script(
                    "put_latest",
                    [self._keys.products(tag), self._keys.catalogue_version(tag)],
                    [pack_puts(puts)],
                )
                for tag, puts in by_tag.items()
            ]
        )
        now = {sku_id(sku): (sku, product) for _, sku, product, _ in products}
        left = []
        for puts, displaced in zip(by_tag.values(), answers, strict=True):
            for (ident, _, _), before in zip(puts, displaced, strict=True):
                old = _product(before).range if before else None
                sku, product = now[ident]
                if old and (product is None or product.range is None or product.range.id != old.id):
                    left.append(self._range("SREM", old.id, sku))
        await self._store.commands(left)

    async def products(self, idents: Sequence[bytes]) -> list[bytes | None]:
        """The stored event of each SKU id: JSON, `DELISTED`, or None for a SKU the catalogue never had."""
        by_tag: dict[int, list[int]] = {}
        for i, ident in enumerate(idents):
            by_tag.setdefault(tag_of(ident, self._tags), []).append(i)
        answers = await self._store.commands(
            [("HMGET", self._keys.products(tag), *(idents[i] for i in mine)) for tag, mine in by_tag.items()]
        )
        events: list[bytes | None] = [None] * len(idents)
        for mine, answer in zip(by_tag.values(), answers, strict=True):
            for i, raw in zip(mine, answer, strict=True):
                events[i] = None if raw is None else raw[POSITION_BYTES:]
        return events

    async def versions(self) -> list[int]:
        """For each tag a number that changes with its products."""
        answers = await self._store.commands(
            [("GET", self._keys.catalogue_version(t)) for t in range(self._tags)]
        )
        return [int(answer or 0) for answer in answers]

    async def ladder_members(self, ranges: Sequence[str]) -> dict[str, list[bytes]]:
        """The SKU ids that were put in each range, ascending; whether one still is, its product says."""
        answers = await self._store.commands([("SMEMBERS", self._ladder_key(name)) for name in ranges])
        return {name: sorted(members) for name, members in zip(ranges, answers, strict=True)}

    def _range(self, verb: str, name: str, sku: str) -> Command:
        return (verb, self._ladder_key(name), sku_id(sku))

    def _ladder_key(self, name: str) -> bytes:
        ident = range_id(name)
        return self._keys.ladder(tag_of(ident, self._tags), ident)


def read_product(raw: bytes) -> ProductUpdated:
    """The event of a stored product that is not delisted."""
    return _product(raw)
