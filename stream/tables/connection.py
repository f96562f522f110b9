"""From a URL to what speaks with the Redis it names."""

from __future__ import annotations

from stream.tables.cluster_store import ClusterStore
from stream.tables.redis_store import RedisStore
from stream.tables.redis_url import read_redis_url
from stream.tables.store import Store


def open_store(url: str, *, timeout_s: float = 5.0) -> Store:
    """The store at a URL, connected at its first call. Raises OperatorError when it is not a Redis URL."""
    place = read_redis_url(url)
    if place.kind == "cluster":
        return ClusterStore(place, timeout_s=timeout_s)
    return RedisStore(place, timeout_s=timeout_s)
