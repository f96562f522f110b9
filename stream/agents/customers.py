"""customer-updated: consents, preferences and a tier set by hand, as the customer data platform has them."""

from __future__ import annotations

import faust

from stream import topics
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.channels import CUSTOMERS
from stream.codec import encode
from stream.intake import Tombstone, receive_changes
from stream.tables.customers import WITHDRAWN


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def store(batch: RecordBatch) -> None:
        changes, letters = receive_changes(CUSTOMERS, batch.records)
        await wiring.bury(letters)
        puts = [
            (change.record.offset, change.id, WITHDRAWN)
            if isinstance(change, Tombstone)
            else (change.record.offset, change.event.customer_id, encode(change.event))
            for change in changes
        ]
        owner = wiring.positions.owner(batch.topic, batch.partition, batch.assignment)
        async with owner.lock:
            await wiring.tables.customers.put(batch.partition, puts)
            owner.handled(batch.last_offset)
        wiring.tally.add("profiles", len(puts))

    @app.agent(batch_topic(app, wiring.topic(topics.CUSTOMER_UPDATED)), name="on_customer_updated")
    async def on_customer_updated(stream: faust.StreamT[RecordBatch]) -> None:
        await wiring.shell.run(stream, store)
