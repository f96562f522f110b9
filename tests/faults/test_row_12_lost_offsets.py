"""Row 12: Kafka has forgotten what the group had read; Redis has not. And a Redis that never knew."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from stream.tables.dump import dump_rows
from stream.tables.tables import Tables
from tests.faults.arena import Arena
from tests.faults.load import BASKETS, ORDERS


@pytest.mark.fault(12)
async def test_a_group_whose_offsets_are_gone_goes_on_from_the_fences(arena: Arena) -> None:
    await arena.start(workers=1, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=40)
    await arena.sleep(1.0, 3.0)
    await arena.feed.stop()
    await arena.caught_up()
    assert await arena.stop_worker(arena.running()[0]) == 0
    fences = await arena.watch.lowest_fences()
    arena.watch.commits_may_go_back = True
    await arena.group.forget_offsets()
    # Baskets have no fence: they are answered again, each under the id it had.
    again = sum((await arena.group.ends([BASKETS])).values())

    worker = await arena.start_worker()
    await worker.ready()
    for partition, fence in sorted(
        (tp.partition, at) for tp, at in fences.items() if tp.topic.endswith(ORDERS)
    ):
        assert f"{ORDERS}[{partition}] is read from offset {fence + 1}\n" in worker.said()
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=10)
    await arena.prove(duplicates=again)


@pytest.mark.rotation
async def test_a_log_read_into_a_fresh_redis_makes_the_same_dump_to_the_byte(arena: Arena) -> None:
    """The whole log at once, in other batches, by other workers: the tables are a function of the log."""
    await arena.start(workers=2, max_batch=50)
    killed = arena.dice.choice(arena.running())
    for number in range(20):
        await arena.publish(arena.log.step(orders=40, baskets=5))
        if number == 10:
            await arena.kill(killed)
    await arena.prove()
    for worker in arena.running():
        await arena.stop_worker(worker)

    fresh = msgspec.structs.replace(arena.settings, namespace=f"{arena.settings.namespace}-again")
    first = await _dump(arena.tables)
    worker = await arena.start_worker(
        BASKETSTREAM_NAMESPACE=fresh.namespace,
        BASKETSTREAM_GROUP=f"{fresh.group}-again",
        BASKETSTREAM_MAX_BATCH="731",
    )
    await worker.ready()
    tables = Tables.on_redis(fresh)
    try:
        async with asyncio.timeout(150):
            while (again := await _dump(tables)) != first:
                assert worker.running, worker.said()[-3000:]
                await asyncio.sleep(0.2)
    finally:
        await arena.stop_worker(worker)
        await arena.forget_tables(tables)
        await tables.close()
    assert again == first


async def _dump(tables: Tables) -> bytes:
    return b"\n".join([json.dumps(row, sort_keys=True).encode() async for row in dump_rows(tables)])
