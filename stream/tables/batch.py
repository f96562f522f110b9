"""The fenced batch: signed orders become coalesced deltas, one script call a tag, applied once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec

from stream.tables.deltas import TagDeltas, WeightedOrder, co_purchase_deltas
from stream.tables.fences import APPLIED, NO_PANE, STRADDLES, Owner
from stream.tables.ids import customer_id, tag_of
from stream.tables.keys import Keys
from stream.tables.store import Script, Store
from stream.tables.wire import Account, pack_accounts

MAX_PAIRS_A_TAG = 600
"""Directed pairs a tag gets in one script call on average: a call stays near a thousand operations, so that
reads wait two milliseconds at most."""


PaneOf = tuple[int, int]
"""A partition and a pane of its orders."""


class AccountEntry(NamedTuple):
    """A change of a customer's account: `orders` and `spend` in `pane`, and entries of the `diary`."""

    customer: str
    pane: int
    currency: str
    spend: int
    orders: int
    ident: bytes | None = None
    """The customer's id as keys hold it, of one whose name is no longer known."""
    diary: bytes = b""


class Change(NamedTuple):
    """What one record does to the tables: the orders it counts or takes away, and the account it changes."""

    offset: int
    orders: tuple[WeightedOrder, ...]
    account: AccountEntry | None = None
    watermark: int = NO_PANE
    """The partition's watermark at this record: a replay that begins behind it goes on from there."""

    @property
    def pairs(self) -> int:
        """Directed pairs, before coalescing."""
        return sum((len(order.skus) // 8) ** 2 for order in self.orders)


class TierTable(NamedTuple):
    """Tier names, lowest first, and (rise, keep) marks in minor units from the second tier on.

    A tier is reached at `rise` and held down to `keep`, 8/10 of it: a customer at the edge does not flicker.
    """

    names: tuple[str, ...]
    marks: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, table: Sequence[tuple[str, int]]) -> TierTable:
        """From the (name, threshold) pairs of the settings; `keep` is the least spend with spend*10 >= threshold*8."""
        return cls(tuple(n for n, _ in table), tuple((up, -(-up * 8 // 10)) for _, up in table[1:]))

    def packed(self) -> bytes:
        """As the scripts read it."""
        return msgspec.msgpack.encode(self.marks)


@dataclass(slots=True)
class Applied:
    """What applying did: directed pair updates made, the tags that posted to the outbox, and how many customers
    bought more than a diary holds."""

    pair_updates: int
    posted_tags: list[int]
    full_diaries: int = 0

    def add(self, pair_updates: int, posted_tags: Iterable[int], full_diaries: int = 0) -> None:
        """Count something more."""
        self.pair_updates += pair_updates
        self.full_diaries += full_diaries
        self.posted_tags.extend(posted_tags)


class Fenced(NamedTuple):
    """Changes, in offset order, and the fence they are applied under.

    `undone`: the fence is the mark of an order of that pane, and offsets number its undos.
    """

    fence: str
    changes: Sequence[Change]
    undone: PaneOf | None = None


class FencedBatch:
    """Applies changes of one partition under one fence."""

    def __init__(self, store: Store, keys: Keys, tags: int, tiers: TierTable) -> None:
        self._store, self._keys, self._tags = store, keys, tags
        self._tiers = tiers.packed()
        self._sku_keys: dict[bytes, tuple[bytes, bytes]] = {}

    async def apply(self, owner: Owner, fence: str, changes: Sequence[Change]) -> Applied:
        """Apply changes in offset order, each tag exactly once however often this is repeated.

        Raises Superseded, StateLost, StateUnavailable.
        """
        return await self.apply_each(owner, [Fenced(fence, changes)])

    async def apply_each(self, owner: Owner, batches: Sequence[Fenced]) -> Applied:
        """Apply batches of different fences side by side: as many round trips as the longest needs.

        Raises Superseded, StateLost, StateUnavailable.
        """
        applied = Applied(0, [])
        stepped = [list(_steps(batch.changes, MAX_PAIRS_A_TAG * self._tags)) for batch in batches]
        for steps in zip_longest(*stepped):
            calls = [
                _Call(batch, step, tag, step[0].offset, share)
                for batch, step in zip(batches, steps, strict=True)
                if step
                for tag, share in self._shares(step).items()
            ]
            while calls:
                answers = await self._store.scripts([self._script(owner, call) for call in calls])
                calls = [
                    self._remainder(call, int(answer[1]))
                    for call, answer in zip(calls, answers, strict=True)
                    if _take_in(owner, call, answer, applied) == STRADDLES
                ]
        return applied

    def _remainder(self, call: _Call, fence: int) -> _Call:
        """What a tag whose fence lies inside the step still lacks."""
        lacking = [change for change in call.step if change.offset > fence]
        share = self._shares(lacking).get(call.tag) or _Share([], b"", b"", [])
        return call._replace(first=fence + 1, share=share)

    def _shares(self, changes: Sequence[Change]) -> dict[int, _Share]:
        orders = [order for change in changes for order in change.orders]
        shares = {d.tag: _Share.of(d) for d in co_purchase_deltas(orders, self._tags)}
        for account in _accounts(changes):
            share = shares.setdefault(tag_of(account.ident, self._tags), _Share([], b"", b"", []))
            share.customers.append(account)
        return shares

    def _script(self, owner: Owner, call: _Call) -> Script:
        (fence, _, undone), step, tag, first, share = call
        keys, last = self._keys, step[-1]
        names = [keys.fences(tag), keys.order_counts(tag), keys.tiers(tag), keys.due(tag), keys.outbox(tag)]
        names += [keys.fences(tag) if undone is None else keys.undone(tag, *undone), keys.erased(tag)]
        for sku in share.skus:
            names.extend(self._keys_of(tag, sku))
        for account in share.customers:
            names += [keys.customer(tag, account.ident), keys.spend(tag, account.ident)]
            names.append(keys.diary(tag, account.ident))
        return Script(
            "apply",
            names,
            [
                *(owner.source, owner.epochs[tag], fence, first, last.offset, owner.known_fence(fence, tag)),
                *(last.watermark, len(share.skus), share.headers, share.entries),
                pack_accounts(share.customers),
                *(self._tiers, f"{fence}/{last.offset}"),
            ],
        )

    def _keys_of(self, tag: int, sku: bytes) -> tuple[bytes, bytes]:
        made = self._sku_keys.get(sku)
        if made is None:
            if len(self._sku_keys) > 1 << 17:
                self._sku_keys.clear()
            made = (self._keys.partners(tag, sku), self._keys.packed(tag, sku))
            self._sku_keys[sku] = made
        return made


class _Share(NamedTuple):
    skus: list[bytes]
    headers: bytes
    entries: bytes
    customers: list[Account]

    @classmethod
    def of(cls, deltas: TagDeltas) -> _Share:
        return cls(deltas.skus, deltas.headers, deltas.entries, [])


class _Call(NamedTuple):
    batch: Fenced
    step: Sequence[Change]
    tag: int
    first: int
    share: _Share


def _take_in(owner: Owner, call: _Call, answer: Sequence[Any], applied: Applied) -> int:
    """Count what a call did; APPLIED, ALREADY or STRADDLES. Raises Superseded, StateLost."""
    code = owner.settle(call.batch.fence, call.tag, answer, call.step[-1].offset)
    if code == APPLIED:
        posted = [call.tag] if int(answer[1]) else []
        applied.add(len(call.share.entries) // 12, posted, int(answer[2]))
    return code


def _steps(changes: Sequence[Change], max_pairs: int) -> Iterator[list[Change]]:
    """Runs of changes of about `max_pairs` directed pairs."""
    step: list[Change] = []
    pairs = 0
    for change in changes:
        if step and pairs + change.pairs > max_pairs:
            yield step
            step, pairs = [], 0
        step.append(change)
        pairs += change.pairs
    if step:
        yield step


def _accounts(changes: Sequence[Change]) -> list[Account]:
    """The changes of each customer's account, in the order first seen."""
    sums: dict[tuple[str, bytes | None], dict[tuple[int, str], int]] = {}
    diaries: dict[tuple[str, bytes | None], bytes] = {}
    for change in changes:
        if change.account is None:
            continue
        customer, pane, currency, spend, orders, ident, diary = change.account
        account = sums.setdefault((customer, ident), {})
        diaries[customer, ident] = diaries.get((customer, ident), b"") + diary
        for what, delta in (("o", orders), (currency, spend)):
            if delta:
                account[pane, what] = account.get((pane, what), 0) + delta
    return [
        Account(
            ident or customer_id(name),
            name,
            [(str(pane), what, str(d)) for (pane, what), d in changes_of.items() if d],
            diaries[name, ident],
        )
        for (name, ident), changes_of in sums.items()
    ]
