"""What travels on each topic: its type, the field that is its key, and which way it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from stream import topics
from stream.announcements import ErasureProven, TierChanged
from stream.events import (
    BasketUpdated,
    CustomerErased,
    CustomerUpdated,
    OrderPlaced,
    OrderReturned,
    ProductUpdated,
    SuggestionFeedback,
)
from stream.suggestion import Suggestion

MAJOR_VERSION = 1

E_co = TypeVar("E_co", bound=Struct, covariant=True)


@dataclass(frozen=True, slots=True)
class Channel(Generic[E_co]):
    """One topic of the contract, by the name it has without a prefix."""

    topic: str
    event_type: type[E_co]
    key: str
    """What the record's key is: a field of the event."""
    direction: Literal["receive", "send"]
    """From our side: we receive baskets and send suggestions."""
    tombstones: bool = False
    """A record without a value is a message too: it removes what its key names."""

    @property
    def type_name(self) -> str:
        """The CloudEvents type.

        >>> BASKETS.type_name
        'basketstream.basket-updated.v1'
        """
        return f"basketstream.{self.topic}.v{MAJOR_VERSION}"


BASKETS = Channel(topics.BASKET_UPDATED, BasketUpdated, "basket_id", "receive")
ORDERS = Channel(topics.ORDER_PLACED, OrderPlaced, "order_id", "receive")
RETURNS = Channel(topics.ORDER_RETURNED, OrderReturned, "order_id", "receive")
PRODUCTS = Channel(topics.PRODUCT_UPDATED, ProductUpdated, "sku", "receive", tombstones=True)
CUSTOMERS = Channel(topics.CUSTOMER_UPDATED, CustomerUpdated, "customer_id", "receive", tombstones=True)
ERASURES = Channel(topics.CUSTOMER_ERASED, CustomerErased, "customer_id", "receive")
FEEDBACK = Channel(topics.SUGGESTION_FEEDBACK, SuggestionFeedback, "suggestion_id", "receive")
SUGGESTIONS = Channel(topics.SUGGESTIONS, Suggestion, "basket_id", "send")
TIER_CHANGES = Channel(topics.CUSTOMER_TIER_CHANGED, TierChanged, "customer_id", "send", tombstones=True)
PROOFS = Channel(topics.ERASURE_PROVEN, ErasureProven, "proof_id", "send")

CHANNELS: tuple[Channel[Struct], ...] = (
    BASKETS,
    ORDERS,
    RETURNS,
    PRODUCTS,
    CUSTOMERS,
    ERASURES,
    FEEDBACK,
    SUGGESTIONS,
    TIER_CHANGES,
    PROOFS,
)
