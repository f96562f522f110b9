"""Expiry: panes that left the window are walked in offset order and counted again with weight -1."""

from __future__ import annotations

from collections.abc import Sequence

from stream.decisions.window import Window
from stream.tables.batch import Change, FencedBatch
from stream.tables.deltas import WeightedOrder
from stream.tables.fences import Fences, Owner, expiry_fence
from stream.tables.ids import order_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_record import OrderRecord, unpack
from stream.tables.orders import pane_member
from stream.tables.store import Command, Store

STEP_ORDERS = 500
"""Orders taken away while the partition's lock is held; new orders wait no longer than that."""

Logged = tuple[int, OrderRecord]


class Expiry:
    """Expires the panes of the partitions a worker owns. A crash anywhere resumes; nothing is subtracted twice."""

    def __init__(
        self, store: Store, keys: Keys, tags: int, window: Window, fences: Fences, batch: FencedBatch
    ) -> None:
        self._store, self._keys, self._tags, self._window = store, keys, tags, window
        self._fences, self._batch = fences, batch

    async def expire(self, owner: Owner, end: int) -> int:
        """Take away the owner's panes that a window ending with pane `end` does not cover; returns the orders.

        Order of deletion: the counts of all tags, then the pane's orders and claims, and one pane later its fences.
        Raises Superseded, StateLost, StateUnavailable.
        """
        if not owner.caught_up:
            return 0
        cutoff = self._window.first_live(end)
        gone = 0
        for pane in await self._expired_panes(owner, cutoff):
            gone += await self._expire_pane(owner, pane)
        if gone:
            await self._fences.forget_expiry(owner, cutoff - 1)
        return gone

    async def _expired_panes(self, owner: Owner, cutoff: int) -> list[int]:
        members = await self._store.commands([("SMEMBERS", self._keys.panes(t)) for t in range(self._tags)])
        panes = set()
        for member in set().union(*members):
            partition, pane = member.split(b":")
            if int(partition) == owner.partition and int(pane) < cutoff:
                panes.add(int(pane))
        return sorted(panes)

    async def _expire_pane(self, owner: Owner, pane: int) -> int:
        member = pane_member(owner.partition, pane)
        await self._store.commands([("SADD", self._keys.closed(t), member) for t in range(self._tags)])
        walked, gone = -1, 0
        orders = await self._read(owner, pane)
        while fresh := [logged for logged in orders if logged[0] > walked]:
            for start in range(0, len(fresh), STEP_ORDERS):
                step = fresh[start : start + STEP_ORDERS]
                changes = [Change(offset, (WeightedOrder(r.counted, -1),)) for offset, r in step]
                async with owner.lock:
                    await self._batch.apply(owner, expiry_fence(owner, pane), changes, 0)
            walked = fresh[-1][0]
            gone += len(fresh)
            async with owner.lock:
                orders = await self._read(owner, pane)
                if orders[-1][0] == walked:
                    await self._drop(owner, pane, orders)
                    return gone
        await self._drop(owner, pane, orders)
        return gone

    async def _read(self, owner: Owner, pane: int) -> list[Logged]:
        """The pane's orders of this partition, by offset."""
        raw = await self._store.commands(
            [("HGETALL", self._keys.pane(t, owner.partition, pane)) for t in range(self._tags)]
        )
        return sorted(
            (int.from_bytes(field, "big"), unpack(record))
            for fields in raw
            for field, record in zip(fields[::2], fields[1::2], strict=True)
        )

    async def _drop(self, owner: Owner, pane: int, orders: Sequence[Logged]) -> None:
        claims: dict[int, list[bytes]] = {}
        for _, record in orders:
            ident = order_id(record.order_id)
            claims.setdefault(tag_of(ident, self._tags), []).append(ident)
        member = pane_member(owner.partition, pane)
        commands: list[Command] = []
        for tag in range(self._tags):
            if tag in claims:
                commands.append(("HDEL", self._keys.claims(tag), *claims[tag]))
            commands += [
                ("UNLINK", self._keys.pane(tag, owner.partition, pane)),
                ("SREM", self._keys.panes(tag), member),
                ("SREM", self._keys.closed(tag), member),
            ]
        await self._store.commands(commands)
