"""The consumer group and its topics as Kafka has them, asked directly, past any proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DeleteGroupsRequest

ASK_S = 10.0
"""Longest wait for one answer, seconds."""
READ_STALL_S = 60.0
"""A topic that gives no record for so long although some are missing cannot be read."""


class Group:
    """Committed offsets, ends and records; raises TimeoutError or KafkaError while the broker is away."""

    def __init__(self, bootstrap: str, group: str, prefix: str) -> None:
        self._bootstrap, self._group, self._prefix = bootstrap, group, prefix

    async def __aenter__(self) -> Self:
        self._admin: Any = AIOKafkaAdminClient(
            bootstrap_servers=self._bootstrap, request_timeout_ms=int(ASK_S * 1000)
        )
        self._consumer = _consumer(self._bootstrap)
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def committed(self) -> dict[TopicPartition, int]:
        """What the group has committed."""
        async with asyncio.timeout(ASK_S):
            found = await self._admin.list_consumer_group_offsets(self._group)
        return {tp: stood.offset for tp, stood in found.items()}

    async def ends(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The offset after the last record of each partition of the topics, those that are not empty."""
        async with asyncio.timeout(ASK_S):
            tps = [tp for topic in topics for tp in await _partitions(self._consumer, self._prefix + topic)]
            return {tp: end for tp, end in (await self._consumer.end_offsets(tps)).items() if end}

    async def lag(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Records not committed yet, of the partitions that have any."""
        committed, ends = await self.committed(), await self.ends(topics)
        behind = {tp: end - max(committed.get(tp, 0), 0) for tp, end in ends.items()}
        return {tp: count for tp, count in behind.items() if count > 0}

    async def read(self, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
        """Every record of a topic up to its present end, by partition and offset."""
        consumer = _consumer(self._bootstrap)
        await consumer.start()
        try:
            tps = await _partitions(consumer, self._prefix + topic)
            ends = await consumer.end_offsets(tps)
            begins = await consumer.beginning_offsets(tps)
            consumer.assign(tps)
            for tp in tps:
                consumer.seek(tp, begins[tp])
            records: list[ConsumerRecord[bytes, bytes]] = []
            async with asyncio.timeout(READ_STALL_S) as stalled:
                while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                    fetched = await consumer.getmany(timeout_ms=200)
                    for some in fetched.values():
                        records.extend(some)
                    if fetched:
                        stalled.reschedule(asyncio.get_running_loop().time() + READ_STALL_S)
        finally:
            await consumer.stop()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    async def forget_offsets(self) -> None:
        """Delete the group, which must have no member any more, with all it has committed."""
        coordinator = await self._admin.find_coordinator(self._group)
        answer = await self._admin._send_request_to_node(coordinator, DeleteGroupsRequest([self._group]))
        assert [code for _, code in answer.results] == [0], answer

    async def configure(self, topic: str, values: Mapping[str, str]) -> None:
        """Set what a topic (by its full name) is configured to, and return once the broker goes by it.

        What is not named falls back to the default.
        """
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, dict(values))
        (answer,) = await self._admin.alter_configs([resource])
        assert [resource[0] for resource in answer.resources] == [0], answer
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(values))
        async with asyncio.timeout(ASK_S):
            while True:
                (told,) = await self._admin.describe_configs([asked])
                if {name: value for name, value, *_ in told.resources[0][4]} == dict(values):
                    return
                await asyncio.sleep(0.05)

    async def delete(self, topics: Sequence[str]) -> None:
        """Delete topics, by their full names, and return once the brokers know it."""
        answer = await self._admin.delete_topics(list(topics))
        assert [code for _, code, *_ in answer.topic_error_codes] == [0] * len(topics), answer
        async with asyncio.timeout(ASK_S):
            while set(topics) & set(await self._admin.list_topics()):
                await asyncio.sleep(0.05)

    async def forget(self) -> None:
        """Delete every topic of the prefix, so that Kafka does not carry them through the session."""
        try:
            async with asyncio.timeout(ASK_S):
                names = [name for name in await self._admin.list_topics() if name.startswith(self._prefix)]
                await self._admin.delete_topics(names)
        except (KafkaError, TimeoutError):
            return  # a broker that a row left dead takes its topics with it


def _consumer(bootstrap: str) -> Any:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        max_partition_fetch_bytes=20 << 20,
        fetch_max_bytes=64 << 20,
        request_timeout_ms=int(ASK_S * 1000),
    )


async def _partitions(consumer: Any, topic: str) -> list[TopicPartition]:
    """All partitions of a topic; one that was made a moment ago may take a while to be known."""
    async with asyncio.timeout(ASK_S):
        await consumer._client.add_topic(topic)
        while not (numbers := consumer.partitions_for_topic(topic)):
            await asyncio.sleep(0.05)
            await consumer._client.force_metadata_update()
    return [TopicPartition(topic, number) for number in sorted(numbers)]
