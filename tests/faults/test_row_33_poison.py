"""Rows 33 and 34: records that can never be processed, and a dead-letter topic that takes nothing."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from stream.topics import make_topics, topic_specs
from tests.broken_records import BROKEN
from tests.faults.arena import Arena
from tests.faults.load import BASKETS, ORDERS, Message

POISON = [
    Message(topic, broken.key, broken.value, name, poison=True)
    for topic, kinds in BROKEN.items()
    for name, broken in kinds.items()
]


@pytest.mark.fault(33)
async def test_each_broken_record_is_one_dead_letter_and_its_neighbours_are_counted(arena: Arena) -> None:
    await arena.start(workers=2, partitions=2)
    poison = arena.dice.sample(POISON, len(POISON))
    share = len(poison) // 30 + 1
    for start in range(0, len(poison), share):
        mixed = [*arena.log.step(orders=40, baskets=40), *poison[start : start + share]]
        arena.dice.shuffle(mixed)
        await arena.publish(mixed)
    await arena.prove(duplicates=0)
    arena.measured["poison"] = len(arena.feed.poisoned)
    assert len(arena.feed.poisoned) == len(POISON)


@pytest.mark.fault(34)
async def test_a_partition_halts_at_a_record_whose_dead_letter_nobody_takes(arena: Arena) -> None:
    """The topic is gone: that is a broker that may come to itself, so the worker waits and the others go on."""
    await arena.start(workers=1, partitions=2, max_batch=50)
    dead = f"{arena.prefix}{ORDERS}-dlt"
    await arena.group.delete([dead])
    halted, offset = await _publish_poison(arena)

    async with asyncio.timeout(90):
        while set(await arena.group.lag([ORDERS, BASKETS])) != {halted}:
            await asyncio.sleep(0.2)
    await arena.sleep(1.0, 4.0)
    assert (await arena.group.committed()).get(halted, 0) <= offset
    assert (await arena.watch.lowest_fences()).get(halted, -1) < offset

    (spec,) = [s for s in topic_specs(2, prefix=arena.prefix, keep_for_ever=True) if s.name == dead]
    await make_topics(arena.broker.bootstrap, [spec])
    await arena.prove(duplicates=0)


@pytest.mark.fault(34)
async def test_a_worker_ends_at_a_record_whose_dead_letter_is_refused_for_good(arena: Arena) -> None:
    """The topic takes no record of that size: only the operator can mend that, so the worker says it and ends."""
    await arena.start(workers=1, partitions=2, max_batch=50)
    dead = f"{arena.prefix}{ORDERS}-dlt"
    await arena.group.configure(dead, {"max.message.bytes": "20"})
    halted, offset = await _publish_poison(arena)

    assert await arena.died(arena.workers[0]) != 0
    assert f"{ORDERS}-dlt is larger than the topic takes" in arena.workers[0].said()
    assert (await arena.group.committed()).get(halted, 0) <= offset
    assert (await arena.watch.lowest_fences()).get(halted, -1) < offset

    await arena.group.configure(dead, {"max.message.bytes": str(16 << 20), "retention.ms": "-1"})
    await arena.start_worker()
    await arena.prove()


async def _publish_poison(arena: Arena) -> tuple[TopicPartition, int]:
    """Sound events, a broken order, and sound events behind it; where the broken one stands."""
    await arena.publish(arena.log.step(orders=40, baskets=10))
    broken = arena.dice.choice([m for m in POISON if m.topic == ORDERS and m.key == b"o-1"])
    ((partition, offset),) = await arena.publish([broken])
    for _ in range(10):
        await arena.publish(arena.log.step(orders=40, baskets=10))
    return TopicPartition(arena.prefix + ORDERS, partition), offset
