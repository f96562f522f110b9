"""What is left of an order once lines came back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from stream.events import OrderReturned

Bought = tuple[str, int, int]
"""SKU, quantity, unit price in minor units."""


@dataclass(slots=True)
class CountedOrder:
    """An order as it stands: `skus` are those that count, `lines` what is still bought."""

    order_id: str
    pane: int
    placed_at: datetime
    customer_id: str | None
    currency: str
    skus: set[str]
    lines: list[Bought]
    paid: int = field(init=False)
    """Minor units paid when it was placed."""

    def __post_init__(self) -> None:
        self.paid = self.spend

    @property
    def spend(self) -> int:
        """Minor units paid for what did not come back."""
        return sum(quantity * price for _, quantity, price in self.lines)

    @property
    def whole_back(self) -> bool:
        """Every piece came back."""
        return all(quantity == 0 for _, quantity, _ in self.lines)

    def take_back(self, returned: OrderReturned) -> None:
        """Take returned pieces off, at the price each was bought for, first line first; no lines means all.

        More than was bought takes no more than was bought. A SKU counts until its last piece is back.
        """
        owed = _pieces((line.sku, line.quantity) for line in returned.lines)
        kept = []
        for sku, quantity, price in self.lines:
            back = min(quantity, owed[sku]) if returned.lines else quantity
            owed[sku] -= back
            kept.append((sku, quantity - back, price))
        self.lines = kept
        self.skus &= {sku for sku, quantity, _ in kept if quantity}


def _pieces(lines: Iterable[tuple[str, int]]) -> Counter[str]:
    pieces: Counter[str] = Counter()
    for sku, quantity in lines:
        pieces[sku] += quantity
    return pieces
