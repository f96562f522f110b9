"""Scripts on a slot that is being moved: all of a script is done, or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, get_args

import pytest
from redis.crc import key_slot

from stream.errors import StateUnavailable
from stream.settings import load_settings
from stream.tables.connection import open_store
from stream.tables.keys import Keys
from stream.tables.scripts import may_empty_a_key
from stream.tables.store import Script, ScriptName, Store
from stream.tables.tables import Tables
from tests.contract.orders import TOPIC, counts, order, recount, returned, rows, take_back
from tests.redis_cluster import LocalCluster

EMPTYING = [name for name in get_args(ScriptName) if may_empty_a_key(name)]


@pytest.fixture
async def store(redis_cluster: LocalCluster) -> AsyncIterator[Store]:
    """The store on the session's cluster, emptied."""
    await redis_cluster.forget_everything()
    made = open_store(redis_cluster.url)
    yield made
    await made.close()


@asynccontextmanager
async def under_way(cluster: LocalCluster, key: bytes) -> AsyncIterator[None]:
    """A key's slot is under way, but none of its keys has left; afterwards it has arrived."""
    source = await cluster.owner(key)
    target = next(node for node in await cluster.primaries() if node != source)
    await cluster.begin_move(key_slot(key), source, target)
    try:
        yield
    finally:
        while await cluster.move_keys(key_slot(key), source, target):
            pass
        await cluster.end_move(key_slot(key), target)


async def test_an_order_placed_while_the_last_waiting_return_is_taken_is_logged_with_its_claim(
    redis_cluster: LocalCluster, store: Store
) -> None:
    made = Tables(store, load_settings({}, tags=1))
    await made.dictionary.remember("abc")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take("order-returned", 0)
    await made.orders.place(owner, [(0, order("0", "ab"))])
    await take_back(made, back, 0, returned("1", "a"))
    # The first of them empties the list of returns that wait, which the second looks into.
    batch = [(1, order("1", "abc")), (2, order("2", "bc"))]

    async with under_way(redis_cluster, made.keys.fences(0)):
        with pytest.raises(StateUnavailable, match="TryAgain"):
            await made.orders.place(owner, batch)
    await made.orders.place(owner, batch)

    logged = [(row["order_id"], "".join(row["skus"])) for row in await rows(made, "order")]
    assert logged == [("0", "ab"), ("1", "bc"), ("2", "bc")]
    assert await counts(made) == recount([order("0", "ab"), order("1", "bc"), order("2", "bc")])


@pytest.mark.parametrize("name", EMPTYING)
async def test_a_script_that_may_empty_a_key_and_need_it_again_does_not_begin_in_the_midst_of_a_move(
    redis_cluster: LocalCluster, store: Store, name: ScriptName
) -> None:
    keys = [Keys("bs").partners(0, bytes([i] * 8)) for i in range(8)]
    # Were the script run, it would be told that these are no hashes.
    await store.commands([("SET", key, b"x") for key in keys])
    arguments: list[Any] = [b""] * 16

    async with under_way(redis_cluster, keys[0]):
        with pytest.raises(StateUnavailable, match="TryAgain"):
            await store.scripts([Script(name, keys, arguments)])

    assert await store.commands([("GET", key) for key in keys]) == [b"x"] * len(keys)


def test_what_only_reads_or_adds_goes_on_as_long_as_its_keys_are_in_one_place() -> None:
    assert not {"top_partners", "put_latest", "lease", "move_fence"} & set(EMPTYING)
    assert {"claim", "apply", "sweep", "erase_customer", "put_fits", "add_moves", "count_feedback"} <= set(
        EMPTYING
    )
