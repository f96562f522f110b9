"""Feedback through a worker's agent: what counts, and what the worker's tally says of the rest."""

from __future__ import annotations

from datetime import timedelta

from stream import topics
from stream.codec import encode
from stream.evaluation.in_step import InStep
from stream.events import SuggestionFeedback
from stream.publisher import Outgoing
from stream.settings import load_settings
from tests.contract.orders import START, rows

PHONES = "upsell|25|gold|phones"


def feedback(event_id: str, token: str | None = PHONES) -> SuggestionFeedback:
    return SuggestionFeedback(
        event_id=event_id,
        occurred_at=START,
        channel="web",
        suggestion_id="suggestion-1",
        offer_id="offer-1",
        action="shown",
        token=token,
    )


async def test_an_event_that_a_shop_sent_again_is_counted_once_and_tallied_as_a_duplicate() -> None:
    worker = InStep(load_settings({}, tags=4))
    await worker.open()
    sent = [
        *(feedback("one"), feedback("two"), feedback("one"), feedback("one")),
        *(feedback("without a token", None), feedback("without a token", None)),
    ]

    for number, event in enumerate(sent):
        outgoing = Outgoing(event.suggestion_id.encode(), encode(event))
        await worker.send(topics.SUGGESTION_FEEDBACK, outgoing, START + timedelta(seconds=number))

    [row] = await rows(worker.tables, "acceptance")
    assert (row["token"], row["action"], row["count"]) == (PHONES, "shown", 2)
    tally = worker._app.wiring.tally.counts
    assert {name: count for name, count in tally.items() if name.startswith("feedback.")} == {
        "feedback.shown": 6,
        "feedback.duplicate": 2,
        "feedback.without a token": 2,
    }
