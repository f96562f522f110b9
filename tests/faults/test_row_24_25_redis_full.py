"""Rows 24 and 25: Redis has no memory or no disk left: orders wait with their fences where they are, baskets do not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiokafka import TopicPartition

from tests.faults.arena import Arena
from tests.faults.load import BASKETS, ORDERS
from tests.faults.redis_kinds import EVERYSEC, eventually, redis_of


async def waits_for_room(arena: Arena, answer: str) -> None:
    """While Redis refuses writes: the workers say so, no fence of orders moves, baskets are answered all the same."""

    async def all_say_so() -> bool:
        return all(answer in worker.said() for worker in arena.running())

    await eventually(all_say_so)
    before = _orders(arena, await arena.watch.lowest_fences())
    await arena.feed.stop()
    await eventually(lambda: no_lag(arena, BASKETS))
    assert _orders(arena, await arena.watch.lowest_fences()) == before
    assert await arena.group.lag([ORDERS])
    assert len(arena.running()) == 2


async def no_lag(arena: Arena, topic: str) -> bool:
    return not await arena.group.lag([topic])


def _orders(arena: Arena, fences: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    return {tp: fence for tp, fence in fences.items() if tp.topic == arena.prefix + ORDERS}


async def counted_waits(arena: Arena) -> bool:
    """The workers' tallies tell of the batches that waited."""
    return all(", waits " in worker.said() for worker in arena.running())


@pytest.mark.fault(24)
async def test_a_redis_out_of_memory_makes_orders_wait_and_loses_nothing(arena: Arena) -> None:
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    await arena.start(redis=redis, workers=2, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=100)
    await arena.sleep(1.0, 2.0)
    await redis.call("CONFIG", "SET", "maxmemory", "1mb")
    arena.history.note("memory full")
    await waits_for_room(arena, "used memory > 'maxmemory'")
    await redis.call("CONFIG", "SET", "maxmemory", "0")
    await eventually(lambda: counted_waits(arena))
    await arena.prove()


@pytest.mark.fault(25)
async def test_a_redis_with_a_full_disk_makes_orders_wait_and_goes_on_when_there_is_room(
    arena: Arena,
) -> None:
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    await arena.start(redis=redis, workers=2, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=100)
    await arena.sleep(1.0, 2.0)
    redis.limit_files(redis.mark()[1] + arena.dice.randint(0, 20_000))
    arena.history.note("disk full")
    await waits_for_room(arena, "MISCONF")
    redis.limit_files()
    await eventually(lambda: counted_waits(arena))
    await arena.prove()
