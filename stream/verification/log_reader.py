"""A topic from its beginning to where it ends now."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import OperatorError, StateUnavailable
from stream.kafka_address import client_options, shown

FETCH_TIMEOUT_MS = 1_000
PROBE_TIMEOUT_MS = 5_000
"""A record that is there has come by then."""
STALLED_ROUNDS = 30
"""Fetches in a row that may bring nothing before we give up; about half a minute."""


async def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The offset after the last record of each partition. Raises OperatorError when the topic is missing."""
    async with _Consumer(bootstrap) as consumer:
        return {tp.partition: end for tp, end in (await _ends(consumer, topic)).items()}


async def log_bounds(bootstrap: str, topic: str) -> tuple[dict[int, int], dict[int, int]]:
    """First offset still there, and the one after the last, of each partition. Raises as `end_offsets` does."""
    async with _Consumer(bootstrap) as consumer:
        ends = await _ends(consumer, topic)
        begins = await consumer.beginning_offsets(list(ends))
    return {tp.partition: begin for tp, begin in begins.items()}, {
        tp.partition: end for tp, end in ends.items()
    }


async def has_record(bootstrap: str, topic: str, partition: int, offset: int) -> bool:
    """Whether a partition holds a record at `offset` or behind it that a worker would be given.

    Raises OperatorError when the broker does not answer.
    """
    async with _Consumer(bootstrap, isolation_level="read_committed") as consumer:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        consumer.seek(tp, offset)
        return bool(await consumer.getmany(tp, timeout_ms=PROBE_TIMEOUT_MS))


async def record_at(
    bootstrap: str, topic: str, partition: int, offset: int
) -> ConsumerRecord[bytes, bytes] | None:
    """The record at an offset; None when the log no longer holds it.

    Raises OperatorError when the broker does not answer.
    """
    async with _Consumer(bootstrap) as consumer:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        if (await consumer.beginning_offsets([tp]))[tp] > offset:
            return None
        consumer.seek(tp, offset)
        fetched = await consumer.getmany(tp, timeout_ms=PROBE_TIMEOUT_MS, max_records=1)
        record: ConsumerRecord[bytes, bytes] | None = next(iter(fetched.get(tp, [])), None)
        return record if record is not None and record.offset == offset else None


async def read_log(bootstrap: str, topic: str) -> AsyncGenerator[ConsumerRecord[bytes, bytes], None]:
    """Every record there is for a worker when the reading begins; those of one partition in offset order.

    What a producer aborted is left out, and what stands behind a transaction that is still open.
    Raises OperatorError when there is no such topic, StateUnavailable when the broker stops answering.
    """
    async with _Consumer(bootstrap, isolation_level="read_committed") as consumer:
        ends = await _ends(consumer, topic)
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        left = {tp: end for tp, end in ends.items() if await consumer.position(tp) < end}
        before, stalled = dict[TopicPartition, int](), 0
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=FETCH_TIMEOUT_MS)
            for tp, records in fetched.items():
                for record in records:
                    if record.offset < ends[tp]:
                        yield record
            # Where compaction or a transaction's end left a hole, the position goes past it without a record.
            places = {tp: await consumer.position(tp) for tp in left}
            stalled = 0 if places != before else stalled + 1
            before, left = places, {tp: end for tp, end in left.items() if places[tp] < end}
            if stalled == STALLED_ROUNDS:
                raise StateUnavailable(f"{topic} gives no more records; still to read: {_told(left)}")


async def _ends(consumer: Any, topic: str) -> dict[TopicPartition, int]:
    partitions = consumer.partitions_for_topic(topic) or ()
    if not partitions:
        raise OperatorError(
            f"There is no topic {topic}.",
            "Check --broker and the topic prefix, or run `basketstream topics create`.",
        )
    tps = [TopicPartition(topic, partition) for partition in sorted(partitions)]
    starts = await consumer.beginning_offsets(tps)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
    return {**ends, **await _high_watermarks(consumer, {tp: ends[tp] for tp in tps if starts[tp] < ends[tp]})}


async def _high_watermarks(consumer: Any, ends: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
    """The ends as a fetch tells them; for a consumer that reads what is committed, of that.

    Asked for the latest offset, the embedded broker (0.6) names the one after the *first* record of the last
    batch; its fetches tell the truth. Apache Kafka says the same both times.
    """
    consumer.assign(list(ends))
    for tp, end in ends.items():
        consumer.seek(tp, end - 1)
    for _ in range(STALLED_ROUNDS):
        told = {tp: _told_end(consumer, tp) for tp in ends}
        if None not in told.values():
            return {tp: max(end, told[tp] or 0) for tp, end in ends.items()}
        await consumer.getmany(*[tp for tp, end in told.items() if end is None], timeout_ms=FETCH_TIMEOUT_MS)
    raise StateUnavailable("the broker does not tell where its topics end")


def _told_end(consumer: Any, tp: TopicPartition) -> int | None:
    """Where a partition ends as the last fetch told it; None before that. The embedded broker knows no transactions."""
    stable: int | None = consumer.last_stable_offset(tp)
    committed = consumer._isolation_level == "read_committed" and stable is not None and stable >= 0
    end: int | None = stable if committed else consumer.highwater(tp)
    return end


def _told(left: dict[TopicPartition, int]) -> str:
    return ", ".join(f"partition {tp.partition} to {end}" for tp, end in left.items())


class _Consumer:
    """A consumer outside of any group, started and stopped."""

    def __init__(self, bootstrap: str, *, isolation_level: str = "read_uncommitted") -> None:
        self._bootstrap, self._isolation_level = bootstrap, isolation_level

    async def __aenter__(self) -> Any:
        self._consumer: Any = AIOKafkaConsumer(
            **client_options(self._bootstrap),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=self._isolation_level,
            fetch_max_bytes=16 << 20,
            max_partition_fetch_bytes=4 << 20,
        )
        try:
            await self._consumer.start()
            await self._consumer._client.force_metadata_update()
        except (KafkaError, OSError) as exc:
            await self._consumer.stop()
            raise OperatorError(
                f"Kafka does not answer at {shown(self._bootstrap)}: {exc}",
                "Start it, or name the right address with --broker or BASKETSTREAM_BROKER.",
            ) from exc
        except BaseException:
            await self._consumer.stop()
            raise
        return self._consumer

    async def __aexit__(self, *exc: object) -> None:
        await self._consumer.stop()
