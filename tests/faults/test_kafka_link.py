"""Apache Kafka over links of ours: clients stay on the link, and a lost acknowledgement is one record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.embedded import Broker, apache_kafka
from stream.embedded.ports import free_ports
from stream.publisher import Outgoing, Publisher
from stream.topics import TopicSpec, make_topics
from tests.faults.calls import KafkaCalls
from tests.faults.proxy import Proxy


@pytest.fixture
async def linked() -> AsyncIterator[tuple[Broker, Proxy]]:
    port = free_ports(1)[0]
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(apache_kafka(links=[port]))
        yield broker, stack.enter_context(Proxy(broker.link_ports[0], port=port, calls=KafkaCalls))


async def records(bootstrap: str, topic: str) -> list[bytes | None]:
    tp = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        values: list[bytes | None] = []
        while await consumer.position(tp) < end:
            values.append((await consumer.getone()).value)
        return values


@pytest.mark.slow
async def test_a_lost_produce_acknowledgement_is_one_record_and_the_client_stays_on_the_link(
    linked: tuple[Broker, Proxy],
) -> None:
    broker, proxy = linked
    await make_topics(broker.bootstrap, [TopicSpec("suggestions", 1, {})])
    publisher = Publisher(f"127.0.0.1:{proxy.port}")
    await publisher.start()
    try:
        await publisher.publish("suggestions", [Outgoing(b"k", b"first")])
        proxy.lose_replies()
        await publisher.publish("suggestions", [Outgoing(b"k", b"second")])
        assert proxy.lost_replies == 1
    finally:
        await publisher.stop()

    assert await records(broker.bootstrap, "suggestions") == [b"first", b"second"]
