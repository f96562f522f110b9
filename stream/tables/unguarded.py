"""Undos that no fence guards: what was undone of an order while its own record, or the return's, was read again.

A tag that loses its tail gets its undos again because the fence of the order or that of the return went back with
them. But an order that only its own tag has lost may be read again while another tag has counted it already, and a
return that waited for it was handled long ago: both fences of that other tag are past, so if it loses what it is told
now, nothing is read again. Such an order is noted beside its record before anything is taken away, and settled again
by whoever owns its partition, until what Redis acknowledged is safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream.tables.ids import customer_id
from stream.tables.keys import Keys
from stream.tables.order_log import Logged
from stream.tables.store import Store


class Note(NamedTuple):
    """Where a noted order stands in the order log."""

    tag: int
    partition: int
    offset: int
    pane: int
    customer: bytes
    """Whose order it is, the 16 bytes that keys hold; empty for nobody's. An erased order no longer says."""

    @property
    def member(self) -> str:
        """As it stands in the set of its tag."""
        return f"{self.partition}:{self.offset}:{self.pane}:{self.customer.hex()}"

    @classmethod
    def parse(cls, tag: int, member: bytes) -> Note:
        """From the set of a tag."""
        partition, offset, pane, customer = member.decode().split(":")
        return cls(tag, int(partition), int(offset), int(pane), bytes.fromhex(customer))


class Unguarded:
    """Notes of such orders, each with the tag of its record."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def note(self, orders: Sequence[tuple[Logged, str | None]]) -> None:
        """Write down orders and whose they are; one round trip. Writing it again changes nothing."""
        notes = [Note(*order[:4], customer_id(name) if name else b"") for order, name in orders]
        await self._store.commands([("SADD", self._keys.unguarded(note.tag), note.member) for note in notes])

    async def held(self, partition: int) -> list[Note]:
        """Those of one partition of orders; one round trip."""
        answers = await self._store.commands(
            [("SMEMBERS", self._keys.unguarded(tag)) for tag in range(self._tags)]
        )
        notes = [Note.parse(tag, member) for tag, members in enumerate(answers) for member in members]
        return sorted(note for note in notes if note.partition == partition)

    async def drop(self, notes: Sequence[Note]) -> None:
        """Forget them: what they stand for is safe."""
        await self._store.commands([("SREM", self._keys.unguarded(note.tag), note.member) for note in notes])
