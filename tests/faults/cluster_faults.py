"""What can happen to a Redis Cluster under a round's load: slots that move, replicas that lag, primaries that die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.crc import key_slot
from redis.exceptions import ResponseError

from stream.errors import StateUnavailable
from tests.faults.arena import Arena
from tests.faults.load import ORDERS, RETURNS
from tests.redis_cluster import LocalCluster
from tests.redis_servers import PATIENCE_S, POLL_S, RedisNode


@asynccontextmanager
async def replaced(arena: Arena) -> AsyncIterator[None]:
    """A supervisor: a worker that ended is followed by another one."""

    async def watch() -> None:
        gone: set[str] = set()
        while True:
            for worker in arena.workers:
                if not worker.running and worker.name not in gone:
                    gone.add(worker.name)
                    arena.history.note("ended", worker=worker.name)
                    await arena.note_death()
                    await arena.start_worker()
            await asyncio.sleep(POLL_S)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def move_a_tag(arena: Arena, cluster: LocalCluster, tag: int) -> None:
    """Move a tag's slot to another primary, some keys at a time."""
    key = arena.tables.keys.fences(tag)
    source = await cluster.owner(key)
    target = arena.dice.choice([node for node in await cluster.primaries() if node != source])
    at_once, pause_s = arena.dice.randint(1, 20), arena.dice.uniform(0, 0.02)
    arena.history.note("slot moves", tag=tag, source=source.port, target=target.port, at_once=at_once)
    await cluster.begin_move(key_slot(key), source, target)
    while await cluster.move_keys(key_slot(key), source, target, at_once):
        await asyncio.sleep(pause_s)
    await cluster.end_move(key_slot(key), target)


async def fall_behind(cluster: LocalCluster, primary: RedisNode) -> None:
    """From now on nothing reaches the replicas of a primary: they cannot log in, and their links are cut."""
    for replica in await cluster.replicas(primary):
        await replica.ask("CONFIG", "SET", "masterauth", "wrong")
    await primary.ask("CLIENT", "KILL", "TYPE", "replica")


async def lacking(cluster: LocalCluster, primary: RedisNode) -> int:
    """Bytes of the primary's writes that its nearest replica has not got: what a fail-over loses now."""
    there = int((await primary.info("replication"))["master_repl_offset"])
    links = [await replica.info("replication") for replica in await cluster.replicas(primary)]
    return there - max(int(link["slave_repl_offset"]) for link in links)


async def taken_over(cluster: LocalCluster, dead: RedisNode) -> None:
    """Return once another node has the slots of a primary that was killed."""
    async with asyncio.timeout(PATIENCE_S):
        while dead in await cluster.primaries():
            await asyncio.sleep(POLL_S)


async def fences_of(arena: Arena, source: str) -> list[int]:
    """A partition's fence in every tag."""
    keys = arena.tables.keys
    raw = await arena.tables.store.commands(
        [("HGET", keys.fences(tag), source) for tag in range(arena.tables.layout.tags)]
    )
    return [int(value.split(b":")[0]) if value else -1 for value in raw]


async def healed(arena: Arena) -> None:
    """Return once every tag has come as far as the log, though no new order came."""
    ends = await arena.group.ends((ORDERS, RETURNS))
    async with asyncio.timeout(PATIENCE_S * 2):
        while True:
            with suppress(StateUnavailable, ResponseError):
                if all(
                    [
                        min(await fences_of(arena, f"{tp.topic}/{tp.partition}")) >= end - 1
                        for tp, end in ends.items()
                    ]
                ):
                    return
            await asyncio.sleep(POLL_S)
