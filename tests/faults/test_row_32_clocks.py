"""Row 32: a worker whose clock jumps while it runs."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from itertools import pairwise

import pytest

from tests.faults.arena import Arena
from tests.faults.clock import Clock
from tests.faults.worker_process import PATIENCE_S, POLL_S, WorkerProcess

HOUR_S, DAY_S = 3_600, 86_400
TIMED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,")


@pytest.mark.fault(32)
@pytest.mark.parametrize("shifts", [(HOUR_S, 0), (-HOUR_S, 0), (-DAY_S, HOUR_S, 0)], ids=str)
async def test_a_worker_whose_clock_jumps_expires_nothing_and_goes_on(
    arena: Arena, shifts: tuple[int, ...]
) -> None:
    await arena.start(workers=1, max_batch=50, expiry_interval_s=0.2)
    clock = Clock(arena.folder)
    await (await arena.start_worker(**clock.environ())).ready()
    arena.measured["way"] = clock.way
    arena.flow(orders=20, baskets=20, every_s=0.05, steps=400)
    for number, shift in enumerate(shifts, start=1):
        await arena.sleep(0.5, 1.5)
        arena.history.note("clock jumps", s=shift)
        clock.shift(shift)
        async with asyncio.timeout(PATIENCE_S):
            while jumps(arena.workers[1]) < number:
                await asyncio.sleep(POLL_S)
    await arena.prove()
    assert all(worker.running for worker in arena.workers)
    assert [jumps(worker) for worker in arena.workers] == [0, len(shifts)]


def jumps(worker: WorkerProcess) -> int:
    """How often the clock went half an hour or more, back or forth, from one line of its log to the next."""
    written = [datetime.fromisoformat(line[:19]) for line in worker.said().splitlines() if TIMED.match(line)]
    ways = [abs((later - earlier).total_seconds()) for earlier, later in pairwise(written)]
    return sum(way > HOUR_S / 2 for way in ways)
