"""The door: a Kafka record becomes a typed event that may be trusted, or a dead letter.

Order of the checks: what the headers say it is, its bytes, its key, its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from aiokafka import ConsumerRecord

from stream.channels import Channel
from stream.cloudevents import event_bytes
from stream.codec import check_key, check_time, decode, key_id
from stream.dead_letters import DeadLetter
from stream.errors import PoisonEvent
from stream.events import Event

E = TypeVar("E", bound=Event)

STAGE = "decode"


class Received(NamedTuple, Generic[E]):
    """An event, its time in ms since 1970, and the record it came in."""

    event: E
    occurred_at_ms: int
    record: ConsumerRecord


class Tombstone(NamedTuple):
    """A record without a value: what `id` names is no more."""

    id: str
    record: ConsumerRecord


def receive(channel: Channel[E], record: ConsumerRecord) -> Received[E]:
    """The event in a record; raises PoisonEvent when it cannot be used."""
    event = decode(channel.event_type, event_bytes(channel, record.value, record.headers))
    check_key(getattr(event, channel.key), record.key)
    return Received(event, check_time(event.occurred_at, record.timestamp), record)


def receive_all(
    channel: Channel[E], records: Iterable[ConsumerRecord]
) -> tuple[list[Received[E]], list[DeadLetter]]:
    """The usable events of a batch in log order, and the letters; a broken record harms no neighbour."""
    received: list[Received[E]] = []
    letters: list[DeadLetter] = []
    for record in records:
        try:
            received.append(receive(channel, record))
        except PoisonEvent as error:
            letters.append(DeadLetter(record, error, STAGE))
    return received, letters


def receive_changes(
    channel: Channel[E], records: Iterable[ConsumerRecord]
) -> tuple[list[Received[E] | Tombstone], list[DeadLetter]]:
    """As `receive_all`, for a compacted topic: a null value is a tombstone, in its place in the log."""
    changes: list[Received[E] | Tombstone] = []
    letters: list[DeadLetter] = []
    for record in records:
        try:
            if record.value is None:
                changes.append(Tombstone(key_id(record.key), record))
            else:
                changes.append(receive(channel, record))
        except PoisonEvent as error:
            letters.append(DeadLetter(record, error, STAGE))
    return changes, letters
