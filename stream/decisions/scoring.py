"""Scores of all candidates of a batch at once.

The score of a candidate is the sum of its weights over the rows of the basket. All (basket, candidate, weight)
of a chunk are sorted together, so that the weights of one candidate in one basket stand side by side and one
segmented sum adds them up: the sparse product (baskets x rows) @ (rows x candidates), with the terms of each
sum still at hand to explain it.

Bytes do not depend on the company: weights are whole numbers (`neighbours.FRACTION`), whose sums are exact in
any order, and dense indices decide nothing but the layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from stream.decisions.candidates import Considered
from stream.decisions.lines import Lines
from stream.decisions.neighbours import FRACTION, ITEM_BITS, MOST_WEIGHT, NeighbourRow, item_of, weight_of

Integers = npt.NDArray[np.int64]

ROWS_AT_ONCE: Final = 2_000
"""Rows of one chunk: some 100,000 weights. Of fewer the calls cost more than the work; of many more the arrays leave no
room in the processor's cache."""

_MOST_ROOM: Final = 2 * ROWS_AT_ONCE
"""Rows that a chunk would have were all its baskets as large as the largest: scores are put in order in a table."""

_USUAL_ROW: Final = 50
"""Weights of a line's row."""

_ELEMENT_BITS: Final = 20
"""Room of an element (one weight) of a chunk in a sort key."""

PLACE_BITS: Final = 18
"""Room that scores leave for a candidate's place in its basket."""

_MOST_SCORE: Final = 2 ** (63 - PLACE_BITS) - 1
"""What is left of 64 bits: scores beyond 32,767 are all the same."""

_MOST_ROWS: Final = _MOST_SCORE // (MOST_WEIGHT * FRACTION)
"""Rows of a basket up to which no score is beyond that."""


def in_chunks(batch: Sequence[Considered]) -> Iterator[list[int]]:
    """Positions of baskets to score together, of like size and with at most `ROWS_AT_ONCE` rows unless alone.

    What others say may be long: thousands of products that a customer bought. It counts as so many rows.
    """
    sizes = np.array(
        [
            len(considered.refs) + sum(map(len, considered.others)) // _USUAL_ROW
            if considered.others
            else len(considered.refs)
            for considered in batch
        ],
        np.int64,
    )
    order = np.argsort(sizes, kind="stable")
    sizes = sizes[order]
    while len(order):
        rows, room = np.cumsum(sizes), np.arange(1, len(sizes) + 1) * sizes
        fitting = (rows <= ROWS_AT_ONCE) & (room <= _MOST_ROOM)  # the first ones: both rise
        count = max(1, int(np.count_nonzero(fitting)))
        yield order[:count].tolist()
        order, sizes = order[count:], sizes[count:]


class Scored(NamedTuple):
    """Some baskets, scored: the rows they were scored from, and their candidates in no order.

    Row r is that of the line `refs[r]`, or `others[~refs[r]]` where that is negative; `row_counts` says how many rows
    each basket has, one after the other. Element e is one weight of one row: row r has the elements
    `row_bounds[r]:row_bounds[r + 1]` of `weights` and `places` (in the heap of `lines`). The candidates of basket b are
    at `bounds[b]:bounds[b + 1]` of `keys` (its position and dense indices, see `item_of`), which rise, and of `scores`;
    the elements that make up candidate c are `elements[starts[c]:starts[c + 1]]`, in the order of the rows.
    """

    lines: Lines
    refs: Integers
    others: Sequence[NeighbourRow]
    row_counts: list[int]
    row_bounds: Integers
    places: Integers
    weights: Integers
    elements: Integers
    starts: Integers
    keys: Integers
    scores: Integers
    bounds: Integers

    def items(self, candidates: Integers) -> Integers:
        """The dense indices of candidates; places beyond the last are taken for the last."""
        return item_of(self.keys.take(candidates, mode="clip"))

    def met(self, elements: Integers) -> npt.NDArray[np.int32]:
        """The counts of elements. They are there until the next scoring with the same lines."""
        return self.lines.met(self.places[elements])

    def together(self, candidate: int) -> int:
        """Orders that held a candidate and a line, summed over the lines."""
        return int(self.met(self.elements[self.starts[candidate] : self.starts[candidate + 1]]).sum())

    def row(self, number: int) -> NeighbourRow:
        """A row that has elements."""
        ref = int(self.refs[number])
        return self.others[~ref] if ref < 0 else cast(NeighbourRow, self.lines.at(ref).learned)


def score(baskets: Sequence[Considered], lines: Lines) -> Scored:
    """Scores of all candidates of each basket."""
    refs, others = _refs(baskets)
    row_bounds, places, terms = lines.gather(refs, others)
    rows_of = [len(considered.refs) for considered in baskets]
    edges = row_bounds[list(accumulate(rows_of, initial=0))]
    begins = np.arange(len(baskets) + 1) << ITEM_BITS
    packed = np.repeat(begins[:-1], edges[1:] - edges[:-1])
    packed |= item_of(terms)
    packed <<= _ELEMENT_BITS
    packed |= np.arange(len(terms))
    packed.sort()
    weights = weight_of(terms)
    elements = packed & ((1 << _ELEMENT_BITS) - 1)
    packed >>= _ELEMENT_BITS
    first = np.ones(len(packed) + 1, np.bool_)  # of one candidate, and the end
    np.not_equal(packed[1:], packed[:-1], out=first[1:-1])
    starts = np.flatnonzero(first)
    candidates = packed[starts[:-1]]
    scores = weights[elements[starts[:-1]]]
    # Most candidates have one element; those behind the first are added to what they follow.
    further = np.flatnonzero(~first)
    np.add.at(scores, further - np.arange(1, len(further) + 1), weights[elements[further]])
    if max(rows_of) > _MOST_ROWS:
        np.clip(scores, -_MOST_SCORE, _MOST_SCORE, out=scores)
    bounds = np.searchsorted(candidates, begins)
    return Scored(
        lines,
        refs,
        others,
        rows_of,
        row_bounds,
        places,
        weights,
        elements,
        starts,
        candidates,
        scores,
        bounds,
    )


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
