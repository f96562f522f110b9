"""Orders that held two items, in two forms that answer the same: a square for few items, rows of pairs for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Integers = npt.NDArray[np.int64]

MOST_IN_SQUARE: Final = 6_000
"""Items up to which every pair has its place: 144 MB."""

MOST_RECENT: Final = 125
"""Orders held in mappings before they are added to the rows."""


class Pairs(Protocol):
    """Counts of unordered pairs of items."""

    def add(self, items: Sequence[int]) -> None:
        """Count an order of distinct items."""

    def row(self, item: int) -> tuple[Integers, Integers]:
        """The partners of an item in no order, and the orders that held both."""

    def square(self, items: Sequence[int]) -> Integers:
        """Orders that held each two of the items; the diagonal is 0."""


def pairs_of(size: int) -> Pairs:
    """Pairs of so many items, in the form that suits."""
    return SquarePairs(size) if size <= MOST_IN_SQUARE else SparsePairs(size)


class SquarePairs:
    """Every pair in its place: four bytes each, in either direction."""

    def __init__(self, size: int) -> None:
        self._counts = np.zeros((size, size), np.int32)

    def add(self, items: Sequence[int]) -> None:
        """See `Pairs`."""
        self._counts[np.ix_(items, items)] += 1
        self._counts[items, items] = 0

    def row(self, item: int) -> tuple[Integers, Integers]:
        """See `Pairs`."""
        row = self._counts[item]
        partners = np.flatnonzero(row)
        return partners, row[partners].astype(np.int64)

    def square(self, items: Sequence[int]) -> Integers:
        """See `Pairs`."""
        return self._counts[np.ix_(items, items)].astype(np.int64)


class SparsePairs:
    """The pairs that ever met, some 16 bytes each in either direction; what was counted lately lies in mappings."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._matrix: Any = csr_array((size, size), dtype=np.int32)
        self._recent: dict[int, dict[int, int]] = {}
        self._unread: list[Sequence[int]] = []
        self._held: list[Sequence[int]] = []

    def add(self, items: Sequence[int]) -> None:
        """See `Pairs`."""
        self._unread.append(items)

    def row(self, item: int) -> tuple[Integers, Integers]:
        """See `Pairs`."""
        self._read()
        start, end = self._matrix.indptr[item], self._matrix.indptr[item + 1]
        others = self._matrix.indices[start:end].astype(np.int64)
        counts = self._matrix.data[start:end].astype(np.int64)
        recent = self._recent.get(item)
        if not recent:
            return others, counts
        new = np.fromiter(recent.keys(), np.int64, len(recent))
        added = np.fromiter(recent.values(), np.int64, len(recent))
        if not len(others):
            return new, added
        place = np.minimum(others.searchsorted(new), len(others) - 1)
        known = others[place] == new
        counts[place[known]] += added[known]
        return np.concatenate((others, new[~known])), np.concatenate((counts, added[~known]))

    def square(self, items: Sequence[int]) -> Integers:
        """See `Pairs`."""
        self._read()
        square = np.zeros((len(items), len(items)), np.int64)
        asked = np.array(items, self._matrix.indices.dtype)
        by_number = np.argsort(asked)
        ordered = asked[by_number]
        starts, columns, values = self._matrix.indptr, self._matrix.indices, self._matrix.data
        place_of = {item: at for at, item in enumerate(items)}
        for at, item in enumerate(items):
            start, end = starts[item], starts[item + 1]
            if start < end:
                row = columns[start:end]
                place = np.minimum(row.searchsorted(ordered), len(row) - 1)
                square[at, by_number] = np.where(row[place] == ordered, values[start:end][place], 0)
            recent = self._recent.get(item, {})
            for other in recent.keys() & place_of.keys():
                square[at, place_of[other]] += recent[other]
        return square

    def _read(self) -> None:
        """Make the orders counted since the last look part of what is read."""
        if not self._unread:
            return
        self._held += self._unread
        if len(self._held) > MOST_RECENT:
            self._matrix = self._matrix + _matrix_of(self._held, self._size)
            self._held, self._recent = [], {}
        else:
            for items in self._unread:
                for item in items:
                    row = self._recent.setdefault(item, {})
                    for other in items:
                        if other != item:
                            row[other] = row.get(other, 0) + 1
        self._unread = []


def _matrix_of(orders: Sequence[Sequence[int]], size: int) -> Any:
    """The pairs of these orders; a chunk at a time, so that memory stays bounded."""
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
