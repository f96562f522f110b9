"""Row 13: the log was cut behind the worker's back."""

from __future__ import annotations

import re

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.faults.arena import Arena
from tests.faults.load import BASKETS, ORDERS
from tests.faults.proof import SUGGESTIONS, Log, prove_counts, recount, rules_of
from tests.faults.reference import suggestion_ids


async def cut(arena: Arena, topic: str, partition: int, before: int) -> None:
    """Delete the records of a partition before an offset, as retention does."""
    arena.history.note("log is cut", topic=topic, partition=partition, before=before)
    admin = AIOKafkaAdminClient(bootstrap_servers=arena.broker.bootstrap)
    await admin.start()
    try:
        tp = TopicPartition(arena.prefix + topic, partition)
        await admin.delete_records({tp: RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


@pytest.mark.fault(13)
@pytest.mark.rotation
async def test_orders_deleted_before_they_were_counted_stop_the_worker_until_the_operator_says_skip(
    arena: Arena,
) -> None:
    await arena.start(workers=1, partitions=2)
    for _ in range(5):
        await arena.publish(arena.log.step(20, 5))
    await arena.caught_up()
    await arena.stop_worker(arena.workers[0])
    needed = (await arena.group.committed())[TopicPartition(arena.prefix + ORDERS, 0)]
    for _ in range(5):
        await arena.publish(arena.log.step(20, 5))
    whole = await Log.read(arena.group, set())
    end = (await arena.group.ends([ORDERS]))[TopicPartition(arena.prefix + ORDERS, 0)]
    # Of a log that ends where it begins nothing is read, and so nothing committed until something is sent.
    begins = arena.dice.randint(needed + 1, end - 1)
    await cut(arena, ORDERS, 0, begins)

    refusing = await arena.start_worker()
    assert await arena.died(refusing) == 2
    assert f"/0 from offset {needed}, but the log begins at {begins}" in refusing.said()
    assert f"{begins - needed} records are gone uncounted" in refusing.said()

    going_on = await arena.start_worker(BASKETSTREAM_ON_GAP="skip")
    await going_on.says(f"gap.order-placed {begins - needed}")
    await arena.caught_up()
    lost = {(0, offset) for offset in range(needed, begins)}
    orders = [record for record in whole.orders if (record.partition, record.offset) not in lost]
    seen = Log(orders, whole.baskets, whole.returns)
    arena.measured["rows"] = await prove_counts(arena.tables, recount(seen, rules_of(arena.settings)))
    arena.measured["records"] = len(orders)


@pytest.mark.fault(13)
async def test_baskets_deleted_under_a_running_worker_are_counted_and_the_others_answered(
    arena: Arena,
) -> None:
    await arena.start(workers=1, partitions=1, session_timeout_s=20.0)
    worker = arena.workers[0]
    await arena.publish([arena.log.basket() for _ in range(50)])
    await arena.caught_up()
    worker.pause()
    places = await arena.publish([arena.log.basket() for _ in range(500)])
    whole = await Log.read(arena.group, set())
    await cut(arena, BASKETS, 0, arena.dice.randint(places[250][1], places[-1][1]))
    worker.resume()
    await arena.publish([arena.log.basket() for _ in range(50)])
    await arena.caught_up()
    await worker.says("gap.basket-updated")

    told = {str(answer) for answer in await answered(arena)}
    missing = suggestion_ids(arena.prefix + BASKETS, whole.baskets).keys() - told
    (counted,) = set(re.findall(r"gap\.basket-updated (\d+)", worker.said()))
    assert len(missing) == int(counted) > 0
    assert f"GAP: {arena.prefix}{BASKETS}[0] was to be read from offset" in worker.said()
    assert worker.running


async def answered(arena: Arena) -> list[str]:
    """The ids of all suggestions."""
    records = await arena.group.read(SUGGESTIONS)
    return [dict(record.headers)["ce_id"].decode() for record in records]
