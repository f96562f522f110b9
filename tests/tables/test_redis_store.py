"""What the store on one server makes of a Redis that refuses, forgets or is not what it should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from stream.embedded import RedisServer, embedded_redis
from stream.errors import OperatorError, StateUnavailable
from stream.tables.connection import open_store
from stream.tables.redis_store import RedisStore
from stream.tables.scripts import translated
from stream.tables.store import Script, Store
from tests.redis_servers import ask


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    """A Redis that a test may spoil."""
    async with embedded_redis() as made:
        yield made


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[Store]:
    """The store on it."""
    made = open_store(server.url)
    yield made
    await made.close()


def put(value: bytes = b"1") -> Script:
    """A script that writes."""
    payload = b"\0\1" + len(value).to_bytes(4, "big") + b"k" + bytes(12) + value
    return Script("put_latest", [b"bs:v1:{t000}:products"], [payload])


async def spoil(server: RedisServer, *command: str) -> None:
    """Run a command of the operator."""
    await ask(int(server.url.rsplit(":", 1)[1].split("/")[0]), *command)


async def test_a_full_redis_means_wait_for_commands_and_scripts_alike(
    server: RedisServer, store: Store
) -> None:
    await store.scripts([put()])
    await spoil(server, "CONFIG", "SET", "maxmemory", "1")

    with pytest.raises(StateUnavailable, match="OutOfMemory"):
        await store.commands([("SET", b"bs:v1:{t000}:x", 1)])
    with pytest.raises(StateUnavailable, match=r"OutOfMemory|OOM"):
        await store.scripts([put()])

    await spoil(server, "CONFIG", "SET", "maxmemory", "0")
    assert await store.scripts([put(b"2")]) == [[b"1"]]


async def test_a_redis_that_became_a_replica_means_wait(server: RedisServer, store: Store) -> None:
    await store.scripts([put()])
    await spoil(server, "REPLICAOF", "127.0.0.1", "1")

    with pytest.raises(StateUnavailable, match="ReadOnly"):
        await store.commands([("SET", b"bs:v1:{t000}:x", 1)])
    with pytest.raises(StateUnavailable, match=r"ReadOnly|READONLY"):
        await store.scripts([put()])


async def test_scripts_that_redis_forgot_are_sent_again_and_only_those(
    server: RedisServer, store: Store
) -> None:
    await store.scripts([put()])
    await spoil(server, "SCRIPT", "FLUSH")

    answers = await store.scripts(
        [put(b"2"), Script("move_fence", [b"bs:v1:{t000}:fences"], ["o/0", 0, 7, 1, -1])]
    )

    assert answers == [[b"1"], [0, 7]]


async def test_more_calls_than_connections_wait_for_one(server: RedisServer) -> None:
    store = RedisStore(server.url, max_connections=2)
    keys = [b"bs:v1:{t%03d}:count" % number for number in range(40)]

    await asyncio.gather(*(store.commands([("SET", key, i)]) for i, key in enumerate(keys)))
    answers = await asyncio.gather(*(store.commands([("GET", key)]) for key in keys))
    await store.close()

    assert answers == [[str(i).encode()] for i in range(40)]


async def test_a_command_that_is_wrong_is_for_the_operator(store: Store) -> None:
    await store.commands([("SET", b"bs:v1:{t000}:x", 1)])

    with pytest.raises(OperatorError, match="WRONGTYPE"):
        await store.commands([("HGET", b"bs:v1:{t000}:x", b"f")])


@pytest.mark.parametrize("code", ["OOM", "MISCONF", "READONLY", "NOREPLICAS", "BUSY"])
def test_an_error_inside_a_script_of_an_older_redis_means_the_same(code: str) -> None:
    text = f"Error running script (call to f_ab): @user_script:7: -{code} not now"

    assert isinstance(translated(ResponseError(text, status_code="ERR"), "there"), StateUnavailable)
