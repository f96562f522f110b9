"""A worker on Kafka and Redis publishes the bytes that a replay in memory says it would, event after event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream import topics
from stream.codec import encode
from stream.embedded import Broker
from stream.evaluation.in_step import InStep, Sent, Timed
from stream.events import BasketUpdated, OrderReturned, ReturnedLine
from stream.history.datasets import load_history
from stream.history.orders import Order
from stream.history.replay import topic_messages
from stream.publisher import Outgoing
from stream.services.scorer_watch import NAMES
from stream.tables.tables import Tables
from tests.e2e.shop import PATIENCE_S, POLL_S, Shop

ONLINE_RETAIL = Path(__file__).parent / "online_retail/orders.jsonl"
ORDERS = 60
EVERY_LINES = 5
"""Of the snapshots of a basket one in so many is sent."""

OTHER_SCORER = "precision-200+popular"
NO_ANSWER = (topics.PRODUCT_UPDATED, topics.ORDER_RETURNED)


@pytest.fixture
async def one_by_one(
    kafka: Broker, redis_url: str, make_shop_topics: Callable[..., Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Shop]:
    """An empty shop with one partition a topic."""
    shop = Shop(kafka, redis_url, await make_shop_topics(partitions=1), tmp_path)
    yield shop
    await shop.stop()


def events() -> Iterator[Timed]:
    """The catalogue of some real orders, their baskets as they grew, the orders, and a return now and then."""
    history = load_history(str(ONLINE_RETAIL))
    orders = list(history.orders())
    assert len(orders) == ORDERS
    by_id = {order.order_id: (at, order) for at, order in enumerate(orders)}
    for topic, outgoing, moment in topic_messages(orders, history.catalogue, history.currency, True, None):
        if topic == topics.BASKET_UPDATED:
            version = msgspec.json.decode(outgoing.value or b"", type=BasketUpdated).version or 0
            if version % EVERY_LINES != 2:
                continue
        yield topic, outgoing, moment
        if topic == topics.ORDER_PLACED:
            at, order = by_id[(outgoing.key or b"").decode()]
            if at % 10 == 9:
                yield topics.ORDER_RETURNED, returned(order), moment + timedelta(minutes=1)


def returned(order: Order) -> Outgoing:
    """The first line of an order comes back."""
    event = OrderReturned(
        event_id=f"back-{order.order_id}",
        occurred_at=order.at + timedelta(minutes=1),
        channel=order.channel,
        order_id=order.order_id,
        lines=[ReturnedLine(order.items[0].sku, 1)],
        reason="returned",
    )
    return Outgoing(order.order_id.encode(), encode(event))


async def fits(tables: Tables) -> dict[bytes, bytes]:
    """All fitted rows."""
    keys = [("HGETALL", tables.keys.fits(tag)) for tag in range(tables.layout.tags)]
    return {
        ident: row
        for found in await tables.store.commands(keys)
        for ident, row in zip(found[::2], found[1::2], strict=True)
    }


async def settled(tables: Tables, twin: Tables, expected: dict[bytes, bytes]) -> None:
    """Return once these fits are there, byte for byte, and the turn that made them ended as the twin's did."""
    idents, counted = list(expected), await twin.fitted.heads_counted()
    async with asyncio.timeout(PATIENCE_S):
        while await tables.fitted.heads_counted() != counted or await tables.fitted.read(idents) != list(
            expected.values()
        ):
            await asyncio.sleep(POLL_S / 5)


async def told(tables: Tables) -> list[dict[int, dict[str, int]]]:
    """What was counted of feedback and of moves, by pane."""
    return [{pane: fields for pane, (_, fields) in part.items()} for part in await tables.acceptance.read()]


async def same_chances(tables: Tables, twin: Tables) -> None:
    """Return once what shoppers were seen to do unprompted is told: a worker does that by its clock."""
    expected = await told(twin)
    async with asyncio.timeout(PATIENCE_S):
        while await told(tables) != expected:
            await asyncio.sleep(POLL_S / 5)


class Till:
    """Publishes one record at a time, with its time, and reads what comes back."""

    def __init__(self, shop: Shop, producer: AIOKafkaProducer, answers: AIOKafkaConsumer) -> None:
        self._shop, self._producer, self._answers = shop, producer, answers

    async def send(self, sent: Sent) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
        """As many answers as are expected, once they are there: key, value and headers."""
        key, value, headers, _ = sent.outgoing
        name = self._shop.prefix + sent.topic
        await self._producer.send_and_wait(name, value, key, timestamp_ms=sent.at_ms, headers=list(headers))
        found: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < len(sent.answers):
                for records in (await self._answers.getmany(timeout_ms=200)).values():
                    found += [(record.key, record.value, list(record.headers)) for record in records]
        return found


async def test_the_worker_publishes_what_the_replay_in_memory_publishes(one_by_one: Shop) -> None:
    shop = one_by_one
    # Nothing expires: a worker does that every second, not in step.
    chosen = {"cache_age_s": 0.0, "answer_orders": "all", "window_panes": 400, "expiry_interval_s": 0.1}
    twin = InStep(msgspec.structs.replace(shop.settings, **chosen))
    await twin.open()
    tables = shop.tables()
    log = list(events())
    producer = AIOKafkaProducer(bootstrap_servers=shop.broker.bootstrap)
    answers = AIOKafkaConsumer(bootstrap_servers=shop.broker.bootstrap)
    worker = await shop.start_worker(**{name: str(value) for name, value in chosen.items()})
    await producer.start()
    await answers.start()
    answers.assign([TopicPartition(shop.prefix + topics.SUGGESTIONS, 0)])
    till, before = Till(shop, producer, answers), dict[bytes, bytes]()
    compared = offers = 0
    try:
        await worker.ready()
        for number, (topic, outgoing, at) in enumerate(log):
            if number == len(log) // 2:
                for each in (twin.tables, tables):
                    await each.scorers.serve(OTHER_SCORER)
            sent = await twin.send(topic, outgoing, at)
            found = await till.send(sent)
            assert found == [(a.key, a.value, list(a.headers)) for a in sent.answers]
            compared += len(found)
            offers += sum((value or b"").count(b'"offer_id"') for _, value, _ in found)
            if topic in NO_ANSWER and [each[0] for each in log[number + 1 : number + 2]] != [topic]:
                await shop.caught_up(topic)
            after = await fits(twin.tables)
            changed = {ident: row for ident, row in after.items() if before.get(ident) != row}
            await settled(tables, twin.tables, changed)
            before = after
            await same_chances(tables, twin.tables)

        assert await fits(tables) == before
        source = f"{shop.prefix}{topics.ORDER_PLACED}/0"
        measured = await twin.tables.scorers.of(source, NAMES)
        assert measured[0].orders > ORDERS // 4
        assert await tables.scorers.of(source, NAMES) == measured
    finally:
        await producer.stop()
        await answers.stop()
        await tables.close()
    assert compared > 2 * ORDERS
    assert offers > compared
