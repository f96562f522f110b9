"""Orders are answered too: what goes with them, and the higher rung of a service, now that they are paid."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Literal

from stream import topics
from stream.agents.answers import answer
from stream.agents.wiring import Wiring
from stream.decisions.decide import decide_batch
from stream.events import OrderPlaced
from stream.intake import Received
from stream.questions import question_after
from stream.tables.orders import Verdict

VALID_FOR = timedelta(days=1)
"""How long an answer to an order is worth showing, counted from the order's own time."""

Answered = Literal["none", "consented", "all"]
"""Whose orders are answered: nobody's, those of customers who agreed to be contacted on some channel, or all."""


Placed = tuple[Received[OrderPlaced], Verdict]


async def answer_orders(wiring: Wiring, orders: Iterable[Placed], answered: Answered) -> None:
    """Publish an answer for each order that was counted from its record; returns when the broker has them.

    Called after the counting and before the batch is finished, so that a crash in between repeats the answers, under
    the same ids. Raises StateUnavailable.
    """
    if answered == "none":
        return
    placed = [one for one in orders if one[1] in (Verdict.COUNTED, Verdict.REPLAYED)]
    if answered == "consented":
        placed = await _of_the_willing(wiring, placed)
    asked = await _counted_from_here(wiring, placed)
    if not asked:
        return
    names = {one.event.customer_id for one in asked if one.event.customer_id is not None}
    known = await wiring.tables.customers.known(sorted(names))
    dismissed = await wiring.dismissed.of([one.event for one in asked], time.monotonic())
    baskets = [
        question_after(
            one.record.topic, one.event, one.occurred_at_ms, known, wiring.default_tier, waved_away
        )
        for one, waved_away in zip(asked, dismissed, strict=True)
    ]
    views = await wiring.views.read(baskets, time.monotonic())
    decisions = decide_batch(baskets, views, views.policy, max(one.occurred_at_ms for one in asked))
    messages = [
        answer(
            *(one, basket, decision),
            key=one.event.customer_id or one.event.order_id,
            valid_for=VALID_FOR,
            policy_version=views.version,
        )
        for one, basket, decision in zip(asked, baskets, decisions, strict=True)
    ]
    await wiring.publisher.publish(wiring.topic(topics.SUGGESTIONS), messages)
    wiring.tally.add("orders.answered", len(messages))


async def _of_the_willing(wiring: Wiring, placed: Sequence[Placed]) -> list[Placed]:
    """Orders of customers who agreed to be contacted on any channel."""
    names = {received.event.customer_id for received, _ in placed if received.event.customer_id is not None}
    if not names:
        return []
    profiles = await wiring.tables.customers.profiles(names)
    willing = {
        name
        for name, profile in profiles.items()
        if profile.consents.email or profile.consents.sms or profile.consents.push
    }
    return [one for one in placed if one[0].event.customer_id in willing]


async def _counted_from_here(wiring: Wiring, placed: Sequence[Placed]) -> list[Received[OrderPlaced]]:
    """Without the replayed records whose order another record placed, was late, or whose customer was erased since."""
    replayed = [received for received, verdict in placed if verdict is Verdict.REPLAYED]
    if not replayed:
        return [received for received, _ in placed]
    places = await wiring.tables.claims.placed_at([received.event.order_id for received in replayed])
    names = {received.event.customer_id for received in replayed if received.event.customer_id is not None}
    erased = await wiring.tables.erased.of(names)
    left_out = set()
    for received, place in zip(replayed, places, strict=True):
        erasure = erased.get(received.event.customer_id or "")
        forgotten = erasure is not None and received.occurred_at_ms <= erasure.at_ms
        if forgotten or place != (received.record.partition, received.record.offset):
            left_out.add(received.record.offset)
    return [received for received, _ in placed if received.record.offset not in left_out]
