"""From a URL to what speaks with the Redis it names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio

from stream.tables.cluster_nodes import ClusterNodes
from stream.tables.cluster_store import ClusterStore
from stream.tables.redis_client import primary_client
from stream.tables.redis_store import RedisStore
from stream.tables.redis_url import RedisPlace, read_redis_url
from stream.tables.servers import Servers
from stream.tables.store import Store


def open_store(url: str, *, timeout_s: float = 5.0, servers: Servers | None = None) -> Store:
    """The store at a URL, connected at its first call; `servers` watches the lives of what answers there.

    Raises OperatorError when it is not a Redis URL.
    """
    place = read_redis_url(url)
    if place.kind == "cluster":
        return ClusterStore(place, timeout_s=timeout_s, servers=servers)
    return RedisStore(place, timeout_s=timeout_s, servers=servers)


@asynccontextmanager
async def primaries(
    place: RedisPlace, *, timeout_s: float = 5.0
) -> AsyncIterator[dict[str, redis.asyncio.Redis]]:
    """A client of each primary by its address, for questions about servers rather than tables.

    Raises StateUnavailable or OperatorError when a cluster does not say who its primaries are.
    """
    clients: dict[str, redis.asyncio.Redis] = {}
    try:
        if place.kind == "cluster":
            nodes = ClusterNodes(place.hosts, place.options, timeout_s=timeout_s, max_connections=1)
            try:
                await nodes.look(0)
            finally:
                await nodes.close()
            for host, port in nodes.primaries():
                options = {**place.options, "host": host, "port": port}
                server = RedisPlace("server", f"{host}:{port}", options)
                clients[server.shown] = primary_client(server, timeout_s=timeout_s)
        else:
            clients[place.shown] = primary_client(place, timeout_s=timeout_s)
        yield clients
    finally:
        for client in clients.values():
            await client.aclose()
