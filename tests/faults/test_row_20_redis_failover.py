"""Row 20: a replica that lacks acknowledged writes becomes the primary, and what it lacks is replayed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

import pytest
import redis.asyncio
from redis.exceptions import RedisError

from tests.faults.arena import Arena
from tests.faults.proxy import Proxy
from tests.faults.redis_kinds import eventually
from tests.redis_servers import PATIENCE_S, POLL_S, RedisNode, SentinelGroup, sentinel_group


async def cut_off(replica: RedisNode) -> None:
    """Have the replica lose its primary: it gives a password that nobody knows. It stays a candidate for a while."""
    await replica.ask("CONFIG", "SET", "masteruser", "nobody", "masterauth", "nothing")
    await replica.ask("CLIENT", "KILL", "TYPE", "master")


async def promoted(group: SentinelGroup, replica: RedisNode) -> None:
    """Return once the sentinels name the replica and it takes writes."""

    async def done() -> bool:
        named = await group.primary_port() == replica.port
        return named and (await replica.info("replication"))["role"] == "master"

    await eventually(done)


async def fail_over(group: SentinelGroup, *, killed: bool) -> None:
    """Make the replica the primary; the old one dies, or lives on and is told to follow."""
    old, replica = group.nodes
    if killed:
        await old.process.kill()
    else:
        await group.fail_over()
    await promoted(group, replica)
    if killed:
        await old.process.start()


def lacking(dice: random.Random) -> float:
    """Seconds in which writes are acknowledged that the replica does not get."""
    return dice.uniform(0.5, 1.5)


@pytest.mark.fault(20)
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "alive"])
async def test_writes_that_a_failover_lost_after_they_were_acknowledged_are_replayed(
    arena: Arena, killed: bool
) -> None:
    group = await arena.use(sentinel_group())
    old, replica = group.nodes
    await arena.start(redis=group.url, workers=2, max_batch=100)
    arena.watch.fences_may_go_back = True
    arena.feed.returns_share = 0.0
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=100)
    await arena.sleep(0.5, 1.5)

    await cut_off(replica)
    behind = int((await replica.info("replication"))["master_repl_offset"])
    await asyncio.sleep(lacking(arena.dice))
    written = int((await old.info("replication"))["master_repl_offset"])
    arena.history.note("failing over", lost=written - behind, killed=killed)
    assert written > behind
    await fail_over(group, killed=killed)

    arena.measured["bytes_lost"] = written - behind
    await arena.prove()


@pytest.mark.fault(20)
async def test_a_primary_that_needs_a_replica_stops_writes_and_a_failover_loses_none(arena: Arena) -> None:
    """None but what was on its way to the replica when the link broke: Redis acknowledges before it has sent it on."""
    needs = ["min-replicas-to-write 1", "min-replicas-max-lag 2", "repl-ping-replica-period 1"]
    group = await arena.use(sentinel_group(lines=needs))
    _, replica = group.nodes
    await arena.start(redis=group.url, workers=2, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=60)
    await arena.sleep(0.5, 1.5)

    await cut_off(replica)
    await eventually(lambda: waits_for_replicas(arena))
    lost = await fences_at(arena, group.nodes[0]) != await fences_at(arena, replica)
    arena.watch.fences_may_go_back = lost
    arena.measured["lost_on_its_way"] = int(lost)
    before = await arena.watch.lowest_fences()
    await fail_over(group, killed=True)

    await arena.prove()
    after = await arena.watch.lowest_fences()
    assert {tp: fence for tp, fence in before.items() if after[tp] < fence} == {}


async def fences_at(arena: Arena, node: RedisNode) -> list[object]:
    """The fences of every tag as one node has them, with nobody writing; quickly, for its replica is soon too old."""
    keys = arena.tables.keys
    async with redis.asyncio.Redis.from_url(node.url) as client:
        asked = client.pipeline(transaction=False)
        for tag in range(arena.tables.layout.tags):
            asked.hgetall(keys.fences(tag))
        return list(await asked.execute())


async def waits_for_replicas(arena: Arena) -> bool:
    return all("good replicas" in worker.said() for worker in arena.running())


@pytest.mark.fault(20)
async def test_a_primary_cut_off_from_everybody_is_replaced_and_comes_back_without_its_last_writes(
    arena: Arena,
) -> None:
    """The proxy parts the primary from workers, sentinels and replica; first from the replica alone, so that it lacks
    acknowledged writes. When the proxy heals, the old primary is still one, and gets what was held for it."""
    proxies = list[Proxy]()

    def behind_a_proxy(port: int) -> int:
        proxies.append(Proxy(port).start())
        arena.closing(proxies[0].close)
        return proxies[0].port

    group = await arena.use(sentinel_group(behind=behind_a_proxy))
    old, replica = group.nodes
    await arena.start(redis=group.url, workers=2, max_batch=100)
    arena.watch.fences_may_go_back = True
    arena.feed.returns_share = 0.0
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=100)
    await arena.sleep(0.5, 1.5)

    await cut_off(replica)
    behind = int((await replication(replica))["master_repl_offset"])
    await asyncio.sleep(lacking(arena.dice))
    proxies[0].blackhole()
    written = int((await replication(old))["master_repl_offset"])
    arena.history.note("primary cut off", lost=written - behind)
    assert written > behind
    await promoted(group, replica)
    await arena.sleep(0.0, 2.0)
    proxies[0].heal()
    await eventually(lambda: follows(old))

    arena.measured["bytes_lost"] = written - behind
    await arena.prove()


async def replication(node: RedisNode) -> Mapping[str, str]:
    """What it says of its replication; asked again when a sentinel, which gives it another role, cuts clients off."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await node.info("replication")
            except (RedisError, OSError):
                await asyncio.sleep(POLL_S)


async def follows(node: RedisNode) -> bool:
    """It has become a replica and is in step with its primary."""
    state = await replication(node)
    return state["role"] == "slave" and state["master_link_status"] == "up"
