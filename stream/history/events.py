"""The events of a history: what a till or a web shop would have sent while each order came about."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from stream.errors import OperatorError
from stream.events import (
    BasketUpdated,
    Limits,
    Line,
    OrderLine,
    OrderPlaced,
    ProductUpdated,
    Range,
)
from stream.fields import MAX_LINES
from stream.history.catalogue import CatalogItem
from stream.history.money import minor_units
from stream.history.orders import Order

MAX_QUANTITY = 10_000
"""Most pieces of one line of an event."""

_TITLE_LENGTH = 512


def event_id(kind: str, *parts: str) -> str:
    """An id that the same event of the same history has at every replay.

    >>> event_id("order", "536365") == event_id("order", "536365") != event_id("basket", "536365")
    True
    """
    return blake2b("\0".join((kind, *parts)).encode(), digest_size=16).hexdigest()


def basket_events(order: Order, currency: str, *, limits: Limits | None = None) -> list[BasketUpdated]:
    """The order as it came about: one full snapshot for each line added, in recorded order.

    The basket has the order's id, `version` counts the lines added, and all carry the order's time, for
    no source records when a line was scanned. A SKU recorded twice is two lines, as a till scans it; a
    quantity above `MAX_QUANTITY` is several lines of one snapshot, so that no piece and no cent is lost.
    Raises OperatorError for an order that no event can hold.
    """
    added = _lines(order, currency)
    events = []
    lines: list[Line] = []
    for version, more in enumerate(added, 1):
        lines = lines + [Line(line.sku, line.quantity, line.unit_price) for line in more]
        events.append(
            BasketUpdated(
                event_id=event_id("basket", order.order_id, str(version)),
                occurred_at=order.at,
                channel=order.channel,
                store_id=order.store_id,
                basket_id=order.order_id,
                version=version,
                customer_id=order.customer_id,
                currency=currency,
                lines=lines,
                limits=limits,
            )
        )
    return events


def order_event(order: Order, currency: str) -> OrderPlaced:
    """The order as it was paid: the lines of its last basket. Raises OperatorError as `basket_events`."""
    return OrderPlaced(
        event_id=event_id("order", order.order_id),
        occurred_at=order.at,
        channel=order.channel,
        store_id=order.store_id,
        order_id=order.order_id,
        basket_id=order.order_id,
        customer_id=order.customer_id,
        currency=currency,
        lines=[line for more in _lines(order, currency) for line in more],
    )


def product_event(item: CatalogItem, currency: str, at: datetime) -> ProductUpdated:
    """The product as the catalogue knows it at the moment `at`; a range without a rung is left out.

    Raises OperatorError for a price no event can hold.
    """
    in_range = None
    if item.range_id is not None and item.rung is not None:
        in_range = Range(item.range_id, item.rung)
    try:
        price = minor_units(item.price, currency)
        cost = None if item.cost is None else minor_units(item.cost, currency)
    except ValueError as exc:
        raise OperatorError(f"Product {item.sku}: {exc}", "Correct the catalogue.") from exc
    return ProductUpdated(
        event_id=event_id("product", item.sku, at.isoformat()),
        occurred_at=at,
        sku=item.sku,
        title=item.title[:_TITLE_LENGTH],
        kind=item.kind,
        category=list(item.category),
        price=price,
        currency=currency,
        cost=cost,
        range=in_range,
        features=dict(item.features),
        complements=list(item.complements),
        after_purchase=list(item.after_purchase),
    )


def _lines(order: Order, currency: str) -> list[list[OrderLine]]:
    """The lines of each recorded item."""
    try:
        prices = [minor_units(item.unit_price, currency) for item in order.items]
    except ValueError as exc:
        raise OperatorError(f"Order {order.order_id}: {exc}", "Correct the order history.") from exc
    added = [
        [OrderLine(item.sku, pieces, price) for pieces in _split(item.quantity)]
        for item, price in zip(order.items, prices, strict=True)
    ]
    count = sum(map(len, added))
    if count > MAX_LINES:
        raise OperatorError(
            f"Order {order.order_id} makes {count} lines, an event holds {MAX_LINES}.", "Split the order."
        )
    return added


def _split(quantity: int) -> list[int]:
    """The quantity in pieces of at most `MAX_QUANTITY`.

    >>> _split(25_000)
    [10000, 10000, 5000]
    """
    whole, rest = divmod(quantity, MAX_QUANTITY)
    return [MAX_QUANTITY] * whole + ([rest] if rest else [])
