"""The counts of the tables, held in memory for speed: orders that hold a SKU, and orders that hold two.

What was counted lately lies in mappings, everything else in one sparse matrix; a test proves that every partner list
equals that of the tables. Memory is some 16 bytes for each pair that ever met, in either direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from stream.tables.ids import sku_id
from stream.tables.order_record import counted_skus

Integers = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]

MOST_RECENT = 125
"""Orders held in mappings before they are added to the matrix."""


class PairCounts:
    """Counts orders of SKUs that are numbered in the order of their names."""

    def __init__(self, skus: Sequence[str]) -> None:
        idents = [sku_id(sku) for sku in skus]
        self._idents = idents
        self._by_ident = {ident: item for item, ident in enumerate(idents)}
        # Of partners with equal counts the tables list the larger id first.
        self._id_rank = np.argsort(np.argsort(np.array(idents, "S8").view(">u8"), kind="stable"))
        self.orders: Integers = np.zeros(len(skus), np.int64)
        self.total = 0
        size = len(skus)
        self._matrix: Any = csr_array((size, size), dtype=np.int32)
        self._recent: dict[int, dict[int, int]] = {}
        self._unread: list[list[int]] = []
        self._held: list[list[int]] = []

    def add(self, items: Sequence[int]) -> None:
        """Count an order of distinct items; of a very long one the same SKUs as the tables count."""
        counted = [self._by_ident[ident] for ident in counted_skus({self._idents[item] for item in items})]
        self.total += 1
        self.orders[counted] += 1
        self._unread.append(counted)

    def partners(self, item: int, most: int) -> tuple[Indices, Integers]:
        """The best partners by count, then by id, and the orders that held both."""
        others, counts = self._row(item)
        if len(others) > most:
            keys = counts * len(self._id_rank) + self._id_rank[others]
            best = np.argpartition(keys, len(keys) - most)[len(keys) - most :]
            others, counts = others[best], counts[best]
        order = np.lexsort((-self._id_rank[others], -counts))
        return others[order], counts[order]

    def together(self, items: Sequence[int]) -> Integers:
        """Orders that held each two of the items, as a square; the diagonal is 0."""
        self._read()
        square = np.zeros((len(items), len(items)), np.int64)
        asked = np.array(items, self._matrix.indices.dtype)
        by_number = np.argsort(asked)
        ordered = asked[by_number]
        starts, columns, values = self._matrix.indptr, self._matrix.indices, self._matrix.data
        for at, item in enumerate(items):
            start, end = starts[item], starts[item + 1]
            if start == end:
                continue
            row = columns[start:end]
            place = np.minimum(row.searchsorted(ordered), len(row) - 1)
            square[at, by_number] = np.where(row[place] == ordered, values[start:end][place], 0)
        place_of = {item: at for at, item in enumerate(items)}
        for at, item in enumerate(items):
            recent = self._recent.get(item, {})
            for other in recent.keys() & place_of.keys():
                square[at, place_of[other]] += recent[other]
        return square

    def heads(self, most: int) -> Indices:
        """The most ordered items, then by number."""
        if len(self.orders) > most:
            floor = np.partition(self.orders, len(self.orders) - most)[len(self.orders) - most]
            candidates = np.flatnonzero(self.orders >= max(1, floor))
        else:
            candidates = np.flatnonzero(self.orders)
        best = candidates[np.argsort(-self.orders[candidates], kind="stable")][:most]
        return best.astype(np.int32)

    def _row(self, item: int) -> tuple[Indices, Integers]:
        self._read()
        start, end = self._matrix.indptr[item], self._matrix.indptr[item + 1]
        others = self._matrix.indices[start:end]
        counts = self._matrix.data[start:end].astype(np.int64)
        recent = self._recent.get(item)
        if not recent:
            return others, counts
        new = np.fromiter(recent.keys(), np.int32, len(recent))
        added = np.fromiter(recent.values(), np.int64, len(recent))
        if not len(others):
            return new, added
        place = np.minimum(others.searchsorted(new), len(others) - 1)
        known = others[place] == new
        counts[place[known]] += added[known]
        return np.concatenate((others, new[~known])), np.concatenate((counts, added[~known]))

    def _read(self) -> None:
        """Make the orders counted since the last look part of what is read."""
        if not self._unread:
            return
        self._held += self._unread
        if len(self._held) > MOST_RECENT:
            self._matrix = self._matrix + _pairs(self._held, len(self.orders))
            self._held, self._recent = [], {}
        else:
            for items in self._unread:
                for item in items:
                    row = self._recent.setdefault(item, {})
                    for other in items:
                        if other != item:
                            row[other] = row.get(other, 0) + 1
        self._unread = []


def _pairs(orders: Sequence[Sequence[int]], size: int) -> Any:
    """Orders that held each two of `size` items; a chunk at a time, so that memory stays bounded."""
    chunk = 5_000
    total: Any = csr_array((size, size), dtype=np.int32)
    for first in range(0, len(orders), chunk):
        some = orders[first : first + chunk]
        columns = np.concatenate([np.array(items, np.int32) for items in some])
        bounds = np.cumsum([0, *map(len, some)])
        held = csr_array((np.ones(len(columns), np.int32), columns, bounds), shape=(len(some), size))
        product: Any = (held.T @ held).tocsr()
        product.setdiag(0)
        product.eliminate_zeros()
        total = total + product
    total.sort_indices()
    return total
