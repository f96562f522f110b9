"""The order log: finding an order by its id, and replacing its record when nobody else has changed it."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from typing import NamedTuple

from stream.tables.fences import APPLIED, Owner
from stream.tables.ids import order_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_record import OrderRecord, pack, unpack
from stream.tables.store import Script, Store

CLAIM = struct.Struct(">IQi")
"""Partition, offset and pane of the record that placed an order."""

CLOSED, CHANGED = 5, 6
"""Answers of the scripts: the order's pane is being expired; somebody else was faster."""

_PANES_AT_ONCE = 50


class Logged(NamedTuple):
    """An order in the log, as it was read."""

    tag: int
    partition: int
    offset: int
    pane: int
    raw: bytes

    @property
    def record(self) -> OrderRecord:
        """What `raw` says."""
        return unpack(self.raw)

    def amended(self, record: OrderRecord) -> Logged:
        """The same order with another record."""
        return self._replace(raw=pack(record))


class OrderLog:
    """Logged orders, one at a time."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def find(self, ident: bytes) -> tuple[bool, Logged | None]:
        """Whether an order of this id (16 bytes) is claimed, and the order unless its pane is just being dropped."""
        tag = tag_of(ident, self._tags)
        claim = (await self._store.commands([("HGET", self._keys.claims(tag), ident)]))[0]
        if claim is None:
            return False, None
        return True, await self.read(tag, *CLAIM.unpack(claim))

    async def at(self, order: str, partition: int, offset: int, pane: int) -> Logged | None:
        """The order that the record at this place logged; None once its pane is dropped."""
        return await self.read(tag_of(order_id(order), self._tags), partition, offset, pane)

    async def read(self, tag: int, partition: int, offset: int, pane: int) -> Logged | None:
        """The same where the tag is known."""
        log = self._keys.pane(tag, partition, pane)
        raw = (await self._store.commands([("HGET", log, offset.to_bytes(8, "big"))]))[0]
        return None if raw is None else Logged(tag, partition, offset, pane, raw)

    async def walk(self) -> AsyncIterator[Logged]:
        """Every logged order. One that is placed meanwhile may be missing."""
        members = await self._store.commands([("SMEMBERS", self._keys.panes(t)) for t in range(self._tags)])
        panes = [
            (tag, int(partition), int(pane))
            for tag, names in enumerate(members)
            for partition, pane in sorted(name.split(b":") for name in names)
        ]
        for start in range(0, len(panes), _PANES_AT_ONCE):
            some = panes[start : start + _PANES_AT_ONCE]
            answers = await self._store.commands([("HGETALL", self._keys.pane(*place)) for place in some])
            for (tag, partition, pane), fields in zip(some, answers, strict=True):
                for field, raw in zip(fields[::2], fields[1::2], strict=True):
                    yield Logged(tag, partition, int.from_bytes(field, "big"), pane, raw)

    async def is_closed(self, logged: Logged) -> bool:
        """Whether the order's pane is being expired, as any tag knows: that of the order may have lost it."""
        member = pane_member(logged.partition, logged.pane)
        answers = await self._store.commands(
            [("SISMEMBER", self._keys.closed(tag), member) for tag in range(self._tags)]
        )
        return any(map(int, answers))

    async def amend(
        self, owner: Owner, logged: Logged, record: OrderRecord, *, even_closed: bool = False
    ) -> int:
        """Put `record` in the place of what was read: APPLIED, CLOSED or CHANGED. Raises Superseded, StateLost."""
        member = "" if even_closed else pane_member(logged.partition, logged.pane)
        script = Script(
            "amend_order",
            [
                *(self._keys.fences(logged.tag), self._keys.closed(logged.tag)),
                self._keys.pane(logged.tag, logged.partition, logged.pane),
            ],
            [
                *(owner.source, owner.epochs[logged.tag], logged.offset.to_bytes(8, "big")),
                *(logged.raw, pack(record), member),
            ],
        )
        answer = (await self._store.scripts([script]))[0]
        code = int(answer[0])
        if code not in (APPLIED, CLOSED, CHANGED):
            owner.settle(owner.source, logged.tag, answer, -1)
        return code


def pane_member(partition: int, pane: int) -> str:
    """How the sets `panes` and `closed` name a pane of a partition."""
    return f"{partition}:{pane}"
