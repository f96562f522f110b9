"""What a sample of recent orders says that the counts do not: who orders what most, and which categories go together.

A sample is enough: shares of popular things are known well from a few hundred orders. It costs the counting of orders
nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Final, NamedTuple

from msgspec import Struct

from stream.decisions.bought_later import Later

MOST_SAMPLED: Final = 2_000
"""Orders of a sample."""

FEWEST_ORDERS: Final = 200
"""Orders of a segment from which it speaks for itself; before, the next wider one does."""

MOST_SHARE: Final = 0.9
"""A segment with a larger share of the next wider one's orders is none: what is counted of all is exact."""

SEGMENT_HEADS: Final = 50
CATEGORY_HEADS: Final = 10
MOST_CATEGORIES: Final = 3
"""Items of a segment, items of a category, and categories that go with one, that are remembered."""

FEWEST_TOGETHER: Final = 3
"""Orders that held both categories, below which nothing is claimed."""

PRIOR_ORDERS: Final = 30.0
EXPONENT: Final = 0.2
"""Categories are ranked as items are by the baseline."""

Head = tuple[bytes, int]
"""A SKU id, and the sampled orders that held it."""


class SampledOrder(NamedTuple):
    """Where it was placed, the tier of its customer, and the ids of its SKUs."""

    channel: str
    tier: str
    skus: Sequence[bytes]


class Segment(Struct, frozen=True, array_like=True):
    """Sampled orders of a channel, a tier, or both, and what they held most."""

    orders: int
    heads: list[Head]


class Category(Struct, frozen=True, array_like=True):
    """Sampled orders with something of a category, what they held of it most, and what else: (category, orders)."""

    orders: int
    heads: list[Head]
    goes_with: list[tuple[str, int]]


class OrderSample(Struct, frozen=True, array_like=True):
    """Segments by `channel NUL tier`, of which one may be empty; categories by name; what customers come back for, by
    SKU id."""

    orders: int = 0
    segments: dict[str, Segment] = {}
    categories: dict[str, Category] = {}
    later: dict[bytes, Later] = {}

    def segment(self, channel: str, tier: str) -> tuple[str, Segment] | None:
        """The narrowest segment of a basket that has enough orders, and what it is called; None: all customers."""
        for name, key in (
            (f"channel {channel}, tier {tier}", f"{channel}\0{tier}"),
            (f"channel {channel}", f"{channel}\0"),
            (f"tier {tier}", f"\0{tier}"),
        ):
            found = self.segments.get(key)
            if found is not None:
                return name, found
        return None


def summary(
    orders: Sequence[SampledOrder], category_of: Mapping[bytes, str], later: dict[bytes, Later] | None = None
) -> OrderSample:
    """What these orders say, and what their customers come back for; `category_of` knows the categories of SKU ids that
    have one."""
    return OrderSample(len(orders), _segments(orders), _categories(orders, category_of), later or {})


def _segments(orders: Sequence[SampledOrder]) -> dict[str, Segment]:
    totals: Counter[str] = Counter()
    counts: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
    for channel, tier, skus in orders:
        for key in (f"{channel}\0{tier}", f"{channel}\0", f"\0{tier}"):
            totals[key] += 1
            counts[key].update(skus)
    return {
        key: Segment(total, _most(counts[key], SEGMENT_HEADS))
        for key, total in sorted(totals.items())
        if FEWEST_ORDERS <= total <= MOST_SHARE * _of_wider(key, totals, len(orders))
    }


def _of_wider(key: str, totals: Mapping[str, int], everybody: int) -> int:
    """The orders of the next wider segment."""
    channel, tier = key.split("\0")
    return totals[f"{channel}\0"] if channel and tier else everybody


def _categories(orders: Sequence[SampledOrder], category_of: Mapping[bytes, str]) -> dict[str, Category]:
    totals: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    counts: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
    for _, _, skus in orders:
        held = [(category_of[sku], sku) for sku in skus if sku in category_of]
        names = {name for name, _ in held}
        totals.update(names)
        pairs.update(permutations(sorted(names), 2))
        for name, sku in held:
            counts[name][sku] += 1
    partners: defaultdict[str, list[tuple[float, str, int]]] = defaultdict(list)
    for (one, other), together in pairs.items():
        if together >= FEWEST_TOGETHER and together * len(orders) > totals[one] * totals[other]:
            score = together / (totals[one] + PRIOR_ORDERS) / totals[other] ** EXPONENT
            partners[one].append((-score, other, together))
    return {
        name: Category(
            total,
            _most(counts[name], CATEGORY_HEADS),
            [(other, together) for _, other, together in sorted(partners[name])[:MOST_CATEGORIES]],
        )
        for name, total in sorted(totals.items())
    }


def _most(counts: Mapping[bytes, int], most: int) -> list[Head]:
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:most]


def goes_with(
    sample: OrderSample, category: str, min_together: int
) -> Iterable[tuple[str, int, int, Sequence[Head]]]:
    """(category, orders that held both, orders with the first, items) of what goes with a category, best first."""
    known = sample.categories.get(category)
    if known is None:
        return
    for other, together in known.goes_with:
        if together >= min_together:
            yield other, together, known.orders, sample.categories[other].heads
