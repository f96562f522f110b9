"""The store behind sentinels writes to the primary alone, wherever the primary moves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from stream.errors import StateUnavailable
from stream.tables.connection import open_store
from stream.tables.redis_client import _Sentinels
from stream.tables.redis_store import RedisStore
from stream.tables.store import Command, Store
from tests.redis_servers import PATIENCE_S, POLL_S, RedisNode, SentinelGroup, sentinel_group


@pytest.fixture
async def group() -> AsyncIterator[SentinelGroup]:
    """A primary, one replica that would take writes if somebody made any, three sentinels."""
    async with sentinel_group(lines=["replica-read-only no"]) as made:
        yield made


@pytest.fixture
async def store(group: SentinelGroup) -> AsyncIterator[Store]:
    """The store behind them."""
    made = open_store(group.url, timeout_s=2.0)
    yield made
    await made.close()


async def persist(store: Store, *commands: Command) -> list[Any]:
    """The answers, however long Redis takes to have a primary again; as the workers' shell does it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await store.commands(commands)
            except StateUnavailable:
                await asyncio.sleep(POLL_S)


async def moved(group: SentinelGroup, old: RedisNode) -> RedisNode:
    """The new primary, once the sentinels name it."""
    async with asyncio.timeout(PATIENCE_S):
        while (port := await group.primary_port()) == old.port:
            await asyncio.sleep(POLL_S)
    return next(node for node in group.nodes if node.port == port)


async def test_a_primary_that_died_is_replaced_by_its_replica(group: SentinelGroup, store: Store) -> None:
    await store.commands([("SET", b"count", 1)])
    await group.nodes[0].ask("WAIT", 1, 5_000)

    await group.nodes[0].process.kill()
    answers = await persist(store, ("INCRBY", b"count", 1))

    assert answers == [2]
    assert await group.nodes[1].ask("GET", "count") == "2"


async def test_the_store_leaves_a_primary_that_wakes_up_deposed(
    group: SentinelGroup, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The next look is the next command: a fail-over may be over within the second between two looks.
    monkeypatch.setattr("stream.tables.redis_client.LOOK_AGAIN_S", 0.0)
    old = group.nodes[0]
    await store.commands([("SET", b"count", 1)])
    await old.ask("WAIT", 1, 5_000)
    os.kill(old.process.pid, signal.SIGSTOP)
    try:
        new = await moved(group, old)
    finally:
        os.kill(old.process.pid, signal.SIGCONT)

    answers = await persist(store, ("INCRBY", b"count", 1))

    assert answers == [2]
    assert await new.ask("GET", "count") == "2"


async def test_writing_goes_on_through_a_fail_over_on_request(group: SentinelGroup, store: Store) -> None:
    old, new = group.nodes
    await group.fail_over()

    async def has_taken_over() -> bool:
        try:
            return (await new.info("replication"))["role"] == "master" and await new.ask(
                "EXISTS", "late"
            ) == 1
        except redis.exceptions.ConnectionError:  # a sentinel that promotes a replica throws its clients out
            return False

    async with asyncio.timeout(PATIENCE_S):
        # The old primary takes writes until it is deposed and those are lost: the tables' fences tell.
        while not await has_taken_over():
            await persist(store, ("SET", b"late" if await group.primary_port() != old.port else b"early", 1))

    assert await moved(group, old) == new


async def test_a_replica_is_never_written_to_although_a_sentinel_calls_it_the_primary(
    group: SentinelGroup, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(self: object, service: str) -> tuple[str, int]:
        return "127.0.0.1", group.nodes[1].port

    monkeypatch.setattr(_Sentinels, "discover_master", wrong)

    with pytest.raises(StateUnavailable, match="not the primary"):
        await store.commands([("SET", b"count", 1)])

    assert await group.nodes[1].ask("EXISTS", "count") == 0


async def test_a_connection_that_was_busy_during_a_fail_over_is_not_used_again(
    group: SentinelGroup, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old primary is alive and still calls itself one, as it does until the sentinels tell it otherwise."""
    old, new = group.nodes
    named = [old.port]

    async def primary(self: object, service: str) -> tuple[str, int]:
        return "127.0.0.1", named[0]

    monkeypatch.setattr(_Sentinels, "discover_master", primary)
    # No look comes in between: a connection that is being made hears of the new primary first.
    monkeypatch.setattr("stream.tables.redis_client.LOOK_AGAIN_S", 3_600.0)
    assert isinstance(store, RedisStore)
    pool: Any = store._redis.connection_pool
    busy = await pool.get_connection()
    assert busy.port == old.port

    await new.ask("REPLICAOF", "NO", "ONE")
    named[0] = new.port
    other = await pool.get_connection()
    assert other.port == new.port
    await pool.release(busy)

    again = [await pool.get_connection(), other]
    assert [connection.port for connection in again] == [new.port, new.port]
    for connection in again:
        await pool.release(connection)


class Told:
    """A sentinel that says one thing of the primary."""

    def __init__(self, port: int, epoch: int, flags: str = "master") -> None:
        down = "down" in flags
        self.state = {"ip": "shop", "port": port, "config-epoch": epoch, "flags": flags}
        self.state |= {"is_master": True, "is_sdown": down, "is_odown": down, "num-other-sentinels": 2}

    async def sentinel_master(self, service: str) -> dict[str, Any]:
        return self.state


@pytest.mark.parametrize(
    ("told", "port"),
    [
        ([Told(1, 0), Told(1, 0)], 1),
        ([Told(1, 0), Told(2, 1)], 2),
        ([Told(1, 1, "master,o_down,failover_in_progress"), Told(1, 0)], None),
        ([Told(1, 0, "master,failover_in_progress"), Told(1, 0)], None),
        ([Told(1, 0, "master,failover_in_progress"), Told(2, 1)], 2),
        ([Told(1, 0, "master,s_down")], None),
    ],
)
async def test_a_primary_that_is_being_replaced_is_none(told: list[Told], port: int | None) -> None:
    sentinels: Any = _Sentinels([])  # type: ignore[no-untyped-call]
    sentinels.sentinels = told
    if port is None:
        with pytest.raises(MasterNotFoundError):
            await sentinels.discover_master("shop")
    else:
        assert await sentinels.discover_master("shop") == ("shop", port)


async def test_one_sentinel_is_enough_and_none_is_told(group: SentinelGroup, store: Store) -> None:
    for sentinel in group.sentinels[:2]:
        await sentinel.process.kill()
    assert await store.commands([("SET", b"count", 1)]) == [b"OK"]

    unheard_of = open_store(group.url.replace("/shop/", "/market/"), timeout_s=2.0)
    with pytest.raises(StateUnavailable, match=r"'market'.*No such master"):
        await unheard_of.commands([("GET", b"count")])
    await unheard_of.close()


async def test_without_any_sentinel_the_primary_that_answers_stays(
    group: SentinelGroup, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.tables.redis_client.LOOK_AGAIN_S", 0.0)
    await store.commands([("SET", b"count", 1)])
    for sentinel in group.sentinels:
        await sentinel.process.kill()

    assert await store.commands([("INCRBY", b"count", 1)]) == [2]
