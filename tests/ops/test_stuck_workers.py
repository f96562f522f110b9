"""Real workers that hang end themselves; one that waits for Redis waits on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from stream.embedded import Broker, RedisServer, embedded_redis
from stream.publisher import Outgoing
from stream.worker import EXIT_STUCK
from tests.e2e.shop import POLL_S, Shop, Worker
from tests.faults.load import ORDERS, Load, now_to_the_second

STUCK_AFTER_S = 3.0
PATIENCE_S = 180.0
HANGING = "tests.ops.hanging_worker"

MakeTopics = Callable[..., Awaitable[str]]


@pytest.fixture
async def shop(
    kafka: Broker, redis_url: str, make_shop_topics: MakeTopics, tmp_path: Path
) -> AsyncIterator[Shop]:
    made = Shop(kafka, redis_url, await make_shop_topics(partitions=1), tmp_path)
    yield made
    await made.stop()


@pytest.fixture
async def own_redis() -> AsyncIterator[RedisServer]:
    async with embedded_redis() as server:
        yield server


@pytest.fixture
async def waiting_shop(
    kafka: Broker, own_redis: RedisServer, make_shop_topics: MakeTopics, tmp_path: Path
) -> AsyncIterator[Shop]:
    made = Shop(kafka, own_redis.url, await make_shop_topics(partitions=1), tmp_path)
    yield made
    await made.stop()


async def place_orders(shop: Shop, count: int) -> None:
    load = Load(random.Random(7), now_to_the_second())
    orders = [load.order() for _ in range(count)]
    await shop.publish_raw(ORDERS, [Outgoing(order.key, order.value) for order in orders])


async def ends_by_itself(worker: Worker) -> int:
    async with asyncio.timeout(PATIENCE_S):
        return await worker.process.wait()


async def says(worker: Worker, text: str, times: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while worker.log.read_text().count(text) < times:
            assert worker.process.returncode is None, worker.log.read_text()
            await asyncio.sleep(POLL_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hang", "told"),
    [
        ("await", "order-placed[0] made no progress for 3 s: a batch it was given is not finished"),
        ("fetch", "order-placed[0] made no progress for 3 s: its log goes on to 20, nothing behind 0 came"),
        ("block", "The event loop did not answer for 3 s: the worker ends"),
    ],
)
async def test_a_worker_that_hangs_says_where_and_ends(shop: Shop, hang: str, told: str) -> None:
    worker = await shop.start_worker(program=HANGING, hang=hang, stuck_after_s=str(STUCK_AFTER_S))
    await worker.ready()

    await place_orders(shop, 20)

    assert await ends_by_itself(worker) == EXIT_STUCK
    assert told in worker.log.read_text()
    healthy = await shop.start_worker()
    await healthy.ready()
    await shop.caught_up(ORDERS)


@pytest.mark.slow
async def test_a_worker_that_waits_for_redis_says_so_and_waits_on(
    waiting_shop: Shop, own_redis: RedisServer
) -> None:
    worker = await waiting_shop.start_worker(stuck_after_s="20")
    await worker.ready()

    await own_redis.process.kill()
    await place_orders(waiting_shop, 20)
    # The waits grow to five seconds each; when the fifth of those begins, twenty-six are over.
    await says(worker, "waits 5.00 s: Redis at", times=5)

    await own_redis.process.start()
    await waiting_shop.caught_up(ORDERS)
    assert worker.process.returncode is None
