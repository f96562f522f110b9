"""Orders are answered too: what goes with them, and the higher rung of a service, now that they are paid."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Literal, NamedTuple

from stream import topics
from stream.agents.answers import answer
from stream.agents.wiring import Wiring
from stream.decisions.decide import decide_batch
from stream.events import OrderPlaced
from stream.intake import Received
from stream.questions import question_after
from stream.tables.customers import Known
from stream.tables.orders import Verdict

VALID_FOR = timedelta(days=1)
"""How long an answer to an order is worth showing, counted from the order's own time."""

Answered = Literal["none", "consented", "all"]
"""Whose orders are answered: nobody's, those of customers who agreed to be contacted on some channel, or all."""


class _Ask(NamedTuple):
    received: Received[OrderPlaced]
    verdict: Verdict
    customer: Known | None


async def answer_orders(
    wiring: Wiring, orders: Iterable[tuple[Received[OrderPlaced], Verdict]], answered: Answered
) -> None:
    """Publish an answer for each order that was counted from its record; returns when the broker has them.

    Called after the counting and before the batch is finished, so that a crash in between repeats the answers, under
    the same ids. A replayed record may have been a duplicate or late the first time: the claim tells.
    Raises StateUnavailable.
    """
    if answered == "none":
        return
    asks = await _asks(wiring, orders, answered)
    if not asks:
        return
    known = {ask.received.event.customer_id or "": ask.customer for ask in asks if ask.customer is not None}
    baskets = [
        question_after(r.record.topic, r.event, r.occurred_at_ms, known, wiring.default_tier)
        for r in (ask.received for ask in asks)
    ]
    views = await wiring.views.read(baskets, time.monotonic())
    now_ms = max(ask.received.occurred_at_ms for ask in asks)
    decisions = decide_batch(baskets, views, views.policy, now_ms)
    messages = [
        answer(
            ask.received,
            basket,
            decision,
            key=ask.received.event.customer_id or ask.received.event.order_id,
            valid_for=VALID_FOR,
            policy_version=views.policy.version,
        )
        for ask, basket, decision in zip(asks, baskets, decisions, strict=True)
    ]
    await wiring.publisher.publish(wiring.topic(topics.SUGGESTIONS), messages)
    wiring.tally.add("orders.answered", len(messages))


async def _asks(
    wiring: Wiring, orders: Iterable[tuple[Received[OrderPlaced], Verdict]], answered: Answered
) -> list[_Ask]:
    """The orders to answer, with what is known of who placed them."""
    everybody = answered == "all"
    counted = [
        (received, verdict)
        for received, verdict in orders
        if verdict in (Verdict.COUNTED, Verdict.REPLAYED) and (everybody or received.event.customer_id)
    ]
    names = {received.event.customer_id for received, _ in counted if received.event.customer_id is not None}
    known = await wiring.tables.customers.known(sorted(names)) if names else {}
    asks = [
        _Ask(received, verdict, known.get(received.event.customer_id or "")) for received, verdict in counted
    ]
    asks = [ask for ask in asks if everybody or _may_be_contacted(ask.customer)]
    replayed = [ask for ask in asks if ask.verdict is Verdict.REPLAYED]
    if not replayed:
        return asks
    places = await wiring.tables.claims.placed_at([ask.received.event.order_id for ask in replayed])
    mine = {
        ask.received.record.offset
        for ask, place in zip(replayed, places, strict=True)
        if place == (ask.received.record.partition, ask.received.record.offset)
    }
    return [ask for ask in asks if ask.verdict is Verdict.COUNTED or ask.received.record.offset in mine]


def _may_be_contacted(customer: Known | None) -> bool:
    """Whether a customer agreed to any channel."""
    if customer is None or customer.profile is None:
        return False
    consents = customer.profile.consents
    return consents.email or consents.sms or consents.push
