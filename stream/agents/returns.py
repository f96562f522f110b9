"""order-returned: takes away exactly what the order had added."""

from __future__ import annotations

from collections import Counter

import faust

from stream import topics
from stream.agents.wiring import Wiring
from stream.batches import RecordBatch, batch_topic
from stream.channels import RETURNS
from stream.dead_letters import DeadLetter
from stream.errors import PoisonEvent
from stream.intake import receive_all
from stream.tables.returns import Outcome


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def take_back(batch: RecordBatch) -> None:
        received, letters = receive_all(RETURNS, batch.records)
        outcomes: Counter[Outcome] = Counter()
        owner = wiring.positions.owner(batch.topic, batch.partition, batch.assignment)
        async with owner.lock:
            taken = await wiring.tables.returns.take_back(
                owner, [(r.record.offset, r.event) for r in received]
            )
            for (_, _, record), outcome in zip(received, taken.outcomes, strict=True):
                if isinstance(outcome, PoisonEvent):
                    letters.append(DeadLetter(record, outcome, "tables"))
                else:
                    outcomes[outcome] += 1
            await wiring.bury(letters)
            owner.handled(batch.last_offset)
        wiring.announcer.note(taken.applied.posted_tags)
        for outcome, returns in outcomes.items():
            wiring.tally.add(f"returns.{outcome.value}", returns)

    @app.agent(batch_topic(app, wiring.topic(topics.ORDER_RETURNED)), name="on_order_returned")
    async def on_order_returned(stream: faust.StreamT[RecordBatch]) -> None:
        await wiring.shell.run(stream, take_back)
