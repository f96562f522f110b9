"""Row 19: Redis comes back empty, or from an old snapshot: nothing is suggested from it unnoticed."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import msgspec
import pytest

from tests.faults.arena import Arena
from tests.faults.load import BASKETS, ORDERS
from tests.faults.proof import SUGGESTIONS
from tests.faults.redis_kinds import EVERYSEC, NOTHING, RDB_ONLY, RedisUnderTest, redis_of
from tests.faults.worker_process import ROOT

OPERATOR = 2
"""Exit code of a worker that only an operator can help."""
LOST, REMEDY = "Redis", "tables rebuild"


async def refusals(arena: Arena) -> list[str]:
    """What the workers said when they ended, each with the operator's exit code."""
    said = []
    for worker in arena.running():
        assert await arena.died(worker, within_s=60) == OPERATOR, worker.said()[-2000:]
        said.append(worker.said())
    return said


async def rebuild(arena: Arena, workers: int) -> str:
    """`basketstream tables rebuild --yes --follow`, the workers started when it says so; what it says to the end."""
    values = {
        f"BASKETSTREAM_{name.upper()}": str(value)
        for name, value in msgspec.to_builtins(arena.settings).items()
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream", "tables", "rebuild", "--yes", "--follow"),
        cwd=ROOT,
        env={**os.environ, **values},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said = ""
    async with asyncio.timeout(180):
        while "start the workers" not in said:
            line = await process.stderr.readline()
            assert line, said
            said += line.decode()
        for _ in range(workers):
            await arena.start_worker()
        said += (await process.stderr.read()).decode()
        assert await process.wait() == 0, said
    arena.history.note("rebuilt", said=said)
    return said


async def answered(arena: Arena) -> set[str]:
    """Ids of the baskets that were answered."""
    return {json.loads(r.value)["basket_id"] for r in await arena.group.read(SUGGESTIONS) if r.value}


async def empty_by_restart(redis: RedisUnderTest) -> None:
    await redis.crash()
    redis.empty()
    await redis.restart()


async def empty_by_command(redis: RedisUnderTest) -> None:
    await redis.call("FLUSHALL")


@pytest.mark.fault(19)
@pytest.mark.parametrize("how", [empty_by_restart, empty_by_command], ids=["restarted empty", "flushed"])
async def test_a_redis_that_was_emptied_is_refused_and_a_rebuild_makes_it_whole(
    arena: Arena, how: object
) -> None:
    redis = await arena.use(redis_of(arena.folder, NOTHING if how is empty_by_restart else EVERYSEC))
    await arena.start(redis=redis, workers=2)
    arena.watch.fences_may_go_back = arena.watch.commits_may_go_back = True
    arena.feed.returns_share = 0.0
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=30)
    await arena.sleep(1.0, 2.0)
    await arena.feed.stop()
    await arena.caught_up()

    await (empty_by_restart(redis) if how is empty_by_restart else empty_by_command(redis))
    arena.history.note("Redis emptied")
    late = [arena.log.basket() for _ in range(20)]
    if how is empty_by_command:
        # A lookup that was just cached may still answer for a moment; what is read from now on may not.
        await asyncio.gather(*(worker.says(REMEDY) for worker in arena.running()))
    await arena.publish(late)

    for said in await refusals(arena):
        assert "Redis" in said
        assert REMEDY in said
    again = await arena.start_worker()
    assert await arena.died(again, within_s=60) == OPERATOR
    assert "Redis lost its data" in again.said()
    unanswered = {
        json.loads(message.value or b"")["basket_id"] for message in late if message.topic == BASKETS
    }
    assert await answered(arena) & unanswered == set()

    said = await rebuild(arena, workers=2)
    await arena.prove()
    orders = sum((await arena.group.ends([ORDERS])).values())
    assert f"order-placed: {orders} of {orders}" in said


@pytest.mark.fault(19)
async def test_a_redis_back_on_an_old_snapshot_is_healed_from_the_log(arena: Arena) -> None:
    redis = await arena.use(redis_of(arena.folder, RDB_ONLY))
    await arena.start(redis=redis, workers=2, max_batch=100)
    arena.watch.fences_may_go_back = True
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=80)
    await arena.sleep(0.5, 1.0)
    await redis.call("SAVE")
    kept = redis.keep_snapshot()
    await arena.sleep(1.5, 2.5)

    await redis.crash()
    redis.use_snapshot(kept)
    await redis.restart()
    arena.history.note("Redis is back on an old snapshot")

    await arena.prove()


@pytest.mark.fault(19)
@pytest.mark.parametrize(
    ("setting", "said"), [("TAGS", "tags is 64, asked for 32"), ("PANE_S", "pane_s is 86400, asked for 3600")]
)
async def test_a_worker_with_other_settings_than_the_tables_refuses_to_start(
    arena: Arena, setting: str, said: str
) -> None:
    await arena.start(workers=1)
    await arena.publish(arena.log.step())
    value = said.rsplit(" ", 1)[1]

    other = await arena.start_worker(**{f"BASKETSTREAM_{setting}": value})

    assert await arena.died(other, within_s=60) == OPERATOR
    assert said in other.said()
    await arena.prove()
