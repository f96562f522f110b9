"""Returns: written into the record of their order, then taken away; those that come before it wait for it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from stream.codec import occurred_ms
from stream.decisions.window import Window
from stream.errors import PoisonEvent
from stream.events import OrderReturned
from stream.tables.batch import Applied
from stream.tables.fences import APPLIED, Owner
from stream.tables.ids import order_id, tag_of
from stream.tables.keys import Keys
from stream.tables.order_log import CHANGED, CLOSED, Logged, OrderLog
from stream.tables.order_record import MAX_UNDONE, Undo, pack_undos, undo_of, unpack_undos
from stream.tables.store import Script, Store
from stream.tables.undoing import Undoing

MAX_WAITING = 10_000
"""Most orders of a tag that returns wait for."""

GIVE_UP_LIMIT = 500
"""Orders of a tag whose returns are given up in one round."""

_TOO_MANY = 7


class Outcome(Enum):
    """What became of a return."""

    TAKEN = "taken"
    REPEATED = "repeated"
    """Its event id was there already; also a replay of one that was taken."""
    NOTHING_LEFT = "nothing left"
    ERASED = "order erased"
    TOO_LATE = "too late"
    WAITING = "waiting"
    REPLAYED = "replayed"


class TakenBack(NamedTuple):
    """What became of a return, and what applying it did."""

    outcome: Outcome
    applied: Applied = Applied(0, [])


class Returns:
    """Takes orders back."""

    def __init__(
        self, store: Store, keys: Keys, tags: int, window: Window, log: OrderLog, undoing: Undoing
    ) -> None:
        self._store, self._keys, self._tags, self._window = store, keys, tags, window
        self._log, self._undoing = log, undoing

    async def take_back(self, owner: Owner, offset: int, event: OrderReturned) -> TakenBack:
        """Take away what the returned lines had added, once an event id; a return of an order still to come waits.

        A return of an order whose pane is being expired takes nothing. Repeating it changes nothing. Raises
        PoisonEvent (TOO_MANY_RETURNS, ORDER_UNKNOWN when too many wait), Superseded, StateLost, StateUnavailable.
        """
        if offset <= owner.lowest_fence:
            return TakenBack(Outcome.REPLAYED)
        pane = self._window.pane_of(occurred_ms(event.occurred_at))
        ident, undo = order_id(event.order_id), undo_of(event, self._window.live(pane).start)
        while True:
            claimed, logged = await self._log.find(ident)
            if logged is not None:
                taken = await self._take(owner, logged, undo, replayed=owner.replays(offset))
            elif claimed:
                taken = TakenBack(Outcome.TOO_LATE)
            else:
                taken = await self._park(owner, ident, undo, pane)
            if taken is not None:
                return taken

    async def _take(self, owner: Owner, logged: Logged, undo: Undo, *, replayed: bool) -> TakenBack | None:
        """Take it from a logged order; None when the order was changed meanwhile."""
        record = logged.record
        if record.erased:
            return TakenBack(Outcome.ERASED)
        marks = [known.mark for known in record.undone]
        if undo.mark in marks:
            upto = marks.index(undo.mark) + 1
            applied = await self._undoing.settle(owner, logged, upto=upto, replayed=replayed)
            return TakenBack(Outcome.REPEATED, applied)
        if len(marks) >= MAX_UNDONE:
            raise PoisonEvent("TOO_MANY_RETURNS", "$.order_id", f"more than {MAX_UNDONE} of one order")
        closed = await self._log.is_closed(logged)
        if closed and len(marks) >= await self._undoing.most_undone(logged):
            return TakenBack(Outcome.TOO_LATE)
        # Of a closed pane only what some tag has taken away already: the record lost it, and is read again.
        undone = record.with_undo(undo)
        outcome = await self._log.amend(owner, logged, undone, even_closed=closed)
        if outcome == CHANGED:
            return None
        if outcome == CLOSED:
            return TakenBack(Outcome.TOO_LATE)
        # One that takes nothing is written down as well: whether it came before its order must not change the numbers
        # of those behind it.
        applied = await self._undoing.settle(owner, logged.amended(undone), replayed=replayed)
        if undo.first_pane > record.pane:
            return TakenBack(Outcome.TOO_LATE, applied)
        return TakenBack(Outcome.NOTHING_LEFT if undone.left == record.left else Outcome.TAKEN, applied)

    async def _park(self, owner: Owner, ident: bytes, undo: Undo, pane: int) -> TakenBack | None:
        """Let it wait for its order; None when the order has come, or another return of it."""
        keys, tag = self._keys, tag_of(ident, self._tags)
        held = (await self._store.commands([("HGET", keys.parked(tag), ident)]))[0]
        waiting = [] if held is None else unpack_undos(held)
        if undo.mark in [known.mark for known in waiting]:
            return TakenBack(Outcome.WAITING)
        if len(waiting) >= MAX_UNDONE:
            raise PoisonEvent("TOO_MANY_RETURNS", "$.order_id", f"more than {MAX_UNDONE} of one order")
        script = Script(
            "park_return",
            [keys.fences(tag), keys.claims(tag), keys.parked(tag), keys.waiting(tag)],
            [
                *(owner.source, owner.epochs[tag], ident, held or b""),
                *(pack_undos([*waiting, undo]), pane, MAX_WAITING),
            ],
        )
        answer = (await self._store.scripts([script]))[0]
        code = int(answer[0])
        if code == _TOO_MANY:
            raise PoisonEvent(
                "ORDER_UNKNOWN",
                "$.order_id",
                "no order of this id in the window, and too many returns wait for theirs; replay it once it is there",
            )
        if code == CHANGED:
            return None
        if code != APPLIED:
            owner.settle(owner.source, tag, answer, -1)
        return TakenBack(Outcome.WAITING)

    async def give_up(self, first_live: int) -> int:
        """Drop returns from panes before `first_live` whose orders never came; how many there were."""
        keys, cutoff = self._keys, first_live - 1
        due = await self._store.commands(
            [
                ("ZRANGEBYSCORE", keys.waiting(tag), "-inf", cutoff, "LIMIT", 0, GIVE_UP_LIMIT)
                for tag in range(self._tags)
            ]
        )
        dropped = await self._store.scripts(
            [
                Script("give_up", [keys.parked(tag), keys.waiting(tag)], [ident, cutoff])
                for tag, mine in enumerate(due)
                for ident in mine
            ]
        )
        return sum(len(unpack_undos(raw)) for raw in dropped if raw)
