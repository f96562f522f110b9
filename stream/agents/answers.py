"""Answers as they leave: the suggestion to a basket or to an order, with its headers."""

from __future__ import annotations

from datetime import timedelta

from stream.channels import SUGGESTIONS
from stream.cloudevents import OutputHeaders, traceparent_of
from stream.codec import encode
from stream.decisions.model import Basket, Decision
from stream.events import BasketUpdated, OrderPlaced
from stream.intake import Received
from stream.publisher import Outgoing
from stream.suggestion import Cause, Suggestion

_headers = OutputHeaders(SUGGESTIONS)


def answer(
    received: Received[BasketUpdated] | Received[OrderPlaced],
    basket: Basket,
    decision: Decision,
    *,
    key: str,
    valid_for: timedelta,
    policy_version: str,
) -> Outgoing:
    """The message that answers one event, under this key; worth showing for so long from the event's own time."""
    event, record = received.event, received.record
    suggestion = Suggestion(
        suggestion_id=basket.suggestion_id,
        cause=Cause(record.topic, record.partition, record.offset, event.event_id),
        basket_id=event.basket_id,
        order_id=event.order_id if isinstance(event, OrderPlaced) else None,
        customer_id=event.customer_id,
        timing=basket.timing,
        currency=event.currency,
        occurred_at=event.occurred_at,
        valid_until=event.occurred_at + valid_for,
        tier=basket.tier,
        arm="treated",
        policy_version=policy_version,
        offers=decision.offers,
        suppressed=decision.suppressed,
    )
    headers = _headers.headers(
        suggestion.suggestion_id,
        event.occurred_at.isoformat(),
        key,
        traceparent_of(record.headers) if record.headers else None,
    )
    return Outgoing(key.encode(), encode(suggestion), headers, suggestion.suggestion_id)
