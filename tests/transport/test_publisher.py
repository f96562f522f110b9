"""Messages go out in whole batches, to the partition Java would choose, and are there afterwards."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import hypothesis.strategies as st
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaTimeoutError, OutOfOrderSequenceNumber
from hypothesis import given

from stream.errors import OperatorError, StateUnavailable
from stream.partitioner import murmur2, partition_of
from stream.producer import BATCH_BYTES, MESSAGE_BYTES
from stream.publisher import MessageRefused, Outgoing, Publisher
from tests.transport.workers import Cluster


@asynccontextmanager
async def publisher(cluster: Cluster, **options: Any) -> AsyncIterator[Publisher]:
    """A started publisher."""
    publisher = Publisher(cluster.bootstrap, **options)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


async def read_all(cluster: Cluster, topic: str, partitions: int) -> dict[int, list[Any]]:
    """Every record of a topic, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(tps)
        left = sum((await consumer.end_offsets(tps)).values())
        found: dict[int, list[Any]] = defaultdict(list)
        while left:
            for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                found[tp.partition] += records
                left -= len(records)
    finally:
        await consumer.stop()
    return found


# Vectors of org.apache.kafka.common.utils.UtilsTest, testMurmur2.
@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_the_values_of_the_java_client(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed % 2**32


@given(st.binary(max_size=70), st.integers(1, 100))
def test_a_key_goes_where_aiokafka_would_send_it(key: bytes, partitions: int) -> None:
    producers = AIOKafkaProducer.__init__.__kwdefaults__["partitioner"]

    assert partition_of(key, partitions) == producers(key, list(range(partitions)), [])


async def test_everything_published_is_in_the_topic_by_key_and_in_order(cluster: Cluster) -> None:
    topic = await cluster.topic(3)
    messages = [
        Outgoing(b"basket-%d" % (n % 40), b"%d" % n, [("ce_id", b"%d" % n), ("ce_type", b"x")])
        for n in range(900)
    ]

    async with publisher(cluster) as out:
        await out.publish(topic, messages[:500])
        await out.publish(topic, messages[500:])
        await out.publish(topic, [])
        ends = await cluster.ends(topic, 3)

    assert sum(ends.values()) == 900
    found = await read_all(cluster, topic, 3)
    for partition, records in found.items():
        mine = [message for message in messages if partition_of(message.key or b"", 3) == partition]
        assert [Outgoing(r.key, r.value, list(r.headers)) for r in records] == mine


async def test_keyless_messages_of_a_call_share_a_partition_and_calls_take_turns(cluster: Cluster) -> None:
    topic = await cluster.topic(3)

    async with publisher(cluster) as out:
        for call in range(6):
            await out.publish(topic, [Outgoing(None, b"%d" % call)] * 5)

    found = await read_all(cluster, topic, 3)
    assert [len(found[partition]) for partition in range(3)] == [10, 10, 10]
    assert all(len({record.value for record in records}) == 2 for records in found.values())


async def test_tombstones_and_empty_messages_go_out(cluster: Cluster) -> None:
    topic = await cluster.topic(1)

    async with publisher(cluster) as out:
        await out.publish(topic, [Outgoing(b"k", None), Outgoing(None, None), Outgoing(b"", b"")])

    found = await read_all(cluster, topic, 1)
    assert [(record.key, record.value) for record in found[0]] == [(b"k", None), (None, None), (b"", b"")]


async def test_what_exceeds_a_batch_is_split_and_a_single_huge_message_still_goes(cluster: Cluster) -> None:
    topic = await cluster.topic(1, **{"max.message.bytes": str(MESSAGE_BYTES + 1024)})
    sizes = [1000, BATCH_BYTES * 2, *[100_000] * 20, MESSAGE_BYTES - 200, 1]

    async with publisher(cluster) as out:
        await out.publish(topic, [Outgoing(b"%d" % n, b"x" * size) for n, size in enumerate(sizes)])

    found = await read_all(cluster, topic, 1)
    assert [len(record.value) for record in found[0]] == sizes


async def test_a_message_beyond_every_limit_is_refused_before_anything_is_sent(cluster: Cluster) -> None:
    topic = await cluster.topic(1)

    async with publisher(cluster) as out:
        with pytest.raises(MessageRefused, match=f"to {topic} is larger than {MESSAGE_BYTES} bytes"):
            await out.publish(topic, [Outgoing(b"a", b"1"), Outgoing(b"b", b"x" * MESSAGE_BYTES)])

    assert await cluster.ends(topic, 1) == {0: 0}


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_message_the_topic_refuses_is_reported_and_the_next_ones_go_out(
    cluster: Cluster, idempotent: bool
) -> None:
    topic = await cluster.topic(1, **{"max.message.bytes": "5000"})

    async with publisher(cluster, idempotent=idempotent) as out:
        await out.publish(topic, [Outgoing(b"a", b"1")])
        with pytest.raises(MessageRefused, match="larger than the topic takes") as refused:
            await out.publish(topic, [Outgoing(b"b", b"x" * 9000)])
        await out.publish(topic, [Outgoing(b"c", b"3")])
        await out.publish(topic, [Outgoing(b"d", b"4")])

    assert "max.message.bytes" in refused.value.remedy
    found = await read_all(cluster, topic, 1)
    assert [record.value for record in found[0]] == [b"1", b"3", b"4"]


async def test_publishing_from_many_tasks_at_once_loses_nothing(cluster: Cluster) -> None:
    topic = await cluster.topic(4)

    async with publisher(cluster) as out:
        messages = [Outgoing(b"%d" % n, b"%d" % n) for n in range(1000)]
        await asyncio.gather(*(out.publish(topic, messages[at : at + 50]) for at in range(0, 1000, 50)))

    found = await read_all(cluster, topic, 4)
    values = sorted(int(record.value) for records in found.values() for record in records)
    assert values == list(range(1000))


async def test_a_missing_topic_is_named_and_may_be_tried_again(cluster: Cluster) -> None:
    async with publisher(cluster, timeout_s=1.0) as out:
        with pytest.raises(StateUnavailable, match="no-such-topic"):
            await out.publish("no-such-topic", [Outgoing(b"k", b"v")])


async def test_without_a_broker_start_and_publish_say_so(unused_tcp_port: int) -> None:
    out = Publisher(f"127.0.0.1:{unused_tcp_port}", timeout_s=1.0)

    with pytest.raises(StateUnavailable, match=f"127.0.0.1:{unused_tcp_port}"):
        await out.start()
    with pytest.raises(StateUnavailable, match="no Kafka broker answers"):
        await out.publish("topic", [Outgoing(b"k", b"v")])
    await out.stop()


async def test_a_compression_that_is_not_installed_is_an_operators_error(cluster: Cluster) -> None:
    with pytest.raises(OperatorError, match="snappy"):
        await Publisher(cluster.bootstrap, compression="snappy").start()


async def test_gzip_needs_nothing_installed(cluster: Cluster) -> None:
    topic = await cluster.topic(1)

    async with publisher(cluster, compression="gzip") as out:
        await out.publish(topic, [Outgoing(b"k", b"x" * 10_000)] * 30)

    assert [len(r.value) for r in (await read_all(cluster, topic, 1))[0]] == [10_000] * 30


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), KafkaTimeoutError()])
async def test_after_a_failure_the_same_messages_can_be_published_again(
    cluster: Cluster, error: Exception
) -> None:
    topic = await cluster.topic(1)

    async def fail(*_: Any, **__: Any) -> None:
        raise error

    async with publisher(cluster) as out:
        out._producer.send_batch = fail  # type: ignore[union-attr]
        with pytest.raises(StateUnavailable, match=topic):
            await out.publish(topic, [Outgoing(b"k", b"v")])
        await out.publish(topic, [Outgoing(b"k", b"v")])

    assert [record.value for record in (await read_all(cluster, topic, 1))[0]] == [b"v"]


async def test_a_broker_that_stops_answering_makes_publish_give_up_in_time(cluster: Cluster) -> None:
    topic = await cluster.topic(1)

    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    async with publisher(cluster, timeout_s=1.0) as out:
        out._producer.client.send = never  # type: ignore[union-attr]
        with pytest.raises(StateUnavailable, match="did not confirm 1 messages"):
            await out.publish(topic, [Outgoing(b"k", b"v")])
