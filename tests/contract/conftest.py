"""The contract suite: every test here runs on the store in memory and on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.redis_store import RedisStore
from stream.tables.store import Store
from stream.tables.tables import Tables

MakeTables = Callable[..., Tables]


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store."""
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    else:
        made = RedisStore(request.getfixturevalue("redis_url"))
    yield made
    await made.close()


@pytest.fixture
def tables(store: Store) -> MakeTables:
    """Tables over the store: small windows, few tags, so that every test crosses their edges."""

    def make(over: Store | None = None, **settings: Any) -> Tables:
        chosen = {"tags": 4, "window_panes": 3, "customer_window_panes": 5, **settings}
        return Tables(over or store, load_settings({}, **chosen))

    return make
