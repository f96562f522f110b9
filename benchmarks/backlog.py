"""Topics filled before a contestant starts, and how far a group has come in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError

from benchmarks.plan import PARTITIONS
from stream.errors import OperatorError
from stream.publisher import Outgoing, Publisher
from stream.topics import TopicSpec, admin_client, make_topics, partition_counts

CHUNK = 5_000
POLL_S = 0.1


async def make_topic(bootstrap: str, name: str) -> None:
    """A topic of our own."""
    await make_topics(bootstrap, [TopicSpec(name, PARTITIONS, {})])


async def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete our topics from a broker that is not ours."""
    async with admin_client(bootstrap) as admin:
        ours = [name for name in await partition_counts(admin) if name.startswith(prefix)]
        await admin.delete_topics(ours)


async def fill(bootstrap: str, topic: str, messages: Sequence[Outgoing]) -> None:
    """Publish all messages."""
    publisher = Publisher(bootstrap)
    await publisher.start()
    try:
        for start in range(0, len(messages), CHUNK):
            await publisher.publish(topic, messages[start : start + CHUNK])
    finally:
        await publisher.stop()


@asynccontextmanager
async def reader(bootstrap: str, topic: str, **settings: Any) -> AsyncIterator[Any]:
    """A consumer outside of any group, with every partition of the topic assigned, at its beginning."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", **settings
    )
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        yield consumer
    finally:
        await consumer.stop()


async def end_offsets(consumer: Any) -> dict[TopicPartition, int]:
    """Where the log of each assigned partition ends."""
    return dict(await consumer.end_offsets(sorted(consumer.assignment())))


async def seconds_until_committed(
    bootstrap: str, group: str, ends: Mapping[TopicPartition, int], *, timeout_s: float = 15.0
) -> float | None:
    """Seconds until the committed offsets equal the ends of the logs; None when they do not get there."""
    loop = asyncio.get_running_loop()
    wanted = {tp: end for tp, end in ends.items() if end}
    start_s = loop.time()
    async with admin_client(bootstrap) as admin:
        while loop.time() - start_s < timeout_s:
            if await _committed(admin, group, [tp.topic for tp in wanted]) == wanted:
                return loop.time() - start_s
            await asyncio.sleep(POLL_S)
    return None


async def topic_ends(bootstrap: str, topic: str) -> dict[TopicPartition, int]:
    """Where the log of each partition of a topic ends."""
    async with reader(bootstrap, topic) as consumer:
        return await end_offsets(consumer)


async def _committed(admin: Any, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
        return {}  # the first group of a new broker
    return {tp: meta.offset for tp, meta in offsets.items() if tp.topic in topics and meta.offset > 0}


def check_filled(ends: Mapping[TopicPartition, int], records: int, topic: str) -> None:
    """Raise OperatorError when the topic does not hold exactly these records: it is not ours alone."""
    if sum(ends.values()) != records:
        raise OperatorError(
            f"{topic} holds {sum(ends.values())} records, not {records}.",
            "Use a broker nobody else writes to.",
        )
