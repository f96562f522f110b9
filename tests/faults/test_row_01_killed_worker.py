"""Rows 1 and 8: workers killed under load."""

from __future__ import annotations

import pytest

from tests.faults.arena import Arena


@pytest.mark.fault(1)
@pytest.mark.rotation
async def test_a_worker_killed_at_any_moment_loses_and_doubles_nothing(arena: Arena) -> None:
    await arena.start(workers=1, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.02, steps=60)
    for _ in range(3):
        await arena.sleep(0.1, 1.5)
        await arena.kill(arena.running()[0])
        worker = await arena.start_worker()
        await worker.ready()
    await arena.prove()


@pytest.mark.fault(8)
async def test_when_all_workers_die_at_once_the_next_ones_go_on_from_the_fences(arena: Arena) -> None:
    await arena.start(workers=3, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.02, steps=80)
    await arena.sleep(0.5, 2.0)
    for worker in arena.running():
        await arena.kill(worker)
    for _ in range(3):
        await arena.start_worker()
    await arena.prove()
