"""Row 32: a worker whose clock jumps while it runs."""

from __future__ import annotations

import pytest

from tests.faults.arena import Arena
from tests.faults.clock import Clock

HOUR_S, DAY_S = 3_600, 86_400


@pytest.mark.fault(32)
@pytest.mark.parametrize("shifts", [(HOUR_S, 0), (-HOUR_S, 0), (-DAY_S, HOUR_S, 0)], ids=str)
async def test_a_worker_whose_clock_jumps_expires_nothing_and_goes_on(
    arena: Arena, shifts: tuple[int, ...]
) -> None:
    await arena.start(workers=1, max_batch=50, expiry_interval_s=0.2)
    clock = Clock(arena.folder)
    await (await arena.start_worker(**clock.environ())).ready()
    arena.measured["way"] = clock.way
    arena.flow(orders=20, baskets=20, every_s=0.05, steps=80)
    for shift in shifts:
        await arena.sleep(0.5, 1.5)
        arena.history.note("clock jumps", s=shift)
        clock.shift(shift)
    await arena.prove()
    assert all(worker.running for worker in arena.workers)
