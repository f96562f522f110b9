"""The reference: what the tables must hold after a log, recounted in plain Python.

It shares no line with the tables, the verification or the event types of the product: bytes of the log in,
integers out. The rules are those of docs/tables.md. Records are counted in batches of a chosen size, whose sums are
added up; every size must give the same.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import permutations
from typing import Any, NamedTuple

DEFAULT_TIERS = (
    ("none", 0),
    ("bronze", 10_000),
    ("silver", 50_000),
    ("gold", 150_000),
    ("platinum", 500_000),
)


class Record(NamedTuple):
    """A record as it stands in the log."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Rules:
    """Pane length in ms, windows in panes, tiers lowest first, most SKUs counted of an order."""

    pane_ms: int = 86_400_000
    window_panes: int = 90
    customer_window_panes: int = 365
    tiers: Sequence[tuple[str, int]] = DEFAULT_TIERS
    most_skus: int = 50


@dataclass
class _Order:
    order_id: str
    partition: int
    offset: int
    pane: int
    placed: datetime
    customer: str | None
    currency: str
    lines: list[list[Any]]  # [SKU, pieces still bought, price]
    counted: list[str]
    paid: int = 0

    def spend(self) -> int:
        return sum(pieces * price for _, pieces, price in self.lines)

    def held(self) -> list[str]:
        left = {sku for sku, pieces, _ in self.lines if pieces}
        return [sku for sku in self.counted if sku in left]


@dataclass
class Reference:
    """Feed it orders, then returns, then erasures; then ask."""

    rules: Rules = field(default_factory=Rules)
    batch_size: int = 97
    late: int = 0
    duplicates: int = 0
    repeated: int = 0
    """Returns whose event id had been seen for their order."""
    _returns: set[tuple[str, str]] = field(default_factory=set)
    _orders: list[_Order] = field(default_factory=list)
    _claims: dict[str, _Order] = field(default_factory=dict)
    _newest: dict[int, int] = field(default_factory=dict)

    def place(self, records: Iterable[Record]) -> None:
        """Orders of the log, each partition in offset order."""
        for record in records:
            event = json.loads(record.value or b"")
            pane = self._pane(event["occurred_at"])
            newest = max(self._newest.get(record.partition, pane), pane)
            self._newest[record.partition] = newest
            first_live = newest - self.rules.window_panes + 1
            earlier = self._claims.get(event["order_id"])
            if pane < first_live:
                self.late += 1
            elif earlier is not None and earlier.pane >= first_live:
                self.duplicates += 1
            else:
                self._count(record, event, pane)

    def _count(self, record: Record, event: dict[str, Any], pane: int) -> None:
        lines = [[line["sku"], line["quantity"], line["unit_price"]] for line in event["lines"]]
        by_digest = sorted({sku for sku, _, _ in lines}, key=lambda sku: blake2b(sku.encode()).digest()[:8])
        order = _Order(
            event["order_id"],
            *(record.partition, record.offset, pane, datetime.fromisoformat(event["occurred_at"])),
            *(event.get("customer_id"), event["currency"], lines),
            by_digest[: self.rules.most_skus],
        )
        order.paid = order.spend()
        self._orders.append(order)
        self._claims[order.order_id] = order

    def take_back(self, records: Iterable[Record]) -> None:
        """Returns of the log, once an event id; one whose order is unknown or had left the window takes nothing."""
        for record in records:
            event = json.loads(record.value or b"")
            name = (event["order_id"], event["event_id"])
            if name in self._returns:
                self.repeated += 1
                continue
            self._returns.add(name)
            order = self._claims.get(event["order_id"])
            if order is None or order.pane <= self._pane(event["occurred_at"]) - self.rules.window_panes:
                continue
            back: Counter[str] = Counter()
            for line in event.get("lines", []):
                back[line["sku"]] += line["quantity"]
            for line in order.lines:
                gone = min(line[1], back[line[0]]) if event.get("lines") else line[1]
                back[line[0]] -= gone
                line[1] -= gone

    def erase(self, records: Iterable[Record]) -> None:
        """Erasures of the log: what their customers ordered up to then was never there; its claims were."""
        until: dict[str, datetime] = {}
        for record in records:
            event = json.loads(record.value or b"")
            customer, at = event["customer_id"], datetime.fromisoformat(event["occurred_at"])
            until[customer] = max(until.get(customer, at), at)
        self._orders = [
            order
            for order in self._orders
            if order.customer is None or order.customer not in until or order.placed > until[order.customer]
        ]

    @property
    def first_live(self) -> int:
        """The first pane of the window at the end of the log."""
        return max(self._newest.values(), default=0) - self.rules.window_panes + 1

    def rows(self) -> dict[tuple[str, ...], Any]:
        """Every row the tables must show, as (table, ids) -> value; a customer's tier is the set of right ones."""
        live = [order for order in self._orders if order.pane >= self.first_live]
        rows: dict[tuple[str, ...], Any] = {}
        pairs: Counter[tuple[str, str]] = Counter()
        singles: Counter[str] = Counter()
        for batch in _batches(live, self.batch_size):
            pairs.update(pair for order in batch for pair in permutations(order.held(), 2))
            singles.update(sku for order in batch for sku in order.held())
        rows.update({("co_purchase", one, other): count for (one, other), count in pairs.items()})
        rows.update({("order_count", sku): count for sku, count in singles.items()})
        for order in live:
            if order.held():
                rows["order", order.order_id, str(order.pane)] = tuple(sorted(order.held()))
        rows.update(self._customers())
        return rows

    def _customers(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        first_live = max(self._newest.values(), default=0) - self.rules.customer_window_panes + 1
        orders: Counter[str] = Counter()
        spend: defaultdict[str, Counter[str]] = defaultdict(Counter)
        bought: defaultdict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
        most: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for batch in _batches(self._orders, self.batch_size):
            for order in batch:
                if order.customer is None:
                    continue
                most[order.customer][order.currency] += order.paid
                if order.pane >= first_live:
                    orders[order.customer] += any(pieces for _, pieces, _ in order.lines)
                    spend[order.customer][order.currency] += order.spend()
                    bought[order.customer].update((sku, order.pane) for sku in order.held())
        for customer in spend:
            if orders[customer]:
                yield ("diary", customer), bought[customer]
                held = {currency: total for currency, total in sorted(spend[customer].items()) if total}
                yield (
                    ("customer", customer),
                    (orders[customer], held, self._tiers(held, most[customer])),
                )

    def _tiers(self, now: dict[str, int], most: Counter[str]) -> frozenset[str]:
        """A tier rises at its threshold and is kept down to 8/10 of it: those that some order of events allows."""
        best, peak = max(now.values(), default=0), max(most.values(), default=0)
        names = set()
        for i, (name, threshold) in enumerate(self.rules.tiers):
            above = self.rules.tiers[i + 1][1] if i + 1 < len(self.rules.tiers) else None
            sure = best >= threshold and (above is None or best < above)
            kept = threshold > best and peak >= threshold and best * 10 >= threshold * 8
            if sure or kept:
                names.add(name)
        return frozenset(names)

    def claims(self) -> dict[bytes, tuple[int, int, int]]:
        """Digest of each order id of the window -> (partition, offset, pane) of the record that counts."""
        return {
            blake2b(order_id.encode()).digest()[:16]: (order.partition, order.offset, order.pane)
            for order_id, order in self._claims.items()
            if order.pane >= self.first_live
        }

    def _pane(self, moment: str) -> int:
        since = datetime.fromisoformat(moment) - datetime(1970, 1, 1, tzinfo=UTC)
        return since // timedelta(milliseconds=1) // self.rules.pane_ms


def suggestion_ids(topic: str, records: Iterable[Record], field: str = "basket_id") -> Counter[str]:
    """The id that answers each basket, and how often it must be published (a basket sent twice is answered twice).

    Orders are answered too where that is wanted: `field` is then `order_id`.
    """
    ids: Counter[str] = Counter()
    for record in records:
        event = json.loads(record.value or b"")
        since = datetime.fromisoformat(event["occurred_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
        at_ms = str(since // timedelta(milliseconds=1))
        text = "\0".join(("suggestion", topic, event[field], event["event_id"], at_ms))
        ids[blake2b(text.encode(), digest_size=16).hexdigest()] += 1
    return ids


def _batches(orders: Sequence[_Order], size: int) -> Iterator[Sequence[_Order]]:
    for start in range(0, len(orders), size):
        yield orders[start : start + size]
