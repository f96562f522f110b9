"""Orders: claimed once, counted once, logged under their pane for as long as the window needs them.

What was undone of an order before it is counted (returns that came early, an erasure) is taken away first and the
order added after: a tag whose fence has passed the order then has both, whatever Redis may lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from stream.codec import occurred_ms
from stream.decisions.window import Window
from stream.events import OrderPlaced
from stream.tables.batch import AccountEntry, Applied, Change, FencedBatch, TierTable
from stream.tables.deltas import WeightedOrder
from stream.tables.diary import entries
from stream.tables.erased import Erased, Erasure, Forgetting, forget
from stream.tables.fences import APPLIED, LOST, SUPERSEDED, Owner
from stream.tables.ids import order_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_log import CLOSED, OrderLog, pane_member
from stream.tables.order_record import OrderRecord, pack, record_of
from stream.tables.store import Script, Store
from stream.tables.undoing import Undoing, Unsettled
from stream.tables.wire import Claim, pack_claims

_DUPLICATE, _UNDONE = ord("0"), ord("2")


class Verdict(Enum):
    """What became of an order."""

    COUNTED = "counted"
    DUPLICATE = "duplicate"
    LATE = "late"
    REPLAYED = "replayed"
    ERASED = "erased"


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


class Orders:
    """Places orders."""

    def __init__(self, store: Store, keys: Keys, tags: int, window: Window, tiers: TierTable) -> None:
        self._store, self._keys, self._tags, self._window = store, keys, tags, window
        self.batch = FencedBatch(store, keys, tags, tiers)
        self.log = OrderLog(store, keys, tags)
        self.undoing = Undoing(store, keys, tags, self.batch, self.log)
        self._erased = Erased(store, keys, tags)

    async def place(self, owner: Owner, orders: Sequence[tuple[int, OrderPlaced]]) -> Placed:
        """Count (offset, order) pairs of one partition, in offset order.

        Repeating it with the same records changes nothing. Raises Superseded, StateLost, StateUnavailable.
        """
        verdicts, claimants, watermark = self._judge(owner, orders)
        won = await self._claim(owner, claimants)
        counting = [
            claimant for claimant, verdict in zip(claimants, won, strict=True) if verdict != _DUPLICATE
        ]
        # Looked at after the claims are made: an erasure either sees a claim, or is seen here.
        erased = await self._erased.of([c.record.customer_id for c in counting if c.record.customer_id])
        changes = []
        for claimant, verdict in zip(claimants, won, strict=True):
            if verdict == _DUPLICATE:
                continue
            verdicts[claimant.at] = Verdict.COUNTED
            account = _account(claimant)
            erasure = erased.get(claimant.record.customer_id or "")
            if erasure is not None and erasure.covers(claimant.record):
                verdicts[claimant.at] = Verdict.ERASED
                if await self._undo(owner, claimant, erasure) == CLOSED:
                    account = None
            elif verdict == _UNDONE:
                await self._undo(owner, claimant, None)
            counted = (WeightedOrder(claimant.record.counted, 1),)
            changes.append(Change(claimant.offset, counted, account, claimant.watermark))
        applied = await self.batch.apply(owner, owner.source, changes)
        owner.watermark = watermark
        return Placed(verdicts, applied)

    async def _undo(self, owner: Owner, claimant: _Claimant, erasure: Erasure | None) -> int:
        """Take away what is undone of an order before it is added; APPLIED, or CLOSED when its pane expires."""
        placed, replayed = claimant.record, owner.replays(claimant.offset)
        logged = await self.log.at(placed.order_id, owner.partition, claimant.offset, claimant.pane)
        if logged is None:
            return CLOSED
        if erasure is not None and placed.customer_id is not None:
            forgetting = Forgetting(erasure.position, placed.customer_id, replayed)
            return await forget(self.log, self.undoing, owner, logged, forgetting)
        await self.undoing.settle(owner, [Unsettled(logged, customer=placed.customer_id, replayed=replayed)])
        return APPLIED

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
                claimants.append(
                    _Claimant(at, offset, pane, watermark, live_from, ident, record_of(order, pane))
                )
            verdicts.append(verdict)
        return verdicts, claimants, watermark

    async def _claim(self, owner: Owner, claimants: Sequence[_Claimant]) -> list[int]:
        """Whether each order is this record's to count, as `claim` says it. Claims and logs it, atomically a tag."""
        by_tag: dict[int, list[int]] = {}
        for i, claimant in enumerate(claimants):
            by_tag.setdefault(tag_of(claimant.ident, self._tags), []).append(i)
        answers = await self._store.scripts(
            [self._claim_script(owner, tag, [claimants[i] for i in mine]) for tag, mine in by_tag.items()]
        )
        won = [_DUPLICATE] * len(claimants)
        for (tag, mine), answer in zip(by_tag.items(), answers, strict=True):
            if int(answer[0]) in (SUPERSEDED, LOST):
                owner.settle(owner.source, tag, answer, -1)
            for i, verdict in zip(mine, answer[1], strict=True):
                won[i] = verdict
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
                *(keys.fences(tag), keys.claims(tag), keys.panes(tag), keys.parked(tag), keys.waiting(tag)),
                *(keys.pane(tag, owner.partition, pane) for pane in panes),
            ],
            [
                *(owner.source, owner.epochs[tag], owner.partition.to_bytes(4, "big")),
                pack_claims(orders),
                msgspec.msgpack.encode([pane_member(owner.partition, pane) for pane in panes]),
            ],
        )


def _account(claimant: _Claimant) -> AccountEntry | None:
    record = claimant.record
    if record.customer_id is None:
        return None
    spend = sum(quantity * price for _, quantity, price in record.lines)
    diary = entries(record.counted, claimant.pane, 1)
    return AccountEntry(record.customer_id, claimant.pane, record.currency, spend, 1, diary=diary)
