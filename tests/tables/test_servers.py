"""A Redis that was restarted is noticed before anything more is written, and its torn log is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.errors import StateLost
from stream.tables.redis_store import RedisStore
from stream.tables.servers import Servers
from tests.faults.redis_kinds import ALWAYS, EVERYSEC, NOTHING, RedisUnderTest, redis_of

INCREMENTS = "for _, name in ipairs(KEYS) do redis.call('INCR', name) end"


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisUnderTest]:
    """A Redis that logs every write at once."""
    async with redis_of(tmp_path, ALWAYS) as made:
        yield made


async def rewritten(redis: RedisUnderTest) -> None:
    """Return once it has rewritten its log in this life."""
    async with asyncio.timeout(30):
        while (await redis.call("INFO", "persistence"))["aof_last_rewrite_time_sec"] == -1:
            await asyncio.sleep(0.05)


async def test_after_a_restart_nothing_is_answered_until_the_partitions_are_taken_again(
    redis: RedisUnderTest,
) -> None:
    servers = Servers()
    store = RedisStore(redis.url, servers=servers)
    try:
        await store.commands([("SET", "a", "1")])
        servers.settle()
        await redis.call("CLIENT", "KILL", "TYPE", "normal")
        assert await store.commands([("GET", "a")]) == [b"1"]

        await redis.crash()
        await redis.restart()

        for _ in range(2):
            with pytest.raises(StateLost, match="restarted"):
                await store.commands([("SET", "a", "2")])
        servers.begin_again()
        assert await store.commands([("GET", "a")]) == [b"1"]
    finally:
        await store.close()


async def test_a_script_that_was_torn_off_the_log_stays_undone_after_the_next_crash(
    redis: RedisUnderTest,
) -> None:
    await redis.call("EVAL", INCREMENTS, 3, "a", "b", "fence")
    await redis.crash()
    redis.cut_tail(20)
    await redis.restart()
    assert await redis.call("MGET", "a", "b", "fence") == [None, None, None]

    store = RedisStore(redis.url)
    try:
        await store.commands([("SET", "met", "1")])
        await rewritten(redis)
        await store.commands([("EVAL", INCREMENTS, 2, "c", "d")])
    finally:
        await store.close()
    await redis.crash()
    await redis.restart()

    assert await redis.call("MGET", "a", "b", "fence", "c", "d") == [None, None, None, b"1", b"1"]


@pytest.mark.parametrize("kind", [EVERYSEC, NOTHING], ids=["logged", "not logged"])
async def test_a_server_is_asked_to_rewrite_its_log_once_in_its_life(
    tmp_path: Path, kind: dict[str, str]
) -> None:
    async with redis_of(tmp_path, kind) as redis:
        for _ in range(2):
            store = RedisStore(redis.url)
            await store.commands([("PING",)])
            await store.close()
            if kind is EVERYSEC:
                await rewritten(redis)

        told = (await redis.call("INFO", "commandstats")).get("cmdstat_bgrewriteaof", {"calls": 0})
        assert told["calls"] == (1 if kind is EVERYSEC else 0)
