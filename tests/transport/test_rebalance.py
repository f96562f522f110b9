"""Partitions come, go and are read from where they should be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from faust.types import TP

from stream.transport import RecordBatch
from tests.transport.workers import Cluster, LocalWorker, RecordingPositions, equals, rows, until, until_async


async def test_a_restart_reads_on_at_the_commit(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(40), 1: rows(40)})

    # Commits are an hour apart: only the one of the graceful stop can have counted.
    async with LocalWorker(cluster, topic, group=group, commit_interval_s=3600.0) as first:
        await until(lambda: len(first.records) == 80)
    assert await cluster.committed(group, topic) == {0: 40, 1: 40}

    await cluster.fill(topic, {0: rows(5), 1: rows(5)})
    async with LocalWorker(cluster, topic, group=group) as second:
        await until(lambda: len(second.records) == 10)

    assert sorted(second.records) == [(p, o) for p in range(2) for o in range(40, 45)]


async def test_a_stop_waits_for_the_running_batch_and_leaves_the_waiting_ones(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(30)})
    release = asyncio.Event()

    async def wait_for_release(batch: RecordBatch) -> None:
        await release.wait()
        batch.finish()

    worker = LocalWorker(cluster, topic, group=group, handle=wait_for_release, max_batch_records=10)
    async with worker:
        await until(lambda: worker.consumer.ranges.unfinished(TP(topic, 0)) == 2)
        stopping = asyncio.create_task(worker.app.stop())
        await until(lambda: not worker.consumer.flow_active)
        release.set()
        await stopping

    assert len(worker.batches) == 1
    assert await cluster.committed(group, topic) == {0: 10}


async def test_workers_that_join_and_leave_in_good_order_process_everything_exactly_once(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(4)
    feeding = True

    async def feed() -> int:
        rounds = 0
        while feeding:
            await cluster.fill(topic, {p: rows(20) for p in range(4)})
            rounds += 1
        return rounds * 20

    feeder = asyncio.create_task(feed())
    first = LocalWorker(cluster, topic, group=group, max_batch_records=7)
    second = LocalWorker(cluster, topic, group=group, max_batch_records=7)
    async with second:
        async with first:
            await until(lambda: len(first.consumer.assignment()) == 2 == len(second.consumer.assignment()))
            seen = len(first.records), len(second.records)
            await until(lambda: len(first.records) > seen[0] and len(second.records) > seen[1])
        await until(lambda: len(second.consumer.assignment()) == 4)
        feeding = False
        length = await feeder
        await until_async(lambda: _committed_all(cluster, group, topic, length))

    both = first.records + second.records
    assert sorted(both) == [(p, offset) for p in range(4) for offset in range(length)]


async def _committed_all(cluster: Cluster, group: str, topic: str, length: int) -> bool:
    return await cluster.committed(group, topic) == dict.fromkeys(range(4), length)


async def test_reading_starts_where_the_positions_say_also_before_the_commit(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(20), 1: rows(20)})
    async with LocalWorker(cluster, topic, group=group) as first:
        await until(lambda: len(first.records) == 40)

    class Healing(RecordingPositions):
        async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> Mapping[TP, int]:
            await super().start_at(committed, assignment)
            return {TP(topic, 0): 5}

    positions = Healing()
    async with LocalWorker(cluster, topic, group=group, positions=positions, max_batch_records=3) as second:
        await until(lambda: len(second.records) == 15)
        await cluster.fill(topic, {0: rows(1), 1: rows(1)})
        await until(lambda: len(second.records) == 17)
        assignment = second.consumer.assignment_number

    assert positions.starts == [(assignment, {TP(topic, 0): 20, TP(topic, 1): 20})]
    assert [o for p, o in second.records if p == 0] == list(range(5, 21))
    assert [o for p, o in second.records if p == 1] == [20]
    # What was committed before is never taken back.
    assert min(offset for commit in positions.commits for offset in commit.values()) > 20
    assert await cluster.committed(group, topic) == {0: 21, 1: 21}
    assert positions.released == [{TP(topic, 0), TP(topic, 1)}]


async def test_a_partition_without_a_commit_is_read_from_its_beginning(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(3)})
    positions = RecordingPositions()

    class Silent(RecordingPositions):
        async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> Mapping[TP, int]:
            positions.starts.append((assignment, dict(committed)))  # type: ignore[arg-type]
            return {}

    async with LocalWorker(cluster, topic, group=group, positions=Silent()) as worker:
        await until(lambda: len(worker.records) == 3)

    assert [starts for _, starts in positions.starts] == [{TP(topic, 0): None, TP(topic, 1): None}]
    assert worker.records == [(0, 0), (0, 1), (0, 2)]


async def test_a_seek_back_while_running_delivers_again_and_old_batches_no_longer_count(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(20)})

    async with LocalWorker(cluster, topic, group=group, max_batch_records=10) as worker:
        await until(lambda: len(worker.records) == 20)
        await worker.consumer.seek(TP(topic, 0), 15)
        await until(lambda: len(worker.records) == 25)
        await until_async(lambda: equals(cluster.committed(group, topic), {0: 20}))

    assert [o for _, o in worker.records] == [*range(20), *range(15, 20)]


class SlowToStart(RecordingPositions):
    """Takes its time, as a store does that looks up thousands of fences, and starts two records back."""

    async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> Mapping[TP, int]:
        starts = {tp: max(0, (offset or 0) - 2) for tp, offset in committed.items()}
        self.starts.append((assignment, starts))
        await asyncio.sleep(0.3)
        return starts


async def test_no_record_is_delivered_before_its_partition_was_sought(cluster: Cluster, group: str) -> None:
    # faust-streaming #217, #241: with no Faust tables, the flow was resumed before the seek.
    topic = await cluster.topic(4)
    feeding = True

    async def feed() -> None:
        while feeding:
            await cluster.fill(topic, {p: rows(20) for p in range(4)})

    feeder = asyncio.create_task(feed())
    workers = [
        LocalWorker(cluster, topic, group=group, positions=SlowToStart(), max_batch_records=7)
        for _ in range(3)
    ]
    async with workers[0]:
        await until(lambda: len(workers[0].records) > 100)
        # The second joins while the first may still look for its start, the third while both do.
        async with workers[1], workers[2]:
            await until(lambda: all(len(worker.records) > 100 for worker in workers))
        await until(lambda: len(workers[0].consumer.assignment()) == 4)
        seen = len(workers[0].records)
        await until(lambda: len(workers[0].records) > seen + 100)
        feeding = False
        await feeder

    for worker in workers:
        starts: dict[tuple[int, TP], int] = {}
        for assignment, start in worker.app.positions.starts:
            starts.update({(assignment, tp): offset for tp, offset in start.items()})
        assert worker.batches
        reached: dict[tuple[int, TP], int] = {}
        for batch in worker.batches:
            key = batch.assignment, TP(batch.topic, batch.partition)
            assert batch.first_offset == reached.get(key, starts[key])
            reached[key] = batch.last_offset + 1


async def test_positions_are_told_of_revoked_partitions_after_the_last_commit(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(5), 1: rows(5)})
    told: list[Any] = []

    class Ordered(RecordingPositions):
        async def revoked(self, tps: Any) -> None:
            told.append((set(tps), await cluster.committed(group, topic)))

    worker = LocalWorker(cluster, topic, group=group, positions=Ordered(), commit_interval_s=3600.0)
    async with worker:
        await until(lambda: len(worker.records) == 10)
        async with LocalWorker(cluster, topic, group=group):
            await until(lambda: told)

    assert told[0] == ({TP(topic, 0), TP(topic, 1)}, {0: 5, 1: 5})


@pytest.mark.parametrize("question", ["start_at", "before_commit", "revoked"])
async def test_positions_that_raise_crash_the_worker_with_their_message(
    cluster: Cluster, group: str, question: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(5)})
    positions = RecordingPositions()

    async def fail(*_: Any) -> Any:
        raise LookupError("the tables are empty")

    setattr(positions, question, fail)
    worker = LocalWorker(cluster, topic, group=group, positions=positions)
    starting = asyncio.create_task(worker.app.start())
    if question == "revoked":
        await until(lambda: worker.records)
        async with LocalWorker(cluster, topic, group=group):
            await until(lambda: worker.crash_reason is not None)
    await until(lambda: worker.crash_reason is not None)
    await worker.app.stop()
    await starting

    assert "the tables are empty" in str(worker.crash_reason)


async def test_start_positions_that_never_come_crash_the_worker(
    cluster: Cluster, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await cluster.topic(1)

    class Stuck(RecordingPositions):
        async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> Mapping[TP, int]:
            await asyncio.Event().wait()
            return {}

    worker = LocalWorker(cluster, topic, group=group, positions=Stuck())
    worker.app.conf.broker_request_timeout = 7.0
    starting = asyncio.create_task(worker.app.start())
    await until(lambda: worker.crash_reason is not None)
    await worker.app.stop()
    await starting

    assert "no start positions of the partitions in 6 s" in str(worker.crash_reason)
