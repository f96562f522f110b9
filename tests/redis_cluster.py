"""A Redis Cluster on this machine: primaries with replicas, slots that can be moved, nodes that can be killed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.crc import key_slot
from redis.exceptions import RedisError, ResponseError

from stream.embedded.ports import free_ports
from stream.embedded.process import kept_alive
from stream.embedded.scratch import scratch_folder
from tests.redis_servers import PATIENCE_S, POLL_S, RedisNode, redis_node

SLOTS = 16_384
_BUS = 10_000
"""How far above its port a node talks to the others."""
_HIGHEST = 32_000
"""Outgoing connections are given ports above it."""


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """The nodes, primaries of the beginning first."""

    nodes: Sequence[RedisNode]

    @property
    def url(self) -> str:
        """As the product takes it; any one node would do."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    async def primaries(self) -> list[RedisNode]:
        """The running nodes that are primaries and hold slots, by port."""
        ports = {int(of_range[2][1]) for of_range in await self._slots()}
        return [node for node in sorted(self.nodes, key=lambda n: n.port) if node.port in ports]

    async def owner(self, key: bytes) -> RedisNode:
        """The node that has a key's slot and knows it: what others say of it may be a moment old."""
        slot = key_slot(key)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for node in self.nodes:
                    if node.process.running and await self._owns(node, slot):
                        return node
                await asyncio.sleep(POLL_S)

    @staticmethod
    async def _owns(node: RedisNode, slot: int) -> bool:
        try:
            of_ranges = await node.ask("CLUSTER", "SLOTS")
        except RedisError:
            return False
        return any(r[0] <= slot <= r[1] and int(r[2][1]) == node.port for r in of_ranges)

    async def replicas(self, primary: RedisNode) -> list[RedisNode]:
        """The running replicas of a primary, in step or not."""
        found = []
        for node in self.nodes:
            if node.process.running:
                link = await node.info("replication")
                if link["role"] == "slave" and int(link["master_port"]) == primary.port:
                    found.append(node)
        return found

    async def _slots(self) -> list[Any]:
        for node in self.nodes:
            if node.process.running:
                try:
                    return list(await node.ask("CLUSTER", "SLOTS"))
                except RedisError:
                    continue
        raise AssertionError("no node of the cluster answers")

    async def forget_everything(self) -> None:
        """Empty every primary."""
        for node in await self.primaries():
            await node.ask("FLUSHALL")

    async def settled(self) -> None:
        """Return once every running node calls the cluster well and every running replica is in step."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_settled():
                await asyncio.sleep(POLL_S)

    async def _is_settled(self) -> bool:
        for node in self.nodes:
            if not node.process.running:
                continue
            try:
                state = await node.ask("CLUSTER", "INFO")
                link = await node.info("replication")
            except RedisError:
                return False
            if "cluster_state:ok" not in state or f"cluster_slots_ok:{SLOTS}" not in state:
                return False
            if link["role"] == "slave" and link["master_link_status"] != "up":
                return False
        return True

    async def begin_move(self, slot: int, source: RedisNode, target: RedisNode) -> None:
        """From now on the slot is under way: keys that are gone from the source are asked for at the target."""
        await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", await source.ask("CLUSTER", "MYID"))
        await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", await target.ask("CLUSTER", "MYID"))

    async def move_keys(self, slot: int, source: RedisNode, target: RedisNode, at_once: int = 20) -> int:
        """Move up to so many keys of a slot under way; how many were moved.

        A move that was cut short may have left a key at both ends. The source's is the one that was used since,
        so it replaces the other, as `redis-cli --cluster` has it.
        """
        keys = await source.ask("CLUSTER", "GETKEYSINSLOT", slot, at_once)
        if keys:
            await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "REPLACE", "KEYS", *keys)
        return len(keys)

    async def end_move(self, slot: int, target: RedisNode) -> None:
        """The slot is the target's; it is told first, so that nobody can be sent back and forth."""
        new = await target.ask("CLUSTER", "MYID")
        for node in (target, *(node for node in await self.primaries() if node != target)):
            await node.ask("CLUSTER", "SETSLOT", slot, "NODE", new)

    async def move(self, slot: int, source: RedisNode, target: RedisNode, at_once: int = 20) -> None:
        """Move a slot with all it holds while it is used."""
        await self.begin_move(slot, source, target)
        while await self.move_keys(slot, source, target, at_once):
            await asyncio.sleep(0)
        await self.end_move(slot, target)


@asynccontextmanager
async def local_cluster(
    *, primaries: int = 3, replicas: int = 1, node_timeout_ms: int = 1_500, lines: Sequence[str] = ()
) -> AsyncIterator[LocalCluster]:
    """A cluster whose replicas take over some `node_timeout_ms` after a primary is gone."""
    with scratch_folder("cluster") as folder:
        usual = [
            "cluster-enabled yes",
            f"cluster-node-timeout {node_timeout_ms}",
            "cluster-config-file nodes.conf",
            "repl-diskless-sync-delay 0",
            *lines,
        ]
        nodes = [
            redis_node(folder / f"node-{port}", port, usual)
            for port in cluster_ports(primaries * (1 + replicas))
        ]
        async with kept_alive(*(node.process for node in nodes)):
            await asyncio.gather(*(node.process.start() for node in nodes))
            made = LocalCluster(nodes)
            await _join(nodes, primaries)
            await made.settled()
            yield made


async def _join(nodes: Sequence[RedisNode], primaries: int) -> None:
    """Share out the slots, introduce the nodes, and give each primary its replicas."""
    share = -(-SLOTS // primaries)
    for i, node in enumerate(nodes[:primaries]):
        await node.ask("CLUSTER", "ADDSLOTS", *range(i * share, min(SLOTS, (i + 1) * share)))
        # Different from the start, so that nobody has to find out whose claim is newer.
        await node.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
    for node in nodes[1:]:
        await node.ask("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
    ids = [await node.ask("CLUSTER", "MYID") for node in nodes]
    for i, node in enumerate(nodes[primaries:]):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await node.ask("CLUSTER", "REPLICATE", ids[i % primaries])
                    break
                except ResponseError:  # it has not heard of that node yet
                    await asyncio.sleep(POLL_S)


def cluster_ports(count: int) -> list[int]:
    """Free ports whose bus port is free as well, and none that outgoing connections are given."""
    chosen: list[int] = []
    taken: set[int] = set()
    while len(chosen) < count:
        for port in free_ports(4 * count):
            if port + _BUS > _HIGHEST or {port, port + _BUS} & taken or len(chosen) == count:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port + _BUS))
                except OSError:
                    continue
            chosen.append(port)
            taken |= {port, port + _BUS}
    return chosen
