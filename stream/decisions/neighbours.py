"""Neighbour rows: what one line of a basket speaks for, derived once and used by many batches.

A row is made when a partner list is read from the tables, in one go for the whole read, and kept as packed
bytes: 50 partners take about 900 of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from stream.decisions.codes import BELOW_CONFIDENCE, BELOW_SUPPORT
from stream.decisions.policy import Policy

Integers = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FRACTION: Final = 2**30
"""A weight of 1: weights are whole numbers of this fraction, so that their sums do not depend on the order."""

MOST_WEIGHT: Final = 127
"""Larger weights count as this one."""

POPULAR, CATEGORY, LATER, ORDERS, OWN, CATALOGUE, PINNED = range(7)
"""Who speaks in a row: what is ordered most, categories that go together, what customers come back for, co-purchases,
the customer's own orders, what is named as a complement, a pin. Of several that speak for a product, the greatest
gives the reason."""

NOBODY: Final = -1
"""In the place of a line's dense index: the row is not a line's."""

REFUSED_KEPT: Final = 3
"""Partners under the floors that a row remembers, to be able to say why there is no offer."""


class Refused(Struct, frozen=True, gc=False):
    """A partner under a floor: its dense index, the orders that held both, and the code."""

    item: int
    together: int
    code: str


ITEM_BITS: Final = 22
"""Room of a dense index."""

_ITEM: Final = (1 << ITEM_BITS) - 1

_ELEMENT_BYTES: Final = 12
"""A term and a count."""

_MOST_COUNT: Final = 2**31 - 1


class NeighbourRow(Struct, frozen=True, gc=False):
    """Candidates that the SKU with dense index `item` speaks for, by dense index.

    `elements` are a term for each candidate, and behind them a count for each, in native byte order: a term holds the
    weight in `FRACTION`s and the dense index (`item_of`, `weight_of`). `orders` is the SKU's own order count.
    `source` says who speaks: for the catalogue and for pins counts are 0. `about` names what speaks where it is no
    SKU: the customers that `POPULAR` counted the orders of, the category of the candidates of a `CATEGORY` row.
    """

    item: int
    elements: bytes
    orders: int = 0
    refused: tuple[Refused, ...] = ()
    source: int = ORDERS
    about: str = ""

    def __len__(self) -> int:
        return len(self.elements) // _ELEMENT_BYTES

    @property
    def terms(self) -> Integers:
        """The terms of the candidates."""
        return np.frombuffer(self.elements, np.int64, len(self))

    @property
    def met(self) -> Indices:
        """The counts of the candidates, in the order of the terms."""
        return np.frombuffer(self.elements, np.int32, len(self), 8 * len(self))

    def candidates(self) -> list[int]:
        """Dense indices of the candidates."""
        items: list[int] = item_of(self.terms).tolist()
        return items

    def whole_weights(self) -> list[int]:
        """The weights of the candidates in their order, in `FRACTION`s."""
        weights: list[int] = weight_of(self.terms).tolist()
        return weights

    def counts(self) -> list[int]:
        """The orders that held both, of the candidates in their order."""
        counts: list[int] = self.met.tolist()
        return counts

    def weights(self) -> dict[int, float]:
        """Weight of each candidate, by dense index."""
        pairs = zip(self.candidates(), self.whole_weights(), strict=True)
        return {item: weight / FRACTION for item, weight in pairs}


def item_of(terms: Integers) -> Integers:
    """The dense indices in terms, or in any numbers that have one in their last `ITEM_BITS`."""
    return terms & _ITEM


def weight_of(terms: Integers) -> Integers:
    """The weights in terms, in `FRACTION`s."""
    return terms >> ITEM_BITS


def packed(items: Integers | Indices, weights: Integers, counts: Integers) -> bytes:
    """The elements of a row: weights in `FRACTION`s and counts of these candidates."""
    return packed_rows(items, weights, counts, [0, len(items)])[0]


def packed_rows(
    items: Integers | Indices, weights: Integers, counts: Integers, bounds: Sequence[int]
) -> list[bytes]:
    """The elements of rows: those of row r are at `bounds[r]:bounds[r + 1]`."""
    terms = ((weights << ITEM_BITS) | items).tobytes()
    met = np.minimum(counts, _MOST_COUNT).astype(np.int32).tobytes()
    return [terms[8 * a : 8 * b] + met[4 * a : 4 * b] for a, b in pairwise(bounds)]


def joined(rows: Sequence[NeighbourRow]) -> tuple[Integers, Indices]:
    """The terms of rows, row after row, and their counts."""
    split = [8 * len(row) for row in rows]
    terms = b"".join([row.elements[:end] for row, end in zip(rows, split, strict=True)])
    met = b"".join([row.elements[end:] for row, end in zip(rows, split, strict=True)])
    return np.frombuffer(terms, np.int64), np.frombuffer(met, np.int32)


class Baseline(NamedTuple):
    """Weights of the baseline score, which of them may be claimed, and which are at or over the support floor."""

    weights: Floats
    kept: Flags
    supported: Flags


def baseline_weights(
    together: Integers, line_orders: Integers, partner_orders: Integers, total_orders: int, policy: Policy
) -> Baseline:
    """c_ij / (n_i + prior) / n_j ** exponent; claimed at or over the support floor where pairs met above chance."""
    supported = together >= policy.min_together
    # In floats: the products pass 2^63 for no shop on earth, but a wrapped integer would be silent.
    above_chance = (
        together.astype(np.float64) * total_orders > line_orders.astype(np.float64) * partner_orders
    )
    discount = np.maximum(partner_orders, 1) ** policy.popularity_exponent
    weights = together / (line_orders + policy.prior_orders) / discount
    return Baseline(weights, supported & above_chance, supported)


def neighbour_rows(
    items: Sequence[int] | Indices,
    orders: Sequence[int] | Integers,
    bounds: Sequence[int] | Integers,
    partners: Indices,
    counts: Integers,
    partner_orders: Integers,
    total_orders: int,
    policy: Policy,
    boosts: Floats | None = None,
) -> list[NeighbourRow]:
    """Rows of the baseline score for partner lists that were read together.

    List r belongs to the SKU `items[r]` (dense index) with `orders[r]` orders; it is the dense indices
    `partners[bounds[r]:bounds[r + 1]]`, best count first, with their `counts` (orders that held both) and
    `partner_orders` (orders with the partner). A partner weighs c_ij / (n_i + prior) / n_j ** exponent where
    it is at or over the support floor and above chance (c_ij * total_orders > n_i * n_j); others are
    dropped, the best of them remembered. `boosts` are factors on the weights, by place in `partners`.
    """
    own, ends = np.asarray(orders, np.int64), np.asarray(bounds, np.int64)
    row_of = np.repeat(np.arange(len(own)), np.diff(ends))
    weights, kept, supported = baseline_weights(counts, own[row_of], partner_orders, total_orders, policy)
    if boosts is not None:
        weights *= boosts

    at = np.flatnonzero(kept)
    kept_before = np.concatenate(([0], np.cumsum(kept)))
    rows = packed_rows(partners[at], _whole(weights[at]), counts[at], kept_before[ends].tolist())
    refused = _refused(ends, kept, supported, partners, counts)
    return [
        NeighbourRow(item, elements, n, refused.get(r, ()))
        for r, (item, elements, n) in enumerate(
            zip(np.asarray(items).tolist(), rows, own.tolist(), strict=True)
        )
    ]


def told_row(source: int, item: int, weights: Mapping[int, float]) -> NeighbourRow:
    """A row of weights that somebody told us, by dense index."""
    items, values = np.array(list(weights), np.int32), np.array(list(weights.values()), np.float64)
    elements = packed(items, _whole(values), np.zeros(len(items), np.int64))
    return NeighbourRow(item, elements, source=source)


def _whole(weights: Floats) -> Integers:
    return np.rint(np.clip(weights, -MOST_WEIGHT, MOST_WEIGHT) * FRACTION).astype(np.int64)


def _refused(
    ends: Integers,
    kept: npt.NDArray[np.bool_],
    supported: npt.NDArray[np.bool_],
    partners: Indices,
    counts: Integers,
) -> dict[int, tuple[Refused, ...]]:
    """The first few partners of each list that are under a floor."""
    at = np.flatnonzero(~kept)
    row_of = np.searchsorted(ends, at, side="right") - 1
    before = np.concatenate(([0], np.cumsum(~kept)))[ends[row_of]]
    first = np.arange(len(at)) - before < REFUSED_KEPT
    at, row_of = at[first], row_of[first]
    by_row: dict[int, tuple[Refused, ...]] = {}
    for row, item, count, enough in zip(
        row_of.tolist(), partners[at].tolist(), counts[at].tolist(), supported[at].tolist(), strict=True
    ):
        code = BELOW_CONFIDENCE if enough else BELOW_SUPPORT
        by_row[row] = (*by_row.get(row, ()), Refused(item, count, code))
    return by_row
