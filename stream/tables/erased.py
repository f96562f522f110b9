"""Who was erased, and forgetting one order of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stream.tables.fences import APPLIED, Owner
from stream.tables.ids import customer_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_log import CHANGED, CLOSED, Amendment, Logged, OrderLog
from stream.tables.order_record import OrderRecord, Undo
from stream.tables.store import Store
from stream.tables.undoing import Undoing, Unsettled
from stream.tables.wire import position_of


class Erasure(NamedTuple):
    """A customer's latest erasure: what they did up to `at_ms` is forgotten. `position` is where it was asked for."""

    at_ms: int
    wiped_pane: int
    position: bytes

    def covers(self, record: OrderRecord) -> bool:
        """Whether this order of the customer is to be forgotten."""
        return record.placed_ms <= self.at_ms

    @classmethod
    def parse(cls, mark: bytes) -> Erasure:
        """From a value of the hash `erased`."""
        at_ms, pane, partition, offset = map(int, mark.split(b":"))
        return cls(at_ms, pane, position_of(partition, offset))


class Forgetting(NamedTuple):
    """Whose order is to be forgotten, and the position of the erasure that asked for it.

    `replayed`: the record that brings it about is read again by some tag (`Owner.replays`).
    """

    position: bytes
    customer: str
    replayed: bool


class Erased:
    """Reads who was erased."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def of(self, names: Iterable[str]) -> dict[str, Erasure]:
        """The customers among `names` who were erased. One round trip, none without names."""
        by_tag: dict[int, list[str]] = {}
        for name in sorted(set(names)):
            by_tag.setdefault(tag_of(customer_id(name), self._tags), []).append(name)
        answers = await self._store.commands(
            [("HMGET", self._keys.erased(tag), *map(customer_id, mine)) for tag, mine in by_tag.items()]
        )
        return {
            name: Erasure.parse(mark)
            for mine, marks in zip(by_tag.values(), answers, strict=True)
            for name, mark in zip(mine, marks, strict=True)
            if mark is not None
        }


async def forget(log: OrderLog, undoing: Undoing, owner: Owner, found: Logged, why: Forgetting) -> int:
    """Undo the whole order and cut its link to the customer: APPLIED, or CLOSED while its pane is being expired.

    First it is written down, then taken away everywhere, then the customer's id is deleted: a replay finds the
    order by the id or by the position of the erasure, whichever is still there.
    """
    logged: Logged | None = found
    while logged is not None:
        record = logged.record
        outcome = APPLIED
        if not record.erased:
            await undoing.check_returns(logged, why.customer)
            undone = record.with_undo(Undo(why.position))
            outcome = (await log.amend(owner, [Amendment(logged, undone)]))[0]
            if outcome == APPLIED:
                logged, record = logged.amended(undone), undone
        if outcome == APPLIED:
            await undoing.settle(owner, [Unsettled(logged, customer=why.customer, replayed=why.replayed)])
        if outcome != CHANGED and (
            record.customer_id is None
            or (await log.amend(owner, [Amendment(logged, record.anonymous(), even_closed=True)]))[0]
            == APPLIED
        ):
            return outcome
        logged = await log.at(record.order_id, logged.partition, logged.offset, logged.pane)
    return CLOSED
