"""Batches reach the agent, and what it finished is what Kafka is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP

from stream import transport
from stream.errors import StateLost
from stream.transport import RecordBatch
from tests.transport.workers import Cluster, LocalWorker, RecordingPositions, equals, rows, until, until_async


async def test_records_arrive_as_one_event_a_partition_in_offset_order(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(3)
    await cluster.fill(topic, {p: rows(100) for p in range(3)})

    async with LocalWorker(cluster, topic, group=group) as worker:
        await until(lambda: len(worker.records) == 300)

    assert len(worker.batches) < 30
    assert sorted(worker.records) == [(p, offset) for p in range(3) for offset in range(100)]
    for partition in range(3):
        assert [o for p, o in worker.records if p == partition] == list(range(100))
    for batch in worker.batches:
        assert {record.partition for record in batch.records} == {batch.partition}
        assert (batch.first_offset, batch.last_offset) == (batch.records[0].offset, batch.records[-1].offset)
        assert batch.generation == worker.app.consumer_generation_id


async def test_a_batch_has_at_most_the_configured_records(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(100), 1: rows(100)})

    async with LocalWorker(cluster, topic, group=group, max_batch_records=7) as worker:
        await until(lambda: len(worker.records) == 200)

    assert max(len(batch) for batch in worker.batches) == 7


async def test_keys_and_values_come_undecoded_and_may_be_null(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap)
    await producer.start()
    sent = [(b"\xff\x00", b"\xfe{"), (b"gone", None), (None, b"no key")]
    for key, value in sent:
        await producer.send_and_wait(topic, value, key=key, headers=[("traceparent", b"00-1")])
    await producer.stop()

    async with LocalWorker(cluster, topic, group=group) as worker:
        await until(lambda: len(worker.records) == 3)

    records = [record for batch in worker.batches for record in batch.records]
    assert [(record.key, record.value) for record in records] == sent
    assert records[0].headers == (("traceparent", b"00-1"),)


async def test_commits_reach_the_end_of_the_log_when_idle_and_under_load(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(50), 1: rows(30)})

    async with LocalWorker(cluster, topic, group=group, max_batch_records=5) as worker:

        async def all_committed() -> bool:
            return await cluster.committed(group, topic) == await cluster.ends(topic, 2)

        await until_async(all_committed)
        sent = 80
        async with asyncio.timeout(30):  # a commit has to come while there is always more to read
            while sum((await cluster.committed(group, topic)).values()) == 80:
                await cluster.fill(topic, {0: rows(500), 1: rows(500)})
                sent += 1000
        await until_async(all_committed)

    assert sent > 80
    assert len(worker.records) == sent


async def test_everything_finished_is_committed_at_once_not_one_batch_a_commit(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(200)})
    positions = RecordingPositions()

    async with LocalWorker(
        cluster, topic, group=group, positions=positions, max_batch_records=5, commit_interval_s=1.0
    ) as worker:
        await until(lambda: len(worker.records) == 200)
        before = len(positions.commits)
        await until(lambda: len(positions.commits) > before)

    assert {TP(topic, 0): 200} in positions.commits[before : before + 2]
    assert len(positions.commits) < 10


async def test_nothing_is_committed_past_a_batch_in_flight(cluster: Cluster, group: str) -> None:
    # faust-streaming #606: batch 2 is acknowledged while batch 1 runs, at the head of the partition.
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    release = asyncio.Event()
    positions = RecordingPositions()

    async def first_is_slow(batch: RecordBatch) -> None:
        if batch.first_offset == 0:
            await release.wait()
        batch.finish()

    worker = LocalWorker(
        cluster,
        topic,
        group=group,
        handle=first_is_slow,
        positions=positions,
        max_batch_records=5,
        concurrency=2,
    )
    async with worker:
        await until(lambda: len(worker.records) == 10 and worker.batches[1].finished)
        await worker.consumer.commit()
        committed_meanwhile = list(positions.commits)
        release.set()
        await until(lambda: positions.commits)

    assert committed_meanwhile == []
    assert positions.commits[0] == {TP(topic, 0): 10}


async def test_a_batch_whose_agent_raised_is_not_committed_and_stops_the_worker(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(15)})

    async def second_fails(batch: RecordBatch) -> None:
        if batch.first_offset == 5:
            raise ValueError("no such product")
        batch.finish()

    async with LocalWorker(cluster, topic, group=group, handle=second_fails, max_batch_records=5) as worker:
        await until(lambda: worker.crash_reason is not None)

    assert isinstance(worker.crash_reason, StateLost)
    assert "offsets 5 to 9 of partition 0" in str(worker.crash_reason)
    assert await cluster.committed(group, topic) == {0: 5}


async def test_a_slow_agent_holds_fetching_back_and_loses_nothing(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(400), 1: rows(400)})
    gate = asyncio.Semaphore(0)
    most = 0

    async def slowly(batch: RecordBatch) -> None:
        nonlocal most
        ranges = worker.consumer.ranges
        most = max(most, *(ranges.unfinished(tp) for tp in ranges.partitions()))
        await gate.acquire()
        batch.finish()

    worker = LocalWorker(cluster, topic, group=group, handle=slowly, max_batch_records=10)
    async with worker:
        tps = [TP(topic, 0), TP(topic, 1)]
        await until(lambda: all(worker.consumer.ranges.unfinished(tp) == 2 for tp in tps))
        for _ in range(200):
            gate.release()
        await until(lambda: len(worker.records) == 800)

    assert most == transport.BATCHES_IN_FLIGHT
    for partition in range(2):
        assert [o for p, o in worker.records if p == partition] == list(range(400))


async def test_the_bytes_in_flight_are_bounded(
    cluster: Cluster, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "BYTES_IN_FLIGHT", 100_000)
    topic = await cluster.topic(4)
    await cluster.fill(topic, {p: rows(8, size=60_000) for p in range(4)})
    most = 0

    async def look(batch: RecordBatch) -> None:
        nonlocal most
        await asyncio.sleep(0)
        most = max(most, worker.consumer.ranges.unfinished_bytes)
        batch.finish()

    worker = LocalWorker(cluster, topic, group=group, handle=look, max_batch_records=1)
    async with worker:
        await until(lambda: len(worker.records) == 32)
        await until(lambda: worker.consumer.ranges.unfinished_bytes == 0)

    assert most <= 160_000


async def test_gaps_of_transactions_are_passed_and_aborted_records_never_arrive(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, transactional_id=group)
    await producer.start()
    for word in (b"a", b"b", None, b"c"):
        await producer.begin_transaction()
        for _ in range(3):
            await (await producer.send(topic, word or b"aborted", partition=0))
        await (producer.commit_transaction() if word else producer.abort_transaction())
    await producer.stop()

    async with LocalWorker(cluster, topic, group=group) as worker:
        await until(lambda: len(worker.records) == 9)
        await until_async(lambda: equals(cluster.committed(group, topic), {0: 15}))
        await cluster.fill(topic, {0: [b"d"]})
        await until(lambda: len(worker.records) == 10)
        await until_async(lambda: equals(cluster.committed(group, topic), {0: 17}))

    offsets = [offset for _, offset in worker.records]
    assert offsets == [0, 1, 2, 4, 5, 6, 12, 13, 14, 16]
    values = [record.value for batch in worker.batches for record in batch.records]
    assert b"".join(values) == b"aaabbbcccd"


async def test_only_what_the_positions_allow_is_committed(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(10), 1: rows(10)})

    class Careful(RecordingPositions):
        async def before_commit(self, offsets: Mapping[TP, int]) -> Mapping[TP, int]:
            await super().before_commit(offsets)
            return {tp: min(offset, 4) for tp, offset in offsets.items() if tp.partition == 0}

    positions = Careful()
    async with LocalWorker(cluster, topic, group=group, positions=positions) as worker:
        await until(lambda: len(worker.records) == 20)
        await until(lambda: len(positions.commits) > 3)

    # Of partition 1 Kafka holds where reading began, and nothing after it.
    assert await cluster.committed(group, topic) == {0: 4, 1: 0}
    assert positions.commits[-1] == {TP(topic, 0): 10, TP(topic, 1): 10}


async def test_a_record_larger_than_a_fetch_still_arrives(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1, **{"max.message.bytes": "12000000"})
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, max_request_size=12_000_000)
    await producer.start()
    for size in (5, 10_000_000, 7):
        await producer.send_and_wait(topic, b"x" * size)
    await producer.stop()

    async with LocalWorker(cluster, topic, group=group) as worker:
        await until(lambda: len(worker.records) == 3)

    assert [len(r.value) for batch in worker.batches for r in batch.records] == [5, 10_000_000, 7]
