"""Row 16: a slow link to Kafka."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.arena import Arena
from tests.faults.kafka_faults import LinkedKafka, nobody_crashed, progresses


@pytest.mark.fault(16)
async def test_a_slow_link_holds_the_worker_back_and_fills_no_memory(
    linked: LinkedKafka, arena: Arena, request: pytest.FixtureRequest
) -> None:
    await arena.start(kafka=linked.broker, workers=1, broker=linked.bootstrap)
    arena.flow(orders=40, baskets=40, every_s=0.05, steps=100)
    await arena.sleep(2.0, 4.0)
    before, _ = arena.workers[0].resources()
    arena.history.note("link is slow")
    linked.link.slow(delay_s=0.2, bytes_per_s=1_000)
    slow_s = 60.0 if request.config.option.long else 20.0
    await asyncio.sleep(slow_s)
    during, _ = arena.workers[0].resources()
    await arena.note_death()
    linked.link.heal()
    arena.measured["grown_mib"] = (during - before) >> 20
    arena.measured["back_after_s"] = round(await progresses(arena), 1)
    nobody_crashed(arena)
    # A fetched batch may take all of it to come through.
    await arena.prove(silence_s=slow_s + 40.0)
    assert during - before < 64 << 20
