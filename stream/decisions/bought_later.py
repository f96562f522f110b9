"""What customers come back for: products bought one after the other, each in an order of its own.

They could have been bought in one go, but the counts of orders know nothing of them. A sample of what customers bought
does: of those who bought one product, how many came back for another within some weeks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from stream.decisions.neighbours import LATER, NeighbourRow, packed
from stream.decisions.scorers import FILL, whole

Integers = npt.NDArray[np.int64]

LAG_DAYS: Final = 30
"""Whoever bought the other product later than this did not come back for it."""

MOST_PURCHASES: Final = 30
"""Purchases of a customer that are looked at, the newest ones."""

FEWEST_CUSTOMERS: Final = 3
"""Customers who came back, below which nothing is claimed."""

HEADS: Final = 5
MOST_SKUS: Final = 2_000
"""Products that are remembered for one, and products, those of most customers, for which any are."""

EXPONENT: Final = 0.2
"""Products are ranked as partners are by the baseline."""

Purchase = tuple[bytes, int]
"""A SKU id and a pane."""


class Later(Struct, frozen=True, array_like=True):
    """Sampled customers who bought a product, and (SKU id, how many of them came back for it), best first."""

    customers: int
    heads: list[tuple[bytes, int]]


def bought_later(diaries: Iterable[Sequence[Purchase]], lag_panes: int) -> dict[bytes, Later]:
    """What the customers of these diaries came back for, by what they had bought before.

    Somebody came back for a product who bought it within the lag after the other, and neither in the same pane nor
    within the lag before it: staples are bought after everything. Only what happened more often than chance would have
    it is kept.
    """
    buyers: Counter[bytes] = Counter()
    together: defaultdict[bytes, Counter[bytes]] = defaultdict(Counter)
    sampled = 0
    for diary in diaries:
        sampled += 1
        newest = sorted(set(diary), key=lambda purchase: (-purchase[1], purchase[0]))[:MOST_PURCHASES]
        buyers.update({sku for sku, _ in newest})
        for earlier, later in _comebacks(newest, lag_panes):
            together[earlier][later] += 1
    found = {}
    for sku in sorted(together, key=lambda sku: (-buyers[sku], sku)):
        heads = [
            (-count / buyers[other] ** EXPONENT, other, count)
            for other, count in together[sku].items()
            if count >= FEWEST_CUSTOMERS and count * sampled > buyers[sku] * buyers[other]
        ]
        if heads:
            found[sku] = Later(buyers[sku], [(other, count) for _, other, count in sorted(heads)[:HEADS]])
        if len(found) == MOST_SKUS:
            break
    return found


def _comebacks(purchases: Sequence[Purchase], lag_panes: int) -> set[tuple[bytes, bytes]]:
    """(earlier, later) products of one customer."""
    panes: defaultdict[bytes, list[int]] = defaultdict(list)
    for sku, pane in purchases:
        panes[sku].append(pane)
    return {
        (earlier, later)
        for earlier, since in purchases
        for later, bought in panes.items()
        if later != earlier
        and any(0 < pane - since <= lag_panes for pane in bought)
        and not any(0 <= since - pane <= lag_panes for pane in bought)
    }


def heads_of(
    later: Mapping[bytes, Later], sku: bytes, min_together: int
) -> tuple[int, list[tuple[bytes, int]]]:
    """Customers who bought a product, and what at least so many of them came back for."""
    known = later.get(sku)
    if known is None:
        return 0, []
    return known.customers, [head for head in known.heads if head[1] >= min_together]


def later_row(line: int, customers: int, items: Integers, counts: Integers) -> NeighbourRow:
    """The row of a line: of `customers` who bought it so many came back for each of the items (dense indices).

    Weights are next to nothing, as those of category pairs are, and larger than theirs: `FILL` times 2 + (share of
    those customers).
    """
    elements = packed(items, whole(FILL * (2.0 + counts / customers)), counts)
    return NeighbourRow(line, elements, orders=customers, source=LATER)
