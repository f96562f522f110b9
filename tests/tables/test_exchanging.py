"""Batches of commands over one connection: every answer belongs to its command, whatever becomes of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from stream.embedded import RedisServer, embedded_redis
from stream.tables.exchanging import AnswersParser
from stream.tables.redis_client import TcpConnection
from stream.tables.redis_store import RedisStore


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    """A Redis of the test's own."""
    async with embedded_redis() as made:
        yield made


@pytest.fixture
async def connection(server: RedisServer) -> AsyncIterator[TcpConnection]:
    """A connection to it."""
    made = TcpConnection(host="127.0.0.1", port=urlsplit(server.url).port, protocol=2, socket_timeout=None)
    yield made
    await made.disconnect()


async def test_errors_stand_where_their_commands_stood(connection: TcpConnection) -> None:
    first, error, last = await connection.exchange([("SET", "k", "v"), ("HGET", "k", "f"), ("GET", "k")])

    assert (first, last) == (b"OK", b"v")
    assert isinstance(error, ResponseError)


async def test_answers_larger_than_one_read_are_read_to_their_end(connection: TcpConnection) -> None:
    values = [bytes([65 + i]) * 200_000 for i in range(8)]
    await connection.exchange([("SET", f"k{i}", value) for i, value in enumerate(values)])

    assert await connection.exchange([("GET", f"k{i}") for i in range(8)]) == values


async def test_a_batch_that_was_given_up_leaves_no_answer_to_the_next_one(connection: TcpConnection) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await connection.exchange([("ECHO", "given up"), ("BLPOP", "nothing", 0)])

    assert not connection.is_connected
    assert await connection.exchange([("ECHO", "next")]) == [b"next"]


async def test_a_connection_that_the_server_ends_in_the_midst_is_made_again_and_the_batch_sent_again(
    server: RedisServer,
) -> None:
    store, other = RedisStore(server.url), RedisStore(server.url)
    waiting = asyncio.create_task(store.commands([("ECHO", "a"), ("BLPOP", "list", 0), ("ECHO", "b")]))
    async with asyncio.timeout(10):
        while not (await other.commands([("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")]))[0]:
            await asyncio.sleep(0.01)
        await other.commands([("RPUSH", "list", "pushed")])
        answers = await waiting
    await store.close()
    await other.close()

    assert answers == [b"a", [b"list", b"pushed"], b"b"]


async def test_a_server_that_says_it_cannot_serve_now_fails_the_batch(connection: TcpConnection) -> None:
    await connection.connect()  # type: ignore[no-untyped-call]
    stream = asyncio.StreamReader()
    stream.feed_data(b"+OK\r\n-LOADING Redis is loading the dataset in memory\r\n")
    parser = AnswersParser(socket_read_size=65_536)
    parser.on_connect(connection)  # type: ignore[no-untyped-call]
    parser._stream = stream

    with pytest.raises(RedisConnectionError, match="loading"):
        await parser.read_answers(2)
