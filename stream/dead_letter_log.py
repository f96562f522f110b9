"""Reading a dead-letter topic: the letters, and the markers that say which of them were replayed.

A marker has the header `basketstream.replayed`; its value lists offsets of its own partition.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream import dead_letters as header
from stream.errors import OperatorError
from stream.publisher import MESSAGE_BYTES, Outgoing, partition_of
from stream.topics import admin_client, dead_letter_topic, partition_counts

REPLAYED = "basketstream.replayed"

#: Bytes of a letter's value that a listing shows.
PREVIEW_BYTES = 1024

_FETCH_TIMEOUT_MS = 500
_FETCH_RECORDS = 200


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A dead letter, for people. `partition` and `offset` are its place on the dead-letter topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    original_partition: int | None
    original_offset: int | None
    stage: str
    code: str
    path: str
    problem: str
    key: bytes | None
    preview: bytes
    value_bytes: int
    replayed: bool


@dataclass(slots=True)
class DeadLetterLog:
    """A dead-letter topic up to where it ended when it was opened."""

    consumer: Any
    starts: dict[TopicPartition, int]
    ends: dict[TopicPartition, int]
    replayed: set[tuple[int, int]] = field(default_factory=set)
    """(partition, offset) of every letter that a marker names."""

    @property
    def partitions(self) -> int:
        """How many partitions the topic has."""
        return len(self.ends)

    async def letters(self) -> AsyncIterator[ConsumerRecord]:
        """Every letter, each partition in order."""
        async for record in self._records():
            if not _is_marker(record):
                yield record

    async def find_replayed(self) -> None:
        """Read the markers of all replays so far."""
        async for record in self._records():
            if _is_marker(record):
                offsets = msgspec.json.decode(record.value, type=list[int])
                self.replayed.update((record.partition, offset) for offset in offsets)

    def is_replayed(self, record: ConsumerRecord) -> bool:
        """Whether an earlier replay sent this letter."""
        return (record.partition, record.offset) in self.replayed

    async def _records(self) -> AsyncIterator[ConsumerRecord]:
        for tp, start in self.starts.items():
            self.consumer.seek(tp, start)
        ahead = {tp for tp, start in self.starts.items() if start < self.ends[tp]}
        while ahead:
            fetched = await self.consumer.getmany(
                *ahead, timeout_ms=_FETCH_TIMEOUT_MS, max_records=_FETCH_RECORDS
            )
            for tp, records in fetched.items():
                for record in records:
                    if record.offset < self.ends[tp]:
                        yield record
            # The position, not the last record: a log may end in a gap that a transaction left.
            ahead = {tp for tp in ahead if await self.consumer.position(tp) < self.ends[tp]}


@asynccontextmanager
async def open_dead_letters(bootstrap: str, topic: str) -> AsyncIterator[DeadLetterLog]:
    """The dead letters of `topic`, its replayed ones known. Raises OperatorError without such a topic."""
    name = dead_letter_topic(topic)
    async with admin_client(bootstrap) as admin:
        counts = await partition_counts(admin)
    if name not in counts:
        raise OperatorError(
            f"There is no topic {name}.",
            "Name a topic that is read, without the suffix; `basketstream topics create` makes them.",
        )
    tps = [TopicPartition(name, number) for number in range(counts[name])]
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MESSAGE_BYTES,
    )
    try:
        await consumer.start()
        consumer.assign(tps)
        log = DeadLetterLog(consumer, await consumer.beginning_offsets(tps), await consumer.end_offsets(tps))
        await log.find_replayed()
        yield log
    finally:
        await consumer.stop()


async def list_dead_letters(bootstrap: str, topic: str, *, limit: int) -> list[DeadLetterView]:
    """The newest `limit` dead letters of `topic`, oldest first. Raises OperatorError without such a topic."""
    newest: list[DeadLetterView] = []
    async with open_dead_letters(bootstrap, topic) as log:
        async for record in log.letters():
            newest.append(_view(record, replayed=log.is_replayed(record)))
            if len(newest) >= 2 * limit + _FETCH_RECORDS:
                newest = _last(newest, limit)
    return _last(newest, limit)


def texts_of(record: ConsumerRecord) -> dict[str, str]:
    """Our headers of a letter."""
    ours = ((name, text or b"") for name, text in record.headers if name in header.OUR_HEADERS)
    return {name: text.decode("utf-8", "replace") for name, text in ours}


def markers(records: Sequence[ConsumerRecord], partitions: int) -> list[Outgoing]:
    """Messages that mark these letters as replayed, each bound for the partition of its letters."""
    offsets: dict[int, list[int]] = {}
    for record in records:
        offsets.setdefault(record.partition, []).append(record.offset)
    return [
        Outgoing(_key_of_partition(partition, partitions), msgspec.json.encode(found), [(REPLAYED, b"1")])
        for partition, found in offsets.items()
    ]


def _key_of_partition(partition: int, partitions: int) -> bytes:
    """A key that the publisher places on this partition."""
    keys = (f"replayed-{number}".encode() for number in itertools.count())
    return next(key for key in keys if partition_of(key, partitions) == partition)


def _is_marker(record: ConsumerRecord) -> bool:
    # A letter holds the headers of its producer, who may send any; a marker has no code.
    names = {name for name, _ in record.headers}
    return REPLAYED in names and header.CODE not in names


def _view(record: ConsumerRecord, *, replayed: bool) -> DeadLetterView:
    texts: Mapping[str, str] = texts_of(record)
    value = record.value or b""
    return DeadLetterView(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        original_partition=_number(texts.get(header.PARTITION)),
        original_offset=_number(texts.get(header.OFFSET)),
        stage=texts.get(header.STAGE, ""),
        code=texts.get(header.CODE, ""),
        path=texts.get(header.PATH, ""),
        problem=texts.get(header.MESSAGE, ""),
        key=record.key,
        preview=value[:PREVIEW_BYTES],
        value_bytes=_number(texts.get(header.CUT)) or len(value),
        replayed=replayed,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _last(views: list[DeadLetterView], limit: int) -> list[DeadLetterView]:
    ordered = sorted(views, key=lambda view: (view.timestamp_ms, view.partition, view.offset))
    return ordered[max(0, len(ordered) - limit) :]
