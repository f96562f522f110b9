"""Erasure: a customer is forgotten as if they had never been here.

First the customer's account, profile and waiting messages are wiped, and a mark is left that says up to when. Then the
order log is walked: every order of the customer up to that time is undone and loses its link to the customer. An order
that arrives later although it was placed earlier finds the mark, and is undone before it is counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from stream.announcements import ErasureProven
from stream.codec import occurred_ms
from stream.decisions.window import Window
from stream.events import CustomerErased
from stream.tables.batch import TierTable
from stream.tables.customers import Customers
from stream.tables.dismissals import Dismissals
from stream.tables.erased import Erasure, Forgetting, forget
from stream.tables.fences import APPLIED, Owner
from stream.tables.ids import customer_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_log import Logged, OrderLog
from stream.tables.order_record import Undo
from stream.tables.proofs import Proofs, proof_id
from stream.tables.store import Script, Store
from stream.tables.undoing import Undoing
from stream.tables.wire import position_of


class Request(NamedTuple):
    """A customer to forget: what they did up to `at_ms`."""

    offset: int
    event: CustomerErased
    at_ms: int
    position: bytes

    @property
    def customer(self) -> str:
        """Whom."""
        return self.event.customer_id

    @classmethod
    def of(cls, partition: int, offset: int, event: CustomerErased) -> Request:
        """What the record at this place asks for."""
        at_ms = occurred_ms(event.occurred_at)
        return cls(offset, event, at_ms, position_of(partition, offset))


class Erasures:
    """Erases customers. A crash anywhere resumes; nothing is subtracted twice."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        tags: int,
        window: Window,
        tiers: TierTable,
        customers: Customers,
        dismissals: Dismissals,
        log: OrderLog,
        undoing: Undoing,
    ) -> None:
        self._store, self._keys, self._tags, self._window = store, keys, tags, window
        self._tiers, self._customers, self._log, self._undoing = tiers, customers, log, undoing
        self._dismissals = dismissals
        self.proofs = Proofs(store, keys, tags)

    async def erase(
        self, owner: Owner, events: Sequence[tuple[int, CustomerErased]], end: int, now_ms: int
    ) -> list[ErasureProven]:
        """Forget the customers of one partition's (offset, event) pairs; the proof of each, in their order.

        `end` is the newest pane of all orders. Repeating it changes nothing and gives the same proofs. Raises
        Superseded, StateLost, StateUnavailable.
        """
        requests = [Request.of(owner.partition, offset, event) for offset, event in events]
        for request in requests:
            await self._wipe(owner, request, end)
        found: dict[bytes, list[Logged]] = {request.position: [] for request in requests}
        async for logged, request in self._orders_of(requests):
            why = Forgetting(request.position, request.customer, owner.replays(request.offset))
            await forget(self._log, self._undoing, owner, logged, why)
            found[request.position].append(logged)
        for request in requests:
            await self._wipe(owner, request, end)
        return [
            await self.proofs.keep(_proof(request, found[request.position], now_ms)) for request in requests
        ]

    async def _wipe(self, owner: Owner, request: Request, end: int) -> None:
        """The account's panes before that of the erasure (that one too once it left the window), and the profile."""
        ident, keys = customer_id(request.customer), self._keys
        tag = tag_of(ident, self._tags)
        pane = self._window.pane_of(request.at_ms)
        wiped = pane if pane < self._window.live(end).start else pane - 1
        mark = f"{request.at_ms}:{wiped}:{owner.partition}:{request.offset}"
        script = Script(
            "erase_customer",
            [
                *(keys.fences(tag), keys.customer(tag, ident), keys.tiers(tag), keys.due(tag)),
                *(keys.outbox(tag), keys.spend(tag, ident), keys.erased(tag), keys.diary(tag, ident)),
            ],
            [owner.source, owner.epochs[tag], ident, request.at_ms, mark, wiped, self._tiers.packed()],
        )
        answer = (await self._store.scripts([script]))[0]
        if int(answer[0]) != APPLIED:
            owner.settle(owner.source, tag, answer, -1)
        await self._customers.drop_erased([request.customer])
        await self._dismissals.forget(request.customer, request.at_ms)

    async def let_go(self, first_live: int) -> None:
        """Drop marks and proofs of erasures before the pane `first_live`: orders they cover are late by now."""
        held = await self._store.commands([("HGETALL", self._keys.erased(t)) for t in range(self._tags)])
        old = [
            Script("drop_if", [self._keys.erased(tag)], [ident, mark])
            for tag, fields in enumerate(held)
            for ident, mark in zip(fields[::2], fields[1::2], strict=True)
            if self._window.pane_of(Erasure.parse(mark).at_ms) < first_live
        ]
        await self._store.scripts(old)
        await self.proofs.drop_before(first_live * self._window.pane_ms)

    async def _orders_of(self, requests: Sequence[Request]) -> AsyncIterator[tuple[Logged, Request]]:
        """Logged orders that fall under a request, or were undone by one before a crash, with the request."""
        positions = {request.position: request for request in requests}
        by_customer: dict[str, list[Request]] = {}
        for request in requests:
            by_customer.setdefault(request.customer, []).append(request)
        async for logged in self._log.walk():
            record = logged.record
            before = next((undo.mark for undo in record.undone if undo.is_erasure), None)
            if before in positions:
                yield logged, positions[before]
            elif record.customer_id is not None:
                for request in by_customer.get(record.customer_id, ()):
                    if record.placed_ms <= request.at_ms:
                        yield logged, request
                        break


def _proof(request: Request, orders: Sequence[Logged], now_ms: int) -> ErasureProven:
    """What was done: how many orders, how many pairs went with them, and a digest of where the orders stood."""
    digest = blake2b(digest_size=16)
    for logged in sorted(orders, key=lambda order: (order.partition, order.offset)):
        digest.update(position_of(logged.partition, logged.offset))
    return ErasureProven(
        proof_id=proof_id(request.customer, request.event.event_id),
        asked_at=request.event.occurred_at,
        done_at=datetime.fromtimestamp(now_ms / 1000, UTC),
        orders=len(orders),
        pairs=sum(map(_pairs_erased, orders)),
        digest=digest.hexdigest(),
    )


def _pairs_erased(logged: Logged) -> int:
    """Unordered pairs of SKUs that the erasure took away: those that returns had left."""
    record = logged.record
    returns: list[Undo] = [undo for undo in record.undone if not undo.is_erasure]
    skus = len(msgspec.structs.replace(record, undone=returns).left.counted) // 8
    return skus * (skus - 1) // 2
