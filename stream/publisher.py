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

from stream.deliveries import Confirmed, Deliveries
from stream.errors import OperatorError, StateUnavailable
from stream.partitioner import partition_of
from stream.producer import MESSAGE_BYTES, close_producer, connected_producer

logger = logging.getLogger(__name__)

#: So many times what one `publish` waits: a producer that confirmed nothing for so long is replaced.
STUCK_AFTER = 10
#: Key, value and headers are framed by less than this many bytes.
_FRAME_BYTES = 128

#: Ends of an idempotent producer's session: a new producer can go on where it stopped.
_SESSION_LOST = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)


class Outgoing(NamedTuple):
    """A message to publish. A None value is a tombstone, a None key leaves the partition open."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    name: str | None = None
    """What a repetition of this message is called as well (`stream.deliveries`); no other message of its topic is."""


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
        self._deliveries = Deliveries()
        self._confirmed_s = 0.0
        """When this producer was made, or last confirmed anything."""

    async def start(self) -> None:
        """Connect; raises StateUnavailable when no broker answers in time."""
        async with self._changing:
            if self._producer is None:
                self._producer = await connected_producer(
                    self._bootstrap,
                    client_id=self._client_id,
                    idempotent=self._idempotent,
                    compression=self._compression,
                    timeout_s=self._timeout_s,
                )
                self._confirmed_s = time.monotonic()

    async def stop(self) -> None:
        """Disconnect. Everything published is acknowledged already, so nothing is waited for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer)

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Send all messages and return when every one is acknowledged by all in-sync replicas.

        Raises StateUnavailable when that cannot be confirmed: publish the same messages again. Those with a name that
        are still on their way are waited for and not sent once more; only what failed with its outcome unknown may
        arrive twice. Those without a name may arrive once for each publish.
        Raises MessageRefused when Kafka will never take one of them.
        """
        if not messages:
            return
        for message in messages:
            _check_size(topic, message)
        producer: Any = self._producer
        if producer is None:
            await self.start()
            producer = self._producer
        fresh, on_the_way = self._deliveries.split(topic, messages)
        sent: list[tuple[list[Outgoing], Confirmed]] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                if fresh:
                    partitions = sorted(await producer.partitions_for(topic))
                    await self._send(producer, topic, self._place(fresh, partitions), sent)
                await asyncio.gather(*map(asyncio.shield, on_the_way))
        except TimeoutError as exc:
            self._keep(topic, sent)
            if time.monotonic() > self._confirmed_s + STUCK_AFTER * self._timeout_s:
                await self._discard(producer)
            raise StateUnavailable(
                f"Kafka did not confirm {len(messages)} messages to {topic} in {self._timeout_s:g} s"
            ) from exc
        except KafkaError as exc:
            failure = await self._failure(producer, topic, exc)
            self._keep(topic, sent)
            raise failure from exc
        self._confirmed_s = time.monotonic()
        self._deliveries.forget(topic, messages)

    def _keep(self, topic: str, sent: Iterable[tuple[list[Outgoing], Confirmed]]) -> None:
        for messages, confirmed in sent:
            self._deliveries.keep(topic, messages, confirmed)

    async def let_go(self) -> None:
        """Offer no longer what was not confirmed in time: the partitions it came from may have a new owner by now."""
        if self._producer is not None and self._deliveries.any_on_the_way:
            await self._discard(self._producer)

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

    async def _send(
        self,
        producer: Any,
        topic: str,
        placed: Iterable[tuple[int, list[Outgoing]]],
        sent: list[tuple[list[Outgoing], Confirmed]],
    ) -> None:
        """Send to every partition; `sent` takes up what was handed over."""

        async def to_partition(partition: int, messages: list[Outgoing]) -> None:
            handed_over: list[Confirmed] = []
            for batch, mine in _batches(producer, messages):
                handed_over.append(await producer.send_batch(batch, topic, partition=partition))
                sent.append((mine, handed_over[-1]))
            # Whoever gives up waiting does not give up the batch.
            await asyncio.gather(*map(asyncio.shield, handed_over))

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


def _check_size(topic: str, message: Outgoing) -> None:
    size = len(message.key or b"") + len(message.value or b"") + _FRAME_BYTES
    if message.headers and size > MESSAGE_BYTES // 2:  # headers alone do not come near the limit
        size += sum(len(name) * 4 + len(value or b"") + 10 for name, value in message.headers)
    if size > MESSAGE_BYTES:
        raise MessageRefused(
            f"A message of {size} bytes to {topic} is larger than {MESSAGE_BYTES} bytes.",
            "Send smaller messages.",
        )


def _batches(producer: Any, messages: list[Outgoing]) -> Iterator[tuple[Any, list[Outgoing]]]:
    """The messages in closed batches, in order; a message larger than a batch is one of its own."""
    now_ms = int(time.time() * 1000)
    batch, start = producer.create_batch(), 0
    no_headers: list[tuple[str, bytes | None]] = []
    for at, (key, value, headers, _) in enumerate(messages):
        fields = list(headers) if headers else no_headers
        while batch.append(timestamp=now_ms, key=key, value=value, headers=fields) is None:
            yield batch, messages[start:at]
            batch, start = producer.create_batch(), at
    batch.close()
    yield batch, messages[start:] if start else messages
