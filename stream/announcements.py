"""What is published of customers, unasked: that one moved between tiers, that one was forgotten.

The rules of `stream.events` hold here too, and `schemas/` is generated from these types.
"""

from __future__ import annotations

from msgspec import Struct

from stream.fields import Currency, Id, Moment, Money


class TierChanged(Struct, frozen=True, gc=False, kw_only=True, rename={"from_tier": "from", "to_tier": "to"}):
    """A customer moved between tiers; `spend` in minor units a currency, over `window_days`."""

    event_id: Id
    customer_id: Id
    from_tier: str
    to_tier: str
    spend: dict[Currency, Money]
    window_days: int


class ErasureProven(Struct, frozen=True, gc=False, kw_only=True):
    """A customer was forgotten: so many orders and pairs of SKUs taken away. It does not say who the customer was.

    `proof_id` is made of the customer's id and the request's `event_id`; `digest` of where the orders stood in the log.
    """

    proof_id: Id
    asked_at: Moment
    done_at: Moment
    orders: int
    pairs: int
    digest: str
