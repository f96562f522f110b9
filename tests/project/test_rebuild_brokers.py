"""`tables rebuild` sets the group back on every broker there is, and refuses while a worker runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream import topics
from stream.codec import encode
from stream.embedded import Broker, embedded_broker
from stream.errors import OperatorError
from stream.publisher import Outgoing, Publisher
from stream.rebuild import REPLAYED, nothing_left, rebuild, replayed
from stream.settings import Settings
from stream.tables.dump import scan
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from tests.contract.orders import TOPIC, order
from tests.services import fresh_topics


@pytest.fixture(name="settings", params=["embedded", "kafka"])
async def _settings(request: pytest.FixtureRequest) -> AsyncIterator[Settings]:
    """A shop with two orders and a basket in its log."""
    if request.param == "kafka":
        yield await _shop(request.getfixturevalue("kafka"))
    else:
        async with embedded_broker() as broker:
            yield await _shop(broker)


async def _shop(broker: Broker) -> Settings:
    prefix = await fresh_topics(broker, only=[*REPLAYED, topics.BASKET_UPDATED])
    publisher = Publisher(broker.bootstrap, idempotent=broker.idempotent)
    sold = [Outgoing(b"same", encode(order(str(number), "ab"))) for number in range(2)]
    await publisher.publish(prefix + TOPIC, sold)
    await publisher.publish(prefix + topics.BASKET_UPDATED, [Outgoing(b"same", b"{}")])
    await publisher.stop()
    return Settings(broker=broker.bootstrap, topic_prefix=prefix, group=f"{prefix}group")


class Member:
    """A worker, as the group sees it: it commits all there is of two topics."""

    def __init__(self, settings: Settings) -> None:
        self._topics = [settings.topic_prefix + name for name in (TOPIC, topics.BASKET_UPDATED)]
        self._consumer = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=settings.broker,
            group_id=settings.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def __aenter__(self) -> None:
        await self._consumer.start()
        async with asyncio.timeout(60):
            while not self._consumer.assignment():
                await asyncio.sleep(0.05)
            while not await self._done():
                await self._consumer.getmany(timeout_ms=200)
        await self._consumer.commit()

    async def _done(self) -> bool:
        places = [await self._consumer.position(tp) for tp in self._consumer.assignment()]
        return sum(places) == 3

    async def __aexit__(self, *exc: object) -> None:
        await self._consumer.stop()


async def committed(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    """What the group has committed, by topic; -1 where nothing is."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.broker, group_id=settings.group, enable_auto_commit=False
    )
    await consumer.start()
    found = {}
    for name in names:
        topic = settings.topic_prefix + name
        stood = [await consumer.committed(TopicPartition(topic, partition)) for partition in range(2)]
        found[name] = max(-1 if offset is None else offset for offset in stood)
    await consumer.stop()
    return found


async def made(settings: Settings) -> Tables:
    tables = Tables(MemoryStore(), settings)
    await tables.open()
    await tables.dictionary.remember("ab")
    return tables


async def test_a_rebuild_sets_the_group_back_and_deletes_the_tables(settings: Settings) -> None:
    tables = await made(settings)
    async with Member(settings):
        pass
    assert (await replayed(settings))[TOPIC] == (2, 2)
    assert await nothing_left(settings)

    assert await rebuild(settings, tables) > 0

    assert await scan(tables) == {}
    assert await committed(settings, REPLAYED) == dict.fromkeys(REPLAYED, 0)
    assert await committed(settings, [topics.BASKET_UPDATED]) == {topics.BASKET_UPDATED: 1}
    assert (await replayed(settings))[TOPIC] == (0, 2)
    assert not await nothing_left(settings)


async def test_while_a_worker_runs_nothing_is_deleted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.rebuild.JOINING_S", 5.0)
    tables = await made(settings)
    async with Member(settings):
        with pytest.raises(OperatorError, match=r"orkers of group .* still run"):
            await rebuild(settings, tables)

    assert await scan(tables) != {}
    assert await committed(settings, [TOPIC]) == {TOPIC: 2}
