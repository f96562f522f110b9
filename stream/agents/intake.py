"""Intake: the records of a batch become events, or dead letters, each on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from aiokafka import ConsumerRecord
from msgspec import Struct

from stream.batches import RecordBatch
from stream.cloudevents import event_bytes
from stream.codec import check_key, check_time, decode
from stream.dead_letters import DeadLetter
from stream.errors import PoisonEvent
from stream.events import Event

E = TypeVar("E", bound=Event)


class Received(NamedTuple, Generic[E]):
    """An event, the record it came in, and its time in ms since 1970. `event` is None for a tombstone."""

    record: ConsumerRecord
    event: E
    occurred_ms: int


class Intake(NamedTuple, Generic[E]):
    """What a batch held: events in offset order, keys whose value is null, and what could not be read."""

    received: list[Received[E]]
    tombstones: list[tuple[ConsumerRecord, str]]
    letters: list[DeadLetter]


def take_in(
    batch: RecordBatch, event_type: type[E], ident: Callable[[E], str], *, compacted: bool = False
) -> Intake[E]:
    """Read every record; on a compacted topic a record without value is a deletion, elsewhere it is poison."""
    received: list[Received[E]] = []
    tombstones: list[tuple[ConsumerRecord, str]] = []
    letters: list[DeadLetter] = []
    for record in batch.records:
        try:
            if compacted and record.value is None:
                tombstones.append((record, _key(record)))
                continue
            event = decode(event_type, event_bytes(record.value, record.headers, batch.topic))
            check_key(ident(event), record.key)
            received.append(Received(record, event, check_time(event.occurred_at, record.timestamp)))
        except PoisonEvent as poison:
            letters.append(DeadLetter(record, poison, "decode"))
    return Intake(received, tombstones, letters)


def _key(record: ConsumerRecord) -> str:
    if not record.key:
        raise PoisonEvent("KEY_MISSING", "key", "a deletion names what it deletes in its key")
    try:
        return str(record.key, "utf-8")
    except UnicodeDecodeError as exc:
        raise PoisonEvent("NOT_UTF8", "key", str(exc)) from exc
