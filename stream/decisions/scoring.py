"""Scores of all candidates of a batch at once, and the candidates of each basket in order.

The score of a candidate is the sum of its weights over the rows of the basket. All (basket, candidate, weight)
of a chunk are sorted together, so that the weights of one candidate in one basket stand side by side and one
segmented sum adds them up: the sparse product (baskets x rows) @ (rows x candidates), with the terms of each
sum still at hand to explain it.

Bytes do not depend on the company: weights are whole numbers (`neighbours.FRACTION`), whose sums are exact in
any order, and dense indices decide nothing but the layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, groupby
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.candidates import Considered
from stream.decisions.neighbours import FRACTION, ORDERS, NeighbourRow
from stream.decisions.views import Views

Integers = npt.NDArray[np.int64]

ROWS_AT_ONCE: Final = 200
"""Rows of one chunk: 10,000 weights. Twice as many cost twice as much each: their arrays are pages of their own,
asked from the system and given back every time."""

DECIMALS: Final = 9
"""Decimals of a published score; the order is that of the whole numbers behind it."""

_ELEMENT_BITS: Final = 20
_ITEM_BITS: Final = 22
_PLACE_BITS: Final = 18
"""Room of a sort key: an element (one weight) of a chunk, a dense index, and a candidate's place in its
basket."""

_MOST_SCORE: Final = 2 ** (63 - _PLACE_BITS) - 1
"""What is left of 64 bits: scores beyond 32,767 are all the same."""

_STEP: Final = 32
"""Candidates of a basket that are put in order at once when ties have to be settled, or somebody reads on."""

_NOTHING: Final = np.iinfo(np.int64).min


Ranked = tuple[int, int, float]
"""A candidate in its place: dense index, number within the chunk, published score."""


def in_chunks(batch: Sequence[Considered]) -> Iterator[list[int]]:
    """Positions of baskets to score together, of like size and at most `ROWS_AT_ONCE` rows unless alone."""
    chunk: list[int] = []
    rows = 0
    sizes = [len(considered.rows) for considered in batch]
    for at in sorted(range(len(batch)), key=sizes.__getitem__):
        if chunk and rows + sizes[at] > ROWS_AT_ONCE:
            yield chunk
            chunk, rows = [], 0
        chunk.append(at)
        rows += sizes[at]
    if chunk:
        yield chunk


class Scored(NamedTuple):
    """Some baskets, scored: the rows they were scored from, and their candidates in no order.

    Element e is one weight of one row: row r has the elements `row_bounds[r]:row_bounds[r + 1]` of `weights`
    and `counts`. The candidates of basket b are at `bounds[b]:bounds[b + 1]` of `items` and `scores`; the
    elements that make up candidate c are `elements[starts[c]:starts[c + 1]]`, in the order of the rows. `mixed`: others
    than co-purchases speak, too.
    """

    rows: Sequence[NeighbourRow]
    mixed: bool
    row_bounds: Integers
    weights: Integers
    counts: Integers
    elements: Integers
    starts: Integers
    items: Integers
    scores: Integers
    bounds: Integers

    def together(self, candidate: int) -> int:
        """Orders that held a candidate and a line, summed over the lines."""
        return int(self.counts[self.elements[self.starts[candidate] : self.starts[candidate + 1]]].sum())


def score(baskets: Sequence[Sequence[NeighbourRow]]) -> Scored:
    """Scores of all candidates of each basket."""
    rows = [row for of_basket in baskets for row in of_basket]
    keys = np.frombuffer(b"".join([row.keys for row in rows]), np.int32)
    values = np.frombuffer(b"".join([row.values for row in rows]), np.int64)
    weights, counts = values[::2], values[1::2]
    row_bounds = _bounds([len(row.keys) >> 2 for row in rows])
    baskets_end = row_bounds[_bounds([len(of_basket) for of_basket in baskets])]
    basket_of = np.repeat(np.arange(len(baskets), dtype=np.int64), np.diff(baskets_end))
    packed = keys.astype(np.int64)
    packed |= basket_of << _ITEM_BITS
    packed <<= _ELEMENT_BITS
    packed |= np.arange(len(keys), dtype=np.int64)
    packed.sort()
    elements = packed & ((1 << _ELEMENT_BITS) - 1)
    packed >>= _ELEMENT_BITS
    first = np.empty(len(packed), np.bool_)
    first[:1] = True
    np.not_equal(packed[1:], packed[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    candidates = packed[starts]
    sums = np.add.reduceat(weights[elements], starts) if len(starts) else weights
    scores = np.clip(sums, -_MOST_SCORE, _MOST_SCORE)
    bounds = np.searchsorted(candidates, np.arange(len(baskets) + 1, dtype=np.int64) << _ITEM_BITS)
    items = candidates & ((1 << _ITEM_BITS) - 1)
    ends = np.append(starts, len(packed))
    mixed = any(row.source != ORDERS for row in rows)
    return Scored(rows, mixed, row_bounds, weights, counts, elements, ends, items, scores, bounds)


def _bounds(lengths: Iterable[int]) -> Integers:
    return np.fromiter(accumulate(lengths, initial=0), np.int64)


class Ranking:
    """The candidates of some baskets, best first by (score, count, margin, SKU).

    All baskets are put in order of their scores at once; ties are settled in those that have any among the
    first few, and further down as far as somebody walks.
    """

    def __init__(self, scored: Scored, views: Views, first: int) -> None:
        self._scored, self._views = scored, views
        lengths = np.diff(scored.bounds)
        places = np.arange(int(lengths.max(initial=0)))
        table = np.full((len(lengths), len(places)), _NOTHING)
        cells = np.arange(len(scored.scores)) + np.repeat(
            np.arange(len(lengths)) * len(places) - scored.bounds[:-1], lengths
        )
        table.reshape(-1)[cells] = scored.scores << _PLACE_BITS
        table |= places
        table.sort(axis=1)
        self._table = table[:, ::-1]
        self._bounds: list[int] = scored.bounds.tolist()
        scores, candidates = self._unpacked(self._table[:, : first + 1], scored.bounds[:-1, None])
        tied = (scores[:, 1:] == scores[:, :-1]) & (places[1 : first + 1] < lengths[:, None])
        self._tied: list[bool] = tied.any(axis=1).tolist()
        self._first = first
        scores, candidates = scores[:, :first], candidates[:, :first]
        self._items: list[list[int]] = scored.items.take(candidates, mode="clip").tolist()
        self._candidates: list[list[int]] = candidates.tolist()
        self._published: list[list[float]] = _published(scores).tolist()

    def walk(self, basket: int) -> Iterator[Ranked]:
        """All candidates of the basket at this position, best first, ordered as far as it is read."""
        if self._tied[basket]:
            return self._in_order(basket, 0)
        items = self._items[basket]
        held = self._bounds[basket + 1] - self._bounds[basket]
        if held < self._first:  # what follows in the table is another basket's
            items = items[:held]
        first = zip(items, self._candidates[basket], self._published[basket], strict=False)
        return chain(first, self._in_order(basket, self._first)) if held > self._first else first

    def _in_order(self, basket: int, start: int) -> Iterator[Ranked]:
        """The candidates of one basket from a place on that stands in no tie with the one before."""
        for _, level in groupby(self._entries(basket, start), key=itemgetter(0)):
            tied = [ranked for _, ranked in level]
            yield from tied if len(tied) == 1 else sorted(tied, key=self._tie_break)

    def _entries(self, basket: int, start: int) -> Iterator[tuple[int, Ranked]]:
        """(score, candidate) of one basket from a place on, a step ahead of who reads: few are ever looked at."""
        begin, end = self._bounds[basket], self._bounds[basket + 1]
        for at in range(start, end - begin, _STEP):
            row = self._table[basket, at : min(at + _STEP, end - begin)]
            scores, candidates = self._unpacked(row, begin)
            items = self._scored.items[candidates].tolist()
            ranked = zip(items, candidates.tolist(), _published(scores).tolist(), strict=True)
            yield from zip(scores.tolist(), ranked, strict=True)

    def _tie_break(self, ranked: Ranked) -> tuple[int, int, str]:
        """More orders together first, then the larger margin, then the SKU: a total order."""
        item, candidate, _ = ranked
        product = self._views.assortment.products[item]
        margin = 0 if product is None else product.margin()
        return -self._scored.together(candidate), -margin, self._views.skus[item]

    @staticmethod
    def _unpacked(table: Integers, starts: Integers | int) -> tuple[Integers, Integers]:
        """Scores and candidates of a part of the table."""
        return table >> _PLACE_BITS, (table & ((1 << _PLACE_BITS) - 1)) + starts


def _published(scores: Integers) -> npt.NDArray[np.float64]:
    """Scores as they are told: decimal fractions."""
    return np.round(scores / FRACTION, DECIMALS)
