"""The nodes of a Redis Cluster: who has which slot, and connections to each.

redis-py brings connections, pools and the errors a cluster answers with. Its own `RedisCluster` is not used: its
pipeline looks every command up and packs it in Python, it repeats what failed beyond any time limit of ours, and each
look at the cluster makes all connections anew (docs/decisions/0015 has the figures).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from stream.errors import OperatorError, StateUnavailable
from stream.tables.redis_client import PACKING
from stream.tables.redis_url import Host
from stream.tables.servers import Greeting
from stream.tables.store import Command

SLOTS = 16_384
LOOK_TIMEOUT_S = 1.0
"""How long a node may take to say who has which slot; one that hangs must not use up the time of a whole call."""


class ClusterNodes:
    """Knows the primaries. A redirect corrects one slot; `look` asks for the whole map again."""

    def __init__(
        self,
        seeds: Sequence[Host],
        options: Mapping[str, Any],
        *,
        timeout_s: float,
        max_connections: int,
        greet: Greeting | None = None,
    ) -> None:
        self._seeds = tuple(seeds)
        self._options = {
            **options,
            "protocol": 2,
            "socket_timeout": None,  # the caller's time limit spans the whole exchange
            "socket_connect_timeout": timeout_s,
            # Whoever exchanges decides what is sent again, and where.
            "retry": Retry(NoBackoff(), 0),
        }
        self._connection_class = PACKING[self._options.pop("connection_class", None)]
        self._pooled = {"max_connections": max_connections, "redis_connect_func": greet}
        self._slots: dict[int, Host] = {}
        self._pools: dict[Host, ConnectionPool] = {}
        self._lock = asyncio.Lock()
        self._pointed_at: Host | None = None
        self.suspects: set[Host] = set()
        """Nodes that did not answer lately; asked last, until another look finds them well."""
        self.looks = 0
        """How often the map was read."""

    @property
    def outdated(self) -> bool:
        """Whether the map has to be read before it is used."""
        return not self.looks or bool(self.suspects) or self._pointed_at is not None

    def primary_of(self, slot: int) -> Host:
        """The node to ask first; raises StateUnavailable when no node has the slot."""
        try:
            return self._slots[slot]
        except KeyError:
            raise StateUnavailable(f"no node of the Redis Cluster has slot {slot}") from None

    def primaries(self) -> list[Host]:
        """The nodes that have slots, in order of their addresses."""
        return sorted(set(self._slots.values()))

    def moved(self, slot: int, node: Host) -> None:
        """A node said that another one has this slot, and so knows best what else changed."""
        self._slots[slot] = self._pointed_at = node

    async def look(self, seen: int) -> None:
        """Read the map from the first node that answers, unless somebody has since the look number `seen`.

        Raises StateUnavailable when no node answers, OperatorError when one is not part of a cluster.
        """
        async with self._lock:
            if self.looks > seen:
                return
            known = dict.fromkeys((*self.primaries(), *self._seeds))
            reasons = []
            for node in sorted(known, key=lambda node: (node != self._pointed_at, node in self.suspects)):
                try:
                    async with asyncio.timeout(LOOK_TIMEOUT_S):
                        answer = await self._map_of(node)
                except (RedisError, TimeoutError) as exc:
                    reasons.append(f"{_shown(node)}: {str(exc) or 'no answer'}")
                    self.suspects.add(node)
                    continue
                if isinstance(answer, ResponseError):
                    raise OperatorError(
                        f"{_shown(node)} is no node of a Redis Cluster: {answer}",
                        "Write redis://HOST:PORT/0 for a single server.",
                    )
                await self._take(answer, node)
                return
            raise StateUnavailable(f"no node of the Redis Cluster answers: {'; '.join(reasons)}")

    async def _map_of(self, node: Host) -> Any:
        """What a node answers to CLUSTER SLOTS. Any node may be asked, a replica too, so the connection is not kept."""
        connection: Any = self._connection_class(host=node[0], port=node[1], **self._options)
        try:
            await connection.connect()
            await connection.send_command("CLUSTER", "SLOTS")
            return await _answer(connection)
        finally:
            await connection.disconnect(nowait=True)

    async def _take(self, answer: Sequence[Any], asked: Host) -> None:
        """Take over a map: [first slot, last slot, primary, replica, ...], each node [host, port, ...].

        A node that is no primary any more loses its connections: when it is one again it has to be greeted anew, since
        it may have lost what it had.
        """
        slots: dict[int, Host] = {}
        for first, last, (host, port, *_), *_replicas in answer:
            node = (host.decode() if host else asked[0], int(port))
            slots.update(dict.fromkeys(range(first, last + 1), node))
        self._slots = slots
        self._pointed_at = None
        self.suspects.clear()
        self.looks += 1
        for gone in self._pools.keys() - set(slots.values()):
            await self._pools.pop(gone).disconnect()

    async def exchange(self, node: Host, commands: Sequence[Command]) -> list[Any]:
        """Send commands to a node in one piece and read their answers, of which some may be errors.

        Raises redis-py's ConnectionError; a connection that was not read to its end is closed.
        """
        pool = self._pools.get(node)
        if pool is None:
            host, port = node
            options = {**self._options, **self._pooled, "host": host, "port": port}
            pool = ConnectionPool(self._connection_class, **options)
            self._pools[node] = pool
        connection: Any = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            answers: list[Any] = await connection.exchange(commands)
        finally:
            await pool.release(connection)
        return answers

    async def close(self) -> None:
        """Let go of every connection."""
        for pool in self._pools.values():
            await pool.disconnect()
        self._pools.clear()


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as exc:
        return exc


def _shown(node: Host) -> str:
    return f"{node[0]}:{node[1]}"
