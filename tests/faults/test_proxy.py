"""The link that can be broken: each fault as the two ends see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream.embedded.ports import free_ports
from tests.faults.calls import CallsWith, KafkaCalls
from tests.faults.link import Direction, end_with_rst
from tests.faults.proxy import Proxy

PATIENCE_S = 10.0
SILENCE_S = 0.3
"""So long nothing must come. A link that leaks within it fails the test; a slow machine cannot."""


class Echo:
    """A server that answers every line with itself in capitals, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.ends: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.heard += data
                writer.write(data.upper())
                await writer.drain()
            self.ends.append("in good order")
        except OSError:
            self.ends.append("reset")
        finally:
            writer.close()

    async def has_heard(self, what: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while what not in self.heard:
                await asyncio.sleep(0.005)

    async def has_ended(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            while not self.ends:
                await asyncio.sleep(0.005)
        return self.ends[-1]


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port) as made:
        yield made


class Client:
    """Our end of a connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def through(cls, proxy: Proxy) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    def say(self, what: bytes) -> None:
        self.writer.write(what)

    async def hears(self, what: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            assert await self.reader.readexactly(len(what)) == what

    async def hears_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                await self.reader.read(1)

    async def is_reset(self) -> None:
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(PATIENCE_S):
                await self.reader.read(1)

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    made = await Client.through(proxy)
    yield made
    made.close()


async def test_what_is_said_passes_both_ways_and_is_counted(proxy: Proxy, client: Client) -> None:
    big = b"a" * 1_000_000

    client.say(big)

    await client.hears(big.upper())
    async with asyncio.timeout(PATIENCE_S):  # the last bytes are heard before they are counted
        while proxy.bytes_passed != {Direction.REQUESTS: 1_000_000, Direction.REPLIES: 1_000_000}:
            await asyncio.sleep(0.005)
    assert proxy.connections == 1


async def test_an_end_in_good_order_is_passed_on_behind_the_last_byte(echo: Echo, client: Client) -> None:
    client.say(b"last words")
    client.writer.write_eof()

    await client.hears(b"LAST WORDS")
    assert await client.reader.read() == b""
    assert (echo.heard, await echo.has_ended()) == (b"last words", "in good order")


async def test_a_reset_reaches_both_ends_and_the_next_connection_works(
    echo: Echo, proxy: Proxy, client: Client
) -> None:
    client.say(b"a")
    await client.hears(b"A")

    proxy.reset()

    await client.is_reset()
    assert await echo.has_ended() == "reset"
    again = await Client.through(proxy)
    again.say(b"b")
    await again.hears(b"B")
    again.close()


async def test_refused_means_refused_until_healed_and_old_connections_go_on(
    proxy: Proxy, client: Client
) -> None:
    client.say(b"a")
    await client.hears(b"A")
    proxy.refuse()

    with pytest.raises(ConnectionRefusedError):
        await Client.through(proxy)
    client.say(b"b")
    await client.hears(b"B")

    proxy.heal()
    late = await Client.through(proxy)
    late.say(b"c")
    await late.hears(b"C")
    late.close()


async def test_a_black_hole_tells_nobody_and_gives_everything_back_when_healed(
    echo: Echo, proxy: Proxy, client: Client
) -> None:
    proxy.blackhole()
    client.say(b"first ")
    await client.hears_nothing()
    client.say(b"second")
    assert echo.heard == b""

    proxy.heal()

    await client.hears(b"FIRST SECOND")


async def test_an_end_inside_a_black_hole_is_heard_only_when_it_heals(
    echo: Echo, proxy: Proxy, client: Client
) -> None:
    client.say(b"a")
    await client.hears(b"A")
    proxy.blackhole()

    end_with_rst(client.writer)
    await asyncio.sleep(SILENCE_S)
    assert echo.ends == []

    proxy.heal()
    assert await echo.has_ended() == "reset"


async def test_half_open_requests_arrive_and_replies_wait(echo: Echo, proxy: Proxy, client: Client) -> None:
    proxy.hold(Direction.REPLIES)
    client.say(b"a")

    await echo.has_heard(b"a")
    await client.hears_nothing()

    proxy.heal()
    await client.hears(b"A")


async def test_half_open_the_other_way_replies_to_what_was_asked_before_arrive(
    echo: Echo, proxy: Proxy, client: Client
) -> None:
    client.say(b"before")
    await client.hears(b"BEFORE")

    proxy.hold(Direction.REQUESTS)
    client.say(b"after")
    await client.hears_nothing()
    assert echo.heard == b"before"


async def test_a_slow_link_delays_each_way_and_carries_no_more_than_its_rate(
    proxy: Proxy, client: Client
) -> None:
    proxy.slow(delay_s=0.1)
    begun = time.monotonic()
    client.say(b"a")
    await client.hears(b"A")
    assert time.monotonic() - begun >= 0.2

    proxy.slow(bytes_per_s=10_000)
    begun = time.monotonic()
    client.say(b"b" * 5_000)
    await client.hears(b"B" * 5_000)
    assert time.monotonic() - begun >= 0.5


async def test_the_reply_is_lost_once_and_the_request_was_heard(
    echo: Echo, proxy: Proxy, client: Client
) -> None:
    proxy.lose_replies()
    client.say(b"a")

    await client.is_reset()
    assert (echo.heard, proxy.lost_replies) == (b"a", 1)

    again = await Client.through(proxy)
    again.say(b"b")
    await again.hears(b"B")
    again.close()


async def test_every_third_reply_is_lost_until_healed(echo: Echo, proxy: Proxy) -> None:
    proxy.lose_replies(times=None, every=3)
    answered = 0
    for _ in range(9):
        client = await Client.through(proxy)
        client.say(b"a")
        with suppress(ConnectionResetError):
            answered += len(await client.reader.read(1))
        client.close()

    assert (answered, proxy.lost_replies, echo.heard) == (6, 3, b"a" * 9)

    proxy.heal()
    client = await Client.through(proxy)
    client.say(b"b")
    await client.hears(b"B")
    client.close()


async def test_a_target_that_does_not_listen_looks_like_a_reset() -> None:
    with Proxy(free_ports(1)[0]) as proxy:
        try:
            client = await Client.through(proxy)
        except ConnectionResetError:
            return  # it came before the connection was seen to stand
        await client.is_reset()
        client.close()


async def test_only_the_calls_of_interest_lose_their_reply(echo: Echo) -> None:
    with Proxy(echo.port, calls=lambda: CallsWith(b"evalsha")) as proxy:
        proxy.lose_replies()
        client = await Client.through(proxy)
        client.say(b"get")
        await client.hears(b"GET")
        client.say(b"eval")
        await client.hears(b"EVAL")  # the word comes in two parts
        client.say(b"sha")
        await client.is_reset()
        client.close()

    assert echo.heard == b"getevalsha"


def test_redis_counts_an_increment_whose_reply_was_lost(redis_url: str) -> None:
    with (
        redis.Redis.from_url(redis_url) as direct,
        Proxy(
            int(direct.connection_pool.connection_kwargs["port"]), calls=lambda: CallsWith(b"INCR")
        ) as proxy,
        redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0)) as through,
    ):
        proxy.lose_replies()

        with pytest.raises(redis.ConnectionError):
            through.incr("n")

        assert (direct.get("n"), proxy.lost_replies) == (b"1", 1)
        assert through.incr("n") == 2


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_kafka_frames_are_told_apart_however_they_are_cut(size: int) -> None:
    def number(n: int) -> bytes:
        return n.to_bytes(4, "big")

    fetch, produce = b"\0\1\0\1", b"\0\0\0\1"
    asked = frame(fetch + number(1) + b"x" * 50) + frame(produce + number(2) + b"y" * 70)
    asked += frame(produce + number(3))
    said = frame(number(1) + b"z" * 30) + frame(number(2)) + frame(number(3) + b"w")
    calls = KafkaCalls()

    for at in range(0, len(asked), size):
        calls.requested(asked[at : at + size])
    begun = [calls.replied(said[at : at + size]) for at in range(0, len(said), size)]

    assert sum(begun) == 2
