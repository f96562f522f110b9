"""Contestants without a framework: aiokafka alone, as fast as we know how to drive it.

`consume` reads; `echo` decodes, encodes and publishes whole batches; `echo_each` does so a record at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from benchmarks.backlog import reader
from benchmarks.child import Task, given, say
from benchmarks.drain import Meter
from stream.ops.memory import work_in_batches

FETCH_TIMEOUT_MS = 1_000
CONSUMED_AT_ONCE = 500
"""Records are made while they are taken, and fewer at a time stay in the cache: seen to be the quickest."""
BATCH_BYTES = 512 * 1024
"""As the product's publisher has it."""


async def consume(task: Task) -> Meter:
    """getmany and nothing else."""
    meter = Meter(task.records)
    async with reader(task.bootstrap, task.topic) as consumer:
        while True:
            fetched = await consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS, max_records=CONSUMED_AT_ONCE)
            if meter.handled(sum(map(len, fetched.values()))):
                return meter


async def echo(task: Task) -> Meter:
    """Whole batches: a fetch is acknowledged before the next one is asked for."""

    async def one_partition(partition: int, records: Sequence[Any]) -> None:
        now_ms = int(time.time() * 1000)
        confirmed = []
        batch = producer.create_batch()
        for record in records:
            value = orjson.dumps(orjson.loads(record.value))
            while batch.append(key=record.key, value=value, timestamp=now_ms) is None:
                confirmed.append(await producer.send_batch(batch, task.output, partition=partition))
                batch = producer.create_batch()
        confirmed.append(await producer.send_batch(batch, task.output, partition=partition))
        await asyncio.gather(*confirmed)

    meter = Meter(task.records)
    producer = _producer(task)
    await producer.start()
    try:
        async with reader(task.bootstrap, task.topic) as consumer:
            while True:
                fetched = await consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS)
                await asyncio.gather(*(one_partition(tp.partition, some) for tp, some in fetched.items()))
                if meter.handled(sum(map(len, fetched.values()))):
                    return meter
    finally:
        await producer.stop()


async def echo_each(task: Task) -> Meter:
    """One `send` a record; a fetch is acknowledged before the next one is asked for."""
    meter = Meter(task.records)
    producer = _producer(task)
    await producer.start()
    try:
        async with reader(task.bootstrap, task.topic) as consumer:
            while True:
                fetched = await consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS)
                confirmed = [
                    await producer.send(
                        task.output, key=record.key, value=orjson.dumps(orjson.loads(record.value))
                    )
                    for records in fetched.values()
                    for record in records
                ]
                if confirmed:
                    await asyncio.gather(*confirmed)
                if meter.handled(len(confirmed)):
                    return meter
    finally:
        await producer.stop()


def _producer(task: Task) -> Any:
    return AIOKafkaProducer(
        bootstrap_servers=task.bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
    )


VARIANTS = {"consume": consume, "echo": echo, "echo_each": echo_each}


def main() -> None:
    """Drain, and say how fast."""
    task = given(Task)
    work_in_batches()
    say(asyncio.run(VARIANTS[task.variant](task)).drained())


if __name__ == "__main__":
    main()
