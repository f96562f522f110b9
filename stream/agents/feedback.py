"""suggestion-feedback: what became of offers. Counted under the offer's token, once an event id; what was dismissed is
remembered."""

from __future__ import annotations

from collections import Counter

import faust

from stream import topics
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.channels import FEEDBACK
from stream.dead_letters import DeadLetter
from stream.decisions.attribution import place_of
from stream.errors import PoisonEvent
from stream.events import SuggestionFeedback
from stream.intake import Received, receive_all
from stream.tables.acceptance import Told
from stream.tables.dismissals import Asker


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def learn(batch: RecordBatch) -> None:
        received, letters = receive_all(FEEDBACK, batch.records)
        told: list[Told] = []
        understood: list[Received[SuggestionFeedback]] = []
        for one in received:
            try:
                told += _told(one)
            except PoisonEvent as poison:
                letters.append(DeadLetter(one.record, poison, "tables"))
            else:
                understood.append(one)
        await wiring.bury(letters)
        owner = wiring.positions.owner(batch.topic, batch.partition, batch.assignment)
        await _remember(wiring, understood)
        async with owner.lock:
            uncounted = await wiring.tables.acceptance.count(owner, told)
            owner.handled(batch.last_offset)
        for action, times in Counter(one.event.action for one in understood).items():
            wiring.tally.add(f"feedback.{action}", times)
        wiring.tally.add("feedback.without a token", len(understood) - len(told))
        wiring.tally.add("feedback.duplicate", uncounted.repeated)
        wiring.tally.add("feedback.no room", uncounted.refused)

    @app.agent(batch_topic(app, wiring.topic(topics.SUGGESTION_FEEDBACK)), name="on_suggestion_feedback")
    async def on_suggestion_feedback(stream: faust.StreamT[RecordBatch]) -> None:
        await wiring.shell.run(stream, learn)


def _told(one: Received[SuggestionFeedback]) -> list[Told]:
    """What one event teaches; nothing without a token. Raises PoisonEvent for a token that is none of ours."""
    token = one.event.token
    if token is None:
        return []
    try:
        place_of(token)
    except ValueError as exc:
        raise PoisonEvent(
            "TOKEN_UNKNOWN", "$.token", f"send the offer's token back as it came: {exc}"
        ) from exc
    return [Told(one.record.offset, one.occurred_at_ms, token, one.event.action, one.event.event_id)]


async def _remember(wiring: Wiring, received: list[Received[SuggestionFeedback]]) -> None:
    """Remember what was dismissed, but for customers who asked to be forgotten since."""
    dismissed = [one for one in received if one.event.action == "dismissed" and one.event.sku is not None]
    if not dismissed:
        return
    await wiring.tables.dismissals.remember(
        [
            (Asker(one.event.basket_id, one.event.customer_id), one.event.sku or "", one.occurred_at_ms)
            for one in dismissed
        ]
    )
    # Looked at after they are written: an erasure either finds them, or is seen here.
    names = {one.event.customer_id for one in dismissed if one.event.customer_id is not None}
    for name, erasure in (await wiring.tables.erased.of(names)).items():
        await wiring.tables.dismissals.forget(name, erasure.at_ms)
