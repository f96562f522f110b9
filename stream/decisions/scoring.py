"""Scores of all candidates of a batch at once, and the best few of each basket in order.

The score of a candidate is the sum of its weights over the rows of the basket: one sparse product
(baskets x rows) @ (rows x candidates) for many baskets. Weights travel as complex numbers whose imaginary
part is the co-purchase count, so one product adds up both: (1 + 0j) * (w + cj) is exact in either part.

Bytes do not depend on the company: each basket's sums run over its own rows in their order, whatever else is
in the batch, and dense indices are renumbered only as columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, groupby
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from stream.decisions.candidates import Considered
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.views import Views

Indices = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

ROWS_AT_ONCE: Final = 400
"""Rows of one product: 25,000 weights, which stay in the processor's cache."""

DECIMALS: Final = 9
"""Decimals of a published score; the order is that of the full floats."""

Ranked = tuple[int, float]
"""A candidate in its place: dense index and published score."""


def in_chunks(batch: Sequence[Considered]) -> Iterator[list[int]]:
    """Positions of baskets to score together, of like size and at most `ROWS_AT_ONCE` rows unless alone."""
    chunk: list[int] = []
    rows = 0
    for at in sorted(range(len(batch)), key=lambda at: len(batch[at].rows)):
        size = len(batch[at].rows)
        if chunk and rows + size > ROWS_AT_ONCE:
            yield chunk
            chunk, rows = [], 0
        chunk.append(at)
        rows += size
    if chunk:
        yield chunk


class Scored(NamedTuple):
    """Some baskets, scored: the rows they were scored from, and their candidates in no order.

    The rows of basket b are `rows[row_bounds[b]:row_bounds[b + 1]]`; row r weighs the candidates
    `keys[key_bounds[r]:key_bounds[r + 1]]` at `values` (weight + count j). The candidates of basket b are at
    `bounds[b]:bounds[b + 1]` of `items`, `scores` and `counts`.
    """

    rows: Sequence[NeighbourRow]
    any_named: bool
    row_bounds: Indices
    keys: Indices
    values: npt.NDArray[np.complex128]
    key_bounds: Indices
    bounds: Indices
    items: Indices
    scores: Floats
    counts: Floats


def score(baskets: Sequence[Sequence[NeighbourRow]], numbered: int) -> Scored:
    """Scores and co-purchase counts of all candidates of each basket; dense indices are below `numbered`."""
    rows = [row for of_basket in baskets for row in of_basket]
    packed = [row.keys for row in rows]
    keys = np.frombuffer(b"".join(packed), np.int32)
    values = np.frombuffer(b"".join([row.values for row in rows]), np.complex128)
    row_bounds, key_bounds = _bounds(map(len, baskets)), _bounds(map(len, packed)) >> 2
    # The product costs memory for every column, so the columns are the batch's own, not the numbering's.
    column_of = np.empty(numbered, np.int32)
    column_of[keys] = np.arange(len(keys), dtype=np.int32)
    weights = csr_array((values, column_of[keys], key_bounds), shape=(len(rows), len(keys)))
    ones, order = np.ones(len(rows), np.complex128), np.arange(len(rows), dtype=np.int32)
    product = csr_array((ones, order, row_bounds), shape=(len(baskets), len(rows))) @ weights
    scores, counts = np.ascontiguousarray(product.data.real), product.data.imag
    items = keys[product.indices]
    any_named = any(row.named for row in rows)
    return Scored(
        rows, any_named, row_bounds, keys, values, key_bounds, product.indptr, items, scores, counts
    )


def _bounds(lengths: Iterable[int]) -> Indices:
    return np.fromiter(accumulate(lengths, initial=0), np.int32)


class Ranking:
    """The candidates of some baskets, best first by (score, count, margin, SKU).

    The first few of each basket are put in order for all baskets together; the rest of a basket is ordered
    only when somebody walks that far, so no candidate is lost to a cut-off.
    """

    def __init__(self, scored: Scored, views: Views, first: int) -> None:
        self._scored, self._views = scored, views
        lengths = np.diff(scored.bounds)
        table, filled = _table(scored.scores, lengths)
        width = table.shape[1]
        if width > first:  # entries equal to the last one taken are taken, too: ties are settled below
            self._floors = np.partition(table, width - first, axis=1)[:, width - first]
            taken = (table >= self._floors[:, None]) & filled
        else:
            self._floors = np.full(len(lengths), -np.inf)
            taken = filled
        self._order(np.flatnonzero(taken[filled]), taken.sum(axis=1))

    def _order(self, entries: npt.NDArray[np.intp], taken: npt.NDArray[np.intp]) -> None:
        """Sort the first entries of each basket, then settle baskets in which two scores are equal."""
        table, filled = _table(self._scored.scores[entries], taken)
        best = np.argsort(-table, axis=1, kind="stable")
        places = np.zeros(table.shape, np.intp)
        places[filled] = entries
        places = np.take_along_axis(places, best, axis=1)
        sorted_scores = np.take_along_axis(table, best, axis=1)
        self._taken = taken.tolist()
        self._items: list[list[int]] = self._scored.items[places].tolist()
        self._rounded: list[list[float]] = np.round(sorted_scores, DECIMALS).tolist()
        equal = (sorted_scores[:, 1:] == sorted_scores[:, :-1]) & (sorted_scores[:, 1:] > -np.inf)
        for basket in np.flatnonzero(equal.any(axis=1)).tolist():
            settled = list(self._in_order(places[basket, : self._taken[basket]]))
            self._items[basket] = [item for item, _ in settled]

    def walk(self, basket: int) -> Iterator[Ranked]:
        """All candidates of the basket at this position, best first, ordered as far as it is read."""
        taken = self._taken[basket]
        items, scores = self._items[basket][:taken], self._rounded[basket][:taken]
        return chain(zip(items, scores, strict=True), self._rest(basket))

    def _rest(self, basket: int) -> Iterator[Ranked]:
        start, end = self._scored.bounds[basket], self._scored.bounds[basket + 1]
        below = np.flatnonzero(self._scored.scores[start:end] < self._floors[basket])
        yield from self._in_order(below + start)

    def _in_order(self, entries: npt.NDArray[np.intp]) -> Iterator[Ranked]:
        """These entries of one basket, best first."""
        scores = self._scored.scores[entries]
        by_score = np.argsort(-scores, kind="stable")
        ordered = zip(
            self._scored.items[entries[by_score]].tolist(),
            self._scored.counts[entries[by_score]].tolist(),
            scores[by_score].tolist(),
            np.round(scores[by_score], DECIMALS).tolist(),
            strict=True,
        )
        for _, tied in groupby(ordered, key=lambda entry: entry[2]):
            for item, _, _, rounded in sorted(tied, key=self._tie_break):
                yield item, rounded

    def _tie_break(self, entry: tuple[int, float, float, float]) -> tuple[float, int, str]:
        """More orders together first, then the larger margin, then the SKU: a total order."""
        product = self._views.products[entry[0]]
        return -entry[1], 0 if product is None else -product.margin(), self._views.skus[entry[0]]


def _table(values: Floats, lengths: npt.NDArray[np.integer[Any]]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Runs of values of these lengths as the rows of a table, filled up with -inf; and where it is filled."""
    filled = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
    table = np.full(filled.shape, -np.inf)
    table[filled] = values
    return table, filled
