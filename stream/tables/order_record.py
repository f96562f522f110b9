"""The packed order of the order log: the order as it was placed, and everything that was undone of it since.

What each undo takes away is worked out from the two anew whenever it is needed, so that it comes out the same
at any time: during a replay, after Redis lost its tail, when the pane expires.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec import Struct

from stream.codec import occurred_ms
from stream.events import OrderPlaced, OrderReturned
from stream.tables.fences import NO_PANE
from stream.tables.ids import SKU_BYTES, sku_id
from stream.tables.wire import POSITION_BYTES

MAX_COUNTED = 50
"""Most distinct SKUs of an order that are counted: 50 make 2,450 directed pairs."""

MAX_UNDONE = 100
"""Most returns of one order."""

NOTHING_UNDONE = b"\x90"
"""How a record without undos ends, and how an empty list of undos is packed: `claim` puts a list in its place."""

Bought = tuple[bytes, int, int]
"""SKU id, quantity still bought, unit price in minor units."""


class Undo(Struct, frozen=True, array_like=True, gc=False):
    """One return or erasure. `lines`: (SKU id, pieces), none means all that is left.

    `mark` names what undid it: 8 bytes of the digest of the return's event id, or the position (12 bytes) of the
    erasure. `first_pane` is the first pane of the window at the return's own time: of an older order it takes nothing.
    """

    mark: bytes
    lines: list[tuple[bytes, int]] = []
    first_pane: int = NO_PANE

    @property
    def is_erasure(self) -> bool:
        """Whether the customer asked to be forgotten."""
        return len(self.mark) == POSITION_BYTES


class Left(NamedTuple):
    """What counts of an order at some moment: `counted` (8 bytes a SKU, ascending) and `lines`."""

    counted: bytes
    lines: list[Bought]

    @property
    def spend(self) -> int:
        """Minor units paid for it."""
        return sum(quantity * price for _, quantity, price in self.lines)

    @property
    def whole_back(self) -> bool:
        """No piece is left."""
        return not any(quantity for _, quantity, _ in self.lines)

    def after(self, undo: Undo) -> Left:
        """Less what the undo takes: never more than is left. A SKU leaves when its last piece does."""
        back: defaultdict[bytes, int] = defaultdict(int)
        for sku, pieces in undo.lines:
            back[sku] += pieces
        lines = []
        for sku, quantity, price in self.lines:
            pieces = min(quantity, back[sku]) if undo.lines else quantity
            back[sku] -= pieces
            lines.append((sku, quantity - pieces, price))
        held = {sku for sku, quantity, _ in lines if quantity}
        return Left(b"".join(sku for sku in split(self.counted) if sku in held), lines)


class OrderRecord(Struct, frozen=True, array_like=True, gc=False):
    """`counted`, `lines` as placed; `placed_ms` is the order's own time; `undone`, which must be last, in log order."""

    order_id: str
    customer_id: str | None
    currency: str
    counted: bytes
    lines: list[Bought]
    placed_ms: int = 0
    pane: int = 0
    channel: str = ""
    undone: list[Undo] = []

    @property
    def steps(self) -> list[Left]:
        """The order as placed, then after each undo."""
        steps = [Left(self.counted, self.lines)]
        for undo in self.undone:
            steps.append(steps[-1].after(undo) if undo.first_pane <= self.pane else steps[-1])
        return steps

    @property
    def left(self) -> Left:
        """What still counts."""
        return self.steps[-1]

    @property
    def erased(self) -> bool:
        """Whether the order was undone because its customer asked to be forgotten."""
        return any(undo.is_erasure for undo in self.undone)

    def with_undo(self, undo: Undo) -> OrderRecord:
        """With one more undo at the end."""
        return msgspec.structs.replace(self, undone=[*self.undone, undo])

    def anonymous(self) -> OrderRecord:
        """Without its customer."""
        return msgspec.structs.replace(self, customer_id=None)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OrderRecord).decode
_decode_undos = msgspec.msgpack.Decoder(list[Undo]).decode


def split(counted: bytes) -> list[bytes]:
    """The SKU ids of a `counted`."""
    return [counted[i : i + SKU_BYTES] for i in range(0, len(counted), SKU_BYTES)]


def counted_skus(skus: set[bytes]) -> list[bytes]:
    """The ids that count: all, or the 50 smallest. A digest's order is as good as chance, and always the same."""
    return sorted(skus)[:MAX_COUNTED]


def record_of(order: OrderPlaced, pane: int) -> OrderRecord:
    """The record of an order as it was placed, in this pane."""
    lines = [(sku_id(line.sku), line.quantity, line.unit_price) for line in order.lines]
    counted = b"".join(counted_skus({sku for sku, _, _ in lines}))
    placed_ms = occurred_ms(order.occurred_at)
    ids = (order.order_id, order.customer_id, order.currency)
    return OrderRecord(*ids, counted, lines, placed_ms, pane, order.channel)


def undo_of(event: OrderReturned, first_pane: int) -> Undo:
    """The undo a return asks for; the same event sent twice makes the same mark."""
    pieces: dict[bytes, int] = {}
    for line in event.lines:
        pieces[sku_id(line.sku)] = pieces.get(sku_id(line.sku), 0) + line.quantity
    return Undo(blake2b(event.event_id.encode()).digest()[:8], list(pieces.items()), first_pane)


def pack(record: OrderRecord) -> bytes:
    """As it stands in the order log."""
    return _encode(record)


def unpack(raw: bytes) -> OrderRecord:
    """The order of a logged value."""
    return _decode(raw)


def pack_undos(undos: Sequence[Undo]) -> bytes:
    """As returns wait for their order; also the end of a packed record."""
    return _encode(undos)


def unpack_undos(raw: bytes) -> list[Undo]:
    """The returns that wait under an order's id."""
    return _decode_undos(raw)
