"""The counts of the tables, held in memory for speed: orders that hold a SKU, and orders that hold two.

A test proves that they are those of the tables, partner list for partner list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream.evaluation.pair_store import pairs_of
from stream.tables.ids import sku_id
from stream.tables.order_record import counted_skus

Integers = npt.NDArray[np.int64]


class PairCounts:
    """Counts orders of SKUs that are numbered in the order of their names."""

    def __init__(self, skus: Sequence[str]) -> None:
        self._idents = [sku_id(sku) for sku in skus]
        self._by_ident = {ident: item for item, ident in enumerate(self._idents)}
        # Of partners with equal counts the tables list the larger id first.
        ids = np.frombuffer(b"".join(self._idents), ">u8")
        self._id_rank = np.argsort(np.argsort(ids, kind="stable"))
        self._pairs = pairs_of(len(skus))
        self.orders: Integers = np.zeros(len(skus), np.int64)
        self.total = 0

    def add(self, items: Sequence[int]) -> None:
        """Count an order of distinct items; of a very long one the same SKUs as the tables count."""
        counted = [self._by_ident[ident] for ident in counted_skus({self._idents[item] for item in items})]
        self.total += 1
        self.orders[counted] += 1
        self._pairs.add(counted)

    def partners(self, item: int, most: int) -> tuple[Integers, Integers]:
        """The best partners by count, then by id, and the orders that held both."""
        others, counts = self._pairs.row(item)
        keys = counts * len(self._id_rank) + self._id_rank[others]
        if len(keys) > most:
            best = np.argpartition(keys, len(keys) - most)[len(keys) - most :]
            others, counts, keys = others[best], counts[best], keys[best]
        order = np.argsort(-keys)
        return others[order], counts[order]

    def together(self, items: Sequence[int]) -> Integers:
        """Orders that held each two of the items, as a square; the diagonal is 0."""
        return self._pairs.square(items)

    def heads(self, most: int) -> Integers:
        """The most ordered items, of those with equal orders the smaller id first."""
        orders = self.orders
        candidates = np.flatnonzero(orders)
        if len(candidates) > most:
            floor = np.partition(orders, len(orders) - most)[len(orders) - most]
            candidates = np.flatnonzero(orders >= floor)
        return candidates[np.lexsort((self._id_rank[candidates], -orders[candidates]))][:most]
