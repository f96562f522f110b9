"""product-updated: the catalogue as the shop's product data has it now."""

from __future__ import annotations

import faust

from stream import topics
from stream.agents.intake import take_in
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.codec import encode
from stream.dead_letters import DeadLetter
from stream.errors import PoisonEvent
from stream.events import ProductUpdated


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def store(batch: RecordBatch) -> None:
        intake = take_in(batch, ProductUpdated, lambda event: event.sku, compacted=True)
        puts: list[tuple[int, str, ProductUpdated | None, bytes]] = [
            (r.record.offset, r.event.sku, r.event, encode(r.event)) for r in intake.received
        ]
        puts += [(record.offset, sku, None, b"") for record, sku in intake.tombstones]
        collisions = await wiring.tables.dictionary.remember({sku for _, sku, _, _ in puts})
        letters = intake.letters + [
            DeadLetter(r.record, PoisonEvent("SKU_COLLISION", "$.sku", "its id stands for another SKU"), "tables")
            for r in intake.received
            if r.event.sku in collisions
        ]
        await wiring.bury(letters)
        kept = sorted((put for put in puts if put[1] not in collisions), key=lambda put: put[0])
        await wiring.tables.catalogue.put(batch.partition, kept)
        wiring.tally.add("products", len(kept))

    @app.agent(batch_topic(app, wiring.topic(topics.PRODUCT_UPDATED)), name="on_product_updated")
    async def on_product_updated(stream: faust.StreamT[RecordBatch]) -> None:
        async for batch in stream:
            await wiring.shell.attend(batch, store)
