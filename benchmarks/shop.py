"""A synthetic shop: few products sell a lot, and each is bought with its own circle of others (seeded, pure)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stream.codec import encode
from stream.events import BasketUpdated, Complement, Line, OrderLine, OrderPlaced, ProductUpdated, Range
from stream.history.events import event_id
from stream.publisher import Outgoing

CIRCLE = 60
"""Products that each product is mostly bought with."""

NEAR = 0.85
"""Share of further lines that come from the circle of the first."""

LINES_OF_A_BASKET = 4
LINES_OF_AN_ORDER = 5
CURRENCY = "EUR"
SPREAD_DAYS = 3
"""Orders of a backlog happened in these days, in log order."""

Ints = npt.NDArray[np.int64]


class Shop:
    """Products, baskets and orders of one seed. `now` is when the newest of them happened."""

    def __init__(self, skus: int, customers: int, seed: int, now: datetime) -> None:
        self._skus, self._customers, self._seed, self._now = skus, customers, seed, now
        popularity = 1.0 / (np.arange(skus) + 10.0) ** 0.9
        self._steps = np.cumsum(popularity) / popularity.sum()
        self.names = [f"SKU-{number:06d}" for number in range(skus)]
        self.prices: list[int] = np.random.default_rng(seed).integers(199, 19_999, skus).tolist()

    @cached_property
    def circles(self) -> Ints:
        """For each product the products of its circle, the closest first."""
        return self._by_popularity(np.random.default_rng(self._seed + 1), (self._skus, CIRCLE))

    def products(self) -> list[Outgoing]:
        """The catalogue; one product in five stands in a range of four rungs."""
        at = self._now - timedelta(days=SPREAD_DAYS + 1)
        return [Outgoing(sku.encode(), encode(self._product(n, at))) for n, sku in enumerate(self.names)]

    def baskets(self, count: int) -> list[Outgoing]:
        """Baskets of `LINES_OF_A_BASKET` lines, about 400 bytes each; every second shopper is known."""
        picks = self.selections(count, LINES_OF_A_BASKET, seed=2).tolist()
        return [self._basket(n, items) for n, items in enumerate(picks)]

    def basket(self, number: int, items: list[int], ident: str) -> BasketUpdated:
        """One basket; `ident` is the id of its event."""
        return BasketUpdated(
            event_id=ident,
            occurred_at=self._now,
            channel="web",
            store_id="store-01",
            basket_id=f"basket-{number:09d}",
            version=len(items),
            customer_id=self._customer(number),
            currency=CURRENCY,
            lines=[Line(self.names[item], 1, self.prices[item]) for item in items],
        )

    def orders(self, count: int) -> list[Outgoing]:
        """Orders of `LINES_OF_AN_ORDER` distinct products, in the order of their times."""
        start = self._now - timedelta(days=SPREAD_DAYS)
        step = timedelta(days=SPREAD_DAYS) / max(1, count)
        picks = self.selections(count, LINES_OF_AN_ORDER, seed=3).tolist()
        return [self._order(n, items, start + n * step) for n, items in enumerate(picks)]

    def selections(self, count: int, size: int, seed: int) -> Ints:
        """`size` distinct products for each of `count` shoppers: a popular one and mostly its circle."""
        rng = np.random.default_rng((self._seed, seed))
        picked = self._selected(rng, count, size)
        while len(again := np.flatnonzero((np.diff(np.sort(picked), axis=1) == 0).any(axis=1))):
            picked[again] = self._selected(rng, len(again), size)
        return picked

    def _selected(self, rng: np.random.Generator, count: int, size: int) -> Ints:
        first = self._by_popularity(rng, (count, 1))
        near = self.circles[first, (rng.random((count, size - 1)) ** 2 * CIRCLE).astype(np.int64)]
        other = self._by_popularity(rng, (count, size - 1))
        rest = np.where(rng.random((count, size - 1)) < NEAR, near, other)
        return np.concatenate([first, rest], axis=1)

    def _by_popularity(self, rng: np.random.Generator, shape: tuple[int, int]) -> Ints:
        return np.minimum(np.searchsorted(self._steps, rng.random(shape)), self._skus - 1).astype(np.int64)

    def _product(self, number: int, at: datetime) -> ProductUpdated:
        rung, in_range = number % 4, number % 20 < 4
        return ProductUpdated(
            event_id=event_id("product", self.names[number]),
            occurred_at=at,
            sku=self.names[number],
            title=f"Product number {number}",
            kind="physical",
            category=["shop", f"aisle {number % 50}"],
            price=1_000 * (rung + 2) if in_range else self.prices[number],
            currency=CURRENCY,
            range=Range(f"range-{number // 20}", rung) if in_range else None,
            features={f"feature {f}": rung >= f for f in range(4)} if in_range else {},
            complements=[Complement(self.names[self.circles[number, 0]])] if number % 10 == 9 else [],
            in_stock=number % 50 != 7,
        )

    def _basket(self, number: int, items: list[int]) -> Outgoing:
        event = self.basket(number, items, event_id("basket", str(number)))
        return Outgoing(event.basket_id.encode(), encode(event))

    def _order(self, number: int, items: list[int], at: datetime) -> Outgoing:
        order = OrderPlaced(
            event_id=event_id("order", str(number)),
            occurred_at=at,
            channel="web",
            order_id=f"order-{number:09d}",
            customer_id=self._customer(number),
            currency=CURRENCY,
            lines=[OrderLine(self.names[item], 1, self.prices[item]) for item in items],
        )
        return Outgoing(order.order_id.encode(), encode(order))

    def _customer(self, number: int) -> str | None:
        return f"customer-{number * 7919 % self._customers:06d}" if number % 2 else None


def shop_of_today(skus: int, customers: int, seed: int = 1) -> Shop:
    """A shop whose newest basket is a minute old: no event may be ahead of its record's time."""
    return Shop(skus, customers, seed, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1))
