"""A message whose publish gave up arrives once all the same: it is waited for, not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber

from stream import deliveries, publisher
from stream.deliveries import Deliveries
from stream.errors import StateUnavailable
from stream.publisher import Outgoing, Publisher
from tests.transport.test_publisher import publisher as started
from tests.transport.test_publisher import read_all
from tests.transport.workers import Cluster

GAVE_UP = "did not confirm"


def named(name: str, value: bytes = b"first") -> Outgoing:
    """A message that its repetitions share a name with."""
    return Outgoing(name.encode(), value, (), name)


@asynccontextmanager
async def impatient(out: Publisher, *topics: str) -> AsyncIterator[None]:
    """Every publish to these topics gives up soon; it has handed over by then, for where they lie is known."""
    for topic in topics:
        await out._producer.partitions_for(topic)  # type: ignore[union-attr]
    patient, out._timeout_s = out._timeout_s, 1.0
    try:
        yield
    finally:
        out._timeout_s = patient


@asynccontextmanager
async def acknowledgements_held(out: Publisher) -> AsyncIterator[asyncio.Event]:
    """What is sent arrives, and is acknowledged once the event is set."""
    client: Any = out._producer.client  # type: ignore[union-attr]
    real: Callable[..., Any] = client.send
    gate = asyncio.Event()

    async def send(*args: Any, **kwargs: Any) -> Any:
        answer = await real(*args, **kwargs)
        await gate.wait()
        return answer

    client.send = send
    try:
        yield gate
    finally:
        gate.set()
        client.send = real


async def values(cluster: Cluster, topic: str) -> list[bytes]:
    """All values of a topic with one partition."""
    return [record.value for record in (await read_all(cluster, topic, 1))[0]]


async def test_what_was_on_its_way_is_waited_for_and_all_else_is_sent(cluster: Cluster) -> None:
    one, other = await cluster.topic(1), await cluster.topic(1)
    async with started(cluster) as out:
        producer = out._producer
        async with acknowledgements_held(out) as gate:
            async with impatient(out, one, other):
                # The second one does not get as far as the broker: the first one's acknowledgement is awaited.
                tries = [out.publish(one, [named("1"), named("2")]), out.publish(other, [named("1")])]
                gave_up = await asyncio.gather(*tries, return_exceptions=True)
                assert [GAVE_UP in str(error) for error in gave_up] == [True, True]
                with pytest.raises(StateUnavailable, match=GAVE_UP):
                    await out.publish(one, [named("1", b"second")])
            gate.set()
            await out.publish(one, [named("1", b"third"), named("3"), named("2", b"third")])
            await out.publish(other, [named("1", b"third")])

        assert out._producer is producer  # nobody else's batches were failed for it
    assert await values(cluster, one) == [b"first"] * 3
    assert await values(cluster, other) == [b"first"]


async def test_what_was_confirmed_after_its_publish_gave_up_is_not_sent_again_but_later_news_are(
    cluster: Cluster,
) -> None:
    topic = await cluster.topic(1)
    async with started(cluster) as out:
        async with impatient(out, topic), acknowledgements_held(out):
            with pytest.raises(StateUnavailable, match=GAVE_UP):
                await out.publish(topic, [named("1")])
        await asyncio.sleep(0)
        await out.publish(topic, [named("1", b"again")])
        await out.publish(topic, [named("1", b"news")])

    assert await values(cluster, topic) == [b"first", b"news"]


async def test_a_message_without_a_name_is_sent_again(cluster: Cluster) -> None:
    topic = await cluster.topic(1)
    async with started(cluster) as out:
        async with impatient(out, topic), acknowledgements_held(out):
            with pytest.raises(StateUnavailable, match=GAVE_UP):
                await out.publish(topic, [Outgoing(b"k", b"v")])
        await out.publish(topic, [Outgoing(b"k", b"v")])

    assert await values(cluster, topic) == [b"v", b"v"]


async def test_of_a_publish_that_failed_only_what_is_not_confirmed_is_sent_again(cluster: Cluster) -> None:
    topic = await cluster.topic(2)
    messages = [named(str(number)) for number in range(40)]
    async with started(cluster) as out:
        real = out._producer.send_batch  # type: ignore[union-attr]
        confirmed = asyncio.Event()

        async def send_batch(batch: Any, topic: str, *, partition: int) -> Any:
            if partition == 1:
                await confirmed.wait()
                raise OutOfOrderSequenceNumber
            future = await real(batch, topic, partition=partition)
            future.add_done_callback(lambda _: confirmed.set())
            return future

        out._producer.send_batch = send_batch  # type: ignore[union-attr]
        with pytest.raises(StateUnavailable, match="OutOfOrder"):
            await out.publish(topic, messages)
        await out.publish(topic, messages)

    records = (await read_all(cluster, topic, 2)).values()
    assert sorted(record.key for mine in records for record in mine) == sorted(m.key or b"" for m in messages)


async def test_what_is_let_go_of_is_not_offered_any_more(cluster: Cluster) -> None:
    topic = await cluster.topic(1)
    async with started(cluster) as out:
        await out.let_go()
        producer = out._producer
        assert producer is not None
        hold = asyncio.Event()

        async def never(*_: Any, **__: Any) -> None:
            await hold.wait()

        async with impatient(out, topic):
            producer.client.send = never
            with pytest.raises(StateUnavailable, match=GAVE_UP):
                await out.publish(topic, [named("1")])
        await out.let_go()
        await out.publish(topic, [named("1", b"by its new owner")])

    assert await values(cluster, topic) == [b"by its new owner"]


async def test_a_producer_that_confirms_nothing_for_long_is_replaced(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "STUCK_AFTER", 1)
    topic = await cluster.topic(1)
    async with started(cluster) as out:
        hold = asyncio.Event()

        async def never(*_: Any, **__: Any) -> None:
            await hold.wait()

        async with impatient(out, topic):
            out._producer.client.send = never  # type: ignore[union-attr]
            while out._producer is not None:
                with pytest.raises(StateUnavailable, match=GAVE_UP):
                    await out.publish(topic, [named("1")])
        await out.publish(topic, [named("1")])

    assert await values(cluster, topic) == [b"first"]


async def test_only_so_many_deliveries_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_KEPT", 2)
    kept, on_the_way = Deliveries(), asyncio.get_running_loop().create_future()
    messages = [named(str(number)) for number in range(3)]

    kept.keep("topic", messages, on_the_way)

    assert kept.split("topic", messages) == (messages[:1], [on_the_way])
    assert kept.split("another topic", messages) == (messages, [])
    on_the_way.set_exception(OutOfOrderSequenceNumber())
    assert kept.split("topic", messages) == (messages, [])
