"""Rows 17 and 18: Redis is killed; what it had not synced is lost with the fences that tell of it, and replayed."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.arena import Arena
from tests.faults.redis_kinds import ALWAYS, EVERYSEC, Mark, RedisUnderTest, redis_of

READ_FROM = "is read from offset"


async def fences(arena: Arena) -> dict[str, int]:
    """The lowest fence of each partition, by name."""
    return {
        f"{tp.topic.removeprefix(arena.prefix)}[{tp.partition}]": fence
        for tp, fence in (await arena.watch.lowest_fences()).items()
    }


async def crash(arena: Arena, redis: RedisUnderTest, *, cut: int = 0, behind: Mark | None = None) -> None:
    """kill -9, cut the tail off, start again. `behind` is where the log ended when the workers were ready."""
    await redis.crash()
    lost = redis.cut_tail(cut, behind=behind)
    arena.history.note("Redis killed", cut=lost)
    arena.measured["bytes_lost"] = arena.measured.get("bytes_lost", 0) + lost
    await redis.restart()
    # Partitions are taken again now, and what was answered and is not committed yet is answered once more.
    await arena.note_death()


@pytest.mark.fault(17)
async def test_a_redis_that_syncs_every_write_is_killed_and_no_fence_goes_back(arena: Arena) -> None:
    redis = await arena.use(redis_of(arena.folder, ALWAYS))
    await arena.start(redis=redis, workers=2, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=80)
    for _ in range(2):
        await arena.sleep(0.5, 1.5)
        before = await fences(arena)
        await crash(arena, redis)
        after = await fences(arena)
        assert {name: fence for name, fence in before.items() if after[name] < fence} == {}
    await arena.prove()


@pytest.mark.fault(18)
@pytest.mark.rotation
async def test_a_redis_that_lost_its_tail_is_healed_by_the_workers_that_lived_on(arena: Arena) -> None:
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    await arena.start(redis=redis, workers=2, max_batch=100)
    arena.watch.fences_may_go_back = True
    ready = redis.mark()
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=80)
    for _ in range(3):
        await arena.sleep(0.5, 1.5)
        await crash(arena, redis, cut=arena.dice.randint(1, 256 << 10), behind=ready)
    await arena.prove()
    assert arena.measured["bytes_lost"] > 0


@pytest.mark.fault(18)
async def test_a_tail_lost_while_nothing_comes_is_noticed_and_healed(arena: Arena) -> None:
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    await arena.start(redis=redis, workers=2)
    arena.watch.fences_may_go_back = True
    ready = redis.mark()
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=20)
    await arena.sleep(1.5, 2.5)
    await arena.feed.stop()
    await arena.caught_up()
    before = await fences(arena)

    await crash(arena, redis, cut=arena.dice.randint(8 << 10, 256 << 10), behind=ready)

    async with asyncio.timeout(60):
        while await fences(arena) != before:
            await asyncio.sleep(0.1)
    await arena.prove()


@pytest.mark.fault(18)
async def test_a_redis_that_lost_its_tail_is_healed_by_workers_started_afterwards(arena: Arena) -> None:
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    await arena.start(redis=redis, workers=2, max_batch=100)
    arena.watch.fences_may_go_back = True
    ready = redis.mark()
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=80)
    for _ in range(2):
        await arena.sleep(0.5, 1.5)
        for worker in arena.running():
            await arena.kill(worker)
        await crash(arena, redis, cut=arena.dice.randint(1, 256 << 10), behind=ready)
        started = [await arena.start_worker() for _ in range(2)]
        await asyncio.gather(*(worker.ready() for worker in started))
    await arena.prove()
