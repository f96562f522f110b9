"""Undoing: what returns and erasures take from an order is taken from each tag once, in the order of its record.

Each tag has a mark for each order of which anything was undone: how many of the record's undos it has. Whoever
comes, the worker of the return, of the order or of the erasure, takes the tag from there to where the record is;
so it does not matter who comes first, who is cut off, or what a replay finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from stream.errors import StateUnavailable
from stream.tables.batch import AccountEntry, Applied, Change, Fenced, FencedBatch
from stream.tables.deltas import WeightedOrder
from stream.tables.diary import entries
from stream.tables.fences import Owner
from stream.tables.ids import customer_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_log import Logged, OrderLog
from stream.tables.order_record import Left, OrderRecord, split
from stream.tables.store import Store
from stream.tables.unguarded import Unguarded

ERASURE = 1_000_000
"""The number of an erasure among an order's undos: behind all returns there can be, however many came before it."""


NOTES_AT_ONCE = 100
"""Noted orders that are settled together."""


class Unsettled(NamedTuple):
    """An order of whose undos some tags may lack the first `upto` (all when None).

    `customer` is whose order it was, which the record of an erased one no longer says: without it an account that
    Redis has lost the tail of would be passed over. `replayed`: the record that asks for it is read again by some
    tag (`Owner.replays`).
    """

    logged: Logged
    upto: int | None = None
    customer: str | None = None
    replayed: bool = False

    @property
    def whose(self) -> str | None:
        """The customer, if anybody knows."""
        return self.logged.record.customer_id or self.customer

    def changes(self) -> list[Change]:
        """What is to be taken from the tables."""
        record = self.logged.record
        if record.customer_id is None and self.customer is not None:
            record = msgspec.structs.replace(record, customer_id=self.customer)
        return undo_changes(record, self.logged.pane)[: self.upto]


class Undoing:
    """Applies the undos of logged orders."""

    def __init__(self, store: Store, keys: Keys, tags: int, batch: FencedBatch, log: OrderLog) -> None:
        self._store, self._keys, self._tags, self._batch, self._log = store, keys, tags, batch, log
        self._unguarded = Unguarded(store, keys, tags)

    async def check_returns(self, logged: Logged, customer: str) -> None:
        """Raise StateUnavailable while some tag has returns that the record has lost, and that are being read again.

        Returns and erasures come from different topics. Without this an erasure that is faster than they are would
        not know what those returns have taken already.
        """
        mark, record = _mark_of(logged), logged.record
        idents = [*split(record.counted), customer_id(customer)]
        tags = sorted({tag_of(ident, self._tags) for ident in idents})
        held = await self._store.commands(
            [("HGET", self._keys.undone(tag, logged.partition, logged.pane), mark) for tag in tags]
        )
        most = max((_returns_in(raw) for raw in held if raw is not None), default=0)
        if len(record.undone) < most:
            raise StateUnavailable(f"order {mark} waits for {most} returns of it to be read again")

    async def most_returns(self, orders: Sequence[Logged]) -> list[int]:
        """The most returns of each order that any tag has. One round trip, none without orders."""
        if not orders:
            return []
        held = await self._store.commands(
            [
                ("HGET", self._keys.undone(tag, order.partition, order.pane), _mark_of(order))
                for order in orders
                for tag in range(self._tags)
            ]
        )
        numbers = [0 if raw is None else _returns_in(raw) for raw in held]
        return [max(numbers[at : at + self._tags]) for at in range(0, len(numbers), self._tags)]

    async def settle(self, owner: Owner, unsettled: Sequence[Unsettled]) -> Applied:
        """Bring every tag to where the records are; repeating it changes nothing. No order may be there twice.

        One round trip, another if the asking records are read again, and more for orders that have very many pairs.
        Raises Superseded, StateLost, StateUnavailable.
        """
        batches = [(order.logged, order.changes()) for order in unsettled]
        again = [order for order in unsettled if order.replayed]
        if again:
            await self._unguarded.note([(order.logged, order.whose) for order in again])
        return await self._apply(owner, batches)

    async def _apply(self, owner: Owner, batches: Sequence[tuple[Logged, Sequence[Change]]]) -> Applied:
        fenced = [
            Fenced(_mark_of(logged), changes, (logged.partition, logged.pane)) for logged, changes in batches
        ]
        try:
            return await self._batch.apply_each(owner, fenced)
        finally:
            for one in fenced:
                owner.known.pop(one.fence, None)

    async def settle_unguarded(
        self, owner: Owner, *, now_s: float = 0.0, durable_after_s: float = 0.0
    ) -> int:
        """Bring every tag once more to what is undone of noted orders; how many there were that this owner had not met.

        A note goes once it was settled `durable_after_s` before `now_s`: that is safe from a crash of Redis. Orders the
        owner has still to read again are left until then. Raises Superseded, StateLost, StateUnavailable.
        """
        held = await self._unguarded.held(owner.partition)
        notes = [note for note in held if note.offset <= owner.position]
        fresh = [note for note in notes if note not in owner.settled]
        for start in range(0, len(fresh), NOTES_AT_ONCE):
            some = fresh[start : start + NOTES_AT_ONCE]
            logged = await self._log.read([note[:4] for note in some])
            batches = [
                (order, undo_changes(order.record, order.pane, note.customer or None))
                for note, order in zip(some, logged, strict=True)
                if order is not None
            ]
            await self._apply(owner, batches)
            owner.settled.update(dict.fromkeys(some, now_s))
        safe = [note for note in notes if owner.settled[note] + durable_after_s <= now_s]
        if safe:
            await self._unguarded.drop(safe)
        for note in safe:
            del owner.settled[note]
        return len(fresh)


def undo_changes(record: OrderRecord, pane: int, customer: bytes | None = None) -> list[Change]:
    """What each undo takes, numbered from 1; an erasure `ERASURE`, with the number of returns before it.

    `customer`: the id of the account to take from, for an anonymous record; without it there is none.
    """
    steps = record.steps
    return [
        Change(
            ERASURE if undo.is_erasure else number,
            (WeightedOrder(before.counted, -1), WeightedOrder(after.counted, 1)),
            _account(record, pane, before, after, customer),
            number - 1 if undo.is_erasure else 0,
        )
        for number, (undo, (before, after)) in enumerate(zip(record.undone, pairwise(steps), strict=True), 1)
    ]


def _account(
    record: OrderRecord, pane: int, before: Left, after: Left, customer: bytes | None
) -> AccountEntry | None:
    if record.customer_id is None and customer is None:
        return None
    whole = after.whole_back and not before.whole_back
    stayed = set(split(after.counted))
    gone = b"".join(sku for sku in split(before.counted) if sku not in stayed)
    diary, spend = entries(gone, pane, -1), after.spend - before.spend
    return AccountEntry(record.customer_id or "", pane, record.currency, spend, -int(whole), customer, diary)


def _returns_in(mark: bytes) -> int:
    """How many returns a tag has of an order, as its mark says: the number of its last undo, `:`, those before."""
    number, before = map(int, mark.split(b":"))
    return before if number >= ERASURE else number


def _mark_of(order: Logged) -> str:
    """The field of the hash `undone` for an order."""
    return f"{order.partition}:{order.offset}"
