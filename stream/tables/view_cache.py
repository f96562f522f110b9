"""What a worker has read of the tables, by dense index, and since when.

The cache is worker-local and of bounded age: what is older than the age is looked at again before it is used. Dense
indices live as long as the cache; none of them leaves the worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from stream.decisions.assortment import Assortment
from stream.decisions.habits import Habits
from stream.decisions.lines import UNJUDGED, Lines, line_view
from stream.decisions.model import Product
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.substitutes import judged
from stream.tables.ids import sku_id, tag_of

Items = npt.NDArray[np.int64]
"""Dense indices."""
Number = Callable[[Sequence[bytes]], Awaitable[Items]]
"""The dense indices of SKU ids, -1 where nobody knows the SKU."""
Boosts = Callable[[Items], npt.NDArray[np.float64] | None]
"""The policy's factors on items; None where it has none."""

NEVER = -np.inf
UNREAD = -1
"""The catalogue version of a product that was never read."""

T = TypeVar("T", bound=np.generic)

_FIRST_ROOM = 1_024


def distinct(items: Items) -> Items:
    """Each of these dense indices once, ascending; no sort, since there are about as many as there are numbers."""
    seen = np.zeros(int(items.max(initial=-1)) + 1, np.bool_)
    seen[items] = True
    return np.flatnonzero(seen)


class PartnerList(NamedTuple):
    """A partner list as it was read: `raw` to tell whether it changed, partners' dense indices, counts."""

    raw: bytes
    orders: int
    partners: Items
    counts: Items


class FitList(NamedTuple):
    """A fitted row as it was read: `raw` to tell whether it changed, neighbours, and a row of weights a fit."""

    raw: bytes
    items: Items
    together: Items
    weights: npt.NDArray[np.float64]


class Diary(NamedTuple):
    """A customer's diary as it was read: `raw` to tell whether it changed, when, and the habits it shows."""

    raw: bytes
    read_s: float
    habits: Habits


class Freshness:
    """When each dense index was last read, in seconds of any clock that only goes forward."""

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._read_at = np.full(_FIRST_ROOM, NEVER)

    def stale(self, items: Items, now_s: float) -> Items:
        """The distinct items not read within the maximal age, ascending."""
        highest = int(items.max(initial=0))
        if highest >= len(self._read_at):
            self._read_at = _with_room(self._read_at, highest, NEVER)
        return distinct(items[self._read_at[items] <= now_s - self._max_age_s])

    def read(self, items: Items, now_s: float) -> None:
        """Note that items were read."""
        self._read_at[items] = now_s


class ViewCache:
    """Numbers SKUs densely and holds what was read of each."""

    def __init__(self, tags: int, max_age_s: float) -> None:
        self._tags = tags
        self.index: dict[str, int] = {}
        self.idents: list[bytes] = []
        self.by_ident: dict[bytes, int] = {}
        self.tag_of_item: Items = np.zeros(_FIRST_ROOM, np.int64)
        self.assortment = Assortment()
        self.product_events: list[bytes | None] = []
        self.product_versions: Items = np.full(_FIRST_ROOM, UNREAD)
        self.lines = Lines()
        self.learned: dict[int, NeighbourRow] = {}
        self.lists: dict[int, PartnerList] = {}
        self.fits: dict[int, FitList] = {}
        self.named: dict[int, NeighbourRow] = {}
        self.diaries: dict[str, Diary] = {}
        self.sampled: dict[int, tuple[NeighbourRow, ...]] = {}
        self.ladder_members: dict[str, tuple[Product, ...]] = {}
        self.order_counts: Items = np.zeros(_FIRST_ROOM, np.int64)
        self.total_orders = 0
        self._candidates: dict[int, Items] = {}
        self.companions: dict[int, list[int]] = {}
        self._counting = 0
        self._counted_at: Items = np.zeros(_FIRST_ROOM, np.int64)
        self._derived_at: Items = np.full(_FIRST_ROOM, UNREAD)
        self._derived_of: Items = np.zeros(_FIRST_ROOM, np.int64)
        self.products_changed = 0
        """How often another event was read of a product that was read before."""
        self._named_at: Items = np.full(_FIRST_ROOM, UNREAD)
        self.lists_read = Freshness(max_age_s)
        self.counts_read = Freshness(max_age_s)
        self.ladders_read = Freshness(max_age_s)

    @property
    def skus(self) -> list[str]:
        """SKUs by dense index."""
        return self.assortment.skus

    def number(self, skus: Iterable[str]) -> list[int]:
        """The dense index of each SKU, new ones at the end."""
        index = self.index
        return [index[sku] if sku in index else self._new(sku, sku_id(sku)) for sku in skus]

    def number_idents(self, idents: Sequence[bytes], names: dict[bytes, str]) -> Items:
        """The dense index of each SKU id; -1 where nobody knows the SKU."""
        by_ident = self.by_ident
        for ident in idents:
            if ident not in by_ident and ident in names:
                self._new(names[ident], ident)
        return np.array([by_ident.get(ident, -1) for ident in idents], np.int64)

    def candidates_of(self, item: int) -> Items:
        """The partners of an item and the neighbours of its fit, by dense index."""
        held = self._candidates.get(item)
        if held is None:
            held = self.lists[item].partners
            if item in self.fits:
                held = np.concatenate((held, self.fits[item].items))
            self._candidates[item] = held
        return held

    def count(self, items: Items, orders: Items) -> None:
        """Take in the order counts of items."""
        changed = items[self.order_counts[items] != orders]
        self.order_counts[items] = orders
        self._counting += 1
        self._counted_at[changed] = self._counting

    def product_changed(self, item: int) -> None:
        """Another event is there of a product that was read before: lines that speak for it look again."""
        self.products_changed += 1
        self._counting += 1
        self._counted_at[item] = self._counting

    def outdate(self, line: int) -> None:
        """Another list or fit of the line is there."""
        self._candidates.pop(line, None)
        self._derived_at[line] = UNREAD

    def outdated(self, lines: Items) -> list[int]:
        """Those of these lines whose row was made of other lists or counts than are at hand."""
        candidates = [self.candidates_of(line) for line in lines.tolist()]
        lengths = [len(some) for some in candidates]
        late = self._counted_at[np.concatenate(candidates)] > np.repeat(self._derived_at[lines], lengths)
        late_before = np.concatenate(([0], np.cumsum(late)))[np.cumsum([0, *lengths])]
        other_total = self._derived_of[lines] != self.total_orders
        never = self._derived_at[lines] == UNREAD
        outdated: list[int] = lines[(np.diff(late_before) > 0) | other_total | never].tolist()
        return outdated

    def derived(self, lines: Sequence[int]) -> None:
        """Note that the rows of lines were made of what is at hand."""
        self._derived_at[lines], self._derived_of[lines] = self._counting, self.total_orders

    def unnamed(self, lines: Items) -> list[int]:
        """Those of these lines whose complements were named before a product changed."""
        unnamed: list[int] = lines[self._named_at[lines] != self.products_changed].tolist()
        return unnamed

    def named_at(self, lines: Sequence[int], products_changed: int) -> None:
        """Note that the complements of lines were named when products had changed so often."""
        self._named_at[lines] = products_changed

    def look_again(self, items: Iterable[int]) -> None:
        """Put together again what these items mean as lines, after a part of it changed."""
        for item in items:
            goods, kept = self.assortment, self.lists.get(item)
            view = line_view(
                item,
                self.learned.get(item),
                self.named.get(item),
                goods.products[item],
                self.sampled.get(item, ()),
                UNJUDGED
                if kept is None
                else judged(
                    *(item, kept.orders, kept.partners, kept.counts),
                    *(goods, self.order_counts, self.total_orders),
                ),
            )
            self.lines.put(self.skus[item], view)

    def _new(self, sku: str, ident: bytes) -> int:
        item = len(self.skus)
        self.index[sku] = self.by_ident[ident] = item
        self.idents.append(ident)
        self.assortment.add(sku)
        self.product_events.append(None)
        if item >= len(self.order_counts):
            self.order_counts = _with_room(self.order_counts, item, 0)
            self.tag_of_item = _with_room(self.tag_of_item, item, 0)
            self.product_versions = _with_room(self.product_versions, item, UNREAD)
            self._counted_at = _with_room(self._counted_at, item, 0)
            self._derived_at = _with_room(self._derived_at, item, UNREAD)
            self._derived_of = _with_room(self._derived_of, item, 0)
            self._named_at = _with_room(self._named_at, item, UNREAD)
        self.tag_of_item[item] = tag_of(ident, self._tags)
        return item


def _with_room(values: npt.NDArray[T], item: int, filling: float) -> npt.NDArray[T]:
    """The values with room for `item`, at least doubled."""
    longer = np.full(max(2 * len(values), item + 1), filling, values.dtype)
    longer[: len(values)] = values
    return longer
