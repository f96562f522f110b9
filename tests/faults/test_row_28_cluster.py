"""Row 28: a Redis Cluster whose slots move and whose primaries die while orders flow."""

from __future__ import annotations

import asyncio

import pytest
from redis.crc import key_slot

from stream.tables.ids import sku_id, tag_of
from tests.faults.arena import Arena
from tests.faults.cluster_faults import fall_behind, lacking, move_a_tag, replaced, taken_over
from tests.redis_cluster import local_cluster
from tests.redis_servers import POLL_S


@pytest.mark.fault(28)
@pytest.mark.rotation
async def test_slots_that_move_while_orders_flow_lose_and_double_nothing(arena: Arena) -> None:
    cluster = await arena.use(local_cluster(node_timeout_ms=10_000))
    await arena.start(redis=cluster.url, workers=2, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=60)
    moves = 0
    while arena.feed.flowing:
        await move_a_tag(arena, cluster, arena.dice.randrange(arena.tables.layout.tags))
        moves += 1
    arena.measured["slots_moved"] = moves
    await arena.prove()
    assert moves > 3


@pytest.mark.fault(28)
async def test_a_move_that_stands_still_holds_up_its_tag_and_nothing_is_counted_meanwhile(
    arena: Arena,
) -> None:
    cluster = await arena.use(local_cluster(node_timeout_ms=10_000))
    await arena.start(redis=cluster.url, workers=1, max_batch=100)
    await arena.publish(arena.log.step(200, 20))
    await arena.caught_up()
    skus = arena.dice.sample(arena.log.skus, 2)
    keys, tag = arena.tables.keys, tag_of(sku_id(skus[0]), arena.tables.layout.tags)
    source = await cluster.owner(keys.fences(tag))
    target = arena.dice.choice([node for node in await cluster.primaries() if node != source])
    slot = key_slot(keys.fences(tag))
    await cluster.begin_move(slot, source, target)
    await source.ask("MIGRATE", "127.0.0.1", target.port, keys.fences(tag), 0, 5_000)

    # One order at least changes counts of this very tag.
    await arena.publish([*arena.log.step(200, 20), arena.log.order(skus=skus)])
    await arena.workers[0].says("TryAgain")
    while await cluster.move_keys(slot, source, target):
        await asyncio.sleep(POLL_S)
    await cluster.end_move(slot, target)

    await arena.prove()


@pytest.mark.fault(28)
async def test_a_primary_that_dies_is_replaced_and_what_its_replica_lacked_is_replayed(arena: Arena) -> None:
    cluster = await arena.use(local_cluster())
    await arena.start(redis=cluster.url, workers=2, max_batch=100)
    arena.watch.fences_may_go_back = True
    arena.feed.returns_share = 0.0
    async with replaced(arena):
        arena.flow(orders=30, baskets=30, every_s=0.05, steps=120)
        await arena.sleep(0.5, 1.5)
        dead = arena.dice.choice(await cluster.primaries())
        await fall_behind(cluster, dead)
        await arena.sleep(0.3, 2.0)
        arena.measured["bytes_lost"] = await lacking(cluster, dead)
        arena.history.note("primary killed", port=dead.port, bytes_lost=arena.measured["bytes_lost"])
        await dead.process.kill()
        await taken_over(cluster, dead)
        await arena.sleep(0.5, 1.5)
        await dead.process.start()
        await arena.prove()
    assert arena.measured["bytes_lost"] > 0
