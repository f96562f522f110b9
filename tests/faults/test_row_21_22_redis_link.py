"""Rows 21 and 22: replies of Redis get lost, or come late."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from tests.faults.arena import Arena
from tests.faults.proxy import Proxy
from tests.faults.redis_kinds import EVERYSEC, RedisUnderTest, redis_of

HOGS = 4
"""Busy processes beside Redis on its one core."""


async def behind_a_proxy(arena: Arena, **settings: object) -> tuple[RedisUnderTest, Proxy]:
    """An arena whose workers reach Redis through a proxy."""
    redis = await arena.use(redis_of(arena.folder, EVERYSEC, enable_debug_command="local"))
    proxy = Proxy(redis.port)
    proxy.start()
    arena.closing(proxy.close)
    await arena.start(redis=redis, redis_url=f"redis://127.0.0.1:{proxy.port}/0", workers=2, **settings)
    return redis, proxy


@pytest.mark.fault(21)
@pytest.mark.rotation
async def test_a_write_whose_reply_was_lost_counts_once(arena: Arena) -> None:
    _, proxy = await behind_a_proxy(arena, max_batch=50)
    arena.flow(orders=20, baskets=20, every_s=0.02, steps=60)
    proxy.lose_replies(times=None, every=100 if arena.round_number % 2 else 10)
    async with asyncio.timeout(60):
        while proxy.lost_replies < 10 and arena.feed.flowing:
            await asyncio.sleep(0.05)
    await arena.feed.stop()
    await arena.caught_up()
    proxy.heal()
    await arena.prove()
    arena.measured["lost_replies"] = proxy.lost_replies
    assert proxy.lost_replies > 0


@pytest.mark.fault(22)
@pytest.mark.parametrize("delay_ms", [50, 500])
async def test_a_slow_redis_is_waited_for_and_counts_once(arena: Arena, delay_ms: int) -> None:
    _, proxy = await behind_a_proxy(arena, max_batch=100)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=40)
    await arena.sleep(0.5, 1.0)
    proxy.slow(delay_s=delay_ms / 2_000)
    await arena.sleep(4.0, 6.0)
    proxy.heal()
    await arena.prove()


@pytest.mark.fault(22)
async def test_a_redis_that_stands_still_longer_than_a_call_may_take_doubles_nothing(arena: Arena) -> None:
    redis, _ = await behind_a_proxy(arena, max_batch=100)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=60)
    await arena.sleep(0.5, 1.0)
    await redis.call("DEBUG", "SLEEP", 10)
    arena.history.note("Redis slept 10 s")
    waited = sum("did not answer in" in worker.said() for worker in arena.running())
    assert waited > 0
    await arena.prove()


@pytest.mark.fault(22)
async def test_a_redis_that_shares_its_core_with_hogs_is_waited_for_and_counts_once(arena: Arena) -> None:
    redis, _ = await behind_a_proxy(arena, max_batch=100)
    arena.flow(orders=20, baskets=20, every_s=0.05, steps=120)
    await arena.sleep(0.5, 1.0)
    cores = os.sched_getaffinity(redis.process.pid)
    core = arena.dice.choice(sorted(cores))
    os.sched_setaffinity(redis.process.pid, {core})
    hogs = [hog(arena, core) for _ in range(HOGS)]
    arena.history.note("hogs", core=core, count=HOGS)
    await arena.sleep(4.0, 6.0)
    assert [one.poll() for one in hogs] == [None] * HOGS
    for one in hogs:
        end(one)
    os.sched_setaffinity(redis.process.pid, cores)
    await arena.prove(duplicates=0)


def hog(arena: Arena, core: int) -> subprocess.Popen[bytes]:
    """A process that does nothing, on this core, with all of its share; it ends with the round at the latest."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    arena.closing(lambda: end(process))
    os.sched_setaffinity(process.pid, {core})
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill it, and leave nothing of it behind."""
    process.kill()
    process.wait()
