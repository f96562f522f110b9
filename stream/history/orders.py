"""Orders of the past, and the order-history format: one order a line.

`{"order_id":..,"customer_id":..|null,"ts":..,"channel":..,"items":[{"sku":..,"qty":..,"unit_price":..|null}]}`;
`store_id` is optional, other fields are ignored. Times without an offset are UTC, prices are decimals.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream.fields import Id
from stream.history.files import bad_row, read_rows

Key = Id | int
"""An id as files have it: text, or a number that stands for its digits."""


class OrderItem(Struct, frozen=True, gc=False):
    """So many of one SKU at one price, as recorded; `unit_price` is a decimal, None where unknown."""

    sku: str
    quantity: int
    unit_price: Decimal | None


class Order(Struct, frozen=True, gc=False):
    """A paid order; `items` stand in recorded order, `at` is UTC."""

    order_id: str
    customer_id: str | None
    at: datetime
    channel: str
    items: tuple[OrderItem, ...]
    store_id: str | None = None


class _Item(Struct, gc=False):
    sku: Key
    qty: Annotated[int, Meta(ge=1)] | Annotated[float, Meta(ge=1)]
    unit_price: Decimal | None = None


class _Order(Struct, gc=False):
    order_id: Key
    ts: Annotated[str, Meta(min_length=10, max_length=40)]
    items: Annotated[list[_Item], Meta(min_length=1)]
    customer_id: Key | None = None
    channel: Id | None = None
    store_id: Key | None = None


_decode = msgspec.json.Decoder(_Order).decode


def read_orders(path: Path) -> Iterator[Order]:
    """The orders of a file, in its order: gzip or plain JSON Lines, or Parquet with the same columns.

    Raises OperatorError naming file and line at the first line that is not an order.
    """
    for number, raw in read_rows(path):
        try:
            yield _order(_decode(raw))
        except (msgspec.MsgspecError, ValueError, OverflowError) as exc:
            raise bad_row(path, number, exc) from exc


def in_utc(text: str) -> datetime:
    """A time in ISO 8601; without an offset it is UTC. Raises ValueError.

    >>> in_utc("2010-12-01T08:26:00").isoformat()
    '2010-12-01T08:26:00+00:00'
    """
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _order(row: _Order) -> Order:
    return Order(
        order_id=str(row.order_id),
        customer_id=None if row.customer_id is None else str(row.customer_id),
        at=in_utc(row.ts),
        channel=row.channel or "store",
        items=tuple(OrderItem(str(i.sku), _whole(i.qty), _price(i.unit_price)) for i in row.items),
        store_id=None if row.store_id is None else str(row.store_id),
    )


def _whole(quantity: float) -> int:
    if quantity != int(quantity):
        raise ValueError(
            f"quantity {quantity} is not whole: state weighed goods as one piece at the line's price"
        )
    return int(quantity)


def _price(price: Decimal | None) -> Decimal | None:
    if price is not None and (not price.is_finite() or price < 0):
        raise ValueError(f"unit_price {price} is below 0 or not a number")
    return price
