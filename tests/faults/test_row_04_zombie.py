"""Row 4: a worker that stood still past its session writes for a partition that another one owns by now."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.faults.arena import Arena
from tests.faults.failpoints import NOT_REFUSED, REACHED
from tests.faults.load import ORDERS
from tests.faults.proof import SHOWN, Disproved
from tests.faults.worker_process import PATIENCE_S, POLL_S, WorkerProcess


async def takes_all(worker: WorkerProcess, topic: str, partitions: int) -> None:
    """Return once the worker has said of every partition of the topic where it reads it from."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            named = re.findall(re.escape(topic) + r"\[(\d+)\] is read from", worker.said())
            if len(set(named)) == partitions:
                return
            assert worker.running, worker.said()[-3000:]
            await asyncio.sleep(POLL_S)


async def refused(zombie: WorkerProcess, counted: str) -> None:
    """Return once its tally tells of the refusal; fails as soon as one of its orders was written all the same."""
    async with asyncio.timeout(PATIENCE_S):
        while counted not in zombie.said():
            nothing_was_written(zombie)
            assert zombie.running, zombie.said()[-3000:]
            await asyncio.sleep(POLL_S)
    nothing_was_written(zombie)


def nothing_was_written(zombie: WorkerProcess) -> None:
    """No order of the zombie was written after the pause: the heir had taken every partition of orders by then."""
    written = [line for line in zombie.said().splitlines() if NOT_REFUSED in line and ORDERS in line]
    if written:
        raise Disproved("the zombie was not refused:\n" + "\n".join(written[:SHOWN]))


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    ("step", "counted"),
    [
        pytest.param("send", "batches.superseded", id="counts", marks=pytest.mark.rotation),
        pytest.param("ack", "commits.superseded", id="commits"),
    ],
)
async def test_a_zombie_is_refused_and_counts_what_was_refused(arena: Arena, step: str, counted: str) -> None:
    await arena.start(workers=0, max_batch=60)
    passage = arena.dice.randint(1, 8)
    moment = "after" if step == "ack" else "before"
    zombie = await arena.start_worker(
        f"{step}:{moment}:{passage}", FAULTS_ACTION="pause", FAULTS_TOPIC=ORDERS
    )
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=4_000)
    await zombie.says(REACHED)
    zombie.paused = True
    heir = await arena.start_worker()
    await takes_all(heir, arena.prefix + ORDERS, 4)
    await arena.note_death()
    arena.history.note("zombie goes on", worker=zombie.name)
    zombie.resume()
    await refused(zombie, counted)
    await arena.prove()
    nothing_was_written(zombie)
    assert zombie.running, zombie.said()[-3000:]
