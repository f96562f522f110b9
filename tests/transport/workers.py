"""A worker of the transport inside the test's own loop, and what Kafka says about its group."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faust.types import TP

from stream.transport import RecordBatch, batch_topic
from stream.worker import faust_settings

_names = itertools.count()


def fresh_name(kind: str) -> str:
    """A topic or group name that no other test uses."""
    return f"{kind}-{next(_names)}-{uuid.uuid4().hex[:8]}"


def rows(count: int, size: int = 10) -> list[bytes]:
    """Values to fill a partition with."""
    return [(b"%d" % n).ljust(size, b".") for n in range(count)]


async def equals(answer: Awaitable[Any], expected: Any) -> bool:
    """Whether the answer, once it is there, is what was expected."""
    return bool(await answer == expected)


async def until(holds: Callable[[], Any], within_s: float = 30.0) -> None:
    """Wait until `holds()` is true; fails the test after `within_s`."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.01)


async def until_async(holds: Callable[[], Awaitable[Any]], within_s: float = 30.0) -> None:
    """Like `until` for a question that has to be asked of Kafka."""
    deadline = time.monotonic() + within_s
    while not await holds():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.05)


class Cluster:
    """What the tests ask of Kafka and tell it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    async def topic(self, partitions: int = 1, **config: str) -> str:
        """A new topic."""
        name = fresh_name("topic")
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        finally:
            await admin.close()
        return name

    async def fill(self, topic: str, values: Mapping[int, Sequence[bytes]]) -> None:
        """Append values to partitions, every one a batch of its own in the log."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5)
        await producer.start()
        try:
            sent = [
                await producer.send(topic, value, partition=partition)
                for partition, rows in values.items()
                for value in rows
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Committed offset of each partition that has one."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        return {tp.partition: at.offset for tp, at in offsets.items() if tp.topic == topic and at.offset >= 0}

    async def ends(self, topic: str, partitions: int) -> dict[int, int]:
        """End offset of each partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
        await consumer.start()
        try:
            ends = await consumer.end_offsets([TopicPartition(topic, p) for p in range(partitions)])
        finally:
            await consumer.stop()
        return {tp.partition: offset for tp, offset in ends.items()}

    async def members(self, group: str) -> int:
        """How many workers the group has."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            (answer,) = await admin.describe_consumer_groups([group])
        finally:
            await admin.close()
        return len(answer.groups[0][5])


class RecordingPositions:
    """Positions that remember what they were asked, and let the test change the answers."""

    def __init__(self) -> None:
        self.starts: list[tuple[int, dict[TP, int]]] = []
        self.commits: list[dict[TP, int]] = []
        self.released: list[set[TP]] = []

    async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> Mapping[TP, int]:
        starts = {tp: offset or 0 for tp, offset in committed.items()}
        self.starts.append((assignment, starts))
        return starts

    async def before_commit(self, offsets: Mapping[TP, int]) -> Mapping[TP, int]:
        self.commits.append(dict(offsets))
        return offsets

    async def revoked(self, tps: Any) -> None:
        self.released.append(set(tps))


class LocalWorker:
    """A Faust app with one agent. What it got is in `batches`, finished unless `handle` is given."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        group: str,
        handle: Callable[[RecordBatch], Awaitable[None]] | None = None,
        positions: Any = None,
        concurrency: int = 1,
        **settings: Any,
    ) -> None:
        given = {
            "commit_interval_s": 0.2,
            "session_timeout_s": 6.0,
            "rebalance_timeout_s": 8.0,
            "heartbeat_s": 0.3,
        } | settings
        self.topic = topic
        self.batches: list[RecordBatch] = []
        self.app = faust.App(**faust_settings(cluster.bootstrap, group=group, **given))
        self.app.boot_strategy.enable_web = False
        self.app.positions = positions
        work = handle or self.finish

        async def read(stream: Any) -> None:
            async for batch in stream:
                self.batches.append(batch)
                await work(batch)

        self.app.agent(batch_topic(self.app, topic), name="read", concurrency=concurrency)(read)

    @staticmethod
    async def finish(batch: RecordBatch) -> None:
        """What an agent does when all effects are durable."""
        batch.finish()

    @property
    def consumer(self) -> Any:
        return self.app.consumer

    @property
    def records(self) -> list[tuple[int, int]]:
        """(partition, offset) of everything delivered, in order of delivery."""
        return [(batch.partition, record.offset) for batch in self.batches for record in batch.records]

    @property
    def crash_reason(self) -> BaseException | None:
        return self.app.crash_reason

    async def __aenter__(self) -> LocalWorker:
        await self.app.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.app.stop()
