"""The recount: what the tables must show after a log, worked out the simplest way there is.

Everything is counted anew from the orders that are left at the end; nothing is added and taken away again.
That is what makes it a check of tables that do nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import combinations
from typing import Any, NamedTuple

from stream.events import CustomerErased, OrderPlaced, OrderReturned
from stream.verification.feedback import FeedbackCounts
from stream.verification.returned import CountedOrder
from stream.verification.rules import Rules
from stream.verification.tier_bounds import tier_bounds

Row = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LoggedOrder(NamedTuple):
    """An order and its place in the log."""

    partition: int
    offset: int
    event: OrderPlaced


class LoggedReturn(NamedTuple):
    """A return and its place in the log."""

    partition: int
    offset: int
    event: OrderReturned


@dataclass(slots=True)
class Recount:
    """The counted orders of a log, and the rows they make."""

    rules: Rules
    orders: dict[str, CountedOrder] = field(default_factory=dict)
    superseded: list[CountedOrder] = field(default_factory=list)
    """Counted orders whose id was used again after their pane had left the window."""
    duplicates: int = 0
    late: int = 0
    repeated: int = 0
    """Returns whose event id had been seen for their order."""
    feedback: FeedbackCounts = field(default_factory=FeedbackCounts)
    _returned: set[tuple[str, str]] = field(default_factory=set)
    _erased: dict[str, datetime] = field(default_factory=dict)
    _watermarks: dict[int, int] = field(default_factory=dict)

    def place(self, logged: LoggedOrder) -> None:
        """Count an order, unless it is late by its partition's watermark, or a duplicate in the window."""
        event = logged.event
        pane = self._pane(event.occurred_at)
        watermark = max(self._watermarks.get(logged.partition, pane), pane)
        self._watermarks[logged.partition] = watermark
        if pane <= watermark - self.rules.window_panes:
            self.late += 1
            return
        earlier = self.orders.get(event.order_id)
        if earlier is not None and earlier.pane > watermark - self.rules.window_panes:
            self.duplicates += 1
            return
        if earlier is not None:
            self.superseded.append(earlier)
        lines = [(line.sku, line.quantity, line.unit_price) for line in event.lines]
        self.orders[event.order_id] = CountedOrder(
            order_id=event.order_id,
            pane=pane,
            placed_at=event.occurred_at,
            customer_id=event.customer_id,
            currency=event.currency,
            skus=set(sorted({sku for sku, _, _ in lines}, key=_digest)[: self.rules.max_counted]),
            lines=lines,
        )

    def take_back(self, logged: LoggedReturn) -> None:
        """Take a return into account, once an event id.

        One of an order that is unknown, or had left the window when it came back, does nothing.
        """
        event = logged.event
        if (event.order_id, event.event_id) in self._returned:
            self.repeated += 1
            return
        self._returned.add((event.order_id, event.event_id))
        order = self.orders.get(event.order_id)
        if order is not None and order.pane > self._pane(event.occurred_at) - self.rules.window_panes:
            order.take_back(event)

    def erase(self, event: CustomerErased) -> None:
        """What the customer ordered up to this event's time is as if it had never been."""
        before = self._erased.get(event.customer_id, event.occurred_at)
        self._erased[event.customer_id] = max(before, event.occurred_at)

    @property
    def end(self) -> int:
        """The newest pane of all partitions."""
        return max(self._watermarks.values(), default=0)

    def rows(self) -> Iterator[Row]:
        """All rows in canonical order: by table, then by the row's ids."""
        yield from self.feedback.rows()
        counted = [order for order in self._all() if order.pane > self.end - self.rules.window_panes]
        yield from _co_purchases(counted)
        yield from self._customers()
        yield from self._diaries()
        for order in sorted(counted, key=lambda order: (order.order_id, order.pane)):
            if order.skus:
                yield {
                    "table": "order",
                    "order_id": order.order_id,
                    "pane": order.pane,
                    "skus": sorted(order.skus),
                }
        singles = Counter(sku for order in counted for sku in order.skus)
        for sku, count in sorted(singles.items()):
            yield {"table": "order_count", "sku": sku, "count": count}

    def _all(self) -> list[CountedOrder]:
        return [order for order in (*self.superseded, *self.orders.values()) if not self._is_erased(order)]

    def _is_erased(self, order: CountedOrder) -> bool:
        erased_at = self._erased.get(order.customer_id) if order.customer_id is not None else None
        return erased_at is not None and order.placed_at <= erased_at

    def _by_customer(self) -> list[tuple[str, list[CountedOrder], list[CountedOrder]]]:
        """Each customer with all orders that were theirs, and those of the customer window."""
        by_customer: defaultdict[str, list[CountedOrder]] = defaultdict(list)
        for order in self._all():
            if order.customer_id is not None:
                by_customer[order.customer_id].append(order)
        first_live = self.end - self.rules.customer_window_panes + 1
        return [
            (customer, orders, [order for order in orders if order.pane >= first_live])
            for customer, orders in sorted(by_customer.items())
        ]

    def _diaries(self) -> Iterator[Row]:
        """What each customer bought; also None where so much was bought and taken back that a diary may be full."""
        for customer, orders, live in self._by_customer():
            if all(order.whole_back for order in live):
                continue
            bought = Counter((sku, order.pane) for order in live for sku in order.skus)
            purchases = sorted([sku, pane, times] for (sku, pane), times in bought.items())
            most = sum(2 * len(order.lines) for order in orders)
            full = most > self.rules.most_in_diary
            yield {
                "table": "diary",
                "customer_id": customer,
                "purchases": (purchases, None) if full else purchases,
            }

    def _customers(self) -> Iterator[Row]:
        for customer, orders, live in self._by_customer():
            placed = sum(not order.whole_back for order in live)
            now, most = _spend(live), Counter[str]()
            for order in orders:
                most[order.currency] += order.paid
            if placed:
                yield {
                    "table": "customer",
                    "customer_id": customer,
                    "orders": placed,
                    "spend": dict(sorted(now.items())),
                    "tier": tier_bounds(most, now, self.rules.tiers),
                }

    def _pane(self, at: datetime) -> int:
        return (at - _EPOCH) // timedelta(milliseconds=1) // self.rules.pane_ms


def recount(
    orders: Iterable[LoggedOrder],
    returns: Iterable[LoggedReturn] = (),
    erasures: Iterable[CustomerErased] = (),
    *,
    rules: Rules | None = None,
) -> Recount:
    """Count a whole log: orders as they stand in their partitions, then returns, then erasures.

    In a customer's row `tier` is a tuple, of all tiers that can be right (`tier_bounds`).
    """
    result = Recount(rules or Rules())
    for order in orders:
        result.place(order)
    for returned in returns:
        result.take_back(returned)
    for erased in erasures:
        result.erase(erased)
    return result


def _co_purchases(orders: Iterable[CountedOrder]) -> Iterator[Row]:
    pairs: Counter[tuple[str, str]] = Counter()
    for order in orders:
        pairs.update(combinations(sorted(order.skus), 2))
    partners: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (one, other), count in pairs.items():
        partners[one][other] = count
        partners[other][one] = count
    for sku in sorted(partners):
        for partner, count in sorted(partners[sku].items()):
            yield {"table": "co_purchase", "sku": sku, "partner": partner, "count": count}


def _spend(orders: Iterable[CountedOrder]) -> dict[str, int]:
    spend: Counter[str] = Counter()
    for order in orders:
        spend[order.currency] += order.spend
    return {currency: amount for currency, amount in spend.items() if amount}


def _digest(sku: str) -> bytes:
    return blake2b(sku.encode()).digest()[:8]
