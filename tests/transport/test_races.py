"""Timings that a broker shows once a month, brought about on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, KafkaTimeoutError, TopicAuthorizationFailedError
from faust.types import TP

from stream.consumer_thread import FETCH_MAX_WAIT_MS
from stream.transport import RecordBatch
from tests.transport.workers import Cluster, LocalWorker, RecordingPositions, equals, rows, until, until_async


def hold_one_fetch(worker: LocalWorker, until_sought: bool) -> asyncio.Event:
    """Make the next fetch of a worker outlast a rebalance; returns the event that says it is held."""
    consumer, held = worker.consumer, asyncio.Event()
    fetch = consumer._thread.getmany
    generation = worker.app.consumer_generation_id

    async def slow_fetch(*args: Any, **kwargs: Any) -> Any:
        consumer._thread.getmany = fetch
        held.set()
        await until(lambda: worker.app.consumer_generation_id > generation)
        for _ in range(50):
            if until_sought and consumer._sought == worker.app.consumer_generation_id:
                break
            await asyncio.sleep(0.01)
        consumer.flow_active, flowing = True, consumer.flow_active
        try:
            return await fetch(*args, **kwargs)
        finally:
            consumer.flow_active = flowing

    consumer._thread.getmany = slow_fetch
    return held


@pytest.mark.parametrize("until_sought", [False, True], ids=["before the seek", "after the seek"])
@pytest.mark.parametrize("committed", [True, False])
async def test_a_fetch_that_outlasts_a_rebalance_leaves_no_gap(
    cluster: Cluster, group: str, until_sought: bool, committed: bool
) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(10), 1: rows(10)})

    async def maybe_finish(batch: RecordBatch) -> None:
        if committed:
            batch.finish()

    worker = LocalWorker(cluster, topic, group=group, handle=maybe_finish, session_timeout_s=25.0)
    async with worker:
        await until(lambda: len(worker.records) == 20)
        await hold_one_fetch(worker, until_sought).wait()
        await cluster.fill(topic, {0: rows(10), 1: rows(10)})
        worker.batches.clear()
        async with LocalWorker(cluster, topic, group=group) as second:
            await until(lambda: len(worker.consumer.assignment()) == 1)
            await until(lambda: len({r for r in [*worker.records, *second.records] if r[1] >= 10}) == 20)

    both = worker.records + second.records
    expected = range(10 if committed else 0, 20)
    assert sorted(both) == [(p, offset) for p in range(2) for offset in expected]


async def test_a_flow_resumed_too_early_delivers_nothing_before_the_seek(
    cluster: Cluster, group: str
) -> None:
    # faust-streaming #217, #241, made certain: the flow is resumed long before Faust seeks.
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(20)})
    async with LocalWorker(cluster, topic, group=group) as first:
        await until(lambda: len(first.records) == 20)
    await cluster.fill(topic, {0: rows(5)})
    positions = RecordingPositions()

    async def two_back(committed: Mapping[TP, int | None], generation: int) -> Mapping[TP, int]:
        return dict.fromkeys(committed, 3)

    positions.start_at = two_back  # type: ignore[method-assign]
    worker = LocalWorker(cluster, topic, group=group, positions=positions)
    worker.app.conf.stream_recovery_delay = 0.5

    async def resume(app: Any, assigned: Any, **_: Any) -> None:
        app.flow_control.resume()
        app.consumer.resume_partitions(assigned)
        app.consumer.resume_flow()
        await app._fetcher.maybe_start()

    worker.app.on_partitions_assigned.connect(resume)
    async with worker:
        await until(lambda: len(worker.records) >= 22)

    assert worker.records == [(0, offset) for offset in range(3, 25)]


async def test_a_rebalance_during_the_look_for_the_start_begins_it_anew(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(2)
    await cluster.fill(topic, {0: rows(10), 1: rows(10)})
    looking = asyncio.Event()

    class WaitsForRevocation(RecordingPositions):
        async def start_at(self, committed: Mapping[TP, int | None], generation: int) -> Mapping[TP, int]:
            answer = await super().start_at(committed, generation)
            if len(self.starts) == 1:
                looking.set()
                await until(lambda: worker.consumer._revocations > 1)
            return answer

    positions = WaitsForRevocation()
    worker = LocalWorker(cluster, topic, group=group, positions=positions)
    starting = asyncio.create_task(worker.app.start())
    await looking.wait()
    async with LocalWorker(cluster, topic, group=group) as second:
        await starting
        await until(lambda: len(worker.records) + len(second.records) == 20)
    await worker.app.stop()

    assert worker.crash_reason is None
    assert [len(starts) for _, starts in positions.starts] == [2, 1]
    assert sorted(worker.records + second.records) == [(p, o) for p in range(2) for o in range(10)]


@pytest.mark.parametrize("error", [CommitFailedError(), KafkaTimeoutError()])
async def test_a_commit_that_a_rebalance_or_a_timeout_stopped_is_made_later(
    cluster: Cluster, group: str, error: Exception
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    worker = LocalWorker(cluster, topic, group=group, commit_interval_s=0.1)
    failures = [error, error]

    async def fail_first(offsets: Any) -> None:
        if failures:
            raise failures.pop()
        await commit(offsets)

    async with worker:
        kafka = worker.consumer._thread._consumer
        commit, kafka.commit = kafka.commit, fail_first
        await until_async(lambda: equals(cluster.committed(group, topic), {0: 10}))

    assert failures == []
    assert worker.crash_reason is None


async def test_a_commit_that_kafka_will_never_take_crashes_the_worker(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    worker = LocalWorker(cluster, topic, group=group)

    async def refuse(offsets: Any) -> None:
        raise TopicAuthorizationFailedError(topic)

    async with worker:
        worker.consumer._thread._consumer.commit = refuse
        await until(lambda: worker.crash_reason is not None)

    assert isinstance(worker.crash_reason, TopicAuthorizationFailedError)


async def test_a_consumer_thread_that_died_stops_the_worker_and_does_not_hang_it(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    worker = LocalWorker(cluster, topic, group=group, commit_interval_s=3600.0)

    async with worker:
        await until(lambda: len(worker.records) == 10)
        thread = worker.consumer._thread
        asyncio.run_coroutine_threadsafe(thread.crash(RuntimeError("out of threads")), thread.thread_loop)
        await until(lambda: worker.crash_reason is not None)

    assert "out of threads" in str(worker.crash_reason)


async def test_the_last_commit_is_made_though_another_one_is_under_way(cluster: Cluster, group: str) -> None:
    # Faust's own commit returns at once while another one runs, so the last batch would be read again.
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    release = asyncio.Event()
    positions = RecordingPositions()
    recorded = positions.before_commit

    async def slow_first_commit(offsets: Mapping[TP, int]) -> Mapping[TP, int]:
        await recorded(offsets)
        if len(positions.commits) == 1:
            await release.wait()
        return offsets

    positions.before_commit = slow_first_commit  # type: ignore[method-assign]
    worker = LocalWorker(cluster, topic, group=group, positions=positions, max_batch_records=5)
    async with worker:
        await until(lambda: positions.commits)
        await cluster.fill(topic, {0: rows(10)})
        await until(lambda: len(worker.records) == 20)
        second = LocalWorker(cluster, topic, group=group)
        joining = asyncio.create_task(second.app.start())
        await until(lambda: worker.consumer._revocations > 1)
        release.set()
        await joining
        await cluster.fill(topic, {0: rows(5)})
        await until(lambda: {(0, offset) for offset in range(20, 25)} <= {*worker.records, *second.records})
        await second.app.stop()

    assert sorted(worker.records + second.records) == [(0, offset) for offset in range(25)]


async def test_a_batch_that_never_ends_does_not_hold_the_group_up_and_counts_for_nothing(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    release = asyncio.Event()

    async def hang(batch: RecordBatch) -> None:
        await release.wait()
        batch.finish()

    positions = RecordingPositions()
    stuck = LocalWorker(
        cluster, topic, group=group, handle=hang, positions=positions, rebalance_timeout_s=3.0
    )
    async with stuck:
        await until(lambda: len(stuck.records) == 10)
        second = LocalWorker(cluster, topic, group=group, rebalance_timeout_s=3.0)
        async with second:
            await until(lambda: bool(positions.released))
            release.set()
            await until(lambda: stuck.batches[0].finished)
            await until(lambda: len(stuck.records) + len(second.records) == 20)

    assert sorted(stuck.records + second.records) == sorted([(0, o) for o in range(10)] * 2)


async def test_a_stop_in_the_middle_of_a_rebalance_commits_and_leaves_the_group(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})
    release = asyncio.Event()

    async def wait_for_release(batch: RecordBatch) -> None:
        await release.wait()
        batch.finish()

    worker = LocalWorker(cluster, topic, group=group, handle=wait_for_release, session_timeout_s=25.0)
    await worker.app.start()
    await until(lambda: worker.records)
    stopping = asyncio.create_task(worker.app.stop())
    await until(lambda: worker.app.should_stop)
    second = LocalWorker(cluster, topic, group=group)
    joining = asyncio.create_task(second.app.start())
    await until(lambda: worker.consumer._revocations > 1)
    release.set()
    await stopping
    await joining
    members = await cluster.members(group)
    await cluster.fill(topic, {0: rows(1)})
    await until(lambda: second.records)
    await second.app.stop()

    assert members == 1
    assert worker.crash_reason is None
    assert second.records == [(0, 10)]


async def test_the_fetch_settings_that_faust_fixes_are_ours(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)

    async with LocalWorker(cluster, topic, group=group) as worker:
        fetcher = worker.consumer._thread._consumer._fetcher

    assert fetcher._fetch_max_wait_ms == FETCH_MAX_WAIT_MS
    assert fetcher._isolation_level == 1  # read_committed
