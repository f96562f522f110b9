"""Orders: claimed once, counted once, logged under their pane for as long as the window needs them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from stream.codec import occurred_ms
from stream.decisions.window import Window
from stream.errors import PoisonEvent
from stream.events import OrderPlaced, OrderReturned
from stream.tables.batch import AccountEntry, Applied, Change, FencedBatch, TierTable
from stream.tables.deltas import WeightedOrder
from stream.tables.fences import APPLIED, LOST, SUPERSEDED, Owner
from stream.tables.ids import order_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_record import (
    OrderRecord,
    Taken,
    after_return,
    pack,
    record_of,
    unpack,
    unpack_taken,
)
from stream.tables.store import Script, Store
from stream.tables.wire import Claim, pack_claims

_CLAIM = struct.Struct(">IQi")
_CLOSED, _CHANGED = 5, 6


class Verdict(Enum):
    """What became of an order."""

    COUNTED = "counted"
    DUPLICATE = "duplicate"
    LATE = "late"
    REPLAYED = "replayed"


class Placed(NamedTuple):
    """Verdicts in the order given, and what applying did."""

    verdicts: list[Verdict]
    applied: Applied


class _Claimant(NamedTuple):
    at: int
    offset: int
    pane: int
    watermark: int
    live_from: int
    ident: bytes
    record: OrderRecord


class _Logged(NamedTuple):
    partition: int
    offset: bytes
    pane: int
    log: bytes
    record: bytes


class Orders:
    """Places orders, takes returns, and answers where an order is."""

    def __init__(self, store: Store, keys: Keys, tags: int, window: Window, tiers: TierTable) -> None:
        self._store, self._keys, self._tags, self._window = store, keys, tags, window
        self.batch = FencedBatch(store, keys, tags, tiers)

    async def place(self, owner: Owner, orders: Sequence[tuple[int, OrderPlaced]]) -> Placed:
        """Count (offset, order) pairs of one partition, in offset order.

        Repeating it with the same records changes nothing. Raises Superseded, StateLost, StateUnavailable.
        """
        verdicts, claimants, watermark = self._judge(owner, orders)
        won = await self._claim(owner, claimants)
        changes = []
        for claimant, counts in zip(claimants, won, strict=True):
            if counts:
                verdicts[claimant.at] = Verdict.COUNTED
                changes.append(_counting(claimant))
        applied = await self.batch.apply(owner, owner.source, changes)
        owner.watermark = watermark
        return Placed(verdicts, applied)

    def _judge(
        self, owner: Owner, orders: Sequence[tuple[int, OrderPlaced]]
    ) -> tuple[list[Verdict], list[_Claimant], int]:
        """Verdicts, orders to be claimed (not late ones nor ones all tags hold), and the watermark at the end.

        The partition's watermark rises order by order, but the owner's only once all is applied: a batch that is tried
        again is judged as it was the first time.
        """
        verdicts, claimants = [], []
        done, watermark = owner.lowest_fence, owner.watermark
        for at, (offset, order) in enumerate(orders):
            pane = self._window.pane_of(occurred_ms(order.occurred_at))
            watermark = max(watermark, pane)
            verdict = Verdict.DUPLICATE
            if offset <= done:
                verdict = Verdict.REPLAYED
            elif self._window.is_late(pane, watermark):
                verdict = Verdict.LATE
            else:
                live_from = self._window.live(watermark).start
                ident = order_id(order.order_id)
                claimants.append(_Claimant(at, offset, pane, watermark, live_from, ident, record_of(order)))
            verdicts.append(verdict)
        return verdicts, claimants, watermark

    async def _claim(self, owner: Owner, claimants: Sequence[_Claimant]) -> list[bool]:
        """Whether each order is this record's to count. Claims the order and logs it, atomically a tag."""
        by_tag: dict[int, list[int]] = {}
        for i, claimant in enumerate(claimants):
            by_tag.setdefault(tag_of(claimant.ident, self._tags), []).append(i)
        answers = await self._store.scripts(
            [self._claim_script(owner, tag, [claimants[i] for i in mine]) for tag, mine in by_tag.items()]
        )
        won = [False] * len(claimants)
        for (tag, mine), answer in zip(by_tag.items(), answers, strict=True):
            if int(answer[0]) in (SUPERSEDED, LOST):
                owner.settle(owner.source, tag, answer, -1)
            for i, verdict in zip(mine, answer[1], strict=True):
                won[i] = verdict == ord("1")
        return won

    def _claim_script(self, owner: Owner, tag: int, claimants: Sequence[_Claimant]) -> Script:
        keys, panes = self._keys, sorted({claimant.pane for claimant in claimants})
        number = {pane: i for i, pane in enumerate(panes, 1)}
        orders = [
            Claim(c.ident, c.offset.to_bytes(8, "big"), c.pane, c.live_from, number[c.pane], pack(c.record))
            for c in claimants
        ]
        return Script(
            "claim",
            [
                *(keys.fences(tag), keys.claims(tag), keys.panes(tag)),
                *(keys.pane(tag, owner.partition, pane) for pane in panes),
            ],
            [
                *(owner.source, owner.epochs[tag], owner.partition.to_bytes(4, "big")),
                pack_claims(orders),
                msgspec.msgpack.encode([pane_member(owner.partition, pane) for pane in panes]),
            ],
        )

    async def take_back(self, owner: Owner, offset: int, event: OrderReturned) -> Applied:
        """Take away exactly what the returned lines had added; a return for an expired pane takes nothing.

        Raises PoisonEvent (ORDER_UNKNOWN) when no order of this id is in the window, and what `place` raises.
        """
        nothing = Applied(0, [])
        if offset <= owner.lowest_fence:
            return nothing
        taken = await self._take(owner, offset, event)
        if taken is None:
            return nothing
        account = None
        if taken.customer_id is not None:
            account = AccountEntry(
                taken.customer_id, taken.pane, taken.currency, -taken.spend, -int(taken.whole)
            )
        change = Change(
            offset, (WeightedOrder(taken.counted_before, -1), WeightedOrder(taken.counted_after, 1)), account
        )
        return await self.batch.apply(owner, owner.source, [change])

    async def _take(self, owner: Owner, offset: int, event: OrderReturned) -> Taken | None:
        """Write down what this return takes, once; None when its pane is being expired."""
        ident, at = order_id(event.order_id), offset.to_bytes(8, "big")
        tag = tag_of(ident, self._tags)
        returns = self._keys.returns(tag, owner.partition)
        while True:
            before = (await self._store.commands([("HGET", returns, at)]))[0]
            if before is not None:
                return unpack_taken(before)
            logged = await self._logged(tag, ident)
            after, taken = after_return(unpack(logged.record), event.lines, logged.pane)
            script = Script(
                "take_return",
                [self._keys.fences(tag), returns, self._keys.closed(tag), logged.log],
                [
                    *(owner.source, owner.epochs[tag], at, logged.offset),
                    *(logged.record, pack(after), pack(taken), pane_member(logged.partition, logged.pane)),
                ],
            )
            code, answer = (await self._store.scripts([script]))[0]
            if int(code) == _CLOSED:
                return None
            if int(code) == APPLIED:
                return unpack_taken(answer)
            if int(code) != _CHANGED:
                owner.settle(owner.source, tag, (code, answer), -1)

    async def _logged(self, tag: int, ident: bytes) -> _Logged:
        """The order of this id as it stands in the log; raises PoisonEvent when it is not there."""
        claim = (await self._store.commands([("HGET", self._keys.claims(tag), ident)]))[0]
        if claim is not None:
            partition, placed_at, pane = _CLAIM.unpack(claim)
            log, field = self._keys.pane(tag, partition, pane), placed_at.to_bytes(8, "big")
            record = (await self._store.commands([("HGET", log, field)]))[0]
            if record is not None:
                return _Logged(partition, field, pane, log, record)
        raise PoisonEvent(
            "ORDER_UNKNOWN",
            "$.order_id",
            "no order of this id in the window; replay it once the order arrived",
        )

    async def forget_returns(self, partition: int, before: int) -> None:
        """Drop what returns wrote down at offsets that are committed."""
        held = await self._store.commands(
            [("HKEYS", self._keys.returns(tag, partition)) for tag in range(self._tags)]
        )
        await self._store.commands(
            [
                ("HDEL", self._keys.returns(tag, partition), *gone)
                for tag, fields in enumerate(held)
                if (gone := [f for f in fields if int.from_bytes(f, "big") < before])
            ]
        )


def pane_member(partition: int, pane: int) -> str:
    """How the sets `panes` and `closed` name a pane of a partition."""
    return f"{partition}:{pane}"


def _counting(claimant: _Claimant) -> Change:
    record = claimant.record
    account = None
    if record.customer_id is not None:
        account = AccountEntry(record.customer_id, claimant.pane, record.currency, record.spend, 1)
    return Change(claimant.offset, (WeightedOrder(record.counted, 1),), account, claimant.watermark)
