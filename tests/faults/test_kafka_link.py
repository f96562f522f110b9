"""Apache Kafka over links of ours: clients stay on the link, and a lost acknowledgement is one record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.embedded import Broker, apache_kafka
from stream.embedded.ports import free_ports
from stream.errors import StateUnavailable
from stream.producer import CLOSE_S
from stream.publisher import Outgoing, Publisher
from stream.topics import TopicSpec, make_topics
from tests.faults.calls import KafkaCalls
from tests.faults.link import Direction
from tests.faults.proxy import Proxy
from tests.services import hosted
from tests.transport.workers import fresh_name


@pytest.fixture(scope="module")
def lasting_link() -> Iterator[tuple[Broker, Proxy]]:
    port = free_ports(1)[0]
    with (
        hosted(lambda: apache_kafka(links=[port])) as broker,
        Proxy(broker.link_ports[0], port=port, calls=KafkaCalls) as proxy,
    ):
        yield broker, proxy


@pytest.fixture
async def linked(lasting_link: tuple[Broker, Proxy]) -> AsyncIterator[tuple[Broker, Proxy, str]]:
    """A broker, the link to it, and a topic of the test's own."""
    broker, proxy = lasting_link
    topic = fresh_name("suggestions")
    await make_topics(broker.bootstrap, [TopicSpec(topic, 1, {})])
    yield broker, proxy, topic
    proxy.heal()


async def records(bootstrap: str, topic: str) -> list[bytes | None]:
    tp = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        values: list[bytes | None] = []
        while await consumer.position(tp) < end:
            values.append((await consumer.getone()).value)
        return values


@asynccontextmanager
async def publisher(proxy: Proxy, timeout_s: float = 30.0) -> AsyncIterator[Publisher]:
    made = Publisher(f"127.0.0.1:{proxy.port}", timeout_s=timeout_s)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


SUGGESTION = [Outgoing(b"k", b"told", name="s-1")]


@pytest.mark.slow
async def test_a_lost_produce_acknowledgement_is_one_record_and_the_client_stays_on_the_link(
    linked: tuple[Broker, Proxy, str],
) -> None:
    broker, proxy, topic = linked
    async with publisher(proxy) as out:
        await out.publish(topic, [Outgoing(b"k", b"first")])
        proxy.lose_replies()
        await out.publish(topic, [Outgoing(b"k", b"second")])

    assert proxy.lost_replies > 0
    assert await records(broker.bootstrap, topic) == [b"first", b"second"]


@pytest.mark.slow
@pytest.mark.parametrize("directions", [[Direction.REQUESTS, Direction.REPLIES], [Direction.REPLIES]])
async def test_a_link_that_is_dead_for_less_than_the_deadline_makes_no_second_copy(
    linked: tuple[Broker, Proxy, str], directions: list[Direction]
) -> None:
    broker, proxy, topic = linked
    async with publisher(proxy, timeout_s=9.0) as out:
        await out.publish(topic, SUGGESTION)
        proxy.hold(*directions)
        telling = asyncio.create_task(out.publish(topic, SUGGESTION))
        await asyncio.sleep(4)  # one request of three seconds is given up
        assert not telling.done()
        proxy.heal()
        await telling

    assert await records(broker.bootstrap, topic) == [b"told"] * 2


@pytest.mark.slow
async def test_the_deadline_fires_in_a_black_hole_and_giving_up_again_and_again_makes_one_copy_at_most(
    linked: tuple[Broker, Proxy, str],
) -> None:
    broker, proxy, topic = linked
    async with publisher(proxy, timeout_s=2.0) as out:
        await out.publish(topic, SUGGESTION)
        proxy.blackhole()
        began = time.monotonic()
        for _ in range(4):
            with pytest.raises(StateUnavailable):
                await out.publish(topic, SUGGESTION)
        assert time.monotonic() - began < 4 * (2.0 + 2 * CLOSE_S + 1.0)
        proxy.heal()
        await out.publish(topic, SUGGESTION)

    # The one that waited in the hole may have come out of it.
    assert len(await records(broker.bootstrap, topic)) in (2, 3)


@pytest.mark.slow
async def test_a_publisher_ends_in_time_and_in_good_order_while_its_link_is_dead(
    linked: tuple[Broker, Proxy, str], caplog: pytest.LogCaptureFixture
) -> None:
    _, proxy, topic = linked
    async with publisher(proxy) as out:
        await out.publish(topic, SUGGESTION)
        proxy.blackhole()
        telling = asyncio.create_task(out.publish(topic, SUGGESTION))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        await out.stop()
        with pytest.raises(StateUnavailable):
            await telling
        assert time.monotonic() - began < 2 * CLOSE_S + 1.0

    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
