"""What a producer aborted, or has not committed yet, no worker sees: nor do `tables verify` and `tables rebuild`."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from rich.console import Console

from stream.commands import rebuilding
from stream.embedded import Broker
from stream.rebuild import REPLAYED, nothing_left, replayed
from stream.settings import Settings
from stream.topics import ORDER_PLACED
from stream.verification.log_reader import read_log
from stream.verification.verify import read_orders_and_returns
from tests.verification.test_verify import order, stream_of


@pytest.fixture(name="settings")
async def _settings(kafka: Broker, make_shop_topics: Callable[..., Awaitable[str]]) -> Settings:
    prefix = await make_shop_topics(partitions=1)
    return Settings(broker=kafka.bootstrap, topic_prefix=prefix, group=f"{prefix}group")


@pytest.fixture(name="till")
async def _till(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with transactions."""
    till = AIOKafkaProducer(bootstrap_servers=settings.broker, transactional_id=settings.topic_prefix)
    await till.start()
    yield till
    await till.stop()


async def sell(till: AIOKafkaProducer, settings: Settings, *numbers: str) -> None:
    """Orders of "a" and "b"."""
    for number in numbers:
        sold = order(number, "a", "b")
        await till.send_and_wait(settings.topic_prefix + ORDER_PLACED, sold.value, key=sold.key, partition=0)


async def test_orders_of_an_aborted_transaction_are_not_counted(
    settings: Settings, till: AIOKafkaProducer
) -> None:
    async with till.transaction():
        await sell(till, settings, "1", "2")
    await till.begin_transaction()
    await sell(till, settings, "3", "4")
    await till.abort_transaction()
    async with till.transaction():
        await sell(till, settings, "5")

    log = await read_orders_and_returns(settings)

    three = [{"table": "order_count", "sku": sku, "count": 3} for sku in "ab"]
    pairs = [
        {"table": "co_purchase", "sku": sku, "partner": other, "count": 3} for sku, other in ("ab", "ba")
    ]
    rows = [
        {"table": "order", "order_id": number, "pane": 18_262, "skus": ["a", "b"]}
        for number in ("1", "2", "5")
    ]
    report = await log.compare(stream_of([*pairs, *rows, *three]))
    assert (log.orders, report.differing, report.first) == (3, 0, [])


async def test_a_log_is_read_up_to_a_transaction_that_is_still_open(
    settings: Settings, till: AIOKafkaProducer
) -> None:
    topic = settings.topic_prefix + ORDER_PLACED
    async with till.transaction():
        await sell(till, settings, "1")
    await till.begin_transaction()
    await sell(till, settings, "2", "3")

    while_open = [record.key async for record in read_log(settings.broker, topic)]
    await till.commit_transaction()

    assert while_open == [b"1"]
    assert [record.key async for record in read_log(settings.broker, topic)] == [b"1", b"2", b"3"]


async def test_a_log_of_nothing_but_aborted_orders_is_read_to_its_end(
    settings: Settings, till: AIOKafkaProducer
) -> None:
    await till.begin_transaction()
    await sell(till, settings, "1", "2")
    await till.abort_transaction()

    assert [record async for record in read_log(settings.broker, settings.topic_prefix + ORDER_PLACED)] == []


async def test_a_rebuild_is_followed_to_the_last_record_behind_which_a_transaction_ends(
    settings: Settings, till: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with till.transaction():
        await sell(till, settings, "1", "2")
    await stand(settings, 1)
    assert not await nothing_left(settings)
    await stand(settings, 2)  # where a worker stands that was given both
    monkeypatch.setattr(rebuilding, "LOOK_S", 0.0)
    said = io.StringIO()
    monkeypatch.setattr(rebuilding, "notes", Console(file=said, width=100))

    assert (await replayed(settings))[ORDER_PLACED] == (2, 3)
    assert await nothing_left(settings)
    await rebuilding.follow_replay(settings)

    assert "order-placed: 2 of 3" in said.getvalue()


async def stand(settings: Settings, offset: int) -> None:
    """Have the group stand there in the orders."""
    assert ORDER_PLACED in REPLAYED
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.broker, group_id=settings.group, enable_auto_commit=False
    )
    await consumer.start()
    tp = TopicPartition(settings.topic_prefix + ORDER_PLACED, 0)
    consumer.assign([tp])
    await consumer.commit({tp: OffsetAndMetadata(offset, "")})
    await consumer.stop()
