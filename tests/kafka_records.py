"""Consumer records made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import ConsumerRecord

RECORD_TIME_MS = 1_790_000_000_000
"""2026-09-21T14:13:20Z."""


def kafka_record(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    *,
    headers: Sequence[tuple[str, bytes]] = (),
    timestamp_ms: int | None = RECORD_TIME_MS,
    partition: int = 0,
    offset: int = 0,
) -> ConsumerRecord:
    """A record as aiokafka hands it to a consumer."""
    return ConsumerRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=timestamp_ms,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=-1 if key is None else len(key),
        serialized_value_size=-1 if value is None else len(value),
        headers=tuple(headers),
    )
