"""The order log: finding an order by its id, and replacing its record when nobody else has changed it."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
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


class Amendment(NamedTuple):
    """An order as it was read, and the record it is to have. `even_closed`: also while its pane is being expired."""

    logged: Logged
    record: OrderRecord
    even_closed: bool = False


class OrderLog:
    """Logged orders, some at a time."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def find(self, idents: Sequence[bytes]) -> list[tuple[bool, Logged | None]]:
        """Whether an order of each id (16 bytes) is claimed, and the order unless its pane is just being dropped.

        Two round trips.
        """
        tags = [tag_of(ident, self._tags) for ident in idents]
        claims = await self._store.commands(
            [("HGET", self._keys.claims(tag), ident) for tag, ident in zip(tags, idents, strict=True)]
        )
        places: list[tuple[int, int, int, int]] = [
            (tag, *CLAIM.unpack(claim)) for tag, claim in zip(tags, claims, strict=True) if claim is not None
        ]
        logged = iter(await self.read(places) if places else [])
        return [(False, None) if claim is None else (True, next(logged)) for claim in claims]

    async def at(self, order: str, partition: int, offset: int, pane: int) -> Logged | None:
        """The order that the record at this place logged; None once its pane is dropped."""
        return (await self.read([(tag_of(order_id(order), self._tags), partition, offset, pane)]))[0]

    async def read(self, places: Sequence[tuple[int, int, int, int]]) -> list[Logged | None]:
        """The orders at these tags, partitions, offsets and panes; None for those whose pane is dropped."""
        raws = await self._store.commands(
            [
                ("HGET", self._keys.pane(tag, partition, pane), offset.to_bytes(8, "big"))
                for tag, partition, offset, pane in places
            ]
        )
        return [None if raw is None else Logged(*place, raw) for place, raw in zip(places, raws, strict=True)]

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

    async def closed(self, orders: Sequence[Logged]) -> list[bool]:
        """Whether each order's pane is being expired, as any tag knows: that of the order may have lost it."""
        if not orders:
            return []
        answers = await self._store.commands(
            [("SMEMBERS", self._keys.closed(tag)) for tag in range(self._tags)]
        )
        members = set().union(*answers)
        return [pane_member(order.partition, order.pane).encode() in members for order in orders]

    async def amend(self, owner: Owner, amendments: Sequence[Amendment]) -> list[int]:
        """Put records in the place of what was read: APPLIED, CLOSED or CHANGED for each.

        One that is as it was read is not written, and APPLIED. Raises Superseded, StateLost.
        """
        codes = [APPLIED] * len(amendments)
        changing = [at for at, new in enumerate(amendments) if pack(new.record) != new.logged.raw]
        if not changing:
            return codes
        answers = await self._store.scripts([self._amend(owner, amendments[at]) for at in changing])
        for at, answer in zip(changing, answers, strict=True):
            codes[at] = int(answer[0])
            if codes[at] not in (APPLIED, CLOSED, CHANGED):
                owner.settle(owner.source, amendments[at].logged.tag, answer, -1)
        return codes

    def _amend(self, owner: Owner, amendment: Amendment) -> Script:
        logged, record, even_closed = amendment
        member = "" if even_closed else pane_member(logged.partition, logged.pane)
        return Script(
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


def pane_member(partition: int, pane: int) -> str:
    """How the sets `panes` and `closed` name a pane of a partition."""
    return f"{partition}:{pane}"
