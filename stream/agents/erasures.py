"""customer-erased: a customer is forgotten, and a proof of it published that does not name them."""

from __future__ import annotations

import time

import faust

from stream import topics
from stream.agents.wiring import Wiring
from stream.announcements import ErasureProven
from stream.batches import RecordBatch, batch_topic
from stream.channels import ERASURES, PROOFS
from stream.cloudevents import OutputHeaders
from stream.codec import encode
from stream.intake import receive_all
from stream.publisher import Outgoing

_proof_headers = OutputHeaders(PROOFS)


def register(app: faust.App, wiring: Wiring) -> None:
    """Add the agent to the app."""

    async def erase(batch: RecordBatch) -> None:
        received, letters = receive_all(ERASURES, batch.records)
        await wiring.bury(letters)
        owner = wiring.positions.owner(batch.topic, batch.partition, batch.assignment)
        new = [r for r in received if r.record.offset > owner.lowest_fence]
        if new:
            end = await wiring.tables.fences.watermark(wiring.topic(topics.ORDER_PLACED))
            now_ms = time.time_ns() // 1_000_000
            proofs = await wiring.tables.erasures.erase(
                owner, [(r.record.offset, r.event) for r in new], end, now_ms
            )
            # Compaction deletes what the topic holds of a key once a record without a value follows.
            tombstones = [_tombstone(r.event.customer_id) for r in new]
            await wiring.publisher.publish(wiring.topic(topics.CUSTOMER_TIER_CHANGED), tombstones)
            await wiring.publisher.publish(wiring.topic(topics.ERASURE_PROVEN), list(map(_message, proofs)))
            wiring.tally.add("erasures", len(proofs))
            wiring.tally.add("erasures.orders", sum(proof.orders for proof in proofs))
        owner.handled(batch.last_offset)

    @app.agent(batch_topic(app, wiring.topic(topics.CUSTOMER_ERASED)), name="on_customer_erased")
    async def on_customer_erased(stream: faust.StreamT[RecordBatch]) -> None:
        await wiring.shell.run(stream, erase)


def _tombstone(customer: str) -> Outgoing:
    return Outgoing(customer.encode(), None)


def _message(proof: ErasureProven) -> Outgoing:
    headers = _proof_headers.headers(proof.proof_id, proof.done_at.isoformat(), proof.proof_id)
    return Outgoing(proof.proof_id.encode(), encode(proof), headers, proof.proof_id)
