"""A Redis user with the rights that SECURITY.md names is enough for a worker, and reaches nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import RedisError

from stream.errors import OperatorError, StateUnavailable
from stream.ops.redis_examination import examine_redis
from stream.settings import load_settings
from stream.tables.dump import dump_rows
from stream.tables.inspection import stats
from stream.tables.tables import Tables
from tests.contract.orders import FIRST_PANE, TOPIC, order, returned, take_back
from tests.redis_cluster import LocalCluster
from tests.redis_user import as_worker


@pytest.fixture
async def url(redis_cluster: LocalCluster) -> AsyncIterator[str]:
    """The session's cluster, emptied, for a user with those rights alone."""
    await redis_cluster.forget_everything()
    yield await as_worker(redis_cluster)
    for node in redis_cluster.nodes:
        await node.ask("ACL", "DELUSER", "worker")


async def test_the_documented_rights_are_enough_for_all_a_worker_and_its_commands_do(url: str) -> None:
    tables = Tables.on_redis(load_settings({}, redis_url=url, window_panes=3))
    assert await tables.open()
    await tables.dictionary.remember("abcdef")
    owner = await tables.fences.take(TOPIC, 0)
    await tables.orders.place(owner, [(0, order("1", "abc", customer="c")), (1, order("2", "def", day=9))])
    owner.handled(1)
    await tables.fences.move(owner, 1, FIRST_PANE + 9)
    back = await tables.fences.take("order-returned", 0)
    await take_back(tables, back, 0, returned("2", "d"))
    assert await tables.expiry.expire(owner, FIRST_PANE + 9) == 1

    rows = [row["table"] async for row in dump_rows(tables)]
    assert sorted(set(rows)) == ["co_purchase", "customer", "diary", "order", "order_count"]
    assert (await stats(tables))["fences"]["keys"] == tables.layout.tags
    await tables.close()
    assert {finding.ok for finding in await examine_redis(url) if finding.name == "redis"} == {True}


async def test_that_user_reaches_no_other_namespace_and_no_servers_settings(
    url: str, redis_cluster: LocalCluster
) -> None:
    other = Tables.on_redis(load_settings({}, redis_url=url, namespace="other"))
    with pytest.raises(OperatorError, match="permission"):
        await other.open()
    await other.close()

    for node in await redis_cluster.primaries():
        for command in (
            ["CONFIG", "GET", "*"],
            ["CLIENT", "LIST"],
            ["FUNCTION", "LIST"],
            ["FLUSHALL"],
            ["KEYS", "*"],
            ["ACL", "LIST"],
            ["SHUTDOWN"],
        ):
            said = await node.ask("ACL", "DRYRUN", "worker", *command)
            assert "no permissions" in said, (command, said)


async def test_a_wrong_password_is_said_and_not_shown(url: str) -> None:
    wrong = Tables.on_redis(load_settings({}, redis_url=url.replace("word@", "w0rd@")))

    with pytest.raises((StateUnavailable, RedisError)) as error:
        await wrong.open()
    await wrong.close()

    assert re.search(r"(?i)invalid username-password|WRONGPASS", str(error.value))
    assert "w0rd" not in str(error.value)
