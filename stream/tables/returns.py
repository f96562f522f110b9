"""Returns: written into the record of their order, then taken away; those that come before it wait for it.

A batch is handled order by order, but all orders together: its returns cost a bounded number of round trips. Those of
one order come to its record in the order of the log, and are written there at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from stream.codec import occurred_ms
from stream.decisions.window import Window
from stream.errors import PoisonEvent
from stream.events import OrderReturned
from stream.tables.batch import Applied
from stream.tables.fences import APPLIED, Owner
from stream.tables.ids import order_id
from stream.tables.order_log import Amendment, Logged, OrderLog
from stream.tables.order_record import MAX_UNDONE, OrderRecord, Undo, undo_of
from stream.tables.parked import Early, Parked, too_many_returns
from stream.tables.undoing import Undoing, Unsettled

ORDERS_AT_ONCE = 100
"""Orders whose returns are handled together: about a thousand script calls in a round trip."""


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
    """What became of each return, or why it can never be handled, in the order given; and what applying them did."""

    outcomes: list[Outcome | PoisonEvent]
    applied: Applied


@dataclass(slots=True)
class _Case:
    """The returns of one order: where each stands in the batch, what it undoes, the pane it was made in."""

    ident: bytes
    replayed: bool = False
    places: list[int] = field(default_factory=list)
    undos: list[Undo] = field(default_factory=list)
    panes: list[int] = field(default_factory=list)


class _Judged(NamedTuple):
    """What the returns of a case come to: the record with them, and how many of its undos are theirs or before."""

    outcomes: list[Outcome | PoisonEvent]
    record: OrderRecord
    upto: int


class Returns:
    """Takes orders back."""

    def __init__(self, window: Window, log: OrderLog, undoing: Undoing, parked: Parked) -> None:
        self._window, self._log, self._undoing, self._parked = window, log, undoing, parked

    async def take_back(self, owner: Owner, returns: Sequence[tuple[int, OrderReturned]]) -> TakenBack:
        """Take away what the returned lines had added, once an event id; a return of an order still to come waits.

        `returns`: (offset, event) pairs of one partition, in offset order. A return of an order whose pane is being
        expired takes nothing. Repeating it changes nothing. A return that can never be handled comes to a PoisonEvent
        (TOO_MANY_RETURNS, ORDER_UNKNOWN when too many wait). Raises Superseded, StateLost, StateUnavailable.
        """
        outcomes: list[Outcome | PoisonEvent] = [Outcome.REPLAYED] * len(returns)
        cases = list(self._cases(owner, returns).values())
        applied = Applied(0, [])
        for start in range(0, len(cases), ORDERS_AT_ONCE):
            waiting = cases[start : start + ORDERS_AT_ONCE]
            while waiting:
                waiting, done = await self._handle(owner, waiting, outcomes)
                applied.add(done.pair_updates, done.posted_tags)
        return TakenBack(outcomes, applied)

    def _cases(self, owner: Owner, returns: Sequence[tuple[int, OrderReturned]]) -> dict[bytes, _Case]:
        """The returns that some tag may lack, by order."""
        cases: dict[bytes, _Case] = {}
        for place, (offset, event) in enumerate(returns):
            if offset <= owner.lowest_fence:
                continue
            pane = self._window.pane_of(occurred_ms(event.occurred_at))
            ident = order_id(event.order_id)
            case = cases.setdefault(ident, _Case(ident))
            case.replayed |= owner.replays(offset)
            case.places.append(place)
            case.undos.append(undo_of(event, self._window.live(pane).start))
            case.panes.append(pane)
        return cases

    async def _handle(
        self, owner: Owner, cases: Sequence[_Case], outcomes: list[Outcome | PoisonEvent]
    ) -> tuple[list[_Case], Applied]:
        """Handle cases as they stand now; those whose orders were changed meanwhile are to be handled again."""
        again: list[_Case] = []
        placed: list[tuple[_Case, Logged]] = []
        early: list[_Case] = []
        for case, (claimed, logged) in zip(
            cases, await self._log.find([c.ident for c in cases]), strict=True
        ):
            if logged is not None:
                placed.append((case, logged))
            elif claimed:
                _note(case, [Outcome.TOO_LATE] * len(case.places), outcomes)
            else:
                early.append(case)
        parked = await self._parked.park(owner, [Early(c.ident, c.undos, c.panes) for c in early])
        for case, verdicts in zip(early, parked, strict=True):
            if verdicts is None:
                again.append(case)
            else:
                _note(case, [verdict or Outcome.WAITING for verdict in verdicts], outcomes)
        changed, applied = await self._take(owner, placed, outcomes)
        return again + changed, applied

    async def _take(
        self, owner: Owner, placed: Sequence[tuple[_Case, Logged]], outcomes: list[Outcome | PoisonEvent]
    ) -> tuple[list[_Case], Applied]:
        """Take the returns of logged orders; the cases whose orders were changed meanwhile, or begin to be expired."""
        closed = await self._log.closed([logged for _, logged in placed])
        over = [logged for (_, logged), is_closed in zip(placed, closed, strict=True) if is_closed]
        # Of a closed pane only what some tag has taken away already: the record lost it, and is read again.
        most = dict(zip(over, await self._undoing.most_returns(over), strict=True))
        judged = [_judge(case.undos, logged.record, most.get(logged, MAX_UNDONE)) for case, logged in placed]
        amendments = [
            Amendment(logged, verdict.record, even_closed=is_closed)
            for (_, logged), verdict, is_closed in zip(placed, judged, closed, strict=True)
        ]
        written = await self._log.amend(owner, amendments)
        changed, unsettled = [], []
        for (case, logged), verdict, code in zip(placed, judged, written, strict=True):
            if code != APPLIED:
                changed.append(case)
                continue
            _note(case, verdict.outcomes, outcomes)
            if verdict.upto:
                now = logged.amended(verdict.record)
                unsettled.append(Unsettled(now, upto=verdict.upto, replayed=case.replayed))
        return changed, await self._undoing.settle(owner, unsettled)


def _judge(undos: Sequence[Undo], record: OrderRecord, most: int) -> _Judged:
    """What returns of one order come to, one after another, while it may have no more than `most` undos."""
    if record.erased:
        return _Judged([Outcome.ERASED] * len(undos), record, 0)
    outcomes: list[Outcome | PoisonEvent] = []
    upto = 0
    for undo in undos:
        marks = [known.mark for known in record.undone]
        if undo.mark in marks:
            outcomes.append(Outcome.REPEATED)
            upto = max(upto, marks.index(undo.mark) + 1)
        elif len(marks) >= MAX_UNDONE:
            outcomes.append(too_many_returns())
        elif len(marks) >= most:
            outcomes.append(Outcome.TOO_LATE)
        else:
            # One that takes nothing is written down as well: whether it came before its order must not change the
            # numbers of those behind it.
            left, record = record.left, record.with_undo(undo)
            upto = len(record.undone)
            if undo.first_pane > record.pane:
                outcomes.append(Outcome.TOO_LATE)
            else:
                outcomes.append(Outcome.NOTHING_LEFT if record.left == left else Outcome.TAKEN)
    return _Judged(outcomes, record, upto)


def _note(case: _Case, found: Sequence[Outcome | PoisonEvent], outcomes: list[Outcome | PoisonEvent]) -> None:
    for place, outcome in zip(case.places, found, strict=True):
        outcomes[place] = outcome
