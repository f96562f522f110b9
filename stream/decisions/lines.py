"""Lines: what SKUs mean when they are lines of a basket.

Most lines say one thing, what they were bought with. That is asked of two thousand lines of every batch, so it lies in
one heap of elements, gathered for a whole chunk at once; whatever else a line may say or be is an object, looked at
only where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from stream.decisions.columns import Column, Runs, runs, with_room
from stream.decisions.ladders import Ladders
from stream.decisions.model import Product
from stream.decisions.neighbours import NOBODY, NeighbourRow, joined

Integers = npt.NDArray[np.int64]

RANGED: Final = 1
"""The line stands in a range."""

NAMED: Final = 2
"""Others than orders speak for the line as well."""

_ROOM: Final = 16
"""Elements by which the room of a row grows: one that is made anew mostly fits where it was."""

_LINE: Final = 8
"""Terms that the processor fetches at once."""

_FIRST_ELEMENTS: Final = 4_096


class Judged(NamedTuple):
    """What orders say of the other products of a line's range, by dense index: which are surely bought `beside` it, and
    which are bought with it as often as chance has it, and so do not take its place either. Neither says anything of a
    product that is in none of the two: the catalogue is believed."""

    beside: frozenset[int] = frozenset()
    at_chance: frozenset[int] = frozenset()

    def lets_in(self, item: int) -> bool:
        """Whether a product of the range may be added to the line."""
        return item in self.beside or item in self.at_chance


UNJUDGED: Final = Judged()


class LineView(Struct, frozen=True, gc=False):
    """What a SKU means when it is a line: its dense index, the row of what it was bought with, the rows of others that
    speak for it (complements, what a sample says), and its product where that stands in a range. Of such a product
    alone are told whether its learned row speaks for anything, and how orders judge the range (`substitutes`)."""

    item: int
    learned: NeighbourRow | None = None
    others: tuple[NeighbourRow, ...] = ()
    ranged: Product | None = None
    speaks: bool = False
    judged: Judged = UNJUDGED


def line_view(
    item: int,
    learned: NeighbourRow | None,
    named: NeighbourRow | None,
    product: Product | None,
    sampled: tuple[NeighbourRow, ...] = (),
    judged: Judged = UNJUDGED,
) -> LineView:
    """The view of a SKU from its parts; those it does not have are None. `sampled`: what a sample of orders says."""
    others = sampled if named is None else (named, *sampled)
    if product is None or product.range_id is None:
        return LineView(item, learned, others)
    speaks = learned is not None and max(learned.whole_weights(), default=0) > 0
    return LineView(item, learned, others, product, speaks, judged)


class Gathered(NamedTuple):
    """The terms of rows, row after row: where each row begins (one bound more than there are rows), where in the heap
    each term is, and the terms."""

    bounds: Integers
    places: Integers
    terms: Integers


NOTHING_LEARNED: Final = NeighbourRow(NOBODY, b"")


class Lines:
    """Line views by SKU; the rows of what was bought together by dense index as well.

    By dense index: `more_of` adds up `RANGED` and `NAMED` where either is so, `orders_of` are the orders of a line, and
    of those in a range `range_of` is its number among `ladders` and `level_of` the level of the rung they are.
    """

    def __init__(self, views: Mapping[str, LineView] | None = None, ladders: Ladders | None = None) -> None:
        self.ladders = Ladders() if ladders is None else ladders
        self._items: dict[str, int] = {}
        self._views: dict[int, LineView] = {}
        self._terms, self._met = np.zeros(_FIRST_ELEMENTS, np.int64), np.zeros(_FIRST_ELEMENTS, np.int32)
        self._used = 0
        self._runs, self._room = Runs(), Column(np.int64, 0)
        self.orders_of, self.more_of = Column(np.int64, 0), Column(np.int8, 0)
        self.range_of, self.level_of = Column(np.int64, 0), Column(np.int64, 0)
        for sku, view in (views or {}).items():
            self.put(sku, view)

    def __getitem__(self, sku: str) -> LineView:
        return self._views[self._items[sku]]

    def get(self, sku: str) -> LineView | None:
        """What a SKU means as a line, None where nothing is known of it."""
        item = self._items.get(sku)
        return None if item is None else self._views[item]

    def at(self, item: int) -> LineView:
        """What an item means as a line."""
        return self._views.get(item) or LineView(item)

    def put(self, sku: str, view: LineView) -> None:
        """Say what a SKU now means as a line."""
        item, learned = view.item, view.learned
        before = self._views.get(item)
        self._items[sku] = item
        self._views[item] = view
        self.more_of[item] = RANGED * (view.ranged is not None) + NAMED * bool(view.others)
        if view.ranged is not None:
            self.range_of[item] = self.ladders.number(view.ranged.range_id or "")
            self.level_of[item] = view.ranged.rung
        if before is None or before.learned is not learned:
            self._keep(item, NOTHING_LEARNED if learned is None else learned)
            self.orders_of[item] = 0 if learned is None else learned.orders

    def _keep(self, item: int, row: NeighbourRow) -> None:
        length = len(row)
        start, _ = self._runs[item]
        if length > self._room[item]:
            room = length + _ROOM - length % _ROOM
            self._make_room(self._used + room)
            start, self._room[item] = self._used, room
            self._used += room
        end = start + length
        self._terms[start:end], self._met[start:end] = row.terms, row.met
        self._runs[item] = start, length

    def gather(self, refs: Integers, others: list[NeighbourRow]) -> Gathered:
        """The terms of rows, row after row.

        A row is that of the line with this dense index, or `others[~ref]` where `ref` is negative.
        """
        if not others:
            starts, lengths = self._runs.take(refs)
        else:
            at, room = np.cumsum([0, *map(len, others)]), self._with_others(others)
            own, other = np.maximum(refs, 0), np.maximum(~refs, 0)
            starts, lengths = self._runs.take(own)
            starts = np.where(refs < 0, (room + at)[other], starts)
            lengths = np.where(refs < 0, np.diff(at)[other], lengths)
        bounds = np.zeros(len(refs) + 1, np.int64)
        np.cumsum(lengths, out=bounds[1:])
        places = runs(starts, lengths)
        self._terms.take(places[::_LINE])  # for nothing but having the processor wait for many rows at once
        return Gathered(bounds, places, self._terms.take(places))

    def met(self, places: Integers) -> npt.NDArray[np.int32]:
        """The counts that stand beside terms, by their places in the heap. Few are ever asked for."""
        return self._met.take(places)

    def _with_others(self, others: list[NeighbourRow]) -> int:
        """Write rows that are no line's into the room at the end, until the next ones are; where they begin."""
        terms, met = joined(others)
        end = self._used + len(terms)
        self._make_room(end)
        self._terms[self._used : end], self._met[self._used : end] = terms, met
        return self._used

    def _make_room(self, wanted: int) -> None:
        if wanted > len(self._terms):
            self._terms, self._met = with_room(self._terms, wanted), with_room(self._met, wanted)
