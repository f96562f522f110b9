"""All keys of a Redis Cluster that match a pattern, or an error when slots were moved meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from stream.errors import StateUnavailable
from stream.tables.cluster_nodes import ClusterNodes
from stream.tables.redis_url import Host

KEYS_AT_ONCE = 1_000


async def scan_primaries(nodes: ClusterNodes, pattern: bytes, timeout_s: float) -> list[bytes]:
    """The matching keys of all primaries, sorted; `timeout_s` is the limit of each round trip.

    A key that moves from a node not yet scanned to one that is done would be missed. So who has which slot is compared
    before and after: raises StateUnavailable when it changed, is changing, or a node does not answer.
    """
    await _exchanged(nodes, None, (), timeout_s)
    primaries = nodes.primaries()
    before = await _ownership(nodes, primaries, timeout_s)
    found: set[bytes] = set()
    for node in primaries:
        cursor: Any = 0
        while True:
            scan = ("SCAN", cursor, "MATCH", pattern, "COUNT", KEYS_AT_ONCE)
            cursor, keys = await _exchanged(nodes, node, scan, timeout_s)
            found.update(keys)
            if int(cursor) == 0:
                break
    if await _ownership(nodes, primaries, timeout_s) != before:
        raise StateUnavailable(
            "slots of the Redis Cluster were moved while its keys were listed: list them again"
        )
    return sorted(found)


async def _ownership(nodes: ClusterNodes, primaries: Sequence[Host], timeout_s: float) -> list[list[str]]:
    """The slots of each primary in its own words. Raises StateUnavailable while one is under way."""
    owned = []
    for node in primaries:
        said = (await _exchanged(nodes, node, ("CLUSTER", "NODES"), timeout_s)).decode()
        mine = next(line.split() for line in said.splitlines() if "myself" in line.split()[2])
        if any(slot.startswith("[") for slot in mine[8:]):
            raise StateUnavailable(
                f"{node[0]}:{node[1]} is moving a slot: keys can be listed once the slots of the cluster rest"
            )
        owned.append([mine[0], *mine[8:]])
    return owned


async def _exchanged(
    nodes: ClusterNodes, node: Host | None, command: tuple[Any, ...], timeout_s: float
) -> Any:
    """A node's answer to one command; without a node, a fresh look at the cluster."""
    try:
        async with asyncio.timeout(timeout_s):
            if node is None:
                return await nodes.look(nodes.looks)
            answer = (await nodes.exchange(node, [command]))[0]
    except (RedisError, TimeoutError) as exc:
        raise StateUnavailable(
            f"the Redis Cluster's keys cannot be listed: {str(exc) or 'no answer'}"
        ) from exc
    if isinstance(answer, RedisError):
        raise StateUnavailable(f"the Redis Cluster's keys cannot be listed: {answer}")
    return answer
