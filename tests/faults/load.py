"""The seeded load: orders, baskets and returns as JSON, written without the product's types or codec.

The same dice throw the same events. Every event has an id of its own; a share of the orders and baskets is sent
a second time under the same id, as a producer does that missed an acknowledgement.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

BASKETS, ORDERS, RETURNS = "basket-updated", "order-placed", "order-returned"
PRODUCTS, CUSTOMERS, ERASURES = "product-updated", "customer-updated", "customer-erased"


class Message(NamedTuple):
    """A record to publish on `topic` (without the prefix). `poison`: it has to end as a dead letter."""

    topic: str
    key: bytes | None
    value: bytes | None
    event_id: str = ""
    poison: bool = False


def message(topic: str, key: str, event: dict[str, Any]) -> Message:
    """An event as a record."""
    return Message(topic, key.encode(), json.dumps(event).encode(), str(event["event_id"]))


@dataclass
class Load:
    """Makes events. `began` is the time they speak of; the first order is ten minutes before it."""

    dice: random.Random
    began: datetime
    skus: Sequence[str] = tuple(f"sku-{i:02d}" for i in range(40))
    customers: Sequence[str] = tuple(f"customer-{i:02d}" for i in range(30))
    duplicate_share: float = 0.05
    made: int = 0
    placed: list[dict[str, Any]] = field(default_factory=list)
    """Orders made so far that no return was made for."""

    def order(
        self,
        *,
        skus: Sequence[str] | None = None,
        customer: str | None = "",
        at: datetime | None = None,
        order_id: str | None = None,
    ) -> Message:
        """A paid order; the dice choose what is not given (`customer=None` means nobody known)."""
        number = self._next()
        chosen = list(skus) if skus is not None else self._some_skus(6)
        event: dict[str, Any] = {
            "event_id": f"order-event-{number}",
            "occurred_at": (at or self._moment(number)).isoformat(),
            "channel": "web",
            "order_id": order_id or f"order-{number}",
            "currency": self.dice.choice(["EUR", "EUR", "EUR", "USD"]),
            "lines": [self._line(sku) for sku in chosen],
        }
        if customer == "":
            customer = self.dice.choice(self.customers) if self.dice.random() < 0.7 else None
        if customer is not None:
            event["customer_id"] = customer
        self.placed.append(event)
        return message(ORDERS, event["order_id"], event)

    def basket(self, *, skus: Sequence[str] | None = None, customer: str | None = None) -> Message:
        """A basket as it is now."""
        number = self._next()
        event = {
            "event_id": f"basket-event-{number}",
            "occurred_at": self._moment(number).isoformat(),
            "channel": "web",
            "basket_id": f"basket-{number}",
            "currency": "EUR",
            "lines": [self._line(sku) for sku in (skus if skus is not None else self._some_skus(4))],
        }
        if customer is not None:
            event["customer_id"] = customer
        return message(BASKETS, f"basket-{number}", event)

    def returned(self, order: dict[str, Any], *, at: datetime | None = None) -> Message:
        """A return of this order: all of it, or some pieces of some lines."""
        number = self._next()
        lines = [
            {"sku": line["sku"], "quantity": self.dice.randint(1, line["quantity"])}
            for line in order["lines"]
            if self.dice.random() < 0.5
        ]
        event = {
            "event_id": f"return-event-{number}",
            "occurred_at": (at or self._moment(number)).isoformat(),
            "channel": "web",
            "order_id": order["order_id"],
            "reason": "returned",
            "lines": lines,
        }
        return message(RETURNS, order["order_id"], event)

    def erased(self, customer: str, *, at: datetime | None = None) -> Message:
        """The wish of a customer to be forgotten."""
        number = self._next()
        event = {
            "event_id": f"erasure-event-{number}",
            "occurred_at": (at or self._moment(number)).isoformat(),
            "customer_id": customer,
        }
        return message(ERASURES, customer, event)

    def catalogue(self) -> list[Message]:
        """A product for every SKU, in ranges of four rungs."""
        return [self.product(sku, i) for i, sku in enumerate(self.skus)]

    def product(self, sku: str, number: int) -> Message:
        """The product with this number of the catalogue."""
        event = {
            "event_id": f"product-event-{self._next()}",
            "occurred_at": self.began.isoformat(),
            "sku": sku,
            "title": sku.title(),
            "kind": "physical",
            "category": ["things"],
            "price": 500 + 100 * number,
            "currency": "EUR",
            "range": {"id": f"range-{number // 4}", "rung": number % 4},
        }
        return message(PRODUCTS, sku, event)

    def step(self, orders: int = 20, baskets: int = 20) -> list[Message]:
        """Orders and baskets mixed, some of them twice."""
        made = [self.order() for _ in range(orders)] + [self.basket() for _ in range(baskets)]
        made += [again for again in made if self.dice.random() < self.duplicate_share]
        self.dice.shuffle(made)
        return made

    def _next(self) -> int:
        self.made += 1
        return self.made

    def _moment(self, number: int) -> datetime:
        return self.began - timedelta(minutes=10) + timedelta(milliseconds=number)

    def _some_skus(self, most: int) -> list[str]:
        """Distinct SKUs, the first of the list more often than the last."""
        count = self.dice.randint(1, most)
        drawn = [self.skus[int(len(self.skus) * self.dice.random() ** 2)] for _ in range(count)]
        return list(dict.fromkeys(drawn))

    def _line(self, sku: str) -> dict[str, Any]:
        return {"sku": sku, "quantity": self.dice.randint(1, 3), "unit_price": self.dice.randint(1, 40) * 50}


def now_to_the_second() -> datetime:
    """The time a round begins; it is written into the history."""
    return datetime.now(UTC).replace(microsecond=0)
