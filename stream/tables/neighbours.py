"""Packed partner lists: for each SKU its order count and its best partners, one short string a SKU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream.tables.ids import ALL_ORDERS, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Script, Store

MOST_PARTNERS = 50
"""Partners read of a SKU: the best by count, then by id."""

_PARTNER = np.dtype([("id", "S8"), ("count", ">u4")])


class Neighbours:
    """Reads partner lists and order counts, many SKUs a round trip."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def read(self, idents: Sequence[bytes]) -> list[bytes]:
        """The packed list of each SKU id: see `unpack`."""
        by_tag = self._by_tag(idents)
        answers = await self._store.scripts(
            [
                Script(
                    "top_partners",
                    [
                        self._keys.order_counts(tag),
                        *(
                            key(tag, idents[i])
                            for i in mine
                            for key in (self._keys.partners, self._keys.packed)
                        ),
                    ],
                    [MOST_PARTNERS, *(idents[i] for i in mine)],
                )
                for tag, mine in by_tag.items()
            ]
        )
        lists = [b""] * len(idents)
        for mine, answer in zip(by_tag.values(), answers, strict=True):
            for i, raw in zip(mine, answer, strict=True):
                lists[i] = raw
        return lists

    async def order_counts(self, idents: Sequence[bytes]) -> list[int]:
        """Orders in the window that hold each SKU."""
        by_tag = self._by_tag(idents)
        answers = await self._store.commands(
            [
                ("HMGET", self._keys.order_counts(tag), *(idents[i] for i in mine))
                for tag, mine in by_tag.items()
            ]
        )
        counts = [0] * len(idents)
        for mine, answer in zip(by_tag.values(), answers, strict=True):
            for i, raw in zip(mine, answer, strict=True):
                counts[i] = max(0, int(raw or 0))
        return counts

    async def total_orders(self) -> int:
        """Orders in the window."""
        return (await self.order_counts([ALL_ORDERS]))[0]

    def _by_tag(self, idents: Sequence[bytes]) -> dict[int, list[int]]:
        by_tag: dict[int, list[int]] = {}
        for i, ident in enumerate(idents):
            by_tag.setdefault(tag_of(ident, self._tags), []).append(i)
        return by_tag


def unpack(raw: bytes) -> tuple[int, list[bytes], npt.NDArray[np.int64]]:
    """(orders with the SKU, partners' ids best first, orders with both) of a packed list."""
    partners = raw[4:]
    counts = np.frombuffer(partners, dtype=_PARTNER)["count"].astype(np.int64)
    return int.from_bytes(raw[:4], "big"), [partners[i : i + 8] for i in range(0, len(partners), 12)], counts
