"""The events that shops send: one frozen, bounded type a topic.

What is published stands in `stream.suggestion` and `stream.announcements`. The three are the source of truth for
`schemas/`: JSON Schemas and the AsyncAPI document are generated from their types (`python -m stream.contracts`),
and a test fails when they differ.

Rules of all three:

- ids are opaque text of 1 to 128 characters without control characters; `{`, `}` and `:` mean nothing;
- money is an integer in minor units of an ISO 4217 currency (`1299` EUR is 12.99 euro);
- times are RFC 3339 with an offset;
- readers ignore unknown fields, so a new optional field is not a break;
- a fetched batch holds thousands of events, none of which can be part of a reference cycle: `gc=False`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream.fields import (
    MAX_LINES,
    Currency,
    Duration,
    Id,
    LocalTime,
    Moment,
    Money,
    Quantity,
    Text,
    Weight,
    Word,
)


class Event(Struct, frozen=True, gc=False, omit_defaults=True):
    """What every incoming event carries: its id, its time, and where it happened."""

    event_id: Id
    occurred_at: Moment


class Line(Struct, frozen=True, gc=False):
    """So many of one SKU at one price; `unit_price` is 0 where the source knows no prices."""

    sku: Id
    quantity: Quantity
    unit_price: Money


class OrderLine(Line, frozen=True, gc=False, omit_defaults=True):
    """A line that was paid; `suggestion_id` says which suggestion it came from."""

    suggestion_id: Id | None = None


class Limits(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the shopper or the page asks for: at most so many offers, at most this price, never these.

    `answer_within_ms`: an answer later than this after the record's Kafka time is of no use and is not sent.
    """

    max_offers: Annotated[int, Meta(ge=0, le=50)] | None = None
    max_price: Money | None = None
    exclude_skus: Annotated[list[Id], Meta(max_length=200)] = []
    answer_within_ms: Annotated[int, Meta(ge=1, le=86_400_000)] | None = None


class Viewing(Struct, frozen=True, gc=False, omit_defaults=True):
    """A product the shopper looks at and has not taken; `unit_price` 0 is the catalogue's."""

    sku: Id
    unit_price: Money = 0


class BasketUpdated(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A basket as it is now: a full snapshot, never a delta. An emptied basket has no lines.

    `viewing` is a selection before it is added: answered as if it were a line, and before the lines.
    """

    channel: Id
    basket_id: Id
    currency: Currency
    lines: Annotated[list[Line], Meta(max_length=MAX_LINES)]
    store_id: Id | None = None
    version: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    customer_id: Id | None = None
    limits: Limits | None = None
    register_id: Id | None = None
    viewing: Viewing | None = None


class OrderPlaced(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A paid order: the unit that co-purchase counts are made of."""

    channel: Id
    order_id: Id
    currency: Currency
    lines: Annotated[list[OrderLine], Meta(min_length=1, max_length=MAX_LINES)]
    store_id: Id | None = None
    basket_id: Id | None = None
    customer_id: Id | None = None


class ReturnedLine(Struct, frozen=True, gc=False):
    """So many of one SKU came back."""

    sku: Id
    quantity: Quantity


class OrderReturned(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Lines of an order that came back, or (`cancelled`) an order that never was; no lines means all."""

    channel: Id
    order_id: Id
    reason: Literal["returned", "cancelled"]
    lines: Annotated[list[ReturnedLine], Meta(max_length=MAX_LINES)] = []
    store_id: Id | None = None


class Range(Struct, frozen=True, gc=False):
    """Where a product stands in its range: a higher rung is the better one."""

    id: Id
    rung: Annotated[int, Meta(ge=0, le=1_000)]


class Complement(Struct, frozen=True, gc=False, omit_defaults=True):
    """A product the catalogue names as going with this one."""

    sku: Id
    weight: Weight = 1.0


class AfterPurchase(Struct, frozen=True, gc=False):
    """A product to offer so long (ISO 8601 duration) after this one was bought, on this channel."""

    sku: Id
    after: Duration
    channel: Literal["email", "sms", "push"]


FeatureValue = bool | Annotated[float, Meta(ge=-1e15, le=1e15)] | Word


class ProductUpdated(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A product as the catalogue knows it now. A record without a value delists the product in its key."""

    sku: Id
    title: Text
    kind: Literal["physical", "consumable", "service", "subscription"]
    category: Annotated[list[Word], Meta(max_length=10)]
    price: Money
    currency: Currency
    channel: Id | None = None
    store_id: Id | None = None
    cost: Money | None = None
    range: Range | None = None
    features: Annotated[dict[Word, FeatureValue], Meta(max_length=100)] = {}
    complements: Annotated[list[Complement], Meta(max_length=100)] = []
    after_purchase: Annotated[list[AfterPurchase], Meta(max_length=50)] = []
    in_stock: bool = True
    available_from: Moment | None = None
    available_until: Moment | None = None
    active: bool = True


class Consents(Struct, frozen=True, gc=False):
    """The channels the customer agreed to be contacted on after a purchase."""

    email: bool = False
    sms: bool = False
    push: bool = False


class QuietHours(Struct, frozen=True, gc=False):
    """Local times between which the customer is left alone; may span midnight."""

    start: LocalTime
    end: LocalTime


class Preferences(Struct, frozen=True, gc=False, omit_defaults=True):
    """`max_step`: largest acceptable price factor of an upsell (1.2 is 20 % dearer)."""

    max_step: Annotated[float, Meta(ge=1.0, le=100.0)] | None = None
    excluded_categories: Annotated[list[Word], Meta(max_length=100)] = []


class CustomerUpdated(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What the customer data platform knows: aliases, consents, preferences, a tier set by hand."""

    customer_id: Id
    channel: Id | None = None
    store_id: Id | None = None
    aliases: Annotated[list[Id], Meta(max_length=50)] = []
    consents: Consents = Consents()
    time_zone: Annotated[str, Meta(max_length=64)] | None = None
    quiet_hours: QuietHours | None = None
    preferences: Preferences = Preferences()
    tier_override: Id | None = None


class CustomerErased(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A customer asked to be forgotten."""

    customer_id: Id
    channel: Id | None = None
    store_id: Id | None = None


class SuggestionFeedback(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What became of an offer on the shopper's side.

    `token` is the offer's, sent back as it came: without it nothing is learned. A dismissed offer is not made again to
    this `basket_id` and this `customer_id`, where the event names them and the `sku`.
    """

    channel: Id
    suggestion_id: Id
    offer_id: Id
    action: Literal["shown", "clicked", "added", "dismissed"]
    store_id: Id | None = None
    token: Text | None = None
    sku: Id | None = None
    basket_id: Id | None = None
    customer_id: Id | None = None
