"""Rebuild: empty the tables and let the workers read the log again from its beginning."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from stream import topics
from stream.errors import OperatorError
from stream.kafka_address import client_options
from stream.settings import Settings
from stream.tables.dump import scan
from stream.tables.tables import Tables
from stream.topics import admin_client
from stream.verification.log_reader import has_record, log_bounds

REPLAYED = (
    topics.ORDER_PLACED,
    topics.ORDER_RETURNED,
    topics.PRODUCT_UPDATED,
    topics.CUSTOMER_UPDATED,
    topics.CUSTOMER_ERASED,
    topics.SUGGESTION_FEEDBACK,
)
"""What the tables are made of; baskets go on where they are, nobody wants an old answer again."""

_STOP_THEM = "Stop them all, run this again, then start them: they read the log from its beginning."
KEYS_AT_ONCE = 500
JOINING_S = 30.0
"""Time to become the only member of the group."""


async def rebuild(
    settings: Settings, tables: Tables, deleted: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Set the group back to the beginning of what the tables are made of, then delete every key.

    In this order a crash between the two leaves tables that the workers skip through; one in the middle of the
    deletion leaves a mark that they refuse. `deleted` hears of keys done and keys in all. Returns the keys deleted.
    Raises OperatorError while a worker of the group still runs.
    """
    await _no_worker_runs(settings)
    await _set_back(settings)
    await tables.begin_deletion()
    keys = [key for found in (await scan(tables)).values() for _, _, key in found]
    last = tables.keys.made()
    keys = [key for key in keys if key != last]
    for start in range(0, len(keys), KEYS_AT_ONCE):
        await tables.store.commands([("UNLINK", key) for key in keys[start : start + KEYS_AT_ONCE]])
        deleted(min(start + KEYS_AT_ONCE, len(keys)), len(keys))
    await tables.store.commands([("UNLINK", last)])
    return len(keys)


async def replayed(settings: Settings) -> dict[str, tuple[int, int]]:
    """How far the workers of the group are with each log the tables are made of: records committed, and in all.

    Raises OperatorError or StateUnavailable when the broker does not tell.
    """
    progress = {}
    for name in REPLAYED:
        topic = settings.topic_prefix + name
        begins, ends = await log_bounds(settings.broker, topic)
        stood = await _stood(settings, topic, ends)
        done = sum(max(0, min(stood[p], end) - begins[p]) for p, end in ends.items())
        progress[name] = (done, sum(end - begins[p] for p, end in ends.items()))
    return progress


async def nothing_left(settings: Settings) -> bool:
    """Whether the workers were given every record of those logs: behind the last one may stand a transaction's end.

    Raises OperatorError when the broker does not answer.
    """
    for name in REPLAYED:
        topic = settings.topic_prefix + name
        begins, ends = await log_bounds(settings.broker, topic)
        stood = await _stood(settings, topic, ends)
        for partition, end in ends.items():
            at = max(begins[partition], stood[partition])
            if at < end and await has_record(settings.broker, topic, partition, at):
                return False
    return True


async def _stood(settings: Settings, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """What the group has committed of each partition, 0 where nothing is."""
    # Not the admin client: it asks for all at once, which the embedded broker does not understand.
    async with _consumer(settings) as consumer:
        stood = {p: await consumer.committed(TopicPartition(topic, p)) for p in partitions}
    return {partition: offset or 0 for partition, offset in stood.items()}


async def _no_worker_runs(settings: Settings) -> None:
    async with admin_client(settings.broker) as admin:
        described = await admin.describe_consumer_groups([settings.group])
    members = [member for answer in described for group in answer.groups for member in group[-2]]
    if members:
        raise OperatorError(
            f"{len(members)} workers of group {settings.group!r} still run.",
            _STOP_THEM,
        )


async def _set_back(settings: Settings) -> None:
    """Commit the beginning of what the tables are made of. Raises OperatorError."""
    try:
        try:
            async with _consumer(settings) as consumer:
                tps = await _replayed_partitions(consumer, settings)
                consumer.assign(tps)
                await _commit_beginning(consumer, tps)
        except CommitFailedError:
            # The embedded broker takes commits of a group's members alone, and does not tell who they are.
            await _set_back_as_member(settings)
    except KafkaError as exc:
        raise OperatorError(
            f"The group {settings.group!r} could not be set back ({type(exc).__name__}); nothing was deleted.",
            "Check the broker with `basketstream doctor` and run it again.",
        ) from exc


async def _set_back_as_member(settings: Settings) -> None:
    async with _consumer(settings) as consumer:
        wanted = await _replayed_partitions(consumer, settings)
        consumer.subscribe(sorted({tp.topic for tp in wanted}))
        give_up_at = time.monotonic() + JOINING_S
        while consumer.assignment() != set(wanted):
            if time.monotonic() > give_up_at:
                raise OperatorError(f"Workers of group {settings.group!r} still run.", _STOP_THEM)
            await asyncio.sleep(0.1)
        await _commit_beginning(consumer, wanted)


async def _commit_beginning(consumer: AIOKafkaConsumer, tps: Sequence[TopicPartition]) -> None:
    begins: Mapping[TopicPartition, int] = await consumer.beginning_offsets(tps)
    await consumer.commit({tp: OffsetAndMetadata(begin, "") for tp, begin in begins.items()})


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that says it is of the group and joins it only if it subscribes."""
    consumer = AIOKafkaConsumer(
        **client_options(settings.broker), group_id=settings.group, enable_auto_commit=False
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _replayed_partitions(consumer: AIOKafkaConsumer, settings: Settings) -> list[TopicPartition]:
    return [
        TopicPartition(settings.topic_prefix + name, partition)
        for name in REPLAYED
        for partition in await _partitions(consumer, settings.topic_prefix + name)
    ]


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    await consumer._client.force_metadata_update()
    return sorted(consumer.partitions_for_topic(topic) or ())
