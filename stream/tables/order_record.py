"""The packed order of the order log: what returns and expiry need to take it away again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from stream.events import OrderPlaced, ReturnedLine
from stream.tables.ids import SKU_BYTES, sku_id

MAX_COUNTED = 50
"""Most distinct SKUs of an order that are counted: 50 make 2,450 directed pairs."""


class OrderRecord(Struct, frozen=True, array_like=True, gc=False):
    """`counted`: 8 bytes a SKU, ascending; `lines`: (SKU id, quantity still bought, unit price in minor units)."""

    order_id: str
    customer_id: str | None
    currency: str
    counted: bytes
    lines: list[tuple[bytes, int, int]]

    @property
    def spend(self) -> int:
        """Minor units paid for what was not returned."""
        return sum(quantity * price for _, quantity, price in self.lines)

    @property
    def skus(self) -> list[bytes]:
        """The counted SKU ids."""
        return [self.counted[i : i + SKU_BYTES] for i in range(0, len(self.counted), SKU_BYTES)]


class Taken(Struct, frozen=True, array_like=True, gc=False):
    """What one return takes away from the counts and from the customer's account."""

    customer_id: str | None
    currency: str
    pane: int
    counted_before: bytes
    counted_after: bytes
    spend: int
    whole: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OrderRecord).decode
_decode_taken = msgspec.msgpack.Decoder(Taken).decode


def counted_skus(skus: set[bytes]) -> list[bytes]:
    """The ids that count: all, or the 50 smallest. A digest's order is as good as chance, and always the same."""
    return sorted(skus)[:MAX_COUNTED]


def record_of(order: OrderPlaced) -> OrderRecord:
    """The record of an order as it was placed."""
    lines = [(sku_id(line.sku), line.quantity, line.unit_price) for line in order.lines]
    counted = b"".join(counted_skus({sku for sku, _, _ in lines}))
    return OrderRecord(order.order_id, order.customer_id, order.currency, counted, lines)


def after_return(
    record: OrderRecord, returned: Sequence[ReturnedLine], pane: int
) -> tuple[OrderRecord, Taken]:
    """The order once lines came back (none named: all), and what that takes away.

    More pieces than were bought take no more than were bought. A SKU leaves when its last piece is back.
    """
    back: dict[bytes, int] = {}
    for line in returned:
        back[sku_id(line.sku)] = back.get(sku_id(line.sku), 0) + line.quantity
    if not returned:
        back = {sku: sum(q for s, q, _ in record.lines if s == sku) for sku, _, _ in record.lines}
    lines = []
    for sku, quantity, price in record.lines:
        pieces = min(quantity, back.get(sku, 0))
        if pieces:
            back[sku] -= pieces
        lines.append((sku, quantity - pieces, price))
    held = {sku for sku, quantity, _ in lines if quantity}
    counted = b"".join(sku for sku in record.skus if sku in held)
    after = OrderRecord(record.order_id, record.customer_id, record.currency, counted, lines)
    was_whole = any(quantity for _, quantity, _ in record.lines)
    taken = Taken(
        customer_id=record.customer_id,
        currency=record.currency,
        pane=pane,
        counted_before=record.counted,
        counted_after=counted,
        spend=record.spend - after.spend,
        whole=was_whole and not held,
    )
    return after, taken


def pack(value: OrderRecord | Taken) -> bytes:
    """As it stands in the order log."""
    return _encode(value)


def unpack(raw: bytes) -> OrderRecord:
    """The order of a logged value."""
    return _decode(raw)


def unpack_taken(raw: bytes) -> Taken:
    """What a logged return takes away."""
    return _decode_taken(raw)
