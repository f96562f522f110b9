"""Co-purchase deltas: what a batch of orders adds to each tag, coalesced to one integer a pair.

Pure and vectorised: a batch of orders becomes a few numpy arrays, and each tag's share leaves as two byte
strings that the script slices without parsing a number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.tables.ids import ALL_ORDERS, SKU_BYTES

_HEADER = np.dtype([("id", ">u8"), ("orders", ">i4"), ("partners", ">u4")])
_ENTRY = np.dtype([("id", ">u8"), ("count", ">i4")])
Ints = npt.NDArray[np.int64]


class WeightedOrder(NamedTuple):
    """The counted SKU ids of an order, 8 bytes each, and how often it counts: 1, or -1 to take it away."""

    skus: bytes
    weight: int


class TagDeltas(NamedTuple):
    """One tag's share: its SKUs, a header each (id, orders, partners) and the partners' deltas in that order."""

    tag: int
    skus: list[bytes]
    headers: bytes
    entries: bytes


def co_purchase_deltas(orders: Sequence[WeightedOrder], tags: int) -> list[TagDeltas]:
    """Every unordered pair of an order counts its weight, in both directions; so does every SKU alone.

    Orders that cancel out leave nothing. The number of orders is counted under `ALL_ORDERS`.
    """
    total = sum(order.weight for order in orders if order.skus)
    weighted = [order for order in orders if order.skus]
    if total:
        weighted.append(WeightedOrder(ALL_ORDERS, total))
    if not weighted:
        return []
    ids, ranks = np.unique(
        np.frombuffer(b"".join(order.skus for order in weighted), dtype=">u8").astype(np.uint64),
        return_inverse=True,
    )
    tag_of_id = ((ids >> np.uint64(32)) % np.uint64(tags)).astype(np.int64)
    by_tag = np.lexsort((ids, tag_of_id))
    place = np.empty(len(ids), dtype=np.int64)
    place[by_tag] = np.arange(len(ids))
    singles, pairs, weights = _pairs(weighted, place[ranks], len(ids))
    return _by_tag(ids[by_tag], tag_of_id[by_tag], singles, *_coalesced(pairs, weights, len(ids)))


def _pairs(orders: Sequence[WeightedOrder], ranks: Ints, width: int) -> tuple[Ints, Ints, Ints]:
    """Summed weight of each SKU, and every directed pair as `left * width + right` with its weight."""
    rows: defaultdict[int, list[int]] = defaultdict(list)
    weights: defaultdict[int, list[int]] = defaultdict(list)
    start = 0
    for order in orders:
        size = len(order.skus) // SKU_BYTES
        rows[size].append(start)
        weights[size].append(order.weight)
        start += size
    singles = np.zeros(width, dtype=np.int64)
    pairs, pair_weights = [], []
    for size, starts in sorted(rows.items()):
        members = ranks[np.asarray(starts)[:, None] + np.arange(size)]
        weight = np.asarray(weights[size], dtype=np.int64)
        np.add.at(singles, members.ravel(), np.repeat(weight, size))
        if size > 1:
            left, right = np.nonzero(~np.eye(size, dtype=bool))
            pairs.append((members[:, left] * width + members[:, right]).ravel())
            pair_weights.append(np.repeat(weight, size * (size - 1)))
    empty = np.zeros(0, dtype=np.int64)
    return singles, np.concatenate([empty, *pairs]), np.concatenate([empty, *pair_weights])


def _coalesced(pairs: Ints, weights: Ints, width: int) -> tuple[Ints, Ints, Ints]:
    """(left, right, summed weight) of each distinct pair in ascending order, zeros left out."""
    if not len(pairs):
        return pairs, pairs, pairs
    order = np.argsort(pairs, kind="stable")
    pairs, weights = pairs[order], weights[order]
    starts = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
    sums = np.add.reduceat(weights, starts)
    kept = sums != 0
    distinct = pairs[starts][kept]
    return distinct // width, distinct % width, sums[kept]


def _by_tag(
    ids: npt.NDArray[np.uint64], tags: Ints, singles: Ints, left: Ints, right: Ints, sums: Ints
) -> list[TagDeltas]:
    partners = np.bincount(left, minlength=len(ids))
    headers = np.empty(len(ids), dtype=_HEADER)
    headers["id"], headers["orders"], headers["partners"] = ids, singles, partners
    entries = np.empty(len(left), dtype=_ENTRY)
    entries["id"], entries["count"] = ids[right], sums
    ends = np.concatenate(([0], np.cumsum(partners)))
    shares = []
    for tag in np.unique(tags):
        first, last = np.searchsorted(tags, [tag, tag + 1])
        share = headers[first:last]
        share = share[(share["orders"] != 0) | (share["partners"] != 0)]
        if len(share):
            raw = share["id"].tobytes()
            skus = [raw[i : i + SKU_BYTES] for i in range(0, len(raw), SKU_BYTES)]
            shares.append(
                TagDeltas(int(tag), skus, share.tobytes(), entries[ends[first] : ends[last]].tobytes())
            )
    return shares
