"""A shop as tests see it: topics of its own, a namespace of its own, and workers that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import ConsumerRecord

from stream.channels import Channel
from stream.codec import encode
from stream.embedded import Broker
from stream.kafka_address import client_options
from stream.publisher import Outgoing, Publisher
from stream.settings import Settings, load_settings
from stream.tables.tables import Tables

PATIENCE_S = 60.0
POLL_S = 0.1


@dataclass
class Worker:
    """A worker process and what it says."""

    process: asyncio.subprocess.Process
    log: Path

    async def ready(self) -> None:
        """Return once it reads records; fails when it ends first or takes a minute."""
        async with asyncio.timeout(PATIENCE_S):
            while "worker ready" not in self.log.read_text():
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(POLL_S)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and wait; the exit code."""
        self.process.send_signal(how)
        return await self.process.wait()


@dataclass
class Shop:
    """Settings of one shop on the session's Kafka and Redis; stop its workers before it goes."""

    broker: Broker
    redis_url: str
    prefix: str
    folder: Path
    namespace: str = "test"
    workers: list[Worker] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """As the workers have them."""
        return load_settings(
            {},
            broker=self.broker.bootstrap,
            redis_url=self.redis_url,
            topic_prefix=self.prefix,
            group=f"{self.prefix}group",
            namespace=self.namespace,
            idempotent=self.broker.idempotent,
            commit_interval_s=0.3,
            session_timeout_s=6.0,
        )

    def tables(self) -> Tables:
        """The shop's tables."""
        return Tables.on_redis(self.settings)

    async def start_worker(self, *, program: str = "stream", hang: str = "", **settings: str) -> Worker:
        """A worker process; it may not be ready yet. `hang` is for the program that does."""
        environ = {**self._environ(settings), "HANG": hang}
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", program, "worker", env=environ, stderr=output
            )
        self.workers.append(Worker(process, log))
        return self.workers[-1]

    def _environ(self, settings: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process of this shop."""
        values = {**msgspec.to_builtins(self.settings), **settings}
        return {
            **os.environ,
            **{f"BASKETSTREAM_{name.upper()}": str(value) for name, value in values.items()},
        }

    async def command(self, *arguments: str, fails: bool = False) -> str:
        """Run `basketstream ...` against this shop: what it prints, or what it complains of when it has to fail."""
        environ = self._environ({})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stream", *arguments), env=environ, stdout=PIPE, stderr=PIPE
        )
        out, err = await process.communicate()
        assert (process.returncode != 0) is fails, err.decode()
        return (err if fails else out).decode()

    async def stop(self) -> None:
        """End whatever worker still runs."""
        for worker in self.workers:
            if worker.process.returncode is None:
                await worker.end(signal.SIGKILL)

    async def publish(self, channel: Channel[msgspec.Struct], events: Sequence[msgspec.Struct]) -> None:
        """Publish events with their keys."""
        messages = [Outgoing(getattr(event, channel.key).encode(), encode(event)) for event in events]
        await self.publish_raw(channel.topic, messages)

    async def publish_raw(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Publish bytes as they are."""
        publisher = Publisher(self.broker.bootstrap, idempotent=self.broker.idempotent)
        await publisher.start()
        try:
            await publisher.publish(self.prefix + topic, messages)
        finally:
            await publisher.stop()

    async def read_all(self, topic: str) -> list[ConsumerRecord]:
        """Every record of a topic up to its present end, by partition and offset."""
        name = self.prefix + topic
        consumer = AIOKafkaConsumer(
            **client_options(self.broker.bootstrap),
            max_partition_fetch_bytes=20 << 20,
            fetch_max_bytes=64 << 20,
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(await self._partitions(consumer, name))
            consumer.assign(list(ends))
            await consumer.seek_to_beginning()
            records: list[ConsumerRecord] = []
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for some in (await consumer.getmany(timeout_ms=500)).values():
                    records.extend(some)
            return sorted(records, key=lambda record: (record.partition, record.offset))
        finally:
            await consumer.stop()

    async def caught_up(self, *topics: str) -> None:
        """Return once the group has committed the end of the topics' partitions; fails after a minute."""
        consumer = AIOKafkaConsumer(**client_options(self.broker.bootstrap))
        admin = AIOKafkaAdminClient(**client_options(self.broker.bootstrap))
        await consumer.start()
        await admin.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                tps = [tp for t in topics for tp in await self._partitions(consumer, self.prefix + t)]
                ends = {tp: end for tp, end in (await consumer.end_offsets(tps)).items() if end}
                while True:
                    group = await self._committed(admin)
                    if all(tp in group and group[tp].offset == end for tp, end in ends.items()):
                        return
                    await asyncio.sleep(POLL_S)
        finally:
            await admin.close()
            await consumer.stop()

    async def _committed(self, admin: AIOKafkaAdminClient) -> dict[TopicPartition, Any]:
        """What the group has committed; nothing while a fresh Kafka has no coordinator yet."""
        try:
            return dict(await admin.list_consumer_group_offsets(self.settings.group))
        except GroupCoordinatorNotAvailableError:
            return {}

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
        await consumer._client.add_topic(topic)
        partitions = consumer.partitions_for_topic(topic) or set()
        return [TopicPartition(topic, partition) for partition in sorted(partitions)]
