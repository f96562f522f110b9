"""The contract suite: every test here runs on the store in memory, on a real Redis and on a real Redis Cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from stream.embedded import Broker
from stream.publisher import Publisher
from stream.settings import load_settings
from stream.tables.connection import open_store
from stream.tables.memory_store import MemoryStore
from stream.tables.store import Store
from stream.tables.tables import Tables
from tests.redis_user import as_worker

MakeTables = Callable[..., Tables]


@pytest.fixture(params=["memory", "redis", "cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store."""
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "redis":
        made = open_store(request.getfixturevalue("redis_url"))
    else:
        cluster = request.getfixturevalue("redis_cluster")
        await cluster.forget_everything()
        # As the user of SECURITY.md, so that a command it lacks is noticed; tests use several namespaces.
        made = open_store(await as_worker(cluster, "allkeys"))
    yield made
    await made.close()


@pytest.fixture
def tables(store: Store) -> MakeTables:
    """Tables over the store: small windows, few tags, so that every test crosses their edges."""

    def make(over: Store | None = None, **settings: Any) -> Tables:
        chosen = {"tags": 4, "window_panes": 3, "customer_window_panes": 5, **settings}
        return Tables(over or store, load_settings({}, **chosen))

    return make


@pytest.fixture
async def publisher(kafka: Broker) -> AsyncIterator[Publisher]:
    """A publisher on the Kafka of the tests."""
    made = Publisher(kafka.bootstrap, idempotent=kafka.idempotent)
    await made.start()
    yield made
    await made.stop()
