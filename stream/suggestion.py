"""The suggestion: what a basket or an order is answered with, and what its offers are made of.

The rules of `stream.events` hold here too, and `schemas/` is generated from these types.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream.fields import Currency, Id, Moment, Money


class Cause(Struct, frozen=True, gc=False):
    """The record this suggestion answers."""

    topic: str
    partition: int
    offset: int
    event_id: Id


ReasonCode = Annotated[
    str,
    Meta(
        description="CO_PURCHASE, COMPLEMENT, NEXT_RUNG, PINNED, THRESHOLD, BUY_AGAIN, BOUGHT_BEFORE, BOUGHT_LATER,"
        " CATEGORY_PAIR or POPULAR; more may follow."
    ),
]


class Reason(Struct, frozen=True, gc=False):
    """Why an offer was made: a code, the numbers behind it, and a sentence for people."""

    code: ReasonCode
    evidence: dict[str, int | float | str]
    text: str


class Rung(Struct, frozen=True, gc=False):
    """One rung of the fare grid: every rung names every feature of the range; `false` is not included."""

    sku: Id
    rung: int
    price: Money
    features: dict[str, bool | float | str]


class Bundle(Struct, frozen=True, gc=False):
    """Offers that belong together share one: the item they complement, and the price of it and them."""

    bundle_id: Id
    main_sku: Id
    price: Money


class Offer(Struct, frozen=True, gc=False, omit_defaults=True):
    """One product to add (`cross_sell`) or to take instead of a line (`upsell`, see `replaces_sku`).

    `token` says what the offer is counted under; feedback sends it back. `expected_value` is the chance that it is
    taken times what it then brings (margin where costs are known, else money), in minor units; not there before
    any offer of the kind was seen to be taken or left.
    """

    offer_id: Id
    kind: Literal["upsell", "cross_sell", "buy_again", "threshold"]
    sku: Id
    score: float
    reason: Reason
    title: str | None = None
    price: Money | None = None
    token: str | None = None
    expected_value: int | None = None
    replaces_sku: Id | None = None
    price_step: int | None = None
    ladder: list[Rung] = []
    bundle: Bundle | None = None


class Suppressed(Struct, frozen=True, gc=False):
    """A candidate that was not offered, and the code that says why."""

    sku: Id
    code: str


class Suggestion(Struct, frozen=True, gc=False, kw_only=True):
    """The answer to one cause, a basket or an order. No offers is an answer too; `suppressed` then says why."""

    suggestion_id: Id
    cause: Cause
    basket_id: Id | None
    order_id: Id | None
    customer_id: Id | None
    timing: Literal["in_basket", "post_purchase"]
    currency: Currency
    occurred_at: Moment
    valid_until: Moment
    tier: str
    arm: Literal["treated", "control"]
    policy_version: Annotated[
        str,
        Meta(
            description="Content hash of the policy, then + and the name of the scorer that the lines spoke by."
        ),
    ]
    offers: list[Offer]
    suppressed: list[Suppressed]
