"""The outgoing side: messages to Kafka in whole batches, and back only when the brokers have them all.

A batch of one topic and partition is built in one go and acknowledged as one, which costs a third of a
`send` for each message. Messages with the same key keep their order within one `publish`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    BrokerResponseError,
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from stream.errors import OperatorError, StateUnavailable
from stream.kafka_address import client_options, shown
from stream.partitioner import partition_of
from stream.producer_end import close_producer

logger = logging.getLogger(__name__)

#: Size at which a batch is sent and the next one begun, bytes; below the 1 MiB a topic takes by default.
BATCH_BYTES = 512 * 1024
#: The largest single message, bytes (the dead-letter topics take as much).
MESSAGE_BYTES = 16 * 1024 * 1024
#: Requests that fit into the time one `publish` waits.
REQUESTS = 3
#: Key, value and headers are framed by less than this many bytes.
_FRAME_BYTES = 128

#: Ends of an idempotent producer's session: a new producer can go on where it stopped.
_SESSION_LOST = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)


class Outgoing(NamedTuple):
    """A message to publish. A None value is a tombstone, a None key leaves the partition open."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class MessageRefused(OperatorError):
    """Kafka will never take the message as it is: too large, no such right, not a valid topic."""


class Publisher:
    """One Kafka producer, shared by all agents and services of a process.

    `bootstrap` is an address as `kafka_address` reads it. `idempotent` off is for brokers that refuse it.
    `timeout_s` is how long one `publish` waits for the brokers. `compression` may be `gzip`, or `lz4`, `zstd` or
    `snappy` where aiokafka's extra packages are installed.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        idempotent: bool = True,
        compression: str | None = None,
        timeout_s: float = 30.0,
        client_id: str = "basketstream",
    ) -> None:
        self._bootstrap = bootstrap
        self._idempotent = idempotent
        self._compression = compression
        self._timeout_s = timeout_s
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._changing = asyncio.Lock()
        self._turn = 0

    async def start(self) -> None:
        """Connect; raises StateUnavailable when no broker answers in time."""
        async with self._changing:
            if self._producer is None:
                self._producer = await self._connect()

    async def stop(self) -> None:
        """Disconnect. Everything published is acknowledged already, so nothing is waited for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer)

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Send all messages and return when every one is acknowledged by all in-sync replicas.

        Raises StateUnavailable when that cannot be confirmed: publish the same messages again, a part of
        them may arrive twice. Raises MessageRefused when Kafka will never take one of them.
        """
        if not messages:
            return
        for message in messages:
            _check_size(topic, message)
        producer: Any = self._producer
        if producer is None:
            await self.start()
            producer = self._producer
        handed_over = False
        try:
            async with asyncio.timeout(self._timeout_s):
                partitions = sorted(await producer.partitions_for(topic))
                handed_over = True
                await self._send(producer, topic, self._place(messages, partitions))
        except TimeoutError as exc:
            if handed_over:
                # Else this producer would go on offering them, and every repetition would be one more copy.
                await self._discard(producer)
            raise StateUnavailable(
                f"Kafka did not confirm {len(messages)} messages to {topic} in {self._timeout_s:g} s"
            ) from exc
        except KafkaError as exc:
            raise await self._failure(producer, topic, exc) from exc

    def _place(
        self, messages: Sequence[Outgoing], partitions: Sequence[int]
    ) -> Iterable[tuple[int, list[Outgoing]]]:
        placed: dict[int, list[Outgoing]] = {}
        count = len(partitions)
        # Keyless messages of one call go to one partition, those of the next call to the next one.
        self._turn += 1
        keyless = partitions[self._turn % count]
        for message in messages:
            key = message.key
            partition = keyless if key is None else partitions[partition_of(key, count)]
            if partition in placed:
                placed[partition].append(message)
            else:
                placed[partition] = [message]
        return placed.items()

    async def _send(self, producer: Any, topic: str, placed: Iterable[tuple[int, list[Outgoing]]]) -> None:
        async def to_partition(partition: int, messages: list[Outgoing]) -> None:
            confirmed = [
                await producer.send_batch(batch, topic, partition=partition)
                for batch in _batches(producer, messages)
            ]
            await asyncio.gather(*confirmed)

        sends = [asyncio.create_task(to_partition(*share)) for share in placed]
        try:
            await asyncio.gather(*sends)
        finally:
            for send in sends:
                send.cancel()
            await asyncio.gather(*sends, return_exceptions=True)

    async def _failure(self, producer: Any, topic: str, exc: KafkaError) -> Exception:
        if not exc.retriable:
            # Also after a refusal: aiokafka has counted the refused batch into the idempotent sequence, so
            # the brokers would find every later batch out of order.
            await self._discard(producer)
        if isinstance(exc, MessageSizeTooLargeError):
            return MessageRefused(
                f"A message to {topic} is larger than the topic takes.",
                f"Raise max.message.bytes of {topic} or send smaller messages.",
            )
        if isinstance(exc, BrokerResponseError) and not exc.retriable and not isinstance(exc, _SESSION_LOST):
            return MessageRefused(
                f"Kafka refuses messages to {topic}: {exc!r}.",
                "Check the topic and the rights of this client on the brokers.",
            )
        return StateUnavailable(f"Kafka did not confirm messages to {topic}: {exc!r}")

    async def _discard(self, broken: Any) -> None:
        """End a producer that cannot go on, with what it has not sent; the next message starts another one."""
        async with self._changing:
            if self._producer is broken:
                logger.info("Ending a producer that failed")
                self._producer = None
                await close_producer(broken)

    async def _connect(self) -> AIOKafkaProducer:
        try:
            producer = AIOKafkaProducer(
                **client_options(self._bootstrap),
                client_id=self._client_id,
                acks="all",
                enable_idempotence=self._idempotent,
                compression_type=self._compression,
                linger_ms=0,
                max_batch_size=BATCH_BYTES,
                max_request_size=MESSAGE_BYTES + BATCH_BYTES,
                # A link that went dead is left soon enough to send the same batch over another one, under its own
                # sequence number, before `publish` gives up: so the brokers see that it is the same.
                request_timeout_ms=int(self._timeout_s * 1000 / REQUESTS),
            )
        except RuntimeError as exc:
            raise OperatorError(
                f"Compression {self._compression!r}: {exc}.",
                "Install aiokafka with its extra of that name, or choose gzip or none.",
            ) from exc
        # This one is how long a batch may wait for its place behind others.
        producer._request_timeout_ms = int(self._timeout_s * 1000)
        try:
            async with asyncio.timeout(self._timeout_s):
                await producer.start()
        except (KafkaError, TimeoutError) as exc:
            await close_producer(producer)
            raise StateUnavailable(f"no Kafka broker answers at {shown(self._bootstrap)}: {exc!r}") from exc
        return producer


def _check_size(topic: str, message: Outgoing) -> None:
    size = len(message.key or b"") + len(message.value or b"") + _FRAME_BYTES
    if message.headers and size > MESSAGE_BYTES // 2:  # headers alone do not come near the limit
        size += sum(len(name) * 4 + len(value or b"") + 10 for name, value in message.headers)
    if size > MESSAGE_BYTES:
        raise MessageRefused(
            f"A message of {size} bytes to {topic} is larger than {MESSAGE_BYTES} bytes.",
            "Send smaller messages.",
        )


def _batches(producer: Any, messages: Sequence[Outgoing]) -> Iterator[Any]:
    """The messages in closed batches, in order; a message larger than a batch is one of its own."""
    now_ms = int(time.time() * 1000)
    batch = producer.create_batch()
    no_headers: list[tuple[str, bytes | None]] = []
    for key, value, headers in messages:
        fields = list(headers) if headers else no_headers
        while batch.append(timestamp=now_ms, key=key, value=value, headers=fields) is None:
            yield batch
            batch = producer.create_batch()
    batch.close()
    yield batch
