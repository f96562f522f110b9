"""The end of an aiokafka producer, in time whatever the brokers do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError, ProducerClosed

CLOSE_S = 1.0
"""Longest wait for a producer to end in good order, and as long again for one that has to be broken off."""


async def close_producer(producer: Any) -> None:
    """End it; what nobody has confirmed by then fails with ProducerClosed."""
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(CLOSE_S):
            await producer.stop()
            return
    await _break_off(producer)


async def _break_off(producer: Any) -> None:
    """End a producer whose messages no broker takes; aiokafka's own stop waits for them for ever.

    The sender ends first: were its batches failed under its hands, it would die putting them back into its queue.
    """
    sender, accumulator = producer._sender.sender_task, producer._message_accumulator
    if sender is not None:
        sender.cancel()
    await producer.client.close()
    if sender is not None:
        await asyncio.wait([sender], timeout=CLOSE_S)
    # Every batch is looked for among the pending ones when it fails, also one that went back into the queue.
    pending = accumulator._pending_batches
    pending.update(batch for queue in accumulator._batches.values() for batch in queue)
    left = list(pending)
    accumulator.fail_all(ProducerClosed())
    for waiting in (future for batch in left for future in (batch.future, batch._drain_waiter)):
        if waiting.done():
            waiting.exception()  # looked at: whoever waited for it has been told, or has given up
