"""basket-updated: what goes with this basket, answered at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

import faust

from stream import topics
from stream.agents.answers import answer
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.channels import BASKETS
from stream.deadlines import Late, due
from stream.decisions.decide import decide_batch
from stream.decisions.model import Decision
from stream.intake import receive_all
from stream.ops.tally import Tally
from stream.questions import question

VALID_FOR = timedelta(minutes=30)
"""How long an answer to a basket is worth showing, counted from the basket's own time."""

logger = logging.getLogger(__name__)


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def attend(batch: RecordBatch) -> None:
        received, letters = receive_all(BASKETS, batch.records)
        await wiring.bury(letters)
        received, late = due(received, _now_ms())  # what is late already costs no more work
        customers = {r.event.customer_id for r in received if r.event.customer_id is not None}
        known = await wiring.tables.customers.known(sorted(customers))
        dismissed = await wiring.dismissed.of([r.event for r in received], time.monotonic())
        baskets = [
            question(batch.topic, r.event, r.occurred_at_ms, known, wiring.default_tier, waved_away)
            for r, waved_away in zip(received, dismissed, strict=True)
        ]
        now_ms = max((r.occurred_at_ms for r in received), default=0)
        views = await wiring.views.read(baskets, time.monotonic())
        decisions = decide_batch(baskets, views, views.policy, now_ms)
        wiring.basket_moves.note(baskets, views)
        _, later = due(received, _now_ms())
        dropped = {one.received.record.offset for one in later}
        answers = [
            (r, basket, decision)
            for r, basket, decision in zip(received, baskets, decisions, strict=True)
            if r.record.offset not in dropped
        ]
        messages = [
            answer(*one, key=one[0].event.basket_id, valid_for=VALID_FOR, policy_version=views.version)
            for one in answers
        ]
        await wiring.publisher.publish(wiring.topic(topics.SUGGESTIONS), messages)
        _count(wiring, [decision for *_, decision in answers])
        _tell(late + later, wiring.tally)

    @app.agent(batch_topic(app, wiring.topic(topics.BASKET_UPDATED)), name="on_basket_updated")
    async def on_basket_updated(stream: faust.StreamT[RecordBatch]) -> None:
        await wiring.shell.run(stream, attend)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _tell(late: Sequence[Late], tally: Tally) -> None:
    """Count the baskets that were not answered; the log names one of a batch."""
    if late:
        tally.add("baskets.too_late", len(late))
        record = late[0].received.record
        logger.warning(
            "Baskets that are not answered because it would be too late: %d. The first, %s[%d] offset %d, allows"
            " %d ms and has waited %d.",
            *(len(late), record.topic, record.partition, record.offset),
            *(late[0].allowed_ms, late[0].waited_ms),
        )


def _count(wiring: Wiring, decisions: Sequence[Decision]) -> None:
    wiring.tally.add("suggestions", len(decisions))
    wiring.tally.add("suggestions.silent", sum(not decision.offers for decision in decisions))
    wiring.tally.add("offers", sum(len(decision.offers) for decision in decisions))
