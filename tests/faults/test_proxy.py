"""The link that can be broken: each fault as the two ends see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from stream.embedded.ports import free_ports
from tests.faults.calls import CallsWith
from tests.faults.echo import PATIENCE_S, SILENCE_S, Client, Echo
from tests.faults.link import Direction, end_with_rst
from tests.faults.proxy import Proxy


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
