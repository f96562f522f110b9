"""order-placed: counted once, and the customer's tier with it; then answered, where that is wanted."""

from __future__ import annotations

import time
from collections import Counter

import faust

from stream import topics
from stream.agents.after_order import Answered, answer_orders
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.channels import ORDERS
from stream.dead_letters import DeadLetter
from stream.errors import PoisonEvent
from stream.intake import receive_all
from stream.services.partition_tally import Arrival
from stream.tables.order_record import MAX_COUNTED


def register(app: faust.App, wiring: Wiring, *, answered: Answered) -> None:
    """Add the agent to the app; `answered` says whose orders get a suggestion."""

    async def count(batch: RecordBatch) -> None:
        received, letters = receive_all(ORDERS, batch.records)
        collisions = await wiring.tables.dictionary.remember(
            {line.sku for r in received for line in r.event.lines}
        )
        if collisions:
            clear = [r for r in received if not any(line.sku in collisions for line in r.event.lines)]
            letters += [DeadLetter(r.record, _collision(), "tables") for r in received if r not in clear]
            received = clear
        await wiring.bury(letters)
        owner = wiring.positions.owner(batch.topic, batch.partition, batch.assignment)
        if wiring.scorer_watch is not None:
            new = [
                Arrival(r.event, r.record.offset, r.record.timestamp or 0)
                for r in received
                if r.record.offset > owner.lowest_fence
            ]
            await wiring.scorer_watch.measure(owner.source, batch.assignment, new, time.monotonic())
        async with owner.lock:
            placed = await wiring.tables.orders.place(owner, [(r.record.offset, r.event) for r in received])
            owner.handled(batch.last_offset)
        wiring.announcer.note(placed.applied.posted_tags)
        for verdict, orders in Counter(placed.verdicts).items():
            wiring.tally.add(f"orders.{verdict.value}", orders)
        wiring.tally.add("orders.truncated", sum(len(r.event.lines) > MAX_COUNTED for r in received))
        wiring.tally.add("pairs", placed.applied.pair_updates)
        if placed.applied.full_diaries:
            wiring.tally.add("diaries.full", placed.applied.full_diaries)
        await answer_orders(wiring, zip(received, placed.verdicts, strict=True), answered)
        wiring.views.release()

    @app.agent(batch_topic(app, wiring.topic(topics.ORDER_PLACED)), name="on_order_placed")
    async def on_order_placed(stream: faust.StreamT[RecordBatch]) -> None:
        await wiring.shell.run(stream, count)


def _collision() -> PoisonEvent:
    return PoisonEvent(
        "SKU_COLLISION", "$.lines", "a SKU's id already stands for another SKU; rename one of them"
    )
