"""What a worker has read of the tables, by dense index, and since when.

The cache is worker-local and of bounded age: what is older than `max_age_s` is read again before it is used. Dense
indices live as long as the cache; none of them leaves the worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from stream.decisions.ladder import Ladder
from stream.decisions.model import Product
from stream.decisions.neighbours import NeighbourRow
from stream.tables.ids import sku_id

NEVER = float("-inf")


class Freshness:
    """When each dense index was last read, in seconds of any clock that only goes forward."""

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._read_at: dict[int, float] = {}

    def stale(self, items: Iterable[int], now_s: float) -> list[int]:
        """The distinct items not read within the maximal age, in the order given."""
        read_at, oldest = self._read_at, now_s - self._max_age_s
        return [item for item in dict.fromkeys(items) if read_at.get(item, NEVER) <= oldest]

    def read(self, items: Iterable[int], now_s: float) -> None:
        """Note that items were read."""
        self._read_at.update(dict.fromkeys(items, now_s))


class ViewCache:
    """Numbers SKUs densely and holds what was read of each."""

    def __init__(self, max_age_s: float) -> None:
        self.index: dict[str, int] = {}
        self.skus: list[str] = []
        self.idents: list[bytes] = []
        self.by_ident: dict[bytes, int] = {}
        self.products: list[Product | None] = []
        self.product_events: list[bytes | None] = []
        self.learned: dict[int, NeighbourRow] = {}
        self.named: dict[int, NeighbourRow] = {}
        self.ladders: dict[str, Ladder] = {}
        self.ladder_members: dict[str, tuple[Product, ...]] = {}
        self.ranges: dict[str, int] = {}
        self.order_counts: npt.NDArray[np.int64] = np.zeros(1_024, dtype=np.int64)
        self.lists_read = Freshness(max_age_s)
        self.counts_read = Freshness(max_age_s)
        self.products_read = Freshness(max_age_s)
        self.ladders_read = Freshness(max_age_s)

    def number(self, skus: Iterable[str]) -> list[int]:
        """The dense index of each SKU, new ones at the end."""
        index = self.index
        return [index[sku] if sku in index else self._new(sku, sku_id(sku)) for sku in skus]

    def number_idents(self, idents: Sequence[bytes], names: dict[bytes, str]) -> list[int]:
        """The dense index of each SKU id; -1 where nobody knows the SKU."""
        by_ident = self.by_ident
        numbers = []
        for ident in idents:
            item = by_ident.get(ident, -1)
            if item < 0 and ident in names:
                item = self._new(names[ident], ident)
            numbers.append(item)
        return numbers

    def _new(self, sku: str, ident: bytes) -> int:
        item = len(self.skus)
        self.index[sku] = self.by_ident[ident] = item
        self.skus.append(sku)
        self.idents.append(ident)
        self.products.append(None)
        self.product_events.append(None)
        if item >= len(self.order_counts):
            self.order_counts = np.concatenate([self.order_counts, np.zeros_like(self.order_counts)])
        return item
