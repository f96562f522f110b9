"""Verify on a real Kafka: the log is read to its end, dead letters do not count, differences show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from stream.codec import encode
from stream.dead_letters import DeadLetter, DeadLetters
from stream.embedded import Broker
from stream.errors import OperatorError, PoisonEvent
from stream.events import OrderLine, OrderPlaced, OrderReturned
from stream.publisher import Outgoing, Publisher
from stream.settings import Settings
from stream.topics import ORDER_PLACED, ORDER_RETURNED
from stream.verification.log_reader import end_offsets, read_log
from stream.verification.verify import read_orders_and_returns

AT = datetime(2020, 1, 1, tzinfo=UTC)


def order(order_id: str, *skus: str) -> Outgoing:
    event = OrderPlaced(
        event_id=order_id,
        occurred_at=AT,
        channel="web",
        order_id=order_id,
        currency="EUR",
        lines=[OrderLine(sku, 1, 100) for sku in skus],
    )
    return Outgoing(order_id.encode(), encode(event))


async def stream_of(rows: Iterable[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for row in rows:
        yield row


@pytest.fixture(name="settings")
async def _settings(kafka: Broker, make_shop_topics: Callable[..., Awaitable[str]]) -> Settings:
    prefix = await make_shop_topics(partitions=2)
    return Settings(broker=kafka.bootstrap, topic_prefix=prefix, idempotent=kafka.idempotent)


@pytest.fixture(name="publisher")
async def _publisher(settings: Settings) -> AsyncIterator[Publisher]:
    publisher = Publisher(settings.broker, idempotent=settings.idempotent)
    await publisher.start()
    yield publisher
    await publisher.stop()


async def test_the_whole_log_is_read_in_the_order_of_each_partition(
    settings: Settings, publisher: Publisher
) -> None:
    topic = settings.topic_prefix + ORDER_PLACED
    for start in range(0, 3_000, 500):
        await publisher.publish(topic, [order(str(n), "a") for n in range(start, start + 500)])

    places = [(record.partition, record.offset) async for record in read_log(settings.broker, topic)]

    ends = await end_offsets(settings.broker, topic)
    for partition, end in ends.items():
        assert [offset for read, offset in places if read == partition] == list(range(end))
    assert len(places) == 3_000


async def test_an_empty_log_makes_empty_tables(settings: Settings) -> None:
    log = await read_orders_and_returns(settings)

    assert (await log.compare(stream_of([]))).equal


async def test_orders_and_returns_count_and_dead_letters_do_not(
    settings: Settings, publisher: Publisher
) -> None:
    orders, returns = settings.topic_prefix + ORDER_PLACED, settings.topic_prefix + ORDER_RETURNED
    back = OrderReturned(event_id="r", occurred_at=AT, channel="web", order_id="3", reason="cancelled")
    await publisher.publish(orders, [order("1", "a", "b"), order("1", "a", "b"), order("3", "a")])
    await publisher.publish(orders, [Outgoing(b"1", b"{"), Outgoing(b"2", order("1", "a").value)])
    await publisher.publish(returns, [Outgoing(b"3", encode(back))])
    await publisher.publish(orders, [order("collides", "z")])
    collision = [r async for r in read_log(settings.broker, orders) if r.key == b"collides"]
    await bury(publisher, *collision)

    log = await read_orders_and_returns(settings)
    report = await log.compare(
        stream_of(
            [
                {"table": "order_count", "sku": "a", "count": 2},
                {"table": "order_count", "sku": "b", "count": 1},
            ]
        )
    )

    assert (report.orders, report.duplicates, report.returns, report.dead_letters) == (3, 1, 1, 3)
    assert report.agreeing == {"order_count": 1}
    assert not report.equal
    assert any("'sku': 'a', 'count': 1" in difference for difference in report.first)


async def bury(publisher: Publisher, *records: ConsumerRecord[bytes, bytes]) -> None:
    poison = PoisonEvent("SKU_COLLISION", "$.lines", "a test's word for it")
    await DeadLetters(publisher).send([DeadLetter(record, poison, "tables") for record in records])


async def test_a_topic_that_is_missing_is_named(kafka: Broker) -> None:
    with pytest.raises(OperatorError, match="no topic nowhere"):
        await end_offsets(kafka.bootstrap, "nowhere")
