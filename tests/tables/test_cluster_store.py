"""The store on a Redis Cluster: calls find their slot, also while it moves and when its primary dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import ResponseError

from stream.errors import OperatorError, StateLost, StateUnavailable
from stream.tables.cluster_store import ClusterStore
from stream.tables.connection import open_store
from stream.tables.keys import Keys
from stream.tables.redis_url import read_redis_url
from stream.tables.servers import Servers
from stream.tables.store import Script, Store
from tests.redis_cluster import LocalCluster, local_cluster
from tests.redis_servers import PATIENCE_S, POLL_S, RedisNode

KEYS = Keys("bs")
TAGS = 64


@pytest.fixture
async def store(redis_cluster: LocalCluster) -> AsyncIterator[Store]:
    """The store on the session's cluster, emptied."""
    await redis_cluster.forget_everything()
    made = open_store(redis_cluster.url)
    yield made
    await made.close()


async def source_and_target(cluster: LocalCluster, key: bytes) -> tuple[RedisNode, RedisNode]:
    """The node that has a key's slot, and another primary."""
    source = await cluster.owner(key)
    return source, next(node for node in await cluster.primaries() if node != source)


def move_fence(tag: int, offset: int) -> Script:
    """A script of one key."""
    return Script("move_fence", [KEYS.fences(tag)], ["orders/0", 0, offset, 7, -1])


async def test_calls_to_all_tags_go_to_three_nodes_and_their_answers_come_back_in_order(
    redis_cluster: LocalCluster, store: Store
) -> None:
    await store.commands([("HSET", KEYS.skus(tag), b"f", tag) for tag in range(TAGS)])
    answers = await store.commands([("HGET", KEYS.skus(tag), b"f") for tag in reversed(range(TAGS))])

    sizes = [await node.ask("DBSIZE") for node in await redis_cluster.primaries()]
    assert answers == [str(tag).encode() for tag in reversed(range(TAGS))]
    assert len(sizes) == 3
    assert sum(sizes) == TAGS
    assert min(sizes) > 0


async def test_a_slot_that_was_moved_is_found_again(redis_cluster: LocalCluster, store: Store) -> None:
    key = KEYS.skus(0)
    await store.commands([("HSET", key, b"f", 1)])
    source, target = await source_and_target(redis_cluster, key)

    await redis_cluster.move(key_slot(key), source, target)

    assert await store.commands([("HINCRBY", key, b"f", 1)]) == [2]
    assert await target.ask("HGET", key, "f") == "2"


async def test_while_a_slot_is_under_way_each_key_is_asked_for_where_it_is(
    redis_cluster: LocalCluster, store: Store
) -> None:
    moved, stays, new = KEYS.skus(1), KEYS.order_counts(1), KEYS.claims(1)
    await store.commands([("HSET", moved, b"f", 1), ("HSET", stays, b"f", 2)])
    source, target = await source_and_target(redis_cluster, moved)
    slot = key_slot(moved)
    await redis_cluster.begin_move(slot, source, target)
    try:
        await source.ask("MIGRATE", "127.0.0.1", target.port, moved, 0, 5_000)

        commands = [("HSET", new, b"f", 3), ("HGET", moved, b"f"), ("HGET", stays, b"f"), ("HGET", new, b"f")]
        assert await store.commands(commands) == [1, b"1", b"2", b"3"]
        assert await source.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 1
        assert await target.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 2
    finally:
        await redis_cluster.move_keys(slot, source, target)
        await redis_cluster.end_move(slot, target)


async def test_a_script_whose_keys_are_split_by_a_move_waits_and_does_nothing(
    redis_cluster: LocalCluster, store: Store
) -> None:
    products, version = KEYS.products(2), KEYS.catalogue_version(2)
    put = Script("put_latest", [products, version], [b"\0\1\0\0\0\1k" + bytes(12) + b"v"])
    await store.scripts([put])
    source, target = await source_and_target(redis_cluster, products)
    await redis_cluster.begin_move(key_slot(products), source, target)
    try:
        await source.ask("MIGRATE", "127.0.0.1", target.port, products, 0, 5_000)
        with pytest.raises(StateUnavailable, match="TryAgain"):
            await store.scripts([put])
    finally:
        await redis_cluster.move_keys(key_slot(products), source, target)
        await redis_cluster.end_move(key_slot(products), target)

    assert await store.commands([("GET", version)]) == [b"1"]
    assert await store.scripts([put]) == [[b"v"]]


async def test_a_node_that_forgot_the_scripts_is_sent_their_text(
    redis_cluster: LocalCluster, store: Store
) -> None:
    await store.scripts([move_fence(tag, 1) for tag in range(TAGS)])
    for node in (await redis_cluster.primaries())[:2]:
        await node.ask("SCRIPT", "FLUSH")

    answers = await store.scripts([move_fence(tag, 2) for tag in range(TAGS)])

    assert answers == [[0, 2]] * TAGS


async def test_a_scan_answers_with_the_keys_of_all_nodes_or_not_at_all(
    redis_cluster: LocalCluster, store: Store
) -> None:
    keys = sorted(KEYS.skus(tag) for tag in range(TAGS))
    await store.commands([("HSET", key, b"f", 1) for key in keys])
    await store.commands([("HSET", Keys("other").skus(0), b"f", 1)])
    scan = ("SCAN", 0, "MATCH", KEYS.everything(), "COUNT", 10)

    assert await store.commands([scan]) == [[b"0", keys]]

    source, target = await source_and_target(redis_cluster, keys[0])
    await redis_cluster.begin_move(key_slot(keys[0]), source, target)
    try:
        with pytest.raises(StateUnavailable, match="moving a slot"):
            await store.commands([scan])
    finally:
        await redis_cluster.move_keys(key_slot(keys[0]), source, target)
        await redis_cluster.end_move(key_slot(keys[0]), target)


async def test_calls_that_are_cancelled_leave_no_answer_to_the_next(store: Store) -> None:
    await store.commands([("HSET", KEYS.skus(tag), b"f", tag) for tag in range(TAGS)])

    for steps in range(60):
        cancelled = asyncio.create_task(
            store.commands([("HGET", KEYS.skus(tag), b"f") for tag in range(TAGS)])
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        tag = steps % TAGS
        assert await store.commands([("HGET", KEYS.skus(tag), b"f")]) == [str(tag).encode()]


async def test_more_calls_than_connections_wait_for_one(redis_cluster: LocalCluster) -> None:
    await redis_cluster.forget_everything()
    store = ClusterStore(read_redis_url(redis_cluster.url), max_connections=2)

    await asyncio.gather(*(store.scripts([move_fence(tag, tag) for tag in range(TAGS)]) for _ in range(20)))
    answers = await asyncio.gather(*(store.commands([("HGETALL", KEYS.fences(t))]) for t in range(TAGS)))
    await store.close()

    assert [answer[0][1] for answer in answers] == [f"{tag}:7".encode() for tag in range(TAGS)]


async def test_a_replica_takes_over_from_a_primary_that_died() -> None:
    async with local_cluster() as cluster:
        store = open_store(cluster.url, timeout_s=2.0)
        await store.scripts([move_fence(tag, 1) for tag in range(TAGS)])
        dead = await cluster.owner(KEYS.fences(0))
        await dead.ask("WAIT", 1, 5_000)

        await dead.process.kill()
        answers: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while not answers:
                try:
                    answers = await store.scripts([move_fence(tag, 2) for tag in range(TAGS)])
                except StateUnavailable:
                    await asyncio.sleep(POLL_S)
        await store.close()

    # Some had been carried out before the call was given up; none was carried out twice.
    assert {tuple(answer) for answer in answers} <= {(0, 2), (1, 2)}


async def change_places(replica: RedisNode) -> None:
    """The replica takes over from its primary, which becomes its replica."""
    async with asyncio.timeout(2 * PATIENCE_S):
        while (await replica.info("replication"))["role"] != "master":
            # On a busy machine the others may not vote in time, or it is the primary already.
            with suppress(TimeoutError, ResponseError):
                await replica.ask("CLUSTER", "FAILOVER")
                await became_primary(replica)


async def became_primary(replica: RedisNode) -> None:
    """Return once it is; raises TimeoutError after the time a fail-over on request may take."""
    async with asyncio.timeout(6):
        while (await replica.info("replication"))["role"] != "master":
            await asyncio.sleep(POLL_S)


async def noticed(store: Store) -> None:
    """Return once the store says that a server answers for some tag that was not met before."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await store.commands([("HLEN", KEYS.fences(tag)) for tag in range(TAGS)])
            except StateUnavailable:
                await asyncio.sleep(POLL_S)
            except StateLost:
                return


async def test_every_server_that_takes_over_is_noticed_also_one_that_was_asked_or_primary_before() -> None:
    async with local_cluster() as cluster:
        servers = Servers()
        primary = (await cluster.primaries())[0]
        replica = (await cluster.replicas(primary))[0]
        # The replica is asked for the map first.
        store = open_store(f"redis+cluster://127.0.0.1:{replica.port}", timeout_s=2.0, servers=servers)
        for newcomer, other in ((replica, primary), (primary, replica)):
            await store.commands([("HLEN", KEYS.fences(tag)) for tag in range(TAGS)])
            servers.settle()
            await store.commands([("HLEN", KEYS.fences(tag)) for tag in range(TAGS)])

            await change_places(newcomer)
            await noticed(store)

            servers.begin_again()
            await cluster.settled()
            assert other in await cluster.replicas(newcomer)
        await store.close()


async def test_a_single_server_is_no_cluster_and_a_node_of_one_no_single_server(
    redis_url: str, redis_cluster: LocalCluster
) -> None:
    wrong = open_store(redis_url.replace("redis://", "redis+cluster://"))
    with pytest.raises(OperatorError, match="no node of a Redis Cluster"):
        await wrong.commands([("HGET", KEYS.skus(0), b"f")])
    await wrong.close()

    node = open_store(redis_cluster.nodes[0].url)
    with pytest.raises(OperatorError) as error:
        await node.commands([("HGET", KEYS.skus(tag), b"f") for tag in range(TAGS)])
    await node.close()
    assert "redis+cluster://" in error.value.remedy


async def test_nobody_there_is_said_with_every_address_that_was_tried() -> None:
    store = open_store("redis+cluster://127.0.0.1:1,127.0.0.1:2", timeout_s=2.0)

    with pytest.raises(StateUnavailable, match=r"127.0.0.1:1: .*127.0.0.1:2: "):
        await store.commands([("HGET", KEYS.skus(0), b"f")])
    await store.close()
