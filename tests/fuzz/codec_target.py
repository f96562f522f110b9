"""The codec under fuzz: whatever the bytes are, an event that survives its own encoding or a PoisonEvent comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from stream.channels import CHANNELS
from stream.codec import decode, encode
from stream.errors import PoisonEvent
from tests.broken_records import BROKEN

EVENT_TYPES: tuple[type[Struct], ...] = tuple(channel.event_type for channel in CHANNELS)
TOPICS: tuple[str, ...] = tuple(channel.topic for channel in CHANNELS)
MAX_SEED_BYTES = 4_096
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"


def check_bytes(data: bytes) -> bool:
    """One input: a byte that chooses the type of event, then the record's value. Whether it was an event."""
    if not data:
        return False
    event_type = EVENT_TYPES[data[0] % len(EVENT_TYPES)]
    try:
        event = decode(event_type, data[1:])
    except PoisonEvent:
        return False
    raw = encode(event)
    again = decode(event_type, raw)
    assert again == event, "an event is not what it was after it was encoded"
    assert encode(again) == raw, "encoding an event twice gives two things"
    return True


def seeds() -> Iterator[bytes]:
    """Where fuzzing begins: the examples of the contract, and a broken record of every kind."""
    for number, topic in enumerate(TOPICS):
        for path in sorted(EXAMPLES.glob(f"{topic}.*.json")):
            yield bytes([number]) + path.read_bytes()
        for broken in BROKEN.get(topic, {}).values():
            if broken.value is not None and len(broken.value) <= MAX_SEED_BYTES:
                yield bytes([number]) + broken.value


def words() -> set[str]:
    """Names of fields and words of the contract, for a fuzzer's dictionary."""
    found: set[str] = set()
    for raw in seeds():
        found.update(part for part in raw[1:].decode(errors="ignore").split('"') if part.isidentifier())
    return found
