"""A customer is erased by whole workers: nothing in Redis, in its rewritten file or in a log holds the id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import redis.asyncio

from stream import topics
from stream.announcements import ErasureProven
from stream.channels import CUSTOMERS, ERASURES, ORDERS, RETURNS
from stream.embedded import Broker, embedded_redis
from stream.events import CustomerErased, CustomerUpdated, OrderLine, OrderPlaced, OrderReturned
from stream.publisher import Outgoing
from stream.tables.dump import dump_rows
from stream.tables.proofs import proof_id
from stream.verification.verify import verify_tables
from tests.e2e.shop import PATIENCE_S, POLL_S, Shop
from tests.services import fresh_topics

NOW = datetime.now(UTC) - timedelta(minutes=10)
GONE, ALIAS, STAYS = "customer-9431-gone", "alias-of-the-gone", "customer-stays"
READ = (topics.ORDER_PLACED, topics.ORDER_RETURNED, topics.CUSTOMER_UPDATED, topics.CUSTOMER_ERASED)


@pytest.fixture(name="shop")
async def _shop(kafka: Broker, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop whose Redis is its own, with an append-only file."""
    folder = tmp_path / "redis"
    folder.mkdir()
    async with embedded_redis(folder=folder) as server:
        shop = Shop(kafka, server.url, await fresh_topics(kafka, partitions=2), tmp_path)
        yield shop
        await shop.stop()


def order(ident: int, customer: str, *skus: str, minutes: float = 0) -> OrderPlaced:
    return OrderPlaced(
        event_id=f"placed-{ident}",
        occurred_at=NOW + timedelta(minutes=minutes),
        channel="web",
        order_id=f"order-{ident}",
        currency="EUR",
        customer_id=customer,
        lines=[OrderLine(sku, 1, 90_00) for sku in skus],
    )


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """What is entered here is closed at the end of the test, however it ends."""
    async with AsyncExitStack() as stack:
        yield stack


async def everything(client: redis.asyncio.Redis) -> bytes:
    """All keys and their serialised values."""
    keys = [key async for key in client.scan_iter(count=1000)]
    found = list(keys)
    for key in keys:
        kind = await client.type(key)
        match kind:
            case b"hash":
                for pair in (await client.hgetall(key)).items():
                    found += pair
            case b"zset":
                found += [member for member, _ in await client.zrange(key, 0, -1, withscores=True)]
            case b"set":
                found += await client.smembers(key)
            case b"string":
                found.append(await client.get(key) or b"")  # a lease may run out between two questions
    return b"\n".join(found)


async def rewritten_file(client: redis.asyncio.Redis, folder: Path) -> bytes:
    """The append-only file after BGREWRITEAOF."""
    await client.bgrewriteaof()
    async with asyncio.timeout(PATIENCE_S):
        while (info := await client.info("persistence"))["aof_rewrite_in_progress"] or info[
            "aof_rewrite_scheduled"
        ]:
            await asyncio.sleep(POLL_S)
    assert info["aof_last_bgrewrite_status"] == "ok"
    files = [path for path in folder.rglob("*") if ".aof" in path.name and path.is_file()]
    assert files
    return b"".join(path.read_bytes() for path in files)


async def test_after_an_erasure_nothing_holds_the_id_and_the_tables_are_as_if_never(
    shop: Shop, closing: AsyncExitStack
) -> None:
    worker = await shop.start_worker()
    orders = [order(n, GONE, "a", "b", "c") for n in range(6)] + [order(9, STAYS, "a", "b")]
    profile = CustomerUpdated(event_id="p", occurred_at=NOW, customer_id=GONE, aliases=[ALIAS])
    back = OrderReturned(
        event_id="r", occurred_at=NOW, channel="web", order_id="order-0", reason="cancelled", lines=[]
    )
    await shop.publish(ORDERS, orders)
    await shop.publish(RETURNS, [back])
    await shop.publish(CUSTOMERS, [profile])
    await shop.caught_up(*READ[:3])
    client = await closing.enter_async_context(redis.asyncio.Redis.from_url(shop.redis_url))
    assert GONE.encode() in await everything(client)
    assert GONE.encode() in await rewritten_file(client, shop.folder / "redis")

    request = CustomerErased(event_id="forget", occurred_at=NOW + timedelta(minutes=5), customer_id=GONE)
    broken = Outgoing(b"somebody else", msgspec.json.encode(request))
    await shop.publish_raw(topics.CUSTOMER_ERASED, [broken])
    await shop.publish(ERASURES, [request])
    await shop.caught_up(topics.CUSTOMER_ERASED)
    # What comes late does not bring the customer back; what is ordered afterwards counts.
    await shop.publish(ORDERS, [order(20, GONE, "a", "c", minutes=4)])
    await shop.publish(CUSTOMERS, [profile])
    await shop.caught_up(*READ)

    for name in (GONE.encode(), ALIAS.encode()):
        assert name not in await everything(client)
        assert name not in await rewritten_file(client, shop.folder / "redis")
    proofs = [
        msgspec.json.decode(r.value, type=ErasureProven) for r in await shop.read_all(topics.ERASURE_PROVEN)
    ]
    assert [(p.proof_id, p.orders, p.pairs) for p in proofs] == [(proof_id(GONE, "forget"), 6, 5 * 3)]
    changes = await shop.read_all(topics.CUSTOMER_TIER_CHANGED)
    assert [record.value for record in changes if record.key == GONE.encode()][-1] is None
    await shop.publish(ORDERS, [order(21, GONE, "a", "c", minutes=6)])
    await shop.caught_up(topics.ORDER_PLACED)

    tables = shop.tables()
    report = await verify_tables(shop.settings, dump_rows(tables))
    await tables.close()
    assert report.equal, report.first
    assert report.agreeing["customer"] == 2
    await worker.end()
    log = worker.log.read_text()
    assert GONE not in log
    assert ALIAS not in log
    assert "erasures 1" in log
