"""product-updated: the catalogue as the shop's product data has it now."""

from __future__ import annotations

import faust

from stream import topics
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.channels import PRODUCTS
from stream.codec import encode
from stream.dead_letters import DeadLetter
from stream.errors import PoisonEvent
from stream.intake import Tombstone, receive_changes
from stream.tables.catalogue import DELISTED, Put


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def store(batch: RecordBatch) -> None:
        changes, letters = receive_changes(PRODUCTS, batch.records)
        skus = {change.id if isinstance(change, Tombstone) else change.event.sku for change in changes}
        collisions = await wiring.tables.dictionary.remember(skus)
        puts: list[Put] = []
        for change in changes:
            offset = change.record.offset
            if isinstance(change, Tombstone):
                puts.append((offset, change.id, None, DELISTED))
            elif change.event.sku in collisions:
                letters.append(DeadLetter(change.record, _collision(), "tables"))
            else:
                puts.append((offset, change.event.sku, change.event, encode(change.event)))
        await wiring.bury(letters)
        owner = wiring.positions.owner(batch.topic, batch.partition, batch.assignment)
        async with owner.lock:
            await wiring.tables.catalogue.put(batch.partition, puts)
            owner.handled(batch.last_offset)
        wiring.tally.add("products", len(puts))

    @app.agent(batch_topic(app, wiring.topic(topics.PRODUCT_UPDATED)), name="on_product_updated")
    async def on_product_updated(stream: faust.StreamT[RecordBatch]) -> None:
        await wiring.shell.run(stream, store)


def _collision() -> PoisonEvent:
    return PoisonEvent("SKU_COLLISION", "$.sku", "its id already stands for another SKU; rename one of them")
