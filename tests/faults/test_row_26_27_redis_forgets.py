"""Rows 26 and 27: Redis forgets the scripts, or has no connection left and cuts those there are."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.arena import Arena
from tests.faults.redis_kinds import EVERYSEC, RedisUnderTest, redis_of

MOST_STEPS = 10


async def texts_sent(redis: RedisUnderTest) -> int:
    """How often a script was sent with its text."""
    return int((await redis.call("INFO", "commandstats")).get("cmdstat_eval", {"calls": 0})["calls"])


@pytest.mark.fault(26)
async def test_scripts_that_redis_forgot_are_loaded_once_and_nothing_is_lost(arena: Arena) -> None:
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    # Without the fitter, whose scripts come at moments of its own.
    await arena.start(redis=redis, workers=2, max_batch=50, fit_weights="false")
    arena.flow(orders=20, baskets=20, every_s=0.02, steps=60)
    flushes = 0
    while arena.feed.flowing and flushes < 5:
        await arena.sleep(0.2, 0.5)
        await redis.call("SCRIPT", "FLUSH", arena.dice.choice(["SYNC", "ASYNC"]))
        await redis.call("FUNCTION", "FLUSH")
        flushes += 1
    await arena.feed.stop()
    # Whatever this load needs is there again after it was needed once, which for some scripts is every few seconds.
    before, sent, steps = 0, await texts_sent(redis), 0
    assert sent > 0
    while sent != before and steps < MOST_STEPS:
        await arena.publish(arena.log.step(orders=100, baskets=100))
        await arena.caught_up()
        before, sent, steps = sent, await texts_sent(redis), steps + 1
    assert sent == before
    await arena.prove()
    arena.measured["script_texts_sent"] = sent


@pytest.mark.fault(27)
async def test_a_redis_without_connections_that_cuts_those_there_are_loses_and_doubles_nothing(
    arena: Arena,
) -> None:
    redis = await arena.use(redis_of(arena.folder, EVERYSEC))
    await arena.start(redis=redis, workers=2, max_batch=50)
    arena.flow(orders=20, baskets=20, every_s=0.05, steps=60)
    await arena.sleep(0.5, 1.0)
    async with redis.client() as ours:
        await ours.execute_command("CONFIG", "SET", "maxclients", 10)
        for _ in range(20):
            await arena.sleep(0.1, 0.4)
            await ours.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await ours.execute_command("CONFIG", "SET", "maxclients", 10_000)
    await arena.prove()
    async with asyncio.timeout(30):
        assert int((await redis.call("INFO", "clients"))["connected_clients"]) < 60
