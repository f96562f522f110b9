"""Claims: which record placed an order, and so which record's order was counted."""

from __future__ import annotations

from collections.abc import Sequence

from stream.tables.ids import order_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_log import CLAIM
from stream.tables.store import Store

Place = tuple[int, int]
"""Partition and offset of a record."""


class Claims:
    """Reads claims; `Orders.place` makes them."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def placed_at(self, orders: Sequence[str]) -> list[Place | None]:
        """The record that placed each order; None for one that never was counted or whose pane is gone.

        One round trip. Raises StateUnavailable.
        """
        by_tag: dict[int, list[int]] = {}
        idents = [order_id(order) for order in orders]
        for i, ident in enumerate(idents):
            by_tag.setdefault(tag_of(ident, self._tags), []).append(i)
        answers = await self._store.commands(
            [("HMGET", self._keys.claims(tag), *(idents[i] for i in mine)) for tag, mine in by_tag.items()]
        )
        places: list[Place | None] = [None] * len(idents)
        for mine, found in zip(by_tag.values(), answers, strict=True):
            for i, raw in zip(mine, found, strict=True):
                if raw is not None:
                    partition, offset, _ = CLAIM.unpack(raw)
                    places[i] = (partition, offset)
        return places
