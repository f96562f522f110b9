"""Scores of all candidates of a batch at once, and the candidates of each basket in order.

The score of a candidate is the sum of its weights over the rows of the basket. All (basket, candidate, weight)
of a chunk are sorted together, so that the weights of one candidate in one basket stand side by side and one
segmented sum adds them up: the sparse product (baskets x rows) @ (rows x candidates), with the terms of each
sum still at hand to explain it.

Bytes do not depend on the company: weights are whole numbers (`neighbours.FRACTION`), whose sums are exact in
any order, and dense indices decide nothing but the layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, groupby
from operator import itemgetter
from typing import Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from stream.decisions.candidates import Considered
from stream.decisions.lines import Lines
from stream.decisions.neighbours import FRACTION, MOST_WEIGHT, NeighbourRow
from stream.decisions.views import Views

Integers = npt.NDArray[np.int64]

ROWS_AT_ONCE: Final = 500
"""Rows of one chunk: some 25,000 weights. Of fewer the calls cost more than the work; of many more the arrays leave no
room in the processor's cache."""

_USUAL_ROW: Final = 50
"""Weights of a line's row."""

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


_MOST_ROWS: Final = _MOST_SCORE // (MOST_WEIGHT * FRACTION)
"""Rows of a basket up to which no score is beyond that."""

Ranked = tuple[int, int, float, int]
"""A candidate in its place: dense index, number within the chunk, published score, its kind in the assortment."""


def in_chunks(batch: Sequence[Considered]) -> Iterator[list[int]]:
    """Positions of baskets to score together, of like size and at most `ROWS_AT_ONCE` rows unless alone.

    What others say may be long: thousands of products that a customer bought. It counts as so many rows.
    """
    chunk: list[int] = []
    rows = 0
    sizes = [
        len(considered.refs) + sum(map(len, considered.others)) // _USUAL_ROW
        if considered.others
        else len(considered.refs)
        for considered in batch
    ]
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

    Row r is that of the line `refs[r]`, or `others[~refs[r]]` where that is negative. Element e is one weight of one
    row: row r has the elements `row_bounds[r]:row_bounds[r + 1]` of `weights` and `counts`. The candidates of basket b
    are at `bounds[b]:bounds[b + 1]` of `keys` (its position and dense indices, see `item_of`), which rise, and of
    `scores`; the elements that make up candidate c are `elements[starts[c]:starts[c + 1]]`, in the order of the rows.
    """

    refs: Integers
    others: Sequence[NeighbourRow]
    row_bounds: Integers
    weights: Integers
    counts: npt.NDArray[np.int32]
    elements: Integers
    starts: Integers
    keys: Integers
    scores: Integers
    bounds: Integers

    def items(self, candidates: Integers) -> Integers:
        """The dense indices of candidates; places beyond the last are taken for the last."""
        return item_of(self.keys.take(candidates, mode="clip"))

    def together(self, candidate: int) -> int:
        """Orders that held a candidate and a line, summed over the lines."""
        return int(self.counts[self.elements[self.starts[candidate] : self.starts[candidate + 1]]].sum())

    def row(self, number: int, lines: Lines) -> NeighbourRow:
        """A row that has elements."""
        ref = int(self.refs[number])
        return self.others[~ref] if ref < 0 else cast(NeighbourRow, lines.at(ref).learned)


def item_of(keys: Integers) -> Integers:
    """The dense indices of the candidates with these keys."""
    return keys & ((1 << _ITEM_BITS) - 1)


def score(baskets: Sequence[Considered], lines: Lines) -> Scored:
    """Scores of all candidates of each basket."""
    refs, others = _refs(baskets)
    row_bounds, gathered = lines.gather(refs, others)
    keys, weights, counts = gathered["item"], gathered["weight"], gathered["count"]
    rows_of = [len(considered.refs) for considered in baskets]
    edges = row_bounds[list(accumulate(rows_of, initial=0))]
    begins = np.arange(len(baskets) + 1) << _ITEM_BITS
    packed = np.repeat(begins[:-1], edges[1:] - edges[:-1])
    packed |= keys
    packed <<= _ELEMENT_BITS
    packed |= np.arange(len(keys))
    packed.sort()
    elements = packed & ((1 << _ELEMENT_BITS) - 1)
    packed >>= _ELEMENT_BITS
    first = np.empty(len(packed), np.bool_)
    first[:1] = True
    np.not_equal(packed[1:], packed[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    candidates = packed[starts]
    scores = weights[elements[starts]]
    # Most candidates have one element; those behind the first are added to what they follow.
    further = np.flatnonzero(~first)
    np.add.at(scores, further - np.arange(1, len(further) + 1), weights[elements[further]])
    if max(rows_of) > _MOST_ROWS:
        np.clip(scores, -_MOST_SCORE, _MOST_SCORE, out=scores)
    bounds = np.searchsorted(candidates, begins)
    starts = np.append(starts, len(packed))
    return Scored(refs, others, row_bounds, weights, counts, elements, starts, candidates, scores, bounds)


def _refs(baskets: Sequence[Considered]) -> tuple[Integers, list[NeighbourRow]]:
    """The refs of all baskets, and the rows of others that they name."""
    others: list[NeighbourRow] = []
    refs: list[int] = []
    for considered in baskets:
        if considered.others:
            refs += [ref if ref >= 0 else ref - len(others) for ref in considered.refs]
            others += considered.others
        else:
            refs += considered.refs
    return np.array(refs, np.int64), others


def best_first(scores: Integers, bounds: Integers) -> Integers:
    """A row for each run of scores between two bounds: each score with its place in the run, the highest first.

    To be `unpacked`. Runs are of different lengths: behind the last of a run there is nothing of use.
    """
    lengths = np.diff(bounds)
    places = np.arange(int(lengths.max(initial=0)))
    table = np.full((len(lengths), len(places)), _NOTHING)
    cells = np.arange(len(scores)) + np.repeat(np.arange(len(lengths)) * len(places) - bounds[:-1], lengths)
    table.reshape(-1)[cells] = scores << _PLACE_BITS
    table |= places
    table.sort(axis=1)
    return table[:, ::-1]


def unpacked(table: Integers, starts: Integers | int) -> tuple[Integers, Integers]:
    """Scores and places of a part of the table, counted from where each row's run starts."""
    return table >> _PLACE_BITS, (table & ((1 << _PLACE_BITS) - 1)) + starts


class Ranking:
    """The candidates of some baskets, best first by (score, count, margin, SKU).

    All baskets are put in order of their scores at once; ties are settled in those that have any among the
    first few, and further down as far as somebody walks.
    """

    def __init__(self, scored: Scored, views: Views, first: int) -> None:
        self._scored, self._views = scored, views
        lengths = np.diff(scored.bounds)
        self._table = best_first(scored.scores, scored.bounds)
        self._bounds: list[int] = scored.bounds.tolist()
        scores, candidates = unpacked(self._table[:, : first + 1], scored.bounds[:-1, None])
        tied = (scores[:, 1:] == scores[:, :-1]) & (np.arange(1, scores.shape[1]) < lengths[:, None])
        self._tied: list[bool] = tied.any(axis=1).tolist()
        self._first = first
        scores, candidates = scores[:, :first], candidates[:, :first]
        items = scored.items(candidates)
        self._items: list[list[int]] = items.tolist()
        self._kinds: list[list[int]] = views.assortment.kind_of.take(items).tolist()
        self._candidates: list[list[int]] = candidates.tolist()
        self._published: list[list[float]] = _published(scores).tolist()

    def candidates(self, basket: int) -> Integers:
        """The dense indices of all candidates of the basket at this position, in no order of theirs."""
        return item_of(self._scored.keys[self._bounds[basket] : self._bounds[basket + 1]])

    def walk(self, basket: int) -> Iterator[Ranked]:
        """All candidates of the basket at this position, best first, ordered as far as it is read."""
        if self._tied[basket]:
            return self._in_order(basket, 0)
        items = self._items[basket]
        held = self._bounds[basket + 1] - self._bounds[basket]
        if held < self._first:  # what follows in the table is another basket's
            items = items[:held]
        first = zip(
            items, self._candidates[basket], self._published[basket], self._kinds[basket], strict=False
        )
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
            scores, candidates = unpacked(row, begin)
            items = self._scored.items(candidates)
            kinds = self._views.assortment.kind_of.take(items).tolist()
            ranked = zip(items.tolist(), candidates.tolist(), _published(scores).tolist(), kinds, strict=True)
            yield from zip(scores.tolist(), ranked, strict=True)

    def _tie_break(self, ranked: Ranked) -> tuple[int, int, str]:
        """More orders together first, then the larger margin, then the SKU: a total order."""
        item, candidate, *_ = ranked
        product = self._views.assortment.products[item]
        margin = 0 if product is None else product.margin()
        return -self._scored.together(candidate), -margin, self._views.skus[item]


def _published(scores: Integers) -> npt.NDArray[np.float64]:
    """Scores as they are told: decimal fractions."""
    return np.round(scores / FRACTION, DECIMALS)
