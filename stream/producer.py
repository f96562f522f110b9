"""An aiokafka producer: how it is made to send whole batches, and how it ends in time whatever the brokers do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from stream.errors import OperatorError, StateUnavailable
from stream.kafka_address import client_options, shown

#: Size at which a batch is sent and the next one begun, bytes; below the 1 MiB a topic takes by default.
BATCH_BYTES = 512 * 1024
#: The largest single message, bytes (the dead-letter topics take as much).
MESSAGE_BYTES = 16 * 1024 * 1024
#: Requests that fit into the time one `publish` waits.
REQUESTS = 3

CLOSE_S = 1.0
"""Longest wait for a producer to end in good order, and as long again for one that has to be broken off."""


async def connected_producer(
    bootstrap: str, *, client_id: str, idempotent: bool, compression: str | None, timeout_s: float
) -> AIOKafkaProducer:
    """A producer that stands; `timeout_s` is how long whoever uses it waits for the brokers.

    Raises StateUnavailable when no broker answers in time, OperatorError when it cannot compress so.
    """
    try:
        producer = AIOKafkaProducer(
            **client_options(bootstrap),
            client_id=client_id,
            acks="all",
            enable_idempotence=idempotent,
            compression_type=compression,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MESSAGE_BYTES + BATCH_BYTES,
            # A link that went dead is left soon enough to send the same batch over another one, under its own
            # sequence number, before `publish` gives up: so the brokers see that it is the same.
            request_timeout_ms=int(timeout_s * 1000 / REQUESTS),
        )
    except RuntimeError as exc:
        raise OperatorError(
            f"Compression {compression!r}: {exc}.",
            "Install aiokafka with its extra of that name, or choose gzip or none.",
        ) from exc
    # This one is how long a batch may wait for its place behind others.
    producer._request_timeout_ms = int(timeout_s * 1000)
    try:
        async with asyncio.timeout(timeout_s):
            await producer.start()
    except (KafkaError, TimeoutError) as exc:
        await close_producer(producer)
        raise StateUnavailable(f"no Kafka broker answers at {shown(bootstrap)}: {exc!r}") from exc
    return producer


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
