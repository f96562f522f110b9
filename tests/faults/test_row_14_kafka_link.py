"""Rows 14 and 15: the link to Kafka is cut, and loses acknowledgements."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.arena import Arena
from tests.faults.kafka_faults import LinkedKafka, nobody_crashed, progresses
from tests.faults.link import Direction

HELD = {
    "blackhole": [Direction.REQUESTS, Direction.REPLIES],
    "requests-held": [Direction.REQUESTS],
    "replies-held": [Direction.REPLIES],
}
CUT_S, LONG_CUT_S = 12.0, 45.0
"""The long one outlasts the thirty seconds after which a publish gives up."""
GAVE_UP = "Kafka did not confirm"


@pytest.mark.fault(14)
@pytest.mark.parametrize("kind", HELD)
async def test_a_dead_link_to_kafka_is_waited_for(
    linked: LinkedKafka, arena: Arena, kind: str, request: pytest.FixtureRequest
) -> None:
    cut_s = LONG_CUT_S if request.config.option.long else CUT_S
    await arena.start(kafka=linked.broker, workers=2, broker=linked.bootstrap)
    if request.config.option.long:
        # A basket sent twice may get one answer: its second publish waits for the first, which gave up.
        arena.log.duplicate_share = 0.0
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=4_000)
    await arena.sleep(1.0, 3.0)
    if request.config.option.long:
        # More than is answered at once, so that a publish is under way when the link dies.
        await arena.publish(arena.log.step(orders=0, baskets=5_000))
    arena.history.note("link is held", kind=kind)
    linked.link.hold(*HELD[kind])
    await asyncio.sleep(cut_s)
    # A basket on its way may have been answered, and is read again by whoever gets its partition.
    await arena.note_death()
    linked.link.heal()
    arena.measured["back_after_s"] = round(await progresses(arena), 1)
    nobody_crashed(arena)
    if request.config.option.long:
        assert any(GAVE_UP in worker.said() for worker in arena.workers)
    await arena.prove(silence_s=cut_s + 48.0)


@pytest.mark.fault(14)
async def test_connections_to_kafka_that_are_reset_are_made_again(linked: LinkedKafka, arena: Arena) -> None:
    await arena.start(kafka=linked.broker, workers=2, broker=linked.bootstrap)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=4_000)
    for _ in range(5):
        await arena.sleep(0.2, 2.0)
        arena.history.note("connections are reset", connections=linked.link.connections)
        linked.link.reset()
    arena.measured["back_after_s"] = round(await progresses(arena), 1)
    nobody_crashed(arena)
    await arena.prove()


@pytest.mark.fault(15)
@pytest.mark.rotation
async def test_a_lost_acknowledgement_makes_no_second_suggestion(linked: LinkedKafka, arena: Arena) -> None:
    await arena.start(kafka=linked.broker, workers=1, broker=linked.bootstrap)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=4_000)
    linked.link.lose_replies(times=None, every=4)
    async with asyncio.timeout(60):
        while linked.link.lost_replies < 10:
            await asyncio.sleep(0.05)
    linked.link.heal()
    arena.measured["lost_acknowledgements"] = linked.link.lost_replies
    await arena.prove(duplicates=0)
    nobody_crashed(arena)
