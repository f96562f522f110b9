"""Row 23: the task of a batch is cancelled at random await points, inside Redis and Kafka calls too."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.faults.arena import Arena
from tests.faults.cancellation import CANCELLED
from tests.faults.load import BASKETS

CUT = re.compile(rf"{CANCELLED}: <RecordBatch (\S+)\[\d+\] (\d+)\.\.(\d+)>")


@pytest.mark.fault(23)
@pytest.mark.rotation
async def test_a_batch_cancelled_anywhere_is_done_once_and_no_reply_reaches_another(arena: Arena) -> None:
    await arena.start(workers=0, max_batch=30)
    worker = await arena.start_worker(FAULTS_CANCEL=f"{arena.dice.randrange(1 << 30)}:0.5:25")
    await worker.ready()
    arena.flow(orders=15, baskets=15, every_s=0.05, steps=500)
    async with asyncio.timeout(90):
        while worker.said().count(CANCELLED) < 20:
            await asyncio.sleep(0.1)
    await arena.feed.stop()
    await arena.caught_up()
    # A cancelled attempt may have published its answers: they come again under the same ids.
    cut = CUT.findall(worker.said())
    again = sum(int(last) - int(first) + 1 for topic, first, last in cut if topic.endswith(BASKETS))
    arena.measured["cancelled"] = len(cut)
    await arena.prove(duplicates=again + 30 * len(cut))
    assert worker.running
    assert " CRITICAL " not in worker.said()
