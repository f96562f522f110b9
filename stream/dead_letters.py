"""Dead letters: records that can never be processed, kept byte for byte with the reason in headers.

The headers are those of Kafka Connect, as UTF-8 text, so that tools made for it read ours, and four of our
own: the stable code, the path in the record, the original record's time, and, should the record have been
larger than any topic takes, its true size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aiokafka import ConsumerRecord

from stream.errors import PoisonEvent
from stream.producer import MESSAGE_BYTES
from stream.publisher import Outgoing
from stream.topics import DEAD_LETTER_SUFFIX

TOPIC = "__connect.errors.topic"
PARTITION = "__connect.errors.partition"
OFFSET = "__connect.errors.offset"
STAGE = "__connect.errors.stage"
CLASS_NAME = "__connect.errors.exception.class.name"
MESSAGE = "__connect.errors.exception.message"
CODE = "basketstream.error.code"
PATH = "basketstream.error.path"
TIMESTAMP = "basketstream.error.timestamp"
CUT = "basketstream.error.value.bytes"

OUR_HEADERS = frozenset({TOPIC, PARTITION, OFFSET, STAGE, CLASS_NAME, MESSAGE, CODE, PATH, TIMESTAMP, CUT})

#: Longest message and path in a header, characters: the reason, not the record again.
MAX_TEXT = 500

#: A compressed batch may unpack to a record that no topic takes. So much of it is kept, bytes.
KEPT_BYTES = 1 << 20
_ROOM_FOR_HEADERS = 64 * 1024


class Publishes(Protocol):
    """The side of the Publisher that is needed here."""

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None: ...


class DeadLetter(NamedTuple):
    """A record, why it is dead, and where in our work that showed (`decode`, `apply`, ...)."""

    record: ConsumerRecord
    error: PoisonEvent
    stage: str


class DeadLetters:
    """Sends dead letters to `<topic>-dlt`."""

    def __init__(self, publisher: Publishes, *, suffix: str = DEAD_LETTER_SUFFIX) -> None:
        self._publisher = publisher
        self._suffix = suffix

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when all are acknowledged. Raises StateUnavailable: the batch must not be finished then."""
        by_topic: dict[str, list[Outgoing]] = {}
        for letter in letters:
            by_topic.setdefault(letter.record.topic, []).append(dead_letter_message(letter))
        for topic, messages in by_topic.items():
            await self._publisher.publish(topic + self._suffix, messages)


def dead_letter_message(letter: DeadLetter) -> Outgoing:
    """Key, value and headers of the record as they came, and our headers after them."""
    record = letter.record
    reason, place = _reason(letter), f"{record.partition}/{record.offset}"
    # A replayed letter that dies again carries one reason: the newest.
    original = [(name, value) for name, value in record.headers or () if name not in OUR_HEADERS]
    if _size(record.key, record.value, original) + _ROOM_FOR_HEADERS <= MESSAGE_BYTES:
        return Outgoing(record.key, record.value, [*original, *reason], place)
    size = str(len(record.value or b"")).encode()
    return Outgoing(_start(record.key), _start(record.value), [*reason, (CUT, size)], place)


def _reason(letter: DeadLetter) -> list[tuple[str, bytes]]:
    record, error, stage = letter
    kind = type(error)
    texts = (
        (TOPIC, record.topic),
        (PARTITION, str(record.partition)),
        (OFFSET, str(record.offset)),
        (STAGE, stage),
        (CLASS_NAME, f"{kind.__module__}.{kind.__qualname__}"),
        (MESSAGE, _bounded(error.problem)),
        (CODE, error.code),
        (PATH, _bounded(error.path)),
        (TIMESTAMP, str(record.timestamp)),
    )
    return [(name, text.encode("utf-8", "backslashreplace")) for name, text in texts]


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _size(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> int:
    of_headers = sum(len(name) * 4 + len(text or b"") + 10 for name, text in headers)
    return len(key or b"") + len(value or b"") + of_headers


def _start(data: bytes | None) -> bytes | None:
    return None if data is None else data[:KEPT_BYTES]
