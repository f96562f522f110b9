"""Row 28: two nodes of a Redis Cluster lose different amounts, and no new order tells of it."""

from __future__ import annotations

import pytest

from tests.faults.arena import Arena
from tests.faults.cluster_faults import fall_behind, healed, lacking, replaced, taken_over
from tests.redis_cluster import local_cluster


@pytest.mark.fault(28)
async def test_one_node_that_loses_more_than_another_is_healed_from_the_lowest_fence_while_nothing_flows(
    arena: Arena,
) -> None:
    cluster = await arena.use(local_cluster())
    await arena.start(redis=cluster.url, workers=2, max_batch=100)
    arena.watch.fences_may_go_back = True
    arena.feed.returns_share = 0.0
    await arena.publish(arena.log.step(100, 20))
    await arena.caught_up()
    first, second, _ = await cluster.primaries()
    await fall_behind(cluster, first)
    await arena.publish(arena.log.step(100, 20))
    await arena.caught_up()
    step_more = await lacking(cluster, first)
    await fall_behind(cluster, second)
    await arena.publish(arena.log.step(100, 20))
    await arena.caught_up()
    lost = [await lacking(cluster, first), await lacking(cluster, second)]
    # The first lost a step of orders more, whatever their bytes: tags and their fits are not spread evenly.
    assert 0 < step_more < lost[0]
    assert lost[1] > 0
    arena.measured["bytes_lost"] = sum(lost)
    async with replaced(arena):
        for dead in (first, second):
            await dead.process.kill()
            await taken_over(cluster, dead)
        await cluster.settled()
        await healed(arena)
        await arena.prove()
