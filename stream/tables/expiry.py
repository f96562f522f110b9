"""Expiry: panes that left the window are walked in offset order and counted again with weight -1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stream.decisions.window import Window
from stream.tables.batch import Change, FencedBatch
from stream.tables.deltas import WeightedOrder
from stream.tables.fences import Owner, Walked, expiry_fence
from stream.tables.ids import order_id
from stream.tables.keys import Keys
from stream.tables.order_log import Logged, pane_member
from stream.tables.pane_marks import DROPPED, SEALED, PaneMarks
from stream.tables.store import Command, Store
from stream.tables.undoing import Undoing, Unsettled
from stream.tables.wire import position_of

STEP_ORDERS = 500
"""Orders taken away while the partition's lock is held; new orders wait no longer than that."""

LINGER_PANES = 1
"""For so long the orders of a pane outlive its expiry: a tag that lost its part of it finds them once more."""


class Expiry:
    """Expires the panes of the partitions a worker owns. A crash anywhere resumes; nothing is subtracted twice."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        tags: int,
        window: Window,
        batch: FencedBatch,
        undoing: Undoing,
    ) -> None:
        self._store, self._keys, self._tags, self._window = store, keys, tags, window
        self._batch, self._undoing = batch, undoing
        self._marks = PaneMarks(store, keys, tags)

    async def expire(
        self, owner: Owner, end: int, *, now_s: float = 0.0, durable_after_s: float = 0.0
    ) -> int:
        """Take away the owner's panes that a window ending with pane `end` does not cover; returns the orders walked.

        What was taken away at least `durable_after_s` before `now_s` is taken to be safe from a crash of Redis.
        Order of deletion: the counts of all tags, then, a pane after the partition itself has come past it and so can
        place no more orders in it, what is undone and not yet taken away everywhere, the pane's orders and claims, and
        last its fences. Raises Superseded, StateLost, StateUnavailable, OperatorError.
        """
        if not owner.caught_up:
            return 0
        if not owner.panes_checked:
            owner.buried = await self._marks.check(owner)
            owner.panes_checked, owner.folded_s = True, now_s
        over = self._window.live(end).start
        # The partition may have come further since `end` was asked for: what lies beyond that is not walked here.
        passed = min(self._window.live(owner.watermark).start, over)
        gone, buried, left = 0, False, []
        for pane in await self._expired_panes(owner, over):
            if pane in owner.buried:
                # A tag that went back has it once more; every tag is through with it.
                await self._bury(owner, pane)
                continue
            walked = owner.walked.get(pane)
            if walked is None or await self._size(owner, pane) != walked.orders:
                gone += await self._take_away(owner, pane)
            walked = owner.walked[pane]
            if pane < passed and walked.sealed_s == math.inf:
                await self._settle_undone(owner, pane)
                await self._marks.put(owner, pane, SEALED)
                walked = owner.walked[pane] = walked._replace(sealed_s=now_s)
            if pane < passed - LINGER_PANES and walked.sealed_s + durable_after_s <= now_s:
                await self._settle_undone(owner, pane)
                await self._bury(owner, pane)
                buried = True
            else:
                left.append(pane)
        if buried and owner.folded_s + durable_after_s <= now_s:
            await self._marks.fold(owner, min([passed - LINGER_PANES, *left]))
            owner.folded_s = now_s
        return gone

    async def _expired_panes(self, owner: Owner, cutoff: int) -> list[int]:
        members = await self._store.commands([("SMEMBERS", self._keys.panes(t)) for t in range(self._tags)])
        panes = set()
        for member in set().union(*members):
            partition, pane = member.split(b":")
            if int(partition) == owner.partition and int(pane) < cutoff:
                panes.add(int(pane))
        return sorted(panes)

    async def _size(self, owner: Owner, pane: int) -> int:
        """How many orders of the pane are logged."""
        sizes = await self._store.commands(
            [("HLEN", self._keys.pane(t, owner.partition, pane)) for t in range(self._tags)]
        )
        return sum(map(int, sizes))

    async def _take_away(self, owner: Owner, pane: int) -> int:
        """Take the pane's orders away from every tag; how many were not at the last walk.

        Only orders of batches that are wholly in the tables: of one that is half claimed a lower offset may follow, and
        the fence would pass it by.
        """
        member = pane_member(owner.partition, pane)
        await self._store.commands([("SADD", self._keys.closed(t), member) for t in range(self._tags)])
        walked = -1
        orders = await self._handled(owner, pane)
        while fresh := [logged for logged in orders if logged.offset > walked]:
            for start in range(0, len(fresh), STEP_ORDERS):
                step = fresh[start : start + STEP_ORDERS]
                changes = [
                    Change(logged.offset, (WeightedOrder(logged.record.left.counted, -1),)) for logged in step
                ]
                async with owner.lock:
                    await self._batch.apply(owner, expiry_fence(owner, pane), changes)
            walked = fresh[-1].offset
            async with owner.lock:
                orders = await self._handled(owner, pane)
                if orders[-1].offset == walked:
                    break
        before = owner.walked[pane].orders if pane in owner.walked else 0
        owner.walked[pane] = Walked(len(orders))
        return max(0, len(orders) - before)

    async def _handled(self, owner: Owner, pane: int) -> list[Logged]:
        # What was handled before the log is read is wholly in it.
        position = owner.position
        return [logged for logged in await self._read(owner, pane) if logged.offset <= position]

    async def _bury(self, owner: Owner, pane: int) -> None:
        """Delete what is left of a pane that no order can come to any more."""
        async with owner.lock:
            orders = await self._read(owner, pane)
            await self._marks.put(owner, pane, DROPPED)
            await self._drop(owner, pane, orders)
        owner.walked.pop(pane, None)
        owner.buried.add(pane)

    async def _settle_undone(self, owner: Owner, pane: int) -> None:
        """Take away from every tag what was undone of the pane's orders and is not yet taken everywhere."""
        orders = [Unsettled(logged) for logged in await self._read(owner, pane) if logged.record.undone]
        for start in range(0, len(orders), STEP_ORDERS):
            await self._undoing.settle(owner, orders[start : start + STEP_ORDERS])

    async def _read(self, owner: Owner, pane: int) -> list[Logged]:
        """The pane's orders of this partition, by offset."""
        raw = await self._store.commands(
            [("HGETALL", self._keys.pane(t, owner.partition, pane)) for t in range(self._tags)]
        )
        logged = [
            Logged(tag, owner.partition, int.from_bytes(field, "big"), pane, record)
            for tag, fields in enumerate(raw)
            for field, record in zip(fields[::2], fields[1::2], strict=True)
        ]
        return sorted(logged, key=lambda order: order.offset)

    async def _own_claims(self, owner: Owner, orders: Sequence[Logged]) -> dict[int, list[bytes]]:
        """Order ids by tag whose claim is still that of the logged record."""
        placed: dict[int, list[tuple[bytes, bytes]]] = {}
        for logged in orders:
            position = position_of(owner.partition, logged.offset)
            placed.setdefault(logged.tag, []).append((order_id(logged.record.order_id), position))
        held = await self._store.commands(
            [("HMGET", self._keys.claims(tag), *(ident for ident, _ in mine)) for tag, mine in placed.items()]
        )
        return {
            tag: [i for (i, p), claim in zip(mine, claims, strict=True) if claim and claim.startswith(p)]
            for (tag, mine), claims in zip(placed.items(), held, strict=True)
        }

    async def _drop(self, owner: Owner, pane: int, orders: Sequence[Logged]) -> None:
        claims = await self._own_claims(owner, orders)
        member = pane_member(owner.partition, pane)
        tags = range(self._tags)
        commands: list[Command] = [
            ("HDEL", self._keys.claims(tag), *gone) for tag in tags if (gone := claims.get(tag))
        ]
        commands += [("UNLINK", self._keys.pane(tag, owner.partition, pane)) for tag in tags]
        await self._store.commands(commands)
        # Not before: a pane that no tag names any more is never walked again, whatever is left of it. What is undone of
        # its orders stays marked until the pane's own marks go: the orders may come back with a tag that goes back.
        await self._store.commands(
            [("SREM", key, member) for tag in tags for key in (self._keys.panes(tag), self._keys.closed(tag))]
        )
