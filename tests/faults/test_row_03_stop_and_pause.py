"""Rows 3, 5 and 7: workers told to stop, workers that stand still for a moment, workers with nothing to do."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.arena import Arena

START = "is read from offset"
"""What a worker logs of every partition when it takes it."""


@pytest.mark.fault(3)
async def test_a_worker_told_to_stop_in_the_midst_of_its_work_leaves_nothing_to_do_again(
    arena: Arena,
) -> None:
    await arena.start(workers=1, max_batch=100)
    arena.flow(orders=20, baskets=20, every_s=0.05, steps=300)
    for _ in range(2):
        await arena.sleep(0.2, 2.0)
        stopped = arena.running()[0]
        assert await arena.stop_worker(stopped) == 0, stopped.said()[-3000:]
        await (await arena.start_worker()).ready()
    await arena.prove(duplicates=0)
    assert not any("orders.replayed" in worker.said() for worker in arena.workers)


@pytest.mark.fault(5)
async def test_a_worker_that_stands_still_for_seconds_keeps_its_partitions(arena: Arena) -> None:
    await arena.start(workers=2, session_timeout_s=15.0)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=100)
    await arena.sleep(0.2, 1.0)
    starts = [worker.said().count(START) for worker in arena.workers]
    paused = arena.dice.choice(arena.workers)
    paused.pause()
    await arena.sleep(1.0, 5.0)
    paused.resume()
    await arena.sleep(1.0, 2.0)
    await arena.prove(duplicates=0)
    assert [worker.said().count(START) for worker in arena.workers] == starts


@pytest.mark.fault(7)
async def test_workers_without_a_partition_stay_well_and_take_over(arena: Arena) -> None:
    await arena.start(workers=6, partitions=4, max_batch=100)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=200)
    await arena.sleep(1.0, 3.0)
    assert len(arena.running()) == 6
    await asyncio.gather(*(arena.kill(worker) for worker in arena.dice.sample(arena.workers, 3)))
    await arena.prove()
    assert len(arena.running()) == 3
    assert not any(" CRITICAL " in worker.said() for worker in arena.running())
