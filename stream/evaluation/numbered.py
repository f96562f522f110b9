"""A history as numbers: orders in the order of time, SKUs and customers by number."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from stream.codec import occurred_ms
from stream.history.orders import Order

NOBODY: Final = -1
"""The customer of an order without one."""


class NumberedOrder(NamedTuple):
    """An order: `items` are its distinct SKUs by number, rising; `at_ms` is its time, milliseconds since 1970."""

    order_id: str
    customer: int
    items: tuple[int, ...]
    at_ms: int
    channel: str


class NumberedHistory(NamedTuple):
    """Orders by time, equal times as they came; SKUs are numbered in the order of their names.

    `repeated` counts orders left out because one with the same id came before.
    """

    skus: list[str]
    customers: list[str]
    orders: list[NumberedOrder]
    repeated: int


def numbered(orders: Iterable[Order]) -> NumberedHistory:
    """The history of these orders. It is held in memory, some 300 bytes for an order of ten lines."""
    skus: dict[str, int] = {}
    customers: dict[str, int] = {}
    seen: set[str] = set()
    read: list[tuple[datetime, NumberedOrder]] = []
    repeated = 0
    for order in orders:
        if order.order_id in seen:
            repeated += 1
            continue
        seen.add(order.order_id)
        items = tuple({skus.setdefault(item.sku, len(skus)) for item in order.items})
        customer = NOBODY
        if order.customer_id is not None:
            customer = customers.setdefault(order.customer_id, len(customers))
        made = NumberedOrder(order.order_id, customer, items, occurred_ms(order.at), order.channel)
        read.append((order.at, made))
    names = sorted(skus)
    number_of = {skus[name]: number for number, name in enumerate(names)}
    read.sort(key=lambda entry: entry[0])
    by_name = [
        order._replace(items=tuple(sorted(number_of[item] for item in order.items))) for _, order in read
    ]
    return NumberedHistory(names, list(customers), by_name, repeated)
