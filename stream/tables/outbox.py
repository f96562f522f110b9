"""The outbox: messages written by the same atomic step as the change they announce, deleted once published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from stream.announcements import TierChanged
from stream.tables.batch import TierTable
from stream.tables.keys import Keys
from stream.tables.store import Store


class Posted(NamedTuple):
    """A message waiting in a tag's outbox."""

    tag: int
    field: bytes
    message: TierChanged


class Outbox:
    """Reads and empties the outboxes. A crash between publishing and `done` repeats a message with its id."""

    def __init__(self, store: Store, keys: Keys, tags: int, tiers: TierTable, window_days: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags
        self._names, self._window_days = tiers.names, window_days

    async def waiting(self, tags: Iterable[int] | None = None) -> list[Posted]:
        """Messages of the given tags (all when None), in a stable order."""
        asked = sorted(set(range(self._tags) if tags is None else tags))
        answers = await self._store.commands([("HGETALL", self._keys.outbox(tag)) for tag in asked])
        return sorted(
            Posted(tag, field, self._message(field, raw))
            for tag, fields in zip(asked, answers, strict=True)
            for field, raw in zip(fields[::2], fields[1::2], strict=True)
        )

    async def done(self, posted: Sequence[Posted]) -> list[Posted]:
        """Delete messages the broker acknowledged; those that were not there any more."""
        held = await self._store.commands([("HDEL", self._keys.outbox(p.tag), p.field) for p in posted])
        return [p for p, deleted in zip(posted, held, strict=True) if not int(deleted)]

    def _message(self, field: bytes, raw: bytes) -> TierChanged:
        name, before, after, spend = msgspec.msgpack.decode(raw, strict=False)
        return TierChanged(
            event_id=blake2b(field, digest_size=16).hexdigest(),
            customer_id=name,
            from_tier=self._names[min(before, len(self._names) - 1)],
            to_tier=self._names[min(after, len(self._names) - 1)],
            spend={currency: int(total) for currency, total in sorted(spend or ())},
            window_days=self._window_days,
        )
