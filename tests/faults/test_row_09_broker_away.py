"""Rows 9, 10 and 11: the broker stands still, is restarted, is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.faults.arena import Arena
from tests.faults.kafka_faults import nobody_crashed, pause_node, progresses, resume_node

SHORT, WHOLE = (5.0, 15.0), (5.0, 30.0, 90.0)


@pytest.mark.fault(9)
async def test_a_broker_that_stands_still_is_waited_for(arena: Arena, request: pytest.FixtureRequest) -> None:
    pauses: Sequence[float] = WHOLE if request.config.option.long else SHORT
    await arena.start(kafka="own", workers=2)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=4_000)
    for pause_s in pauses:
        await arena.sleep(1.0, 3.0)
        arena.history.note("broker stands still", s=pause_s)
        pause_node(arena.broker)
        await asyncio.sleep(pause_s)
        resume_node(arena.broker)
        arena.measured[f"back_after_{pause_s:g}_s"] = round(await progresses(arena), 1)
    nobody_crashed(arena)
    await arena.prove(silence_s=max(pauses) + 60.0)


@pytest.mark.fault(10)
async def test_a_broker_that_is_restarted_finds_its_workers_again(arena: Arena) -> None:
    await arena.start(kafka="own", workers=2)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=4_000)
    await arena.sleep(1.0, 3.0)
    node = arena.broker.nodes[0]
    arena.history.note("broker stops")
    await node.stop()
    await arena.sleep(0.0, 5.0)
    await node.start()
    arena.measured["back_after_s"] = round(await progresses(arena), 1)
    nobody_crashed(arena)
    await arena.prove()


@pytest.mark.fault(11)
@pytest.mark.parametrize("nodes", ["own", "three"])
async def test_a_broker_that_is_killed_keeps_what_it_acknowledged(arena: Arena, nodes: str) -> None:
    await arena.start(kafka=nodes, workers=2)
    arena.flow(orders=20, baskets=20, every_s=0.1, steps=4_000)
    await arena.sleep(1.0, 3.0)
    node = arena.dice.choice(arena.broker.nodes)
    arena.history.note("broker killed", name=node.name)
    await node.kill()
    await arena.sleep(0.0, 5.0)
    await node.start()
    arena.measured["back_after_s"] = round(await progresses(arena), 1)
    nobody_crashed(arena)
    await arena.prove()
