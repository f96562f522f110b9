"""Reading a dead-letter topic: the letters, and the markers that say which of them were replayed.

A marker has the header `basketstream.replayed`; its value lists offsets of its own partition.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec
from aiokafka import ConsumerRecord

from stream import dead_letters as header
from stream.partitioner import partition_of
from stream.publisher import Outgoing
from stream.topics import admin_client, dead_letter_topic, partition_counts
from stream.verification.log_reader import read_log

REPLAYED = "basketstream.replayed"

#: Bytes of a letter's value that a listing shows.
PREVIEW_BYTES = 1024

#: A listing lets so many views more than asked for gather before it drops the older ones.
_SPARE = 200


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


@dataclass(frozen=True, slots=True)
class DeadLetterLog:
    """The dead letters of one topic, and which of them were replayed."""

    bootstrap: str
    name: str
    partitions: int
    replayed: frozenset[tuple[int, int]]
    """(partition, offset) of every letter that a marker names."""

    async def letters(self) -> AsyncGenerator[ConsumerRecord, None]:
        """Every letter there is now, each partition in order."""
        async with aclosing(read_log(self.bootstrap, self.name)) as records:
            async for record in records:
                if not _is_marker(record):
                    yield record

    def is_replayed(self, record: ConsumerRecord) -> bool:
        """Whether an earlier replay sent this letter."""
        return (record.partition, record.offset) in self.replayed


async def open_dead_letters(bootstrap: str, topic: str) -> DeadLetterLog:
    """The dead letters of `topic`. Raises OperatorError when nothing was made to hold them."""
    name = dead_letter_topic(topic)
    replayed: set[tuple[int, int]] = set()
    async with aclosing(read_log(bootstrap, name)) as records:
        async for record in records:
            if _is_marker(record):
                offsets = msgspec.json.decode(record.value, type=list[int])
                replayed.update((record.partition, offset) for offset in offsets)
    async with admin_client(bootstrap) as admin:
        counts = await partition_counts(admin)
    return DeadLetterLog(bootstrap, name, counts[name], frozenset(replayed))


async def list_dead_letters(bootstrap: str, topic: str, *, limit: int) -> list[DeadLetterView]:
    """The newest `limit` dead letters of `topic`, oldest first. Raises OperatorError without such a topic."""
    newest: list[DeadLetterView] = []
    log = await open_dead_letters(bootstrap, topic)
    async for record in log.letters():
        newest.append(_view(record, replayed=log.is_replayed(record)))
        if len(newest) >= 2 * limit + _SPARE:
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
