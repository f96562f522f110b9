"""Samples of the order log: read now and then, summed up, and kept for all workers to read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from stream.decisions.bought_later import LAG_DAYS, bought_later
from stream.decisions.order_sample import MOST_SAMPLED, OrderSample, SampledOrder, summary
from stream.decisions.window import DAY_MS
from stream.tables.catalogue import DELISTED, Catalogue, read_product
from stream.tables.customers import Customers
from stream.tables.diary import Diaries, purchases
from stream.tables.keys import Keys
from stream.tables.order_record import OrderRecord, split, unpack
from stream.tables.store import Store

TAGS_AT_ONCE: Final = 8
PANES_AT_ONCE: Final = 8

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OrderSample).decode


class Sampling:
    """Draws samples and keeps what they say. The same log gives the same sample, whoever draws it.

    An order's tag is a digest of its id, so the orders of a few tags are as good as chance; of each the newest panes
    are read first, until there are enough.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        tags: int,
        customers: Customers,
        catalogue: Catalogue,
        diaries: Diaries,
        pane_ms: int,
    ) -> None:
        self._store, self._keys, self._tags = store, keys, tags
        self._customers, self._catalogue, self._diaries = customers, catalogue, diaries
        self._pane_ms = pane_ms

    async def read(self) -> OrderSample:
        """What the last sample says; nothing before there was one."""
        [raw] = await self._store.commands([("GET", self._keys.sample())])
        return OrderSample() if raw is None else _decode(raw)

    async def draw(self, default_tier: str) -> None:
        """Draw a sample and keep what it says.

        Reads at most a few thousand orders, the products in them, and what their customers bought.
        """
        records = await self._records()
        names = {record.customer_id for record in records if record.customer_id is not None}
        known = await self._customers.known(sorted(names))
        orders = [
            SampledOrder(
                record.channel,
                default_tier if record.customer_id is None else known[record.customer_id].tier,
                split(record.left.counted),
            )
            for record in records
        ]
        distinct = sorted({sku for order in orders for sku in order.skus})
        events = await self._catalogue.products(distinct) if distinct else []
        diaries = await self._diaries.read(sorted(names)) if names else {}
        # Beside the worker's other work.
        said = await asyncio.to_thread(
            _summed_up,
            orders,
            dict(zip(distinct, events, strict=True)),
            diaries.values(),
            LAG_DAYS * DAY_MS // self._pane_ms,
        )
        await self._store.commands([("SET", self._keys.sample(), said)])

    async def _records(self) -> list[OrderRecord]:
        """The newest orders of as many tags as are needed for enough of them."""
        found: list[OrderRecord] = []
        for start in range(0, self._tags, TAGS_AT_ONCE):
            tags = range(start, min(start + TAGS_AT_ONCE, self._tags))
            members = await self._store.commands([("SMEMBERS", self._keys.panes(tag)) for tag in tags])
            panes = sorted(
                (-int(pane), tag, int(partition))
                for tag, names in zip(tags, members, strict=True)
                for partition, pane in (name.split(b":") for name in names)
            )
            for at in range(0, len(panes), PANES_AT_ONCE):
                some = panes[at : at + PANES_AT_ONCE]
                answers = await self._store.commands(
                    [("HVALS", self._keys.pane(tag, partition, -pane)) for pane, tag, partition in some]
                )
                read = [unpack(raw) for values in answers for raw in values]
                read.sort(key=lambda record: (-record.placed_ms, record.order_id))
                found += [record for record in read if record.left.counted]
                if len(found) >= MOST_SAMPLED:
                    return found[:MOST_SAMPLED]
        return found


def _summed_up(
    orders: Sequence[SampledOrder],
    events: Mapping[bytes, bytes | None],
    diaries: Iterable[bytes],
    lag_panes: int,
) -> bytes:
    category_of = {}
    for sku, event in events.items():
        if event is not None and event != DELISTED and (path := read_product(event).category):
            category_of[sku] = path[-1]
    bought = map(purchases, diaries)
    later = bought_later((list(zip(*one, strict=True)) for one in bought), lag_panes)
    return _encode(summary(orders, category_of, later))
