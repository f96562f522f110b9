"""Histories as tests write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from stream.evaluation.numbered import NumberedHistory, numbered
from stream.history.orders import Order, OrderItem

START = datetime(2026, 1, 1, tzinfo=UTC)


def order(
    number: int, skus: Iterable[str], customer: str | None = None, *, hour: float | None = None
) -> Order:
    """An order, an hour after the one numbered before unless told."""
    return Order(
        order_id=f"order-{number}",
        customer_id=customer,
        at=START + timedelta(hours=number if hour is None else hour),
        channel="web",
        items=tuple(OrderItem(sku, 1, None) for sku in skus),
    )


def paired(dice: Random, orders: int, pairs: int = 30) -> list[Order]:
    """Orders in which SKU `a7` is mostly bought with `b7`, and staples with everything."""
    made = []
    for number in range(orders):
        one = dice.randrange(pairs)
        skus = {f"a{one}", f"b{one}" if dice.random() < 0.9 else f"b{dice.randrange(pairs)}"}
        skus |= {f"staple{i}" for i in range(12) if dice.random() < 0.25}
        made.append(order(number, sorted(skus)))
    return made


def shuffled(dice: Random, orders: Sequence[Order]) -> list[Order]:
    """The same items over orders of the same sizes: no association is left."""
    items = [item for each in orders for item in each.items]
    dice.shuffle(items)
    made, at = [], 0
    for number, each in enumerate(orders):
        made.append(order(number, sorted({i.sku for i in items[at : at + len(each.items)]})))
        at += len(each.items)
    return made


def history(orders: Iterable[Order]) -> NumberedHistory:
    """The numbered history of these orders."""
    return numbered(orders)
