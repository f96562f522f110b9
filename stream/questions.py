"""From an event to the question it asks the decision core, with what is known of who asks."""

from __future__ import annotations

from collections.abc import Mapping

from stream.decisions.model import Basket
from stream.events import BasketUpdated, Line, OrderPlaced
from stream.identity import suggestion_id
from stream.tables.customers import Known
from stream.tables.dismissals import NOTHING_DISMISSED, Dismissed


def question(
    topic: str,
    event: BasketUpdated,
    occurred_at_ms: int,
    known: Mapping[str, Known],
    default_tier: str,
    dismissed: Dismissed = NOTHING_DISMISSED,
) -> Basket:
    """The question a basket asks. `known` are the customers that were looked up, `dismissed` what it waved away."""
    limits, viewing = event.limits, event.viewing
    customer = known.get(event.customer_id) if event.customer_id is not None else None
    preferences = customer.profile.preferences if customer is not None and customer.profile else None
    return Basket(
        suggestion_id=suggestion_id(topic, event.basket_id, event.event_id, occurred_at_ms),
        basket_id=event.basket_id,
        channel=event.channel,
        currency=event.currency,
        lines=event.lines if viewing is None else [*event.lines, Line(viewing.sku, 1, viewing.unit_price)],
        at_ms=occurred_at_ms,
        tier=default_tier if customer is None else customer.tier,
        max_offers=limits.max_offers if limits else None,
        max_price=limits.max_price if limits else None,
        exclude_skus=frozenset(limits.exclude_skus) if limits else frozenset(),
        viewing=None if viewing is None else viewing.sku,
        customer=event.customer_id,
        max_step=preferences.max_step if preferences else None,
        excluded_categories=frozenset(preferences.excluded_categories) if preferences else frozenset(),
        dismissed=dismissed,
    )


def question_after(
    topic: str,
    event: OrderPlaced,
    occurred_at_ms: int,
    known: Mapping[str, Known],
    default_tier: str,
    dismissed: Dismissed = NOTHING_DISMISSED,
) -> Basket:
    """The question an order asks: what it holds is paid, so goods are not exchanged for others any more."""
    customer = known.get(event.customer_id) if event.customer_id is not None else None
    preferences = customer.profile.preferences if customer is not None and customer.profile else None
    return Basket(
        suggestion_id=suggestion_id(topic, event.order_id, event.event_id, occurred_at_ms),
        basket_id=event.order_id,
        channel=event.channel,
        currency=event.currency,
        lines=event.lines,
        at_ms=occurred_at_ms,
        tier=default_tier if customer is None else customer.tier,
        max_step=preferences.max_step if preferences else None,
        excluded_categories=frozenset(preferences.excluded_categories) if preferences else frozenset(),
        dismissed=dismissed,
        timing="post_purchase",
        customer=event.customer_id,
    )
