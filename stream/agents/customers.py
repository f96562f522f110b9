"""customer-updated: consents, preferences and a tier set by hand, as the customer data platform has them."""

from __future__ import annotations

import faust

from stream import topics
from stream.agents.intake import take_in
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.codec import encode
from stream.events import CustomerUpdated


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def store(batch: RecordBatch) -> None:
        intake = take_in(batch, CustomerUpdated, lambda event: event.customer_id, compacted=True)
        await wiring.bury(intake.letters)
        puts = [(r.record.offset, r.event.customer_id, encode(r.event)) for r in intake.received]
        puts += [(record.offset, name, b"") for record, name in intake.tombstones]
        await wiring.tables.customers.put(batch.partition, sorted(puts, key=lambda put: put[0]))
        wiring.tally.add("profiles", len(puts))

    @app.agent(batch_topic(app, wiring.topic(topics.CUSTOMER_UPDATED)), name="on_customer_updated")
    async def on_customer_updated(stream: faust.StreamT[RecordBatch]) -> None:
        async for batch in stream:
            await wiring.shell.attend(batch, store)
