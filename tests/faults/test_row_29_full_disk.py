"""Row 29: the disk the worker logs to is full."""

from __future__ import annotations

import resource

import pytest

from tests.faults.arena import Arena


@pytest.mark.fault(29)
@pytest.mark.rotation
async def test_a_worker_that_cannot_write_its_log_goes_on_and_stops_cleanly(arena: Arena) -> None:
    await arena.start(workers=1)
    worker = arena.workers[0]
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=40)
    await arena.sleep(0.5, 2.0)
    room = worker.log.stat().st_size + arena.dice.randint(1, 300)
    # No file of this process grows beyond this any more: what a full disk is to it.
    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (room, room))
    arena.history.note("disk is full", log_bytes=room)
    await arena.sleep(2.0, 4.0)
    await arena.prove()
    assert worker.log.stat().st_size == room
    assert worker.running
    assert await arena.stop_worker(worker) == 0
