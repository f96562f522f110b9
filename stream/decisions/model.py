"""What a decision is made about: baskets, products, and the decision itself.

Plain frozen values. They are msgspec Structs without garbage-collector tracking because a fetched batch
makes thousands of them and none can be part of a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from stream.events import FeatureValue, Line, ProductUpdated
from stream.suggestion import Offer, Suppressed

BasketLine = Line
"""A line of the basket event is used as it is: sku, quantity, unit_price in minor units (0: unknown)."""

Timing = Literal["in_basket", "post_purchase"]

SERVICE_KINDS = frozenset({"service", "subscription"})

UNLISTED: frozenset[str] = frozenset()


class Basket(Struct, frozen=True, gc=False, kw_only=True):
    """One question to the engine: these lines, under these wishes and limits.

    `max_offers` None means the policy's number; `max_step` is the shopper's largest acceptable price
    factor of an upsell (1.2 is 20 % dearer); money is in minor units of `currency`. `at_ms` is the moment the
    basket is judged at, for a batch whose baskets have each their own; None is the batch's. `viewing` is the SKU
    of a line that is only looked at so far: it counts as the others do, and its upsell stands before theirs.
    `customer` is whose basket it is, where that is known.
    `dismissed` are SKUs that were waved away in this basket or by this customer, with the time.
    """

    suggestion_id: str
    basket_id: str
    channel: str
    currency: str
    lines: Sequence[BasketLine]
    tier: str = "none"
    max_offers: int | None = None
    max_price: int | None = None
    exclude_skus: frozenset[str] = UNLISTED
    max_step: float | None = None
    excluded_categories: frozenset[str] = UNLISTED
    timing: Timing = "in_basket"
    at_ms: int | None = None
    viewing: str | None = None
    customer: str | None = None
    dismissed: Mapping[str, int] = {}


class Product(Struct, frozen=True, gc=False, kw_only=True):
    """A product as the catalogue knows it; `price` None where only the id and perhaps a title are known."""

    sku: str
    title: str | None = None
    kind: str = "physical"
    category: tuple[str, ...] = ()
    price: int | None = None
    currency: str = ""
    cost: int | None = None
    range_id: str | None = None
    rung: int = 0
    features: dict[str, FeatureValue] = {}
    complements: tuple[tuple[str, float], ...] = ()
    in_stock: bool = True
    active: bool = True
    available_from_ms: int | None = None
    available_until_ms: int | None = None
    delisted: bool = False
    plain: bool = False
    """Derived, not given: for sale whenever one asks, which spares most products every further question."""
    is_service: bool = False
    """Derived, not given: a service or a subscription."""

    def __post_init__(self) -> None:
        dated = self.available_from_ms is not None or self.available_until_ms is not None
        force_setattr(self, "plain", self.in_stock and self.active and not self.delisted and not dated)
        force_setattr(self, "is_service", self.kind in SERVICE_KINDS)

    def margin(self) -> int:
        """Price less cost in minor units; 0 when either is unknown."""
        if self.price is None or self.cost is None:
            return 0
        return self.price - self.cost


class Decision(Struct, frozen=True, gc=False):
    """The answer to one basket: the offers in order, and the candidates not offered with their codes."""

    offers: list[Offer]
    suppressed: list[Suppressed]


def product_of(event: ProductUpdated) -> Product:
    """The product that a catalogue event describes."""
    held = event.range
    return Product(
        sku=event.sku,
        title=event.title,
        kind=event.kind,
        category=tuple(event.category),
        price=event.price,
        currency=event.currency,
        cost=event.cost,
        range_id=held.id if held else None,
        rung=held.rung if held else 0,
        features=event.features,
        complements=tuple((other.sku, other.weight) for other in event.complements),
        in_stock=event.in_stock,
        active=event.active,
        available_from_ms=_milliseconds(event.available_from),
        available_until_ms=_milliseconds(event.available_until),
    )


def _milliseconds(moment: datetime | None) -> int | None:
    """Whole milliseconds since 1970; exact, where float arithmetic on `timestamp()` is not always."""
    if moment is None:
        return None
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * 1000 + moment.microsecond // 1000
