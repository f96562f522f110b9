"""Returns that come before their order: they wait under its id until it is claimed, or until their window is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream.errors import PoisonEvent
from stream.tables.fences import APPLIED, Owner
from stream.tables.ids import tag_of
from stream.tables.keys import Keys
from stream.tables.order_log import CHANGED
from stream.tables.order_record import MAX_UNDONE, Undo, pack_undos, unpack_undos
from stream.tables.store import Script, Store

MAX_WAITING = 10_000
"""Most orders of a tag that returns wait for."""

GIVE_UP_LIMIT = 500
"""Orders of a tag whose returns are given up in one round."""

_TOO_MANY = 7


class Early(NamedTuple):
    """Returns of one order that is not there: the order's id, their undos, and the pane each was made in."""

    ident: bytes
    undos: Sequence[Undo]
    panes: Sequence[int]


def too_many_returns() -> PoisonEvent:
    """What a return of an order becomes that has as many as are kept."""
    return PoisonEvent("TOO_MANY_RETURNS", "$.order_id", f"more than {MAX_UNDONE} of one order")


class Parked:
    """Keeps returns for their orders; `claim` takes them from here."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def park(self, owner: Owner, early: Sequence[Early]) -> list[list[PoisonEvent | None] | None]:
        """Let returns wait. For each order: None when it has come, or other returns of it; else, for each of its
        returns, why it cannot wait, None if it does.

        Two round trips. Raises Superseded, StateLost, StateUnavailable.
        """
        if not early:
            return []
        keys = self._keys
        tags = [tag_of(order.ident, self._tags) for order in early]
        held = await self._store.commands(
            [("HGET", keys.parked(tag), order.ident) for tag, order in zip(tags, early, strict=True)]
        )
        answers: list[list[PoisonEvent | None] | None] = []
        writes: list[tuple[int, int, Script]] = []
        for at, (tag, order, raw) in enumerate(zip(tags, early, held, strict=True)):
            waiting, verdicts, newest = _joined(order, raw)
            answers.append(verdicts)
            if newest is not None:
                script = Script(
                    "park_return",
                    [keys.fences(tag), keys.claims(tag), keys.parked(tag), keys.waiting(tag)],
                    [
                        *(owner.source, owner.epochs[tag], order.ident, raw or b""),
                        *(pack_undos(waiting), newest, MAX_WAITING),
                    ],
                )
                writes.append((at, tag, script))
        written = await self._store.scripts([script for _, _, script in writes])
        for (at, tag, _), answer in zip(writes, written, strict=True):
            code = int(answer[0])
            if code == _TOO_MANY:
                answers[at] = [_nobody_waits() for _ in early[at].undos]
            elif code == CHANGED:
                answers[at] = None
            elif code != APPLIED:
                owner.settle(owner.source, tag, answer, -1)
        return answers

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


def _joined(order: Early, held: bytes | None) -> tuple[list[Undo], list[PoisonEvent | None], int | None]:
    """All that is to wait, what becomes of each return, and the newest pane of those that are new, None without any."""
    waiting = [] if held is None else unpack_undos(held)
    verdicts: list[PoisonEvent | None] = []
    newest: int | None = None
    for undo, pane in zip(order.undos, order.panes, strict=True):
        known = undo.mark in [other.mark for other in waiting]
        if not known and len(waiting) >= MAX_UNDONE:
            verdicts.append(too_many_returns())
            continue
        verdicts.append(None)
        if not known:
            waiting.append(undo)
            newest = pane if newest is None else max(newest, pane)
    return waiting, verdicts, newest


def _nobody_waits() -> PoisonEvent:
    return PoisonEvent(
        "ORDER_UNKNOWN",
        "$.order_id",
        "no order of this id in the window, and too many returns wait for theirs; replay it once it is there",
    )
