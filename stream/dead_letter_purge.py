"""Deleting the dead letters in which a text stands: a customer's id, after the customer asked to be forgotten.

Kafka deletes the beginning of a partition, nothing out of its middle. So the letters that stay are sent to their topic
again, byte for byte, and then everything before them is deleted. After a crash between the two a letter may be there
twice; the next purge keeps one of them.
"""

from __future__ import annotations

from contextlib import aclosing, suppress
from dataclasses import dataclass

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError

from stream import dead_letters as header
from stream.dead_letter_log import open_dead_letters, texts_of
from stream.dead_letter_replay import SHARE_LETTERS
from stream.dead_letters import Publishes
from stream.errors import OperatorError
from stream.publisher import Outgoing
from stream.topics import admin_client, dead_letter_topic
from stream.verification.log_reader import end_offsets


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What a purge did, or with `dry_run` would have done."""

    dry_run: bool
    purged: int
    """Letters that held the text."""
    kept: int
    replayed: int
    """Letters without it that had been sent to their topic again: deleted as well, their work is done."""


async def purge_dead_letters(
    bootstrap: str, topic: str, text: str, *, publisher: Publishes, dry_run: bool = False
) -> PurgeReport:
    """Delete the dead letters of `topic` that hold `text` in key, value or a header.

    Nothing is touched when there are none. Raises OperatorError without such a topic or when the broker cannot
    delete, StateUnavailable when Kafka does not confirm.
    """
    name = dead_letter_topic(topic)
    ends = await end_offsets(bootstrap, name)
    log = await open_dead_letters(bootstrap, topic)
    kept: list[Outgoing] = []
    seen: set[tuple[str, str, str, str]] = set()
    purged = replayed = 0
    async with aclosing(log.letters()) as letters:
        async for record in letters:
            if record.offset >= ends[record.partition]:
                continue
            if holds(record, text):
                purged += 1
            elif log.is_replayed(record):
                replayed += 1
            elif (place := _place(record)) not in seen:
                seen.add(place)
                kept.append(Outgoing(record.key, record.value, record.headers))
    if purged and not dry_run:
        for start in range(0, len(kept), SHARE_LETTERS):
            await publisher.publish(name, kept[start : start + SHARE_LETTERS])
        await _delete_before(bootstrap, name, ends)
    return PurgeReport(dry_run, purged, len(kept), replayed)


def holds(record: ConsumerRecord[bytes, bytes], text: str) -> bool:
    """Whether the text stands in the record, as UTF-8 or however JSON may write it."""
    plain = text.encode()
    parts = [record.key or b"", record.value or b"", *(value or b"" for _, value in record.headers)]
    if any(plain in part for part in parts):
        return True
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.encode(text)[1:-1] in msgspec.json.encode(
            msgspec.json.decode(record.value or b"")
        )
    return False


def _place(record: ConsumerRecord[bytes, bytes]) -> tuple[str, str, str, str]:
    """Where the dead record was and what was wrong: the same for a letter that was sent twice."""
    texts = texts_of(record)
    names = (header.TOPIC, header.PARTITION, header.OFFSET, header.CODE)
    if header.OFFSET not in texts:
        return ("", str(record.partition), str(record.offset), "")
    topic, partition, offset, code = (texts.get(name, "") for name in names)
    return (topic, partition, offset, code)


async def _delete_before(bootstrap: str, name: str, ends: dict[int, int]) -> None:
    records = {
        TopicPartition(name, partition): RecordsToDelete(before_offset=end)
        for partition, end in ends.items()
        if end
    }
    async with admin_client(bootstrap) as admin:
        try:
            await admin.delete_records(records)
        except KafkaError as exc:
            raise OperatorError(
                f"Kafka did not delete the old records of {name} ({type(exc).__name__}): what stays is there twice.",
                "Give this client the right to delete on the topic (the embedded broker cannot), and run it again.",
            ) from exc
