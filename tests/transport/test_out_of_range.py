"""Positions that the log does not hold: judged by the positions, never passed over in silence."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.types import TP

from stream.errors import OperatorError
from tests.transport.workers import Cluster, LocalWorker, RecordingPositions, rows, until


class Judging(RecordingPositions):
    """Positions that go on at `go_on`, or refuse."""

    def __init__(self, go_on: int | None) -> None:
        super().__init__()
        self.go_on = go_on
        self.asked: list[tuple[TP, int]] = []

    async def out_of_range(self, tp: TP, position: int) -> int:
        self.asked.append((tp, position))
        if self.go_on is None:
            raise OperatorError("The log is not whole.", "Lengthen its retention.")
        return self.go_on


async def cut(cluster: Cluster, topic: str, before: int) -> None:
    """Delete the records of partition 0 before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


async def log_from_30_to_39(cluster: Cluster) -> str:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(40)})
    await cut(cluster, topic, 30)
    return topic


async def test_reading_goes_on_where_the_positions_say(cluster: Cluster, group: str) -> None:
    topic = await log_from_30_to_39(cluster)
    positions = Judging(go_on=32)

    async with LocalWorker(cluster, topic, group=group, positions=positions) as worker:
        await until(lambda: len(worker.records) == 8)

    assert positions.asked == [(TP(topic, 0), 0)]
    assert worker.records == [(0, offset) for offset in range(32, 40)]


async def test_what_the_positions_refuse_crashes_the_worker(cluster: Cluster, group: str) -> None:
    topic = await log_from_30_to_39(cluster)

    worker = LocalWorker(cluster, topic, group=group, positions=Judging(go_on=None))
    async with worker:
        await until(lambda: worker.crash_reason is not None)

    assert isinstance(worker.crash_reason, OperatorError)
    assert worker.records == []


async def test_a_fetch_that_a_rebalance_overtook_does_no_harm(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    tp = TopicPartition(topic, 0)
    overtaken = [NoOffsetForPartitionError(tp), OffsetOutOfRangeError({tp: 7})]
    positions = Judging(go_on=None)

    async with LocalWorker(cluster, topic, group=group, positions=positions) as worker:
        fetch = worker.consumer._getmany

        async def overtaken_fetch(*args: Any) -> Any:
            if overtaken:
                worker.consumer._sought = -1  # the next rebalance has begun
                raise overtaken.pop()
            return await fetch(*args)

        worker.consumer._getmany = overtaken_fetch
        await cluster.fill(topic, {0: rows(10)})
        for _ in range(2):
            await until(lambda: worker.consumer._sought == -1)
            worker.consumer._sought = worker.app.consumer_generation_id
        await until(lambda: len(worker.records) == 20)

    assert positions.asked == []
